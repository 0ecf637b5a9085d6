//! Advice on models and on plans.

use rwt_plan::advice::{Advice, Code};
use rwt_plan::lint;

use crate::support::History;

fn shown(advice: &[Advice]) -> String {
    advice.iter().map(|advice| format!("{advice}\n")).collect()
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let history = History::of("mistakes");
    let found = lint(&history.desired(1));
    for code in Code::ALL {
        let is_of_plans = code == Code::LakeKeepsRows;
        assert!(
            is_of_plans || found.iter().any(|advice| advice.code == code),
            "{code}"
        );
    }
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("lint_mistakes", shown(&found));
    });
}

#[test]
fn codes_are_silenced_by_a_model_and_by_a_variable() {
    let mut history = History::of("mistakes");
    let before = lint(&history.desired(1));
    history.vars = "lint_ignore=between-window,all-columns";
    let after = lint(&history.desired(1));
    assert!(
        before
            .iter()
            .any(|advice| advice.code == Code::BetweenWindow)
    );
    assert!(
        !after
            .iter()
            .any(|a| matches!(a.code, Code::BetweenWindow | Code::AllColumns))
    );
    // The second version silences one model.
    history.vars = "";
    let silenced = lint(&history.desired(2));
    assert!(before.iter().any(|a| a.code == Code::ForceAppendOnly));
    assert!(!silenced.iter().any(|a| a.code == Code::ForceAppendOnly));
    assert_eq!(silenced.len(), before.len() - 1);
}

#[test]
fn a_plan_tells_that_the_lake_keeps_its_rows() {
    let mut history = History::of("source_feeds_lake");
    history.apply(1);
    let plan = history.plan(2);
    let told: Vec<Advice> = plan
        .advice
        .iter()
        .filter(|advice| advice.code == Code::LakeKeepsRows)
        .cloned()
        .collect();
    assert_eq!(told.len(), 1);
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("lint_lake", shown(&told));
    });
}

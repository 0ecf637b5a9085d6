//! Models that are gone from the project.

use rwt_plan::plan::Action;

use crate::history_snapshot;
use crate::support::History;

#[test]
fn a_removed_model_is_only_reported() {
    let mut history = History::of("removed_model");
    history.apply(1);
    let plan = history.apply(2);
    assert_eq!(plan.steps, []);
    history.options.prune = true;
    history.apply(2);
    assert!(!history.state.objects.contains_key("model.shop.report"));
    history_snapshot!("removed_model", history);
}

#[test]
fn what_no_longer_reads_it_lets_it_go() {
    let mut history = History::of("removed_parent");
    history.apply(1);
    history.options.prune = true;
    history.apply(2);
    assert_eq!(history.database.names().len(), 2);
    history_snapshot!("removed_parent", history);
}

#[test]
fn what_still_reads_it_keeps_it() {
    let mut history = History::of("removed_parent_only");
    history.apply(1);
    history.options.prune = true;
    let plan = history.apply(2);
    assert!(
        plan.objects
            .iter()
            .any(|object| object.action == Action::Blocked)
    );
    history_snapshot!("removed_parent_only", history);
}

#[test]
fn a_table_goes_only_with_leave() {
    let mut history = History::of("removed_table");
    history.apply(1);
    history.options.prune = true;
    assert!(history.apply(2).is_blocked());
    history.options.allow_destructive = true;
    history.apply(2);
    history_snapshot!("removed_table", history);
}

#[test]
fn a_selection_leaves_removed_models_alone() {
    let mut history = History::of("removed_model");
    history.apply(1);
    history.options.prune = true;
    history.select = Some(vec!["orders"]);
    let plan = history.apply(2);
    assert!(!plan.has_changes());
}

#[test]
fn a_sink_that_writes_into_a_table_keeps_it() {
    let mut history = History::of("removed_table");
    history.apply(1);
    history.by_hand(
        "create sink theirs into extra as select 1 as id, user_id, total as amount from orders",
    );
    history.options.prune = true;
    history.options.allow_destructive = true;
    let plan = history.apply(2);
    let extra = plan
        .objects
        .iter()
        .find(|object| object.name == "extra")
        .unwrap();
    assert_eq!(extra.action, Action::Blocked, "{plan}");
}

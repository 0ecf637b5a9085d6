//! Plans that are kept, and plans that are made twice.

use rwt_plan::{Options, Plan, plan};

use crate::support::History;

#[test]
fn a_saved_plan_is_refused_when_the_database_has_moved() {
    let mut history = History::of("two_levels");
    history.apply(1);
    let text = serde_json::to_string(&history.plan(2)).unwrap();
    let saved: Plan = serde_json::from_str(&text).unwrap();
    let current = |history: &History| {
        saved
            .base
            .is_current(&history.state, &history.database.catalog)
    };
    assert!(current(&history));
    // Nothing of this plan.
    history.by_hand("create table elsewhere (a int)");
    assert!(current(&history));
    let before = history.database.clone();
    history.by_hand("create view theirs as select * from orders");
    assert!(!current(&history));
    history.database = before;
    assert!(current(&history));
    history.by_hand("alter table events add column note varchar");
    assert!(!current(&history));
}

#[test]
fn the_same_is_planned_twice() {
    let mut history = History::of("diamond_root");
    history.apply(1);
    let desired = history.desired(2);
    let selection = history.selection(&desired);
    let catalog = &history.database.catalog;
    let once = plan(
        &desired,
        &selection,
        &history.state,
        catalog,
        &Options::default(),
    )
    .unwrap();
    let twice = plan(
        &desired,
        &selection,
        &history.state,
        catalog,
        &Options::default(),
    )
    .unwrap();
    assert_eq!(once, twice);
    assert!((1..=16).contains(&once.deployment.len()));
}

#[test]
fn a_deployment_that_would_not_do_in_names_is_refused() {
    let history = History::of("changed_sql");
    let desired = history.desired(1);
    for id in ["", "D1", "d-1", "a2345678901234567"] {
        let options = Options {
            deployment: Some(id.to_owned()),
            ..Options::default()
        };
        let refused = plan(
            &desired,
            &history.selection(&desired),
            &history.state,
            &history.database.catalog,
            &options,
        );
        assert!(refused.is_err(), "{id}");
    }
}

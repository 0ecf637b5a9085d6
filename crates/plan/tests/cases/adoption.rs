//! A database with objects and without state.

use rwt_plan::plan::{Action, Adopt};
use rwt_plan::state::StateError;
use rwt_plan::{Options, PlanError, StateSnapshot, plan};

use crate::history_snapshot;
use crate::support::History;

#[test]
fn what_is_there_is_compared_and_never_rebuilt_by_surprise() {
    let mut history = History::of("state_lost");
    history.apply(1);
    history.state = StateSnapshot::default();
    history.text.clear();
    let plan = history.plan(2);
    assert!(
        plan.objects
            .iter()
            .all(|object| object.action == Action::Adopt)
    );
    assert_eq!(plan.steps, []);
    history.options.adopt = Adopt::Compare;
    history.apply(2);
    history.options.adopt = Adopt::No;
    // What said something else is changed now.
    history.apply(2);
    history_snapshot!("state_lost", history);
}

#[test]
fn it_can_be_taken_as_it_is() {
    let mut history = History::of("state_lost");
    history.apply(1);
    history.state = StateSnapshot::default();
    history.options.adopt = Adopt::All;
    history.apply(2);
    history.options.adopt = Adopt::No;
    assert!(!history.plan(2).has_changes());
}

#[test]
fn the_state_of_a_newer_rwt_is_refused() {
    let history = History::of("changed_sql");
    let desired = history.desired(1);
    let state = StateSnapshot {
        format: 99,
        rwt_version: "9.1.0".to_owned(),
        ..StateSnapshot::default()
    };
    let catalog = &history.database.catalog;
    let refused = plan(
        &desired,
        &history.selection(&desired),
        &state,
        catalog,
        &Options::default(),
    )
    .expect_err("refused");
    assert!(matches!(
        refused,
        PlanError::State(StateError::Newer { .. })
    ));
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("newer_state", refused);
    });
}

#[test]
fn the_state_of_an_older_fingerprint_is_compared_by_its_text() {
    let mut history = History::of("changed_sql");
    history.apply(1);
    for object in history.state.objects.values_mut() {
        object.fingerprint.format = 0;
        object.fingerprint.create = "older".to_owned();
    }
    let plan = history.apply(1);
    assert!(
        plan.objects
            .iter()
            .all(|object| object.action == Action::Unchanged)
    );
    let plan = history.apply(2);
    assert_eq!(plan.counts()[0].0, Action::Swap);
}

//! Sinks and subscriptions over what changes.

use rwt_plan::ServerVersion;
use rwt_plan::plan::{Action, Consequence};

use crate::history_snapshot;
use crate::support::History;

/// Version 2 without leave, then with it.
fn with_and_without_leave(case: &'static str) -> History {
    let mut history = History::of(case);
    history.apply(1);
    let plan = history.plan(2);
    assert!(plan.is_blocked(), "{plan}");
    assert_eq!(
        plan.steps
            .iter()
            .filter(|step| !step.is_repeatable())
            .count(),
        0
    );
    history.options.allow_destructive = true;
    let plan = history.apply(2);
    assert!(!plan.is_blocked() && plan.is_destructive(), "{plan}");
    history
}

#[test]
fn a_sink_that_would_emit_again_needs_leave() {
    history_snapshot!(
        "sink_over_changed_view",
        with_and_without_leave("sink_over_changed_view")
    );
}

#[test]
fn a_new_server_replaces_the_sink() {
    let mut history = History::on("sink_over_changed_view", ServerVersion::new(3, 1, 0));
    history.apply(1);
    let id = history.database.id("totals");
    history.apply(2);
    assert_eq!(history.database.id("totals"), id);
    history.show_bindings();
    history_snapshot!("sink_replaced_on_a_new_server", history);
}

#[test]
fn a_sink_can_go_on_without_what_is_there() {
    let mut history = History::of("sink_moved_without_snapshot");
    history.apply(1);
    history.apply(2);
    history_snapshot!("sink_moved_without_snapshot", history);
}

#[test]
fn a_changed_sink_is_made_anew() {
    history_snapshot!("changed_sink", with_and_without_leave("changed_sink"));
}

#[test]
fn a_sink_into_a_table_says_what_the_table_keeps() {
    let history = with_and_without_leave("sink_into_table");
    history_snapshot!("sink_into_table", history);
}

#[test]
fn a_key_makes_rows_replace_one_another() {
    history_snapshot!(
        "sink_into_keyed_table",
        with_and_without_leave("sink_into_keyed_table")
    );
}

#[test]
fn a_new_target_is_filled_before_it_is_read() {
    let history = with_and_without_leave("sink_into_replaced_table");
    history_snapshot!("sink_into_replaced_table", history);
}

#[test]
fn another_target_is_another_sink() {
    history_snapshot!(
        "sink_into_other_table",
        with_and_without_leave("sink_into_other_table")
    );
}

#[test]
fn a_subscription_loses_its_place() {
    history_snapshot!("subscription", with_and_without_leave("subscription"));
}

#[test]
fn subscriptions_need_a_server_that_has_them() {
    let mut history = History::on("too_old", ServerVersion::new(1, 9, 0));
    history.apply(1);
    history_snapshot!("too_old", history);
}

#[test]
fn an_engine_table_takes_its_lake_along() {
    let mut history = History::of("lake_table");
    history.apply(1);
    history.options.allow_destructive = true;
    history.apply(2);
    let plan = history.apply(3);
    let sink = plan
        .objects
        .iter()
        .find(|object| object.name == "to_lake")
        .unwrap();
    assert_eq!(sink.action, Action::Replace);
    assert!(
        sink.consequences
            .iter()
            .any(|c| matches!(c, Consequence::ReceiverKeepsRows { .. }))
    );
    history_snapshot!("lake_table", history);
}

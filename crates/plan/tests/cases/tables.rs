//! Tables and sources.

use rwt_plan::plan::Action;

use crate::history_snapshot;
use crate::support::History;

fn with_leave(case: &'static str, versions: usize) -> History {
    let mut history = History::of(case);
    history.apply(1);
    for version in 2..=versions {
        history.plan(version);
        history.options.allow_destructive = true;
        history.apply(version);
        history.options.allow_destructive = false;
    }
    history
}

#[test]
fn a_column_more_is_added_in_place() {
    let mut history = History::of("added_column");
    history.apply(1);
    let id = history.database.id("events");
    history.apply(2);
    assert_eq!(history.database.id("events"), id);
    history_snapshot!("added_column", history);
}

#[test]
fn only_what_takes_all_columns_follows_a_column_more() {
    let mut history = History::of("added_column_unused");
    history.apply(1);
    let plan = history.apply(2);
    let action = |name: &str| plan.objects.iter().find(|o| o.name == name).unwrap().action;
    assert_eq!(
        ["events", "everything", "orders", "raw"].map(action),
        [
            Action::Alter,
            Action::Swap,
            Action::Unchanged,
            Action::Unchanged
        ]
    );
    history_snapshot!("added_column_unused", history);
}

#[test]
fn a_column_less_costs_the_rows() {
    history_snapshot!("removed_column", with_leave("removed_column", 2));
}

#[test]
fn a_replaced_table_takes_its_readers_along() {
    let mut history = with_leave("replaced_table", 2);
    history.show_bindings();
    history_snapshot!("replaced_table", history);
}

#[test]
fn a_table_of_a_query_is_filled_when_it_changes_and_at_no_other_time() {
    history_snapshot!("table_of_a_query", with_leave("table_of_a_query", 3));
}

#[test]
fn a_source_gains_columns() {
    history_snapshot!("source_gains_column", with_leave("source_gains_column", 2));
}

#[test]
fn another_topic_is_another_source() {
    history_snapshot!("source_changed", with_leave("source_changed", 2));
}

#[test]
fn a_view_over_a_source_that_begins_at_the_end_loses_rows() {
    let mut history = History::of("view_over_latest");
    history.apply(1);
    assert!(history.plan(2).not_allowed().next().is_some());
    history.options.allow_destructive = true;
    history.apply(2);
    history_snapshot!("view_over_latest", history);
}

#[test]
fn on_schema_change_is_respected() {
    let mut history = History::of("on_schema_change");
    history.apply(1);
    assert_eq!(history.apply(2).objects[0].action, Action::Unchanged);
    assert_eq!(history.apply(3).objects[0].action, Action::Blocked);
    assert_eq!(history.apply(4).objects[0].action, Action::Alter);
    history_snapshot!("on_schema_change", history);
}

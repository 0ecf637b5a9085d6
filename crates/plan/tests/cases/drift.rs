//! Objects that were changed outside of rwt.

use rwt_plan::plan::{Action, Blocked};

use crate::history_snapshot;
use crate::support::History;

fn applied() -> History {
    let mut history = History::of("drift");
    history.apply(1);
    history.text.clear();
    history
}

#[test]
fn what_was_dropped_is_created() {
    let mut history = applied();
    history.by_hand("drop view report");
    history.apply(1);
    history_snapshot!("drift_dropped", history);
}

#[test]
fn what_was_created_by_somebody_else_is_left_alone_or_brought_back() {
    let mut history = applied();
    history.by_hand("drop view report");
    history.by_hand("create view report as select user_id from orders");
    assert_eq!(history.apply(1).counts()[0].0, Action::Drifted);
    history.options.repair = true;
    history.apply(1);
    history_snapshot!("drift_recreated", history);
}

#[test]
fn a_column_that_somebody_added_is_seen() {
    let mut history = applied();
    history.by_hand("alter table events add column note varchar");
    history.apply(1);
    history_snapshot!("drift_column", history);
}

#[test]
fn an_index_that_somebody_dropped_comes_back_and_one_that_somebody_made_is_seen() {
    let mut history = applied();
    history.by_hand("drop index __dbt_index_ordersx_user_id");
    history.by_hand("create index theirs on orders (total)");
    history.apply(1);
    history_snapshot!("drift_indexes", history);
}

#[test]
fn an_index_that_somebody_made_follows_a_rebuild() {
    let mut history = History::of("changed_sql");
    history.apply(1);
    history.by_hand("create index theirs on orders (total)");
    history.apply(2);
    let id = history.database.id("orders");
    let names: Vec<String> = history
        .database
        .catalog
        .indexes
        .values()
        .filter(|index| index.on == id)
        .map(|index| index.relation.name.clone())
        .collect();
    assert_eq!(names, ["theirs"]);
    history_snapshot!("index_by_hand", history);
}

#[test]
fn a_name_that_somebody_changed_is_seen_and_can_be_brought_back() {
    let mut history = applied();
    history.by_hand("alter materialized view ordersx rename to ordersy");
    assert_eq!(history.apply(1).counts()[0].0, Action::Drifted);
    history.options.repair = true;
    history.apply(1);
    history_snapshot!("drift_renamed", history);
}

#[test]
fn another_kind_of_object_under_the_name_is_seen_and_can_be_rebuilt() {
    let mut history = applied();
    history.by_hand("drop view report");
    history.by_hand(
        "create materialized view report as select user_id, total from orders where total > 10",
    );
    assert_eq!(history.apply(1).counts()[0].0, Action::Drifted);
    history.options.repair = true;
    history.apply(1);
    history_snapshot!("drift_kind", history);
}

#[test]
fn what_is_still_being_created_is_waited_for() {
    let mut history = applied();
    let id = history.database.id("ordersx");
    history.database.change(id, |object| object.creating = true);
    let plan = history.plan(1);
    assert!(
        plan.objects
            .iter()
            .any(|object| object.blocked == Some(Blocked::Creating))
    );
    history_snapshot!("drift_creating", history);
}

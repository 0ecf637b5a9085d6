//! Changed views and what reads them.

use rwt_plan::ServerVersion;
use rwt_plan::plan::{Action, Blocked};

use crate::history_snapshot;
use crate::support::History;

/// Applies all versions of a case.
fn versions(case: &'static str, count: usize) -> History {
    let mut history = History::of(case);
    for version in 1..=count {
        history.apply(version);
    }
    history
}

#[test]
fn a_changed_view_is_swapped() {
    history_snapshot!("changed_sql", versions("changed_sql", 2));
}

#[test]
fn writing_it_otherwise_changes_nothing() {
    let mut history = History::of("formatting_only");
    history.apply(1);
    let plan = history.apply(2);
    assert!(
        plan.objects
            .iter()
            .all(|object| object.action == Action::Unchanged)
    );
    history_snapshot!("formatting_only", history);
}

#[test]
fn all_that_reads_it_follows() {
    let mut history = versions("two_levels", 2);
    history.show_bindings();
    history_snapshot!("two_levels", history);
}

#[test]
fn only_what_is_below_is_rebuilt() {
    history_snapshot!("changed_leaf", versions("changed_leaf", 2));
}

#[test]
fn a_diamond_is_rebuilt_once() {
    history_snapshot!("diamond", versions("diamond", 2));
    history_snapshot!("diamond_root", versions("diamond_root", 2));
}

#[test]
fn an_ephemeral_model_is_part_of_what_reads_it() {
    history_snapshot!("ephemeral_between", versions("ephemeral_between", 3));
}

#[test]
fn a_macro_changes_the_models_that_call_it() {
    history_snapshot!("changed_macro", versions("changed_macro", 2));
}

#[test]
fn so_does_a_variable() {
    let mut history = History::of("changed_var");
    history.apply(1);
    history.vars = "least=5";
    history.apply(2);
    history_snapshot!("changed_var", history);
}

#[test]
fn so_does_a_variable_of_the_environment() {
    let mut history = History::of("changed_env_var");
    history.apply(1);
    history.env = vec![("LEAST", "5")];
    history.apply(2);
    history_snapshot!("changed_env_var", history);
}

#[test]
fn a_view_can_become_a_materialized_view() {
    history_snapshot!("changed_kind", versions("changed_kind", 2));
}

/// Nothing was ever written to a view, so that a table in its place loses nothing.
#[test]
fn a_view_becomes_a_table_without_permission() {
    history_snapshot!("view_to_table", versions("view_to_table", 2));
}

#[test]
fn indexes_are_built_with_the_shadow() {
    history_snapshot!(
        "indexes_of_a_changed_view",
        versions("indexes_of_a_changed_view", 2)
    );
}

#[test]
fn window_functions_and_joins_read_shadows_too() {
    history_snapshot!("windows", versions("windows", 2));
}

#[test]
fn the_order_of_backfills_names_shadows_too() {
    history_snapshot!("backfill_order", versions("backfill_order", 2));
}

#[test]
fn what_others_have_built_stays_on_the_old_object() {
    let mut history = History::of("foreign_dependent");
    history.apply(1);
    history.by_hand("create materialized view theirs as select user_id from top");
    let plan = history.apply(2);
    assert_eq!(history.state.leftovers.len(), 2);
    assert!(plan.objects.iter().all(|object| object.blocked.is_none()));
    history.show_bindings();
    history.by_hand("drop materialized view theirs");
    history.apply(3);
    assert_eq!(history.state.leftovers, []);
    history_snapshot!("foreign_dependent", history);
}

#[test]
fn what_is_not_selected_stays_on_the_old_object_until_it_is() {
    let mut history = History::of("selected_parent");
    history.apply(1);
    history.select = Some(vec!["orders"]);
    history.apply(2);
    history.select = None;
    history.apply(2);
    assert_eq!(history.state.leftovers, []);
    history_snapshot!("selected_parent", history);
}

#[test]
fn what_goes_together_is_blocked_together() {
    let mut history = History::of("destructive_branch");
    history.apply(1);
    let plan = history.apply(2);
    assert!(plan.is_blocked());
    let swapped: Vec<&str> = plan
        .objects
        .iter()
        .filter(|object| object.action == Action::Swap)
        .map(|object| object.name.as_str())
        .collect();
    assert_eq!(swapped, ["other"]);
    history_snapshot!("destructive_branch", history);
}

#[test]
fn a_server_without_swap_is_told_apart() {
    let mut history = History::on("changed_sql", ServerVersion::new(2, 1, 3));
    history.apply(1);
    let plan = history.apply(2);
    assert!(
        plan.objects
            .iter()
            .any(|o| matches!(o.blocked, Some(Blocked::TooOld { .. })))
    );
    history_snapshot!("changed_sql_on_an_old_server", history);
}

#[test]
fn a_new_server_waits_for_single_objects() {
    let mut history = History::on("two_levels", ServerVersion::new(3, 0, 0));
    history.apply(1);
    history.apply(2);
    history_snapshot!("two_levels_on_a_new_server", history);
}

#[test]
fn a_new_model_on_top_reads_what_is_there() {
    history_snapshot!("new_model", versions("new_model", 2));
}

#[test]
fn new_objects_below_a_change_read_the_new_one() {
    let mut history = versions("new_sink_below_a_change", 2);
    history.show_bindings();
    history_snapshot!("new_sink_below_a_change", history);
}

#[test]
fn a_full_refresh_rebuilds_what_may_be() {
    let mut history = History::of("full_refresh");
    history.apply(1);
    history.options.full_refresh = true;
    history.select = Some(vec!["orders", "report", "fixed"]);
    history.apply(1);
    history_snapshot!("full_refresh", history);
}

#[test]
fn downtime_can_be_wanted() {
    history_snapshot!("downtime_wanted", versions("downtime_wanted", 2));
}

#[test]
fn old_ones_can_be_kept() {
    let mut history = versions("old_ones_kept", 2);
    assert_eq!(history.state.leftovers.len(), 1);
    history.options.clean_up = true;
    history.apply(2);
    assert_eq!(history.state.leftovers, []);
    history_snapshot!("old_ones_kept", history);
}

#[test]
fn what_is_not_there_and_not_selected_blocks() {
    let mut history = History::of("two_levels");
    history.select = Some(vec!["events", "top", "shown"]);
    let plan = history.apply(1);
    let blocked: Vec<_> = plan
        .objects
        .iter()
        .filter_map(|object| Some((object.name.as_str(), object.blocked.as_ref()?.to_string())))
        .collect();
    assert_eq!(
        blocked,
        [
            ("top", "orders is not there; select it as well".to_owned()),
            (
                "shown",
                "left as it is, for it goes together with top".to_owned()
            ),
        ]
    );
}

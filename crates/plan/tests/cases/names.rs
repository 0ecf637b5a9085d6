//! Other names, schemas and models of the same object.

use rwt_plan::RelationName;
use rwt_plan::plan::{Action, Blocked};
use rwt_plan::step::Phase;

use crate::history_snapshot;
use crate::support::History;

fn two_versions(case: &'static str) -> History {
    let mut history = History::of(case);
    history.apply(1);
    history.apply(2);
    history
}

#[test]
fn a_renamed_model_keeps_its_object() {
    let mut history = History::of("renamed_model");
    history.apply(1);
    let id = history.database.id("orders");
    history.apply(2);
    assert_eq!(history.database.id("totals"), id);
    assert!(!history.state.objects.contains_key("model.shop.orders"));
    history_snapshot!("renamed_model", history);
}

#[test]
fn a_renamed_model_with_the_old_alias_is_the_old_object_changed() {
    let history = two_versions("renamed_and_changed");
    assert!(!history.state.objects.contains_key("model.shop.orders"));
    history_snapshot!("renamed_and_changed", history);
}

#[test]
fn another_schema_is_no_rebuild_but_of_views_that_read_it() {
    history_snapshot!("changed_schema", two_versions("changed_schema"));
}

#[test]
fn a_view_that_stays_keeps_what_it_reads_in_its_schema() {
    let mut history = History::of("changed_schema");
    history.apply(1);
    history.by_hand("create view theirs as select * from report");
    let plan = history.apply(2);
    let of = |name: &str| {
        let mut objects = plan.objects.iter();
        objects.find(|object| object.name == name).unwrap()
    };
    let Some(Blocked::HasDependents { dependents }) = &of("orders").blocked else {
        panic!("{plan}");
    };
    assert_eq!(dependents, &[RelationName::new("public", "theirs")]);
    assert!(matches!(
        of("report").blocked,
        Some(Blocked::WaitsFor { .. })
    ));
    assert!(plan.steps.is_empty(), "{plan}");
}

#[test]
fn what_moves_is_remembered_when_the_views_over_it_are_there_again() {
    let mut history = History::of("changed_schema");
    history.apply(1);
    let plan = history.plan(2);
    let completed = |name: &str| {
        let mut steps = plan.steps.iter();
        let step = steps.find(|step| step.completes.iter().any(|id| id.ends_with(name)));
        step.map(|step| step.phase)
    };
    assert_eq!(completed("orders"), Some(Phase::Swap), "{plan}");
    assert_eq!(completed("report"), Some(Phase::Swap));
}

#[test]
fn another_alias_is_no_rebuild() {
    history_snapshot!("changed_alias", two_versions("changed_alias"));
    history_snapshot!(
        "changed_alias_with_index",
        two_versions("changed_alias_with_index")
    );
}

#[test]
fn another_alias_and_another_statement_is_a_new_object() {
    history_snapshot!("alias_and_sql", two_versions("alias_and_sql"));
}

#[test]
fn two_models_can_exchange_their_aliases() {
    let mut history = History::of("swapped_aliases");
    history.apply(1);
    let (one, two) = (history.database.id("one"), history.database.id("two"));
    history.apply(2);
    assert_eq!(
        (history.database.id("one"), history.database.id("two")),
        (two, one)
    );
    history_snapshot!("swapped_aliases", history);
}

#[test]
fn a_name_that_something_else_has_blocks() {
    let mut history = History::of("changed_sql");
    history.by_hand("create source orders (a int) with (connector = 'datagen')");
    let plan = history.apply(1);
    let orders = plan
        .objects
        .iter()
        .find(|object| object.name == "orders")
        .unwrap();
    assert_eq!(orders.action, Action::Blocked);
    assert!(matches!(orders.blocked, Some(Blocked::NameTaken { .. })));
    history_snapshot!("name_taken", history);
}

#[test]
fn three_models_can_pass_their_aliases_round() {
    let mut history = History::of("circle_of_aliases");
    history.apply(1);
    let before = ["one", "two", "three"].map(|name| history.database.id(name));
    history.apply(2);
    assert_eq!(
        ["two", "three", "one"].map(|name| history.database.id(name)),
        before
    );
    history_snapshot!("circle_of_aliases", history);
}

#[test]
fn the_copy_of_a_project_in_another_schema_is_let_be() {
    let mut history = History::of("changed_sql");
    history.apply(1);
    let mut theirs = history.desired(2);
    theirs.schema = "ann".to_owned();
    for object in theirs.objects.values_mut() {
        object.fingerprint.schema = "ann".to_owned();
        object.relation.schema = "ann".to_owned();
    }
    let selection = history.selection(&theirs);
    let plan = rwt_plan::plan(
        &theirs,
        &selection,
        &history.state,
        &history.database.catalog,
        &history.options,
    )
    .unwrap();
    assert!(
        plan.objects
            .iter()
            .all(|object| object.action == Action::Create)
    );
}

//! Changes that leave an object what it is, and what hangs on a node besides its object.

use rwt_plan::plan::Action;

use crate::history_snapshot;
use crate::support::History;

fn versions(case: &'static str, count: usize) -> History {
    let mut history = History::of(case);
    for version in 1..=count {
        history.apply(version);
    }
    history
}

#[test]
fn settings_of_a_living_object_are_altered() {
    history_snapshot!("changed_tuning", versions("changed_tuning", 3));
}

#[test]
fn indexes_come_and_go_in_place() {
    history_snapshot!("indexes", versions("indexes", 3));
}

#[test]
fn on_configuration_change_is_respected() {
    history_snapshot!(
        "index_changes_not_wanted",
        versions("index_changes_not_wanted", 3)
    );
}

#[test]
fn grants_change_in_place_and_survive_a_rebuild() {
    let mut history = History::of("grants");
    history.apply(1);
    history.apply(2);
    history.by_hand("grant select on materialized view orders to dan");
    history.apply(3);
    let id = history.database.id("orders");
    let mut rights = history.database.catalog.objects[&id].acl.clone();
    rights.sort();
    assert_eq!(rights, ["bob=r/root", "cyd=r/root", "dan=r/root"]);
    history_snapshot!("grants", history);
}

#[test]
fn an_owner_keeps_what_is_rebuilt() {
    let mut history = History::of("changed_sql");
    history.apply(1);
    history.by_hand("alter materialized view orders owner to olga");
    history.apply(2);
    let id = history.database.id("orders");
    assert_eq!(history.database.catalog.objects[&id].owner, "olga");
}

#[test]
fn descriptions_change_in_place() {
    history_snapshot!("descriptions", versions("descriptions", 3));
}

#[test]
fn hooks_run_where_they_belong() {
    let mut history = History::of("hooks");
    history.by_hand("create schema other");
    history.apply(1);
    history.apply(2);
    history_snapshot!("hooks", history);
}

#[test]
fn a_macro_that_does_more_is_run() {
    let mut history = History::of("macro_that_does_more");
    let plan = history.plan(1);
    let filled = plan
        .objects
        .iter()
        .find(|object| object.name == "filled")
        .unwrap();
    assert_eq!(filled.action, Action::Run);
    history_snapshot!("macro_that_does_more", history);
}

/// What a built-in materialization sends besides does not hide that its query is another one.
#[test]
fn a_header_that_does_more_is_sent_before_the_new_object() {
    history_snapshot!(
        "header_that_does_more",
        versions("header_that_does_more", 2)
    );
}

#[test]
fn secrets_are_altered_and_never_shown() {
    let mut history = History::of("secret");
    history.env = vec![("RWT_SECRET_BROKER", "hunter2")];
    history.apply(1);
    history.apply(2);
    assert!(!history.text.contains("hunter2") && !history.text.contains("changed'"));
    let state = serde_json::to_string(&history.state).unwrap();
    assert!(!state.contains("hunter2") && !state.contains("changed'"));
    history_snapshot!("secret", history);
}

#[test]
fn a_full_refresh_sends_a_secret_again() {
    let mut history = History::of("secret");
    history.env = vec![("RWT_SECRET_BROKER", "hunter2")];
    history.apply(1);
    history.options.full_refresh = true;
    history.select = Some(vec!["password"]);
    let plan = history.apply(1);
    assert_eq!(plan.objects[0].action, Action::Alter);
    assert!(
        plan.steps[0]
            .sql()
            .any(|sql| sql.starts_with("ALTER SECRET public.password"))
    );
}

#[test]
fn a_seed_is_loaded_when_its_file_changes() {
    let mut history = History::of("seed");
    let action = |plan: &rwt_plan::Plan| {
        let seed = plan
            .objects
            .iter()
            .find(|object| object.name == "countries");
        seed.unwrap().action
    };
    assert_eq!(action(&history.apply(1)), Action::Run);
    assert_eq!(action(&history.apply(2)), Action::Unchanged);
    assert_eq!(action(&history.apply(3)), Action::Run);
    history_snapshot!("seed", history);
}

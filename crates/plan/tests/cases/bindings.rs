//! What a real server binds otherwise than the names say: views on indexes, functions, connections.

use rwt_plan::plan::{Action, Blocked, ObjectPlan};
use rwt_plan::{Desired, Plan};

use crate::support::{History, desired_of};

fn project(files: &[(&str, &str)]) -> Desired {
    let files: Vec<(String, String)> = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    desired_of(&files)
}

fn object<'a>(plan: &'a Plan, name: &str) -> &'a ObjectPlan {
    let mut found = plan.objects.iter().filter(|object| object.name == name);
    found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {plan}"))
}

const EVENTS: &str = "{{ config(materialized='table_with_connector') }}\n\
                      create table {{ this }} (id int primary key, user_id int)";
const INDEXED: &str =
    "{{ config(materialized='materialized_view', indexes=[{'columns': ['user_id']}]) }}\n";
const PLAIN: &str = "{{ config(materialized='materialized_view') }}\n";
const INDEX: &str = "__dbt_index_orders_user_id";

/// A view over one with an index, or without.
fn two_views(orders: &str, query: &str) -> Desired {
    project(&[
        ("models/events.sql", EVENTS),
        ("models/orders.sql", &format!("{orders}{query}")),
        (
            "models/top.sql",
            &format!("{PLAIN}select user_id from {{{{ ref('orders') }}}}"),
        ),
    ])
}

const QUERY: &str = "select user_id from {{ ref('events') }}";

#[test]
fn a_view_that_was_planned_on_an_index_is_bound_to_what_the_index_is_on() {
    let mut history = History::of("bindings");
    history.apply_of(&two_views(INDEXED, QUERY), "v1");
    history.database.bind_to_index("top", Some(INDEX), "orders");
    let again = history.apply_of(&two_views(INDEXED, QUERY), "v1 again");
    let unchanged = again.objects.iter().all(|o| o.action == Action::Unchanged);
    assert!(unchanged, "{again}");

    // The old view goes after its reader, and nothing is left over.
    let other = "select user_id, count(*) as n from {{ ref('events') }} group by user_id";
    let plan = history.apply_of(&two_views(INDEXED, other), "v2");
    assert_eq!(object(&plan, "top").action, Action::Swap);
    let names = history.database.names();
    assert!(
        !names.iter().any(|name| name.contains("__rwt_")),
        "{names:?}"
    );
}

#[test]
fn an_index_on_which_a_view_was_planned_stays_until_the_view_is_built_anew() {
    let mut history = History::of("bindings");
    history.apply_of(&two_views(INDEXED, QUERY), "v1");
    history.database.bind_to_index("top", Some(INDEX), "orders");
    for _ in 0..2 {
        let plan = history.apply_of(&two_views(PLAIN, QUERY), "v2");
        assert!(!plan.sql().contains("DROP INDEX"), "{}", plan.sql());
        let orders = object(&plan, "orders");
        assert!(
            orders.notes.iter().any(|note| note.contains("public.top")),
            "{plan}"
        );
    }
    history.database.bind_to_index("top", None, "orders");
    let plan = history.apply_of(&two_views(PLAIN, QUERY), "v2");
    assert!(plan.sql().contains("DROP INDEX"), "{}", plan.sql());
    assert_eq!(object(&plan, "orders").action, Action::Alter);
}

fn with_function(body: &str, caller: &str) -> Desired {
    project(&[
        ("functions/add_one.sql", body),
        (
            "functions/functions.yml",
            "functions:\n  - name: add_one\n    arguments:\n      - {name: a, data_type: int}\n    \
             returns: {data_type: int}\n",
        ),
        ("models/events.sql", EVENTS),
        ("models/uses.sql", &format!("{PLAIN}{caller}")),
    ])
}

#[test]
fn a_function_is_made_once_and_anew_only_when_nothing_calls_it() {
    let calls = "select {{ function('add_one') }}(user_id) as n from {{ ref('events') }}";
    let mut history = History::of("bindings");
    let plan = history.apply_of(&with_function("a + 1", calls), "v1");
    assert_eq!(object(&plan, "add_one").action, Action::Create);
    let plan = history.apply_of(&with_function("a + 1", calls), "v1");
    assert_eq!(object(&plan, "add_one").action, Action::Unchanged);

    let plan = history.apply_of(&with_function("a + 2", calls), "v2");
    let blocked = &object(&plan, "add_one").blocked;
    let Some(Blocked::HasDependents { dependents }) = blocked else {
        panic!("{plan}");
    };
    assert_eq!(dependents[0].to_string(), "public.uses");
    assert!(plan.steps.is_empty(), "{}", plan.sql());

    let alone = "select user_id as n from {{ ref('events') }}";
    let plan = history.apply_of(&with_function("a + 2", alone), "v3");
    assert_eq!(object(&plan, "add_one").action, Action::Replace);
    assert!(plan.sql().contains("DROP FUNCTION"), "{}", plan.sql());
}

#[test]
fn a_connection_with_another_name_is_made_anew_for_it_cannot_be_renamed() {
    let named = |name: &str| {
        let config = format!("{{{{ config(materialized='connection', alias='{name}') }}}}");
        let create = "create connection {{ this }} with (type = 'kafka', properties.bootstrap.server = 'b:9092')";
        project(&[("models/broker.sql", &format!("{config}\n{create}"))])
    };
    let mut history = History::of("bindings");
    history.apply_of(&named("one"), "v1");
    let plan = history.apply_of(&named("two"), "v2");
    assert_eq!(object(&plan, "broker").action, Action::Replace);
    let sql = plan.sql();
    assert!(
        sql.contains("DROP CONNECTION public.one") && !sql.contains("RENAME"),
        "{sql}"
    );
}

#[test]
fn a_plan_as_a_comment_fits_and_shows_what_matters() {
    let mut history = History::of("bindings");
    history.apply_of(&two_views(PLAIN, QUERY), "v1");
    let other = "select user_id, count(*) as n from {{ ref('events') }} group by user_id";
    let plan = history.apply_of(&two_views(PLAIN, other), "v2");
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("plan_as_markdown", plan.markdown(true));
    });
    let long = format!(
        "select user_id, '{}' as x from {{{{ ref('events') }}}}",
        "x".repeat(100_000)
    );
    let plan = history.apply_of(&two_views(PLAIN, &long), "v3");
    let comment = plan.markdown(true);
    assert!(comment.len() < 65_536, "{} bytes", comment.len());
    assert!(comment.contains("do not fit into a comment"), "{comment}");
}

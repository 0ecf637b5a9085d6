//! Unit tests of property files: what they become, and what is said where they are wrong.

mod support;

use rwt_compiler::{Cell, Compiler, TestRows, UnitTestPlan};
use rwt_project::graph::{Indirect, Selection};
use rwt_project::manifest::UniqueId;
use serde_json::json;
use support::{compiler, compiler_in, project, shown};

const MODEL: (&str, &str) = (
    "models/core/totals.sql",
    "{{ config(materialized='materialized_view') }}
select user_id, count(*) as n from {{ ref('clicks') }}
{% if is_incremental() %} join {{ this }} using (user_id) {% endif %}
where kind = '{{ var('kind') }}' and shop = '{{ env_var('SHOP') }}' {{ more() }}
group by user_id;
",
);
const CLICKS: (&str, &str) = (
    "models/clicks.sql",
    "{{ config(materialized='source') }}
create source {{ this }} (user_id int, kind varchar, shop varchar) with (connector = 'datagen') format plain encode json",
);
const MACROS: (&str, &str) = (
    "macros/m.sql",
    "{% macro more() %}and {{ now_text() }}{% endmacro %}{% macro now_text() %}true{% endmacro %}",
);
const TEST: &str = "
unit_tests:
  - name: counts
    model: totals
    description: one row a user
    given:
      - input: ref('clicks')
        rows:
          - {user_id: 1, kind: buy, shop: a}
          - {user_id: 2, shop: null}
      - input: this
        format: csv
        rows: |
          user_id,n
          1,
          2,7
    expect:
      format: sql
      rows: select 1 as user_id, 1 as n;
    overrides:
      macros: {is_incremental: true, now_text: 'x = 1'}
      vars: {kind: buy}
      env_vars: {SHOP: a}
    config:
      tags: [fast]
      meta: {now: '2026-01-02 03:04:05'}
";

fn plan_of(compiler: &Compiler, id: &str) -> Result<UnitTestPlan, String> {
    compiler
        .unit_test(&UniqueId(id.to_owned()))
        .map_err(|error| shown(&error))
}

fn loaded(test: &str) -> Result<Compiler, String> {
    let files = [MODEL, CLICKS, MACROS, ("models/core/tests.yml", test)];
    let with_vars = project(&files);
    let file = with_vars.path().join("project.yml");
    let text = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, format!("{text}vars: {{kind: view}}\n")).expect("writes");
    compiler_in(
        with_vars.path(),
        &[("SHOP", "main")],
        rwt_compiler::Flags::default(),
    )
}

#[test]
fn a_unit_test_is_a_node_with_dbts_names() {
    let compiler = loaded(TEST).unwrap_or_else(|error| panic!("{error}"));
    let id = UniqueId("unit_test.shop.totals.counts".to_owned());
    let node = &compiler.manifest().nodes[&id];
    assert_eq!(node.fqn, ["shop", "core", "totals", "counts"]);
    assert_eq!(node.depends_on, [UniqueId("model.shop.totals".to_owned())]);
    assert_eq!(
        node.original_file_path.display().to_string(),
        "models/core/tests.yml"
    );
    assert_eq!(node.listed("selector"), "unit_test:shop.counts");
    assert!(node.tags.contains("fast"));
    let chosen = |selector: &str| {
        let selection = Selection::parse(&[selector], &[]).expect("it is a selector");
        let nodes = selection.resolve(compiler.manifest(), compiler.dag()).nodes;
        nodes.contains(&id)
    };
    for selector in [
        "counts",
        "totals",
        "test_type:unit",
        "resource_type:unit_test",
        "tag:fast",
        "unit_test:counts",
        "unit_test:shop.counts",
        "clicks+",
        "path:models/core",
    ] {
        assert!(chosen(selector), "{selector}");
    }
    for selector in [
        "clicks",
        "test_type:data",
        "test_type:generic",
        "unit_test:other",
    ] {
        assert!(!chosen(selector), "{selector}");
    }
    // Nothing is built of it, and nothing of it is compiled.
    assert!(!compiler.is_built(&id));
    assert!(!compiler.order().contains(&id));
}

#[test]
fn a_plan_holds_the_models_text_under_its_overrides() {
    let compiler = loaded(TEST).unwrap_or_else(|error| panic!("{error}"));
    let plan = plan_of(&compiler, "unit_test.shop.totals.counts")
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        plan.query.split_whitespace().collect::<Vec<_>>().join(" "),
        "select user_id, count(*) as n from \"dev\".\"public\".\"clicks\" join \"dev\".\"public\".\"totals\" \
         using (user_id) where kind = 'buy' and shop = 'a' and x = 1 group by user_id"
    );
    assert!(plan.is_stream);
    let now = plan.now.expect("it is said");
    assert_eq!(now.to_rfc3339(), "2026-01-02T03:04:05+00:00");
    let [clicks, this] = plan.inputs.as_slice() else {
        panic!("two inputs: {:?}", plan.inputs);
    };
    assert_eq!(
        (
            clicks.label.as_str(),
            clicks.schema.as_deref(),
            clicks.identifier.as_str()
        ),
        ("ref('clicks')", Some("public"), "clicks")
    );
    assert_eq!(
        (this.label.as_str(), this.identifier.as_str()),
        ("this", "totals")
    );
    let TestRows::Values(rows) = &clicks.rows else {
        panic!("values: {clicks:?}");
    };
    let names: Vec<&str> = rows.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["user_id", "kind", "shop"]);
    let value = |value: serde_json::Value| Cell::Value(value);
    assert_eq!(
        rows.rows[0].cells,
        [value(json!(1)), value(json!("buy")), value(json!("a"))]
    );
    assert_eq!(
        rows.rows[1].cells,
        [value(json!(2)), Cell::Null, Cell::Null]
    );
    let TestRows::Values(rows) = &this.rows else {
        panic!("values: {this:?}");
    };
    let text = |text: &str| Cell::Text(text.to_owned());
    assert_eq!(rows.rows[0].cells, [text("1"), Cell::Null]);
    assert_eq!(rows.rows[1].cells, [text("2"), text("7")]);
    assert_eq!(rows.rows[1].at.line(), 16);
    let TestRows::Query { sql, .. } = &plan.expect else {
        panic!("a query: {:?}", plan.expect);
    };
    assert_eq!(sql, "select 1 as user_id, 1 as n");
}

#[test]
fn the_model_itself_is_compiled_without_the_overrides() {
    let compiler = loaded(TEST).unwrap_or_else(|error| panic!("{error}"));
    let (query, _) = compiler
        .query_of(&UniqueId("model.shop.totals".to_owned()))
        .expect("it compiles")
        .expect("it is a query");
    assert!(
        query.contains("kind = 'view' and shop = 'main' and true"),
        "{query}"
    );
    assert!(!query.contains("using"), "{query}");
}

#[test]
fn fixtures_are_files_and_seeds_bring_their_own_rows() {
    let files = [
        (
            "models/m.sql",
            "select * from {{ ref('colours') }} join {{ ref('users') }} using (id)",
        ),
        ("models/users.sql", "select 1 as id"),
        ("seeds/colours.csv", "id,name\n1,red\n"),
        ("tests/fixtures/deep/some_users.csv", "id\n1\n2\n"),
        ("tests/fixtures/wanted.sql", "select 1 as id\n;\n"),
        (
            "models/t.yml",
            "unit_tests:\n  - name: t\n    model: m\n    given:\n      - input: ref('colours')\n      - input: ref('users')\n        format: csv\n        fixture: some_users\n    expect: {format: sql, fixture: wanted}\n",
        ),
    ];
    let compiler = compiler(&files).unwrap_or_else(|error| panic!("{error}"));
    let plan = plan_of(&compiler, "unit_test.shop.m.t").unwrap_or_else(|error| panic!("{error}"));
    let rows = |at: usize| match &plan.inputs[at].rows {
        TestRows::Values(rows) => rows.rows.len(),
        TestRows::Query { .. } => panic!("values"),
    };
    assert_eq!((rows(0), rows(1)), (1, 2));
    let TestRows::Query { sql, at } = &plan.expect else {
        panic!("a query");
    };
    assert_eq!(sql, "select 1 as id");
    assert_eq!(
        at.file().path().display().to_string(),
        "tests/fixtures/wanted.sql"
    );
    assert!(!plan.is_stream);
}

#[test]
fn tests_of_what_is_disabled_are_left_out() {
    let test = "unit_tests:\n  - {name: t, model: m, given: [], expect: {rows: []}}\n";
    let off = "unit_tests:\n  - {name: t, model: m, given: [], expect: {rows: []}, config: {enabled: false}}\n";
    for (model, test) in [
        ("{{ config(enabled=false) }} select 1 as a", test),
        ("select 1 as a", off),
    ] {
        let files = [("models/m.sql", model), ("models/t.yml", test)];
        let compiler = compiler(&files).unwrap_or_else(|error| panic!("{error}"));
        let nodes = compiler.manifest().nodes.keys();
        assert!(
            nodes.clone().all(|id| !id.0.starts_with("unit_test.")),
            "{model}"
        );
    }
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    let wrong = |test: &str| {
        loaded(test)
            .err()
            .unwrap_or_else(|| "it is accepted".to_owned())
    };
    insta::assert_snapshot!(
        "unit_test_unknown_model",
        wrong(&TEST.replace("model: totals", "model: total"))
    );
    insta::assert_snapshot!(
        "unit_test_unknown_input",
        wrong(&TEST.replace("ref('clicks')", "ref('click')"))
    );
    insta::assert_snapshot!(
        "unit_test_no_input",
        wrong(&TEST.replace("input: this", "input: table"))
    );
    insta::assert_snapshot!(
        "unit_test_no_rows",
        wrong(&TEST.replace("rows: select 1 as user_id, 1 as n;", "row: []"))
    );
    insta::assert_snapshot!(
        "unit_test_wrong_rows",
        wrong(&TEST.replace("format: csv", "format: dict"))
    );
}

#[test]
fn what_shows_only_with_its_rows_is_shown_there() {
    let wrong = |from: &str, to: &str| {
        let compiler = loaded(&TEST.replace(from, to)).unwrap_or_else(|error| panic!("{error}"));
        let plan = plan_of(&compiler, "unit_test.shop.totals.counts");
        plan.err().unwrap_or_else(|| "it is accepted".to_owned())
    };
    insta::assert_snapshot!(
        "unit_test_csv",
        wrong("          2,7\n", "          2,7,8\n")
    );
    insta::assert_snapshot!("unit_test_now", wrong("2026-01-02 03:04:05", "tomorrow"));
    insta::assert_snapshot!(
        "unit_test_no_fixture",
        wrong("rows: select 1 as user_id, 1 as n;", "fixture: wanted")
    );
}

#[test]
fn a_model_without_a_query_has_no_unit_tests() {
    let test = "unit_tests:\n  - {name: t, model: clicks, given: [], expect: {rows: []}}\n";
    let compiler = loaded(test).unwrap_or_else(|error| panic!("{error}"));
    let error = plan_of(&compiler, "unit_test.shop.clicks.t").expect_err("it is refused");
    insta::assert_snapshot!("unit_test_no_query", error);
}

#[test]
fn tests_follow_what_they_read_as_it_is_asked() {
    let files = [
        ("models/a.sql", "select 1 as id"),
        ("models/b.sql", "select id from {{ ref('a') }}"),
        ("models/c.sql", "select id from {{ ref('b') }}"),
        (
            "models/t.yml",
            "models:\n  - name: a\n    columns: [{name: id, tests: [not_null]}]\n  - name: c\n    columns:\n      - name: id\n        tests: [{relationships: {to: ref('a'), field: id}}]\n",
        ),
    ];
    let compiler = compiler(&files).unwrap_or_else(|error| panic!("{error}"));
    let chosen = |select: &[&str], exclude: &[&str], indirect: Indirect| {
        let selection = Selection::parse(select, exclude)
            .expect("selectors")
            .indirect(indirect);
        let nodes = selection.resolve(compiler.manifest(), compiler.dag()).nodes;
        let tests = nodes
            .iter()
            .filter_map(|id| id.0.strip_prefix("test.shop."));
        let names: Vec<String> = tests
            .map(|name| name.split('_').next().unwrap_or_default().to_owned())
            .collect();
        names.join(" ")
    };
    assert_eq!(chosen(&["a"], &[], Indirect::Eager), "not relationships");
    assert_eq!(chosen(&["a"], &[], Indirect::Cautious), "not");
    assert_eq!(chosen(&["c"], &[], Indirect::Cautious), "");
    assert_eq!(chosen(&["c"], &[], Indirect::Buildable), "relationships");
    assert_eq!(
        chosen(&["a", "c"], &[], Indirect::Cautious),
        "not relationships"
    );
    assert_eq!(chosen(&["a", "c"], &[], Indirect::Empty), "");
    assert_eq!(chosen(&["test_name:not_null"], &[], Indirect::Empty), "not");
    assert_eq!(chosen(&[], &["a"], Indirect::Eager), "");
    assert_eq!(chosen(&[], &["a"], Indirect::Cautious), "relationships");
}

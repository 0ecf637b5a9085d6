//! A project's files, properties and configs.

use indexmap::IndexMap;
use rwt_project::manifest::ResourceType;
use rwt_project::project::{Project, near_config, parse_mapping};
use serde_json::{Value, json};

use crate::stand_in::{
    errors_of, fixture, load, options, shown, shown_errors, warnings_of, written,
};

fn shop() -> Project {
    load(&options(&fixture("shop"), &[])).unwrap()
}

fn config(project: &Project, name: &str, in_file: Value) -> Value {
    let model = project
        .models
        .iter()
        .find(|model| model.name == name)
        .unwrap();
    let in_file: IndexMap<String, Value> = match in_file {
        Value::Object(map) => map.into_iter().collect(),
        _ => IndexMap::new(),
    };
    serde_json::to_value(project.resolve_config(model, &in_file).values).unwrap()
}

#[test]
fn the_project_file_is_read_in_dbts_schema() {
    let project = shop();
    let file = &project.file;
    assert_eq!(file.version.as_deref(), Some("1.10"));
    assert_eq!(project.target_path, fixture("shop").join("out"));
    assert_eq!(file.clean_targets.len(), 2);
    assert_eq!(project.vars["start"], "latest");
    assert_eq!(
        project.vars["later"],
        "{{ env_var('NOT_SET_AND_NOT_RENDERED') }}"
    );
    let hooks: Vec<_> = file.on_run_start.iter().chain(&file.on_run_end).collect();
    let texts: Vec<&str> = hooks.iter().map(|hook| hook.text.as_str()).collect();
    assert_eq!(
        texts,
        ["{{ make_connection() }}", "{{ first() }}", "select 1"]
    );
    assert_eq!(hooks[1].at.line(), 17);
    assert_eq!(file.dispatch[0].search_order, ["shop", "dbt"]);
    assert_eq!(file.flags["use_colors"], false);
    assert_eq!(file.query_comment, Some(json!("{{ not_rendered() }}")));
    assert!(project.warnings.is_empty(), "{:?}", project.warnings);
}

#[test]
fn files_are_found_by_kind_and_in_order() {
    let project = shop();
    let models: Vec<(String, String)> = project
        .models
        .iter()
        .map(|model| (model.unique_id().to_string(), model.fqn.join(".")))
        .collect();
    let expected = [
        ("model.shop.funnel", "shop.marts.funnel"),
        ("model.shop.carts", "shop.staging.carts"),
        ("model.shop.clicks", "shop.staging.raw.clicks"),
    ];
    assert_eq!(
        models,
        expected.map(|(id, fqn)| (id.to_owned(), fqn.to_owned()))
    );
    let clicks = &project.models[2];
    assert_eq!(
        clicks.original_file_path.to_str(),
        Some("models/staging/raw/clicks.sql")
    );
    assert_eq!(clicks.path.to_str(), Some("staging/raw/clicks.sql"));
    assert_eq!(clicks.file.text(), "select 1 as id\n");
    let macros: Vec<_> = project
        .macros
        .iter()
        .map(|file| file.original_file_path.to_str().unwrap())
        .collect();
    assert_eq!(macros, ["macros/connection.sql", "macros/sub/first.sql"]);
}

#[test]
fn configs_are_laid_over_one_another_from_the_project_to_the_file() {
    let project = shop();
    assert_eq!(
        config(
            &project,
            "clicks",
            json!({"schema": "own", "tags": ["in_file"], "grants": {"+select": "bob", "usage": "bob"}})
        ),
        json!({
            "materialized": "table",
            "tags": ["all", "staging", "in_file"],
            "meta": {"owner": "nobody", "level": "raw"},
            "pre-hook": ["{{ before('root') }}", "{{ before('staging') }}"],
            "schema": "own",
            "enabled": "true",
            "grants": {"select": ["ann", "bob"], "usage": ["bob"]},
        })
    );
    assert_eq!(
        config(
            &project,
            "funnel",
            json!({"pre_hook": {"sql": "select 1"}, "own_key": 1})
        ),
        json!({
            "materialized": "materialized_view",
            "tags": ["all", "named", "top", "from_config"],
            "meta": {"owner": "ann", "level": "root"},
            "pre-hook": ["{{ before('root') }}", {"sql": "select 1"}],
            "schema": "dev_schema",
            "enabled": "true",
            "post-hook": ["{{ after() }}"],
            "streaming_parallelism": 4,
            "own_key": 1,
        })
    );
}

#[test]
fn resolved_configs_answer_for_what_is_not_said() {
    let directory = written(&[("models/a.sql", "select 1")]);
    let project = load(&options(directory.path(), &[])).unwrap();
    let resolved = project.resolve_config(&project.models[0], &IndexMap::new());
    assert!(resolved.values.is_empty() && resolved.enabled() && resolved.tags().is_empty());
    assert_eq!(resolved.materialized(), "view");
    let off = IndexMap::from([
        ("enabled".to_owned(), json!("False")),
        ("tags".to_owned(), json!("x")),
    ]);
    let resolved = project.resolve_config(&project.models[0], &off);
    assert!(!resolved.enabled() && resolved.tags().contains("x"));
}

#[test]
fn property_files_describe_models_macros_and_sources() {
    let project = shop();
    let funnel = &project.properties.models["funnel"];
    assert_eq!(
        funnel.description,
        "What visitors do, see {{ doc('funnel') }}."
    );
    assert_eq!(funnel.at.to_string(), "models/marts/properties.yml:4:11");
    assert_eq!(
        funnel.columns["window_start"].data_type.as_deref(),
        Some("timestamp")
    );
    assert_eq!(funnel.columns.len(), 2);
    assert_eq!(
        project.properties.macros["make_connection"].description,
        "Connects to the lake."
    );
    let nodes = project.source_nodes();
    let rates = &nodes[0];
    assert_eq!(rates.unique_id.0, "source.shop.outside.rates");
    assert_eq!(rates.resource_type, ResourceType::Source);
    assert_eq!(rates.relation_name(), "\"dev\".\"latest\".\"fx_rates\"");
    assert_eq!(rates.fqn, ["shop", "staging", "outside", "rates"]);
    assert_eq!(rates.tags.iter().collect::<Vec<_>>(), ["money", "theirs"]);
    let enabled: Vec<bool> = nodes.iter().map(|node| node.enabled).collect();
    assert_eq!(enabled, [true, false, false]);
    assert_eq!(nodes[2].relation_name(), "\"other\".\"elsewhere\".\"t\"");
}

#[test]
fn vars_of_the_command_line_win() {
    let mut options = options(&fixture("shop"), &[]);
    options.vars = parse_mapping("--vars", "{start: earliest, parallelism: '8'}").unwrap();
    let project = load(&options).unwrap();
    assert_eq!(project.vars["start"], "earliest");
    assert_eq!(project.source_nodes()[0].schema, "earliest");
    assert_eq!(
        config(&project, "funnel", json!({}))["streaming_parallelism"],
        8
    );
    assert_eq!(
        parse_mapping("--vars", "a: 1\nb: [x]").unwrap()["b"],
        json!(["x"])
    );
    assert!(parse_mapping("--vars", "").unwrap().is_empty());
    let error = parse_mapping("--vars", "not a mapping").unwrap_err();
    insta::assert_snapshot!("vars_error", shown(&error.0[0]));
}

#[test]
fn the_project_is_found_from_a_folder_inside_of_it() {
    // Without a directory the search starts where the process runs, which is this package: below the repository's root.
    let mut options = options(&fixture("shop"), &[]);
    options.project_dir = None;
    assert_eq!(load(&options).unwrap().name(), "realtime_funnel");
}

#[test]
fn a_folder_without_a_project_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let errors = load(&options(directory.path(), &[])).unwrap_err();
    insta::assert_snapshot!("not_a_project", shown_errors(&errors, directory.path()));
}

#[test]
fn broken_yaml_is_shown_with_its_line() {
    insta::assert_snapshot!(
        "yaml_errors",
        errors_of(&[
            (
                "models/a.yml",
                "version: 2\nmodels:\n  - name: a\n   description: x\n"
            ),
            ("models/b.yml", "version: 2\nmodels:\n  - name: {{ x }}\n"),
            ("models/c.yml", "version: 2\nmodels:\n\t- name: a\n"),
            (
                "models/d.yml",
                "models:\n  - name: a\n    description: one\n    name: b\nmodels: []\n"
            ),
        ])
    );
}

#[test]
fn a_broken_project_file_is_shown_with_its_line() {
    insta::assert_snapshot!(
        "project_file_errors",
        errors_of(&[(
            "project.yml",
            "name: 1shop\nprofile: shop\nmodel-paths: {a: b}\nconfig-version: 1\ndispatch:\n  - macro_namespace: dbt\nmodels: [x]\n"
        ),])
    );
    insta::assert_snapshot!(
        "project_without_name",
        errors_of(&[("project.yml", "profile: shop\n")])
    );
}

#[test]
fn values_of_the_wrong_kind_are_all_reported() {
    insta::assert_snapshot!(
        "property_errors",
        errors_of(&[
            ("models/a.sql", "select 1"),
            (
                "models/p.yml",
                "models:\n  - description: no name\n  - name: a\n    columns: x\n  - name: [a]\n  - just text\nsources: none\n"
            ),
        ])
    );
}

#[test]
fn two_models_of_one_name_are_refused_with_both_files() {
    insta::assert_snapshot!(
        "duplicate_model",
        errors_of(&[
            ("models/a/users.sql", "select 1"),
            ("models/b/users.sql", "select 2"),
        ])
    );
}

#[test]
fn a_folder_that_is_disabled_may_repeat_a_name() {
    let directory = written(&[
        (
            "project.yml",
            "name: shop\nprofile: shop\nmodels:\n  shop:\n    old:\n      +enabled: false\n",
        ),
        ("models/old/users.sql", "select 1"),
        ("models/users.sql", "select 2"),
    ]);
    let project = load(&options(directory.path(), &[])).unwrap();
    let enabled = |model| project.resolve_config(model, &IndexMap::new()).enabled();
    let found: Vec<bool> = project.models.iter().map(enabled).collect();
    assert_eq!(found, [false, true]);
}

#[test]
fn a_model_described_twice_is_refused_with_both_places() {
    insta::assert_snapshot!(
        "duplicate_properties",
        errors_of(&[
            ("models/users.sql", "select 1"),
            ("models/a.yml", "models:\n  - name: users\n"),
            (
                "models/b.yml",
                "models:\n  - name: users\nsources:\n  - name: s\n    tables: [{name: t}, {name: t}]\n"
            ),
        ])
    );
}

#[test]
fn jinja_that_fails_is_shown_where_it_stands() {
    insta::assert_snapshot!(
        "render_errors",
        errors_of(&[
            (
                "project.yml",
                "name: shop\nprofile: shop\nmodels:\n  +schema: \"{{ env_var('NOT_SET') }}\"\n"
            ),
            (
                "models/a.yml",
                "models:\n  - name: \"model_{{ target.nme }}\"\n  - name: \"model_{{ open\"\n"
            ),
        ])
    );
}

#[test]
fn slips_in_keys_are_warned_of_with_the_right_key() {
    insta::assert_snapshot!(
        "unknown_keys",
        warnings_of(&[
            (
                "project.yml",
                "name: shop\nprofile: shop\nmodel_paths: [models]\nmodels:\n  shop:\n    +materialised: view\n    +own_thing: fine\n    meta: {a: b}\n    stagin:\n      +tags: x\n"
            ),
            (
                "profiles.yml",
                "shop:\n  outputs:\n    dev:\n      type: embedded\n      usr: me\n      lake: {catalogue: hosted}\n"
            ),
            ("models/staging/users.sql", "select 1"),
            (
                "models/p.yml",
                "models:\n  - name: user\n    desciption: x\n    config: {enabld: true, own: 1, meta: {anything: goes}}\n    columns:\n      - {name: a, data_typ: int}\n"
            ),
        ])
    );
}

#[test]
fn a_missing_directory_is_warned_of() {
    insta::assert_snapshot!(
        "missing_directory",
        warnings_of(&[
            (
                "project.yml",
                "name: shop\nprofile: shop\nmodel-paths: [models, mdels]\n"
            ),
            ("models/a.sql", "select 1"),
        ])
    );
}

#[test]
fn only_slips_of_known_configs_have_a_nearest_one() {
    assert_eq!(near_config("materialised"), Some("materialized"));
    assert_eq!(near_config("backfil_order"), Some("backfill_order"));
    assert_eq!(
        near_config("streaming_paralelism"),
        Some("streaming_parallelism")
    );
    assert_eq!(near_config("materialized"), None);
    assert_eq!(near_config("topic"), None);
    assert_eq!(near_config("commit_checkpoint_interval"), None);
}

#[test]
fn what_is_described_and_not_there_is_warned_of() {
    let warnings = warnings_of(&[
        (
            "project.yml",
            "name: shop\nprofile: shop\nconfig-version: 2\nseeds:\n  shop:\n    contries: {+schema: raw}\n\
             exposures:\n  shop:\n    raports: {+enabled: true}\n",
        ),
        ("seeds/countries.csv", "code\nNO\n"),
        ("models/a.sql", "select 1"),
        (
            "models/reports/all.yml",
            "seeds: [{name: countrys}]\nmetrics: [{name: revenue}]\n\
             exposures:\n  - {name: weekly, type: dashboard, owner: {name: Data}, urll: x}\n\
             models:\n  - name: dim\n    versions: [{v: 1, defind_in: a}]\n",
        ),
    ]);
    insta::assert_snapshot!(warnings);
}

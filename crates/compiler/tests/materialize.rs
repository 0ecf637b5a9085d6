//! Materializations on a session that is live: what is sent, what is left alone, and where its errors are shown.

mod support;

use std::sync::{Arc, Mutex};

use rwt_compiler::jinja::{Level, Reporter};
use rwt_compiler::materialize::{DatabaseError, ExistingRelation, Response, Session, Table};
use rwt_compiler::{CompileError, Compiler, Flags, NodeResult, When};
use rwt_project::manifest::UniqueId;
use support::{compiler, compiler_in, project, shown};

/// A database of relations that refuses statements with a word in them.
#[derive(Default)]
struct Database {
    relations: Vec<(&'static str, &'static str)>,
    sent: Vec<String>,
    /// Word, line that the server names.
    refuses: Option<(&'static str, Option<u32>)>,
}

impl Session for Database {
    fn execute(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        self.sent.push(sql.to_owned());
        if let Some((word, line)) = self.refuses
            && sql.contains(word)
        {
            return Err(DatabaseError {
                sqlstate: Some("XX000".to_owned()),
                message: format!("table or source not found: {word}"),
                statement: sql.to_owned(),
                line,
            });
        }
        let is_query = sql.trim_start().starts_with("select");
        Ok(Response {
            message: if is_query { "SELECT 1" } else { "CREATE_TABLE" }.to_owned(),
            rows_affected: None,
            table: is_query.then(|| Table {
                columns: vec!["n".to_owned(), "name".to_owned()],
                rows: vec![vec![7.into(), "seven".into()]],
                ..Table::default()
            }),
        })
    }

    fn columns(&mut self, sql: &str) -> Result<Vec<(String, u32)>, DatabaseError> {
        self.sent.push(sql.to_owned());
        Ok(vec![("n".to_owned(), 23)])
    }

    fn relation(
        &mut self,
        schema: &str,
        identifier: &str,
    ) -> Result<Option<ExistingRelation>, DatabaseError> {
        let found = self.relations.iter().find(|(name, _)| *name == identifier);
        Ok(found.map(|(name, kind)| ExistingRelation {
            database: "dev".to_owned(),
            schema: schema.to_owned(),
            identifier: (*name).to_owned(),
            kind: (*kind).to_owned(),
        }))
    }

    fn is_live(&self) -> bool {
        true
    }
}

fn build(
    compiler: &Compiler,
    name: &str,
    database: &mut Database,
) -> Result<NodeResult, CompileError> {
    compiler.materialize(&UniqueId(format!("model.shop.{name}")), database)
}

fn loaded(files: &[(&str, &str)]) -> Compiler {
    compiler(files).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_existing_relation_is_left_alone() {
    let compiler = loaded(&[(
        "models/m.sql",
        "{{ config(materialized='materialized_view', pre_hook='flush') }}select 1",
    )]);
    let mut database = Database {
        relations: vec![("m", "materialized_view")],
        ..Database::default()
    };
    let result = build(&compiler, "m", &mut database).expect("builds");
    assert!(!result.changed);
    assert_eq!(result.message, "unchanged \"dev\".\"public\".\"m\"");
    assert_eq!(database.sent, Vec::<String>::new());
}

#[test]
fn a_relation_of_another_kind_in_the_way_is_named() {
    let compiler = loaded(&[(
        "models/m.sql",
        "{{ config(materialized='materialized_view') }}select 1",
    )]);
    let mut database = Database {
        relations: vec![("m", "table")],
        ..Database::default()
    };
    let error = build(&compiler, "m", &mut database).expect_err("refused");
    insta::assert_snapshot!(shown(&error));
    assert_eq!(database.sent, Vec::<String>::new());
}

#[test]
fn hooks_settings_and_indexes_surround_the_statement() {
    let compiler = loaded(&[
        (
            "models/m.sql",
            "{{ config(materialized='materialized_view', pre_hook=['flush', \"{{ note(this) }}\"], post_hook=after_commit('select 2'), \
         streaming_parallelism=2, background_ddl=true, sql_header='set a = 1', indexes=[{'columns': ['a', 'b'], 'include': ['c']}]) }}\
         select 1 as a;\n",
        ),
        (
            "macros/note.sql",
            "{% macro note(relation) %}select '{{ relation.identifier }}'{% endmacro %}",
        ),
    ]);
    let mut database = Database::default();
    let result = build(&compiler, "m", &mut database).expect("builds");
    assert!(result.changed);
    assert_eq!(
        database.sent,
        [
            "flush",
            "select 'm'",
            "set a = 1",
            "set background_ddl = true",
            "set streaming_parallelism = 2",
            "create materialized view if not exists \"dev\".\"public\".\"m\" as\nselect 1 as a",
            "wait",
            "create index if not exists \"__dbt_index_m_a_b\" on \"dev\".\"public\".\"m\" (a, b) include (c)",
            "wait",
            "select 2",
            "set background_ddl to default",
            "set streaming_parallelism to default",
        ]
    );
}

#[test]
fn a_database_error_is_shown_at_the_models_line() {
    let model = "{# A comment\n   of two lines. #}\n{{ config(materialized='materialized_view') }}\n\nselect\n    {{ columns() }},\n    b\nfrom nowhere\n";
    let compiler = loaded(&[
        ("models/m.sql", model),
        (
            "macros/columns.sql",
            "{% macro columns() %}a1,\n    a2{% endmacro %}",
        ),
    ]);
    // create …, select, a1, a2, b, from nowhere
    let mut database = Database {
        refuses: Some(("nowhere", Some(6))),
        ..Database::default()
    };
    let error = build(&compiler, "m", &mut database).expect_err("refused");
    insta::assert_snapshot!(shown(&error));
    assert_eq!(
        error.database().and_then(|error| error.sqlstate.as_deref()),
        Some("XX000")
    );
}

#[test]
fn a_database_error_without_a_line_is_at_what_it_quotes_or_the_statement_and_one_in_a_macro_at_its_call()
 {
    let compiler = loaded(&[
        (
            "models/l.sql",
            "{{ config(materialized='table') }}\nselect 'nowhere' -- nowhere\nfrom \"NOWHERE\"\n",
        ),
        (
            "models/m.sql",
            "{{ config(materialized='table') }}\nselect nowhere.*\nfrom nowhere\n",
        ),
        (
            "models/n.sql",
            "{{ config(materialized='table') }}\n{% set t = latest() %}select {{ t }}\n",
        ),
        (
            "macros/latest.sql",
            "{% macro latest() %}\n    {%- set t = run_query('select max(a) from nowhere') -%}\n    {{ return(t) }}\n{% endmacro %}",
        ),
    ]);
    let mut database = Database {
        refuses: Some(("nowhere", None)),
        ..Database::default()
    };
    let error = build(&compiler, "l", &mut database).expect_err("refused");
    insta::assert_snapshot!("quoted", shown(&error));
    let error = build(&compiler, "m", &mut database).expect_err("refused");
    insta::assert_snapshot!("no_line", shown(&error));
    let error = build(&compiler, "n", &mut database).expect_err("refused");
    insta::assert_snapshot!("in_macro", shown(&error));
}

#[test]
fn project_hooks_run_in_order_and_their_errors_show_the_project_file() {
    let files = [
        (
            "project.yml",
            "name: shop\nprofile: shop\nconfig-version: 2\non-run-start:\n  - \"set a = '{{ target.schema }}'\"\n  - \"{% if false %}never{% endif %}\"\n  - \"create table nowhere (a int)\"\n",
        ),
        ("models/m.sql", "select 1"),
    ];
    let compiler = loaded(&files);
    let mut database = Database::default();
    let results = compiler
        .run_hooks(When::Start, &mut database)
        .expect("runs");
    assert_eq!(
        database.sent,
        ["set a = 'public'", "create table nowhere (a int)"]
    );
    assert_eq!(
        results
            .iter()
            .map(|result| result.changed)
            .collect::<Vec<_>>(),
        [true, false, true]
    );
    database.refuses = Some(("nowhere", None));
    let error = compiler
        .run_hooks(When::Start, &mut database)
        .expect_err("refused");
    insta::assert_snapshot!(shown(&error));
}

#[test]
fn hooks_of_packages_run_before_the_projects_with_their_own_macros_and_variables() {
    let compiler = loaded(&[
        ("packages.yml", "packages: [{local: zoo}, {local: ark}]"),
        (
            "zoo/dbt_project.yml",
            "name: zoo\non-run-start: [\"select '{{ who() }}'\", \"select '{{ var('size') }}'\"]\nvars: {size: 3}\n",
        ),
        ("zoo/macros/who.sql", "{% macro who() %}zoo{% endmacro %}"),
        (
            "ark/dbt_project.yml",
            "name: ark\non-run-start: \"select 'ark'\"\non-run-end: \"select 'end'\"\n",
        ),
        (
            "project.yml",
            "name: shop\nprofile: shop\nconfig-version: 2\non-run-start: \"select '{{ who() }}'\"\n",
        ),
        ("macros/who.sql", "{% macro who() %}shop{% endmacro %}"),
    ]);
    let mut database = Database::default();
    for when in [When::Start, When::End] {
        compiler.run_hooks(when, &mut database).expect("run");
    }
    let sent = [
        "select 'ark'",
        "select 'zoo'",
        "select '3'",
        "select 'shop'",
        "select 'end'",
    ];
    assert_eq!(database.sent, sent);
}

#[test]
fn a_users_materialization_can_look_and_ask_and_say_so() {
    #[derive(Default)]
    struct Heard(Mutex<Vec<(Level, Option<String>, String)>>);
    impl Reporter for Heard {
        fn message(&self, level: Level, node: Option<&str>, text: &str) {
            self.0
                .lock()
                .expect("free")
                .push((level, node.map(str::to_owned), text.to_owned()));
        }
    }
    let files = [
        (
            "models/m.sql",
            "{{ config(materialized='counted') }}{{ log('compiling', info=True) }}select 1",
        ),
        (
            "macros/counted.sql",
            "{% materialization counted, adapter='risingwave' %}\n\
             {%- set existing = load_relation(this) -%}\n\
             {%- call statement('count', fetch_result=True) -%}select n, name from t{%- endcall -%}\n\
             {%- set row = load_result('count').table.rows[0] -%}\n\
             {{ log('found ' ~ existing ~ ' ' ~ row['name'] ~ ' ' ~ load_result('count')['data'][0][0], info=True) }}\n\
             {%- do exceptions.warn('careful') -%}\n\
             {%- call statement('main') -%}create table {{ this }} as {{ sql }}{%- endcall -%}\n\
             {{ return({'relations': [this.incorporate(type='table')]}) }}\n\
             {% endmaterialization %}",
        ),
    ];
    let heard = Arc::new(Heard::default());
    let flags = Flags {
        reporter: heard.clone(),
        ..Flags::default()
    };
    let dir = project(&files);
    let compiler = compiler_in(dir.path(), &[], flags).unwrap_or_else(|error| panic!("{error}"));
    let mut database = Database {
        relations: vec![("m", "table")],
        ..Database::default()
    };
    let result = build(&compiler, "m", &mut database).expect("builds");
    assert_eq!(result.message, "CREATE_TABLE");
    let id = Some("model.shop.m".to_owned());
    assert_eq!(
        *heard.0.lock().expect("free"),
        [
            (Level::Info, id.clone(), "compiling".to_owned()),
            (
                Level::Info,
                id.clone(),
                "found \"dev\".\"public\".\"m\" seven 7".to_owned()
            ),
            (Level::Warn, id, "careful".to_owned()),
        ]
    );
}

#[test]
fn a_secret_reaches_the_session_as_its_marker_only() {
    let files = [(
        "models/m.sql",
        "{{ config(materialized='secret') }}create secret {{ this }} with (backend = 'meta') as '{{ env_var('RWT_SECRET_A') }}'",
    )];
    let dir = project(&files);
    let compiler = compiler_in(dir.path(), &[("RWT_SECRET_A", "hunter2")], Flags::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let mut database = Database::default();
    build(&compiler, "m", &mut database).expect("builds");
    assert_eq!(
        database.sent,
        [
            "create secret \"dev\".\"public\".\"m\" with (backend = 'meta') as '__rwt_secret__RWT_SECRET_A__'"
        ]
    );
}

#[test]
fn a_projects_materialization_takes_the_place_of_the_built_in_one() {
    let compiler = loaded(&[
        ("models/m.sql", "{{ config(materialized='table') }}select 1"),
        (
            "macros/table.sql",
            "{% materialization table, default %}\n\
             {%- if adapter.get_relation(database=this.database, schema=this.schema, identifier=this.identifier) is none -%}\n\
             {%- call statement('main') -%}create table {{ this.include(database=false) }} as {{ sql }}{%- endcall -%}\n\
             {%- endif -%}\n\
             {{ return({'relations': [this]}) }}\n\
             {% endmaterialization %}",
        ),
    ]);
    let mut database = Database::default();
    build(&compiler, "m", &mut database).expect("builds");
    assert_eq!(database.sent, ["create table \"public\".\"m\" as select 1"]);
}

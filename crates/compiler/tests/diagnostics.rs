//! What people see when something is wrong: one fixture project for each kind of mistake.

mod support;

use std::sync::{Arc, Mutex};

use rwt_compiler::jinja::{Level, Reporter};
use rwt_compiler::{Flags, When};
use support::{all_shown, compiler_in, fixture, shown};

/// Loads a fixture, compiles all of it and its hooks, and returns what went wrong.
fn diagnosis(name: &str) -> String {
    let compiler = match compiler_in(&fixture(name), &[], Flags::default()) {
        Ok(compiler) => compiler,
        Err(shown) => return shown,
    };
    let mut out = String::new();
    if let Err(errors) = compiler.compile_all(&compiler.order()) {
        out.push_str(&all_shown(&errors));
    }
    for when in [When::Start, When::End] {
        if let Err(error) = compiler.record_hooks(when) {
            out.push_str(&shown(&error));
        }
    }
    assert!(!out.is_empty(), "{name} has nothing wrong with it");
    out
}

macro_rules! fixtures {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(diagnosis(stringify!($name)));
            }
        )*
    };
}

fixtures! {
    access_and_groups
    ambiguous_relation
    broken_contract
    circular_variable
    config_required
    cycle
    disabled_ref
    duplicate_macro
    ephemeral_in_statement
    error_in_hook
    error_in_macro
    error_in_variable
    exposure_of_nothing
    hidden_dependency
    index_without_columns
    macro_syntax_error
    missing_env_var
    missing_env_var_in_profile
    query_for_a_source
    raised
    syntax_error
    undefined_variable
    unknown_macro
    unknown_materialization
    unknown_ref
    unknown_source
    unknown_test
    unknown_version
    wrong_arguments
    wrong_config_call
    wrong_config_type
}

/// Keeps what templates say.
#[derive(Default)]
struct Said(Mutex<Vec<String>>);

impl Reporter for Said {
    fn message(&self, level: Level, _: Option<&str>, text: &str) {
        self.0
            .lock()
            .expect("lock")
            .push(format!("{level:?}: {text}"));
    }
}

#[test]
fn what_is_undefined_is_written_as_nothing_and_warned_of() {
    let said = Arc::new(Said::default());
    let flags = Flags {
        reporter: said.clone(),
        ..Flags::default()
    };
    let dir = support::project(&[(
        "models/a.sql",
        "select 1{{ ', 2' if false }}\nwhere b = '{{ minut }}'\n",
    )]);
    let compiler = compiler_in(dir.path(), &[], flags).unwrap_or_else(|error| panic!("{error}"));
    let node = compiler.compile_all(&compiler.order()).expect("compiles");
    assert_eq!(node[0].compiled_code, "select 1\nwhere b = ''");
    let said = said.0.lock().expect("lock").clone();
    assert_eq!(
        said,
        ["Warn: `minut` is undefined, and written as nothing (models/a.sql:2)"]
    );
}

#[test]
fn a_slip_in_a_config_key_is_a_warning() {
    let compiler = support::compiler(&[(
        "models/a.sql",
        "{{ config(materialised='view', own_key=1) }}\nselect 1\n",
    )])
    .unwrap_or_else(|error| panic!("{error}"));
    let warnings: Vec<String> = compiler
        .warnings()
        .iter()
        .map(|warning| shown(warning))
        .collect();
    insta::assert_snapshot!(warnings.join("\n"));
}

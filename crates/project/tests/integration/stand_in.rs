//! A stand-in for the compiler's Jinja: `env_var`, `var`, `target.<field>` and `| int` in texts that are one expression.

use indexmap::IndexMap;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use rwt_project::environment::Environment;
use rwt_project::profile::{is_secret_name, marker};
use rwt_project::yaml::{Location, RenderFailure, Scope};
use rwt_project::{LoadErrors, LoadOptions, Project};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A renderer over fixed variables.
pub fn renderer(
    environment: Environment,
) -> impl Fn(&str, &Location, &Scope<'_>) -> Result<Value, RenderFailure> {
    move |text, _, scope| {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            out.push_str(before);
            let (inner, tail) = after.split_once("}}").ok_or_else(|| RenderFailure {
                message: "`{{` is never closed".to_owned(),
                range: Some(text.len() - after.len() - 2..text.len()),
                ..RenderFailure::default()
            })?;
            let value = expression(inner, &environment, scope)?;
            if text.trim().starts_with("{{")
                && text.trim().ends_with("}}")
                && before.trim().is_empty()
            {
                return Ok(value);
            }
            out.push_str(
                &value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            );
            rest = tail;
        }
        out.push_str(rest);
        Ok(Value::String(out))
    }
}

fn expression(
    text: &str,
    environment: &Environment,
    scope: &Scope<'_>,
) -> Result<Value, RenderFailure> {
    let text = text.trim();
    if let Some(inner) = text.strip_suffix("| int") {
        let value = expression(inner, environment, scope)?;
        let number = value.as_str().and_then(|text| text.parse::<i64>().ok());
        return Ok(number.map_or(value, Value::from));
    }
    if let Some(field) = text.strip_prefix("target.") {
        let target = scope.target.map(|target| target.to_value());
        return target
            .and_then(|target| target.get(field).cloned())
            .ok_or_else(|| {
                failure(
                    format!("`target.{field}` is undefined"),
                    "rwt::jinja::undefined",
                )
            });
    }
    let (function, arguments) = text
        .split_once('(')
        .ok_or_else(|| failure(format!("`{text}` is undefined"), "rwt::jinja::undefined"))?;
    let arguments: Vec<&str> = arguments
        .trim_end_matches(')')
        .split(',')
        .map(|argument| argument.trim().trim_matches('\''))
        .collect();
    let default = arguments.get(1).map(|text| Value::from(*text));
    let found = match function {
        "env_var" => environment.get(arguments[0]).map(|value| {
            if is_secret_name(arguments[0]) {
                Value::from(marker(arguments[0]))
            } else {
                Value::from(value)
            }
        }),
        _ => scope.vars.get(arguments[0]).cloned(),
    };
    found.or(default).ok_or_else(|| {
        let name = arguments[0];
        failure(
            format!("the environment variable {name} is not set"),
            "rwt::jinja::missing_env_var",
        )
    })
}

fn failure(message: String, code: &str) -> RenderFailure {
    RenderFailure {
        message,
        code: Some(code.to_owned()),
        ..RenderFailure::default()
    }
}

/// A fixture's directory.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A project written for one test: a profile called `shop` with an embedded target, and these files over it.
pub fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let base = [
        ("project.yml", "name: shop\nprofile: shop\n"),
        (
            "profiles.yml",
            "shop:\n  outputs:\n    dev: {type: embedded}\n",
        ),
    ];
    for (path, text) in base.iter().chain(files) {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

/// The errors of a project written for one test, as a terminal shows them.
pub fn errors_of(files: &[(&str, &str)]) -> String {
    let directory = written(files);
    let errors = load(&options(directory.path(), &[])).unwrap_err();
    shown_errors(&errors, directory.path())
}

/// The warnings of a project written for one test.
pub fn warnings_of(files: &[(&str, &str)]) -> String {
    let directory = written(files);
    let project = load(&options(directory.path(), &[])).unwrap();
    let all: Vec<String> = project
        .warnings
        .iter()
        .map(|warning| shown(warning))
        .collect();
    all.join("\n")
}

/// Options for a project below `directory`, in an environment with these variables and no home.
pub fn options(directory: &Path, variables: &[(&str, &str)]) -> LoadOptions {
    LoadOptions {
        project_dir: Some(directory.to_path_buf()),
        environment: Environment::fixed(variables.iter().copied()),
        vars: IndexMap::new(),
        ..LoadOptions::default()
    }
}

/// Loads with the stand-in.
pub fn load(options: &LoadOptions) -> Result<Project, LoadErrors> {
    Project::load(options, &renderer(options.environment.clone()))
}

/// A diagnostic as a terminal without colours shows it.
pub fn shown(diagnostic: &dyn Diagnostic) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::none())
        .with_width(110)
        .render_report(&mut out, diagnostic)
        .unwrap();
    out
}

/// All errors of a project that cannot be loaded, without the directory of the fixtures.
pub fn shown_errors(errors: &LoadErrors, directory: &Path) -> String {
    let all: Vec<String> = errors.0.iter().map(|error| shown(error)).collect();
    all.join("\n")
        .replace(&directory.display().to_string(), "<project>")
}

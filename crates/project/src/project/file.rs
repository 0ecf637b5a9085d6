//! `project.yml` (or `dbt_project.yml`): dbt's schema.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::error::ProjectError;
use crate::error::LoadError;
use crate::yaml::{Fields, Kind, Location, SourceFile, Warning, Yaml, YamlError};

/// The project file's content. Paths are relative to the project, as written.
#[derive(Debug, Clone)]
pub struct ProjectFile {
    /// The file itself.
    pub source: Arc<SourceFile>,
    /// Its content as written, with Jinja unrendered.
    pub written: Yaml,
    /// `name`: the package's name.
    pub name: String,
    /// `version`, which nothing depends on.
    pub version: Option<String>,
    /// `model-paths`.
    pub model_paths: Vec<PathBuf>,
    /// `macro-paths`.
    pub macro_paths: Vec<PathBuf>,
    /// `seed-paths`.
    pub seed_paths: Vec<PathBuf>,
    /// `test-paths`.
    pub test_paths: Vec<PathBuf>,
    /// `analysis-paths`.
    pub analysis_paths: Vec<PathBuf>,
    /// `function-paths`.
    pub function_paths: Vec<PathBuf>,
    /// `snapshot-paths`.
    pub snapshot_paths: Vec<PathBuf>,
    /// `target-path`.
    pub target_path: PathBuf,
    /// `clean-targets`.
    pub clean_targets: Vec<PathBuf>,
    /// `packages-install-path`.
    pub packages_install_path: PathBuf,
    /// `vars` for this project: the global ones, then those under the project's own name. Jinja in them stays text until `var` is called.
    pub vars: IndexMap<String, Value>,
    /// `models`: the tree of folder configs, rendered but for hooks.
    pub models: Option<Yaml>,
    /// `sources`: the same for sources.
    pub sources: Option<Yaml>,
    /// `seeds`: the same for seeds.
    pub seeds: Option<Yaml>,
    /// `data_tests` or `tests`: the same for data tests.
    pub tests: Option<Yaml>,
    /// `unit_tests`: the same for unit tests.
    pub unit_tests: Option<Yaml>,
    /// `functions`: the same for functions.
    pub functions: Option<Yaml>,
    /// `snapshots`: the same for snapshots.
    pub snapshots: Option<Yaml>,
    /// `exposures`: the same for exposures.
    pub exposures: Option<Yaml>,
    /// `on-run-start`, unrendered.
    pub on_run_start: Vec<Hook>,
    /// `on-run-end`, unrendered.
    pub on_run_end: Vec<Hook>,
    /// `dispatch`.
    pub dispatch: Vec<Dispatch>,
    /// `flags`.
    pub flags: IndexMap<String, Value>,
    /// `query-comment`, unrendered: text, or a mapping with `comment` and `append`; null, `false` and empty text mean no
    /// comment, and dbt's own is meant where the key is absent.
    pub query_comment: Option<Value>,
}

impl ProjectFile {
    /// The paths under which property files lie.
    pub fn all_paths(&self) -> impl Iterator<Item = PathBuf> {
        let paths = [
            &self.model_paths,
            &self.seed_paths,
            &self.snapshot_paths,
            &self.test_paths,
            &self.function_paths,
            &self.macro_paths,
            &self.analysis_paths,
        ];
        paths.into_iter().flatten().cloned()
    }
}

/// A statement that runs before or after all nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// Its Jinja text.
    pub text: String,
    /// Where it stands.
    pub at: Location,
}

/// Where macros of a namespace are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// `macro_namespace`.
    pub macro_namespace: String,
    /// `search_order`: packages.
    pub search_order: Vec<String>,
}

/// Keys whose Jinja is rendered when it is used and not when the file is read.
pub(super) fn is_rendered_late(key: &str) -> bool {
    matches!(
        key,
        "vars" | "on-run-start" | "on-run-end" | "query-comment"
    ) || is_hook(key)
}

/// Whether a config key holds hooks, with or without `+`.
pub(super) fn is_hook(key: &str) -> bool {
    matches!(
        key.trim_start_matches('+'),
        "pre-hook" | "post-hook" | "pre_hook" | "post_hook"
    )
}

/// Reads the rendered file.
pub(super) fn read(
    source: &Arc<SourceFile>,
    yaml: &Yaml,
    written: Yaml,
    errors: &mut Vec<LoadError>,
    warnings: &mut Vec<Warning>,
) -> Option<ProjectFile> {
    let problems = RefCell::new(Vec::new());
    let file = read_fields(source, yaml, written, &problems, errors, warnings);
    errors.extend(problems.into_inner().into_iter().map(LoadError::from));
    file
}

fn read_fields(
    source: &Arc<SourceFile>,
    yaml: &Yaml,
    written: Yaml,
    problems: &RefCell<Vec<YamlError>>,
    errors: &mut Vec<LoadError>,
    warnings: &mut Vec<Warning>,
) -> Option<ProjectFile> {
    let fields = Fields::of(yaml, "", problems)?;
    let name = name(&fields, source, errors);
    fields.int(&["config-version"], 2, 2);
    fields.known(&[
        "profile",
        "require-dbt-version",
        "docs-paths",
        "asset-paths",
        "log-path",
    ]);
    fields.known(&["metrics"]);
    fields.known(&[
        "semantic-models",
        "saved-queries",
        "quoting",
        "dbt-cloud",
        "restrict-access",
    ]);
    fields.known(&["query-comment"]);
    let paths = |key: &'static str, default: &[&str]| -> Vec<PathBuf> {
        match fields.texts(key) {
            Some(texts) => texts.into_iter().map(|(text, _)| text.into()).collect(),
            None => default.iter().map(PathBuf::from).collect(),
        }
    };
    let target_path = fields
        .text(&["target-path"])
        .map_or_else(|| PathBuf::from("target"), |(text, _)| text.into());
    let file = ProjectFile {
        source: Arc::clone(source),
        written,
        version: fields.text(&["version"]).map(|(text, _)| text),
        model_paths: paths("model-paths", &["models"]),
        macro_paths: paths("macro-paths", &["macros"]),
        seed_paths: paths("seed-paths", &["seeds"]),
        test_paths: paths("test-paths", &["tests"]),
        analysis_paths: paths("analysis-paths", &["analyses"]),
        function_paths: paths("function-paths", &["functions"]),
        snapshot_paths: paths("snapshot-paths", &["snapshots"]),
        clean_targets: match fields.texts("clean-targets") {
            Some(texts) => texts.into_iter().map(|(text, _)| text.into()).collect(),
            None => vec![target_path.clone()],
        },
        target_path,
        packages_install_path: fields
            .text(&["packages-install-path"])
            .map_or_else(|| PathBuf::from("dbt_packages"), |(text, _)| text.into()),
        vars: vars(&fields, name.as_deref()),
        models: mapping(&fields, "models"),
        sources: mapping(&fields, "sources"),
        seeds: mapping(&fields, "seeds"),
        tests: mapping(&fields, "data_tests").or_else(|| mapping(&fields, "tests")),
        unit_tests: mapping(&fields, "unit_tests"),
        functions: mapping(&fields, "functions"),
        snapshots: mapping(&fields, "snapshots"),
        exposures: mapping(&fields, "exposures"),
        on_run_start: hooks(&fields, "on-run-start"),
        on_run_end: hooks(&fields, "on-run-end"),
        dispatch: dispatch(&fields, warnings),
        flags: fields
            .map("flags")
            .and(fields.value("flags"))
            .map(values)
            .unwrap_or_default(),
        query_comment: yaml.get("query-comment").map(Yaml::to_value),
        name: name?,
    };
    fields.finish(warnings);
    Some(file)
}

fn name(
    fields: &Fields<'_>,
    source: &Arc<SourceFile>,
    errors: &mut Vec<LoadError>,
) -> Option<String> {
    let Some((name, at)) = fields.text(&["name"]) else {
        if fields.value("name").is_none() {
            fields.missing("name", "add `name: my_project`, letters, digits and `_`");
        }
        return None;
    };
    let mut chars = name.chars();
    let good = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_');
    if good {
        return Some(name);
    }
    errors.push(LoadError::from(ProjectError::BadName {
        path: source.path().display().to_string(),
        name,
        file: Arc::clone(source),
        at: at.span(),
    }));
    None
}

fn vars(fields: &Fields<'_>, project_name: Option<&str>) -> IndexMap<String, Value> {
    let Some(yaml) = fields.map("vars").and(fields.value("vars")) else {
        return IndexMap::new();
    };
    vars_of(values(yaml), project_name)
}

/// Variables as the project of this name sees them.
pub(super) fn vars_of(
    mut vars: IndexMap<String, Value>,
    project_name: Option<&str>,
) -> IndexMap<String, Value> {
    // dbt: what stands under a package's name is for that package only, and stronger than what stands for all.
    if let Some(Value::Object(own)) = project_name.and_then(|name| vars.get(name).cloned()) {
        vars.extend(own);
    }
    vars
}

fn values(yaml: &Yaml) -> IndexMap<String, Value> {
    yaml.as_map()
        .into_iter()
        .flatten()
        .map(|(key, entry)| (key.clone(), entry.value.to_value()))
        .collect()
}

fn mapping(fields: &Fields<'_>, key: &'static str) -> Option<Yaml> {
    fields.map(key)?;
    fields.value(key).cloned()
}

fn hooks(fields: &Fields<'_>, key: &'static str) -> Vec<Hook> {
    let texts = fields.texts(key).unwrap_or_default();
    texts
        .into_iter()
        .map(|(text, at)| Hook {
            text,
            at: at.clone(),
        })
        .filter(|hook| !hook.text.trim().is_empty())
        .collect()
}

fn dispatch(fields: &Fields<'_>, warnings: &mut Vec<Warning>) -> Vec<Dispatch> {
    let mut rules = Vec::new();
    for rule in fields.maps("dispatch") {
        let namespace = rule.text(&["macro_namespace"]);
        let order = rule.texts("search_order");
        for (key, is_missing) in [
            ("macro_namespace", namespace.is_none()),
            ("search_order", order.is_none()),
        ] {
            if is_missing {
                rule.missing(
                    key,
                    "a dispatch rule has `macro_namespace` and `search_order`",
                );
            }
        }
        if let (Some((macro_namespace, _)), Some(order)) = (namespace, order) {
            rules.push(Dispatch {
                macro_namespace,
                search_order: order.into_iter().map(|(text, _)| text).collect(),
            });
        }
        rule.finish(warnings);
    }
    rules
}

/// `profile` before anything is rendered.
pub(super) fn named_profile(yaml: &Yaml) -> Option<(&str, &Location)> {
    let value = yaml.get("profile")?;
    match &value.kind {
        Kind::Text(text) => Some((text, &value.at)),
        _ => None,
    }
}

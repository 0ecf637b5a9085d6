//! Property files: what `.yml` files below the model paths say about models, sources and macros.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::map::Entry as Slot;
use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use super::config::{check_key, entries};
use super::data_tests::{GenericTest, TestTarget, TestedColumn, tests_of};
use super::discover::{ModelFile, nearest_model};
use super::error::ProjectError;
use super::exposures::{Exposure, Group};
use super::file::is_hook;
use super::snapshots::SnapshotEntry;
use super::unit_tests::{UnitTest, unit_test};
use crate::error::LoadError;
use crate::manifest::{Column, Version};
use crate::yaml::{
    Fields, Kind, Location, Render, RenderError, Scope, Warning, Yaml, YamlError, holds_jinja,
    render_tree,
};

/// `config:` of a property file: value and place of each key, hooks as `pre-hook` and `post-hook`.
pub type PropertyConfig = IndexMap<String, (Value, Location)>;

/// All property files together.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    /// Models by name.
    pub models: IndexMap<String, ModelProperties>,
    /// Source tables by `(source, table)`.
    pub sources: IndexMap<(String, String), SourceTable>,
    /// Macros by name.
    pub macros: IndexMap<String, MacroProperties>,
    /// Seeds by name.
    pub seeds: IndexMap<String, ModelProperties>,
    /// Singular tests by name.
    pub tests: IndexMap<String, ModelProperties>,
    /// Functions by name.
    pub functions: IndexMap<String, FunctionProperties>,
    /// Snapshots by name.
    pub snapshots: IndexMap<String, ModelProperties>,
    /// Those of them that are no blocks of files.
    pub(super) snapshot_entries: Vec<SnapshotEntry>,
    /// Exposures by name.
    pub exposures: IndexMap<String, Exposure>,
    /// Groups by name.
    pub groups: IndexMap<String, Group>,
    /// Tests of models, seeds, sources and their columns, in the order found.
    pub generic_tests: Vec<GenericTest>,
    /// Unit tests, in the order found.
    pub unit_tests: Vec<UnitTest>,
}

/// What is said about a function.
#[derive(Debug, Clone)]
pub struct FunctionProperties {
    /// Name, description and configuration.
    pub node: ModelProperties,
    /// `arguments`
    pub arguments: Vec<FunctionArgument>,
    /// `returns`: the type.
    pub returns: String,
}

/// An argument of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionArgument {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: String,
}

/// What is said about a model.
#[derive(Debug, Clone)]
pub struct ModelProperties {
    /// The model's name; of a version `name.v1`.
    pub name: String,
    /// For a version: the model's name, the version, and the names that its file may have without `.sql`.
    pub version: Option<(String, Version, Vec<String>)>,
    /// Where the name stands.
    pub at: Location,
    /// `description`, with its Jinja (`doc()`) unrendered.
    pub description: String,
    /// `columns`.
    pub columns: IndexMap<String, Column>,
    /// `config`, and the keys that dbt also takes beside it (`tags`, `meta`, `docs`, `access`, `group`).
    pub config: PropertyConfig,
    /// `constraints` of several columns, as dbt's manifest has them.
    pub constraints: Vec<Value>,
    /// `deprecation_date`, as written.
    pub deprecation_date: Option<(String, Location)>,
}

/// What is said about a macro.
#[derive(Debug, Clone)]
pub struct MacroProperties {
    /// The macro's name.
    pub name: String,
    /// Where the name stands.
    pub at: Location,
    /// `description`.
    pub description: String,
}

/// A table of a source.
#[derive(Debug, Clone)]
pub struct SourceTable {
    /// The source's name: first argument of `source`.
    pub source_name: String,
    /// The table's name: second argument of `source`.
    pub name: String,
    /// Where the name stands.
    pub at: Location,
    /// The property file, relative to the project.
    pub file: PathBuf,
    /// Folders below the model path in which the property file lies.
    pub folders: Vec<String>,
    /// `database` of the source; the target's where nothing is said.
    pub database: Option<String>,
    /// `schema` of the source; its name where nothing is said.
    pub schema: String,
    /// `identifier`; the table's name where nothing is said.
    pub identifier: String,
    /// `description` of the table.
    pub description: String,
    /// `description` of the source.
    pub source_description: String,
    /// `loader` of the table or of the source.
    pub loader: String,
    /// `external` of the table.
    pub external: Option<Value>,
    /// `quoting` of the table or of the source.
    pub quoting: Option<Value>,
    /// `columns`.
    pub columns: IndexMap<String, Column>,
    /// `config`, `tags` and `meta` of the source, then the table's.
    pub configs: Vec<PropertyConfig>,
}

/// Sections that dbt has and that nothing reads here.
const OTHER_SECTIONS: [&str; 3] = ["version", "analyses", "catalogs"];

/// Keys whose Jinja waits: hooks, descriptions (`doc()`), and the arguments of tests.
fn is_rendered_late(key: &str) -> bool {
    is_hook(key)
        || matches!(
            key,
            "description" | "tests" | "data_tests" | "unit_tests" | "loaded_at_query"
        )
}

/// Reads property files into one [`Properties`].
pub(super) struct Reader<'a> {
    pub render: &'a Render<'a>,
    pub scope: Scope<'a>,
    pub models: &'a [ModelFile],
    pub model_names: HashSet<&'a str>,
    pub model_paths: &'a [PathBuf],
    pub errors: &'a mut Vec<LoadError>,
    pub warnings: &'a mut Vec<Warning>,
    pub properties: Properties,
}

impl Reader<'_> {
    /// Adds one file's tree.
    pub fn file(&mut self, yaml: &Yaml) {
        if yaml.is_null() {
            return;
        }
        let mut failures: Vec<RenderError> = Vec::new();
        let yaml = match holds_jinja(yaml.at.file().text()) {
            true => Cow::Owned(render_tree(
                yaml,
                self.render,
                &self.scope,
                &is_rendered_late,
                &mut failures,
            )),
            false => Cow::Borrowed(yaml),
        };
        if !failures.is_empty() {
            // What lacks a value now would only be reported a second time.
            let failures = failures.into_iter().map(LoadError::from);
            self.errors.extend(failures);
            return;
        }
        let problems: RefCell<Vec<YamlError>> = RefCell::default();
        if let Some(fields) = Fields::of(&yaml, "", &problems) {
            for model in fields.maps("models") {
                self.model(model);
            }
            for source in fields.maps("sources") {
                self.source(&source);
                source.finish(self.warnings);
            }
            for item in fields.maps("macros") {
                self.macro_(item);
            }
            for item in fields.maps("seeds") {
                if let Some(seed) = self.node(item, "the seed's name: its file without `.csv`") {
                    self.properties.generic_tests.extend(seed.1);
                    self.properties.seeds.insert(seed.0.name.clone(), seed.0);
                }
            }
            for item in fields.maps("snapshots") {
                self.snapshot(item);
            }
            for key in ["data_tests", "tests"] {
                for item in fields.maps(key) {
                    if let Some((test, _)) =
                        self.node(item, "the test's name: its file without `.sql`")
                    {
                        self.properties.tests.insert(test.name.clone(), test);
                    }
                }
            }
            for item in fields.maps("functions") {
                self.function(item);
            }
            for item in fields.maps("groups") {
                self.group(item);
            }
            for item in fields.maps("exposures") {
                self.exposure(item);
            }
            self.not_supported(&fields);
            for item in fields.maps("unit_tests") {
                self.unit_test(item);
            }
            fields.known(&OTHER_SECTIONS);
            fields.finish(self.warnings);
        }
        self.errors
            .extend(problems.into_inner().into_iter().map(LoadError::from));
    }

    /// A node that has a name, columns, configuration and tests.
    fn node(
        &mut self,
        fields: Fields<'_>,
        hint: &str,
    ) -> Option<(ModelProperties, Vec<GenericTest>)> {
        let (name, at) = required_name(&fields, hint)?;
        let target = TestTarget::Ref(name.clone());
        let mut tests = tests_of(&fields, &target, None);
        let node = ModelProperties {
            version: None,
            description: text(&fields, "description"),
            columns: self.columns(&fields, &target, &mut tests),
            config: self.config(&fields),
            constraints: constraints(&fields, true),
            deprecation_date: deprecation_date(&fields),
            at: at.clone(),
            name,
        };
        fields.known(&["versions", "latest_version"]);
        fields.known(&["time_spine", "primary_key", "agg_time_dimension"]);
        fields.finish(self.warnings);
        Some((node, tests))
    }

    fn snapshot(&mut self, fields: Fields<'_>) {
        let relation = fields
            .text(&["relation"])
            .map(|(text, at)| (text, at.clone()));
        let Some((snapshot, tests)) = self.node(fields, "the snapshot's name") else {
            return;
        };
        if let Some((relation, at)) = relation {
            self.properties.snapshot_entries.push(SnapshotEntry {
                name: snapshot.name.clone(),
                relation,
                folders: self.folders(at.file().path()),
                at,
            });
        }
        self.properties.generic_tests.extend(tests);
        let name = snapshot.name.clone();
        self.properties.snapshots.insert(name, snapshot);
    }

    fn function(&mut self, fields: Fields<'_>) {
        let argument = |argument: Fields<'_>| {
            let name = argument.text(&["name"]).map(|(text, _)| text);
            let data_type = argument.text(&["data_type"]).map(|(text, _)| text);
            for (key, missing) in [("name", name.is_none()), ("data_type", data_type.is_none())] {
                if missing {
                    argument.missing(key, "an argument has `name` and `data_type`");
                }
            }
            argument.known(&["description", "default_value"]);
            Some(FunctionArgument {
                name: name?,
                data_type: data_type?,
            })
        };
        let arguments = fields
            .maps("arguments")
            .into_iter()
            .filter_map(argument)
            .collect();
        let returns = fields.map("returns").and_then(|returns| {
            returns.known(&["description"]);
            returns.text(&["data_type"]).map(|(text, _)| text)
        });
        if returns.is_none() {
            fields.missing(
                "returns.data_type",
                "a function says what it returns: `returns: {data_type: …}`",
            );
        }
        if let Some((node, _)) = self.node(
            fields,
            "the function's name: its file without its extension",
        ) {
            let function = FunctionProperties {
                arguments,
                returns: returns.unwrap_or_default(),
                node,
            };
            self.properties
                .functions
                .insert(function.node.name.clone(), function);
        }
    }

    fn unit_test(&mut self, fields: Fields<'_>) {
        let config = self.config(&fields);
        if let Some(test) = unit_test(&fields, config, self.warnings) {
            let twin = self
                .properties
                .unit_tests
                .iter()
                .find(|other| other.name == test.name && other.model == test.model);
            if let Some(twin) = twin {
                let error = twice("the unit test", &test.name, &twin.at, &test.at);
                self.errors.push(error);
            }
            self.properties.unit_tests.push(test);
        }
        fields.finish(self.warnings);
    }

    fn model(&mut self, fields: Fields<'_>) {
        if fields.value("versions").is_some() {
            self.versioned_model(fields);
            return;
        }
        let Some((model, tests)) = self.node(fields, "the model's name: its file without `.sql`")
        else {
            return;
        };
        self.properties.generic_tests.extend(tests);
        let at = &model.at.clone();
        if !self.model_names.contains(model.name.as_str()) {
            self.warnings.push(Warning::UnknownModel {
                path: at.file().path().display().to_string(),
                help: nearest_model(&model.name, self.models),
                name: model.name.clone(),
                file: Arc::clone(at.file()),
                at: at.span(),
            });
        }
        self.keep_model(model);
    }

    /// Keeps what is said about a model, once.
    pub(super) fn keep_model(&mut self, model: ModelProperties) {
        match self.properties.models.entry(model.name.clone()) {
            Slot::Vacant(slot) => {
                slot.insert(model);
            }
            Slot::Occupied(slot) => {
                let error = twice("the model", &model.name, &slot.get().at, &model.at);
                self.errors.push(error);
            }
        }
    }

    fn macro_(&mut self, fields: Fields<'_>) {
        let Some((name, at)) = required_name(&fields, "the macro's name") else {
            return;
        };
        let description = text(&fields, "description");
        fields.known(&["arguments", "config", "docs", "meta"]);
        fields.finish(self.warnings);
        let at = at.clone();
        match self.properties.macros.entry(name.clone()) {
            Slot::Vacant(slot) => {
                slot.insert(MacroProperties {
                    name,
                    at,
                    description,
                });
            }
            Slot::Occupied(slot) => {
                let error = twice("the macro", &name, &slot.get().at, &at);
                self.errors.push(error);
            }
        }
    }

    fn source(&mut self, source: &Fields<'_>) {
        let Some((source_name, at)) =
            required_name(source, "the source's name, the first argument of source()")
        else {
            return;
        };
        let database = source.text(&["database"]).map(|(text, _)| text);
        let schema = source
            .text(&["schema"])
            .map_or_else(|| source_name.clone(), |(text, _)| text);
        let source_description = text(source, "description");
        let source_config = self.source_config(source);
        let loader = text(source, "loader");
        source.known(&["version"]);
        source.known(&["overrides", "quoting", "tests", "data_tests"]);

        let file = at.file().path().to_path_buf();
        let folders = self.folders(&file);
        for table in source.maps("tables") {
            let hint = "the table's name, the second argument of source()";
            let Some((name, at)) = required_name(&table, hint) else {
                continue;
            };
            let target = TestTarget::Source(source_name.clone(), name.clone());
            let mut tests = tests_of(&table, &target, None);
            let read = SourceTable {
                source_name: source_name.clone(),
                at: at.clone(),
                file: file.clone(),
                folders: folders.clone(),
                database: database.clone(),
                schema: schema.clone(),
                identifier: table
                    .text(&["identifier"])
                    .map_or_else(|| name.clone(), |(text, _)| text),
                description: text(&table, "description"),
                source_description: source_description.clone(),
                loader: table
                    .text(&["loader"])
                    .map_or_else(|| loader.clone(), |(text, _)| text),
                external: table.value("external").map(Yaml::to_value),
                quoting: (table.value("quoting").or(source.value("quoting"))).map(Yaml::to_value),
                columns: self.columns(&table, &target, &mut tests),
                configs: vec![source_config.clone(), self.source_config(&table)],
                name,
            };
            self.properties.generic_tests.append(&mut tests);
            table.finish(self.warnings);
            match self
                .properties
                .sources
                .entry((source_name.clone(), read.name.clone()))
            {
                Slot::Vacant(slot) => {
                    slot.insert(read);
                }
                Slot::Occupied(slot) => {
                    let name = format!("{source_name}.{}", read.name);
                    let error = twice("the source table", &name, &slot.get().at, at);
                    self.errors.push(error);
                }
            }
        }
    }

    pub(super) fn columns(
        &mut self,
        fields: &Fields<'_>,
        target: &TestTarget,
        tests: &mut Vec<GenericTest>,
    ) -> IndexMap<String, Column> {
        let columns = fields.maps("columns").into_iter();
        columns
            .filter_map(|column| self.column(column, target, tests))
            .collect()
    }

    pub(super) fn column(
        &mut self,
        column: Fields<'_>,
        target: &TestTarget,
        tests: &mut Vec<GenericTest>,
    ) -> Option<(String, Column)> {
        let (name, _) = required_name(&column, "the column's name")?;
        let quote = column.bool("quote").unwrap_or(false);
        let shown = if quote {
            rwt_sql::Ident::new(name.as_str()).quoted()
        } else {
            name.clone()
        };
        let tags = self.column_tags(&column);
        let tested = TestedColumn {
            name: &shown,
            tags: &tags,
        };
        tests.extend(tests_of(&column, target, Some(tested)));
        let read = Column {
            data_type: column.text(&["data_type"]).map(|(text, _)| text),
            description: text(&column, "description"),
            quote,
            meta: self.column_meta(&column),
            tags,
            constraints: constraints(&column, false),
            name: name.clone(),
        };
        column.known(&["docs"]);
        column.known(&["policy_tags", "granularity", "identifier", "dimension"]);
        column.finish(self.warnings);
        Some((name, read))
    }

    /// `tags` of a column, with what its `config` adds.
    fn column_tags(&self, column: &Fields<'_>) -> Vec<String> {
        let config = column.value("config").and_then(|config| config.get("tags"));
        let more = match config.map(|tags| &tags.kind) {
            Some(Kind::List(items)) => items.iter().filter_map(Yaml::as_text).collect(),
            Some(Kind::Text(tag)) => vec![tag.as_str()],
            _ => Vec::new(),
        };
        let own = column.texts("tags").into_iter().flatten();
        let all = own
            .map(|(tag, _)| tag)
            .chain(more.into_iter().map(str::to_owned));
        all.collect::<IndexSet<String>>().into_iter().collect()
    }

    /// `meta` of a column, with what its `config` adds.
    fn column_meta(&self, column: &Fields<'_>) -> serde_json::Map<String, Value> {
        let config = column.value("config").and_then(|config| config.get("meta"));
        let both = [column.value("meta"), config].into_iter().flatten();
        both.map(Yaml::to_value)
            .filter_map(|value| match value {
                Value::Object(map) => Some(map),
                _ => None,
            })
            .flatten()
            .collect()
    }

    /// `config`, over the config keys that dbt takes beside it.
    pub(super) fn config(&mut self, fields: &Fields<'_>) -> PropertyConfig {
        self.config_beside(fields, &["tags", "meta", "docs", "access", "group"])
    }

    /// The same for a source or one of its tables.
    fn source_config(&mut self, fields: &Fields<'_>) -> PropertyConfig {
        let freshness = ["freshness", "loaded_at_field", "loaded_at_query"];
        let keys = ["tags", "meta", freshness[0], freshness[1], freshness[2]];
        let mut config = self.config_beside(fields, &keys);
        // Here null says something: no table of this source, or not this table.
        if let Some(at) = fields.null("freshness") {
            let none = (Value::Null, at.clone());
            config.entry("freshness".to_owned()).or_insert(none);
        }
        if let Some((freshness, at)) = config.get("freshness") {
            self.errors.extend(wrong_freshness(freshness, at));
        }
        config
    }

    fn config_beside(&mut self, fields: &Fields<'_>, beside: &[&'static str]) -> PropertyConfig {
        let mut config = PropertyConfig::new();
        for key in beside {
            if let Some((_, entry)) = fields.any(&[key]) {
                config.insert(
                    (*key).to_owned(),
                    (entry.value.to_value(), entry.key.clone()),
                );
            }
        }
        if fields.map("config").is_some()
            && let Some(yaml) = fields.value("config")
        {
            for (key, (value, at)) in entries(yaml) {
                check_key(&key, &at, self.warnings);
                match config.entry(key) {
                    Slot::Occupied(mut slot) if slot.key() == "tags" => {
                        let both = [slot.get().0.clone(), value];
                        let all = both.into_iter().flat_map(|tags| match tags {
                            Value::Array(tags) => tags,
                            tag => vec![tag],
                        });
                        slot.get_mut().0 = all.collect();
                    }
                    Slot::Occupied(mut slot) => *slot.get_mut() = (value, at),
                    Slot::Vacant(slot) => {
                        slot.insert((value, at));
                    }
                }
            }
        }
        config
    }

    pub(super) fn folders(&self, file: &std::path::Path) -> Vec<String> {
        let inner = self
            .model_paths
            .iter()
            .find_map(|base| file.strip_prefix(base).ok())
            .unwrap_or(file);
        inner
            .parent()
            .into_iter()
            .flat_map(std::path::Path::iter)
            .map(|part| part.to_string_lossy().into_owned())
            .collect()
    }
}

/// What is wrong with `freshness`.
fn wrong_freshness(freshness: &Value, at: &Location) -> Vec<LoadError> {
    let mut wrong = Vec::new();
    let mut say = |key: &str, expected: &str, found: &Value| {
        let error = YamlError::wrong_type(key, expected, found.to_string(), at);
        let help = "for example `freshness: {warn_after: {count: 12, period: hour}}`";
        wrong.push(LoadError::from(error.with_help(help)));
    };
    if !freshness.is_object() && !freshness.is_null() {
        say("freshness", "a mapping", freshness);
    }
    for key in ["warn_after", "error_after"] {
        let Some(limit) = freshness.get(key).filter(|limit| !limit.is_null()) else {
            continue;
        };
        if !limit.is_object() {
            say(key, "a mapping with `count` and `period`", limit);
        }
        let count = limit.get("count").filter(|count| !count.is_null());
        let is_count = |count: &Value| match count {
            Value::String(text) => text.trim().parse::<i64>().is_ok(),
            count => count.is_i64(),
        };
        if let Some(count) = count.filter(|count| !is_count(count)) {
            say("count", "a whole number", count);
        }
        let period = limit.get("period").filter(|period| !period.is_null());
        let is_period =
            |period: &&Value| matches!(period.as_str(), Some("minute" | "hour" | "day"));
        if let Some(period) = period.filter(|period| !is_period(period)) {
            say("period", "`minute`, `hour` or `day`", period);
        }
    }
    wrong
}

pub(super) fn required_name<'a>(fields: &Fields<'a>, what: &str) -> Option<(String, &'a Location)> {
    let name = fields.text(&["name"]);
    if name.is_none() && fields.value("name").is_none() {
        fields.missing("name", &format!("add `name: …`, {what}"));
    }
    name
}

pub(super) fn text(fields: &Fields<'_>, key: &'static str) -> String {
    fields
        .text(&[key])
        .map(|(text, _)| text)
        .unwrap_or_default()
}

pub(super) fn twice(
    kind: &'static str,
    name: &str,
    first: &Location,
    second: &Location,
) -> LoadError {
    let place = |at: &Location| format!("{}:{}", at.file().path().display(), at.line());
    LoadError::from(ProjectError::DuplicateProperties {
        kind,
        name: name.to_owned(),
        first: place(first),
        second: place(second),
        file: Arc::clone(second.file()),
        at: second.span(),
    })
}

/// `constraints` with what dbt says where nothing is said; those of a model name their columns.
pub(super) fn constraints(fields: &Fields<'_>, of_model: bool) -> Vec<Value> {
    let Some(Value::Array(given)) = fields.value("constraints").map(Yaml::to_value) else {
        return Vec::new();
    };
    let complete = |given: Value| {
        let get = |key: &str, default: Value| given.get(key).cloned().unwrap_or(default);
        let mut constraint = serde_json::json!({
            "type": get("type", Value::Null),
            "name": get("name", Value::Null),
            "expression": get("expression", Value::Null),
            "warn_unenforced": get("warn_unenforced", true.into()),
            "warn_unsupported": get("warn_unsupported", true.into()),
            "to": get("to", Value::Null),
            "to_columns": get("to_columns", Value::Array(Vec::new())),
        });
        if of_model {
            constraint["columns"] = get("columns", Value::Array(Vec::new()));
        }
        constraint
    };
    given.into_iter().map(complete).collect()
}

pub(super) fn deprecation_date(fields: &Fields<'_>) -> Option<(String, Location)> {
    let (text, at) = fields.text(&["deprecation_date"])?;
    Some((text, at.clone()))
}

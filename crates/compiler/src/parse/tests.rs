//! Data tests as nodes: singular ones are files, generic ones come from property files. Names and ids are dbt's, so that
//! selectors and artifacts mean the same (dbt-core 1.12, `generic_test_builders.py`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;
use rwt_project::manifest::{Declared, Node, Reference, ResourceType, TestMetadata, UniqueId};
use rwt_project::project::{GenericTest, NodeFile, Properties, TestTarget};
use rwt_project::yaml::{SourceFile, nearest};
use serde_json::Value as Json;

use super::config_types::Configured;
use super::{Parsed, Parser};
use crate::checksum::md5;
use crate::error::{CompileError, NodeName};
use crate::jinja::{
    Captured, NodeScope, Phase, Relation, Scope, TemplateError, TemplateText, from_json,
};
use crate::materialize::BUILT_IN;

/// Where `store_failures` puts its tables.
const AUDIT_SCHEMA: &str = "dbt_test__audit";

/// The text of a generic test that is rendered: its macro with its arguments.
pub fn generic_text(test: &GenericTest) -> TemplateText {
    let call = call(test);
    TemplateText {
        name: template_of(&call),
        file: SourceFile::new(&test.file, call),
        written_at: Some(test.at.clone()),
    }
}

/// The template of a generic test's text.
pub fn template_of(call: &str) -> String {
    format!("rwt:test {call}")
}

/// A generic test as a call in Jinja.
fn call(test: &GenericTest) -> String {
    let target = match &test.target {
        TestTarget::Ref(name) => format!("ref({})", quoted(name)),
        TestTarget::Version(name, version) => {
            format!("ref({}, version={})", quoted(name), quoted(version))
        }
        TestTarget::Source(source, table) => {
            format!("source({}, {})", quoted(source), quoted(table))
        }
    };
    let mut text = String::from("{{ ");
    if let Some(namespace) = &test.namespace {
        text.push_str(&format!("{namespace}."));
    }
    text.push_str(&format!(
        "test_{}(model=get_where_subquery({target})",
        test.name
    ));
    if let Some(column) = &test.column {
        text.push_str(&format!(", column_name={}", quoted(column)));
    }
    for (key, value) in &test.args {
        text.push_str(&format!(", {key}={}", literal(value)));
    }
    text.push_str(") }}");
    text
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\\' | '\'' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A YAML value as Jinja; text that is a call or an expression is one, as in dbt.
fn literal(value: &Json) -> String {
    match value {
        Json::Null => "none".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.to_string(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{}: {}", quoted(key), literal(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Json::String(text) if is_call(text) => text.trim().to_owned(),
        Json::String(text) if text.contains("{{") || text.contains("{%") => {
            // Pieces of text and expressions, put together.
            let mut parts = Vec::new();
            let mut rest = text.as_str();
            while let Some((before, behind)) = rest.split_once("{{") {
                let Some((inside, after)) = behind.split_once("}}") else {
                    break;
                };
                if !before.is_empty() {
                    parts.push(quoted(before));
                }
                parts.push(format!("({})", inside.trim_matches(['-', ' '])));
                rest = after;
            }
            if !rest.is_empty() {
                parts.push(quoted(rest));
            }
            format!("({} | string)", parts.join(" ~ "))
        }
        Json::String(text) => quoted(text),
    }
}

/// `ref(…)`, `source(…)`, `var(…)`, `env_var(…)`, `doc(…)` without braces.
fn is_call(text: &str) -> bool {
    let text = text.trim();
    let open = text.find('(').filter(|_| text.ends_with(')'));
    open.is_some_and(|open| {
        ["ref", "source", "var", "env_var", "doc"].contains(&text[..open].trim())
    })
}

/// Whether the arguments of a test are all that they seem.
pub fn has_constants(test: &GenericTest) -> bool {
    test.args.values().all(is_constant)
}

/// Whether a value means the same as Jinja and as it stands.
fn is_constant(value: &Json) -> bool {
    match value {
        Json::Array(items) => items.iter().all(is_constant),
        Json::Object(map) => map.values().all(is_constant),
        Json::String(text) => !is_call(text) && !text.contains("{{") && !text.contains("{%"),
        Json::Null | Json::Bool(_) | Json::Number(_) => true,
    }
}

/// A value as Python's `str` shows it.
fn python_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => python_repr(other),
    }
}

/// A text in Python's quotes.
fn write_repr(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(quote);
}

pub(crate) fn python_repr(value: &Json) -> String {
    match value {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => {
            let mut out = String::with_capacity(text.len() + 2);
            write_repr(text, &mut out);
            out
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(python_repr).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => {
            let pairs = map.iter().map(|(key, value)| {
                format!(
                    "{}: {}",
                    python_repr(&key.as_str().into()),
                    python_repr(value)
                )
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// dbt's `get_hashable_md` as Python's `repr` shows it: keys in order, every plain value as text.
fn write_hashable(value: &Json, out: &mut String) {
    match value {
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write_hashable(item, out);
            }
            out.push(']');
        }
        Json::Object(map) => write_hashable_map(map.iter().collect(), out),
        Json::String(text) => write_repr(text, out),
        other => write_repr(&python_repr(other), out),
    }
}

fn write_hashable_map(mut pairs: Vec<(&String, &Json)>, out: &mut String) {
    pairs.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (at, (key, value)) in pairs.into_iter().enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        write_repr(key, out);
        out.push_str(": ");
        write_hashable(value, out);
    }
    out.push('}');
}

/// What a test is called: the short name, which is its alias, and the full one.
fn names(test: &GenericTest) -> (String, String) {
    if let Some(name) = &test.given_name {
        return (name.clone(), name.clone());
    }
    let (kind, target) = match &test.target {
        TestTarget::Ref(name) => (test.name.clone(), name.clone()),
        TestTarget::Version(name, version) => (test.name.clone(), format!("{name}_v{version}")),
        TestTarget::Source(source, table) => {
            (format!("source_{}", test.name), format!("{source}_{table}"))
        }
    };
    let kind = match &test.namespace {
        Some(namespace) => format!("{namespace}_{kind}"),
        None => kind,
    };
    let mut args: Vec<(&str, Json)> = test
        .args
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    args.extend(
        test.column
            .iter()
            .map(|column| ("column_name", Json::from(column.as_str()))),
    );
    args.sort_by(|a, b| a.0.cmp(b.0));
    let mut flat: Vec<String> = Vec::new();
    for (_, value) in &args {
        match value {
            Json::Array(items) => flat.extend(items.iter().map(python_text)),
            Json::Object(map) => flat.extend(map.values().map(python_text)),
            other => flat.push(python_text(other)),
        }
    }
    let clean: Vec<String> = flat.iter().map(|text| cleaned(text)).collect();
    let identifier = format!("{kind}_{target}");
    let full = format!("{identifier}_{}", clean.join("__"));
    let short = if full.len() >= 64 {
        let begin: String = identifier.chars().take(30).collect();
        format!("{begin}_{}", md5(&full))
    } else {
        full.clone()
    };
    (short, full)
}

/// Every run of other characters than letters, digits and `_` as one `_`.
fn cleaned(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        let plain = c.is_ascii_alphanumeric() || c == '_';
        if plain {
            out.push(c);
        } else if !inside {
            out.push('_');
        }
        inside = !plain;
    }
    out
}

/// The arguments of a test's macro, as dbt keeps them.
fn kwargs(test: &GenericTest) -> serde_json::Map<String, Json> {
    let target = match &test.target {
        TestTarget::Ref(name) => format!("ref('{name}')"),
        TestTarget::Version(name, version) => format!("ref('{name}', version='{version}')"),
        TestTarget::Source(source, table) => format!("source('{source}', '{table}')"),
    };
    let mut kwargs: serde_json::Map<String, Json> = test.args.clone().into_iter().collect();
    if let Some(column) = &test.column {
        kwargs.insert("column_name".to_owned(), column.as_str().into());
    }
    kwargs.insert(
        "model".to_owned(),
        format!("{{{{ get_where_subquery({target}) }}}}").into(),
    );
    kwargs
}

fn metadata(test: &GenericTest, properties: &Properties) -> TestMetadata {
    let (file_key_name, model) = match &test.target {
        TestTarget::Ref(name) if properties.seeds.contains_key(name) => {
            (format!("seeds.{name}"), Some(name.clone()))
        }
        TestTarget::Ref(name) if properties.snapshots.contains_key(name) => {
            (format!("snapshots.{name}"), Some(name.clone()))
        }
        TestTarget::Ref(name) => (format!("models.{name}"), Some(name.clone())),
        TestTarget::Version(name, version) => {
            (format!("models.{name}"), Some(format!("{name}.v{version}")))
        }
        TestTarget::Source(source, _) => (format!("sources.{source}"), None),
    };
    TestMetadata {
        name: test.name.clone(),
        kwargs: kwargs(test),
        namespace: test.namespace.clone(),
        config: IndexMap::new(),
        column_name: test.column.clone(),
        file_key_name,
        model,
    }
}

/// The end of a generic test's id, which tells two tests of one name apart.
fn hash(test: &TestMetadata, name: &str) -> String {
    let mut text = format!("{name}{{'kwargs': ");
    write_hashable_map(test.kwargs.iter().collect(), &mut text);
    text.push_str(", 'name': ");
    write_repr(&test.name, &mut text);
    text.push_str(", 'namespace': ");
    write_repr(test.namespace.as_deref().unwrap_or("None"), &mut text);
    text.push('}');
    let digest = md5(&text);
    digest[digest.len() - 10..].to_owned()
}

/// Folders of a property file below the first one, as dbt counts a generic test's path.
fn folders(file: &Path) -> Vec<String> {
    let parts: Vec<String> = file
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let end = parts.len().saturating_sub(1);
    parts.get(1..end).unwrap_or_default().to_vec()
}

/// What one test is made of before it is rendered.
struct Draft {
    /// What rendering it would show, where that is known without.
    captured: Option<Captured>,
    id: UniqueId,
    name: String,
    alias: String,
    fqn: Vec<String>,
    original_file_path: PathBuf,
    path: PathBuf,
    template: String,
    raw_code: String,
    description: String,
    config: IndexMap<String, Json>,
    /// Tags of the column that it is of, in order.
    column_tags: Vec<String>,
    /// Where its configuration stands: its own file, or the property file.
    file: Arc<SourceFile>,
    metadata: Option<Box<TestMetadata>>,
}

impl Parser<'_> {
    /// A singular test.
    pub(super) fn singular_test(&self, file: &NodeFile) -> Result<Parsed, CompileError> {
        let package = file.fqn.first().cloned().unwrap_or_default();
        let properties = self.project.properties.tests.get(&file.name);
        let config = properties.into_iter().flat_map(|p| &p.config);
        self.test(Draft {
            captured: None,
            id: UniqueId(format!("test.{package}.{}", file.name)),
            name: file.name.clone(),
            alias: file.name.clone(),
            fqn: file.fqn.clone(),
            original_file_path: file.original_file_path.clone(),
            path: file.path.clone(),
            template: file.original_file_path.display().to_string(),
            raw_code: file.file.text().to_owned(),
            description: properties
                .map(|p| p.description.clone())
                .unwrap_or_default(),
            config: config
                .map(|(key, (value, _))| (key.clone(), value.clone()))
                .collect(),
            column_tags: Vec::new(),
            file: Arc::clone(&file.file),
            metadata: None,
        })
    }

    /// A test of a property file.
    pub(super) fn generic_test(&self, test: &GenericTest) -> Result<Parsed, CompileError> {
        let (package, inner) = self.project.package_of(&test.file);
        self.check_name(test, package)?;
        let (short, full) = names(test);
        let code = call(test);
        let metadata = metadata(test, &self.project.properties);
        let mut fqn = vec![package.to_owned()];
        fqn.extend(folders(inner));
        fqn.push(full.clone());
        let mut config = test.config.clone();
        if short != full && !config.contains_key("alias") {
            config.insert("alias".to_owned(), short.as_str().into());
        }
        let mut column_tags = test.column_tags.clone();
        column_tags.sort();
        self.test(Draft {
            captured: self.read_of_own_test(test, package),
            id: UniqueId(format!("test.{package}.{full}.{}", hash(&metadata, &full))),
            name: full,
            path: PathBuf::from(format!("{short}.sql")),
            alias: short,
            fqn,
            original_file_path: test.file.clone(),
            template: template_of(&code),
            raw_code: code,
            description: test.description.clone(),
            config,
            column_tags,
            file: Arc::clone(test.at.file()),
            metadata: Some(Box::new(metadata)),
        })
    }

    /// Refuses a test that nobody has written.
    fn check_name(&self, test: &GenericTest, package: &str) -> Result<(), CompileError> {
        const MARK: &str = "test_";
        let macros = self.jinja.macros();
        let name = &test.name;
        if test.namespace.is_some()
            || macros
                .find_from(package, &format!("{MARK}{name}"))
                .is_some()
        {
            return Ok(());
        }
        let known = macros.names().filter_map(|name| name.strip_prefix(MARK));
        let known = nearest(name, known).map(|near| format!("did you mean `{near}`? "));
        let help = format!(
            "{}a test is a macro, `{{% test {name}(model, column_name) %}}`, in a file below macro-paths or tests/generic",
            known.unwrap_or_default()
        );
        Err(CompileError::template(
            TemplateError::at(
                "rwt::test::unknown",
                format!("there is no test `{name}`"),
                Some(help),
                test.at.file(),
                test.at.range(),
            ),
            None,
        ))
    }

    /// What a test of dbt's own reads, whose arguments are constants: its target, whatever its text becomes. None for any
    /// other test, and where the project has macros of its own for what such a text calls.
    fn read_of_own_test(&self, test: &GenericTest, package: &str) -> Option<Captured> {
        let macros = self.jinja.macros();
        let is_known = match (test.namespace.as_deref(), test.name.as_str()) {
            (None, "not_null" | "unique") => test.args.is_empty(),
            (None, "accepted_values") => {
                let mut keys = test.args.keys().map(String::as_str);
                test.args.contains_key("values")
                    && keys.all(|key| ["values", "quote"].contains(&key))
            }
            _ => false,
        };
        let is_free = |name: &&str| macros.find_from(package, name).is_none();
        if !is_known
            || !has_constants(test)
            || test.column.is_none()
            || !["ref", "source"].iter().all(is_free)
        {
            return None;
        }
        let called = [
            format!("test_{}", test.name),
            "get_where_subquery".to_owned(),
        ];
        let mut captured = Captured::default();
        for name in &called {
            let definition = macros.find_from(package, name)?;
            if definition.package != BUILT_IN {
                return None;
            }
            captured.macros.insert(definition.unique_id());
        }
        let mut refers = |name, version| {
            captured.refs.insert(Reference {
                package: None,
                name,
                version,
            })
        };
        match test.target.clone() {
            TestTarget::Source(source, table) => captured.sources.insert((source, table)),
            TestTarget::Ref(name) => refers(name, None),
            TestTarget::Version(name, version) => refers(name, Some(version)),
        };
        Some(captured)
    }

    fn test(&self, mut draft: Draft) -> Result<Parsed, CompileError> {
        let mut metadata = draft.metadata.take();
        let name = NodeName {
            unique_id: &draft.id,
            name: &draft.name,
            original_file_path: &draft.original_file_path,
        };
        let failed = |error: TemplateError| CompileError::template(error, Some(name));
        let mut given = IndexMap::new();
        for (key, value) in &draft.config {
            let value = self.rendered(value, &draft.name).map_err(failed)?;
            if let Some(metadata) = &mut metadata {
                metadata.config.insert(key.clone(), value.clone());
            }
            given.insert(key.clone(), value);
        }
        let before = self.project.resolve_test_config(&draft.fqn, &given);
        let mut scope = Scope::new(Arc::clone(&self.shared), Phase::Parse, self.names.clone());
        scope.node = Some(NodeScope {
            unique_id: draft.id.0.clone(),
            name: draft.name.clone(),
            package: draft.fqn.first().cloned().unwrap_or_default(),
            materialized: "test".to_owned(),
            this: Relation::new(
                &self.shared.default_database,
                &self.shared.default_schema,
                &draft.alias,
            ),
            model: Value::UNDEFINED,
        });
        scope.config = Arc::new(before.values);
        let (captured, scope) = match draft.captured.take() {
            Some(captured) => (captured, Arc::new(scope)),
            None => {
                let (_, scope) = self.jinja.render(&draft.template, scope).map_err(failed)?;
                (scope.captured(), scope)
            }
        };
        // The property file speaks behind a generic test's own `config()`, and before a singular one's.
        let is_generic = metadata.is_some();
        let (first, last) = match is_generic {
            true => (&captured.config, &given),
            false => (&given, &captured.config),
        };
        let mut config = self.project.resolve_test_config(&draft.fqn, first);
        for (key, value) in last {
            config.lay(key, value.clone());
        }
        let configured = Configured {
            what: "test",
            name: &draft.name,
            property: None,
            file: &draft.file,
        };
        self.check_config(&configured, &config).map_err(failed)?;
        // dbt says where failing rows are kept whichever of the two keys was given.
        match (
            config.values.get("store_failures"),
            config.text("store_failures_as"),
        ) {
            (Some(Json::Bool(store)), None) => {
                let kept = if *store { "table" } else { "ephemeral" };
                config.lay("store_failures_as", kept.into());
            }
            (_, Some(kept)) => {
                let store = kept != "ephemeral";
                config.lay("store_failures", store.into());
            }
            _ => {}
        }
        let custom = |key: &str| match (key, config.text(key)) {
            ("schema", None) => Some(AUDIT_SCHEMA.to_owned()),
            (_, found) => found.map(str::to_owned),
        };
        let node = || {
            from_json(&serde_json::json!({
                "unique_id": draft.id.0, "resource_type": "test", "name": draft.name, "fqn": draft.fqn,
                "package_name": draft.fqn.first(), "original_file_path": draft.original_file_path,
            }))
        };
        let naming = self.name(custom, &draft.alias, &node).map_err(failed)?;
        let description = self.described(&draft.description, &scope).map_err(failed)?;
        Ok(Parsed {
            node: Node {
                unique_id: draft.id.clone(),
                resource_type: ResourceType::Test,
                name: draft.name.clone(),
                source_name: None,
                package_name: draft.fqn.first().cloned().unwrap_or_default(),
                fqn: draft.fqn,
                original_file_path: draft.original_file_path.clone(),
                path: draft.path,
                database: naming.database,
                schema: naming.schema,
                identifier: naming.identifier,
                materialized: "test".to_owned(),
                enabled: config.enabled(),
                tags: draft.column_tags.into_iter().chain(config.tags()).collect(),
                config: config.values,
                description,
                columns: IndexMap::new(),
                raw_code: draft.raw_code,
                depends_on: Vec::new(),
                version: None,
                property_file: None,
                declared: Declared {
                    config: draft.config,
                    test: metadata,
                    ..Declared::default()
                },
            },
            captured,
            warnings: Vec::new(),
        })
    }
}

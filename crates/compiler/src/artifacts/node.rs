//! Nodes in the manifest: models, seeds, tests, functions, sources and the project's hooks.

use std::collections::HashMap;

use indexmap::IndexMap;
use rwt_project::Project;
use rwt_project::manifest::{Column, Node, Reference, ResourceType, TestMetadata, UniqueId};
use rwt_project::project::{FunctionArgument, FunctionProperties, SourceTable, snapshot_query};
use serde::Serialize;
use serde::Serializer;
use serde_json::{Map, Value};

use super::config::{ConfigJson, completed, freshness};
use crate::checksum::sha256;
use crate::parse::{EPHEMERAL, deprecation_date};

/// What the manifest is made from, besides the node.
pub(super) struct Around<'a> {
    pub project: &'a Project,
    /// Absolute.
    pub root: &'a str,
    pub created_at: f64,
    /// By the names of models.
    pub primary_keys: HashMap<&'a str, Vec<&'a str>>,
}

/// A node of `nodes` or `functions`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum NodeJson<'a> {
    Model(Box<ModelJson<'a>>),
    Seed(Box<SeedJson<'a>>),
    Test(Box<TestJson<'a>>),
    Function(Box<FunctionJson<'a>>),
    Snapshot(Box<SnapshotJson<'a>>),
    Operation(Box<OperationJson<'a>>),
}

/// What every node has.
#[derive(Debug, Serialize)]
pub(super) struct ParsedJson<'a> {
    database: &'a str,
    schema: &'a str,
    name: &'a str,
    resource_type: &'a str,
    package_name: &'a str,
    path: String,
    original_file_path: String,
    unique_id: &'a UniqueId,
    fqn: &'a [String],
    alias: &'a str,
    checksum: ChecksumJson,
    config: ConfigJson<'a>,
    tags: Value,
    description: &'a str,
    columns: Columns<'a>,
    meta: Value,
    group: Value,
    docs: Value,
    patch_path: Option<String>,
    build_path: Option<String>,
    unrendered_config: IndexMap<String, Value>,
    created_at: f64,
    relation_name: Option<String>,
    raw_code: RawCode<'a>,
    doc_blocks: [&'static str; 0],
}

/// What nodes have that are rendered.
#[derive(Debug, Serialize)]
pub(super) struct CompiledJson<'a> {
    language: &'static str,
    refs: Vec<RefJson<'a>>,
    sources: &'a [(String, String)],
    metrics: [&'static str; 0],
    functions: Vec<Vec<&'a str>>,
    depends_on: DependsJson<'a>,
    compiled_path: Option<String>,
    #[serde(flatten)]
    text: Option<TextJson<'a>>,
    contract: ContractJson,
}

/// The rendered text.
#[derive(Debug, Serialize)]
pub(super) struct TextJson<'a> {
    compiled: bool,
    compiled_code: &'a str,
    extra_ctes_injected: bool,
    extra_ctes: [&'static str; 0],
}

#[derive(Debug, Serialize)]
pub(super) struct ModelJson<'a> {
    #[serde(flatten)]
    parsed: ParsedJson<'a>,
    #[serde(flatten)]
    compiled: CompiledJson<'a>,
    access: Value,
    constraints: &'a [Value],
    version: Value,
    latest_version: Value,
    deprecation_date: Value,
    primary_key: Vec<&'a str>,
    time_spine: Option<Value>,
}

#[derive(Debug, Serialize)]
pub(super) struct SeedJson<'a> {
    #[serde(flatten)]
    parsed: ParsedJson<'a>,
    root_path: String,
    depends_on: MacroDependsJson<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct TestJson<'a> {
    #[serde(flatten)]
    parsed: ParsedJson<'a>,
    #[serde(flatten)]
    compiled: CompiledJson<'a>,
    #[serde(flatten)]
    generic: Option<GenericJson<'a>>,
}

#[derive(Debug, Serialize)]
struct GenericJson<'a> {
    column_name: Option<&'a str>,
    file_key_name: &'a str,
    attached_node: Option<&'a UniqueId>,
    test_metadata: &'a TestMetadata,
}

#[derive(Debug, Serialize)]
pub(super) struct SnapshotJson<'a> {
    #[serde(flatten)]
    parsed: ParsedJson<'a>,
    #[serde(flatten)]
    compiled: CompiledJson<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionJson<'a> {
    returns: ReturnsJson<'a>,
    #[serde(flatten)]
    parsed: ParsedJson<'a>,
    #[serde(flatten)]
    compiled: CompiledJson<'a>,
    arguments: Vec<ArgumentJson<'a>>,
    overloads: [&'static str; 0],
}

#[derive(Debug, Serialize)]
pub(super) struct OperationJson<'a> {
    #[serde(flatten)]
    parsed: ParsedJson<'a>,
    #[serde(flatten)]
    compiled: CompiledJson<'a>,
    index: usize,
}

#[derive(Debug, Serialize)]
struct ReturnsJson<'a> {
    data_type: &'a str,
    description: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct ArgumentJson<'a> {
    name: &'a str,
    data_type: &'a str,
    description: Option<&'a str>,
    default_value: Option<Value>,
}

#[derive(Debug, Serialize)]
struct RefJson<'a> {
    name: &'a str,
    package: Option<&'a str>,
    version: Option<Value>,
}

#[derive(Debug, Serialize)]
struct DependsJson<'a> {
    macros: &'a [String],
    nodes: &'a [UniqueId],
}

#[derive(Debug, Serialize)]
struct MacroDependsJson<'a> {
    macros: &'a [String],
}

#[derive(Debug, Serialize)]
struct ContractJson {
    enforced: bool,
    alias_types: bool,
    checksum: Option<String>,
}

#[derive(Debug, Serialize)]
struct ChecksumJson {
    name: &'static str,
    checksum: String,
}

impl<'a> RefJson<'a> {
    fn of(reference: &'a Reference) -> Self {
        Self {
            name: &reference.name,
            package: reference.package.as_deref(),
            version: reference.version.as_deref().map(version),
        }
    }
}

/// A source table.
#[derive(Debug, Serialize)]
pub(super) struct SourceJson<'a> {
    database: &'a str,
    schema: &'a str,
    name: &'a str,
    resource_type: &'static str,
    package_name: &'a str,
    path: String,
    original_file_path: String,
    unique_id: &'a UniqueId,
    fqn: &'a [String],
    source_name: &'a str,
    source_description: &'a str,
    loader: &'a str,
    identifier: &'a str,
    quoting: Value,
    loaded_at_field: Option<&'a str>,
    loaded_at_query: Option<&'a str>,
    freshness: Value,
    external: Option<&'a Value>,
    description: &'a str,
    columns: Columns<'a>,
    meta: Value,
    source_meta: Value,
    tags: Value,
    config: ConfigJson<'a>,
    patch_path: Option<String>,
    unrendered_config: IndexMap<String, Value>,
    relation_name: String,
    created_at: f64,
    unrendered_database: Option<&'a str>,
    unrendered_schema: Option<&'a str>,
    doc_blocks: [&'static str; 0],
}

impl std::fmt::Debug for ConfigJson<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConfigJson")
    }
}

/// A text without the white space around it, as dbt reads files.
#[derive(Debug)]
enum RawCode<'a> {
    Text(&'a str),
    Owned(String),
}

impl Serialize for RawCode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Text(text) => text.trim(),
            Self::Owned(text) => text,
        })
    }
}

#[derive(Debug)]
struct Columns<'a>(&'a IndexMap<String, Column>);

#[derive(Debug, Serialize)]
struct ColumnJson<'a> {
    name: &'a str,
    description: &'a str,
    meta: &'a Map<String, Value>,
    data_type: Option<&'a str>,
    constraints: &'a [Value],
    quote: Option<bool>,
    config: ColumnConfigJson<'a>,
    tags: &'a [String],
    granularity: Option<&'a str>,
    dimension: Option<&'a str>,
    entity: Option<&'a str>,
    doc_blocks: [&'static str; 0],
}

#[derive(Debug, Serialize)]
struct ColumnConfigJson<'a> {
    meta: &'a Map<String, Value>,
    tags: &'a [String],
}

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, column)| {
            let json = ColumnJson {
                name: &column.name,
                description: &column.description,
                meta: &column.meta,
                data_type: column.data_type.as_deref(),
                constraints: &column.constraints,
                quote: column.quote.then_some(true),
                config: ColumnConfigJson {
                    meta: &column.meta,
                    tags: &column.tags,
                },
                tags: &column.tags,
                granularity: None,
                dimension: None,
                entity: None,
                doc_blocks: [],
            };
            (name, json)
        }))
    }
}

/// A version as `ref` names it: dbt keeps a number a number.
fn version(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => match text.parse::<f64>() {
            Ok(number) if number.to_string() == text => number.into(),
            _ => text.into(),
        },
    }
}

/// dbt's hash of a file: white space of any length counts as one blank.
fn of_file(text: &str) -> ChecksumJson {
    let mut words = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    ChecksumJson {
        name: "sha256",
        checksum: sha256(&words),
    }
}

impl<'a> Around<'a> {
    fn parsed(&self, node: &'a Node) -> ParsedJson<'a> {
        let config = ConfigJson::of(node);
        let (_, file) = self.project.package_of(&node.original_file_path);
        let is_ephemeral = node.materialized == EPHEMERAL;
        let is_stored = node.config.get("store_failures") == Some(&Value::Bool(true));
        let has_relation = match node.resource_type {
            ResourceType::Test => is_stored,
            _ => !is_ephemeral,
        };
        let (checksum, raw_code) = match (node.resource_type, &node.declared.test) {
            (ResourceType::Seed, _) => {
                let text = self.project.seed(node).map_or("", |seed| seed.file.text());
                let checksum = ChecksumJson {
                    name: "sha256",
                    checksum: sha256(text.trim()),
                };
                (checksum, RawCode::Text(""))
            }
            (_, Some(test)) => {
                let checksum = ChecksumJson {
                    name: "none",
                    checksum: String::new(),
                };
                (checksum, RawCode::Owned(generic_code(test)))
            }
            (ResourceType::Snapshot, _) => {
                let snapshot = self.project.snapshot(node);
                let whole = snapshot.and_then(|snapshot| snapshot.whole.as_deref());
                let checksum = of_file(whole.map_or("", |file| file.text()));
                let query = snapshot_query(&node.raw_code);
                (checksum, RawCode::Owned(query.to_owned()))
            }
            _ => (of_file(&node.raw_code), RawCode::Text(&node.raw_code)),
        };
        ParsedJson {
            database: &node.database,
            schema: &node.schema,
            name: &node.name,
            resource_type: node.resource_type.word(),
            package_name: &node.package_name,
            path: node.path.display().to_string(),
            original_file_path: file.display().to_string(),
            unique_id: &node.unique_id,
            fqn: &node.fqn,
            alias: &node.identifier,
            checksum,
            tags: tags(node),
            description: &node.description,
            columns: Columns(&node.columns),
            meta: object(config.get("meta")),
            group: config.get("group").cloned().unwrap_or_default(),
            docs: config.docs(),
            patch_path: node.property_file.as_deref().map(|file| {
                let (package, file) = self.project.package_of(file);
                format!("{package}://{}", file.display())
            }),
            build_path: None,
            unrendered_config: self.project.written_config(node),
            created_at: self.created_at,
            relation_name: has_relation.then(|| node.relation_name()),
            raw_code,
            doc_blocks: [],
            config,
        }
    }

    fn compiled(&self, node: &'a Node, code: Option<&'a str>) -> CompiledJson<'a> {
        let config = ConfigJson::of(node);
        CompiledJson {
            language: match extension(node) {
                Some("js") => "javascript",
                Some("py") => "python",
                _ => "sql",
            },
            refs: (node.declared.refs.iter()).map(RefJson::of).collect(),
            sources: &node.declared.sources,
            metrics: [],
            functions: (node.declared.functions.iter())
                .map(|function| {
                    let package = function.package.as_deref().into_iter();
                    package.chain([function.name.as_str()]).collect()
                })
                .collect(),
            depends_on: DependsJson {
                macros: &node.declared.macros,
                nodes: &node.depends_on,
            },
            compiled_path: None,
            text: code.map(|code| TextJson {
                compiled: true,
                compiled_code: code,
                extra_ctes_injected: true,
                extra_ctes: [],
            }),
            contract: ContractJson {
                enforced: config.is_true("contract", "enforced"),
                alias_types: config.is_true("contract", "alias_types")
                    || config
                        .get("contract")
                        .is_none_or(|contract| contract.get("alias_types").is_none()),
                checksum: self.contract(node),
            },
        }
    }

    /// The hash of what an enforced contract promises: columns, types and constraints, in dbt's text of them
    /// (`ModelNode.build_contract_checksum`).
    fn contract(&self, node: &Node) -> Option<String> {
        let is_enforced = ConfigJson::of(node).is_true("contract", "enforced");
        if !is_enforced || node.resource_type != ResourceType::Model {
            return None;
        }
        let mut columns: Vec<&Column> = node.columns.values().collect();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        let mut text = String::new();
        for column in columns {
            let data_type = column.data_type.as_deref().unwrap_or("None");
            let constraints = constraints_text("ColumnLevelConstraint", &column.constraints);
            text.push_str(&format!("|{}{data_type}{constraints}", column.name));
        }
        if matches!(node.materialized.as_str(), "table" | "incremental") {
            let constraints = constraints_text("ModelLevelConstraint", self.constraints(node));
            text.push_str(&format!("{}{constraints}", node.materialized));
        }
        Some(sha256(&text))
    }

    /// The constraints of a model that are of several columns.
    fn constraints(&self, node: &Node) -> &'a [Value] {
        let properties = self.project.properties.models.get(&node.ref_key());
        properties.map_or(&[], |properties| &properties.constraints)
    }

    /// A model, seed, test or function; none for a source. `code` is its rendered text, where it was rendered.
    pub fn node(
        &self,
        node: &'a Node,
        code: Option<&'a str>,
        model_of_test: &dyn Fn(&str) -> Option<&'a Node>,
    ) -> Option<NodeJson<'a>> {
        let mut parsed = self.parsed(node);
        Some(match node.resource_type {
            ResourceType::Source | ResourceType::Exposure | ResourceType::UnitTest => return None,
            ResourceType::Seed => NodeJson::Seed(Box::new(SeedJson {
                parsed,
                root_path: self.root_of(node),
                depends_on: MacroDependsJson {
                    macros: &node.declared.macros,
                },
            })),
            ResourceType::Test => {
                let test = node.declared.test.as_deref();
                let model = test
                    .and_then(|test| test.model.as_deref())
                    .and_then(model_of_test);
                parsed.group = group(node, model).into();
                NodeJson::Test(Box::new(TestJson {
                    parsed,
                    compiled: self.compiled(node, code),
                    generic: test.map(|test| GenericJson {
                        column_name: test.column_name.as_deref(),
                        file_key_name: &test.file_key_name,
                        attached_node: model.map(|model| &model.unique_id),
                        test_metadata: test,
                    }),
                }))
            }
            ResourceType::Snapshot => NodeJson::Snapshot(Box::new(SnapshotJson {
                parsed,
                compiled: self.compiled(node, code),
            })),
            ResourceType::Function => {
                let signature = self.project.properties.functions.get(&node.name);
                NodeJson::Function(Box::new(self.function(node, parsed, code, signature)))
            }
            ResourceType::Model => NodeJson::Model(Box::new(ModelJson {
                access: (ConfigJson::of(node).get("access").cloned()).unwrap_or_default(),
                parsed,
                compiled: self.compiled(node, code),
                constraints: self.constraints(node),
                version: (node.version.as_ref())
                    .map(|version| version.v.clone())
                    .unwrap_or_default(),
                latest_version: (node.version.as_ref())
                    .map(|version| version.latest.clone())
                    .unwrap_or_default(),
                deprecation_date: deprecation_date(self.project, node)
                    .map(|date| date.to_rfc3339().into())
                    .unwrap_or_default(),
                primary_key: (self.primary_keys.get(node.ref_key().as_str()))
                    .cloned()
                    .unwrap_or_default(),
                time_spine: None,
            })),
        })
    }

    /// A hook of the project file, the `index`th of its kind. `kind` is `on-run-start` or `on-run-end`.
    pub fn operation(&self, node: &'a Node, kind: &str, index: usize) -> NodeJson<'a> {
        let mut parsed = self.parsed(node);
        parsed.config = ConfigJson::of_operation(node);
        parsed.resource_type = "operation";
        parsed.tags = Value::from(vec![kind]);
        parsed.relation_name = None;
        // dbt's is that of the file.
        parsed.checksum = of_file(self.project.file.source.text());
        parsed.original_file_path = node.original_file_path.display().to_string();
        NodeJson::Operation(Box::new(OperationJson {
            parsed,
            compiled: self.compiled(node, None),
            index,
        }))
    }

    fn function(
        &self,
        node: &'a Node,
        parsed: ParsedJson<'a>,
        code: Option<&'a str>,
        signature: Option<&'a FunctionProperties>,
    ) -> FunctionJson<'a> {
        let argument = |argument: &'a FunctionArgument| ArgumentJson {
            name: &argument.name,
            data_type: &argument.data_type,
            description: None,
            default_value: None,
        };
        FunctionJson {
            returns: ReturnsJson {
                data_type: signature.map_or("", |signature| &signature.returns),
                description: None,
            },
            parsed,
            compiled: self.compiled(node, code),
            arguments: signature.map_or_else(Vec::new, |signature| {
                signature.arguments.iter().map(argument).collect()
            }),
            overloads: [],
        }
    }

    /// A source table.
    pub fn source(&self, node: &'a Node) -> Option<SourceJson<'a>> {
        let source_name = node.source_name.as_deref()?;
        let key = (source_name.to_owned(), node.name.clone());
        let table: &SourceTable = self.project.properties.sources.get(&key)?;
        let config = ConfigJson::of(node);
        let (_, file) = self.project.package_of(&node.original_file_path);
        let file = file.display().to_string();
        let source_meta = table.configs.first().and_then(|config| config.get("meta"));
        Some(SourceJson {
            database: &node.database,
            schema: &node.schema,
            name: &node.name,
            resource_type: "source",
            package_name: &node.package_name,
            path: file.clone(),
            original_file_path: file,
            unique_id: &node.unique_id,
            fqn: &node.fqn,
            source_name,
            source_description: &node.declared.source_description,
            loader: &table.loader,
            identifier: &node.identifier,
            quoting: quoting(table.quoting.as_ref()),
            loaded_at_field: config.get("loaded_at_field").and_then(Value::as_str),
            loaded_at_query: config.get("loaded_at_query").and_then(Value::as_str),
            freshness: freshness(node.config.get("freshness")),
            external: table.external.as_ref(),
            description: &node.description,
            columns: Columns(&node.columns),
            meta: object(config.get("meta")),
            source_meta: object(source_meta.map(|(value, _)| value)),
            tags: tags(node),
            patch_path: None,
            unrendered_config: self.project.written_config(node),
            relation_name: node.relation_name(),
            created_at: self.created_at,
            unrendered_database: None,
            unrendered_schema: None,
            doc_blocks: [],
            config,
        })
    }

    /// The directory of the project that a node belongs to.
    fn root_of(&self, node: &Node) -> String {
        let mut packages = self.project.packages.iter();
        match packages.find(|package| package.file.name == node.package_name) {
            Some(package) => {
                let root = std::path::Path::new(self.root).join(&package.directory);
                root.display().to_string()
            }
            None => self.root.to_owned(),
        }
    }
}

/// A generic test is in the group of what it tests, whatever its own configuration says.
pub(super) fn group<'a>(node: &'a Node, attached: Option<&'a Node>) -> Option<&'a str> {
    attached.unwrap_or(node).group()
}

fn quoting(given: Option<&Value>) -> Value {
    let none =
        serde_json::json!({"database": null, "schema": null, "identifier": null, "column": null});
    match given {
        Some(Value::Object(given)) => completed(given, &none),
        _ => none,
    }
}

fn extension(node: &Node) -> Option<&str> {
    node.original_file_path.extension()?.to_str()
}

fn tags(node: &Node) -> Value {
    node.tags.iter().map(String::as_str).collect()
}

fn object(value: Option<&Value>) -> Value {
    match value {
        Some(value @ Value::Object(_)) => value.clone(),
        _ => Value::Object(Map::new()),
    }
}

/// The text of a generic test as dbt keeps it: its arguments are in the metadata, its configuration is a call.
fn generic_code(test: &TestMetadata) -> String {
    let macro_name = match &test.namespace {
        Some(namespace) => format!("{namespace}.test_{}", test.name),
        None => format!("test_{}", test.name),
    };
    let said: Vec<String> = (test.config.iter())
        .map(|(key, value)| match value {
            Value::String(text) => format!("{key}=\"{}\"", text.replace('"', "\\\"")),
            value => format!("{key}={}", crate::parse::python_repr(value)),
        })
        .collect();
    let mut text = format!("{{{{ {macro_name}(**_dbt_generic_test_kwargs) }}}}");
    if !said.is_empty() {
        text.push_str(&format!("{{{{ config({}) }}}}", said.join(",")));
    }
    text
}

/// Python's text of dbt's constraints.
fn constraints_text(class: &str, constraints: &[Value]) -> String {
    let one = |constraint: &Value| {
        let fields = constraint.as_object().into_iter().flatten();
        let fields: Vec<String> = fields
            .map(|(key, value)| match (key.as_str(), value.as_str()) {
                ("type", Some(kind)) => format!("type=<ConstraintType.{kind}: '{kind}'>"),
                _ => format!("{key}={}", crate::parse::python_repr(value)),
            })
            .collect();
        format!("{class}({})", fields.join(", "))
    };
    let all: Vec<String> = constraints.iter().map(one).collect();
    format!("[{}]", all.join(", "))
}

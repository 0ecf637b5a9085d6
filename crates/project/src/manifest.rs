//! The parsed project: every node with its resolved configuration, in dbt's words.

use std::cmp::Ordering;
use std::fmt;
use std::path::PathBuf;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// dbt's `resource_type.package.name`, for example `model.realtime_funnel.funnel`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UniqueId(pub String);

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a node is. Sources are declared in property files; models are files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    /// A `.sql` file under `model-paths`.
    Model,
    /// A table declared under `sources:` of a property file.
    Source,
    /// A `.csv` file under `seed-paths`.
    Seed,
    /// A data test: a `.sql` file under `test-paths`, or one of a property file.
    Test,
    /// A unit test of a property file.
    UnitTest,
    /// A user-defined function: a file under `function-paths`.
    Function,
    /// A table that keeps what a query gave earlier: a block of a file under `snapshot-paths`, or an entry of a property file.
    Snapshot,
    /// What reads the models and is not built: a dashboard, a notebook, an application; one of a property file.
    Exposure,
}

impl ResourceType {
    /// Whether something is made of it in the database.
    pub fn is_built(self) -> bool {
        matches!(
            self,
            Self::Model | Self::Seed | Self::Function | Self::Snapshot
        )
    }

    /// dbt's word, as in unique ids and selectors.
    pub fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Source => "source",
            Self::Seed => "seed",
            Self::Test => "test",
            Self::UnitTest => "unit_test",
            Self::Function => "function",
            Self::Snapshot => "snapshot",
            Self::Exposure => "exposure",
        }
    }

    /// Whether it is a test of data or of a model's logic.
    pub fn is_test(self) -> bool {
        matches!(self, Self::Test | Self::UnitTest)
    }
}

/// A version of a model that has several.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// `v`: a number or a text.
    pub v: Value,
    /// `latest_version` of the model: what `ref` means without a version.
    pub latest: Value,
}

impl Version {
    /// The version as in ids and names, without its `v`.
    pub fn text(&self) -> String {
        version_text(&self.v)
    }

    /// Whether `ref` means this one where no version is named.
    pub fn is_latest(&self) -> bool {
        self.v == self.latest
    }

    /// Before (`Less`) or after the latest one. dbt counts a version 0 as none.
    pub fn against_latest(&self) -> Ordering {
        match is_zero(&self.v) || is_zero(&self.latest) {
            true => Ordering::Equal,
            false => version_order(&self.v, &self.latest),
        }
    }

    /// The version behind a model's name, as its relation is called; none for 0, as in dbt.
    pub fn suffix(&self) -> Option<String> {
        (!is_zero(&self.v)).then(|| format!("_v{}", self.text().replace('.', "_")))
    }
}

fn is_zero(version: &Value) -> bool {
    version.as_f64() == Some(0.0) || version.as_str() == Some("")
}

/// A version as in ids and names.
pub fn version_text(version: &Value) -> String {
    match version {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// dbt's order of versions: as numbers if both are such, else as text.
pub fn version_order(a: &Value, b: &Value) -> Ordering {
    let number = |version: &Value| version_text(version).trim().parse::<f64>().ok();
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => version_text(a).cmp(&version_text(b)),
    }
}

/// What `ref` was called with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The package, if named.
    pub package: Option<String>,
    /// The model's name.
    pub name: String,
    /// The version, if named.
    pub version: Option<String>,
}

impl Reference {
    /// `name`, or `name.v1` where a version is named.
    pub fn key(&self) -> String {
        match &self.version {
            Some(version) => format!("{}.v{version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// One node of the DAG.
#[derive(Debug, Clone, Serialize)]
pub struct Node {
    /// `model.<package>.<name>` or `source.<package>.<source>.<table>`.
    pub unique_id: UniqueId,
    /// What it is.
    pub resource_type: ResourceType,
    /// The name that `ref` takes; for a source, the table's name.
    pub name: String,
    /// The name that `source` takes first; none for models.
    pub source_name: Option<String>,
    /// The project or package that declares it.
    pub package_name: String,
    /// Package, folders, name: what `path`-like selectors and folder configs match.
    pub fqn: Vec<String>,
    /// Relative to the project, for example `models/rich/users.sql`; the property file for a source.
    pub original_file_path: PathBuf,
    /// Relative to its model path, for example `rich/users.sql`.
    pub path: PathBuf,
    /// Database of the relation.
    pub database: String,
    /// Schema of the relation, after `generate_schema_name`.
    pub schema: String,
    /// Name of the relation: `alias` or the node's name.
    pub identifier: String,
    /// The materialization's name; empty for a source.
    pub materialized: String,
    /// Whether the node takes part (`enabled`).
    pub enabled: bool,
    /// `tags`, from every level, each once, in the order in which the levels name them.
    pub tags: IndexSet<String>,
    /// The resolved configuration: project file, folder, property file, then `config()` in the model.
    pub config: IndexMap<String, Value>,
    /// Description from the property file.
    pub description: String,
    /// Columns from the property file, by name.
    pub columns: IndexMap<String, Column>,
    /// The file's text; empty for a source.
    pub raw_code: String,
    /// Nodes it reads, sorted, without repetition.
    pub depends_on: Vec<UniqueId>,
    /// Which version it is of a model that has several.
    #[serde(skip)]
    pub version: Option<Version>,
    /// The property file that describes it, relative to the project; none for a node that is declared there.
    #[serde(skip)]
    pub property_file: Option<PathBuf>,
    /// What its own text says, for artifacts and for comparisons with them.
    #[serde(skip)]
    pub declared: Declared,
}

/// What a node's own text says, before anything is resolved. Sorted, without repetition.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// `ref`
    pub refs: Vec<Reference>,
    /// `source`: source and table.
    pub sources: Vec<(String, String)>,
    /// `function`
    pub functions: Vec<Reference>,
    /// Ids of the macros that the text calls itself, `macro.<package>.<name>`.
    pub macros: Vec<String>,
    /// `config()` in its file.
    pub config: IndexMap<String, Value>,
    /// The description of the source of a source table, rendered.
    pub source_description: String,
    /// What a test of a property file is.
    pub test: Option<Box<TestMetadata>>,
}

/// A generic test: `test_metadata` and its neighbours in dbt's manifest.
#[derive(Debug, Clone, Serialize)]
pub struct TestMetadata {
    /// The macro's name without `test_`.
    pub name: String,
    /// The macro's arguments; `model` and `column_name` are among them.
    pub kwargs: serde_json::Map<String, Value>,
    /// The package of the macro, where the property file names it.
    pub namespace: Option<String>,
    /// What the property file says of its configuration, rendered.
    #[serde(skip)]
    pub config: IndexMap<String, Value>,
    /// The column below which the test stands.
    #[serde(skip)]
    pub column_name: Option<String>,
    /// The list of the property file and the name below which the test stands, for example `models.orders`.
    #[serde(skip)]
    pub file_key_name: String,
    /// The name that `ref` takes of what the test is about; none for a source.
    #[serde(skip)]
    pub model: Option<String>,
}

impl Node {
    /// The name of a generic test, without `test_`; none for anything else.
    pub fn test_macro(&self) -> Option<&str> {
        Some(&self.declared.test.as_deref()?.name)
    }

    /// What names it among those that `ref` takes: its name, with its version if it has one.
    pub fn ref_key(&self) -> String {
        match &self.version {
            Some(version) => format!("{}.v{}", self.name, version.text()),
            None => self.name.clone(),
        }
    }

    /// The names under which `ref` finds it: that of a latest version finds it without the version, too.
    pub fn ref_keys(&self) -> Vec<String> {
        let mut keys = vec![self.ref_key()];
        if self.version.as_ref().is_some_and(Version::is_latest) {
            keys.push(self.name.clone());
        }
        keys
    }

    /// `group`
    pub fn group(&self) -> Option<&str> {
        self.config.get("group").and_then(Value::as_str)
    }

    /// The node's line in `ls`: its `name`, its `path`, or else what selects it.
    pub fn listed(&self, output: &str) -> String {
        match (output, self.resource_type) {
            ("path", _) => self.original_file_path.display().to_string(),
            ("name", ResourceType::Source) => {
                format!(
                    "{}.{}",
                    self.source_name.as_deref().unwrap_or_default(),
                    self.name
                )
            }
            ("name", _) => self.ref_key(),
            (_, ResourceType::Source) => format!(
                "source:{}.{}.{}",
                self.package_name,
                self.source_name.as_deref().unwrap_or_default(),
                self.name
            ),
            (_, ResourceType::Exposure) => {
                format!("exposure:{}.{}", self.package_name, self.name)
            }
            (_, ResourceType::UnitTest) => {
                format!("unit_test:{}.{}", self.package_name, self.name)
            }
            _ => self.fqn.join("."),
        }
    }

    /// `"database"."schema"."identifier"`, quoted.
    pub fn relation_name(&self) -> String {
        let quote = |part: &str| rwt_sql::Ident::new(part).quoted();
        format!(
            "{}.{}.{}",
            quote(&self.database),
            quote(&self.schema),
            quote(&self.identifier)
        )
    }
}

/// A column of a property file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Declared type, as written.
    pub data_type: Option<String>,
    /// Its description.
    pub description: String,
    /// Whether its name is always quoted.
    pub quote: bool,
    /// `meta`
    pub meta: serde_json::Map<String, Value>,
    /// `tags`
    pub tags: Vec<String>,
    /// `constraints`, as dbt's manifest has them.
    pub constraints: Vec<Value>,
}

/// All enabled nodes of the project and its packages, sorted by unique id.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Manifest {
    /// The root project's name.
    pub project_name: String,
    /// Nodes by id.
    pub nodes: IndexMap<UniqueId, Node>,
    /// Nodes that `enabled` leaves out, sorted by unique id.
    pub disabled: Vec<Node>,
}

//! The parsed project: every node with its resolved configuration, in dbt's words.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use indexmap::IndexMap;
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
    /// A user-defined function: a file under `function-paths`.
    Function,
}

impl ResourceType {
    /// Whether `rwt run` makes something of it in the database.
    pub fn is_built(self) -> bool {
        matches!(self, Self::Model | Self::Seed | Self::Function)
    }

    /// dbt's word, as in unique ids and selectors.
    pub fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Source => "source",
            Self::Seed => "seed",
            Self::Test => "test",
            Self::Function => "function",
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
    /// `tags`, from every level.
    pub tags: BTreeSet<String>,
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
}

impl Node {
    /// The name of a generic test, without `test_`; none for anything else.
    pub fn test_macro(&self) -> Option<&str> {
        let call = self.raw_code.strip_prefix("{{ ")?;
        let is_yaml = self
            .original_file_path
            .extension()
            .is_some_and(|extension| extension != "sql");
        let (name, _) = call
            .split_once('(')
            .filter(|_| self.resource_type == ResourceType::Test && is_yaml)?;
        let name = name.rsplit_once('.').map_or(name, |(_, name)| name);
        name.strip_prefix("test_")
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
            ("name", _) => self.name.clone(),
            (_, ResourceType::Source) => format!(
                "source:{}.{}.{}",
                self.package_name,
                self.source_name.as_deref().unwrap_or_default(),
                self.name
            ),
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
}

/// All enabled nodes of the project and its packages, sorted by unique id.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Manifest {
    /// The root project's name.
    pub project_name: String,
    /// Nodes by id.
    pub nodes: IndexMap<UniqueId, Node>,
}

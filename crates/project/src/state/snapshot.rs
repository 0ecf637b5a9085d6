//! The parts of a `manifest.json` (dbt's schema v12, and the versions before it back to v4) that comparisons need.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::past::PastError;

/// A manifest as it was written.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Snapshot {
    /// Who wrote it.
    #[serde(default)]
    pub metadata: Metadata,
    /// Models, seeds, snapshots and tests, by unique id.
    #[serde(default)]
    pub nodes: BTreeMap<String, SnapshotNode>,
    /// Source tables.
    #[serde(default)]
    pub sources: BTreeMap<String, SnapshotNode>,
    /// Functions.
    #[serde(default)]
    pub functions: BTreeMap<String, SnapshotNode>,
    /// Exposures.
    #[serde(default)]
    pub exposures: BTreeMap<String, SnapshotNode>,
    /// Unit tests.
    #[serde(default)]
    pub unit_tests: BTreeMap<String, SnapshotNode>,
    /// Macros.
    #[serde(default)]
    pub macros: BTreeMap<String, SnapshotMacro>,
}

/// `metadata` of an artifact.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Metadata {
    /// The address of the schema.
    #[serde(default)]
    pub dbt_schema_version: String,
    /// The root project.
    #[serde(default)]
    pub project_name: Option<String>,
}

/// A node of a manifest. What a kind of node does not have is empty.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SnapshotNode {
    /// dbt's id.
    pub unique_id: String,
    /// dbt's word.
    pub resource_type: String,
    /// The name.
    pub name: String,
    /// Package, folders, name.
    pub fqn: Vec<String>,
    /// Where it is declared.
    pub original_file_path: String,
    /// The text as written.
    pub raw_code: Option<String>,
    /// The text as rendered, where the manifest is of a command that renders.
    pub compiled_code: Option<String>,
    /// A hash of the file, or of what a unit test says.
    pub checksum: Option<Checksum>,
    /// The resolved configuration.
    pub config: IndexMap<String, Value>,
    /// The configuration as written.
    pub unrendered_config: IndexMap<String, Value>,
    /// The quoted relation.
    pub relation_name: Option<String>,
    /// Database of the relation.
    pub database: Option<String>,
    /// Schema of the relation.
    pub schema: Option<String>,
    /// Name of the relation.
    pub alias: Option<String>,
    /// Name of a source table's relation.
    pub identifier: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// Columns by name.
    pub columns: IndexMap<String, SnapshotColumn>,
    /// What it needs.
    pub depends_on: DependsOn,
    /// The contract.
    pub contract: Contract,
    /// Who may refer to it.
    pub access: Option<String>,
    /// The version that `ref` means where none is said.
    pub latest_version: Option<Value>,
    /// When it goes.
    pub deprecation_date: Option<Value>,
    /// `quoting` of a source.
    pub quoting: Value,
    /// `freshness` of a source.
    pub freshness: Value,
    /// `loaded_at_field` of a source.
    pub loaded_at_field: Option<String>,
    /// `external` of a source.
    pub external: Value,
}

/// A hash and how it was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Checksum {
    /// Of a file: `sha256`, `path` for what is too large, `none`.
    File {
        /// How.
        name: String,
        /// The hash.
        checksum: String,
    },
    /// Of a unit test.
    Text(String),
}

/// `contract` of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Contract {
    /// Whether the columns are checked.
    pub enforced: bool,
    /// A hash of columns and types.
    pub checksum: Option<String>,
}

/// `depends_on` of a node or macro.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DependsOn {
    /// Ids of nodes.
    pub nodes: Vec<String>,
    /// Ids of macros.
    pub macros: Vec<Option<String>>,
}

/// A column of a node.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SnapshotColumn {
    /// Its type.
    pub data_type: Option<String>,
    /// Its description.
    pub description: Option<String>,
}

/// A macro of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SnapshotMacro {
    /// Its package.
    pub package_name: String,
    /// Its text, from tag to tag.
    pub macro_sql: String,
    /// Macros that it calls.
    pub depends_on: DependsOn,
}

impl Snapshot {
    /// Reads a manifest.
    ///
    /// # Errors
    /// The file is not there or is no manifest.
    pub fn read(path: &Path) -> Result<Self, PastError> {
        let text = std::fs::read(path).map_err(|error| PastError::unreadable(path, &error))?;
        let snapshot: Self =
            serde_json::from_slice(&text).map_err(|error| PastError::malformed(path, &error))?;
        if snapshot.metadata.dbt_schema_version.contains("/manifest/") {
            Ok(snapshot)
        } else {
            Err(PastError::NotThis {
                path: path.display().to_string(),
                what: "a manifest",
            })
        }
    }

    /// All that a selector can choose, by unique id.
    pub fn all(&self) -> impl Iterator<Item = (&str, &SnapshotNode)> {
        [
            &self.nodes,
            &self.sources,
            &self.functions,
            &self.exposures,
            &self.unit_tests,
        ]
        .into_iter()
        .flatten()
        .map(|(id, node)| (id.as_str(), node))
        .filter(|(_, node)| node.resource_type != "operation")
    }

    /// The node of this id.
    pub fn node(&self, id: &str) -> Option<&SnapshotNode> {
        [
            &self.nodes,
            &self.sources,
            &self.functions,
            &self.exposures,
            &self.unit_tests,
        ]
        .into_iter()
        .find_map(|section| section.get(id))
    }
}

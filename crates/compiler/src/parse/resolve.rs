//! What `ref` and `source` mean while parsing, when only names are known, and afterwards.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use minijinja::{Error, Value};
use rwt_project::manifest::{Manifest, Node, Reference, ResourceType, UniqueId, Version};
use rwt_project::yaml::nearest;
use serde_json::{Value as Json, json};

use crate::jinja::{Relation, Resolve, from_json, raise};

/// The materialization that is no object of its own.
pub const EPHEMERAL: &str = "ephemeral";

/// The name of an ephemeral model's common table expression, as in dbt.
pub fn cte_name(node: &Node) -> String {
    let suffix = node.version.as_ref().and_then(Version::suffix);
    format!("__dbt__cte__{}{}", node.name, suffix.unwrap_or_default())
}

fn unknown_model<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Error {
    raise(
        "rwt::jinja::unknown_ref",
        format!("there is no model `{name}`"),
        Some(nearest(name, names).map_or_else(
            || "ref() takes the name of a model's file without .sql".to_owned(),
            |near| format!("did you mean `{near}`?"),
        )),
    )
}

fn unknown_version(name: &str, version: &str, known: &[String]) -> Error {
    raise(
        "rwt::jinja::unknown_ref",
        format!("the model `{name}` has no version {version}"),
        Some(match known {
            [] => format!("it has no versions: write ref('{name}')"),
            known => format!("its versions are: {}", known.join(", ")),
        }),
    )
}

fn unknown_source<'a>(
    source: &str,
    table: &str,
    known: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Error {
    let tables = known.clone().filter(|(name, _)| *name == source);
    let near_table = nearest(table, tables.clone().map(|(_, table)| table));
    let help = match near_table {
        Some(near) => format!("did you mean source('{source}', '{near}')?"),
        None if tables.count() > 0 => {
            format!("add the table `{table}` to the source `{source}` in a property file")
        }
        None => nearest(source, known.map(|(name, _)| name)).map_or_else(
            || "sources are declared under `sources:` of a property file".to_owned(),
            |near| format!("did you mean source('{near}', …)?"),
        ),
    };
    raise(
        "rwt::jinja::unknown_source",
        format!("there is no source `{source}` with a table `{table}`"),
        Some(help),
    )
}

fn unknown_package(package: &str, project: &str) -> Error {
    raise(
        "rwt::jinja::unknown_package",
        format!("there is no package `{package}`"),
        Some(format!("this project's name is `{project}`")),
    )
}

/// Names only: every relation is in the target's schema for now.
pub struct Names {
    /// The project's name, then its packages'.
    pub packages: Vec<String>,
    /// Where relations are shown to be.
    pub database: String,
    /// See `database`.
    pub schema: String,
    /// Models.
    pub models: BTreeSet<String>,
    /// Versions of the models that have them.
    pub versions: HashMap<String, Vec<String>>,
    /// Sources and their tables.
    pub sources: BTreeSet<(String, String)>,
}

impl Resolve for Names {
    fn reference(&self, reference: &Reference) -> Result<Value, Error> {
        let name = reference.name.as_str();
        if let Some(package) = reference
            .package
            .as_deref()
            .filter(|package| !self.packages.iter().any(|known| known == package))
        {
            return Err(unknown_package(package, &self.packages[0]));
        }
        if !self.models.contains(name) {
            return Err(unknown_model(name, self.models.iter().map(String::as_str)));
        }
        if let Some(version) = &reference.version {
            let known = self.versions.get(name).map_or(&[][..], Vec::as_slice);
            if !known.contains(version) {
                return Err(unknown_version(name, version, known));
            }
        }
        Ok(Relation::new(&self.database, &self.schema, name).value())
    }

    fn source(&self, source: &str, table: &str) -> Result<Value, Error> {
        if !self
            .sources
            .contains(&(source.to_owned(), table.to_owned()))
        {
            let known = self.sources.iter().map(|(s, t)| (s.as_str(), t.as_str()));
            return Err(unknown_source(source, table, known));
        }
        Ok(Relation::new(&self.database, source, table).value())
    }

    fn graph(&self) -> Value {
        Value::from(())
    }
}

/// Names of which none is wrong, for what is disabled.
pub struct AnyNames {
    database: String,
    schema: String,
}

impl AnyNames {
    /// With relations in the same place.
    pub fn like(names: &Names) -> Self {
        Self {
            database: names.database.clone(),
            schema: names.schema.clone(),
        }
    }
}

impl Resolve for AnyNames {
    fn reference(&self, reference: &Reference) -> Result<Value, Error> {
        Ok(Relation::new(&self.database, &self.schema, &reference.name).value())
    }

    fn source(&self, source: &str, table: &str) -> Result<Value, Error> {
        Ok(Relation::new(&self.database, source, table).value())
    }

    fn graph(&self) -> Value {
        Value::from(())
    }
}

/// A node as dbt's manifest has it, for `model` and `graph`. Configuration that nobody set has dbt's default.
pub fn node_json(node: &Node) -> Json {
    let mut value = serde_json::to_value(node).unwrap_or_default();
    let Json::Object(fields) = &mut value else {
        return value;
    };
    fields.insert("alias".to_owned(), node.identifier.as_str().into());
    fields.insert("relation_name".to_owned(), node.relation_name().into());
    fields.insert("language".to_owned(), "sql".into());
    fields.insert("raw_code".to_owned(), node.raw_code.trim_end().into());
    for (key, value) in as_macros_see(node) {
        fields.insert(key.to_owned(), value);
    }
    let version = node.version.as_ref();
    for (key, value) in [
        ("version", version.map(|version| version.v.clone())),
        (
            "latest_version",
            version.map(|version| version.latest.clone()),
        ),
    ] {
        fields.insert(key.to_owned(), value.unwrap_or_default());
    }
    fields.insert(
        "depends_on".to_owned(),
        json!({"nodes": node.depends_on, "macros": []}),
    );
    if node
        .config
        .get("incremental_strategy")
        .and_then(Json::as_str)
        == Some("microbatch")
    {
        fields.insert("batch".to_owned(), Json::Null);
    }
    if let Some(Json::Object(config)) = fields.get_mut("config") {
        let defaults = json!({
            "enabled": true, "alias": null, "schema": null, "database": null, "tags": [], "meta": {}, "group": null,
            "persist_docs": {}, "grants": {}, "quoting": {}, "column_types": {}, "packages": [], "full_refresh": null,
            "unique_key": null, "pre-hook": [], "post-hook": [], "on_schema_change": "ignore",
            "on_configuration_change": "apply", "contract": {"enforced": false, "alias_types": true},
        });
        for (key, default) in defaults.as_object().into_iter().flatten() {
            config.entry(key.clone()).or_insert_with(|| default.clone());
        }
    }
    value
}

/// What dbt has in a node's own fields, of its configuration and of what its text calls.
fn as_macros_see(node: &Node) -> [(&'static str, Json); 7] {
    let config = |key: &str| {
        node.config
            .get(key)
            .filter(|value| !value.is_null())
            .cloned()
    };
    let refs = node.declared.refs.iter().map(|reference| {
        json!({"name": reference.name, "package": reference.package, "version": reference.version})
    });
    let contract = config("contract").and_then(|contract| contract.get("enforced").cloned());
    [
        (
            "access",
            config("access").unwrap_or_else(|| "protected".into()),
        ),
        ("meta", config("meta").unwrap_or_else(|| json!({}))),
        (
            "docs",
            config("docs").unwrap_or_else(|| json!({"show": true, "node_color": null})),
        ),
        ("refs", refs.collect()),
        ("sources", json!(node.declared.sources)),
        ("metrics", json!([])),
        (
            "contract",
            json!({"enforced": contract.unwrap_or(false.into()), "alias_types": true, "checksum": null}),
        ),
    ]
}

/// The relations of a parsed project.
pub struct References {
    manifest: Arc<Manifest>,
    models: HashMap<String, UniqueId>,
    sources: HashMap<(String, String), UniqueId>,
    graph: OnceLock<Value>,
}

impl References {
    /// The relations of a manifest.
    pub fn new(manifest: &Arc<Manifest>) -> Self {
        let mut models = HashMap::new();
        let mut sources = HashMap::new();
        for (id, node) in &manifest.nodes {
            match (&node.source_name, node.resource_type) {
                (Some(source), ResourceType::Source) => {
                    sources.insert((source.clone(), node.name.clone()), id.clone());
                }
                (_, ResourceType::Test | ResourceType::UnitTest | ResourceType::Exposure) => {}
                _ => {
                    for key in node.ref_keys() {
                        models.insert(key, id.clone());
                    }
                }
            }
        }
        Self {
            manifest: Arc::clone(manifest),
            models,
            sources,
            graph: OnceLock::new(),
        }
    }

    /// The model of this name, or `name.v1`.
    pub fn model(&self, name: &str) -> Option<&Node> {
        self.manifest.nodes.get(self.models.get(name)?)
    }

    /// A node by its id.
    pub fn node(&self, id: &UniqueId) -> Option<&Node> {
        self.manifest.nodes.get(id)
    }

    /// The source table of these names.
    pub fn source_id(&self, key: &(String, String)) -> Option<&UniqueId> {
        self.sources.get(key)
    }

    /// The relation of a node as templates see it: what it is in the database is not known there, as in dbt.
    pub fn relation(node: &Node) -> Relation {
        if node.materialized == EPHEMERAL {
            return Relation::cte(&cte_name(node));
        }
        Relation::new(&node.database, &node.schema, &node.identifier)
    }

    /// The same with the kind that its materialization makes, if it is a built-in one.
    pub fn built_relation(node: &Node) -> Relation {
        let relation = Self::relation(node);
        match object_kind(&node.materialized) {
            Some(kind) => relation.of_kind(kind),
            None => relation,
        }
    }
}

/// The kind of object that a built-in materialization makes.
pub fn object_kind(materialized: &str) -> Option<&'static str> {
    Some(match materialized {
        "source" => "source",
        "table" | "table_with_connector" | "incremental" | "seed" | "snapshot" => "table",
        "function" => "function",
        "view" => "view",
        "materialized_view" | "materializedview" => "materialized_view",
        "sink" => "sink",
        "connection" => "connection",
        "secret" => "secret",
        "subscription" => "subscription",
        _ => return None,
    })
}

impl Resolve for References {
    fn reference(&self, reference: &Reference) -> Result<Value, Error> {
        let name = reference.name.as_str();
        self.model(&reference.key())
            .map(|node| Self::relation(node).value())
            .ok_or_else(|| unknown_model(name, self.models.keys().map(String::as_str)))
    }

    fn source(&self, source: &str, table: &str) -> Result<Value, Error> {
        let id = self.sources.get(&(source.to_owned(), table.to_owned()));
        id.and_then(|id| self.manifest.nodes.get(id))
            .map(|node| Relation::new(&node.database, &node.schema, &node.identifier).value())
            .ok_or_else(|| {
                let known = self.sources.keys().map(|(s, t)| (s.as_str(), t.as_str()));
                unknown_source(source, table, known)
            })
    }

    fn graph(&self) -> Value {
        let build = || {
            let mut nodes = serde_json::Map::new();
            let mut sources = serde_json::Map::new();
            let mut exposures = serde_json::Map::new();
            let mut functions = serde_json::Map::new();
            for (id, node) in &self.manifest.nodes {
                let value = node_json(node);
                match node.resource_type {
                    ResourceType::UnitTest => None,
                    ResourceType::Source => sources.insert(id.0.clone(), value),
                    ResourceType::Exposure => exposures.insert(id.0.clone(), value),
                    ResourceType::Function => functions.insert(id.0.clone(), value),
                    _ => nodes.insert(id.0.clone(), value),
                };
            }
            // The keys of dbt's, also of what rwt has none of: macros walk them.
            from_json(&serde_json::json!({
                "exposures": exposures, "functions": functions, "groups": {}, "metrics": {}, "nodes": nodes,
                "sources": sources, "semantic_models": {}, "saved_queries": {}, "unit_tests": {},
            }))
        };
        self.graph.get_or_init(build).clone()
    }
}

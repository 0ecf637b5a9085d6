//! `manifest.json`, version 12 (<https://schemas.getdbt.com/dbt/manifest/v12.json>).

use std::collections::{BTreeMap, HashMap};

use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_project::state::Snapshot;
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::exposure::{exposure, groups};
use super::macros::{docs, macros};
use super::metadata::{Invocation, Metadata, time};
use super::node::{Around, NodeJson, group};
use super::primary_key::primary_keys;
use crate::checksum::md5;
use crate::compile::CompiledNode;
use crate::compiler::{Compiler, When};
use crate::error::CompileError;

/// The manifest of a parsed project; serialise it to write it. What was rendered comes along.
pub struct ManifestArtifact<'a> {
    compiler: &'a Compiler,
    invocation: Invocation,
    code: HashMap<&'a str, &'a str>,
    root: String,
    /// Hooks of the project files, with their kinds and places.
    hooks: Vec<(Node, When, usize)>,
}

impl std::fmt::Debug for ManifestArtifact<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManifestArtifact")
            .field("rendered", &self.code.len())
            .finish_non_exhaustive()
    }
}

impl Compiler {
    /// `manifest.json`. The texts of `compiled` nodes come along.
    pub fn artifact<'a>(&'a self, compiled: &'a [CompiledNode]) -> ManifestArtifact<'a> {
        let root = &self.project().root;
        let root = root.canonicalize().unwrap_or_else(|_| root.clone());
        ManifestArtifact {
            compiler: self,
            invocation: self.invocation(),
            code: (compiled.iter())
                .map(|node| (node.unique_id.0.as_str(), node.compiled_code.as_str()))
                .collect(),
            root: root.display().to_string(),
            hooks: self.hook_nodes(),
        }
    }

    /// The manifest as comparisons see it.
    ///
    /// # Errors
    /// None that a project could cause.
    pub fn snapshot(&self, compiled: &[CompiledNode]) -> Result<Snapshot, CompileError> {
        let as_json = |error: serde_json::Error| CompileError::from(std::io::Error::from(error));
        let text = serde_json::to_vec(&self.artifact(compiled)).map_err(as_json)?;
        serde_json::from_slice(&text).map_err(as_json)
    }
}

#[derive(Serialize)]
struct ManifestMetadata<'a> {
    #[serde(flatten)]
    common: Metadata<'a>,
    project_name: &'a str,
    project_id: String,
    user_id: Option<&'a str>,
    send_anonymous_usage_stats: bool,
    adapter_type: &'static str,
    quoting: Value,
    run_started_at: String,
}

/// Pairs as a mapping.
struct Pairs<F>(F);

impl<K: Serialize, V: Serialize, I: Iterator<Item = (K, V)>, F: Fn() -> I> Serialize for Pairs<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in (self.0)() {
            map.serialize_entry(&key, &value)?;
        }
        map.end()
    }
}

impl<'a> ManifestArtifact<'a> {
    fn metadata(&self) -> ManifestMetadata<'_> {
        let name = self.compiler.project().name();
        ManifestMetadata {
            common: self.invocation.metadata("manifest/v12"),
            project_name: name,
            project_id: md5(name),
            user_id: None,
            send_anonymous_usage_stats: false,
            adapter_type: "risingwave",
            quoting: serde_json::json!({"database": true, "schema": true, "identifier": true, "column": null}),
            run_started_at: time(self.invocation.started_at),
        }
    }

    /// Nodes and what they need, hooks among them.
    fn edges(&self) -> impl Iterator<Item = (&str, &[UniqueId])> {
        let hooks = self.hooks.iter().map(|(node, ..)| node);
        (self.compiler.manifest().nodes.values())
            .chain(hooks)
            .map(|node| (node.unique_id.0.as_str(), node.depends_on.as_slice()))
    }

    fn children(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut children: BTreeMap<&str, Vec<&str>> =
            self.edges().map(|(id, _)| (id, Vec::new())).collect();
        for (id, parents) in self.edges() {
            for parent in parents {
                if let Some(found) = children.get_mut(parent.0.as_str()) {
                    found.push(id);
                }
            }
        }
        for found in children.values_mut() {
            found.sort_unstable();
        }
        children
    }

    /// `group_map`: the nodes of each group.
    fn groups(&self, models: &HashMap<String, &'a Node>) -> BTreeMap<&str, Vec<&str>> {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for node in self.compiler.manifest().nodes.values() {
            let test = node.declared.test.as_deref();
            let attached = test.and_then(|test| models.get(test.model.as_deref()?));
            if let Some(group) = group(node, attached.copied()) {
                groups.entry(group).or_default().push(&node.unique_id.0);
            }
        }
        groups
    }

    /// What a generic test can be attached to, by the names that `ref` takes.
    fn models(&self) -> HashMap<String, &'a Node> {
        let nodes = self.compiler.manifest().nodes.values();
        let models = nodes.filter(|node| {
            matches!(
                node.resource_type,
                ResourceType::Model
                    | ResourceType::Seed
                    | ResourceType::Function
                    | ResourceType::Snapshot
            )
        });
        models
            .flat_map(|node| node.ref_keys().into_iter().map(move |key| (key, node)))
            .collect()
    }
}

impl Serialize for ManifestArtifact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let compiler = self.compiler;
        let manifest = compiler.manifest();
        let around = Around {
            project: compiler.project(),
            root: &self.root,
            created_at: seconds(&self.invocation),
            primary_keys: primary_keys(manifest),
        };
        let models = self.models();
        let model = |name: &str| models.get(name).copied();
        let code = |node: &Node| self.code.get(node.unique_id.0.as_str()).copied();
        let of = |is_function: bool| {
            let (around, model) = (&around, &model);
            move || {
                (manifest.nodes.values())
                    .filter(move |node| {
                        (node.resource_type == ResourceType::Function) == is_function
                    })
                    .filter_map(move |node| {
                        Some((&node.unique_id.0, around.node(node, code(node), model)?))
                    })
            }
        };
        let nodes = || {
            let hooks = self.hooks.iter().map(|(node, when, index)| {
                let json: NodeJson<'_> = around.operation(node, when.key(), *index);
                (&node.unique_id.0, json)
            });
            of(false)().chain(hooks)
        };
        let sources = || {
            (manifest.nodes.values())
                .filter_map(|node| Some((&node.unique_id.0, around.source(node)?)))
        };
        let disabled = || {
            manifest.disabled.iter().filter_map(|node| {
                let json = match node.resource_type {
                    ResourceType::Source => serde_json::to_value(around.source(node)?),
                    ResourceType::Exposure => {
                        serde_json::to_value(exposure(compiler.project(), node, around.created_at)?)
                    }
                    ResourceType::UnitTest => {
                        serde_json::to_value(compiler.unit_test_json(node, around.created_at)?)
                    }
                    _ => serde_json::to_value(around.node(node, None, &model)?),
                };
                Some((&node.unique_id.0, [json.ok()?]))
            })
        };
        let exposures = || {
            manifest.nodes.values().filter_map(|node| {
                let exposure = exposure(compiler.project(), node, around.created_at)?;
                Some((&node.unique_id.0, exposure))
            })
        };
        let unit_tests = || {
            manifest.nodes.values().filter_map(|node| {
                let test = compiler.unit_test_json(node, around.created_at)?;
                Some((&node.unique_id.0, test))
            })
        };
        let parents = || self.edges();
        let none = Map::new();
        let mut out = serializer.serialize_struct("manifest", 17)?;
        out.serialize_field("metadata", &self.metadata())?;
        out.serialize_field("nodes", &Pairs(nodes))?;
        out.serialize_field("sources", &Pairs(sources))?;
        out.serialize_field(
            "macros",
            &macros(compiler.project(), compiler.macros(), around.created_at),
        )?;
        out.serialize_field("docs", &docs(compiler.project()))?;
        out.serialize_field("exposures", &Pairs(exposures))?;
        out.serialize_field("metrics", &none)?;
        out.serialize_field("groups", &groups(compiler.project()))?;
        out.serialize_field("selectors", &none)?;
        out.serialize_field("disabled", &Pairs(disabled))?;
        out.serialize_field("parent_map", &Pairs(parents))?;
        out.serialize_field("child_map", &self.children())?;
        out.serialize_field("group_map", &self.groups(&models))?;
        out.serialize_field("saved_queries", &none)?;
        out.serialize_field("semantic_models", &none)?;
        out.serialize_field("unit_tests", &Pairs(unit_tests))?;
        out.serialize_field("functions", &Pairs(of(true)))?;
        out.end()
    }
}

/// dbt's `created_at`.
#[allow(
    clippy::cast_precision_loss,
    reason = "microseconds since 1970 fit into 52 bits"
)]
fn seconds(invocation: &Invocation) -> f64 {
    invocation.started_at.timestamp_micros() as f64 / 1e6
}

//! Source tables as nodes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::resolve;
use super::load::Project;
use super::properties::{PropertyConfig, SourceTable};
use crate::manifest::{Declared, Node, ResourceType, UniqueId};

impl Project {
    /// The enabled and disabled tables of all sources, as nodes, in the order declared.
    pub fn source_nodes(&self) -> Vec<Node> {
        let tables = self.properties.sources.values();
        tables.map(|table| self.source_node(table)).collect()
    }

    fn source_node(&self, table: &SourceTable) -> Node {
        let package = self.package_of(&table.file).0;
        let fqn = source_fqn(package, table);
        let mut config = resolve(
            &self.trees(&fqn, |file| file.sources.as_ref()),
            &fqn,
            None,
            &Default::default(),
        );
        // As in dbt, a property file says alone what column tells when rows were loaded.
        for key in ["loaded_at_field", "loaded_at_query"] {
            config.values.shift_remove(key);
        }
        for (key, (value, _)) in table.configs.iter().flatten() {
            config.lay(key, value.clone());
        }
        if let Some(freshness) = freshness(&table.configs) {
            config.values.insert("freshness".to_owned(), freshness);
        }
        if let Some(Value::Object(given)) = config.values.get_mut("freshness") {
            let none = serde_json::json!({"count": null, "period": null});
            for (key, default) in [
                ("warn_after", &none),
                ("error_after", &none),
                ("filter", &Value::Null),
            ] {
                given.entry(key).or_insert_with(|| default.clone());
            }
        }
        Node {
            unique_id: UniqueId(format!(
                "source.{package}.{}.{}",
                table.source_name, table.name
            )),
            resource_type: ResourceType::Source,
            name: table.name.clone(),
            source_name: Some(table.source_name.clone()),
            package_name: package.to_owned(),
            fqn,
            original_file_path: table.file.clone(),
            path: inner_path(&table.file, &self.file.model_paths),
            database: table
                .database
                .clone()
                .unwrap_or_else(|| self.target.database.clone()),
            schema: table.schema.clone(),
            identifier: table.identifier.clone(),
            materialized: String::new(),
            enabled: config.enabled(),
            tags: {
                let mut tags = config.tags();
                tags.sort();
                tags
            },
            config: config.values,
            description: table.description.clone(),
            columns: table.columns.clone(),
            raw_code: String::new(),
            depends_on: Vec::new(),
            version: None,
            property_file: None,
            declared: Declared {
                source_description: table.source_description.clone(),
                ..Declared::default()
            },
        }
    }
}

/// `freshness` of a source and of its table: each limit of the table's in place of the source's, and none at all where the
/// table says null.
fn freshness(levels: &[PropertyConfig]) -> Option<Value> {
    let given = levels.iter().filter_map(|level| level.get("freshness"));
    given
        .map(|(value, _)| value.clone())
        .reduce(|before, own| match (before, own) {
            (Value::Object(mut all), Value::Object(own)) => {
                for (key, value) in own {
                    let is_whole = |value: &Value| {
                        ["count", "period"]
                            .iter()
                            .all(|part| value.get(part).is_some())
                    };
                    if !value.is_object() || is_whole(&value) {
                        all.insert(key, value);
                    }
                }
                Value::Object(all)
            }
            (_, own) => own,
        })
}

/// Package, folders, source, table.
pub(super) fn source_fqn(package: &str, table: &SourceTable) -> Vec<String> {
    let ends = [&table.source_name, &table.name];
    std::iter::once(package)
        .chain(table.folders.iter().map(String::as_str))
        .chain(ends.into_iter().map(String::as_str))
        .map(str::to_owned)
        .collect()
}

fn inner_path(file: &Path, bases: &[PathBuf]) -> PathBuf {
    bases
        .iter()
        .find_map(|base| file.strip_prefix(base).ok())
        .unwrap_or(file)
        .to_path_buf()
}

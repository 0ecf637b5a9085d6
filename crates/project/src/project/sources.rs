//! Source tables as nodes.

use std::path::{Path, PathBuf};

use super::config::resolve;
use super::load::Project;
use super::properties::SourceTable;
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
        for (key, (value, _)) in table.configs.iter().flatten() {
            config.lay(key, value.clone());
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
            tags: config.tags(),
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

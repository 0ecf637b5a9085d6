//! Seeds, functions and snapshots as nodes.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;
use rwt_project::manifest::{Declared, Node, ResourceType, UniqueId};
use rwt_project::project::{ModelProperties, NodeFile, ResolvedConfig};
use serde_json::Value as Json;

use super::config_types::Configured;
use super::{Parsed, Parser};
use crate::error::{CompileError, NodeName};
use crate::jinja::{Captured, NodeScope, Phase, Relation, Scope, TemplateError, from_json};

impl Parser<'_> {
    /// A seed, which is a CSV file; a function, whose text is its body; a snapshot, whose text is its query.
    pub(super) fn file(
        &self,
        file: &NodeFile,
        resource_type: ResourceType,
    ) -> Result<Parsed, CompileError> {
        let all = &self.project.properties;
        let properties = match resource_type {
            ResourceType::Function => all.functions.get(&file.name).map(|found| &found.node),
            ResourceType::Snapshot => all.snapshots.get(&file.name),
            _ => all.seeds.get(&file.name),
        };
        let own = property_values(properties);
        let project = &self.project;
        let mut config = project.resolve_file_config(resource_type, &file.fqn, &own);
        let word = resource_type.word();
        let package = file.fqn.first().cloned().unwrap_or_default();
        let id = UniqueId(format!("{word}.{package}.{}", file.name));
        let name = NodeName {
            unique_id: &id,
            name: &file.name,
            original_file_path: &file.original_file_path,
        };
        let failed = |error: TemplateError| CompileError::template(error, Some(name));
        let mut scope = Scope::new(Arc::clone(&self.shared), Phase::Parse, self.names.clone());
        scope.node = Some(NodeScope {
            unique_id: id.0.clone(),
            name: file.name.clone(),
            package: package.clone(),
            materialized: word.to_owned(),
            this: Relation::new(
                &self.shared.default_database,
                &self.shared.default_schema,
                &file.name,
            ),
            model: Value::UNDEFINED,
        });
        scope.config = Arc::new(config.values.clone());
        let (captured, scope) = if resource_type != ResourceType::Seed {
            let template = file_template(file, resource_type);
            let (_, scope) = self.jinja.render(&template, scope).map_err(failed)?;
            (scope.captured(), scope)
        } else {
            (Captured::default(), Arc::new(scope))
        };
        for (key, value) in &captured.config {
            config.lay(key, value.clone());
        }
        let configured = Configured {
            what: word,
            name: &file.name,
            property: properties.map(|properties| &properties.config),
            file: &file.file,
        };
        self.check_config(&configured, &config).map_err(failed)?;
        let materialized = match config.text("materialized") {
            Some(own) => own.to_owned(),
            None => word.to_owned(),
        };
        config
            .values
            .entry("materialized".to_owned())
            .or_insert_with(|| Json::from(materialized.as_str()));
        let node = serde_json::json!({
            "unique_id": id.0, "resource_type": word, "name": file.name, "fqn": file.fqn, "package_name": package,
            "config": config.values,
        });
        let mut naming = self
            .name(
                |key| config.text(key).map(str::to_owned),
                &file.name,
                &|| from_json(&node),
            )
            .map_err(failed)?;
        if resource_type == ResourceType::Snapshot {
            check_snapshot(file, &config).map_err(failed)?;
            complete_columns(&mut config);
            let own = |key: &str| config.text(key).map(str::to_owned);
            naming.database = own("target_database").unwrap_or(naming.database);
            naming.schema = own("target_schema").unwrap_or(naming.schema);
        }
        let description = properties.map_or("", |p| p.description.as_str());
        let description = self.described(description, &scope).map_err(failed)?;
        let columns = self.described_columns(properties, &scope).map_err(failed)?;
        Ok(Parsed {
            node: Node {
                unique_id: id.clone(),
                resource_type,
                name: file.name.clone(),
                source_name: None,
                package_name: package,
                fqn: file.fqn.clone(),
                original_file_path: file.original_file_path.clone(),
                path: file.path.clone(),
                database: naming.database,
                schema: naming.schema,
                identifier: naming.identifier,
                materialized,
                enabled: config.enabled(),
                tags: config.tags(),
                config: config.values,
                description,
                columns,
                raw_code: match resource_type {
                    ResourceType::Seed => String::new(),
                    _ => file.file.text().to_owned(),
                },
                depends_on: Vec::new(),
                version: None,
                property_file: properties.map(|p| p.at.file().path().to_path_buf()),
                declared: Declared::default(),
            },
            captured,
            warnings: Vec::new(),
        })
    }
}

/// The name under which the text of a function or snapshot is kept; several snapshots share a file.
pub(crate) fn file_template(file: &NodeFile, kind: ResourceType) -> String {
    node_template(&file.original_file_path, &file.name, kind)
}

/// The same for a node that was made of one.
pub(crate) fn node_template(path: &Path, name: &str, kind: ResourceType) -> String {
    match kind {
        ResourceType::Snapshot => format!("{} {name}", path.display()),
        _ => path.display().to_string(),
    }
}

/// `snapshot_meta_column_names` as dbt keeps it: every column, null where nothing is said.
fn complete_columns(config: &mut ResolvedConfig) {
    let mut all = serde_json::json!({
        "dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null, "dbt_updated_at": null,
        "dbt_is_deleted": null,
    });
    const KEY: &str = "snapshot_meta_column_names";
    if let (Some(all), Some(Json::Object(own))) = (all.as_object_mut(), config.values.get(KEY)) {
        all.extend(own.clone());
    }
    config.values.insert(KEY.to_owned(), all);
}

/// dbt's rules for the configuration of a snapshot.
fn check_snapshot(file: &NodeFile, config: &ResolvedConfig) -> Result<(), TemplateError> {
    let given = |key: &str| {
        let value = config.values.get(key).filter(|value| !value.is_null());
        value.filter(|value| value.as_str() != Some(""))
    };
    let strategy = config.text("strategy").unwrap_or_default();
    let wrong = match (strategy, given("check_cols"), given("updated_at")) {
        _ if given("strategy").is_none() || given("unique_key").is_none() => {
            "Snapshots must be configured with a 'strategy' and 'unique_key'."
        }
        ("check", None, _) => {
            "A snapshot configured with the check strategy must specify a check_cols configuration."
        }
        ("check", Some(Json::String(text)), _) if text != "all" => {
            "Invalid value for 'check_cols'. Expected 'all' or a list of strings."
        }
        ("timestamp", _, None) => {
            "A snapshot configured with the timestamp strategy must specify an updated_at configuration."
        }
        ("timestamp", Some(_), _) => "A 'timestamp' snapshot should not have 'check_cols'",
        _ if config.materialized() != "snapshot" => {
            "A snapshot must have a materialized value of 'snapshot'"
        }
        _ => return Ok(()),
    };
    Err(TemplateError::at(
        "rwt::compile::snapshot",
        format!("snapshot {}: {wrong}", file.name),
        Some(
            "for example config(strategy='timestamp', unique_key='id', updated_at='changed_at')"
                .to_owned(),
        ),
        &file.file,
        0..0,
    ))
}

fn property_values(properties: Option<&ModelProperties>) -> IndexMap<String, Json> {
    let config = properties.into_iter().flat_map(|p| &p.config);
    config
        .map(|(key, (value, _))| (key.clone(), value.clone()))
        .collect()
}

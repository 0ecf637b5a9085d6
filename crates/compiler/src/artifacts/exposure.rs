//! Exposures and groups in the manifest.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use rwt_project::Project;
use rwt_project::manifest::{Node, Reference, ResourceType, UniqueId};
use serde::Serialize;
use serde_json::{Value, json};

use super::config::ConfigJson;

/// An exposure.
#[derive(Debug, Serialize)]
pub(super) struct ExposureJson<'a> {
    name: &'a str,
    resource_type: &'static str,
    package_name: &'a str,
    path: String,
    original_file_path: String,
    unique_id: &'a UniqueId,
    fqn: &'a [String],
    #[serde(rename = "type")]
    kind: &'a str,
    owner: &'a Value,
    description: &'a str,
    label: Option<&'a str>,
    maturity: Option<&'a str>,
    meta: Value,
    tags: Value,
    config: ConfigJson<'a>,
    unrendered_config: IndexMap<String, Value>,
    url: Option<&'a str>,
    depends_on: Value,
    refs: Vec<Value>,
    sources: &'a [(String, String)],
    metrics: [&'static str; 0],
    created_at: f64,
}

/// A group.
#[derive(Debug, Serialize)]
pub(super) struct GroupJson<'a> {
    name: &'a str,
    resource_type: &'static str,
    package_name: &'a str,
    path: String,
    original_file_path: String,
    unique_id: String,
    owner: &'a Value,
    description: Option<&'a str>,
    config: Value,
}

/// An exposure; none for any other node.
pub(super) fn exposure<'a>(
    project: &'a Project,
    node: &'a Node,
    created_at: f64,
) -> Option<ExposureJson<'a>> {
    if node.resource_type != ResourceType::Exposure {
        return None;
    }
    let declared = project.properties.exposures.get(&node.name)?;
    let config = ConfigJson::of(node);
    let (_, file) = project.package_of(&node.original_file_path);
    let reference = |reference: &Reference| json!({"name": reference.name, "package": reference.package, "version": reference.version});
    Some(ExposureJson {
        name: &node.name,
        resource_type: "exposure",
        package_name: &node.package_name,
        path: node.path.display().to_string(),
        original_file_path: file.display().to_string(),
        unique_id: &node.unique_id,
        fqn: &node.fqn,
        kind: &declared.kind,
        owner: &declared.owner,
        description: &node.description,
        label: declared.label.as_deref(),
        maturity: declared.maturity.as_deref(),
        meta: config.get("meta").cloned().unwrap_or_default(),
        tags: node.tags.iter().map(String::as_str).collect(),
        config,
        unrendered_config: project.written_config(node),
        url: declared.url.as_deref(),
        depends_on: json!({"macros": [], "nodes": node.depends_on}),
        refs: node.declared.refs.iter().map(reference).collect(),
        sources: &node.declared.sources,
        metrics: [],
        created_at,
    })
}

/// All groups by id.
pub(super) fn groups(project: &Project) -> BTreeMap<String, GroupJson<'_>> {
    let groups = project.properties.groups.values();
    groups
        .map(|group| {
            let (package, file) = project.package_of(group.at.file().path());
            let unique_id = format!("group.{package}.{}", group.name);
            let meta = group.config.get("meta").map(|(value, _)| value.clone());
            let file = file.display().to_string();
            let json = GroupJson {
                name: &group.name,
                resource_type: "group",
                package_name: package,
                path: file.clone(),
                original_file_path: file,
                unique_id: unique_id.clone(),
                owner: &group.owner,
                description: Some(group.description.as_str()).filter(|text| !text.is_empty()),
                config: json!({"meta": meta.unwrap_or_else(|| json!({}))}),
            };
            (unique_id, json)
        })
        .collect()
}

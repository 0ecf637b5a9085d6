//! Exposures and groups of property files: what reads the models, and whose they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::map::Entry as Slot;
use serde_json::Value;

use super::config::resolve;
use super::load::Project;
use super::properties::{PropertyConfig, Reader, required_name, text, twice};
use crate::manifest::{Declared, Node, ResourceType, UniqueId};
use crate::yaml::{Fields, Location, Warning, Yaml};

/// A dashboard, notebook, analysis, application or model of somebody else that reads the project's nodes.
#[derive(Debug, Clone)]
pub struct Exposure {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub at: Location,
    /// The property file, relative to the project.
    pub file: PathBuf,
    /// Folders below the model path in which the property file lies.
    pub folders: Vec<String>,
    /// `label`: the name for people.
    pub label: Option<String>,
    /// `type`: `dashboard`, `notebook`, `analysis`, `ml` or `application`.
    pub kind: String,
    /// `maturity`: `low`, `medium` or `high`.
    pub maturity: Option<String>,
    /// `url`
    pub url: Option<String>,
    /// `description`, with its Jinja unrendered.
    pub description: String,
    /// `depends_on`: `ref(…)`, `source(…)` or `metric(…)`, and where each stands.
    pub depends_on: Vec<(String, Location)>,
    /// `owner`: `name`, `email` and whatever else.
    pub owner: Value,
    /// `config`, `tags` and `meta`.
    pub config: PropertyConfig,
    /// Whether `config` has tags, which then stand in the place of those of the project file.
    pub replaces_tags: bool,
}

/// Who owns models.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub at: Location,
    /// `description`
    pub description: String,
    /// `owner`
    pub owner: Value,
    /// `config`
    pub config: PropertyConfig,
}

/// dbt's types of exposures.
const KINDS: [&str; 5] = ["dashboard", "notebook", "analysis", "ml", "application"];

impl Reader<'_> {
    pub(super) fn group(&mut self, fields: Fields<'_>) {
        let Some((name, at)) = required_name(&fields, "the group's name") else {
            return;
        };
        let Some(owner) = owner(&fields) else {
            return;
        };
        let group = Group {
            at: at.clone(),
            description: text(&fields, "description"),
            owner,
            config: self.config(&fields),
            name: name.clone(),
        };
        fields.finish(self.warnings);
        match self.properties.groups.entry(name) {
            Slot::Vacant(slot) => {
                slot.insert(group);
            }
            Slot::Occupied(slot) => {
                let error = twice("the group", &group.name, &slot.get().at, &group.at);
                self.errors.push(error);
            }
        }
    }

    pub(super) fn exposure(&mut self, fields: Fields<'_>) {
        let Some((name, at)) = required_name(&fields, "the exposure's name") else {
            return;
        };
        let Some(owner) = owner(&fields) else {
            return;
        };
        let Some((kind, kind_at)) = fields.text(&["type"]) else {
            fields.missing("type", &format!("one of {}", KINDS.join(", ")));
            return;
        };
        if !KINDS.contains(&kind.as_str()) {
            let near = crate::yaml::nearest(&kind, KINDS);
            let help = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let expected = format!("one of {}{help}", KINDS.join(", "));
            let value = Yaml::from_value(Value::String(kind), kind_at);
            fields.wrong("type", &expected, &value);
            return;
        }
        let optional = |key: &'static str| fields.text(&[key]).map(|(text, _)| text);
        let file = at.file().path().to_path_buf();
        let depends_on = fields.texts("depends_on").unwrap_or_default();
        let exposure = Exposure {
            at: at.clone(),
            folders: self.folders(&file),
            file,
            label: optional("label"),
            kind,
            maturity: optional("maturity"),
            url: optional("url"),
            description: text(&fields, "description"),
            depends_on: depends_on
                .into_iter()
                .map(|(text, at)| (text, at.clone()))
                .collect(),
            owner,
            replaces_tags: fields
                .value("config")
                .is_some_and(|config| config.get("tags").or(config.get("+tags")).is_some()),
            config: self.config(&fields),
            name: name.clone(),
        };
        fields.known(&["version"]);
        fields.finish(self.warnings);
        match self.properties.exposures.entry(name) {
            Slot::Vacant(slot) => {
                slot.insert(exposure);
            }
            Slot::Occupied(slot) => {
                let error = twice("the exposure", &exposure.name, &slot.get().at, &exposure.at);
                self.errors.push(error);
            }
        }
    }

    /// Says once per file and section what is not read.
    pub(super) fn not_supported(&mut self, fields: &Fields<'_>) {
        for section in ["metrics", "semantic_models", "saved_queries"] {
            let Some((_, entry)) = fields.any(&[section]) else {
                continue;
            };
            let at = &entry.key;
            self.warnings.push(Warning::NotSupported {
                path: at.file().path().display().to_string(),
                section: section.to_owned(),
                file: Arc::clone(at.file()),
                at: at.span(),
            });
        }
    }
}

/// `owner`, which has a name or an address.
fn owner(fields: &Fields<'_>) -> Option<Value> {
    let help = "`owner: {name: …}` or `owner: {email: …}`";
    let Some(yaml) = fields.value("owner") else {
        fields.missing("owner", help);
        return None;
    };
    let owner = fields.map("owner")?;
    if owner.value("name").is_none() && owner.value("email").is_none() {
        owner.missing("name", help);
        return None;
    }
    Some(yaml.to_value())
}

impl Project {
    /// Exposures as nodes, in the order declared, what they read not among it yet.
    pub fn exposure_nodes(&self) -> Vec<Node> {
        let exposures = self.properties.exposures.values();
        exposures
            .map(|exposure| self.exposure_node(exposure))
            .collect()
    }

    fn exposure_node(&self, exposure: &Exposure) -> Node {
        let package = self.package_of(&exposure.file).0;
        let fqn: Vec<String> = std::iter::once(package.to_owned())
            .chain(exposure.folders.iter().cloned())
            .chain(std::iter::once(exposure.name.clone()))
            .collect();
        let trees = self.trees(&fqn, |file| file.exposures.as_ref());
        let mut config = resolve(&trees, &fqn, None, &Default::default());
        if exposure.replaces_tags {
            config.values.shift_remove("tags");
        }
        for (key, (value, _)) in &exposure.config {
            config.lay(key, value.clone());
        }
        let bases = self.file.model_paths.iter();
        let path = bases
            .filter_map(|base| exposure.file.strip_prefix(base).ok())
            .next()
            .unwrap_or_else(|| Path::new(&exposure.file));
        Node {
            unique_id: UniqueId(format!("exposure.{package}.{}", exposure.name)),
            resource_type: ResourceType::Exposure,
            name: exposure.name.clone(),
            source_name: None,
            package_name: package.to_owned(),
            fqn,
            original_file_path: exposure.file.clone(),
            path: path.to_path_buf(),
            database: String::new(),
            schema: String::new(),
            identifier: String::new(),
            materialized: String::new(),
            enabled: config.enabled(),
            tags: config.tags(),
            config: config.values,
            description: exposure.description.clone(),
            columns: Default::default(),
            raw_code: String::new(),
            depends_on: Vec::new(),
            version: None,
            property_file: None,
            declared: Declared::default(),
        }
    }
}

//! Models that have several versions: `versions:` of a property file, each with a file of its own
//! (dbt-core 1.12, `ModelPatchParser.parse_patch`).

use std::sync::Arc;

use serde_json::Value;

use super::data_tests::{TestTarget, tests_of};
use super::discover::{ModelFile, nearest_model};
use super::properties::{
    ModelProperties, Properties, PropertyConfig, Reader, constraints, deprecation_date,
    required_name, text,
};
use crate::manifest::{Version, version_order, version_text};
use crate::yaml::{Fields, Kind, Location, Warning, Yaml};

impl Reader<'_> {
    /// Reads a model with `versions`: what is said about each is what is said about the model, and what the version says
    /// over it.
    pub(super) fn versioned_model(&mut self, fields: Fields<'_>) {
        let Some((name, _)) = required_name(&fields, "the model's name, without the version")
        else {
            return;
        };
        let description = text(&fields, "description");
        let config = self.config(&fields);
        fields.known(&["deprecation_date", "time_spine"]);
        let shared_constraints = constraints(&fields, true);
        let mut versions: Vec<(Fields<'_>, Value, &Location)> = Vec::new();
        for entry in fields.maps("versions") {
            match entry.any(&["v"]) {
                Some((_, found)) => match found.value.to_value() {
                    v @ (Value::Number(_) | Value::String(_)) => {
                        versions.push((entry, v, &found.value.at));
                    }
                    _ => entry.wrong("v", "a number or a text", &found.value),
                },
                None => entry.missing("v", "a version has a number or a name: `- v: 1`"),
            }
        }
        let latest = self.latest(&fields, &name, &versions);
        let Some(latest) = latest else {
            return;
        };
        for (index, (entry, v, at)) in versions.into_iter().enumerate() {
            let version = Version {
                v,
                latest: latest.clone(),
            };
            let number = version.text();
            let target = match version.suffix() {
                Some(_) => TestTarget::Version(name.clone(), number.clone()),
                None => TestTarget::Ref(name.clone()),
            };
            // What is said of all versions is looked at for each, and warned of once.
            let warned = self.warnings.len();
            let mut tests = Vec::new();
            let base = self.columns(&fields, &target, &mut tests);
            let shared = tests_of(&fields, &target, None);
            if index > 0 {
                self.warnings.truncate(warned);
            }
            let included = included(&entry);
            let quoted = |name: &str| rwt_sql::Ident::new(name).quoted();
            tests.retain(|test| {
                let column = test.column.as_deref().unwrap_or_default();
                base.keys()
                    .any(|name| included.has(name) && (column == name || column == quoted(name)))
            });
            let mut columns = base;
            columns.retain(|name, _| included.has(name));
            for column in entry.maps("columns") {
                if column.value("include").is_some() || column.value("exclude").is_some() {
                    column.finish(self.warnings);
                } else if let Some((name, column)) = self.column(column, &target, &mut tests) {
                    columns.insert(name, column);
                }
            }
            let own = tests_of(&entry, &target, None);
            let says_tests = entry.value("data_tests").is_some() || entry.value("tests").is_some();
            tests.extend(if says_tests { own } else { shared });
            let mut files = Vec::new();
            match entry.text(&["defined_in"]) {
                Some((file, _)) => files.push(file),
                None => files.push(format!("{name}_v{number}")),
            }
            if version.is_latest() {
                files.push(name.clone());
            }
            let own_description = text(&entry, "description");
            let model = ModelProperties {
                name: format!("{name}.v{number}"),
                version: Some((name.clone(), version, files)),
                at: at.clone(),
                description: match own_description.is_empty() {
                    true => description.clone(),
                    false => own_description,
                },
                columns,
                config: merged(&config, self.config(&entry)),
                constraints: match entry.value("constraints") {
                    Some(_) => constraints(&entry, true),
                    None => shared_constraints.clone(),
                },
                deprecation_date: deprecation_date(&entry),
            };
            entry.finish(self.warnings);
            self.properties.generic_tests.extend(tests);
            self.keep_model(model);
        }
        fields.finish(self.warnings);
    }

    /// The version that `ref` means: `latest_version`, or the greatest.
    fn latest(
        &self,
        fields: &Fields<'_>,
        name: &str,
        versions: &[(Fields<'_>, Value, &Location)],
    ) -> Option<Value> {
        let greatest = versions
            .iter()
            .map(|(_, v, _)| v)
            .max_by(|a, b| version_order(a, b))?;
        let Some(yaml) = fields.value("latest_version") else {
            return Some(greatest.clone());
        };
        let latest = yaml.to_value();
        let found = versions
            .iter()
            .find(|(_, v, _)| version_text(v) == version_text(&latest));
        if let Some((_, v, _)) = found {
            return Some(v.clone());
        }
        let known: Vec<String> = versions.iter().map(|(_, v, _)| version_text(v)).collect();
        let expected = format!("one of the versions of {name} ({})", known.join(", "));
        fields.wrong("latest_version", &expected, yaml);
        None
    }
}

/// `- include: all`, `- {include: [a, b], exclude: [c]}` in a version's columns.
struct Included {
    only: Option<Vec<String>>,
    without: Vec<String>,
}

impl Included {
    fn has(&self, name: &str) -> bool {
        let has = |names: &[String]| names.iter().any(|known| known == name);
        self.only.as_deref().is_none_or(has) && !has(&self.without)
    }
}

fn included(entry: &Fields<'_>) -> Included {
    let mut included = Included {
        only: None,
        without: Vec::new(),
    };
    let names = |yaml: &Yaml| -> Option<Vec<String>> {
        match &yaml.kind {
            Kind::List(items) => Some(
                items
                    .iter()
                    .filter_map(|item| item.as_text().map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        }
    };
    for column in entry.maps("columns") {
        if let Some(yaml) = column.value("include") {
            included.only = names(yaml);
        }
        if let Some(yaml) = column.value("exclude") {
            included.without = names(yaml).unwrap_or_default();
        }
    }
    included
}

/// dbt's `deep_merge`: mappings key by key, anything else by what the version says.
fn merged(base: &PropertyConfig, own: PropertyConfig) -> PropertyConfig {
    let mut all = base.clone();
    for (key, (value, at)) in own {
        let value = match (all.get(&key), value) {
            (Some((before, _)), value) => deep(before.clone(), value),
            (None, value) => value,
        };
        all.insert(key, (value, at));
    }
    all
}

fn deep(before: Value, value: Value) -> Value {
    match (before, value) {
        (Value::Object(mut map), Value::Object(more)) => {
            for (key, value) in more {
                let value = match map.remove(&key) {
                    Some(before) => deep(before, value),
                    None => value,
                };
                map.insert(key, value);
            }
            Value::Object(map)
        }
        (_, value) => value,
    }
}

/// Gives the files of versions the name of their model and their version.
pub(super) fn apply_versions(
    properties: &Properties,
    models: &mut [ModelFile],
    warnings: &mut Vec<Warning>,
) {
    for described in properties.models.values() {
        let Some((name, version, files)) = &described.version else {
            continue;
        };
        let found = files.iter().find_map(|file| {
            let is_it = |model: &ModelFile| model.version.is_none() && model.name == *file;
            models.iter().position(is_it)
        });
        let Some(found) = found else {
            let at = &described.at;
            let file = files.first().map_or("", String::as_str);
            warnings.push(Warning::UnknownModel {
                path: at.file().path().display().to_string(),
                help: nearest_model(file, models),
                name: file.to_owned(),
                file: Arc::clone(at.file()),
                at: at.span(),
            });
            continue;
        };
        let model = &mut models[found];
        model.name.clone_from(name);
        model.version = Some(version.clone());
        if let Some(last) = model.fqn.last_mut() {
            last.clone_from(name);
        }
        model.fqn.push(format!("v{}", version.text()));
    }
}

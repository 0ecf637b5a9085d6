//! What a model's tests say of its key: `primary_key` in the manifest, by the rule of dbt-core 1.12
//! (`infer_primary_key`).

use std::collections::{BTreeSet, HashMap};

use rwt_project::manifest::{Manifest, TestMetadata};
use serde_json::Value;

/// What the tests of one model say about columns.
#[derive(Default)]
struct Tested<'a> {
    unique: BTreeSet<&'a str>,
    disabled_unique: BTreeSet<&'a str>,
    not_null: BTreeSet<&'a str>,
}

/// The columns of each model's key, by the model's name. A column that is tested to be unique and not null, else one
/// that is tested to be unique.
pub(super) fn primary_keys(manifest: &Manifest) -> HashMap<&str, Vec<&str>> {
    let mut models: HashMap<&str, Tested<'_>> = HashMap::new();
    let nodes = manifest.nodes.values().chain(&manifest.disabled);
    for node in nodes {
        let Some(test) = node.declared.test.as_deref() else {
            continue;
        };
        let Some(model) = test.model.as_deref() else {
            continue;
        };
        let tested = models.entry(model).or_default();
        let into = match (test.name.as_str(), node.enabled) {
            ("unique" | "unique_combination_of_columns", true) => &mut tested.unique,
            ("unique" | "unique_combination_of_columns", false) => &mut tested.disabled_unique,
            ("not_null", _) => &mut tested.not_null,
            _ => continue,
        };
        into.extend(columns(test));
    }
    models
        .into_iter()
        .map(|(model, tested)| (model, tested.key()))
        .collect()
}

fn columns(test: &TestMetadata) -> Vec<&str> {
    match (
        test.kwargs.get("column_name"),
        test.kwargs.get("combination_of_columns"),
    ) {
        (Some(Value::String(column)), _) => vec![column],
        (_, Some(Value::Array(columns))) => columns.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

impl<'a> Tested<'a> {
    fn key(&self) -> Vec<&'a str> {
        let is_unique = |column: &&&str| {
            self.unique.contains(**column) || self.disabled_unique.contains(**column)
        };
        let both: Vec<&str> = self.not_null.iter().filter(is_unique).copied().collect();
        if !both.is_empty() {
            return both;
        }
        let unique = [&self.unique, &self.disabled_unique];
        let unique = unique.into_iter().find(|columns| !columns.is_empty());
        unique.into_iter().flatten().copied().collect()
    }
}

//! Macros and docs blocks in the manifest.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rwt_project::Project;
use serde::Serialize;
use serde_json::{Value, json};

use super::calls::{calls, languages, parameters};
use crate::jinja::MacroTable;
use crate::materialize::BUILT_IN_MACROS;

/// A macro.
#[derive(Debug, Serialize)]
pub(super) struct MacroJson {
    name: String,
    resource_type: &'static str,
    package_name: String,
    path: String,
    original_file_path: String,
    unique_id: String,
    macro_sql: String,
    depends_on: MacroDepends,
    description: String,
    meta: Value,
    docs: Value,
    config: Value,
    patch_path: Option<String>,
    arguments: Vec<Argument>,
    created_at: f64,
    supported_languages: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct MacroDepends {
    macros: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Argument {
    name: String,
    #[serde(rename = "type")]
    data_type: Option<String>,
    description: String,
}

/// A docs block.
#[derive(Debug, Serialize)]
pub(super) struct DocJson {
    name: String,
    resource_type: &'static str,
    package_name: String,
    path: String,
    original_file_path: String,
    unique_id: String,
    block_contents: String,
}

/// All macros by id, those that rwt brings along under the names of dbt's packages.
pub(super) fn macros(
    project: &Project,
    table: &MacroTable,
    created_at: f64,
) -> BTreeMap<String, MacroJson> {
    let own = project.macros.iter().map(|file| {
        let name = file.original_file_path.display().to_string();
        (name, file.file.text())
    });
    let built_in = BUILT_IN_MACROS
        .iter()
        .map(|(name, text)| ((*name).to_owned(), *text));
    let texts: HashMap<String, &str> = own.chain(built_in).collect();
    let docs = json!({"show": true, "node_color": null});
    let mut all = BTreeMap::new();
    for definition in table.definitions() {
        let file = texts.get(&definition.file);
        let Some(text) = file.and_then(|text| text.get(definition.block.clone())) else {
            continue;
        };
        let (_, path) = project.package_of(Path::new(&definition.file));
        // Files that are in the program have no directory.
        let path = path.display().to_string();
        let path = path.strip_prefix("rwt:").unwrap_or(&path).to_owned();
        let properties = project.properties.macros.get(&definition.name);
        let is_materialization = definition.name.starts_with("materialization_");
        // dbt keeps no parameters of the tests under its test paths.
        let mut tests = project.file.test_paths.iter();
        let is_test = tests.any(|folder| Path::new(&path).starts_with(folder));
        let arguments = if is_materialization {
            // dbt takes the list of its tag for a parameter.
            vec!["supported_languages"]
        } else if is_test {
            Vec::new()
        } else {
            parameters(text)
        };
        let unique_id = definition.unique_id();
        let entry = MacroJson {
            name: definition.name.clone(),
            resource_type: "macro",
            package_name: definition.public_package().to_owned(),
            path: path.clone(),
            original_file_path: path,
            unique_id: unique_id.clone(),
            macro_sql: text.to_owned(),
            depends_on: MacroDepends {
                macros: calls(definition, text, table),
            },
            description: properties
                .map(|properties| properties.description.clone())
                .unwrap_or_default(),
            meta: json!({}),
            docs: docs.clone(),
            config: json!({"meta": {}, "docs": docs}),
            patch_path: properties.map(|properties| {
                let (package, file) = project.package_of(properties.at.file().path());
                format!("{package}://{}", file.display())
            }),
            arguments: arguments
                .into_iter()
                .map(|name| Argument {
                    name: name.to_owned(),
                    data_type: None,
                    description: String::new(),
                })
                .collect(),
            created_at,
            supported_languages: is_materialization.then(|| languages(text)),
        };
        all.insert(unique_id, entry);
    }
    all
}

/// What `dbt docs` shows first where the project has no block of its own.
const OVERVIEW: &str = "### Welcome!\n\nWelcome to the documentation of this project, compiled by rwt.\n\n\
    The **Project** tab mirrors the folders of the project, the **Database** tab the schemas of the database. The button \
    in the corner shows how the models hang together.";

/// All docs blocks by id.
pub(super) fn docs(project: &Project) -> BTreeMap<String, DocJson> {
    let mut all = BTreeMap::new();
    let mut add = |package: &str, name: &str, path: String, text: &str| {
        let unique_id = format!("doc.{package}.{name}");
        let doc = DocJson {
            name: name.to_owned(),
            resource_type: "doc",
            package_name: package.to_owned(),
            path: path.clone(),
            original_file_path: path,
            unique_id: unique_id.clone(),
            block_contents: text.to_owned(),
        };
        all.insert(unique_id, doc);
    };
    add("dbt", "__overview__", "overview.md".to_owned(), OVERVIEW);
    for file in &project.docs {
        let (package, path) = project.package_of(file.path());
        for (name, text) in crate::compiler::docs_blocks(file.text()) {
            add(package, name, path.display().to_string(), &text);
        }
    }
    all
}

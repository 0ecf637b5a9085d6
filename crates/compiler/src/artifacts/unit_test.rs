//! Unit tests in the manifest.

use rwt_project::manifest::{Node, UniqueId};
use rwt_project::project::{Fixture, Given, Rows, UnitTest};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::config::ConfigJson;
use crate::Compiler;

/// A unit test.
#[derive(Debug, Serialize)]
pub(super) struct UnitTestJson<'a> {
    model: &'a str,
    given: Vec<Value>,
    expect: Map<String, Value>,
    name: &'a str,
    resource_type: &'static str,
    package_name: &'a str,
    path: String,
    original_file_path: String,
    unique_id: &'a UniqueId,
    fqn: &'a [String],
    description: &'a str,
    overrides: Option<Value>,
    depends_on: Value,
    config: ConfigJson<'a>,
    checksum: Option<String>,
    schema: &'a str,
    created_at: f64,
    versions: Option<Value>,
    version: Option<&'a str>,
}

impl Compiler {
    /// A unit test; none for any other node.
    pub(super) fn unit_test_json<'a>(
        &'a self,
        node: &'a Node,
        created_at: f64,
    ) -> Option<UnitTestJson<'a>> {
        let test = self.declared_unit_test(node)?;
        let (_, file) = self.project().package_of(&node.original_file_path);
        let version = node.declared.refs.first();
        Some(UnitTestJson {
            model: &test.model,
            given: test.given.iter().map(given).collect(),
            expect: rows(&test.expect),
            name: &node.name,
            resource_type: "unit_test",
            package_name: &node.package_name,
            path: node.path.display().to_string(),
            original_file_path: file.display().to_string(),
            unique_id: &node.unique_id,
            fqn: &node.fqn,
            description: &node.description,
            overrides: overrides(test),
            depends_on: json!({"macros": [], "nodes": node.depends_on}),
            config: ConfigJson::of(node),
            checksum: None,
            schema: &node.schema,
            created_at,
            versions: versions(test),
            version: version.and_then(|model| model.version.as_deref()),
        })
    }
}

fn given(given: &Given) -> Value {
    let mut json = Map::from_iter([("input".to_owned(), json!(given.input.to_string()))]);
    json.append(&mut rows(&given.rows));
    Value::Object(json)
}

fn rows(fixture: &Fixture) -> Map<String, Value> {
    let (rows, file) = match &fixture.rows {
        Rows::Absent => (json!([]), None),
        Rows::Dict(rows) => (rows.iter().map(|row| row.to_value()).collect(), None),
        Rows::Text(text) => (json!(text), None),
        Rows::File(name) => (Value::Null, Some(name)),
    };
    Map::from_iter([
        ("rows".to_owned(), rows),
        ("format".to_owned(), json!(fixture.format.word())),
        ("fixture".to_owned(), json!(file)),
    ])
}

fn overrides(test: &UnitTest) -> Option<Value> {
    let said = &test.overrides;
    let is_empty = said.macros.is_empty() && said.vars.is_empty() && said.env_vars.is_empty();
    (!is_empty)
        .then(|| json!({"macros": said.macros, "vars": said.vars, "env_vars": said.env_vars}))
}

fn versions(test: &UnitTest) -> Option<Value> {
    let said = &test.versions;
    (said.include.is_some() || said.exclude.is_some())
        .then(|| json!({"include": said.include, "exclude": said.exclude}))
}

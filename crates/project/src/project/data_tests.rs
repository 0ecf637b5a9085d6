//! Data tests of property files: `- not_null`, `- accepted_values: {…}`, or `- {name: …, test_name: …}`, below a model, a
//! seed, a source table or one of their columns. dbt-core 1.12's rules (`TestBuilder`): configuration may stand beside the
//! arguments, and arguments may stand under `arguments`.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde_json::Value;

use crate::yaml::{Fields, Kind, Location, Yaml};

/// What a test reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestTarget {
    /// A model, seed or anything else that `ref` takes.
    Ref(String),
    /// A version of a model, as text.
    Version(String, String),
    /// A source table.
    Source(String, String),
}

/// A test of a property file. Jinja in its values is unrendered.
#[derive(Debug, Clone)]
pub struct GenericTest {
    /// What it reads.
    pub target: TestTarget,
    /// The column below which it stands.
    pub column: Option<String>,
    /// Package of the macro, if named.
    pub namespace: Option<String>,
    /// The test's name: the macro is `test_<name>`.
    pub name: String,
    /// Tags of the column below which it stands.
    pub column_tags: Vec<String>,
    /// Arguments of the macro, without the model and the column.
    pub args: IndexMap<String, Value>,
    /// Configuration.
    pub config: IndexMap<String, Value>,
    /// The name that the file gives it.
    pub given_name: Option<String>,
    /// Its description.
    pub description: String,
    /// The property file, relative to the project.
    pub file: PathBuf,
    /// Where it stands.
    pub at: Location,
}

/// Keys that are configuration wherever they stand, in dbt's order.
const CONFIG: [&str; 15] = [
    "severity",
    "tags",
    "enabled",
    "where",
    "limit",
    "warn_if",
    "error_if",
    "fail_calc",
    "store_failures",
    "store_failures_as",
    "sql_header",
    "meta",
    "database",
    "schema",
    "alias",
];

/// The column below which tests stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct TestedColumn<'a> {
    /// Its name, quoted where it says so.
    pub name: &'a str,
    /// Its tags, which its tests have too.
    pub tags: &'a [String],
}

/// The tests under `tests` and `data_tests` of a mapping.
pub(super) fn tests_of(
    fields: &Fields<'_>,
    target: &TestTarget,
    column: Option<TestedColumn<'_>>,
) -> Vec<GenericTest> {
    let mut tests = Vec::new();
    for key in ["tests", "data_tests"] {
        let Some(value) = fields.value(key) else {
            continue;
        };
        let Kind::List(items) = &value.kind else {
            fields.wrong(key, "a list (lines that begin with `- `)", value);
            continue;
        };
        for item in items {
            match test_of(item, target, column) {
                Some(test) => tests.push(test),
                None => fields.wrong(key, "a test's name, or a mapping of its name", item),
            }
        }
    }
    tests
}

fn test_of(
    item: &Yaml,
    target: &TestTarget,
    column: Option<TestedColumn<'_>>,
) -> Option<GenericTest> {
    let nothing = IndexMap::new();
    let (name, entries) = match &item.kind {
        Kind::Text(name) => (name.clone(), &nothing),
        Kind::Map(map) if map.contains_key("test_name") => {
            (map["test_name"].value.as_text()?.to_owned(), map)
        }
        Kind::Map(map) if map.len() == 1 => {
            let (name, entry) = map.first()?;
            match &entry.value.kind {
                Kind::Map(inner) => (name.clone(), inner),
                Kind::Null => (name.clone(), &nothing),
                _ => return None,
            }
        }
        _ => return None,
    };
    let (namespace, name) = match name.split_once('.') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
        None => (None, name),
    };
    let mut test = GenericTest {
        target: target.clone(),
        column: column.map(|column| column.name.to_owned()),
        column_tags: column.map_or_else(Vec::new, |column| column.tags.to_vec()),
        namespace,
        name,
        args: IndexMap::new(),
        config: IndexMap::new(),
        given_name: None,
        description: String::new(),
        file: item.at.file().path().to_path_buf(),
        at: item.at.clone(),
    };
    let mut nested = IndexMap::new();
    for (key, entry) in entries {
        let value = entry.value.to_value();
        match key.as_str() {
            "test_name" => {}
            "name" => test.given_name = value.as_str().map(str::to_owned),
            "description" => test.description = value.as_str().unwrap_or_default().to_owned(),
            "config" => nested.extend(entry.value.as_map().into_iter().flatten().map(
                |(key, entry)| {
                    (
                        key.trim_start_matches('+').to_owned(),
                        entry.value.to_value(),
                    )
                },
            )),
            "arguments" => {
                let inner = entry.value.as_map().into_iter().flatten();
                test.args
                    .extend(inner.map(|(key, entry)| (key.clone(), entry.value.to_value())));
            }
            key if CONFIG.contains(&key) => {
                test.config.insert(key.to_owned(), value);
            }
            _ => {
                test.args.insert(key.clone(), value);
            }
        }
    }
    test.config.extend(nested);
    test.config.retain(|_, value| !value.is_null());
    // dbt's order: the known keys first.
    test.config.sort_by(|a, _, b, _| order(a).cmp(&order(b)));
    Some(test)
}

fn order(key: &str) -> usize {
    CONFIG
        .iter()
        .position(|known| *known == key)
        .unwrap_or(CONFIG.len())
}

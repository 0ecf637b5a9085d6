//! `unit_tests:` of property files: a model, what it reads as rows, and the rows that it should give. dbt-core 1.12's
//! grammar (`UnparsedUnitTest`); nothing in it is rendered.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::properties::PropertyConfig;
use crate::yaml::{Fields, Kind, Location, SourceFile, Yaml};

/// A unit test as its property file says it.
#[derive(Debug, Clone)]
pub struct UnitTest {
    /// Its name, unique for its model.
    pub name: String,
    /// Where the name stands.
    pub at: Location,
    /// The model that is tested.
    pub model: String,
    /// Where the model's name stands.
    pub model_at: Location,
    /// `description`
    pub description: String,
    /// What the model reads.
    pub given: Vec<Given>,
    /// What it should give.
    pub expect: Fixture,
    /// What macros, variables and the environment are for this test.
    pub overrides: Overrides,
    /// Which versions of the model are tested.
    pub versions: Versions,
    /// `config`: `enabled`, `tags`, `meta`.
    pub config: PropertyConfig,
    /// The property file, relative to the project.
    pub file: PathBuf,
}

/// Rows of one relation that the model reads.
#[derive(Debug, Clone)]
pub struct Given {
    /// Which relation.
    pub input: Input,
    /// Where `input` stands.
    pub at: Location,
    /// Its rows.
    pub rows: Fixture,
}

/// `input:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// `ref('name')`, `ref('package', 'name')`, `ref('name', version=2)`
    Ref {
        /// The package, if named.
        package: Option<String>,
        /// The model, seed or snapshot.
        name: String,
        /// The version, if named.
        version: Option<String>,
    },
    /// `source('source', 'table')`
    Source(String, String),
    /// `this`: what an incremental model has built so far.
    This,
}

impl fmt::Display for Input {
    /// As it is written in a property file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::This => f.write_str("this"),
            Self::Source(source, table) => write!(f, "source('{source}', '{table}')"),
            Self::Ref {
                package,
                name,
                version,
            } => {
                f.write_str("ref(")?;
                if let Some(package) = package {
                    write!(f, "'{package}', ")?;
                }
                write!(f, "'{name}'")?;
                if let Some(version) = version {
                    write!(f, ", v={version}")?;
                }
                f.write_str(")")
            }
        }
    }
}

/// Rows, or where they are.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// How they are written.
    pub format: Format,
    /// The rows themselves.
    pub rows: Rows,
    /// Where they stand.
    pub at: Location,
}

impl Fixture {
    /// Whether no rows are written at all.
    pub fn is_absent(&self) -> bool {
        matches!(self.rows, Rows::Absent)
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A list of mappings.
    Dict,
    /// Comma-separated lines under a header.
    Csv,
    /// A query without relations.
    Sql,
}

impl Format {
    /// dbt's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dict => "dict",
            Self::Csv => "csv",
            Self::Sql => "sql",
        }
    }
}

/// Rows as written.
#[derive(Debug, Clone)]
pub enum Rows {
    /// None are written: no rows, or those of the seed that is the input.
    Absent,
    /// Column and value, row by row, each with its place.
    Dict(Vec<Yaml>),
    /// The text of CSV lines or of a query.
    Text(String),
    /// A file below `fixtures` of the test paths, by its name without its extension.
    File(String),
}

/// `overrides:`
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// What a macro's call gives, by its name or `package.name`.
    pub macros: IndexMap<String, Value>,
    /// Variables.
    pub vars: IndexMap<String, Value>,
    /// Environment variables.
    pub env_vars: IndexMap<String, Value>,
}

/// `versions:`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// Only these.
    pub include: Option<Vec<String>>,
    /// All but these.
    pub exclude: Option<Vec<String>>,
}

impl Versions {
    /// Whether a version is tested.
    pub fn takes(&self, version: &str) -> bool {
        let named = |list: &Vec<String>| list.iter().any(|one| one == version);
        self.include.as_ref().is_none_or(named) && !self.exclude.as_ref().is_some_and(named)
    }
}

/// A fixture's file.
#[derive(Debug, Clone)]
pub struct FixtureFile {
    /// The file's name without its extension.
    pub name: String,
    /// How its rows are written, by its extension.
    pub format: Format,
    /// Name (relative to the project) and text.
    pub file: Arc<SourceFile>,
}

/// Reads one item of `unit_tests:`. What is wrong is among the errors of `fields`.
pub(super) fn unit_test(
    fields: &Fields<'_>,
    config: PropertyConfig,
    warnings: &mut Vec<crate::yaml::Warning>,
) -> Option<UnitTest> {
    let required = |key: &'static str, help: &str| {
        let found = fields.text(&[key]);
        if found.is_none() && fields.value(key).is_none() {
            fields.missing(key, help);
        }
        found
    };
    let name = required("name", "add `name: …`, the unit test's name");
    let model = required("model", "add `model: …`, the model that is tested");
    let given: Vec<Option<Given>> = fields
        .maps("given")
        .into_iter()
        .map(|item| {
            let given = given(&item);
            item.finish(warnings);
            given
        })
        .collect();
    let expect = match fields.map("expect") {
        Some(item) => {
            let rows = fixture(&item);
            item.finish(warnings);
            rows
        }
        None => {
            if fields.value("expect").is_none() {
                fields.missing(
                    "expect",
                    "add `expect:` with the `rows` that the model should give",
                );
            }
            None
        }
    };
    let overrides = fields
        .map("overrides")
        .map_or_else(Overrides::default, |item| {
            let values = |key: &'static str| -> IndexMap<String, Value> {
                let map = item.map(key).and(item.value(key)).and_then(Yaml::as_map);
                map.into_iter()
                    .flatten()
                    .map(|(key, entry)| (key.clone(), entry.value.to_value()))
                    .collect()
            };
            let overrides = Overrides {
                macros: values("macros"),
                vars: values("vars"),
                env_vars: values("env_vars"),
            };
            item.finish(warnings);
            overrides
        });
    let versions = fields
        .map("versions")
        .map_or_else(Versions::default, |item| {
            let list = |key: &'static str| -> Option<Vec<String>> {
                let texts = item.texts(key)?;
                Some(texts.into_iter().map(|(text, _)| text).collect())
            };
            let versions = Versions {
                include: list("include"),
                exclude: list("exclude"),
            };
            item.finish(warnings);
            versions
        });
    let description = fields.text(&["description"]);
    let (name, at) = name?;
    let (model, model_at) = model?;
    Some(UnitTest {
        file: at.file().path().to_path_buf(),
        name,
        at: at.clone(),
        model,
        model_at: model_at.clone(),
        description: description.map(|(text, _)| text).unwrap_or_default(),
        given: given.into_iter().collect::<Option<_>>()?,
        expect: expect?,
        overrides,
        versions,
        config,
    })
}

fn given(fields: &Fields<'_>) -> Option<Given> {
    const FORMS: &str =
        "write `input: ref('model')`, `input: source('source', 'table')` or `input: this`";
    let Some((text, at)) = fields.text(&["input"]) else {
        if fields.value("input").is_none() {
            fields.missing("input", FORMS);
        }
        return None;
    };
    let rows = fixture(fields);
    let Some(input) = input(&text) else {
        let value = fields.value("input")?;
        fields.wrong("input", "`ref('…')`, `source('…', '…')` or `this`", value);
        return None;
    };
    Some(Given {
        input,
        at: at.clone(),
        rows: rows?,
    })
}

/// `rows`, `format` and `fixture` of an input or of `expect`.
fn fixture(fields: &Fields<'_>) -> Option<Fixture> {
    let format = match fields.text(&["format"]) {
        None => Format::Dict,
        Some((text, _)) => match text.as_str() {
            "dict" => Format::Dict,
            "csv" => Format::Csv,
            "sql" => Format::Sql,
            _ => {
                let value = fields.value("format")?;
                fields.wrong("format", "`dict`, `csv` or `sql`", value);
                return None;
            }
        },
    };
    let file = fields.text(&["fixture"]);
    let rows = fields.value("rows");
    let at = rows.map_or_else(|| fields.at().clone(), |rows| rows.at.clone());
    let rows = match (rows, file) {
        (Some(_), Some(_)) => {
            let value = fields.value("fixture")?;
            fields.wrong("fixture", "left out where there are `rows`", value);
            return None;
        }
        (None, Some((name, at))) => {
            if format == Format::Dict {
                let value = fields.value("fixture")?;
                fields.wrong(
                    "fixture",
                    "named with `format: csv` or `format: sql`",
                    value,
                );
                return None;
            }
            return Some(Fixture {
                format,
                rows: Rows::File(name),
                at: at.clone(),
            });
        }
        (None, None) => match format {
            Format::Dict => Rows::Absent,
            Format::Csv | Format::Sql => {
                fields.missing(
                    "rows",
                    "give the rows under `rows`, or a file's name under `fixture`",
                );
                return None;
            }
        },
        (Some(value), None) => match (&value.kind, format) {
            (Kind::List(items), Format::Dict) => {
                if let Some(wrong) = items.iter().find(|item| item.as_map().is_none()) {
                    fields.wrong("rows", "a list of mappings (`- {column: value}`)", wrong);
                    return None;
                }
                Rows::Dict(items.clone())
            }
            (Kind::Text(text), Format::Csv | Format::Sql) => Rows::Text(text.clone()),
            // dbt takes a list of mappings whatever the format says, but for SQL.
            (Kind::List(items), Format::Csv)
                if items.iter().all(|item| item.as_map().is_some()) =>
            {
                return Some(Fixture {
                    format: Format::Dict,
                    rows: Rows::Dict(items.clone()),
                    at,
                });
            }
            (_, Format::Dict) => {
                fields.wrong("rows", "a list of mappings (`- {column: value}`)", value);
                return None;
            }
            (_, Format::Csv) => {
                fields.wrong("rows", "text (`rows: |` and CSV lines below it)", value);
                return None;
            }
            (_, Format::Sql) => {
                fields.wrong("rows", "text (`rows: |` and a query below it)", value);
                return None;
            }
        },
    };
    Some(Fixture { format, rows, at })
}

/// Reads `ref('…')`, `source('…', '…')` or `this`.
fn input(text: &str) -> Option<Input> {
    let text = text.trim();
    let text = match text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}")) {
        Some(inner) => inner.trim(),
        None => text,
    };
    if text == "this" {
        return Some(Input::This);
    }
    let (function, rest) = text.split_once('(')?;
    let arguments = rest.trim_end().strip_suffix(')')?;
    let mut names = Vec::new();
    let mut version = None;
    for argument in arguments.split(',').map(str::trim) {
        match argument.split_once('=') {
            Some((key, value)) if matches!(key.trim(), "v" | "version") => {
                let value = value.trim();
                version = Some(unquoted(value).unwrap_or(value).to_owned());
            }
            Some(_) => return None,
            None => names.push(unquoted(argument)?.to_owned()),
        }
    }
    let mut names = names.into_iter();
    match (function.trim(), names.next(), names.next(), names.next()) {
        ("ref", Some(name), None, _) => Some(Input::Ref {
            package: None,
            name,
            version,
        }),
        ("ref", Some(package), Some(name), None) => Some(Input::Ref {
            package: Some(package),
            name,
            version,
        }),
        ("source", Some(source), Some(table), None) if version.is_none() => {
            Some(Input::Source(source, table))
        }
        _ => None,
    }
}

fn unquoted(text: &str) -> Option<&str> {
    ['\'', '"']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_as_dbt_writes_them() {
        let name = |name: &str| Input::Ref {
            package: None,
            name: name.to_owned(),
            version: None,
        };
        assert_eq!(input("ref('users')"), Some(name("users")));
        assert_eq!(input(" ref( \"users\" ) "), Some(name("users")));
        assert_eq!(
            input("ref('shop', 'users', v=2)"),
            Some(Input::Ref {
                package: Some("shop".to_owned()),
                name: "users".to_owned(),
                version: Some("2".to_owned()),
            })
        );
        assert_eq!(
            input("source('raw', 'clicks')"),
            Some(Input::Source("raw".to_owned(), "clicks".to_owned()))
        );
        assert_eq!(input("this"), Some(Input::This));
        for wrong in [
            "users",
            "ref(users)",
            "ref('a'",
            "source('a')",
            "macro('a')",
        ] {
            assert_eq!(input(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn versions_are_included_or_left_out() {
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let only = Versions {
            include: some(&["2"]),
            exclude: None,
        };
        let but = Versions {
            include: None,
            exclude: some(&["1"]),
        };
        assert!(only.takes("2") && !only.takes("1"));
        assert!(but.takes("2") && !but.takes("1"));
        assert!(Versions::default().takes("1"));
    }
}

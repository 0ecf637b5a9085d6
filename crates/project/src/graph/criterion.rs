//! One criterion of a selector: a method, a value, and how far to go from what they match.

use std::cmp::Ordering;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::pattern::{Pattern, has_wildcard};
use crate::manifest::{Manifest, Node, ResourceType};
use crate::state::{Needs, Past, STATES};

/// How a criterion's value is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// The node's name, or its dotted path of package and folders; for models only.
    Fqn,
    /// A tag.
    Tag,
    /// A file or folder, relative to the project.
    Path,
    /// A file's name, with or without its extension.
    File,
    /// `source`, `source.table` or `package.source.table`.
    Source,
    /// A package; `this` is the root project.
    Package,
    /// `model` or `source`.
    ResourceType,
    /// A config, with the path of its keys.
    Config(Vec<String>),
    /// `generic`, `singular`, `data` or `unit`: which tests.
    TestType,
    /// A unit test: its name, or its package and name.
    UnitTest,
    /// A generic test by the name of its macro, or a singular one by its own.
    TestName,
    /// The `group` of a node.
    Group,
    /// The `access` of a node.
    Access,
    /// `latest`, `old`, `prerelease` or `none`: models by their version.
    Version,
    /// `exposure` or `package.exposure`.
    Exposure,
    /// How a node differs from an earlier manifest.
    State,
    /// How a node ended in an earlier run.
    Result,
    /// Whether a source has newer rows than then.
    SourceStatus,
}

impl Method {
    /// The words before the colon.
    pub const WORDS: [&'static str; 18] = [
        "fqn",
        "tag",
        "path",
        "file",
        "source",
        "package",
        "resource_type",
        "config.<key>",
        "test_type",
        "test_name",
        "unit_test",
        "group",
        "access",
        "version",
        "exposure",
        "state",
        "result",
        "source_status",
    ];
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fqn => "fqn",
            Self::Tag => "tag",
            Self::Path => "path",
            Self::File => "file",
            Self::Source => "source",
            Self::Package => "package",
            Self::ResourceType => "resource_type",
            Self::TestType => "test_type",
            Self::UnitTest => "unit_test",
            Self::TestName => "test_name",
            Self::Group => "group",
            Self::Access => "access",
            Self::Version => "version",
            Self::Exposure => "exposure",
            Self::State => "state",
            Self::Result => "result",
            Self::SourceStatus => "source_status",
            Self::Config(keys) => return write!(f, "config.{}", keys.join(".")),
        })
    }
}

/// One criterion: `[@ | [n]+][method:]value[+[n]]`.
#[derive(Debug, Clone)]
pub struct Criterion {
    /// `@`: what is matched, all that hangs on it, and all that those depend on.
    pub at: bool,
    /// `+` or `n+` before: what it depends on, `Some(None)` for all of it.
    pub parents: Option<Option<usize>>,
    /// `+` or `+n` behind: what hangs on it, `Some(None)` for all of it.
    pub children: Option<Option<usize>>,
    /// The method, which may be implied by the value.
    pub method: Method,
    /// The value as written.
    pub value: String,
    /// The value's parts, ready to match.
    patterns: Patterns,
}

#[derive(Debug, Clone)]
enum Patterns {
    One(Pattern),
    /// The whole value, the parts before the first wildcard, and the rest from there.
    Fqn {
        whole: Pattern,
        fixed: Vec<String>,
        rest: Option<Pattern>,
    },
    Source {
        package: Option<Pattern>,
        source: Pattern,
        table: Option<Pattern>,
    },
    Exposure {
        package: Option<Pattern>,
        name: Pattern,
    },
}

impl PartialEq for Criterion {
    fn eq(&self, other: &Self) -> bool {
        let key = |criterion: &Self| (criterion.at, criterion.parents, criterion.children);
        key(self) == key(other) && self.method == other.method && self.value == other.value
    }
}

impl Criterion {
    /// A criterion without reach, with its value made ready.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub(super) fn new(method: Method, value: &str) -> Result<Self, String> {
        let patterns = match &method {
            Method::Fqn => fqn_patterns(value)?,
            Method::Path => {
                let value = value.strip_prefix("./").unwrap_or(value);
                Patterns::One(Pattern::path(value.trim_end_matches('/'))?)
            }
            Method::Source => source_patterns(value)?,
            Method::ResourceType
                if !matches!(
                    value,
                    "model"
                        | "source"
                        | "seed"
                        | "test"
                        | "unit_test"
                        | "function"
                        | "snapshot"
                        | "exposure"
                        | "*"
                ) =>
            {
                return Err(
                    "the resource types here are `model`, `source`, `seed`, `test`, `unit_test`, `function`, `snapshot` and `exposure`"
                        .to_owned(),
                );
            }
            Method::TestType if !matches!(value, "generic" | "singular" | "data" | "unit") => {
                return Err(
                    "the types of tests here are `generic`, `singular`, `data` and `unit`"
                        .to_owned(),
                );
            }
            Method::Version if !matches!(value, "latest" | "old" | "prerelease" | "none") => {
                return Err("a version is `latest`, `prerelease`, `old` or `none`".to_owned());
            }
            Method::Exposure => exposure_patterns(value)?,
            Method::State if !STATES.contains(&value) => {
                return Err(format!("the states are: {}", STATES.join(", ")));
            }
            Method::SourceStatus if value != "fresher" => {
                return Err("the status of a source here is `fresher`".to_owned());
            }
            _ => Patterns::One(Pattern::words(value)?),
        };
        Ok(Self {
            at: false,
            parents: None,
            children: None,
            method,
            value: value.to_owned(),
            patterns,
        })
    }

    /// Whether the node is matched, its neighbours not counted.
    pub fn matches(&self, node: &Node, manifest: &Manifest, past: &Past) -> bool {
        match (&self.method, &self.patterns) {
            (Method::Fqn, Patterns::Fqn { whole, fixed, rest }) => {
                let leaf = leaf(node);
                let unscoped = &node.fqn[1.min(node.fqn.len())..];
                node.resource_type != ResourceType::Source
                    && (leaf.is_some_and(|leaf| whole.matches(leaf))
                        || matches_version(node, &self.value)
                        || matches_fqn(&node.fqn, fixed, rest.as_ref())
                        || matches_fqn(unscoped, fixed, rest.as_ref()))
            }
            (
                Method::Source,
                Patterns::Source {
                    package,
                    source,
                    table,
                },
            ) => {
                let any = |pattern: &Option<Pattern>, text: &str| {
                    pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
                };
                node.source_name
                    .as_deref()
                    .is_some_and(|name| source.matches(name))
                    && any(table, &node.name)
                    && any(package, &node.package_name)
            }
            (Method::Exposure, Patterns::Exposure { package, name }) => {
                node.resource_type == ResourceType::Exposure
                    && name.matches(&node.name)
                    && package
                        .as_ref()
                        .is_none_or(|package| package.matches(&node.package_name))
            }
            (_, Patterns::One(pattern)) => self.matches_one(pattern, node, manifest, past),
            _ => false,
        }
    }

    fn matches_one(
        &self,
        pattern: &Pattern,
        node: &Node,
        manifest: &Manifest,
        past: &Past,
    ) -> bool {
        let id = &node.unique_id.0;
        match &self.method {
            Method::Tag => node.tags.iter().any(|tag| pattern.matches(tag)),
            Method::Path => {
                let described = node.property_file.as_deref();
                described.is_some_and(|file| pattern.matches(&slashes(file)))
                    || node.original_file_path.ancestors().any(|path| {
                        pattern.matches(&slashes(path))
                            || pattern.as_str() == "." && path == Path::new("")
                    })
            }
            Method::File => {
                let path = &node.original_file_path;
                [path.file_name(), path.file_stem()]
                    .into_iter()
                    .flatten()
                    .any(|name| pattern.matches(&name.to_string_lossy()))
            }
            Method::Package => {
                pattern.matches(&node.package_name)
                    || pattern.as_str() == "this" && node.package_name == manifest.project_name
            }
            Method::ResourceType => pattern.matches(node.resource_type.word()),
            Method::Config(keys) => matches_config(node, keys, pattern),
            Method::TestType => {
                let is_generic = node.test_macro().is_some();
                match pattern.as_str() {
                    "unit" => node.resource_type == ResourceType::UnitTest,
                    kind => {
                        node.resource_type == ResourceType::Test
                            && match kind {
                                "generic" => is_generic,
                                "singular" => !is_generic,
                                _ => true,
                            }
                    }
                }
            }
            Method::UnitTest => {
                node.resource_type == ResourceType::UnitTest
                    && (pattern.matches(&node.name)
                        || pattern.matches(&format!("{}.{}", node.package_name, node.name)))
            }
            Method::TestName => match node.resource_type {
                ResourceType::Test => pattern.matches(node.test_macro().unwrap_or(&node.name)),
                ResourceType::UnitTest => pattern.matches(&node.name),
                _ => false,
            },
            Method::Group => matches_config(node, &["group".to_owned()], pattern),
            Method::Access => {
                node.resource_type == ResourceType::Model
                    && match node.config.get("access").and_then(Value::as_str) {
                        Some(access) => pattern.matches(access),
                        None => pattern.matches("protected"),
                    }
            }
            Method::Version => {
                node.resource_type == ResourceType::Model
                    && match (&node.version, pattern.as_str()) {
                        (None, which) => which == "none",
                        (Some(version), "latest") => version.is_latest(),
                        (Some(version), "old") => version.against_latest() == Ordering::Less,
                        (Some(version), "prerelease") => {
                            version.against_latest() == Ordering::Greater
                        }
                        _ => false,
                    }
            }
            Method::State => past.is(id, &self.value),
            Method::Result => past.results.get(id) == Some(&self.value),
            Method::SourceStatus => past.fresher.contains(id),
            Method::Fqn | Method::Source | Method::Exposure => false,
        }
    }

    /// What must be known of the past to tell what is matched.
    pub fn needs(&self) -> Needs {
        Needs {
            manifest: self.method == Method::State,
            results: self.method == Method::Result,
            sources: self.method == Method::SourceStatus,
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let depth =
            |depth: Option<usize>| depth.map_or_else(String::new, |depth| depth.to_string());
        if self.at {
            f.write_str("@")?;
        }
        if let Some(parents) = self.parents {
            write!(f, "{}+", depth(parents))?;
        }
        write!(f, "{}:{}", self.method, self.value)?;
        if let Some(children) = self.children {
            write!(f, "+{}", depth(children))?;
        }
        Ok(())
    }
}

fn fqn_patterns(value: &str) -> Result<Patterns, String> {
    let parts: Vec<&str> = value.split('.').collect();
    let first = parts
        .iter()
        .position(|part| has_wildcard(part))
        .unwrap_or(parts.len());
    let rest = match parts[first..].join(".") {
        rest if rest.is_empty() => None,
        rest => Some(Pattern::words(&rest)?),
    };
    Ok(Patterns::Fqn {
        whole: Pattern::words(value)?,
        fixed: parts[..first]
            .iter()
            .map(|part| (*part).to_owned())
            .collect(),
        rest,
    })
}

fn source_patterns(value: &str) -> Result<Patterns, String> {
    let parts = value
        .split('.')
        .map(Pattern::words)
        .collect::<Result<Vec<_>, _>>()?;
    let mut parts = parts.into_iter();
    let (package, source, table) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(source), None, ..) => (None, source, None),
        (Some(source), Some(table), None, _) => (None, source, Some(table)),
        (Some(package), Some(source), Some(table), None) => (Some(package), source, Some(table)),
        _ => return Err(
            "write source:<source>, source:<source>.<table> or source:<package>.<source>.<table>"
                .to_owned(),
        ),
    };
    Ok(Patterns::Source {
        package,
        source,
        table,
    })
}

fn exposure_patterns(value: &str) -> Result<Patterns, String> {
    let (package, name) = match value.split('.').collect::<Vec<_>>().as_slice() {
        [name] => (None, Pattern::words(name)?),
        [package, name] => (Some(Pattern::words(package)?), Pattern::words(name)?),
        _ => return Err("write exposure:<exposure> or exposure:<package>.<exposure>".to_owned()),
    };
    Ok(Patterns::Exposure { package, name })
}

/// The part of a node's path that is its name: the last but one of a version of a model, whose last one is the version.
fn leaf(node: &Node) -> Option<&String> {
    match node.version {
        Some(_) => node.fqn.iter().nth_back(1),
        None => node.fqn.last(),
    }
}

/// Whether a value is a version's name and version, joined by `.` or `_`.
fn matches_version(node: &Node, value: &str) -> bool {
    let [.., name, version] = node.fqn.as_slice() else {
        return false;
    };
    let parts: Vec<&str> = value.split('.').collect();
    let last_two = parts[parts.len().saturating_sub(2)..].join("_");
    node.version.is_some() && last_two == format!("{name}_{version}")
}

/// dbt's `is_selected_node`: the name itself matches, or the path from its beginning on; what holds a wildcard is
/// compared with all of the rest.
fn matches_fqn(fqn: &[String], fixed: &[String], rest: Option<&Pattern>) -> bool {
    let mut flat = fqn.iter().flat_map(|part| part.split('.'));
    if !fixed.iter().all(|part| flat.next() == Some(part.as_str())) {
        return false;
    }
    match rest {
        None => true,
        Some(rest) => {
            let remaining: Vec<&str> = flat.collect();
            !remaining.is_empty() && rest.matches(&remaining.join("."))
        }
    }
}

fn matches_config(node: &Node, keys: &[String], pattern: &Pattern) -> bool {
    // What every node has, whether or not a level of the config says it.
    match keys {
        [key] if key == "materialized" => return pattern.matches(&node.materialized),
        [key] if key == "tags" => return node.tags.iter().any(|tag| pattern.matches(tag)),
        [key] if key == "enabled" => return matches_value(&Value::Bool(node.enabled), pattern),
        _ => {}
    }
    let Some((first, rest)) = keys.split_first() else {
        return false;
    };
    let start = node.config.get(first);
    let found = rest
        .iter()
        .try_fold(start, |value, key| Some(value?.get(key)));
    found
        .flatten()
        .is_some_and(|value| matches_value(value, pattern))
}

/// As dbt: a list has the value among its items, a mapping among its keys; booleans are compared without case.
fn matches_value(value: &Value, pattern: &Pattern) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => {
            pattern.as_str().eq_ignore_ascii_case(&value.to_string())
                || pattern.matches(&value.to_string())
        }
        // dbt compares a number with the selector's text, which is never equal.
        Value::Number(_) => false,
        Value::String(text) => pattern.matches(text),
        Value::Array(items) => items.iter().any(|item| matches_value(item, pattern)),
        Value::Object(map) => map.keys().any(|key| pattern.matches(key)),
    }
}

fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

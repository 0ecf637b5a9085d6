//! What has changed between two manifests, by the rules of dbt-core 1.12's `state:` selectors.
//!
//! Two differences are on purpose. dbt writes a configuration "as written" in three ways, depending on which of its
//! parsers read the file; a key whose value is the same although it is spelled differently is no change here. And the
//! macros that come with dbt, its adapter or rwt are not compared, because a manifest of one and a project of the other
//! would differ in all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::snapshot::{Snapshot, SnapshotColumn, SnapshotNode};

/// A way in which a node differs from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// There was none of this id.
    New,
    /// The text.
    Body,
    /// The configuration.
    Configs,
    /// Configured database, schema or alias; for a source, where it is.
    Relation,
    /// A description that is written into the database.
    PersistedDescriptions,
    /// A macro that it calls, directly or not.
    Macros,
    /// The contract.
    Contract,
    /// What has no name of its own in selectors: folders, access, versions, freshness.
    Other,
}

impl Change {
    /// The word behind `state:modified.`; `new` for what is new, none for [`Change::Other`].
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Body => "body",
            Self::Configs => "configs",
            Self::Relation => "relation",
            Self::PersistedDescriptions => "persisted_descriptions",
            Self::Macros => "macros",
            Self::Contract => "contract",
            Self::Other => "other",
        }
    }
}

/// The changes of each node that has any, by unique id.
pub type Changes = BTreeMap<String, BTreeSet<Change>>;

/// Packages whose macros are not the project's.
const INTERNAL: [&str; 3] = ["dbt", "dbt_postgres", "dbt_risingwave"];

/// Keys of a configuration that are compared as the relation, or not at all.
const NOT_COMPARED: [&str; 5] = ["alias", "schema", "database", "tags", "group"];

/// Keys to which every level of the configuration adds something.
const MERGED: [&str; 10] = [
    "tags",
    "packages",
    "meta",
    "docs",
    "grants",
    "column_types",
    "quoting",
    "contract",
    "pre-hook",
    "post-hook",
];

/// Keys of a test's configuration that are compared.
const OF_TESTS: [&str; 9] = [
    "severity",
    "where",
    "limit",
    "fail_calc",
    "warn_if",
    "error_if",
    "store_failures",
    "store_failures_as",
    "sql_header",
];

/// Compares every node of `new` with what it was.
pub fn changes(old: &Snapshot, new: &Snapshot) -> Changes {
    let macros = Macros::of(old, new);
    let mut all = Changes::new();
    for (id, node) in new.all() {
        let Some(before) = old.node(id) else {
            all.insert(id.to_owned(), BTreeSet::from([Change::New]));
            continue;
        };
        let mut found = compare(before, node);
        if macros.reach(node) {
            found.insert(Change::Macros);
        }
        if !found.is_empty() {
            all.insert(id.to_owned(), found);
        }
    }
    all
}

fn compare(old: &SnapshotNode, new: &SnapshotNode) -> BTreeSet<Change> {
    let mut found = BTreeSet::new();
    let mut note = |differs: bool, change: Change| {
        if differs {
            found.insert(change);
        }
    };
    let is_test = new.resource_type == "test";
    let is_generic = is_test && !new.original_file_path.ends_with(".sql");
    note(old.fqn != new.fqn, Change::Other);
    match new.resource_type.as_str() {
        "source" => {
            note(
                (&old.database, &old.schema, &old.identifier)
                    != (&new.database, &new.schema, &new.identifier),
                Change::Relation,
            );
            note(!same_config(old, new), Change::Configs);
            note(
                plain(&old.quoting) != plain(&new.quoting)
                    || plain(&old.freshness) != plain(&new.freshness)
                    || old.loaded_at_field != new.loaded_at_field
                    || plain(&old.external) != plain(&new.external),
                Change::Other,
            );
        }
        "unit_test" => note(old.checksum != new.checksum, Change::Body),
        "exposure" => note(
            old.description != new.description
                || as_set(&old.depends_on.nodes) != as_set(&new.depends_on.nodes)
                || !same_config(old, new),
            Change::Other,
        ),
        kind => {
            let same_body = match kind {
                "seed" => old.checksum == new.checksum,
                _ => old.raw_code == new.raw_code,
            };
            // dbt compares the text of a generic test for `modified.body` alone: it holds nothing but the macro's name.
            note(!same_body && !is_generic, Change::Body);
            note(!same_config(old, new), Change::Configs);
            if !is_test {
                let same = |key: &&str| same_key(old, new, key);
                note(
                    !["database", "schema", "alias"].iter().all(same),
                    Change::Relation,
                );
                note(!same_descriptions(old, new), Change::PersistedDescriptions);
            }
            if kind == "model" {
                let contract = (old.contract.enforced, new.contract.enforced);
                note(
                    match contract {
                        (false, false) => false,
                        (true, true) => old.contract.checksum != new.contract.checksum,
                        _ => true,
                    },
                    Change::Contract,
                );
                note(
                    old.latest_version.as_ref().filter(|v| !v.is_null())
                        != new.latest_version.as_ref().filter(|v| !v.is_null())
                        || old.access != new.access
                        || old.deprecation_date.as_ref().filter(|v| !v.is_null())
                            != new.deprecation_date.as_ref().filter(|v| !v.is_null()),
                    Change::Other,
                );
            }
        }
    }
    found
}

/// A value without the keys of its mappings that say nothing.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept: serde_json::Map<String, Value> = map
                .iter()
                .map(|(key, value)| (key.clone(), plain(value)))
                .filter(|(_, value)| !value.is_null())
                .collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
        other => other.clone(),
    }
}

fn as_set(ids: &[String]) -> BTreeSet<&String> {
    ids.iter().collect()
}

fn same_config(old: &SnapshotNode, new: &SnapshotNode) -> bool {
    if new.resource_type == "test" {
        return OF_TESTS.iter().all(|key| same_key(old, new, key));
    }
    let keys: BTreeSet<&String> = (old.unrendered_config.keys())
        .chain(new.unrendered_config.keys())
        .filter(|key| !NOT_COMPARED.contains(&key.as_str()))
        .collect();
    keys.into_iter().all(|key| same_key(old, new, key))
}

/// Whether a key of the configuration is as it was: as written, or in what it came to. A manifest has what the `config()`
/// of a text came to, which may hang on the target; the text itself says how it is written.
fn same_key(old: &SnapshotNode, new: &SnapshotNode, key: &str) -> bool {
    let written = |node: &SnapshotNode| node.unrendered_config.get(key).map(plain);
    let came_to = |node: &SnapshotNode| node.config.get(key).map_or(Value::Null, plain);
    let same_text = || {
        let text = new.raw_code.as_deref().filter(|_| !MERGED.contains(&key));
        old.raw_code == new.raw_code && text.is_some_and(|text| sets(text, key))
    };
    written(old) == written(new) || came_to(old) == came_to(new) || same_text()
}

/// Whether the `config()` of a text sets a key.
fn sets(text: &str, key: &str) -> bool {
    const CALL: &str = "config(";
    let Some(at) = text.find(CALL) else {
        return false;
    };
    let (mut depth, mut quote, mut word) = (1_usize, None, String::new());
    let mut rest = text[at + CALL.len()..].chars().peekable();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                rest.next();
            }
            (Some(open), _) => quote = quote.filter(|_| c != open),
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, '=') if depth == 1 && word == key && rest.peek() != Some(&'=') => return true,
            _ => {}
        }
        match c {
            _ if depth == 0 => return false,
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            c if c.is_whitespace() && rest.peek() == Some(&'=') => {}
            _ => word.clear(),
        }
    }
    false
}

fn same_descriptions(old: &SnapshotNode, new: &SnapshotNode) -> bool {
    let persists = |part: &str| {
        let docs = new
            .config
            .get("persist_docs")
            .and_then(|docs| docs.get(part));
        docs.is_some_and(|value| value.as_bool().unwrap_or(!value.is_null()))
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let of_columns = |node: &SnapshotNode| -> BTreeMap<String, String> {
        let description = |column: &SnapshotColumn| text(&column.description);
        (node.columns.iter())
            .map(|(name, column)| (name.clone(), description(column)))
            .collect()
    };
    (!persists("relation") || text(&old.description) == text(&new.description))
        && (!persists("columns") || of_columns(old) == of_columns(new))
}

/// Macros that are not what they were.
struct Macros<'a> {
    modified: BTreeSet<&'a str>,
    new: &'a Snapshot,
}

impl<'a> Macros<'a> {
    fn of(old: &'a Snapshot, new: &'a Snapshot) -> Self {
        let own = |snapshot: &'a Snapshot| {
            (snapshot.macros.iter())
                .filter(|(_, definition)| !INTERNAL.contains(&definition.package_name.as_str()))
                .map(|(id, definition)| (id.as_str(), definition.macro_sql.trim()))
                .collect::<BTreeMap<_, _>>()
        };
        let (before, now) = (own(old), own(new));
        let ids = before.keys().chain(now.keys());
        let modified = ids
            .filter(|id| before.get(*id) != now.get(*id))
            .copied()
            .collect();
        Self { modified, new }
    }

    /// Whether a node calls one of them, through whatever other macros.
    fn reach(&self, node: &SnapshotNode) -> bool {
        if self.modified.is_empty() {
            return false;
        }
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = node
            .depends_on
            .macros
            .iter()
            .flatten()
            .map(String::as_str)
            .collect();
        while let Some(id) = open.pop() {
            if self.modified.contains(id) {
                return true;
            }
            if seen.insert(id)
                && let Some(definition) = self.new.macros.get(id)
            {
                let called = definition.depends_on.macros.iter().flatten();
                open.extend(called.map(String::as_str));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::sets;

    #[test]
    fn a_key_is_set_by_the_call_and_by_nothing_in_it() {
        let text = "{{ config(materialized = 'view' if target.name == 'dev' else 'table', meta={'alias': f(schema=1)}, x='a, tags=') }} select alias=1";
        for (key, is_set) in [
            ("materialized", true),
            ("meta", true),
            ("x", true),
            ("name", false),
            ("alias", false),
            ("schema", false),
            ("tags", false),
        ] {
            assert_eq!(sets(text, key), is_set, "{key}");
        }
        assert!(!sets("select 1", "x") && !sets("{{ config(", "x"));
    }
}

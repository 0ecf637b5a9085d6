//! Two manifests compared, for people: which nodes came, which went, and what is different about the rest. `rwt diff`
//! shows it for a project and an earlier manifest of it, or for two targets of one project.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rwt_project::state::{Change, Changes, Snapshot, SnapshotNode, changes};
use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

/// How one manifest differs from another.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Comparison {
    /// Nodes that only the new one has.
    pub added: Vec<Entry>,
    /// Nodes that only the old one has.
    pub removed: Vec<Entry>,
    /// Nodes that both have and that are not the same.
    pub changed: Vec<ChangedNode>,
    /// How many nodes are the same.
    pub unchanged: usize,
}

/// A node that only one side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// dbt's id.
    pub unique_id: String,
    /// dbt's word.
    pub resource_type: String,
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub original_file_path: String,
    /// Its materialization; none for a source.
    pub materialized: Option<String>,
    /// Its quoted relation.
    pub relation_name: Option<String>,
}

/// A node that is not what it was.
#[derive(Debug, Clone, Serialize)]
pub struct ChangedNode {
    /// The node as it is.
    #[serde(flatten)]
    pub node: Entry,
    /// The ways in which `state:modified` tells that it has changed. Empty where only what it comes to is different, as
    /// between two targets.
    pub changes: BTreeSet<Change>,
    /// Keys of the resolved configuration.
    pub config: Vec<ConfigChange>,
    /// The relation, where it is another one.
    pub relation: Option<Difference<Option<String>>>,
    /// The description, where it is another one.
    pub description: Option<Difference<String>>,
    /// Nodes that it reads now and did not read, and the other way round.
    pub depends_on: Option<Difference<Vec<String>>>,
    /// The difference of the texts, `diff -u`.
    pub sql: Option<SqlDifference>,
}

/// A key of the configuration that has another value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfigChange {
    /// The key.
    pub key: String,
    /// What it was; null where nothing was said.
    pub old: Value,
    /// What it is.
    pub new: Value,
}

/// What something was, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference<T> {
    /// What it was.
    pub old: T,
    /// What it is.
    pub new: T,
}

/// The difference of two texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SqlDifference {
    /// Whether the rendered texts are compared; else the texts as written, because one side was never rendered.
    pub compiled: bool,
    /// `diff -u` with three lines around each change.
    pub diff: String,
}

impl Comparison {
    /// Compares two manifests. Relations that only are somewhere else do not make the texts that name them different.
    pub fn of(old: &Snapshot, new: &Snapshot) -> Self {
        let found: Changes = changes(old, new);
        let mut comparison = Self::default();
        for (id, node) in new.all() {
            let Some(before) = old.node(id) else {
                comparison.added.push(Entry::of(id, node));
                continue;
            };
            let none = BTreeSet::new();
            let found = found.get(id).unwrap_or(&none);
            match compare(id, (before, old), (node, new), found) {
                Some(changed) => comparison.changed.push(changed),
                None => comparison.unchanged += 1,
            }
        }
        for (id, node) in old.all() {
            if new.node(id).is_none() {
                comparison.removed.push(Entry::of(id, node));
            }
        }
        comparison
    }

    /// The same with nothing but nodes that `keep` names by their ids.
    pub fn only(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.added.retain(|entry| keep(&entry.unique_id));
        self.removed.retain(|entry| keep(&entry.unique_id));
        self.changed.retain(|changed| keep(&changed.node.unique_id));
        self
    }

    /// Whether there is no difference at all.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Entry {
    fn of(id: &str, node: &SnapshotNode) -> Self {
        let materialized = node.config.get("materialized").and_then(Value::as_str);
        Self {
            unique_id: id.to_owned(),
            resource_type: node.resource_type.clone(),
            name: node.name.clone(),
            original_file_path: node.original_file_path.clone(),
            materialized: materialized.map(str::to_owned),
            relation_name: node.relation_name.clone(),
        }
    }
}

fn compare(
    id: &str,
    (old, before): (&SnapshotNode, &Snapshot),
    (new, now): (&SnapshotNode, &Snapshot),
    found: &BTreeSet<Change>,
) -> Option<ChangedNode> {
    let difference = |old: &Option<String>, new: &Option<String>| {
        let (old, new) = (
            old.clone().unwrap_or_default(),
            new.clone().unwrap_or_default(),
        );
        (old != new).then_some(Difference { old, new })
    };
    let changed = ChangedNode {
        node: Entry::of(id, new),
        changes: found.clone(),
        config: config(old, new),
        relation: (old.relation_name != new.relation_name).then(|| Difference {
            old: old.relation_name.clone(),
            new: new.relation_name.clone(),
        }),
        description: difference(&old.description, &new.description),
        depends_on: reads(old, new),
        sql: sql((old, before), (new, now)),
    };
    let is_same = changed.changes.is_empty()
        && changed.config.is_empty()
        && changed.relation.is_none()
        && changed.description.is_none()
        && changed.depends_on.is_none()
        && changed.sql.is_none();
    (!is_same).then_some(changed)
}

fn config(old: &SnapshotNode, new: &SnapshotNode) -> Vec<ConfigChange> {
    let keys: BTreeSet<&String> = old.config.keys().chain(new.config.keys()).collect();
    let value = |node: &SnapshotNode, key: &str| node.config.get(key).cloned().unwrap_or_default();
    keys.into_iter()
        .map(|key| ConfigChange {
            key: key.clone(),
            old: value(old, key),
            new: value(new, key),
        })
        .filter(|change| !is_same_value(&change.key, &change.old, &change.new))
        .collect()
}

/// Tags are compared as a set; what is empty is as good as nothing.
fn is_same_value(key: &str, old: &Value, new: &Value) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    if old == new || (is_nothing(old) && is_nothing(new)) {
        return true;
    }
    let as_set = |value: &Value| -> BTreeSet<String> {
        let one = std::slice::from_ref(value);
        let items = value.as_array().map_or(one, Vec::as_slice);
        items.iter().map(ToString::to_string).collect()
    };
    key == "tags" && as_set(old) == as_set(new)
}

fn reads(old: &SnapshotNode, new: &SnapshotNode) -> Option<Difference<Vec<String>>> {
    let of = |node: &SnapshotNode| -> BTreeSet<String> {
        node.depends_on.nodes.iter().cloned().collect()
    };
    let (old, new) = (of(old), of(new));
    (old != new).then(|| Difference {
        old: old.difference(&new).cloned().collect(),
        new: new.difference(&old).cloned().collect(),
    })
}

fn sql(
    (old, before): (&SnapshotNode, &Snapshot),
    (new, now): (&SnapshotNode, &Snapshot),
) -> Option<SqlDifference> {
    let lines = |text: &str| format!("{}\n", text.trim_matches('\n').trim_end());
    let (compiled, old_text, new_text) = match (&old.compiled_code, &new.compiled_code) {
        (Some(then), Some(now_text)) => {
            let then = moved(then, old, before, now);
            (true, lines(&then), lines(now_text))
        }
        _ => (
            false,
            lines(old.raw_code.as_deref().unwrap_or_default()),
            lines(new.raw_code.as_deref().unwrap_or_default()),
        ),
    };
    if old_text == new_text {
        return None;
    }
    let diff = TextDiff::from_lines(&old_text, &new_text)
        .unified_diff()
        .context_radius(3)
        .to_string();
    Some(SqlDifference { compiled, diff })
}

/// A rendered text with the relations that it names where they are now.
fn moved(text: &str, node: &SnapshotNode, before: &Snapshot, now: &Snapshot) -> String {
    let named = node.depends_on.nodes.iter().chain([&node.unique_id]);
    let relations: BTreeMap<&str, &str> = named
        .filter_map(|id| {
            let was = before.node(id)?.relation_name.as_deref()?;
            let is = now.node(id)?.relation_name.as_deref()?;
            (was != is).then_some((was, is))
        })
        .collect();
    let mut text = text.to_owned();
    for (was, is) in relations {
        text = text.replace(was, is);
    }
    text
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sign, entries) in [('+', &self.added), ('-', &self.removed)] {
            for entry in entries {
                writeln!(f, "{sign} {entry}")?;
            }
        }
        for changed in &self.changed {
            write!(f, "{changed}")?;
        }
        if !self.is_empty() {
            writeln!(f)?;
        }
        write!(
            f,
            "{} added, {} removed, {} changed, {} the same",
            self.added.len(),
            self.removed.len(),
            self.changed.len(),
            self.unchanged
        )
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource_type, self.name)?;
        match self.materialized.as_deref() {
            Some(kind) if kind != self.resource_type => {
                write!(f, " ({kind}, {})", self.original_file_path)
            }
            _ => write!(f, " ({})", self.original_file_path),
        }
    }
}

impl fmt::Display for ChangedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "~ {}", self.node)?;
        let words: Vec<&str> = self.changes.iter().map(|change| change.word()).collect();
        if !words.is_empty() {
            write!(f, ": {}", words.join(", "))?;
        }
        writeln!(f)?;
        for change in &self.config {
            writeln!(
                f,
                "    config {}: {} → {}",
                change.key, change.old, change.new
            )?;
        }
        let shown = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".to_owned());
        if let Some(relation) = &self.relation {
            let (old, new) = (shown(&relation.old), shown(&relation.new));
            writeln!(f, "    relation: {old} → {new}")?;
        }
        if let Some(description) = &self.description {
            let (old, new) = (&description.old, &description.new);
            writeln!(f, "    description: {old:?} → {new:?}")?;
        }
        if let Some(reads) = &self.depends_on {
            for id in &reads.new {
                writeln!(f, "    reads now: {id}")?;
            }
            for id in &reads.old {
                writeln!(f, "    reads no longer: {id}")?;
            }
        }
        if let Some(sql) = &self.sql {
            for line in sql.diff.lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

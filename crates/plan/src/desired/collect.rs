//! From a compiler to what the project wants: each node's statements, recorded on an empty database, sorted by purpose.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indexmap::IndexMap;
use rwt_compiler::materialize::{RecordedStatement, created};
use rwt_compiler::{CompileError, CompileErrors, CompiledNode, Compiler, When};
use rwt_project::in_parallel;
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_project::profile::SESSION_KEYS;
use rwt_sql::{Role, Statement};

use super::config::{change_config, words};
use super::fingerprint::{Identity, Made, Nameless, fingerprint, takes_all_columns};
use super::{Desired, DesiredObject};
use crate::name::{Kind, RelationName};

/// Materializations that do more than create.
const IMPERATIVE: [&str; 3] = ["incremental", "seed", "snapshot"];

/// Settings that can be changed while an object lives.
const TUNABLE: [&str; 8] = [
    "streaming_parallelism",
    "streaming_parallelism_for_materialized_view",
    "streaming_parallelism_for_source",
    "streaming_parallelism_for_table",
    "streaming_parallelism_for_sink",
    "streaming_parallelism_for_index",
    "source_rate_limit",
    "sink_rate_limit",
];

/// Nodes that are worth another thread.
const SHARE: usize = 64;

/// The executor decides whether to wait in the foreground.
const BACKGROUND: &str = "background_ddl";

impl Desired {
    /// Sorts what every node that is an object ([`Compiler::objects`]) was compiled to.
    ///
    /// # Errors
    /// What is wrong with a hook.
    pub fn collect(compiler: &Compiler, compiled: &[CompiledNode]) -> Result<Self, CompileErrors> {
        let one = |error: CompileError| CompileErrors(vec![error]);
        let hooks = |when| -> Result<Vec<String>, CompileErrors> {
            let recorded = compiler.record_hooks(when).map_err(one)?;
            Ok(recorded
                .into_iter()
                .map(|statement| statement.text)
                .collect())
        };
        let target = &compiler.project().target;
        let mut desired = Self {
            project: compiler.project().name().to_owned(),
            target: target.name.clone(),
            database: target.database.clone(),
            schema: target.schema.clone(),
            schemas: BTreeSet::new(),
            objects: IndexMap::new(),
            file: compiler.project().file.source.path().display().to_string(),
            on_run_start: hooks(When::Start)?,
            on_run_end: match compiler.has_late_hooks() {
                true => Vec::new(),
                false => hooks(When::End)?,
            },
            lint_ignore: compiler
                .project()
                .vars
                .get("lint_ignore")
                .map(words)
                .unwrap_or_default(),
        };
        let relations: HashMap<RelationName, String> = compiled
            .iter()
            .filter_map(|node| compiler.manifest().nodes.get(&node.unique_id))
            .map(|node| (relation_of(node), node.unique_id.0.clone()))
            .collect();
        let statements = in_parallel(compiled.len(), SHARE, |index| {
            Statements::of(compiler, &compiled[index], &desired.schema, &relations)
        });
        let mut identities: HashMap<String, Identity> = HashMap::new();
        for statements in statements.into_iter().flatten() {
            let object = statements.object(compiler, &desired.schema, &mut identities);
            desired.schemas.insert(object.relation.schema.clone());
            desired.objects.insert(object.unique_id.clone(), object);
        }
        Ok(desired)
    }
}

fn has_hooks(node: &Node) -> bool {
    let is_set = |key: &&str| node.config.get(*key).is_some_and(|hooks| !hooks.is_null());
    ["pre-hook", "post-hook"].iter().any(is_set)
}

fn relation_of(node: &Node) -> RelationName {
    RelationName::new(node.schema.clone(), node.identifier.clone())
}

/// What a node's statements are, before anything is known of what they read.
struct Statements<'a> {
    node: &'a Node,
    compiled: &'a CompiledNode,
    relation: RelationName,
    sorted: Sorted,
    imperative: bool,
    /// See [`DesiredObject::create`].
    create: String,
    nameless: Nameless,
    /// Whether a column more in what it reads is a column more in it.
    everything: bool,
}

impl<'a> Statements<'a> {
    fn of(
        compiler: &'a Compiler,
        compiled: &'a CompiledNode,
        schema: &str,
        relations: &HashMap<RelationName, String>,
    ) -> Option<Self> {
        let node = compiler.manifest().nodes.get(&compiled.unique_id)?;
        let relation = relation_of(node);
        let sorted = Sorted::of(&compiled.statements, &relation, schema);
        // A built-in materialization creates once, whatever hooks, `sql_header` and the project's macros send around it.
        let imperative = IMPERATIVE.contains(&node.materialized.as_str())
            || sorted.kind.is_none()
            || (sorted.does_more && !has_hooks(node) && compiler.has_own_materialization(node));
        let create = if imperative {
            let texts = compiled.statements.iter().map(|s| s.text.as_str());
            texts.collect::<Vec<_>>().join(";\n")
        } else {
            sorted.create.clone()
        };
        let is_query = matches!(
            sorted.kind,
            Some(Kind::View | Kind::MaterializedView | Kind::Sink)
        );
        let node_of = |relation: &RelationName| relations.get(relation).cloned();
        Some(Self {
            node,
            compiled,
            relation,
            imperative,
            nameless: Nameless::of(&create, schema, &node_of),
            everything: is_query && takes_all_columns(&create),
            create,
            sorted,
        })
    }

    /// The object, whose inputs have their identities.
    fn object(
        self,
        compiler: &Compiler,
        schema: &str,
        identities: &mut HashMap<String, Identity>,
    ) -> DesiredObject {
        let Self {
            node,
            compiled,
            sorted,
            imperative,
            ..
        } = self;
        let kind = sorted.kind.unwrap_or(Kind::Table);
        let mut bound_to = BTreeSet::new();
        let mut writes_to = None;
        let mut inputs = BTreeMap::new();
        let named = self.nameless.nodes.iter().filter(|_| !imperative);
        for (place, (id, role)) in named.enumerate() {
            let identity = identities.get(id);
            let of = match (role, identity) {
                // What stands in the target and what a table was filled from is no part of the object.
                (Role::Target, _) => "target",
                _ if sorted.from_query => "once",
                (_, Some(identity)) if self.everything => &identity.full,
                (_, Some(identity)) => &identity.without_columns,
                (_, None) => "",
            };
            inputs.insert(id.clone(), format!("{place}:{of}"));
            if *role == Role::Target {
                writes_to = Some(id.clone());
            } else if !sorted.from_query {
                bound_to.insert(id.clone());
            }
        }
        let mut depends_on = objects_below(compiler, node);
        depends_on.extend(bound_to.iter().cloned());
        depends_on.extend(writes_to.clone());

        let hooks: Vec<String> = sorted
            .hooks_before
            .iter()
            .chain(&sorted.post_hooks)
            .cloned()
            .collect();
        let made = Made {
            kind,
            create: &self.nameless,
            settings: &sorted.settings,
            hooks: &hooks,
            imperative,
        };
        let (fingerprint, identity) = fingerprint(&made, schema, inputs);
        identities.insert(compiled.unique_id.0.clone(), identity);
        DesiredObject {
            unique_id: compiled.unique_id.0.clone(),
            name: compiled.name.clone(),
            file: compiled.original_file_path.display().to_string(),
            relation: self.relation,
            kind,
            materialized: compiled.materialized.clone(),
            imperative,
            before: sorted.before,
            create: self.create,
            indexes: sorted.indexes,
            grants: sorted.grants,
            comments: sorted.comments,
            after: sorted.after,
            post_hooks: sorted.post_hooks,
            tuning: sorted.tuning,
            depends_on,
            bound_to,
            writes_to,
            config: change_config(&node.config),
            fingerprint,
        }
    }
}

/// The nodes that a node depends on and that are objects; ephemeral ones are followed up.
fn objects_below(compiler: &Compiler, node: &Node) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<&UniqueId> = node.depends_on.iter().collect();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Some(parent) = compiler.manifest().nodes.get(id) else {
            continue;
        };
        if parent.resource_type == ResourceType::Source {
            continue;
        }
        if compiler.relation_of(id).is_some() {
            found.insert(id.0.clone());
        } else {
            open.extend(&parent.depends_on);
        }
    }
    found
}

/// Whether a statement creates the function of this name.
fn makes_function(recorded: &RecordedStatement, relation: &RelationName, schema: &str) -> bool {
    let Statement::Other { verb, .. } = &recorded.statement else {
        return false;
    };
    verb.starts_with("CREATE FUNCTION")
        && rwt_sql::mentions(&recorded.text)
            .iter()
            .any(|m| m.role == Role::Subject && RelationName::of(&m.name, schema) == *relation)
}

/// A node's statements by purpose.
#[derive(Default)]
struct Sorted {
    kind: Option<Kind>,
    create: String,
    /// The CREATE is `CREATE TABLE … AS`.
    from_query: bool,
    before: Vec<String>,
    /// Those of `before` that make another object of it.
    settings: Vec<String>,
    /// Those of `before` that are no settings.
    hooks_before: Vec<String>,
    tuning: BTreeMap<String, String>,
    indexes: IndexMap<String, String>,
    grants: Vec<String>,
    comments: Vec<String>,
    after: Vec<String>,
    post_hooks: Vec<String>,
    /// There are statements that are neither of these.
    does_more: bool,
}

impl Sorted {
    fn of(statements: &[RecordedStatement], relation: &RelationName, schema: &str) -> Self {
        let mut sorted = Self::default();
        for recorded in statements {
            if sorted.kind.is_some() {
                sorted.behind(recorded, relation, schema);
            } else {
                sorted.up_to_create(recorded, relation, schema);
            }
        }
        sorted
    }

    fn up_to_create(
        &mut self,
        recorded: &RecordedStatement,
        relation: &RelationName,
        schema: &str,
    ) {
        if let Statement::Set { name, values } = &recorded.statement {
            if name == BACKGROUND {
                return;
            }
            self.before.push(recorded.text.clone());
            if TUNABLE.contains(&name.as_str()) {
                self.tuning.insert(name.clone(), values.join(", "));
            } else if !SESSION_KEYS.contains(&name.as_str()) {
                self.settings.push(recorded.text.clone());
            }
            return;
        }
        let made = created(&recorded.statement)
            .filter(|(_, name, _)| RelationName::of(name, schema) == *relation);
        if let Some((kind, ..)) = made {
            self.kind = Kind::parse(kind).filter(|kind| *kind != Kind::Index);
        } else if makes_function(recorded, relation, schema) {
            self.kind = Some(Kind::Function);
        }
        if self.kind.is_some() {
            self.create.clone_from(&recorded.text);
            self.from_query = matches!(
                &recorded.statement,
                Statement::CreateTable(table) if table.query.is_some()
            );
        } else {
            self.does_more = true;
            self.before.push(recorded.text.clone());
            self.hooks_before.push(recorded.text.clone());
        }
    }

    fn behind(&mut self, recorded: &RecordedStatement, relation: &RelationName, schema: &str) {
        let text = recorded.text.clone();
        match &recorded.statement {
            Statement::CreateIndex(index)
                if RelationName::of(&index.table, schema) == *relation =>
            {
                self.indexes.insert(index.name.name().to_owned(), text);
            }
            Statement::Comment { .. } => self.comments.push(text),
            Statement::Set { name, .. } if name == BACKGROUND => {}
            Statement::Set { .. } => self.after.push(text),
            Statement::Wait => {}
            Statement::Other { verb, .. } if verb.starts_with("WAIT") => {}
            Statement::Other { verb, .. } if verb.starts_with("GRANT") => self.grants.push(text),
            _ => {
                self.does_more = true;
                self.post_hooks.push(text);
            }
        }
    }
}

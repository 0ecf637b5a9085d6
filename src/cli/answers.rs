//! Models whose text asks the database (`run_query`, `adapter.get_columns_in_relation`, …).
//!
//! dbt compiles a model right before it runs it. A plan is made before anything runs, so such a model is compiled with
//! what the database holds now; when it reads a model that is not there yet it waits, with all that hangs on it, until
//! that one is, and another plan takes it in. One whose text cannot be compiled fails alone, with what hangs on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use rwt_compiler::jinja::SharedSession;
use rwt_compiler::{CompileError, CompiledNode};
use rwt_project::manifest::{ResourceType, UniqueId};

use super::Failure;
use super::context::Context;
use crate::apply::LiveSession;
use crate::catalog::Names;
use crate::client::Connector;

/// The project's nodes as they are compiled on the target's database.
pub(super) struct Answered {
    pub compiled: Vec<CompiledNode>,
    /// Selected nodes that cannot be planned yet.
    pub waiting: BTreeSet<UniqueId>,
    /// Selected nodes whose text cannot be compiled with the database's answers, and why.
    pub failed: BTreeMap<UniqueId, CompileError>,
    /// Selected nodes that hang on these.
    pub below_failed: BTreeSet<UniqueId>,
}

impl Answered {
    /// Compiles what asks once more, on the database. `before` is what waited the last time: who has waited in vain
    /// waits no longer.
    pub(super) fn ask(
        context: &Context,
        connector: &Connector,
        selected: &BTreeSet<UniqueId>,
        before: Option<&BTreeSet<UniqueId>>,
    ) -> Result<Self, Failure> {
        let mut answered = Self {
            compiled: context.compiled()?.to_vec(),
            waiting: BTreeSet::new(),
            failed: BTreeMap::new(),
            below_failed: BTreeSet::new(),
        };
        if !answered.asks() {
            return Ok(answered);
        }
        let connection = connector.connect()?;
        let target = connector.target();
        let names = context.names(&connection)?;
        let waiting = waiting(context, &answered.compiled, selected, &names);
        if Some(&waiting) != before {
            answered.waiting = waiting;
        }
        let names = Arc::new(Mutex::new(names));
        let session = LiveSession::new(connection, names, &target.database, &target.schema);
        answered.compile(context, selected, &Arc::new(Mutex::new(session)))?;
        let below = with_descendants(context, answered.failed.keys());
        let below = below.intersection(selected);
        answered.below_failed = below
            .filter(|id| !answered.failed.contains_key(id))
            .cloned()
            .collect();
        Ok(answered)
    }

    fn compile(
        &mut self,
        context: &Context,
        selected: &BTreeSet<UniqueId>,
        session: &Arc<Mutex<LiveSession>>,
    ) -> Result<(), Failure> {
        let shared: SharedSession = session.clone();
        for node in self.compiled.iter_mut().filter(|node| node.asks) {
            let id = node.unique_id.clone();
            if self.waiting.contains(&id) {
                continue;
            }
            let comment = context.compiler.query_comment(Some(&id))?;
            let mut live = session.lock().unwrap_or_else(PoisonError::into_inner);
            live.set_comment(comment);
            drop(live);
            match context
                .compiler
                .compile_with_answers(std::slice::from_ref(&id), &shared)
            {
                Ok(mut nodes) => {
                    if let Some(mut again) = nodes.pop() {
                        again.asks = true;
                        *node = again;
                    }
                }
                Err(mut found) if selected.contains(&id) => {
                    if let Some(error) = found.0.pop() {
                        self.failed.insert(id, error);
                    }
                }
                // Nobody has asked for it.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a node cannot be planned now.
    pub(super) fn is_out(&self, id: &UniqueId) -> bool {
        self.waiting.contains(id) || self.failed.contains_key(id) || self.below_failed.contains(id)
    }

    /// Whether any node's text asks the database.
    pub(super) fn asks(&self) -> bool {
        self.compiled.iter().any(|node| node.asks)
    }

    /// Those whose text is another one than it was, with all that hangs on them.
    pub(super) fn changed_since(&self, before: &Self, context: &Context) -> BTreeSet<UniqueId> {
        let pairs = self.compiled.iter().zip(&before.compiled);
        let changed = pairs.filter(|(now, then)| now.compiled_code != then.compiled_code);
        with_descendants(context, changed.map(|(now, _)| &now.unique_id))
    }
}

/// What asks and reads, directly or not, a selected model or seed that the database does not have; with what hangs on it.
fn waiting(
    context: &Context,
    compiled: &[CompiledNode],
    selected: &BTreeSet<UniqueId>,
    names: &Names,
) -> BTreeSet<UniqueId> {
    let nodes = &context.compiler.manifest().nodes;
    let is_missing = |id: &UniqueId| {
        selected.contains(id)
            && context.compiler.is_built(id)
            && nodes.get(id).is_some_and(|node| {
                matches!(
                    node.resource_type,
                    ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot
                ) && names.get(&node.schema, &node.identifier).is_none()
            })
    };
    let asking = compiled.iter().filter(|node| node.asks);
    let waits = asking.map(|node| &node.unique_id).filter(|id| {
        let ancestors = context.dag().ancestors(id, None);
        ancestors.iter().any(is_missing)
    });
    with_descendants(context, waits)
        .intersection(selected)
        .cloned()
        .collect()
}

fn with_descendants<'a>(
    context: &Context,
    ids: impl Iterator<Item = &'a UniqueId>,
) -> BTreeSet<UniqueId> {
    let mut all = BTreeSet::new();
    for id in ids {
        all.extend(context.dag().descendants(id, None));
        all.insert(id.clone());
    }
    all.retain(|id| context.compiler.is_built(id));
    all
}

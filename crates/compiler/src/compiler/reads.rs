//! What a node reads, where the command line or a batch says something of it: no rows (`--empty`), the rows of a span of
//! event time (`--sample`, a microbatch), another environment's relation (`--defer`).

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::{Error, Value};
use rwt_project::manifest::{Node, Reference, ResourceType, UniqueId};

use super::Compiler;
use crate::jinja::{EventTimeFilter, Relation, Resolve};
use crate::microbatch::{Batch, EventTime};
use crate::parse::References;

/// The relations of another environment that are read instead of the project's own, by node.
pub type Deferred = HashMap<UniqueId, Relation>;

impl Compiler {
    /// Reads other relations in place of those of some nodes. What was compiled before does not know.
    pub fn defer(&mut self, deferred: Deferred) {
        self.deferred = Arc::new(deferred);
    }

    /// `ref` and `source` of a node, or of a hook of the project.
    pub(super) fn reads(&self, node: Option<&Node>, batch: Option<&Batch>) -> Arc<dyn Resolve> {
        let has_time = node.is_some_and(|node| {
            matches!(
                node.resource_type,
                ResourceType::Model | ResourceType::Snapshot
            )
        });
        let batch = batch.map(|batch| (batch.start, batch.end));
        let time = match (batch, self.shared.sample) {
            (Some((start, end)), Some((from, to))) => Some((start.max(from), end.min(to))),
            (batch, sample) => batch.or(sample),
        };
        let time = time.filter(|_| has_time);
        let is_emptied = self.shared.empty;
        if time.is_none() && !is_emptied && self.deferred.is_empty() {
            return self.references.clone();
        }
        Arc::new(Reads {
            references: Arc::clone(&self.references),
            deferred: Arc::clone(&self.deferred),
            is_emptied,
            time,
        })
    }
}

struct Reads {
    references: Arc<References>,
    deferred: Arc<Deferred>,
    is_emptied: bool,
    time: Option<EventTime>,
}

impl Reads {
    fn read(&self, value: Value, node: Option<&Node>) -> Value {
        let (Some(node), Some(relation)) = (node, value.downcast_object_ref::<Relation>()) else {
            return value;
        };
        let deferred = self.deferred.get(&node.unique_id);
        let mut relation = deferred.unwrap_or(relation).clone();
        // A function is called and has no rows.
        if node.resource_type != ResourceType::Function {
            relation.is_emptied = self.is_emptied;
            relation.event_time = self.filter(node);
        }
        relation.value()
    }

    fn filter(&self, node: &Node) -> Option<EventTimeFilter> {
        let (start, end) = self.time?;
        Some(EventTimeFilter {
            column: event_time(node)?,
            start: Batch::text(start),
            end: Batch::text(end),
        })
    }
}

/// The column of a node's event time, in quotes where its property file wants them.
fn event_time(node: &Node) -> Option<String> {
    let name = node.config.get("event_time")?.as_str()?;
    let is_quoted = node.columns.get(name).is_some_and(|column| column.quote);
    Some(match is_quoted {
        true => rwt_sql::Ident::new(name).quoted(),
        false => name.to_owned(),
    })
}

impl Resolve for Reads {
    fn reference(&self, reference: &Reference) -> Result<Value, Error> {
        let value = self.references.reference(reference)?;
        Ok(self.read(value, self.references.model(&reference.key())))
    }

    fn source(&self, source: &str, table: &str) -> Result<Value, Error> {
        let value = self.references.source(source, table)?;
        let key = (source.to_owned(), table.to_owned());
        let id = self.references.source_id(&key);
        Ok(self.read(value, id.and_then(|id| self.references.node(id))))
    }

    fn graph(&self) -> Value {
        self.references.graph()
    }
}

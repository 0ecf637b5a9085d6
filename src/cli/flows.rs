//! Where the data of a project comes from and goes: read off its compiled statements once.

use std::collections::{BTreeMap, BTreeSet};

use rwt_compiler::CompiledNode;
use rwt_sql::statement::{Options, SinkFrom};
use rwt_sql::{Ident, ObjectName, Statement};

/// The topics that are read and written, and the tables that sinks write into.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// Kafka topics that sources and tables read, sorted, without repetition.
    pub topics: Vec<String>,
    /// Kafka topics that sinks write and nothing reads.
    pub written: Vec<String>,
    /// `CREATE SINK … INTO … FROM …`, in the order of the models.
    pub feeds: Vec<Feed>,
}

/// A sink from one relation into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Feed {
    /// The table's name, as people say it.
    pub name: String,
    /// The table, quoted.
    pub into: String,
    /// What the sink reads, quoted.
    pub from: String,
    /// The topic behind what the sink reads, if it is a source of Kafka.
    pub topic: Option<String>,
}

impl Flows {
    pub(super) fn of(nodes: &[CompiledNode]) -> Self {
        let statements = || {
            nodes
                .iter()
                .flat_map(|node| &node.statements)
                .map(|recorded| &recorded.statement)
        };
        let read: BTreeMap<String, String> = statements()
            .filter_map(|statement| match statement {
                Statement::CreateSource(create) => {
                    Some((quoted(&create.name), kafka_topic(&create.with)?))
                }
                Statement::CreateTable(create) => {
                    Some((quoted(&create.name), kafka_topic(&create.with)?))
                }
                _ => None,
            })
            .collect();
        let feeds = statements()
            .filter_map(|statement| {
                let Statement::CreateSink(sink) = statement else {
                    return None;
                };
                let ((into, _), SinkFrom::Relation(from)) = (sink.into.as_ref()?, &sink.from)
                else {
                    return None;
                };
                let from = quoted(from);
                Some(Feed {
                    name: into.name().to_owned(),
                    into: quoted(into),
                    topic: read.get(&from).cloned(),
                    from,
                })
            })
            .collect();
        let topics: BTreeSet<String> = read.into_values().collect();
        let written: BTreeSet<String> = statements()
            .filter_map(|statement| match statement {
                Statement::CreateSink(sink) => kafka_topic(&sink.with),
                _ => None,
            })
            .collect();
        Self {
            written: written.difference(&topics).cloned().collect(),
            topics: topics.into_iter().collect(),
            feeds,
        }
    }
}

fn quoted(name: &ObjectName) -> String {
    let parts: Vec<String> = name.0.iter().map(Ident::quoted).collect();
    parts.join(".")
}

fn kafka_topic(with: &Options) -> Option<String> {
    let is_kafka = with.text("connector") == Some("kafka");
    is_kafka.then(|| with.text("topic").map(str::to_owned))?
}

//! Whether the topics are there that new sources are to read: RisingWave refuses a source without its topic.

use std::collections::{BTreeMap, BTreeSet};

use miette::Severity;
use rwt_plan::Plan;
use rwt_plan::step::{StepKind, StepStatement};
use rwt_sql::statement::{OptionValue, Options};
use rwt_sql::{Statement, parse_statement};

use super::context::Context;
use crate::stack::topics::Broker;
use crate::ui::Printer;

/// RisingWave's settings of a connection to Kafka begin so, and go on as librdkafka's.
const PREFIX: &str = "properties.";
/// The addresses, in RisingWave's words.
const BOOTSTRAP: [&str; 3] = [
    "properties.bootstrap.server",
    "properties.bootstrap.servers",
    "kafka.brokers",
];
/// Those of librdkafka's settings that RisingWave passes on and that a connection may need.
const PASSED_ON: [&str; 4] = ["security.", "sasl.", "ssl.", "enable.ssl."];

/// What sources read from one broker: each topic with the objects that read it.
type Wanted = BTreeMap<String, Vec<String>>;

/// Warns of topics that sources of a plan are to read and that are not there, and says which could not be looked for.
/// An embedded stack's broker is left out: its topics are made before anything is applied.
pub(super) fn check(context: &Context, plan: &Plan, printer: &Printer) {
    let mut brokers: BTreeMap<Broker, Wanted> = BTreeMap::new();
    let making = |kind| matches!(kind, StepKind::Create | StepKind::Shadow);
    let steps = plan.steps.iter().filter(|step| making(step.kind));
    for statement in steps.flat_map(|step| &step.statements) {
        let Some((name, with)) = kafka_source(statement) else {
            continue;
        };
        let Some(topic) = with.text("topic") else {
            continue;
        };
        match broker_of(context, &with) {
            Some(broker) => {
                let wanted = brokers.entry(broker).or_default();
                wanted.entry(topic.to_owned()).or_default().push(name);
            }
            None if context.place().is_some() => {}
            None => printer.note(format!(
                "Topic {topic} of {name} was not looked for: its connection needs a secret that only the database has."
            )),
        }
    }
    for (broker, wanted) in brokers {
        warn(&broker, &wanted, printer);
    }
}

/// The name and options of a statement that makes something that reads from Kafka.
fn kafka_source(statement: &StepStatement) -> Option<(String, Options)> {
    // Most statements need no parsing.
    if !statement.sql.contains("kafka") {
        return None;
    }
    let (name, with) = match parse_statement(&statement.sql).ok()? {
        Statement::CreateSource(create) => (create.name, create.with),
        Statement::CreateTable(create) => (create.name, create.with),
        _ => return None,
    };
    (with.text("connector") == Some("kafka")).then(|| (name.to_string(), with))
}

/// The broker as this machine sees it. `None` if it needs what only the database knows, or is an embedded stack's.
fn broker_of(context: &Context, with: &Options) -> Option<Broker> {
    let bootstrap = BOOTSTRAP.into_iter().find_map(|key| with.text(key));
    let kafka = context.target().kafka.as_ref();
    // A source that goes by a connection has no address of its own; the target's is the best guess.
    if bootstrap.is_none() || kafka.is_some_and(|kafka| Some(kafka.bootstrap.as_str()) == bootstrap)
    {
        return context.broker().filter(|_| context.place().is_none());
    }
    let connector = context.connector();
    let mut settings = Vec::new();
    for (key, value) in &with.0 {
        let Some(key) = key.strip_prefix(PREFIX) else {
            continue;
        };
        if !PASSED_ON.iter().any(|prefix| key.starts_with(prefix)) {
            continue;
        }
        match value {
            OptionValue::Text(text) | OptionValue::Bare(text) => {
                settings.push((key.to_owned(), connector.reveal(text)));
            }
            OptionValue::Secret(_) | OptionValue::SecretFile(_) | OptionValue::Variable(_) => {
                return None;
            }
        }
    }
    Some(Broker {
        bootstrap: connector.reveal(bootstrap?),
        settings,
    })
}

fn warn(broker: &Broker, wanted: &Wanted, printer: &Printer) {
    let names: BTreeSet<String> = wanted.keys().cloned().collect();
    let missing = match broker.missing(&names) {
        Ok(missing) => missing,
        Err(error) => {
            printer.warning(&*miette::miette!(
                severity = Severity::Warning,
                code = "rwt::kafka::not_checked",
                help = "RisingWave refuses a source whose broker or topic it does not find; where only the database reaches the broker, give the address for this machine as `kafka.local` of the target",
                "whether the topics {} are there could not be checked from here: {error}",
                names.into_iter().collect::<Vec<_>>().join(", ")
            ));
            return;
        }
    };
    for topic in missing {
        let readers = wanted.get(&topic).map(|names| names.join(", "));
        printer.warning(&*miette::miette!(
            severity = Severity::Warning,
            code = "rwt::kafka::no_topic",
            help = "create it before; `rwt up` makes the topics of the target's broker with one partition each",
            "there is no topic {topic} at {}: RisingWave will refuse to create {}",
            broker.bootstrap,
            readers.unwrap_or_default()
        ));
    }
}

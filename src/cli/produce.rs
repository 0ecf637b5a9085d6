//! `rwt produce`

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use clap::Args;
use rwt_produce::generate::clickstream::{CATALOG_KEY, Clickstream, TABLES};
use rwt_produce::generate::shop::{Shop, TOPICS};
use rwt_produce::output::{Direct, DirectOptions, Kafka, KafkaOptions, existing_values};
use rwt_produce::pace::{Limit, Pace, Rate};
use rwt_produce::replay::{Mapping, Replay};
use rwt_produce::{Counters, Observer, Output as Sending, Source, Summary};

use super::args::{GlobalArgs, Output};
use super::context::Context;
use super::{CommandResult, Exit, Failure, interrupt};
use crate::funnel::parse_duration;
use crate::ui::Printer;

/// Users of the Kafka producer, as in the reference.
const DEFAULT_USERS: u64 = 1_000_000;

#[derive(Debug, Args)]
pub(super) struct ProduceArgs {
    /// Write users, sessions, devices, campaigns, pages and clicks into the tables, instead of page views, carts and
    /// purchases to Kafka
    #[arg(long)]
    direct: bool,
    /// Events (messages or rows) per second: 0.5, 20000, or max. Default 10, for --replay max
    #[arg(long, visible_alias = "tps", value_name = "RATE")]
    rate: Option<Rate>,
    /// Stop after this many events
    #[arg(short = 'n', long, value_name = "N")]
    events: Option<u64>,
    /// Stop when the events' clock has run this long: 30s, 5m, 2h
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME")]
    duration: Option<TimeDelta>,
    /// Make the same events every time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many different users there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    users: Option<u64>,
    /// Time of the first event (UTC), or how long ago (2h): history is sent at once, with its own times, up to now
    #[arg(long, value_parser = parse_start, value_name = "TIME")]
    start: Option<DateTime<Utc>>,
    /// Send the events of a file (.jsonl, .csv) instead
    #[arg(long, value_name = "FILE", requires = "stream", conflicts_with_all = ["seed", "users", "start"])]
    replay: Option<PathBuf>,
    /// The topic of the replayed events, or with --direct their table
    #[arg(long = "to", id = "stream", value_name = "TOPIC", visible_aliases = ["topic", "table"], requires = "replay")]
    stream: Option<String>,
    /// Where names differ: the topic's or table's column takes the record's field
    #[arg(long, value_name = "COLUMN=FIELD", requires = "replay")]
    map: Vec<Mapping>,
    /// How the summary is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

fn parse_start(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(Utc::now() - ago);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    .map(|at| at.and_utc())
    .ok_or_else(|| {
        "expected a time such as '2026-02-14 12:00', or how long ago such as 2h".to_owned()
    })
}

pub(super) fn main(global: &GlobalArgs, args: &ProduceArgs, printer: &Printer) -> CommandResult {
    let mut context = Context::load(global, printer)?;
    context.ensure_stack(printer)?;
    if !args.direct {
        context.ensure_topics(printer)?;
    }
    let stop = interrupt::flag(context.runtime().handle())?;
    let job = job(&context, args)?;
    printer.note(format!("{}; Ctrl-C stops", job.describe()));
    let (summary, result) = job.run(&stop, &mut Live(printer));
    if printer.is_json() {
        printer.document(&summary);
    } else {
        printer.line(format!("Done: {summary}"));
    }
    result?;
    Ok(if summary.counters.failed > 0 {
        Exit::Failure
    } else {
        Exit::Ok
    })
}

/// A production that is ready to begin.
pub(super) struct Job {
    source: Box<dyn Source + Send>,
    output: Box<dyn Sending + Send>,
    pace: Pace,
    what: String,
}

impl Job {
    /// What is sent, where, and how fast.
    pub(super) fn describe(&self) -> String {
        let rate = match self.pace.rate {
            Rate::PerSecond(rate) => format!("{rate} events/s"),
            Rate::Max => "as many events as possible".to_owned(),
        };
        format!("Sending {}: {rate}", self.what)
    }

    /// Sends until the end or until `stop`.
    pub(super) fn run(
        mut self,
        stop: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> (Summary, Result<(), rwt_produce::ProduceError>) {
        rwt_produce::run(
            self.source.as_mut(),
            self.output.as_mut(),
            &self.pace,
            stop,
            observer,
        )
    }
}

/// The production that the arguments ask for: connected, and its topics or tables found.
fn job(context: &Context, args: &ProduceArgs) -> Result<Job, Failure> {
    let default_rate = if args.replay.is_some() {
        Rate::Max
    } else {
        Rate::PerSecond(10.0)
    };
    let pace = Pace {
        rate: args.rate.unwrap_or(default_rate),
        limit: Limit {
            events: args.events,
            duration: args.duration.and_then(|d| d.to_std().ok()),
        },
        start: args.start.unwrap_or_else(Utc::now),
    };
    let seed = args.seed.unwrap_or_else(|| {
        u64::from_ne_bytes(
            *uuid::Uuid::new_v4()
                .as_bytes()
                .first_chunk()
                .unwrap_or(&[0; 8]),
        )
    });
    match (&args.replay, &args.stream) {
        (Some(file), Some(stream)) => {
            let source = Replay::open(file, stream, &args.map)?;
            let what = format!("{} to {stream}", file.display());
            let output: Box<dyn Sending + Send> = if args.direct {
                Box::new(Direct::new(direct_options(context)?, &[stream])?)
            } else {
                Box::new(Kafka::connect(&kafka_options(context)?, &[stream])?)
            };
            Ok(Job {
                source: Box::new(source),
                output,
                pace,
                what,
            })
        }
        _ if args.direct => direct_job(context, seed, args.users, pace),
        _ => kafka_job(context, seed, args.users.unwrap_or(DEFAULT_USERS), pace),
    }
}

/// Page views, carts and purchases to Kafka.
pub(super) fn kafka_job(
    context: &Context,
    seed: u64,
    users: u64,
    pace: Pace,
) -> Result<Job, Failure> {
    let options = kafka_options(context)?;
    Ok(Job {
        what: format!(
            "page views, cart events and purchases to {}",
            options.bootstrap
        ),
        output: Box::new(Kafka::connect(&options, &TOPICS)?),
        source: Box::new(Shop::new(seed, users)),
        pace,
    })
}

/// The clickstream and its dimensions into tables.
pub(super) fn direct_job(
    context: &Context,
    seed: u64,
    users: Option<u64>,
    pace: Pace,
) -> Result<Job, Failure> {
    let options = direct_options(context)?;
    let output = Direct::new(options.clone(), &TABLES)?;
    let pages: HashSet<String> = existing_values(&options, "page_catalog", CATALOG_KEY)?;
    Ok(Job {
        what: format!(
            "the clickstream into the tables of schema {}",
            options.schema
        ),
        output: Box::new(output),
        source: Box::new(Clickstream::new(seed, users, &pages, pace.start)),
        pace,
    })
}

fn kafka_options(context: &Context) -> Result<KafkaOptions, Failure> {
    let broker = context.required_broker()?;
    Ok(KafkaOptions {
        bootstrap: broker.bootstrap,
        settings: broker.settings,
    })
}

fn direct_options(context: &Context) -> Result<DirectOptions, Failure> {
    let connector = context.connector();
    let connection = connector.connect()?;
    // Rows are flushed once, at the end: with implicit flush every INSERT waits for a checkpoint.
    connection.run("set rw_implicit_flush to false").map_err(
        super::context::DatabaseFailure::new("the session cannot be prepared"),
    )?;
    Ok(DirectOptions {
        client: Arc::new(connection.into_client()),
        handle: context.runtime().handle().clone(),
        schema: connector.target().schema.clone(),
    })
}

/// A line of totals a second, for people.
struct Live<'a>(&'a Printer);

impl Observer for Live<'_> {
    fn tick(&mut self, elapsed: Duration, counters: &Counters) {
        let streams: Vec<String> = counters
            .sent
            .iter()
            .map(|(stream, count)| format!("{stream} {count}"))
            .collect();
        self.0.note(format!(
            "{:>6.0} s  sent {}  acknowledged {}  failed {}  ({})",
            elapsed.as_secs_f64(),
            counters.total_sent(),
            counters.acknowledged,
            counters.failed,
            streams.join(", ")
        ));
    }
}

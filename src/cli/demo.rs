//! `rwt demo`: everything at work, in one go.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use clap::Args;
use rwt_produce::pace::{Limit, Pace, Rate};
use rwt_produce::{Counters, Observer, Summary};

use super::args::GlobalArgs;
use super::context::{Context, unexpected};
use super::produce::{direct_job, kafka_job};
use super::run::RunArgs;
use super::{CommandResult, Exit, Failure, funnel, interrupt, run};
use crate::client::Connection;
use crate::funnel::{FunnelQuery, parse_duration};
use crate::stack::{self, control};
use crate::ui::{Align, Picture, Printer, Table, funnel_text};

/// Users of the demo: few enough that some come back within a minute.
const USERS: u64 = 5_000;
/// How long the lake may take to hold what was sent.
const LAKE_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// How long events are produced
    #[arg(short, long, default_value = "15s", value_parser = parse_duration, value_name = "TIME")]
    duration: TimeDelta,
    /// Events per second of each producer
    #[arg(long, default_value = "200", value_name = "RATE")]
    rate: Rate,
    /// Leave the stack running with its data in the target's data directory
    #[arg(long)]
    keep: bool,
}

pub(super) fn main(global: &GlobalArgs, args: &DemoArgs, printer: &Printer) -> CommandResult {
    if args.keep {
        let mut context = Context::load(global, printer)?;
        context.ensure_stack(printer)?;
        let exit = show(&context, args, printer)?;
        printer.line(NEXT_KEPT);
        return Ok(exit);
    }
    // Folder and ports of its own: a demo neither touches nor leaves anything.
    let folder = tempfile::Builder::new()
        .prefix("rwt-demo-")
        .tempdir()
        .map_err(unexpected("no temporary folder can be made"))?;
    let place = control::Place {
        data_dir: folder.path().to_owned(),
        engine_port: free_port(4566).map_err(unexpected("no port is free"))?,
        kafka_port: free_port(19092).map_err(unexpected("no port is free"))?,
        memory_limit: None,
        owner: Some(std::process::id()),
    };
    let mut context = Context::load_elsewhere(global, &place, printer)?;
    // From here on Ctrl-C ends the work and not the program, so that the stack is stopped.
    let _stop = interrupt::flag(context.runtime().handle())?;
    let result = context
        .ensure_stack(printer)
        .and_then(|()| show(&context, args, printer));
    stack::stop(&place.data_dir)?;
    let exit = result?;
    printer.line(NEXT);
    Ok(exit)
}

const NEXT: &str = "\
The stack has stopped and nothing of it remains. Type next:
  rwt up && rwt run       start a stack that stays, and create the models in it
  rwt produce             send events until Ctrl-C; --direct for the clickstream
  rwt funnel --watch      watch the funnel
  rwt ls, rwt graph       look at the models; compiled/all_models.sql is all of them as SQL";

const NEXT_KEPT: &str = "\
The stack stays up. Type next:
  rwt status              sources, topics and lake tables
  rwt produce             send events until Ctrl-C; --direct for the clickstream
  rwt funnel --watch      watch the funnel
  rwt down                stop it; rwt down --delete-data removes its data too";

/// The usual port if it is free, else any.
fn free_port(usual: u16) -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, usual))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(listener.local_addr()?.port())
}

fn show(context: &Context, args: &DemoArgs, printer: &Printer) -> CommandResult {
    let clock = Instant::now();
    if run::run(context, &RunArgs::everything(), printer)? != Exit::Ok {
        return Ok(Exit::Failure);
    }
    let duration = args.duration.to_std().unwrap_or_default();
    let pace = Pace {
        rate: args.rate,
        limit: Limit {
            events: None,
            duration: Some(duration),
        },
        start: Utc::now(),
    };
    let kafka = kafka_job(context, 1, USERS, pace)?;
    let direct = direct_job(context, 1, None, pace)?;
    printer.line(format!("\n{}", kafka.describe()));
    printer.line(format!(
        "{}, both for {} s\n",
        direct.describe(),
        duration.as_secs()
    ));

    let stop = interrupt::flag(context.runtime().handle())?;
    let producers = [
        ("Kafka", spawn(kafka, &stop)),
        ("direct", spawn(direct, &stop)),
    ];
    let connection = context.connector().connect()?;
    let query = query_of(context)?;
    let mut picture = Picture::new(printer);
    while producers
        .iter()
        .any(|(_, producer)| !producer.is_finished())
    {
        if printer.stdout_is_terminal() {
            picture.draw(&funnel_text(&funnel::look(context, &connection, &query)?));
        }
        wait(&stop, Duration::from_secs(1), || {
            producers.iter().all(|(_, producer)| producer.is_finished())
        });
    }
    let mut failed = false;
    let mut summaries = String::new();
    for (name, producer) in producers {
        let (summary, result) = producer
            .join()
            .map_err(|_| Failure::usage(miette::miette!("the {name} producer has panicked")))?;
        result?;
        failed |= summary.counters.failed > 0;
        let _ = writeln!(summaries, "{name}: {summary}");
    }
    settle(context, &connection)?;
    picture.draw(&funnel_text(&funnel::look(context, &connection, &query)?));
    printer.line(format!("\n{summaries}"));
    printer.line(lake_table(context, &connection)?);
    printer.line(format!(
        "Everything took {:.1} s.\n",
        clock.elapsed().as_secs_f64()
    ));
    Ok(if failed { Exit::Failure } else { Exit::Ok })
}

type Producer = thread::JoinHandle<(Summary, Result<(), rwt_produce::ProduceError>)>;

fn spawn(job: super::produce::Job, stop: &Arc<AtomicBool>) -> Producer {
    struct Silent;
    impl Observer for Silent {
        fn tick(&mut self, _: Duration, _: &Counters) {}
    }
    let stop = stop.clone();
    thread::spawn(move || job.run(&stop, &mut Silent))
}

fn wait(stop: &AtomicBool, time: Duration, done: impl Fn() -> bool) {
    let until = Instant::now() + time;
    while Instant::now() < until && !done() && !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
    }
}

fn query_of(context: &Context) -> Result<FunnelQuery, Failure> {
    let node = context.model("funnel").ok_or_else(|| {
        Failure::usage(miette::miette!(
            help = "run the demo in rwt's own repository, or a project with such a model",
            "the project has no model funnel"
        ))
    })?;
    Ok(FunnelQuery {
        schema: node.schema.clone(),
        relation: node.identifier.clone(),
        limit: 5,
        span: None,
    })
}

fn count(connection: &Connection, relation: &str) -> Result<u64, Failure> {
    let result = connection
        .query(&format!("select count(*) from {relation}"))
        .map_err(super::context::DatabaseFailure::new(
            "rows cannot be counted",
        ))?;
    let cell = result.rows.into_iter().flatten().flatten().next();
    Ok(cell.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Waits until the sources hold what the topics hold, and the lake what the sources and tables hold.
fn settle(context: &Context, connection: &Connection) -> Result<(), Failure> {
    let messages: i64 = match context.broker() {
        Some(broker) => broker.topics()?.iter().map(|topic| topic.messages).sum(),
        None => 0,
    };
    let feeds = &context.flows()?.feeds;
    let deadline = Instant::now() + LAKE_PATIENCE;
    loop {
        let mut settled = true;
        let mut ingested = 0;
        for feed in feeds {
            let upstream = count(connection, &feed.from)?;
            if feed.topic.is_some() {
                ingested += i64::try_from(upstream).unwrap_or(i64::MAX);
            }
            settled &= count(connection, &feed.into)? == upstream;
        }
        if (settled && ingested >= messages) || Instant::now() > deadline {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn lake_table(context: &Context, connection: &Connection) -> Result<String, Failure> {
    let mut table = Table::new(&[
        ("Iceberg table", Align::Left),
        ("rows", Align::Right),
        ("rows in its upstream", Align::Right),
    ]);
    for feed in &context.flows()?.feeds {
        table.row([
            feed.name.clone(),
            count(connection, &feed.into)?.to_string(),
            count(connection, &feed.from)?.to_string(),
        ]);
    }
    Ok(table.render())
}

//! `rwt up`, `rwt down`, and the inside of the background process.

use std::path::PathBuf;

use clap::Args;
use rwt_project::profile::MemorySize;
use serde_json::json;

use super::args::{GlobalArgs, Output};
use super::context::{Context, Place};
use super::{CommandResult, Exit, Failure};
use crate::stack::{self, Started};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct UpArgs {
    /// The SQL engine's port, instead of the target's
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The Kafka broker's port, instead of the target's
    #[arg(long, value_name = "PORT")]
    kafka_port: Option<u16>,
    /// The data directory, instead of the target's
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What the engine may hold in memory, such as 512MB or 4GB, instead of the target's
    #[arg(long, value_name = "SIZE", value_parser = MemorySize::parse)]
    memory_limit: Option<MemorySize>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(super) struct DownArgs {
    /// The data directory, instead of the target's
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Delete the data directory with everything in it
    #[arg(long)]
    delete_data: bool,
}

#[derive(Debug, Args)]
pub(super) struct ProcessArgs {
    #[arg(long)]
    data_dir: PathBuf,
    #[arg(long)]
    port: u16,
    #[arg(long)]
    kafka_port: u16,
    #[arg(long)]
    memory_limit: Option<u64>,
    #[arg(long)]
    owner: Option<u32>,
}

pub(super) fn up(global: &GlobalArgs, args: &UpArgs, printer: &Printer) -> CommandResult {
    let mut context = Context::load(global, printer)?;
    if let Some(place) = context.place_mut() {
        if let Some(port) = args.port {
            place.engine_port = port;
        }
        if let Some(port) = args.kafka_port {
            place.kafka_port = port;
        }
        if let Some(dir) = &args.data_dir {
            place.data_dir.clone_from(dir);
        }
        if let Some(limit) = args.memory_limit {
            place.memory_limit = Some(limit.bytes());
        }
    }
    let started = context.start_stack()?;
    let created = context.create_topics()?;
    let topics = &context.flows()?.topics;
    if printer.is_json() {
        printer.document(&json!({
            "target": context.target().name,
            "stack": started.as_ref().map(Started::running),
            "topics": topics,
            "topics_created": created,
        }));
        return Ok(Exit::Ok);
    }
    match &started {
        Some(started) => {
            let running = started.running();
            let word = match started {
                Started::Now(_) => "The embedded stack is up",
                Started::Already(_) => "The embedded stack was up already",
            };
            printer.line(format!("{word} (process {}):", running.pid));
            printer.line(format!(
                "  SQL engine    {}   psql -h {} -p {} -d {} -U {}",
                running.engine,
                running.engine.ip(),
                running.engine.port(),
                context.target().database,
                context.target().user
            ));
            printer.line(format!("  Kafka broker  {}", running.kafka));
            printer.line(format!("  lake          {}", running.lake_dir().display()));
        }
        None => printer.line(format!(
            "Target {} is a RisingWave cluster, which rwt does not start.",
            context.target().name
        )),
    }
    if !topics.is_empty() {
        printer.line(format!("  topics        {}", topics.join(", ")));
    }
    Ok(Exit::Ok)
}

pub(super) fn down(global: &GlobalArgs, args: &DownArgs, printer: &Printer) -> CommandResult {
    let place = Place::find(global, args.data_dir.as_deref(), printer)?;
    match stack::stop(&place.data_dir)? {
        Some(running) => printer.line(format!(
            "The embedded stack (process {}) has stopped; its data is in {}.",
            running.pid,
            running.data_dir.display()
        )),
        None => printer.line("The embedded stack is not running."),
    }
    if args.delete_data && place.data_dir.exists() {
        place.delete()?;
        printer.line(format!("Deleted {}.", place.data_dir.display()));
    }
    Ok(Exit::Ok)
}

pub(super) fn process(args: &ProcessArgs) -> CommandResult {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("RWT_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_ansi(false)
        .with_target(false)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::usage(miette::miette!("no runtime can be built: {error}")))?;
    runtime.block_on(stack::process::serve(&stack::control::Place {
        data_dir: args.data_dir.clone(),
        engine_port: args.port,
        kafka_port: args.kafka_port,
        memory_limit: args.memory_limit,
        owner: args.owner,
    }))?;
    Ok(Exit::Ok)
}

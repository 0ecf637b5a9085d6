//! Arguments to settings to one function per command.

mod adopt;
mod answers;
mod apply;
mod args;
mod build;
mod clean;
mod compile;
mod context;
mod contracts;
mod dbt_flags;
mod debug;
mod demo;
mod deploy;
mod deps;
mod diff;
mod diff_database;
mod docs;
mod drop;
mod exit;
mod flows;
mod freshness;
mod funnel;
mod graph;
mod hub;
mod init;
mod inputs;
mod interrupt;
mod jobs;
mod lint;
mod log_flags;
mod logs;
mod ls;
mod messages;
mod node_events;
mod node_lines;
mod operation;
mod parse;
mod plan;
mod produce;
mod project_hooks;
mod results;
mod retry;
mod run;
mod seed;
mod show;
mod stack;
mod status;
mod test;
mod test_record;
mod test_watch;
mod topic_check;

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use debug::Check;
pub use exit::Exit;

use args::GlobalArgs;

use crate::ui::{Event, EventLevel, Printer};

/// Build, plan and run streaming pipelines on RisingWave.
#[derive(Debug, Parser)]
#[command(name = "rwt", version, max_term_width = 100, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at work on this machine: stack, models, producers, funnel, lake
    Demo(demo::DemoArgs),
    /// Write a new project that compiles and runs
    Init(init::InitArgs),
    /// Write compiled/: every model as plain SQL, and one script that psql can run
    Compile(compile::CompileArgs),
    /// Remove what the project file calls clean-targets
    Clean(clean::CleanArgs),
    /// Fetch the packages that packages.yml names
    Deps(deps::DepsArgs),
    /// List the project's models
    #[command(visible_alias = "list")]
    Ls(ls::LsArgs),
    /// Read the whole project, tell all that is wrong with it, and write target/manifest.json
    Parse(parse::ParseArgs),
    /// Write what the dbt docs site and other catalogs read
    #[command(subcommand)]
    Docs(docs::DocsCommand),
    /// dbt's; RisingWave has nothing like it
    #[command(hide = true)]
    Clone {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        arguments: Vec<String>,
    },
    /// Draw how models hang together
    Graph(graph::GraphArgs),
    /// Create what is missing in the database and change what has changed, in the order of the models
    Run(run::RunArgs),
    /// Run data tests on the database, and unit tests in this process
    Test(test::TestArgs),
    /// Run models and tests in the order of the models; a failed test stops what is below it
    Build(build::BuildArgs),
    /// Load the seeds: what `run` does, for seeds alone
    Seed(seed::SeedArgs),
    /// Make the tables of snapshots
    Snapshot(run::RunArgs),
    /// Look after sources
    #[command(subcommand)]
    Source(freshness::SourceCommand),
    /// Show the first rows of a model's query
    Show(show::ShowArgs),
    /// Call a macro
    RunOperation(operation::OperationArgs),
    /// Run again what the last run did not do
    Retry(retry::RetryArgs),
    /// Show what would change in the database, and what it costs
    Plan(plan::PlanArgs),
    /// Compare the project with what is in a target's database, or with an earlier manifest
    Diff(diff::DiffArgs),
    /// Change the database: make a plan, or take a saved one, and carry it out
    Apply(apply::ApplyArgs),
    /// Warn of what is allowed and probably not meant
    Lint(lint::LintArgs),
    /// Make objects known that exist and that rwt has not made
    Adopt(adopt::AdoptArgs),
    /// Show what the server builds, or cancel it
    Jobs(jobs::JobsArgs),
    /// Drop what the project made in the database
    Drop(drop::DropArgs),
    /// Check everything that the target needs, and say what to do
    Debug(debug::DebugArgs),
    /// Start the embedded stack, or make the topics of another target
    Up(stack::UpArgs),
    /// Show the stack: sources, topics, lake
    Status(status::StatusArgs),
    /// Stop the embedded stack
    Down(stack::DownArgs),
    /// Show the log of the embedded stack
    Logs(logs::LogsArgs),
    /// Send events to Kafka, or with --direct into the database
    Produce(produce::ProduceArgs),
    /// Show the conversion funnel, or check it
    Funnel(funnel::FunnelArgs),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The inside of the embedded stack
    #[command(hide = true)]
    StackProcess(stack::ProcessArgs),
}

/// The arguments. `DBT_ENGINE_…` is dbt's newer name of each variable `DBT_…`, and wins.
fn parsed() -> Result<Cli, clap::Error> {
    const NEWER: &str = "DBT_ENGINE_";
    let given: HashSet<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with(NEWER))
        .collect();
    if given.is_empty() {
        return Cli::try_parse();
    }
    let matches = with_variables(Cli::command(), &given).try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

fn with_variables(command: clap::Command, given: &HashSet<String>) -> clap::Command {
    let rename = |argument: clap::Arg| {
        let older = argument
            .get_env()
            .map(|name| name.to_string_lossy().into_owned());
        let newer =
            older.and_then(|name| Some(format!("DBT_ENGINE_{}", name.strip_prefix("DBT_")?)));
        match newer.filter(|name| given.contains(name)) {
            // clap keeps names of variables for as long as the program runs.
            Some(name) => argument.env(&*name.leak()),
            None => argument,
        }
    };
    command
        .mut_args(rename)
        .mut_subcommands(|command| with_variables(command, given))
}

/// Runs what the arguments ask for. Returns the exit code; see [`Exit`].
pub fn main() -> ExitCode {
    let clock = Instant::now();
    let cli = match parsed() {
        Ok(cli) => cli,
        Err(error) => {
            // clap's own texts: help and version on stdout, usage errors on stderr with code 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let Cli {
        mut global,
        command,
    } = cli;
    let settled = global.settle();
    let printer = global.printer(command.wants_json());
    let (printer, result) = match (printer, settled) {
        (Ok(printer), Ok(())) => {
            begin(&printer);
            let result = match global.dbt.check() {
                Ok(()) => carry_out(&global, command, &printer),
                Err(failure) => Err(failure),
            };
            (printer, result)
        }
        (Ok(printer), Err(failure)) => (printer, Err(failure)),
        // The log cannot be written; stderr can.
        (Err(failure), _) => (
            Printer::new(global.color, global.quiet, false),
            Err(failure),
        ),
    };
    let exit = result.unwrap_or_else(|failure| {
        for report in &failure.reports {
            printer.error(report);
        }
        failure.exit
    });
    end(&printer, exit, clock);
    exit.into()
}

fn begin(printer: &Printer) {
    let version = rwt_compiler::DBT_VERSION;
    let text = format!("Running with dbt={version}");
    let event = Event::new("MainReportVersion", "A001", EventLevel::Info, text);
    printer.event(
        &event
            .field("version", format!("={version}"))
            .field("log_version", 3),
    );
}

fn end(printer: &Printer, exit: Exit, clock: Instant) {
    let now = chrono::Utc::now();
    let elapsed = clock.elapsed().as_secs_f64();
    let is_done = matches!(exit, Exit::Ok | Exit::Changes);
    let how = if is_done { "succeeded" } else { "failed" };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // As dbt has it: the words of the command line, with what may be secret in --vars left out.
    let command = format!("rwt {}", named(&arguments).join(" "));
    let text = format!(
        "Command `{command}` {how} at {} after {elapsed:.2} seconds",
        now.format("%H:%M:%S%.6f")
    );
    let event = Event::new("CommandCompleted", "Q039", EventLevel::Debug, text)
        .field("command", command)
        .field("success", is_done)
        .field("completed_at", rwt_compiler::artifacts::time(now))
        .field("elapsed", elapsed);
    printer.event(&event);
}

/// Arguments without the values of `--vars` and `--args`, which may hold secrets.
fn named(arguments: &[String]) -> Vec<String> {
    let mut hidden = false;
    let show = |argument: &String| {
        let is_value = std::mem::take(&mut hidden);
        let name = argument.split('=').next().unwrap_or_default();
        let holds = matches!(name, "--vars" | "--args");
        hidden = holds && !argument.contains('=');
        match (is_value, holds && argument.contains('=')) {
            (true, _) => "*****".to_owned(),
            (_, true) => format!("{name}=*****"),
            _ => argument.clone(),
        }
    };
    arguments.iter().map(show).collect()
}

fn carry_out(global: &GlobalArgs, command: Command, printer: &Printer) -> CommandResult {
    match command {
        Command::Demo(args) => demo::main(global, &args, printer),
        Command::Init(args) => init::main(global, &args, printer),
        Command::Clean(args) => clean::main(global, &args, printer),
        Command::Source(freshness::SourceCommand::Freshness(args)) => {
            freshness::freshness(global, &args, printer)
        }
        Command::Compile(args) => compile::main(global, &args, printer),
        Command::Deps(args) => deps::main(global, &args, printer),
        Command::Ls(args) => ls::main(global, &args, printer),
        Command::Parse(args) => parse::main(global, &args, printer),
        Command::Docs(docs::DocsCommand::Generate(args)) => docs::generate(global, &args, printer),
        Command::Docs(docs::DocsCommand::Serve { arguments: _ }) => {
            Err(Failure::usage(docs::NoServer))
        }
        Command::Clone { arguments: _ } => Err(Failure::usage(NoClone)),
        Command::Graph(args) => graph::main(global, &args, printer),
        Command::Run(args) => run::main(global, &args, printer),
        Command::Test(args) => test::main(global, &args, printer),
        Command::Build(args) => build::main(global, &args, printer),
        Command::Seed(args) => seed::main(global, &args, printer),
        Command::Snapshot(args) => run::snapshot(global, &args, printer),
        Command::Show(args) => show::main(global, &args, printer),
        Command::RunOperation(args) => operation::main(global, &args, printer),
        Command::Retry(args) => retry::main(global, &args, printer),
        Command::Plan(args) => plan::main(global, &args, printer),
        Command::Diff(args) => diff::main(global, &args, printer),
        Command::Apply(args) => apply::main(global, &args, printer),
        Command::Lint(args) => lint::main(global, &args, printer),
        Command::Adopt(args) => adopt::main(global, &args, printer),
        Command::Jobs(args) => jobs::main(global, &args, printer),
        Command::Drop(args) => drop::main(global, &args, printer),
        Command::Debug(args) => debug::main(global, &args, printer),
        Command::Up(args) => stack::up(global, &args, printer),
        Command::Status(args) => status::main(global, &args, printer),
        Command::Down(args) => stack::down(global, &args, printer),
        Command::Logs(args) => logs::main(global, &args, printer),
        Command::Produce(args) => produce::main(global, &args, printer),
        Command::Funnel(args) => funnel::main(global, &args, printer),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "rwt", &mut script);
            printer.raw(&String::from_utf8_lossy(&script));
            Ok(Exit::Ok)
        }
        Command::StackProcess(args) => stack::process(&args),
    }
}

impl Command {
    fn wants_json(&self) -> bool {
        match self {
            Self::Compile(args) => args.output.is_json(),
            Self::Parse(args) => args.output.is_json(),
            Self::Docs(docs::DocsCommand::Generate(args)) => args.output.is_json(),
            Self::Source(freshness::SourceCommand::Freshness(args)) => args.output.is_json(),
            Self::Run(args) => args.output.is_json(),
            Self::Test(args) => args.output.is_json(),
            Self::Build(args) => args.run.output.is_json(),
            Self::Seed(args) => args.run.output.is_json(),
            Self::Snapshot(args) => args.output.is_json(),
            Self::Show(args) => args.output.is_json(),
            Self::Retry(args) => args.output.is_json(),
            Self::Plan(args) => args.output == plan::PlanOutput::Json,
            Self::Diff(args) => args.output.is_json(),
            Self::Apply(args) => args.output.is_json(),
            Self::Lint(args) => args.output.is_json(),
            Self::Adopt(args) => args.output.is_json(),
            Self::Jobs(args) => args.output.is_json(),
            Self::Drop(args) => args.output.is_json(),
            Self::Debug(args) => args.output.is_json(),
            Self::Up(args) => args.output.is_json(),
            Self::Status(args) => args.output.is_json(),
            Self::Produce(args) => args.output.is_json(),
            Self::Funnel(args) => args.output == funnel::FunnelOutput::Json,
            _ => false,
        }
    }
}

/// `dbt clone`
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error(
    "RisingWave cannot clone: every copy of a relation would be its rows once more, and a stream of its own"
)]
#[diagnostic(
    code(rwt::usage::no_clone),
    help(
        "`rwt run --select state:modified+ --defer --state DIR` builds what has changed and reads the rest where it is"
    )
)]
struct NoClone;

/// A command that did not do what was asked.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    reports: Vec<miette::Report>,
}

type CommandResult = Result<Exit, Failure>;

impl Failure {
    /// Wrong usage, or a missing project, profile or target.
    fn usage(error: impl Into<miette::Report>) -> Self {
        Self {
            exit: Exit::Usage,
            reports: vec![error.into()],
        }
    }

    /// Several errors of one kind.
    fn all<E: Into<miette::Report>>(errors: impl IntoIterator<Item = E>) -> Self {
        Self {
            exit: Exit::Failure,
            reports: errors.into_iter().map(Into::into).collect(),
        }
    }
}

impl<E: miette::Diagnostic + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            exit: Exit::Failure,
            reports: vec![miette::Report::new(error)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}

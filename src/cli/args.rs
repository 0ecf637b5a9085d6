//! Options that several commands share, in dbt's words where dbt has them.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use rwt_compiler::microbatch::EventTime;
use rwt_project::LoadOptions;
use rwt_project::graph::Indirect;
use rwt_project::manifest::ResourceType;
use rwt_project::project::{parse_mapping, project_root};
use serde_json::{Map, Value};

use super::Failure;
use super::context::Context;
use super::dbt_flags::DbtArgs;
use crate::ui::{ColorChoice, Printer};

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(super) struct GlobalArgs {
    /// The project's folder, instead of the current one or one above it
    #[arg(long, global = true, value_name = "DIR", env = "DBT_PROJECT_DIR")]
    pub project_dir: Option<PathBuf>,
    /// The folder with profiles.yml, instead of the project's and ~/.dbt
    #[arg(long, global = true, value_name = "DIR", env = "DBT_PROFILES_DIR")]
    pub profiles_dir: Option<PathBuf>,
    /// The profile, instead of the project's
    #[arg(long, global = true, value_name = "NAME", env = "DBT_PROFILE")]
    pub profile: Option<String>,
    /// The target, instead of the profile's
    #[arg(short, long, global = true, value_name = "NAME", env = "DBT_TARGET")]
    pub target: Option<String>,
    /// The folder for run_results.json and other artifacts, instead of the project's
    #[arg(long, global = true, value_name = "DIR", env = "DBT_TARGET_PATH")]
    pub target_path: Option<PathBuf>,
    /// Variables as YAML or JSON, for example '{startup_mode: latest}'
    #[arg(long, global = true, value_name = "YAML")]
    pub vars: Option<String>,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorChoice,
    /// Print results and errors only
    #[arg(short, long, global = true, env = "DBT_QUIET", overrides_with = "no_quiet", value_parser = clap::builder::FalseyValueParser::new())]
    pub quiet: bool,
    #[command(flatten)]
    pub dbt: DbtArgs,
}

impl GlobalArgs {
    /// Takes over `flags` of the project file, where there is one.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let flags = project_flags(self.project_dir.as_deref());
        self.dbt.settle(&flags.unwrap_or_default())
    }

    pub(super) fn printer(&self, json: bool) -> Result<Printer, Failure> {
        let color = match (self.dbt.use_colors, self.dbt.no_use_colors) {
            (true, _) => ColorChoice::Always,
            (_, true) => ColorChoice::Never,
            _ => self.color,
        };
        let log = &self.dbt.log;
        let quiet = self.quiet || log.is_quiet();
        let printer = Printer::new(color, quiet, json)
            .with_debug(self.dbt.is_debug())
            .without_prints(log.has_no_prints());
        Ok(match log.log(self, self.quiet, json)? {
            Some((log, log_only)) => printer.with_log(log, log_only),
            None => printer,
        })
    }
}

/// `flags` of the project file, as they are written. What is wrong with the file is told by who reads the project.
fn project_flags(dir: Option<&Path>) -> Option<Map<String, Value>> {
    let options = LoadOptions {
        project_dir: dir.map(Path::to_owned),
        ..LoadOptions::default()
    };
    let root = project_root(&options).ok()?;
    let text = ["dbt_project.yml", "project.yml"]
        .iter()
        .find_map(|name| std::fs::read_to_string(root.join(name)).ok())?;
    // Most have none, and are not read twice.
    if !text.lines().any(|line| line.starts_with("flags")) {
        return None;
    }
    let mut file = parse_mapping("flags", &text).ok()?;
    match file.swap_remove("flags") {
        Some(Value::Object(flags)) => Some(flags),
        _ => None,
    }
}

/// Which models.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SelectArgs {
    /// Models to take: names, tag:x, path:x, config.x:y, +parents, children+, @, wildcards; blanks unite, commas intersect
    #[arg(short, long, num_args = 1.., value_name = "SELECTOR", visible_aliases = ["models", "model"], short_alias = 'm')]
    pub select: Vec<String>,
    /// Models to leave out
    #[arg(long, num_args = 1.., value_name = "SELECTOR")]
    pub exclude: Vec<String>,
    /// A selector of selectors.yml, instead of --select and --exclude
    #[arg(long, value_name = "NAME", conflicts_with_all = ["select", "exclude"])]
    pub selector: Option<String>,
    /// The folder with an earlier manifest.json or run_results.json, for state:, result: and source_status:
    #[arg(long, value_name = "DIR", env = "DBT_STATE")]
    pub state: Option<PathBuf>,
    /// Which tests a selected model takes along: those that read it, or only it, or only it and what is above it, or none
    #[arg(long, value_enum, value_name = "MODE", env = "DBT_INDIRECT_SELECTION")]
    pub indirect_selection: Option<IndirectSelection>,
}

/// dbt's modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum IndirectSelection {
    /// Tests that read any selected model.
    Eager,
    /// Tests that read selected models only.
    Cautious,
    /// Tests that read selected models and what is above them only.
    Buildable,
    /// Tests that are selected themselves.
    Empty,
}

impl SelectArgs {
    /// Whether nothing narrows the choice.
    pub(super) fn is_empty(&self) -> bool {
        self.select.is_empty() && self.exclude.is_empty() && self.selector.is_none()
    }

    /// The mode that was asked for, or that the project's flags name, or dbt's default.
    pub(super) fn indirect(&self, flag: Option<&str>) -> Indirect {
        let flag = || IndirectSelection::from_str(flag?, true).ok();
        match self.indirect_selection.or_else(flag) {
            None | Some(IndirectSelection::Eager) => Indirect::Eager,
            Some(IndirectSelection::Cautious) => Indirect::Cautious,
            Some(IndirectSelection::Buildable) => Indirect::Buildable,
            Some(IndirectSelection::Empty) => Indirect::Empty,
        }
    }
}

/// Which kinds of nodes.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct KindArgs {
    /// Kinds of nodes to take, instead of all
    #[arg(long = "resource-type", visible_alias = "resource-types", value_enum, num_args = 1.., value_name = "KIND")]
    kinds: Vec<NodeKind>,
    /// Kinds of nodes to leave out
    #[arg(long = "exclude-resource-type", visible_alias = "exclude-resource-types", value_enum, num_args = 1.., value_name = "KIND")]
    not_kinds: Vec<NodeKind>,
}

impl KindArgs {
    /// Whether nodes of a kind are wanted.
    pub(super) fn takes(&self, kind: ResourceType) -> bool {
        let is_among = |kinds: &[NodeKind]| kinds.iter().any(|given| given.takes(kind));
        (self.kinds.is_empty() || is_among(&self.kinds)) && !is_among(&self.not_kinds)
    }
}

/// dbt's words for what a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NodeKind {
    Model,
    Source,
    Seed,
    Snapshot,
    Test,
    #[value(name = "unit_test")]
    UnitTest,
    Function,
    Exposure,
    #[value(alias = "default")]
    All,
}

impl NodeKind {
    fn takes(self, kind: ResourceType) -> bool {
        match self {
            Self::Model => kind == ResourceType::Model,
            Self::Source => kind == ResourceType::Source,
            Self::Seed => kind == ResourceType::Seed,
            Self::Snapshot => kind == ResourceType::Snapshot,
            Self::Test => kind == ResourceType::Test,
            Self::UnitTest => kind == ResourceType::UnitTest,
            Self::Function => kind == ResourceType::Function,
            Self::Exposure => kind == ResourceType::Exposure,
            Self::All => true,
        }
    }
}

/// What the first failure means.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct FailFastArgs {
    /// Begin nothing new after the first failure
    #[arg(short = 'x', long, env = "DBT_FAIL_FAST", overrides_with = "no_fail_fast", value_parser = clap::builder::FalseyValueParser::new())]
    fail_fast: bool,
    #[arg(long, hide = true, overrides_with = "fail_fast")]
    no_fail_fast: bool,
}

impl FailFastArgs {
    /// As an earlier command had it.
    pub(super) fn again(fail_fast: bool) -> Self {
        Self {
            fail_fast,
            no_fail_fast: !fail_fast,
        }
    }

    /// Whether the first failure ends the command: the command line says so, or else the project.
    pub(super) fn holds(&self, context: &Context) -> bool {
        self.fail_fast || !self.no_fail_fast && context.is_flag("fail_fast")
    }
}

/// The span of event time that microbatch models are built for.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct EventTimeArgs {
    /// Build microbatch models from this time on, for example 2024-05-01 or 2024-05-01T12:00:00 (UTC)
    #[arg(long, value_name = "TIME", env = "DBT_EVENT_TIME_START", requires = "event_time_end", value_parser = time)]
    pub event_time_start: Option<DateTime<Utc>>,
    /// Build microbatch models up to this time, which is not in them
    #[arg(long, value_name = "TIME", env = "DBT_EVENT_TIME_END", requires = "event_time_start", value_parser = time)]
    pub event_time_end: Option<DateTime<Utc>>,
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let moment = rwt_compiler::microbatch::moment(text);
    let moment = moment.ok_or("a day (2024-05-01) or a time (2024-05-01T12:00:00) is expected")?;
    Ok(moment.and_utc())
}

/// A span of event time that ends before it begins.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("--event-time-start must be less than --event-time-end")]
#[diagnostic(
    code(rwt::usage::event_time),
    help("the end is the first moment that is not built any more")
)]
struct EndsBeforeItBegins;

impl EventTimeArgs {
    /// Start and end, where they are given.
    pub(super) fn span(&self) -> Result<Option<EventTime>, Failure> {
        match (self.event_time_start, self.event_time_end) {
            (Some(start), Some(end)) if start >= end => Err(Failure::usage(EndsBeforeItBegins)),
            (Some(start), Some(end)) => Ok(Some((start, end))),
            _ => Ok(None),
        }
    }
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document on stdout.
    Json,
}

impl Output {
    pub(super) fn is_json(self) -> bool {
        self == Self::Json
    }
}

//! Options that several commands share, in dbt's words where dbt has them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rwt_project::graph::Indirect;

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
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl GlobalArgs {
    pub(super) fn printer(&self, json: bool) -> Printer {
        Printer::new(self.color, self.quiet, json)
    }
}

/// Which models.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SelectArgs {
    /// Models to take: names, tag:x, path:x, config.x:y, +parents, children+, @, wildcards; blanks unite, commas intersect
    #[arg(short, long, num_args = 1.., value_name = "SELECTOR", visible_aliases = ["models", "model"])]
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

    /// The mode that was asked for, or dbt's default.
    pub(super) fn indirect(&self) -> Indirect {
        match self.indirect_selection {
            None | Some(IndirectSelection::Eager) => Indirect::Eager,
            Some(IndirectSelection::Cautious) => Indirect::Cautious,
            Some(IndirectSelection::Buildable) => Indirect::Buildable,
            Some(IndirectSelection::Empty) => Indirect::Empty,
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

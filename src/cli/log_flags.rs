//! What is said, how, and where it is written down: dbt's options of its log.
//!
//! The console speaks rwt's own words, unless `--log-format json` wants dbt's records. A file is written where one is asked
//! for: rwt makes no `logs/` in a project unasked.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::Failure;
use super::args::GlobalArgs;
use super::context::unexpected;
use crate::ui::{EventFormat, EventLevel, EventLog};

/// dbt's size of a log file.
const MOST: u64 = 10 * 1024 * 1024;

/// What dbt passes on from the environment into every record.
const EXTRA: &str = "DBT_ENV_CUSTOM_ENV_";

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    #[value(alias = "default")]
    Text,
    /// With time, level and thread.
    Debug,
    /// dbt's records, one per line.
    Json,
    /// A JSON record per line on stdout, as dbt-core expects of a parser; `rwt parse` has it.
    Otel,
}

/// dbt's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
    #[value(alias = "off")]
    None,
}

impl LogLevel {
    fn from(self) -> Option<EventLevel> {
        match self {
            Self::Debug => Some(EventLevel::Debug),
            Self::Info => Some(EventLevel::Info),
            Self::Warn => Some(EventLevel::Warn),
            Self::Error => Some(EventLevel::Error),
            Self::None => None,
        }
    }
}

#[derive(Debug, Clone, Default, Args)]
pub(super) struct LogArgs {
    /// How much is said
    #[arg(
        long,
        global = true,
        hide = true,
        value_enum,
        ignore_case = true,
        value_name = "LEVEL",
        env = "DBT_LOG_LEVEL"
    )]
    log_level: Option<LogLevel>,
    /// What messages look like
    #[arg(
        long,
        global = true,
        hide = true,
        value_enum,
        ignore_case = true,
        value_name = "FORMAT",
        env = "DBT_LOG_FORMAT"
    )]
    log_format: Option<LogFormat>,
    /// The same for the file
    #[arg(
        long,
        global = true,
        hide = true,
        value_enum,
        ignore_case = true,
        value_name = "LEVEL",
        env = "DBT_LOG_LEVEL_FILE"
    )]
    log_level_file: Option<LogLevel>,
    #[arg(
        long,
        global = true,
        hide = true,
        value_enum,
        ignore_case = true,
        value_name = "FORMAT",
        env = "DBT_LOG_FORMAT_FILE"
    )]
    log_format_file: Option<LogFormat>,
    /// The folder of dbt.log
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "DIR",
        env = "DBT_LOG_PATH"
    )]
    log_path: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "N",
        env = "DBT_LOG_FILE_MAX_BYTES"
    )]
    log_file_max_bytes: Option<u64>,
    /// Whether `print()` of macros is shown
    #[arg(long, global = true, hide = true, env = "DBT_PRINT", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = clap::builder::BoolishValueParser::new(), overrides_with = "no_print")]
    print: Option<bool>,
    #[arg(long, global = true, hide = true, env = "DBT_NO_PRINT", overrides_with = "print", value_parser = clap::builder::FalseyValueParser::new())]
    no_print: bool,
}

impl LogArgs {
    pub(super) fn format(&self) -> LogFormat {
        self.log_format.unwrap_or_default()
    }

    /// Whether only results and errors are wanted.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(
            self.log_level,
            Some(LogLevel::Warn | LogLevel::Error | LogLevel::None)
        )
    }

    pub(super) fn is_debug(&self) -> bool {
        self.log_level == Some(LogLevel::Debug)
    }

    /// Whether `print()` of macros is left out.
    pub(super) fn has_no_prints(&self) -> bool {
        self.no_print || self.print == Some(false)
    }

    /// Takes over `flags` of the project file.
    pub(super) fn settle(&mut self, flags: &Map<String, Value>) {
        fn of<T: ValueEnum>(flags: &Map<String, Value>, name: &str) -> Option<T> {
            let word = flags.get(name)?.as_str()?;
            T::from_str(word, true).ok()
        }
        self.log_level = self.log_level.or_else(|| of(flags, "log_level"));
        self.log_format = self.log_format.or_else(|| of(flags, "log_format"));
        self.log_level_file = self.log_level_file.or_else(|| of(flags, "log_level_file"));
        self.log_format_file = self
            .log_format_file
            .or_else(|| of(flags, "log_format_file"));
    }

    /// The log, and whether it is all that the console shows. None where nobody wants one.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn log(
        &self,
        global: &GlobalArgs,
        is_quiet: bool,
        has_document: bool,
    ) -> Result<Option<(EventLog, bool)>, Failure> {
        let on_console = self.format() == LogFormat::Json;
        let has_file = self.log_path.is_some()
            || self.log_level_file.is_some()
            || self.log_format_file.is_some();
        if !on_console && !has_file {
            return Ok(None);
        }
        let extra = std::env::vars().filter_map(|(name, value)| {
            Some((name.strip_prefix(EXTRA)?.to_owned(), Value::from(value)))
        });
        let mut log = EventLog::new(uuid::Uuid::new_v4().to_string(), extra.collect());
        if on_console {
            let from = match (self.log_level, is_quiet) {
                (Some(LogLevel::None), _) => None,
                (_, true) => Some(EventLevel::Error),
                (Some(level), _) => level.from(),
                (None, _) if global.dbt.is_debug() => Some(EventLevel::Debug),
                (None, _) => Some(EventLevel::Info),
            };
            log.add_console(EventFormat::Json, from, has_document);
        }
        if has_file {
            let folder = match (&self.log_path, &global.project_dir) {
                (Some(folder), _) => folder.clone(),
                (None, Some(project)) => project.join("logs"),
                (None, None) => PathBuf::from("logs"),
            };
            let format = match self.log_format_file.or(self.log_format) {
                Some(LogFormat::Json) => EventFormat::Json,
                Some(LogFormat::Text) => EventFormat::Text,
                _ => EventFormat::DebugText,
            };
            let level = self.log_level_file.or(self.log_level);
            let from = level.map_or(Some(EventLevel::Debug), LogLevel::from);
            let path = folder.join("dbt.log");
            log.add_file(&path, format, from, self.log_file_max_bytes.unwrap_or(MOST))
                .map_err(unexpected(&format!(
                    "the log {} cannot be opened",
                    path.display()
                )))?;
        }
        Ok(Some((log, on_console)))
    }
}

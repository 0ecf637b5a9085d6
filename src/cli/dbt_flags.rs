//! dbt's options that scripts give to every command: those that mean something here are honoured, those about dbt's own
//! inside (its cache, its parser, its log files) are taken and do nothing, and the rest is refused with a reason.

use clap::{Args, ValueEnum};
use miette::Diagnostic;
use thiserror::Error;

use super::Failure;

/// Options that need no line in the help: docs/dbt.md lists them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "dbt's options")]
pub(super) struct DbtArgs {
    /// Colour always
    #[arg(long, global = true, hide = true, overrides_with = "no_use_colors")]
    pub use_colors: bool,
    /// Colour never
    #[arg(long, global = true, hide = true, overrides_with = "use_colors")]
    pub no_use_colors: bool,
    /// Show what `log()` says in macros, too
    #[arg(long, global = true, hide = true, overrides_with = "no_debug")]
    pub debug: bool,
    #[arg(long, global = true, hide = true, overrides_with = "debug")]
    no_debug: bool,
    /// Warnings of the project are errors
    #[arg(long, global = true, hide = true, overrides_with = "no_warn_error", env = "DBT_WARN_ERROR", value_parser = clap::builder::FalseyValueParser::new())]
    pub warn_error: bool,
    #[arg(long, global = true, hide = true, overrides_with = "warn_error")]
    no_warn_error: bool,
    /// How much is said
    #[arg(long, global = true, hide = true, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
    /// What messages look like
    #[arg(
        long,
        global = true,
        hide = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,

    #[command(flatten)]
    ignored: Ignored,
    #[command(flatten)]
    refused: Refused,
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    #[value(alias = "default", alias = "debug")]
    Text,
    /// dbt's events, which rwt does not write.
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
    None,
}

/// What is about dbt's own inside.
#[derive(Debug, Clone, Default, Args)]
#[allow(clippy::struct_excessive_bools, reason = "so many switches dbt has")]
struct Ignored {
    #[arg(long, global = true, hide = true)]
    partial_parse: bool,
    #[arg(long, global = true, hide = true)]
    no_partial_parse: bool,
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    partial_parse_file_path: Option<String>,
    #[arg(long, global = true, hide = true)]
    partial_parse_file_diff: bool,
    #[arg(long, global = true, hide = true)]
    no_partial_parse_file_diff: bool,
    #[arg(long, global = true, hide = true)]
    static_parser: bool,
    #[arg(long, global = true, hide = true)]
    no_static_parser: bool,
    #[arg(long, global = true, hide = true)]
    use_experimental_parser: bool,
    #[arg(long, global = true, hide = true)]
    no_use_experimental_parser: bool,
    #[arg(long, global = true, hide = true)]
    version_check: bool,
    #[arg(long, global = true, hide = true)]
    no_version_check: bool,
    #[arg(long, global = true, hide = true)]
    send_anonymous_usage_stats: bool,
    #[arg(long, global = true, hide = true)]
    no_send_anonymous_usage_stats: bool,
    #[arg(long, global = true, hide = true)]
    cache_selected_only: bool,
    #[arg(long, global = true, hide = true)]
    no_cache_selected_only: bool,
    #[arg(long, global = true, hide = true)]
    populate_cache: bool,
    #[arg(long, global = true, hide = true)]
    no_populate_cache: bool,
    #[arg(long, global = true, hide = true)]
    log_cache_events: bool,
    #[arg(long, global = true, hide = true)]
    no_log_cache_events: bool,
    #[arg(long, global = true, hide = true)]
    macro_debugging: bool,
    #[arg(long, global = true, hide = true)]
    no_macro_debugging: bool,
    #[arg(long, global = true, hide = true)]
    use_colors_file: bool,
    #[arg(long, global = true, hide = true)]
    no_use_colors_file: bool,
    #[arg(long, global = true, hide = true)]
    show_all_deprecations: bool,
    #[arg(long, global = true, hide = true)]
    no_show_all_deprecations: bool,
    #[arg(long, global = true, hide = true)]
    use_fast_test_edges: bool,
    #[arg(long, global = true, hide = true)]
    no_use_fast_test_edges: bool,
    #[arg(long, global = true, hide = true)]
    write_json: bool,
    #[arg(long, global = true, hide = true)]
    print: bool,
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    log_path: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "LEVEL")]
    log_level_file: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "FORMAT")]
    log_format_file: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "N")]
    log_file_max_bytes: Option<u64>,
    #[arg(long, global = true, hide = true, value_name = "N")]
    maximum_seed_size_mib: Option<u64>,
    #[arg(long, global = true, hide = true, value_name = "N")]
    printer_width: Option<u64>,
}

/// What cannot be honoured, and must not be passed over.
#[derive(Debug, Clone, Default, Args)]
#[allow(clippy::struct_excessive_bools, reason = "so many switches dbt has")]
struct Refused {
    #[arg(long, global = true, hide = true)]
    defer: bool,
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    defer_state: Option<String>,
    #[arg(long, global = true, hide = true)]
    favor_state: bool,
    #[arg(long, global = true, hide = true)]
    empty: bool,
    #[arg(long, global = true, hide = true, value_name = "WINDOW")]
    sample: Option<String>,
    #[arg(long, global = true, hide = true)]
    no_write_json: bool,
    #[arg(long, global = true, hide = true, value_name = "YAML")]
    warn_error_options: Option<String>,
    #[arg(long, global = true, hide = true)]
    use_v2_parser: bool,
    #[arg(long, global = true, hide = true, value_name = "COMMAND")]
    v2_parser: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    record_timing_info: Option<String>,
}

/// An option of dbt's that rwt does not have.
#[derive(Debug, Error, Diagnostic)]
#[error("rwt does not have dbt's option {option}: {why}")]
#[diagnostic(code(rwt::usage::dbt_option))]
struct NotHere {
    option: &'static str,
    why: &'static str,
    #[help]
    help: &'static str,
}

impl DbtArgs {
    /// Whether only results and errors are wanted.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(
            self.log_level,
            Some(LogLevel::Warn | LogLevel::Error | LogLevel::None)
        )
    }

    /// Whether more than usual is wanted.
    pub(super) fn is_debug(&self) -> bool {
        self.debug || self.log_level == Some(LogLevel::Debug)
    }

    /// # Errors
    /// An option that cannot be honoured.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let refused = &self.refused;
        let json = self.log_format == LogFormat::Json;
        let options = [
            (
                refused.defer || refused.favor_state || refused.defer_state.is_some(),
                NotHere {
                    option: "--defer",
                    why: "models read what is in their own target",
                    help: "select what the models read too (`+model`), or run on a target of your own",
                },
            ),
            (
                refused.empty,
                NotHere {
                    option: "--empty",
                    why: "a materialized view over no rows would stay without rows",
                    help: "`rwt plan` checks the statements, `rwt test` runs unit tests, both without rows of yours",
                },
            ),
            (
                refused.sample.is_some(),
                NotHere {
                    option: "--sample",
                    why: "a materialized view goes on reading what comes after the sample",
                    help: "filter in the model, for example by `target.name`; microbatch models take --event-time-start and --event-time-end",
                },
            ),
            (
                refused.no_write_json,
                NotHere {
                    option: "--no-write-json",
                    why: "`rwt retry` and selectors of state read the files",
                    help: "`--target-path` puts them elsewhere",
                },
            ),
            (
                refused.warn_error_options.is_some(),
                NotHere {
                    option: "--warn-error-options",
                    why: "rwt's warnings have other names than dbt's",
                    help: "`--warn-error` makes errors of all of them",
                },
            ),
            (
                refused.use_v2_parser || refused.v2_parser.is_some(),
                NotHere {
                    option: "--use-v2-parser",
                    why: "rwt parses by itself",
                    help: "dbt takes rwt as its parser: see docs/artifacts.md",
                },
            ),
            (
                refused.record_timing_info.is_some(),
                NotHere {
                    option: "--record-timing-info",
                    why: "it profiles Python code",
                    help: "target/run_results.json has the time of each node",
                },
            ),
            (
                json,
                NotHere {
                    option: "--log-format json",
                    why: "its lines are not dbt's events",
                    help: "`--output json` gives the result of a command as one document",
                },
            ),
        ];
        match options.into_iter().find(|(is_given, _)| *is_given) {
            Some((_, not_here)) => Err(Failure::usage(not_here)),
            None => Ok(()),
        }
    }
}

/// `--threads` of commands that do not need it.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Unneeded {
    #[arg(long, hide = true, value_name = "N")]
    threads: Option<u16>,
}

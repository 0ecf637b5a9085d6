//! dbt's options that scripts give to every command: those that mean something here are honoured, those about dbt's own
//! inside (its cache, its parser) are taken and do nothing, and the rest is refused with a reason.

use clap::Args;
use miette::Diagnostic;
use rwt_project::project::parse_mapping;
use serde_json::{Map, Value};
use thiserror::Error;

use super::Failure;
use super::context::not_loaded;
use super::inputs::DeferArgs;
use super::log_flags::LogArgs;

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
    #[arg(long, global = true, hide = true, env = "DBT_DEBUG", overrides_with = "no_debug", value_parser = clap::builder::FalseyValueParser::new())]
    pub debug: bool,
    #[arg(long, global = true, hide = true, overrides_with = "debug")]
    no_debug: bool,
    /// Warnings of the project are errors
    #[arg(long, global = true, hide = true, overrides_with = "no_warn_error", env = "DBT_WARN_ERROR", value_parser = clap::builder::FalseyValueParser::new())]
    pub warn_error: bool,
    #[arg(long, global = true, hide = true, overrides_with = "warn_error")]
    no_warn_error: bool,
    #[arg(long, global = true, hide = true, overrides_with = "quiet")]
    no_quiet: bool,
    #[command(flatten)]
    pub log: LogArgs,
    /// Whether manifest.json and run_results.json are written
    #[arg(long, global = true, hide = true, env = "DBT_WRITE_JSON", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = clap::builder::BoolishValueParser::new(), overrides_with = "no_write_json")]
    write_json: Option<bool>,
    #[arg(long, global = true, hide = true, overrides_with = "write_json")]
    no_write_json: bool,
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "YAML",
        env = "DBT_WARN_ERROR_OPTIONS"
    )]
    warn_error_options: Option<String>,
    #[command(flatten)]
    pub defer: DeferArgs,
    #[command(flatten)]
    ignored: Ignored,
    #[command(flatten)]
    refused: Refused,
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
    hints_enabled: bool,
    #[arg(long, global = true, hide = true)]
    no_hints_enabled: bool,
    #[arg(long, global = true, hide = true)]
    upload_to_artifacts_ingest_api: bool,
    #[arg(long, global = true, hide = true)]
    no_upload_to_artifacts_ingest_api: bool,
    #[arg(long, global = true, hide = true)]
    no_use_v2_parser: bool,
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
    /// Whether manifest.json and run_results.json are written.
    pub(super) fn writes_json(&self) -> bool {
        !self.no_write_json && self.write_json.unwrap_or(true)
    }

    /// Whether more than usual is wanted.
    pub(super) fn is_debug(&self) -> bool {
        self.debug || self.log.is_debug()
    }

    /// Takes over `flags` of the project file, where the command line says nothing else.
    pub(super) fn settle(&mut self, flags: &Map<String, Value>) -> Result<(), Failure> {
        let truth = |name: &str| flags.get(name).and_then(Value::as_bool);
        if !self.debug && !self.no_debug {
            self.debug = truth("debug").unwrap_or(false);
        }
        match truth("use_colors") {
            Some(use_colors) if !self.use_colors && !self.no_use_colors => {
                (self.use_colors, self.no_use_colors) = (use_colors, !use_colors);
            }
            _ => {}
        }
        if !self.warn_error && !self.no_warn_error && self.warn_error_options.is_none() {
            self.warn_error = truth("warn_error").unwrap_or(false);
        }
        self.write_json = self.write_json.or(truth("write_json"));
        self.log.settle(flags);
        let options = match &self.warn_error_options {
            Some(text) => Some(parse_mapping("--warn-error-options", text).map_err(not_loaded)?),
            None => None,
        };
        if let Some(options) = options {
            self.warn_error |= warns_of_all(options.get("error"), &options)?;
        }
        Ok(())
    }

    /// # Errors
    /// An option that cannot be honoured.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let refused = &self.refused;
        let options = [
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
        ];
        match options.into_iter().find(|(is_given, _)| *is_given) {
            Some((_, not_here)) => Err(Failure::usage(not_here)),
            None => Ok(()),
        }
    }
}

/// `--warn-error-options` that make errors of all warnings. What names dbt's own cannot be followed; what names none says
/// nothing.
fn warns_of_all(
    error: Option<&Value>,
    options: &indexmap::IndexMap<String, Value>,
) -> Result<bool, Failure> {
    let names = |value: Option<&Value>| {
        let list = value.and_then(Value::as_array);
        list.is_some_and(|list| !list.is_empty())
    };
    let is_all = error
        .or(options.get("include"))
        .is_some_and(|error| matches!(error.as_str(), Some("all" | "*")));
    let excepted = ["warn", "exclude"]
        .iter()
        .any(|key| names(options.get(*key)));
    if names(error.or(options.get("include"))) || is_all && excepted {
        return Err(Failure::usage(NotHere {
            option: "--warn-error-options",
            why: "rwt's warnings have other names than dbt's events",
            help: "`{error: all}`, or `--warn-error`, makes errors of all of them",
        }));
    }
    Ok(is_all)
}

/// `--threads` of commands that do not need it.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Unneeded {
    #[arg(long, hide = true, value_name = "N")]
    threads: Option<u16>,
}

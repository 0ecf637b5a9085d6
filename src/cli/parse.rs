//! `rwt parse`: the project read and checked as a whole, and `target/manifest.json`.
//!
//! dbt-core 1.12 can use it as its parser (`dbt --use-v2-parser --v2-parser "rwt parse" run`). dbt then passes options of
//! its own, which are here too, and reads what is logged as records in the manner of OpenTelemetry, a line each.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use rwt_compiler::{Checked, Flags, artifacts};
use rwt_plan::counted;
use rwt_project::manifest::{Manifest, ResourceType};
use serde::Serialize;
use serde_json::json;

use super::args::{GlobalArgs, Output};
use super::context::{options, vars};
use super::dbt_flags::Unneeded;
use super::log_flags::LogFormat;
use super::messages::Messages;
use super::{CommandResult, Exit, Failure};
use crate::ui::{Message, Printer};

#[derive(Debug, Args)]
pub(super) struct ParseArgs {
    #[command(flatten)]
    unneeded: Unneeded,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Where packages are installed, instead of where the project says
    #[arg(long, value_name = "DIR", env = "DBT_PACKAGES_INSTALL_PATH")]
    packages_install_path: Option<PathBuf>,
    /// The invocation that this is a part of
    #[arg(long, value_name = "ID")]
    invocation_id: Option<String>,
}

/// What was read, and what is wrong with it.
#[derive(Debug, Serialize)]
struct ParseReport {
    /// The file, where nothing is wrong.
    manifest: Option<PathBuf>,
    /// Enabled nodes by dbt's word for their kind.
    nodes: indexmap::IndexMap<&'static str, usize>,
    errors: Vec<Message>,
    warnings: Vec<Message>,
    milliseconds: u128,
}

impl fmt::Display for ParseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.errors.is_empty() {
            return f.write_str(&counted(self.errors.len(), "error"));
        }
        let nodes: Vec<String> = (self.nodes.iter())
            .map(|(word, number)| counted(*number, word))
            .collect();
        write!(f, "Parsed {} in {} ms", nodes.join(", "), self.milliseconds)?;
        match &self.manifest {
            Some(path) => write!(f, "; wrote {}", path.display()),
            None => Ok(()),
        }
    }
}

pub(super) fn main(global: &GlobalArgs, args: &ParseArgs, printer: &Printer) -> CommandResult {
    let clock = Instant::now();
    let mut options = options(global, vars(global)?);
    options
        .packages_install_path
        .clone_from(&args.packages_install_path);
    let flags = Flags {
        command: "parse".to_owned(),
        reporter: Arc::new(Messages::new(printer)),
        invocation_id: args.invocation_id.clone(),
        ..Flags::default()
    };
    let checked = rwt_compiler::check(&options, flags);
    let mut report = ParseReport {
        manifest: None,
        nodes: indexmap::IndexMap::new(),
        errors: messages(&checked),
        warnings: (checked.warnings.iter())
            .map(|warning| Message::of(warning))
            .collect(),
        milliseconds: 0,
    };
    if let Some(compiler) = &checked.compiler {
        report.nodes = counts(compiler.manifest());
    }
    if let Some(compiler) = checked
        .compiler
        .as_ref()
        .filter(|_| global.dbt.writes_json())
    {
        let folder = &compiler.project().target_path;
        let written = artifacts::write(folder, "manifest.json", &compiler.artifact(&[]));
        report.manifest = Some(written.map_err(|error| {
            Failure::usage(miette::miette!(
                code = "rwt::artifacts::unwritable",
                help = "`--target-path` names another folder",
                "{}/manifest.json cannot be written: {error}",
                folder.display()
            ))
        })?);
    }
    report.milliseconds = clock.elapsed().as_millis();
    match (global.dbt.log.format(), args.output) {
        (LogFormat::Otel, _) => tell_dbt(&report, printer),
        (_, Output::Json) => printer.document(&report),
        (_, Output::Text) => tell_people(&checked, &report, printer),
    }
    Ok(if report.errors.is_empty() {
        Exit::Ok
    } else {
        Exit::Failure
    })
}

fn messages(checked: &Checked) -> Vec<Message> {
    let load = checked.load.iter().map(|error| Message::of(error));
    let compile = checked.compile.iter().map(|error| Message::of(error));
    load.chain(compile).collect()
}

fn counts(manifest: &Manifest) -> indexmap::IndexMap<&'static str, usize> {
    let kinds = [
        ResourceType::Model,
        ResourceType::Seed,
        ResourceType::Snapshot,
        ResourceType::Source,
        ResourceType::Function,
        ResourceType::Test,
        ResourceType::UnitTest,
        ResourceType::Exposure,
    ];
    let count = |kind: ResourceType| {
        let nodes = manifest.nodes.values();
        nodes.filter(|node| node.resource_type == kind).count()
    };
    kinds
        .into_iter()
        .map(|kind| (kind.word(), count(kind)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn tell_people(checked: &Checked, report: &ParseReport, printer: &Printer) {
    for warning in &checked.warnings {
        printer.warning(warning);
    }
    for error in &checked.load {
        printer.problem(error);
    }
    for error in &checked.compile {
        printer.problem(error);
    }
    printer.note(report.to_string());
}

/// dbt-core reads `LogRecord`s of the event type of dbt's own parser, and shows their bodies by their severity.
fn tell_dbt(report: &ParseReport, printer: &Printer) {
    let record = |severity: u8, word: &str, body: String| {
        let record = json!({
            "record_type": "LogRecord",
            "event_type": "v1.public.events.fusion.log.UserLogMessage",
            "severity_number": severity,
            "severity_text": word,
            "body": body,
            "attributes": {},
        });
        printer.raw(&format!("{record}\n"));
    };
    for warning in &report.warnings {
        record(13, "WARN", warning.to_string());
    }
    for error in &report.errors {
        record(17, "ERROR", error.to_string());
    }
    record(9, "INFO", format!("rwt: {report}"));
}

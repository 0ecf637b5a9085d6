//! `rwt source freshness`: how old the youngest rows of sources are, by what their property files say.

use std::fmt;
use std::time::Instant;

use clap::{Args, Subcommand};
use rwt_compiler::artifacts::{SourceResult, Sources};
use rwt_compiler::{Freshness, FreshnessStatus};
use rwt_project::manifest::Node;
use serde::Serialize;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, FlagsOf};
use super::dbt_flags::Unneeded;
use super::{CommandResult, Exit, Failure};
use crate::ui::{Align, Printer, Table};

#[derive(Debug, Subcommand)]
pub(super) enum SourceCommand {
    /// Check how old the youngest rows of sources are, and write target/sources.json
    Freshness(FreshnessArgs),
}

#[derive(Debug, Args)]
pub(super) struct FreshnessArgs {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    unneeded: Unneeded,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// How one source table stands.
#[derive(Debug, Serialize)]
struct Checked {
    unique_id: String,
    name: String,
    /// dbt's word.
    status: &'static str,
    /// Seconds; none where it could not be found out.
    age: Option<f64>,
    max_loaded_at: Option<chrono::DateTime<chrono::Utc>>,
    message: Option<String>,
}

/// How all of them stand.
#[derive(Debug, Serialize)]
struct FreshnessReport {
    sources: Vec<Checked>,
    /// Seconds.
    elapsed: f64,
}

pub(super) fn freshness(
    global: &GlobalArgs,
    args: &FreshnessArgs,
    printer: &Printer,
) -> CommandResult {
    let flags = FlagsOf {
        command: "freshness",
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    let clock = Instant::now();
    let selected = context.selected_ids(&args.select, printer)?;
    let nodes = &context.compiler.manifest().nodes;
    let sources: Vec<&Node> = selected
        .iter()
        .filter(|id| context.compiler.has_freshness(id))
        .filter_map(|id| nodes.get(id))
        .collect();
    let mut results = Vec::new();
    let mut checked = Vec::new();
    if !sources.is_empty() {
        let mut session = context.session()?;
        for node in sources {
            let began = Instant::now();
            let comment = context.compiler.query_comment(Some(&node.unique_id))?;
            session.set_comment(comment);
            match context.compiler.freshness(&node.unique_id, &mut session) {
                Ok(found) => {
                    results.push(SourceResult::new(
                        node,
                        &found,
                        began.elapsed().as_secs_f64(),
                    ));
                    checked.push(Checked::of(node, &found));
                }
                Err(error) => {
                    checked.push(Checked::failed(node, error.to_string()));
                    printer.problem(&error);
                }
            }
        }
    }
    let report = FreshnessReport {
        sources: checked,
        elapsed: clock.elapsed().as_secs_f64(),
    };
    write(&context, results, report.elapsed)?;
    if printer.is_json() {
        printer.document(&report);
    } else {
        printer.line(report.to_string());
    }
    Ok(match report.failed() {
        true => Exit::Failure,
        false => Exit::Ok,
    })
}

fn write(context: &Context, results: Vec<SourceResult>, elapsed: f64) -> Result<(), Failure> {
    let invocation = context.compiler.invocation();
    context.write_artifact("sources.json", &Sources::new(&invocation, results, elapsed))?;
    context.write_manifest(&[])?;
    Ok(())
}

impl Checked {
    fn of(node: &Node, found: &Freshness) -> Self {
        Self {
            unique_id: node.unique_id.0.clone(),
            name: node.listed("name"),
            status: match found.status {
                FreshnessStatus::Pass => "pass",
                FreshnessStatus::Warn => "warn",
                FreshnessStatus::Error => "error",
            },
            age: Some(found.age()),
            max_loaded_at: Some(found.max_loaded_at),
            message: None,
        }
    }

    fn failed(node: &Node, message: String) -> Self {
        Self {
            unique_id: node.unique_id.0.clone(),
            name: node.listed("name"),
            status: "runtime error",
            age: None,
            max_loaded_at: None,
            message: Some(message),
        }
    }
}

impl FreshnessReport {
    fn count(&self, status: &str) -> usize {
        let sources = self.sources.iter();
        sources.filter(|source| source.status == status).count()
    }

    fn failed(&self) -> bool {
        self.count("error") + self.count("runtime error") > 0
    }
}

impl fmt::Display for FreshnessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sources.is_empty() {
            return f.write_str("Nothing to do: no selected source says `warn_after` or `error_after` under `freshness`.");
        }
        let mut table = Table::new(&[
            ("SOURCE", Align::Left),
            ("STATUS", Align::Left),
            ("AGE", Align::Right),
            ("LOADED AT", Align::Left),
        ]);
        for source in &self.sources {
            let status = match source.status {
                "error" => "ERROR STALE".to_owned(),
                other => other.to_uppercase(),
            };
            let has_rows = source.age.is_some_and(|age| age < NEVER);
            let age = source
                .age
                .filter(|_| has_rows)
                .map_or_else(|| "-".to_owned(), shown_age);
            let loaded = match source.max_loaded_at {
                Some(at) if has_rows => at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
                Some(_) => "never".to_owned(),
                None => "-".to_owned(),
            };
            table.row([source.name.clone(), status, age, loaded]);
        }
        writeln!(f, "{}", table.render())?;
        write!(
            f,
            "PASS={} WARN={} ERROR={} TOTAL={}",
            self.count("pass"),
            self.count("warn"),
            self.count("error") + self.count("runtime error"),
            self.sources.len()
        )
    }
}

/// A thousand years: what is older has no row, and dbt counts its age from the year 1.
const NEVER: f64 = 1000.0 * 365.25 * 86400.0;

/// An age in its largest whole unit.
fn shown_age(seconds: f64) -> String {
    let units = [(86400.0, "d"), (3600.0, "h"), (60.0, "min")];
    let found = units.iter().find(|(length, _)| seconds >= *length);
    match found {
        Some((length, unit)) => format!("{:.1} {unit}", seconds / length),
        None => format!("{:.0} s", seconds.max(0.0)),
    }
}

//! `rwt logs`

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::thread;
use std::time::Duration;

use clap::Args;

use super::args::GlobalArgs;
use super::context::Place;
use super::{CommandResult, Exit, Failure};
use crate::stack::{control, state};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// How many of the last lines
    #[arg(short = 'n', long, default_value_t = 50, value_name = "N")]
    lines: usize,
    /// Go on printing what is added, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// The stack's data directory, instead of the target's
    #[arg(long, value_name = "DIR")]
    data_dir: Option<std::path::PathBuf>,
}

/// There is no log.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("there is no log at {0}")]
#[diagnostic(
    code(rwt::stack::no_log),
    help("`rwt up` starts the embedded stack, which writes it")
)]
struct NoLog(String);

pub(super) fn main(global: &GlobalArgs, args: &LogsArgs, printer: &Printer) -> CommandResult {
    let place = Place::find(global, args.data_dir.as_deref(), printer)?;
    let log = state::log_file(&place.data_dir);
    if !log.exists() {
        return Err(Failure::from(NoLog(log.display().to_string())));
    }
    let text = control::last_lines(&log, args.lines);
    if !text.is_empty() {
        printer.raw(&format!("{text}\n"));
    }
    if args.follow {
        follow(&log, printer)
            .map_err(|error| Failure::usage(miette::miette!("the log cannot be read: {error}")))?;
    }
    Ok(Exit::Ok)
}

/// Prints what is added, also after the file was set aside by a restart.
fn follow(log: &Path, printer: &Printer) -> std::io::Result<()> {
    let mut position = std::fs::metadata(log)?.len();
    loop {
        thread::sleep(Duration::from_millis(200));
        let length = std::fs::metadata(log).map(|meta| meta.len()).unwrap_or(0);
        if length < position {
            position = 0;
        }
        if length > position {
            let mut file = File::open(log)?;
            file.seek(SeekFrom::Start(position))?;
            let mut added = Vec::new();
            file.take(length - position).read_to_end(&mut added)?;
            position += added.len() as u64;
            printer.raw(&String::from_utf8_lossy(&added));
        }
    }
}

//! `rwt test --watch`: the tests again whenever a file of the project has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime};

use super::args::GlobalArgs;
use super::test::{TestArgs, load, run};
use super::{CommandResult, Exit, Failure, interrupt};
use crate::ui::Printer;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_millis(300);

/// When each file was written, and how long it is.
type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Runs until it is interrupted. A project that cannot be read is reported and waited for.
pub(super) fn watch(global: &GlobalArgs, args: &TestArgs, printer: &Printer) -> CommandResult {
    let root = root(global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(super::context::unexpected("no runtime can be built"))?;
    let interrupted = interrupt::flag(runtime.handle())?;
    while !interrupted.load(Ordering::SeqCst) {
        // Looked at before the tests: a file that changes while they run makes them run again.
        let before = look(&root);
        let done = load(global, args, printer)
            .and_then(|mut context| run(&mut context, args, &interrupted, printer));
        if let Err(failure) = done {
            for report in &failure.reports {
                printer.error(report);
            }
        }
        printer.note("\nWaiting for a change; Ctrl-C ends it");
        let changed = loop {
            thread::sleep(LOOK);
            if interrupted.load(Ordering::SeqCst) {
                return Ok(Exit::Ok);
            }
            let now = look(&root);
            if now != before {
                break difference(&before, &now);
            }
        };
        printer.note(format!("\nChanged: {}\n", changed.display()));
    }
    Ok(Exit::Ok)
}

fn root(global: &GlobalArgs) -> Result<PathBuf, Failure> {
    let options = rwt_project::LoadOptions {
        project_dir: global.project_dir.clone(),
        ..rwt_project::LoadOptions::default()
    };
    rwt_project::project::project_root(&options).map_err(|errors| Failure {
        exit: Exit::Usage,
        ..Failure::all(errors)
    })
}

/// The files below a folder that a project may be read from. What rwt writes is not among them.
fn look(root: &Path) -> Seen {
    const READ: [&str; 7] = ["sql", "yml", "yaml", "csv", "md", "js", "py"];
    let mut seen = Seen::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let Ok(about) = entry.metadata() else {
                continue;
            };
            if about.is_dir() {
                let is_output = matches!(&*name, "target" | "compiled" | "node_modules");
                if !is_output && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name == ".env"
                || path
                    .extension()
                    .is_some_and(|extension| READ.iter().any(|known| extension == *known))
            {
                seen.insert(path, (about.modified().ok(), about.len()));
            }
        }
    }
    seen
}

/// The first file that differs.
fn difference(before: &Seen, now: &Seen) -> PathBuf {
    let changed = now
        .iter()
        .find(|(path, about)| before.get(*path) != Some(*about));
    let gone = before.keys().find(|path| !now.contains_key(*path));
    changed
        .map(|(path, _)| path)
        .or(gone)
        .cloned()
        .unwrap_or_default()
}

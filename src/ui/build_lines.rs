//! How far builds are: beside the bar on a terminal, as a line every few seconds elsewhere.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Printer, RunProgress};
use crate::apply::BuildProgress;

/// Time between two lines where nobody watches.
const INTERVAL: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct BuildLines {
    printer: Printer,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    at: Option<Instant>,
    /// Builds whose standstill was warned of.
    stalled: BTreeSet<String>,
}

impl BuildLines {
    /// Nothing said yet.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            said: Mutex::default(),
        }
    }

    /// Takes a look at all builds that go on.
    pub fn show(&self, progress: &RunProgress, builds: &[BuildProgress]) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        for build in builds {
            if build.stalled.is_none() {
                said.stalled.remove(&build.relation);
            } else if said.stalled.insert(build.relation.clone()) {
                progress.note(&format!(
                    "{build}: is what it reads paused or empty? `rwt jobs` shows all builds"
                ));
            }
        }
        let lines: Vec<String> = builds.iter().map(ToString::to_string).collect();
        if self.printer.is_terminal() {
            if !lines.is_empty() {
                progress.working_on(&lines);
            }
            return;
        }
        let is_time = said.at.is_none_or(|at| at.elapsed() >= INTERVAL);
        if is_time && !lines.is_empty() {
            said.at = Some(Instant::now());
            progress.note(&format!("building: {}", lines.join("; ")));
        }
    }
}

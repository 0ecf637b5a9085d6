//! What `rwt build` did: models and tests together.

use std::fmt;

use serde::Serialize;

use super::report::{Closing, TestRun, Verdict};
use crate::apply::{RunReport, Status};

/// A whole build.
#[derive(Debug, Serialize)]
pub struct BuildReport {
    /// Models, seeds and functions.
    pub run: RunReport,
    /// Tests.
    pub tests: TestRun,
}

impl BuildReport {
    /// Whether anything failed or was left out.
    pub fn failed(&self) -> bool {
        self.run.failed() || self.tests.failed() || self.tests.count(Verdict::Skipped) > 0
    }

    fn nodes(&self, statuses: &[Status]) -> usize {
        let nodes = self.run.nodes.iter();
        nodes.filter(|node| statuses.contains(&node.status)).count()
    }
}

impl fmt::Display for BuildReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = usize::from(self.run.other_failure);
        let total = self.run.nodes.len() + self.tests.tests.len() + other;
        if total == 0 {
            return write!(f, "Nothing to do: nothing is selected.");
        }
        let kinds = [self.run.kinds(), self.tests.kinds()];
        let kinds: Vec<String> = kinds
            .into_iter()
            .filter(|kinds| !kinds.is_empty())
            .collect();
        writeln!(
            f,
            "Finished running {} in {:.2}s.",
            kinds.join(", "),
            self.run.seconds
        )?;
        writeln!(f)?;
        let errors = self.nodes(&[Status::Error, Status::Blocked]);
        let skipped = self.nodes(&[Status::Skipped]);
        if errors + skipped > 0 {
            writeln!(f, "Not built:")?;
            let statuses = [Status::Error, Status::Blocked, Status::Skipped];
            let left = self
                .run
                .nodes
                .iter()
                .filter(|node| statuses.contains(&node.status));
            for node in left {
                let why = match node.status {
                    Status::Error => "failed",
                    _ => node.message.as_str(),
                };
                writeln!(
                    f,
                    "  {}: {}",
                    node.relation,
                    why.trim_start_matches("SKIP: ")
                )?;
            }
            writeln!(f)?;
        }
        if self.run.other_failure && !self.tests.failed() {
            writeln!(f, "Completed with 1 error, which is shown above.")?;
            writeln!(f)?;
        } else if errors + skipped == 0
            || self.tests.failed()
            || self.tests.count(Verdict::Warn) > 0
        {
            fmt::Display::fmt(&Closing(&self.tests.tests), f)?;
        }
        let failed = self.tests.count(Verdict::Fail) + self.tests.count(Verdict::Error);
        let built = self.run.nodes.len() - errors - skipped;
        write!(
            f,
            "Done. PASS={} WARN={} ERROR={} SKIP={} TOTAL={total}",
            built + self.tests.count(Verdict::Pass),
            self.tests.count(Verdict::Warn),
            errors + failed + other,
            skipped + self.tests.count(Verdict::Skipped),
        )
    }
}

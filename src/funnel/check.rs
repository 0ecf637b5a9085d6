//! Whether a funnel can be right: for scripts and monitors.

use std::fmt;

use chrono::TimeDelta;
use serde::Serialize;

use super::FunnelReport;

/// What is wrong with a funnel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum CheckFailure {
    /// It has no window, or nobody in any of them.
    Empty,
    /// Its newest event is too old.
    Stale {
        /// How old, in seconds.
        age_seconds: i64,
        /// How old it may be, in seconds.
        max_age_seconds: i64,
    },
    /// Over all shown windows a stage has more users than the one before it.
    StageExceeds {
        /// The larger stage.
        stage: &'static str,
        /// Its users.
        users: i64,
        /// The stage before.
        before: &'static str,
        /// Its users.
        users_before: i64,
    },
}

impl fmt::Display for CheckFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("the funnel is empty: no user has been counted in the shown windows")
            }
            Self::Stale {
                age_seconds,
                max_age_seconds,
            } => write!(
                f,
                "the funnel is stale: its newest event is {age_seconds} s old, more than {max_age_seconds} s"
            ),
            Self::StageExceeds {
                stage,
                users,
                before,
                users_before,
            } => write!(
                f,
                "the funnel widens: {users} {stage}, but only {users_before} {before}"
            ),
        }
    }
}

/// Everything that is wrong. Stages are compared over all shown windows together: in a single one a purchase without a
/// cart is possible, over many it means that events are missing.
pub fn check(report: &FunnelReport, max_age: Option<TimeDelta>) -> Vec<CheckFailure> {
    let totals = &report.totals;
    let mut failures = Vec::new();
    if totals.viewers == 0 {
        failures.push(CheckFailure::Empty);
    }
    if let (Some(max_age), Some(age)) = (max_age, report.age())
        && age > max_age
    {
        failures.push(CheckFailure::Stale {
            age_seconds: age.num_seconds(),
            max_age_seconds: max_age.num_seconds(),
        });
    }
    let stages = [
        ("viewers", totals.viewers),
        ("carters", totals.carters),
        ("purchasers", totals.purchasers),
    ];
    for pair in stages.windows(2) {
        if let [(before, users_before), (stage, users)] = *pair
            && users > users_before
        {
            failures.push(CheckFailure::StageExceeds {
                stage,
                users,
                before,
                users_before,
            });
        }
    }
    failures
}

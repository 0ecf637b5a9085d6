//! Every exit code, in one place.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok,
    /// A failure that the command exists to report: a model failed, a check did not hold, the database refused.
    Failure,
    /// `plan --detailed-exitcode`: there are changes.
    Changes,
    /// Wrong usage (flags, selectors, a missing project, profile or target), or something unexpected.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Ok => Self::SUCCESS,
            Exit::Failure => Self::from(1),
            Exit::Changes => Self::from(3),
            Exit::Usage => Self::from(2),
        }
    }
}

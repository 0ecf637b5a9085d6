//! Running a backend's work so that a cancel request ends it and its panic stays inside.

use std::any::Any;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::error::{Refusal, SqlError, Stage};

/// Why a message could not be answered as asked.
#[derive(Debug)]
pub(crate) enum Problem {
    /// Told to the client; the session goes on.
    Refused(Refusal),
    /// The backend panicked: told to the client, then the connection ends.
    Panicked(String),
    /// The connection broke.
    Io(io::Error),
    /// The connection ends without a word.
    Closed,
}

impl Problem {
    pub(crate) fn bare(message: impl Into<String>) -> Self {
        Self::Refused(Refusal::bare(message))
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Awaits `work` unless the token is cancelled first.
pub(crate) async fn guarded<T>(
    stage: Stage,
    token: &CancellationToken,
    work: impl Future<Output = Result<T, SqlError>>,
) -> Result<T, Problem> {
    let work = AssertUnwindSafe(work).catch_unwind();
    tokio::select! {
        biased;
        () = token.cancelled() => Err(refused(stage, SqlError::cancelled())),
        done = work => settle(stage, done),
    }
}

/// The same for work that does not wait.
pub(crate) fn guarded_now<T>(
    stage: Stage,
    work: impl FnOnce() -> Result<T, SqlError>,
) -> Result<T, Problem> {
    settle(stage, catch_unwind(AssertUnwindSafe(work)))
}

fn settle<T>(
    stage: Stage,
    done: Result<Result<T, SqlError>, Box<dyn Any + Send>>,
) -> Result<T, Problem> {
    match done {
        Ok(result) => result.map_err(|error| refused(stage, error)),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("unknown");
            Err(Problem::Panicked(text.to_owned()))
        }
    }
}

fn refused(stage: Stage, error: SqlError) -> Problem {
    Problem::Refused(Refusal::new(stage, error))
}

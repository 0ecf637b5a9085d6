//! What changes the database: carrying out a plan, undoing one that was interrupted, and dropping what the project made.
//!
//! ```text
//! execute   a deployment from its beginning or from where it stopped, with its threads
//! work      which step is next       ended     what follows from its end       conclude  the deployment's end
//! worker    one step on one connection         record    what is remembered of ended steps
//! groups    which nodes stand and fall together          undo    what takes a deployment back
//! settle    the end of a deployment that cannot be finished: what stays, what goes, what is remembered
//! watch     cancelling, progress
//! ```

mod conclude;
mod drop;
mod ended;
mod execute;
mod groups;
mod progress;
mod record;
mod report;
mod session;
mod settle;
mod undo;
mod watch;
mod work;
mod worker;

pub use drop::{DropReport, DropStep, Hanging, drop_all, drop_steps, hook_objects};
pub use execute::{ExecuteError, Observer, Outcome, RunOptions, execute};
pub use progress::{BuildProgress, Reading};
pub use record::records_at_once;
pub use report::{NodeReport, RunReport, Status};
pub use session::{LiveSession, typed};
pub use settle::{Settled, settle};
pub use undo::{AbortError, TooLate, abort, forget};
pub use worker::{Scope, StepError};

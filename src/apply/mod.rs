//! What changes the database: running the selected models in DAG order, and dropping what the project made.

mod drop;
mod report;
mod groups;
mod progress;
mod run;
mod session;

pub use drop::{DropReport, DropStep, Hanging, drop_all, drop_steps, hook_objects};
pub use report::{NodeReport, RunReport, RunResults, Status};
pub use progress::{BuildProgress, Reading};
pub use session::LiveSession;
pub use run::{Observer, RunError, RunOptions, RunScope, run};

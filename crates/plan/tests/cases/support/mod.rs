//! Projects in versions, applied one after the other to a database that is simulated.

#![allow(dead_code)]

mod database;
mod history;
mod project;

pub use history::History;
pub use project::desired_of;

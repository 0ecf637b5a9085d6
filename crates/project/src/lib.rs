//! What a project is before anything is compiled: its files and property files ([`project`]), where it runs
//! ([`profile`]), YAML whose every value knows its line ([`yaml`]), the nodes found ([`manifest`]), and how nodes hang
//! together and are chosen ([`graph`]), also by what has changed since ([`state`]). Nothing here knows Jinja or SQL, and nothing connects to anything.

mod dotenv;
pub mod environment;
mod error;
pub mod graph;
pub mod manifest;
mod parallel;
pub mod profile;
pub mod project;
pub mod state;
pub mod yaml;

pub use error::{LoadError, LoadErrors};
pub use parallel::{in_parallel, in_parallel_with_stack};
pub use project::{LoadOptions, Project};

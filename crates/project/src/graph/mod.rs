//! How nodes hang together ([`Dag`]), the order in which they run ([`Schedule`]), and how they are chosen
//! ([`Selection`], in dbt's selector grammar).

mod criterion;
mod dag;
mod indirect;
mod named;
mod pattern;
mod schedule;
mod selection;
mod selector;

pub use criterion::{Criterion, Method};
pub use dag::{CycleError, CycleStep, Dag};
pub use indirect::Indirect;
pub use named::{NamedError, NamedSelectors};
pub use schedule::Schedule;
pub use selection::{Selected, Selection, SelectionWarning};
pub use selector::{Selector, SelectorError};

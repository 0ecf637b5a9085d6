//! How nodes hang together ([`Dag`]), the order in which they run ([`Schedule`]), and how they are chosen
//! ([`Selection`]).

mod dag;
mod schedule;

pub use dag::{CycleError, Dag};
pub use schedule::Schedule;

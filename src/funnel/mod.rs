//! The conversion funnel as the database has it: its newest windows, their totals, how fresh they are, and whether they
//! can be right.

mod check;
mod freshness;
mod report;

pub use check::{CheckFailure, check};
pub use freshness::last_event;
pub use report::{
    FunnelError, FunnelQuery, FunnelReport, Span, Totals, Window, parse_duration, read,
};

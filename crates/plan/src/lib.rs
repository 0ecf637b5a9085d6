//! The project, the state and the catalog compared: what must change, and the steps that change it. Nothing here talks to
//! a database, a disk or a clock: [`plan()`] is a function of its arguments.
//!
//! ```text
//! Compiler ── Desired::collect ──▶ Desired ─┐
//! schema rwt ── (the executor) ──▶ StateSnapshot ─┼─▶ plan() ─▶ Plan: a line per object, and steps
//! rw_catalog ── (the executor) ──▶ CatalogSnapshot ─┘
//! ```
//!
//! - [`desired`]: each object that the project wants, with its statements sorted by purpose and its fingerprint.
//! - [`state`]: what rwt has put into the database, as it remembers it there. [`catalog`]: what is there.
//! - [`compare`]: two manifests of a project, or of two targets of it, for people.
//! - [`plan`](mod@plan): what is decided per object, why, what it costs in rows, and the ordered steps. A step's
//!   statements have effects that the catalog shows ([`step::Fact`]), so that an interrupted step can be judged.

pub mod advice;
pub mod catalog;
pub mod compare;
mod count;
pub mod desired;
mod diff;
mod markdown;
mod name;
pub mod plan;
mod planner;
mod show;
pub mod state;
pub mod step;
pub mod version;

pub use advice::{Advice, lint};
pub use catalog::CatalogSnapshot;
pub use compare::Comparison;
pub use count::counted;
pub use desired::{Desired, DesiredObject};
pub use name::{Kind, RelationName};
pub use plan::{Options, Plan};
pub use planner::{Mended, PlanError, plan, same_definition};
pub use state::StateSnapshot;
pub use step::{Fact, Step};
pub use version::{Feature, ServerVersion};

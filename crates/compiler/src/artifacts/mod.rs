//! dbt's artifacts, as other programs read them: `manifest.json` (schema v12), `run_results.json` (v6), `catalog.json` (v1)
//! and `sources.json` (v3). Each type mirrors a part of dbt's published schema, field for field and in dbt's order. Everything is written
//! from what parsing and compiling have found out; nothing is rendered again.

mod calls;
mod catalog;
mod config;
mod exposure;
mod macros;
mod manifest;
mod metadata;
mod node;
mod primary_key;
mod run_results;
mod sources;
mod unit_test;
mod write;

pub use catalog::{Catalog, CatalogColumn, CatalogTable, TableMetadata};
pub use config::configuration;
pub use manifest::ManifestArtifact;
pub use metadata::{Invocation, time};
pub use run_results::{RunResult, RunResults, Timing};
pub use sources::{SourceResult, Sources};
pub use write::write;

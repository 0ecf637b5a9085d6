//! `catalog.json`, version 1 (<https://schemas.getdbt.com/dbt/catalog/v1.json>): the columns that relations have in the
//! database.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

use super::metadata::{Invocation, Metadata};

/// What the database has of the project's relations.
#[derive(Debug, Serialize)]
pub struct Catalog<'a> {
    metadata: Metadata<'a>,
    nodes: BTreeMap<String, CatalogTable>,
    sources: BTreeMap<String, CatalogTable>,
    errors: Option<Vec<String>>,
}

/// A relation.
#[derive(Debug, Clone, Serialize)]
pub struct CatalogTable {
    /// What it is.
    pub metadata: TableMetadata,
    /// Its columns by name, in their order.
    pub columns: IndexMap<String, CatalogColumn>,
    /// Sizes and counts: RisingWave keeps none that dbt would show.
    pub stats: BTreeMap<String, CatalogStat>,
    /// The node.
    pub unique_id: Option<String>,
}

/// What a relation is.
#[derive(Debug, Clone, Serialize)]
pub struct TableMetadata {
    /// dbt's word in capitals, as its catalog query has it: `BASE TABLE`, `VIEW`, `MATERIALIZED VIEW`, `SOURCE`, `SINK`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its database.
    pub database: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
    /// Its owner.
    pub owner: Option<String>,
}

/// A column.
#[derive(Debug, Clone, Serialize)]
pub struct CatalogColumn {
    /// Its type, as the database writes it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Its place, from 1.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its comment.
    pub comment: Option<String>,
}

/// A number about a relation.
#[derive(Debug, Clone, Serialize)]
pub struct CatalogStat {
    id: String,
    label: String,
    value: bool,
    include: bool,
    description: Option<String>,
}

impl CatalogTable {
    /// A relation with its columns, for the node of this id.
    pub fn new(unique_id: &str, metadata: TableMetadata, columns: Vec<CatalogColumn>) -> Self {
        // The dbt docs site shows what dbt's adapters put here where they know of no numbers.
        let none = CatalogStat {
            id: "has_stats".to_owned(),
            label: "Has Stats?".to_owned(),
            value: false,
            include: false,
            description: Some("Indicates whether there are statistics for this table".to_owned()),
        };
        Self {
            metadata,
            columns: (columns.into_iter())
                .map(|column| (column.name.clone(), column))
                .collect(),
            stats: BTreeMap::from([("has_stats".to_owned(), none)]),
            unique_id: Some(unique_id.to_owned()),
        }
    }
}

impl<'a> Catalog<'a> {
    /// The relations of nodes and of source tables, by unique id.
    pub fn new(
        invocation: &'a Invocation,
        nodes: BTreeMap<String, CatalogTable>,
        sources: BTreeMap<String, CatalogTable>,
        errors: Vec<String>,
    ) -> Self {
        Self {
            metadata: invocation.metadata("catalog/v1"),
            nodes,
            sources,
            errors: Some(errors).filter(|errors| !errors.is_empty()),
        }
    }
}

//! `rwt docs generate`: `manifest.json` and `catalog.json`, which the site of dbt docs and data catalogs read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use rwt_compiler::artifacts::{Catalog, CatalogColumn, CatalogTable, TableMetadata};
use rwt_plan::catalog::{CatalogObject, CatalogSnapshot};
use rwt_plan::{Kind, RelationName};
use rwt_project::manifest::{Node, ResourceType};
use serde::Serialize;

use super::args::{GlobalArgs, Output};
use super::context::{Context, DatabaseFailure, FlagsOf};
use super::dbt_flags::Unneeded;
use super::{CommandResult, Exit, Failure};
use crate::catalog;
use crate::ui::Printer;

#[derive(Debug, Subcommand)]
pub(super) enum DocsCommand {
    /// Write manifest.json and catalog.json into target/
    Generate(GenerateArgs),
}

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    unneeded: Unneeded,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What was written.
#[derive(Debug, Serialize)]
struct DocsReport {
    manifest: PathBuf,
    catalog: PathBuf,
    /// Relations in the catalog.
    relations: usize,
    /// Nodes whose relation the database does not have.
    missing: Vec<String>,
}

impl fmt::Display for DocsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.relations == 1 { "" } else { "s" };
        write!(
            f,
            "Wrote {} and {}: {} relation{plural}",
            self.manifest.display(),
            self.catalog.display(),
            self.relations
        )?;
        match self.missing.len() {
            0 => Ok(()),
            n => write!(f, "; {n} of the project's are not in the database"),
        }
    }
}

pub(super) fn generate(
    global: &GlobalArgs,
    args: &GenerateArgs,
    printer: &Printer,
) -> CommandResult {
    let flags = FlagsOf {
        command: "generate",
        ..FlagsOf::default()
    };
    let mut context = Context::load_for(global, &flags, printer)?;
    context.ensure_stack(printer)?;
    let connection = context.connector().connect()?;
    let snapshot =
        catalog::read(&connection).map_err(DatabaseFailure::new("the catalog cannot be read"))?;
    let comments = catalog::comments(&connection)
        .map_err(DatabaseFailure::new("the comments cannot be read"))?;
    let report = write(&context, &snapshot, &comments)?;
    match args.output {
        Output::Json => printer.document(&report),
        Output::Text => printer.line(report.to_string()),
    }
    Ok(Exit::Ok)
}

fn write(
    context: &Context,
    snapshot: &CatalogSnapshot,
    comments: &catalog::Comments,
) -> Result<DocsReport, Failure> {
    let compiler = &context.compiler;
    let by_name: BTreeMap<&RelationName, (u64, &CatalogObject)> = (snapshot.objects.iter())
        .map(|(id, object)| (&object.relation, (*id, object)))
        .collect();
    let (mut nodes, mut sources) = (BTreeMap::new(), BTreeMap::new());
    let mut missing = Vec::new();
    for node in compiler.manifest().nodes.values() {
        let is_source = node.resource_type == ResourceType::Source;
        let is_relation = matches!(
            node.resource_type,
            ResourceType::Model
                | ResourceType::Seed
                | ResourceType::Snapshot
                | ResourceType::Source
        );
        if !is_relation || !(is_source || compiler.is_built(&node.unique_id)) {
            continue;
        }
        let name = RelationName::new(node.schema.clone(), node.identifier.clone());
        let Some((id, object)) = by_name.get(&name) else {
            missing.push(node.unique_id.0.clone());
            continue;
        };
        // What has no columns is no relation: a connection, a secret.
        if object.columns.is_empty() {
            continue;
        }
        let table = table(node, *id, object, comments);
        let into = if is_source { &mut sources } else { &mut nodes };
        into.insert(node.unique_id.0.clone(), table);
    }
    let relations = nodes.len() + sources.len();
    let invocation = compiler.invocation();
    let artifact = Catalog::new(&invocation, nodes, sources, Vec::new());
    Ok(DocsReport {
        manifest: context.write_manifest_of_objects()?,
        catalog: context.write_artifact("catalog.json", &artifact)?,
        relations,
        missing,
    })
}

fn table(
    node: &Node,
    id: u64,
    object: &CatalogObject,
    comments: &catalog::Comments,
) -> CatalogTable {
    let columns = object
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| CatalogColumn {
            data_type: column.data_type.clone(),
            index: index + 1,
            name: column.name.clone(),
            comment: comments.get(&(id, index + 1)).cloned(),
        });
    let metadata = TableMetadata {
        kind: match object.kind {
            Kind::Table => "BASE TABLE".to_owned(),
            kind => kind.to_string().to_uppercase(),
        },
        schema: object.relation.schema.clone(),
        name: object.relation.name.clone(),
        database: Some(node.database.clone()),
        comment: comments.get(&(id, 0)).cloned(),
        owner: Some(object.owner.clone()),
    };
    CatalogTable::new(&node.unique_id.0, metadata, columns.collect())
}

//! `rwt docs generate`: `manifest.json` and `catalog.json`, which the site of dbt docs and data catalogs read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use rwt_compiler::artifacts::{Catalog, CatalogColumn, CatalogTable, TableMetadata};
use rwt_plan::catalog::CatalogObject;
use rwt_plan::{Kind, RelationName, counted};
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use serde::Serialize;

use super::args::{GlobalArgs, Output, SelectArgs};
use super::context::{Context, DatabaseFailure, FlagsOf};
use super::dbt_flags::Unneeded;
use super::{CommandResult, Exit, Failure};
use crate::catalog;
use crate::ui::Printer;

#[derive(Debug, Subcommand)]
pub(super) enum DocsCommand {
    /// Write manifest.json and catalog.json into target/
    Generate(GenerateArgs),
    /// dbt's site, which rwt does not bring along
    #[command(hide = true)]
    Serve {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        arguments: Vec<String>,
    },
}

/// `dbt docs serve`
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("rwt does not bring dbt's documentation site along")]
#[diagnostic(
    code(rwt::usage::no_docs_server),
    help(
        "`rwt dashboard` shows the models and how they hang together; a copy of dbt-docs' index.html beside target/manifest.json and \
         target/catalog.json, which `rwt docs generate` writes, is shown by any web server"
    )
)]
pub(super) struct NoServer;

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Write no manifest.json
    #[arg(long)]
    no_compile: bool,
    /// Write manifest.json too, which is the default
    #[arg(long, overrides_with = "no_compile")]
    compile: bool,
    /// Write a catalog.json without relations, which needs no database
    #[arg(long)]
    empty_catalog: bool,
    #[command(flatten)]
    unneeded: Unneeded,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What was written.
#[derive(Debug, Serialize)]
struct DocsReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<PathBuf>,
    catalog: PathBuf,
    /// Relations in the catalog.
    relations: usize,
    /// Nodes whose relation the database does not have.
    missing: Vec<String>,
}

impl fmt::Display for DocsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrote ")?;
        if let Some(manifest) = &self.manifest {
            write!(f, "{} and ", manifest.display())?;
        }
        let relations = counted(self.relations, "relation");
        write!(f, "{}: {relations}", self.catalog.display())?;
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
    let selected = context.selected_ids(&args.select, printer)?;
    let found = if args.empty_catalog {
        Found::default()
    } else {
        context.ensure_stack(printer)?;
        relations(&context, &selected)?
    };
    let manifest = if args.no_compile {
        None
    } else {
        Some(context.write_manifest_of_objects()?)
    };
    let relations = found.nodes.len() + found.sources.len();
    let invocation = context.compiler.invocation();
    let artifact = Catalog::new(&invocation, found.nodes, found.sources, Vec::new());
    let report = DocsReport {
        manifest,
        catalog: context.write_artifact("catalog.json", &artifact)?,
        relations,
        missing: found.missing,
    };
    match args.output {
        Output::Json => printer.document(&report),
        Output::Text => printer.line(report.to_string()),
    }
    Ok(Exit::Ok)
}

/// What the database has of the project, by unique id.
#[derive(Default)]
struct Found {
    nodes: BTreeMap<String, CatalogTable>,
    sources: BTreeMap<String, CatalogTable>,
    /// Nodes whose relation is not there.
    missing: Vec<String>,
}

fn relations(context: &Context, selected: &BTreeSet<UniqueId>) -> Result<Found, Failure> {
    let connection = context.connector().connect()?;
    let snapshot =
        catalog::read(&connection).map_err(DatabaseFailure::new("the catalog cannot be read"))?;
    let comments = catalog::comments(&connection)
        .map_err(DatabaseFailure::new("the comments cannot be read"))?;
    let compiler = &context.compiler;
    let by_name: BTreeMap<&RelationName, (u64, &CatalogObject)> = (snapshot.objects.iter())
        .map(|(id, object)| (&object.relation, (*id, object)))
        .collect();
    let mut found = Found::default();
    let nodes = selected
        .iter()
        .filter_map(|id| compiler.manifest().nodes.get(id));
    for node in nodes {
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
            found.missing.push(node.unique_id.0.clone());
            continue;
        };
        // What has no columns is no relation: a connection, a secret.
        if object.columns.is_empty() {
            continue;
        }
        let table = table(node, *id, object, &comments);
        let into = if is_source {
            &mut found.sources
        } else {
            &mut found.nodes
        };
        into.insert(node.unique_id.0.clone(), table);
    }
    Ok(found)
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

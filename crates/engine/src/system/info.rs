//! `information_schema`.

use super::{Cell, Context, Rows, SystemTable, T, row, system_schemas};
use crate::catalog::{Body, DATABASE, Kind, Object};

macro_rules! table {
    ($name:literal, $rows:expr, $($column:literal : $t:ident),* $(,)?) => {
        SystemTable { schema: "information_schema", name: $name, columns: &[$(($column, T::$t)),*], rows: $rows }
    };
}

pub(super) const TABLES: &[SystemTable] = &[
    table!("tables", tables, "table_catalog": Text, "table_schema": Text, "table_name": Text, "table_type": Text, "is_insertable_into": Text),
    table!("columns", columns, "table_catalog": Text, "table_schema": Text, "table_name": Text, "column_name": Text, "column_default": Text, "character_maximum_length": Int4, "numeric_precision": Int4, "numeric_precision_radix": Int4, "numeric_scale": Int4, "datetime_precision": Int4, "ordinal_position": Int4, "is_nullable": Text, "data_type": Text, "udt_catalog": Text, "udt_schema": Text, "udt_name": Text, "character_set_catalog": Text, "character_set_schema": Text, "character_set_name": Text, "collation_catalog": Text, "collation_schema": Text, "collation_name": Text, "domain_catalog": Text, "domain_schema": Text, "domain_name": Text, "scope_catalog": Text, "scope_schema": Text, "scope_name": Text, "is_identity": Text, "identity_generation": Text, "identity_start": Text, "identity_increment": Text, "identity_maximum": Text, "identity_minimum": Text, "identity_cycle": Text, "is_generated": Text, "generation_expression": Text, "interval_type": Text),
    table!("views", views, "table_catalog": Text, "table_schema": Text, "table_name": Text, "view_definition": Text),
    table!("schemata", schemata, "catalog_name": Text, "schema_name": Text, "schema_owner": Text, "default_character_set_catalog": Text, "default_character_set_schema": Text, "default_character_set_name": Text, "sql_path": Text),
    table!("table_constraints", table_constraints, "constraint_catalog": Text, "constraint_schema": Text, "constraint_name": Text, "table_catalog": Text, "table_schema": Text, "table_name": Text, "constraint_type": Text, "is_deferrable": Text, "initially_deferred": Text, "enforced": Text),
    table!("key_column_usage", key_column_usage, "constraint_catalog": Text, "constraint_schema": Text, "constraint_name": Text, "table_catalog": Text, "table_schema": Text, "table_name": Text, "column_name": Text, "ordinal_position": Int4, "position_in_unique_constraint": Int4),
];

fn table_type(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Table => "BASE TABLE",
        Kind::View => "VIEW",
        Kind::MaterializedView => "MATERIALIZED VIEW",
        Kind::Source => "SOURCE",
        Kind::Sink => "SINK",
        _ => return None,
    })
}

/// Objects that information_schema lists.
fn listed<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (&'a Object, &'static str)> {
    context
        .relations()
        .filter_map(|o| Some((o, table_type(o.kind())?)))
}

fn tables(context: &Context<'_>) -> Rows {
    let own = listed(context).map(|(o, kind)| {
        row![
            DATABASE,
            context.catalog.schema_name(o.schema),
            o.name.as_str(),
            kind,
            if o.kind() == Kind::Table { "YES" } else { "NO" },
        ]
    });
    let system = super::tables().map(|t| row![DATABASE, t.schema, t.name, "SYSTEM TABLE", "NO"]);
    own.chain(system).collect()
}

struct ColumnRow<'a> {
    schema: &'a str,
    table: &'a str,
    name: &'a str,
    position: usize,
    data_type: String,
    nullable: bool,
    generated: Option<&'a str>,
}

fn column_row(column: &ColumnRow<'_>) -> Vec<Cell> {
    let mut row = row![
        DATABASE,
        column.schema,
        column.table,
        column.name,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        column.position,
        if column.nullable { "YES" } else { "NO" },
        column.data_type.as_str(),
        DATABASE,
        "pg_catalog",
        super::pg::udt_name(&column.data_type),
    ];
    // character sets, collations, domains, scopes
    row.extend(std::iter::repeat_n(Cell::Null, 12));
    row.push("NO".into());
    row.extend(std::iter::repeat_n(Cell::Null, 6));
    row.push(
        if column.generated.is_some() {
            "ALWAYS"
        } else {
            "NEVER"
        }
        .into(),
    );
    row.push(column.generated.into());
    row.push(Cell::Null);
    row
}

fn columns(context: &Context<'_>) -> Rows {
    let mut rows = Vec::new();
    for (object, _) in listed(context) {
        for (i, column) in object.visible().enumerate() {
            rows.push(column_row(&ColumnRow {
                schema: context.catalog.schema_name(object.schema),
                table: &object.name,
                name: &column.name,
                position: i + 1,
                data_type: column.data_type.to_string(),
                nullable: !column.not_null,
                generated: column.generated.as_deref(),
            }));
        }
    }
    for table in super::tables() {
        for (i, (name, t)) in table.columns.iter().enumerate() {
            rows.push(column_row(&ColumnRow {
                schema: table.schema,
                table: table.name,
                name,
                position: i + 1,
                data_type: t.data_type().to_string(),
                nullable: true,
                generated: None,
            }));
        }
    }
    rows
}

fn views(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::View)
        .map(|o| {
            row![
                DATABASE,
                context.catalog.schema_name(o.schema),
                o.name.as_str(),
                o.definition.to_string(),
            ]
        })
        .collect()
}

fn schemata(context: &Context<'_>) -> Rows {
    let row = |name: &str, owner: &str| {
        row![
            DATABASE,
            name,
            owner,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null
        ]
    };
    let users = &context.catalog.users;
    let own = context.catalog.schemas.values().map(|s| {
        let owner = users.get(&s.owner).map_or("root", |u| u.name.as_str());
        row(&s.name, owner)
    });
    let system = system_schemas()
        .into_iter()
        .filter(|(_, name)| *name != "rwt_engine")
        .map(|(_, name)| row(name, "root"));
    own.chain(system).collect()
}

/// The key columns of tables and materialized views.
fn keys<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (&'a Object, Vec<usize>)> {
    context.relations().filter_map(|o| match &o.body {
        Body::Table(table) => Some((o, table.key.clone())),
        Body::MaterializedView(view) => Some((o, view.key.clone())),
        _ => None,
    })
}

fn table_constraints(context: &Context<'_>) -> Rows {
    keys(context)
        .map(|(o, _)| {
            let schema = context.catalog.schema_name(o.schema);
            row![
                DATABASE,
                schema,
                format!("{}_pkey", o.name),
                DATABASE,
                schema,
                o.name.as_str(),
                "PRIMARY KEY",
                "NO",
                "NO",
                "YES",
            ]
        })
        .collect()
}

fn key_column_usage(context: &Context<'_>) -> Rows {
    let mut rows = Vec::new();
    for (object, key) in keys(context) {
        let schema = context.catalog.schema_name(object.schema);
        for at in key {
            rows.push(row![
                DATABASE,
                schema,
                format!("{}_pkey", object.name),
                DATABASE,
                schema,
                object.name.as_str(),
                object.columns[at].name.as_str(),
                at + 1,
                Cell::Null,
            ]);
        }
    }
    rows
}

//! `rw_catalog`.

use super::{Cell, Context, Rows, SystemTable, T, none, row, schema_id, system_schemas};
use crate::catalog::{Body, Index, Kind, Object, Source};

const VERSION: &str = "2.8.4";

/// The six columns that end most of its tables.
macro_rules! table {
    ($name:literal, $rows:expr, $($column:literal : $t:ident),* $(,)?) => {
        SystemTable { schema: "rw_catalog", name: $name, columns: &[$(($column, T::$t)),*], rows: $rows }
    };
}

pub(super) const TABLES: &[SystemTable] = &[
    table!("rw_relations", relations, "id": Int4, "name": Text, "relation_type": Text, "schema_id": Int4, "owner": Int4, "definition": Text, "acl": Texts),
    table!("rw_schemas", schemas, "id": Int4, "name": Text, "owner": Int4, "acl": Texts),
    table!("rw_databases", databases, "id": Int4, "name": Text, "owner": Int4, "acl": Texts, "resource_group": Text, "barrier_interval_ms": Int4, "checkpoint_frequency": Int8),
    table!("rw_tables", user_tables, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "definition": Text, "append_only": Bool, "refreshable": Bool, "acl": Texts, "initialized_at": Tz, "created_at": Tz, "initialized_at_cluster_version": Text, "created_at_cluster_version": Text),
    table!("rw_materialized_views", materialized_views, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "definition": Text, "append_only": Bool, "acl": Texts, "initialized_at": Tz, "created_at": Tz, "initialized_at_cluster_version": Text, "created_at_cluster_version": Text, "background_ddl": Bool, "status": Text),
    table!("rw_views", views, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "definition": Text, "acl": Texts),
    table!("rw_sources", sources, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "connector": Text, "columns": Texts, "format": Text, "row_encode": Text, "append_only": Bool, "associated_table_id": Int4, "connection_id": Int4, "definition": Text, "acl": Texts, "initialized_at": Tz, "created_at": Tz, "initialized_at_cluster_version": Text, "created_at_cluster_version": Text, "is_shared": Bool, "connector_props": Json, "format_encode_options": Json),
    table!("rw_sinks", sinks, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "connector": Text, "sink_type": Text, "connection_id": Int4, "definition": Text, "acl": Texts, "initialized_at": Tz, "created_at": Tz, "initialized_at_cluster_version": Text, "created_at_cluster_version": Text, "connector_props": Json, "format_encode_options": Json),
    table!("rw_indexes", indexes, "id": Int4, "name": Text, "primary_table_id": Int4, "key_columns": Int2s, "include_columns": Int2s, "schema_id": Int4, "owner": Int4, "definition": Text, "acl": Texts, "initialized_at": Tz, "created_at": Tz, "initialized_at_cluster_version": Text, "created_at_cluster_version": Text, "background_ddl": Bool),
    table!("rw_subscriptions", subscriptions, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "definition": Text, "acl": Texts, "retention": Int8, "initialized_at": Tz, "created_at": Tz, "initialized_at_cluster_version": Text, "created_at_cluster_version": Text),
    table!("rw_connections", connections, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "type_": Text, "provider": Text, "acl": Texts, "connection_params": Text),
    table!("rw_secrets", secrets, "id": Int4, "schema_id": Int4, "name": Text, "owner": Int4, "acl": Texts),
    table!("rw_functions", functions, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "type": Text, "arg_type_ids": Int2s, "return_type_id": Int4, "language": Text, "link": Text, "acl": Texts, "always_retry_on_network_error": Bool),
    table!("rw_columns", columns, "relation_id": Int4, "name": Text, "position": Int4, "is_hidden": Bool, "is_primary_key": Bool, "is_distribution_key": Bool, "is_generated": Bool, "is_nullable": Bool, "generation_expression": Text, "data_type": Text, "type_oid": Int4, "type_len": Int2, "udt_type": Text),
    table!("rw_depend", depend, "objid": Int4, "refobjid": Int4),
    table!("rw_description", description, "objoid": Int4, "classoid": Int4, "objsubid": Int4, "description": Text),
    table!("rw_ddl_progress", ddl_progress, "ddl_id": Int8, "ddl_statement": Text, "create_type": Text, "progress": Text, "initialized_at": Tz, "is_serverless_backfill": Bool, "backfill_type": Text),
    table!("rw_streaming_jobs", streaming_jobs, "id": Int4, "name": Text, "database_id": Int4, "status": Text, "parallelism": Text, "max_parallelism": Int4, "resource_group": Text),
    table!("rw_users", users, "id": Int4, "name": Text, "is_super": Bool, "create_db": Bool, "create_user": Bool, "can_login": Bool, "is_admin": Bool),
    table!("rw_user_secrets", none, "id": Int4, "password": Text),
    table!("rw_event_logs", none, "unique_id": Text, "timestamp": Tz, "event_type": Text, "info": Json),
    table!("rw_meta_snapshot", none, "meta_snapshot_id": Int8, "hummock_version_id": Int8, "max_committed_epoch": Int8, "remarks": Text),
    table!("rw_system_tables", system_tables, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "definition": Text, "acl": Texts),
    table!("rw_types", types, "id": Int4, "name": Text, "input_oid": Int4, "typelem": Int4),
    table!("rw_worker_nodes", worker_nodes, "id": Int4, "host": Text, "port": Text, "type": Text, "state": Text, "parallelism": Int4, "is_streaming": Bool, "is_serving": Bool, "is_unschedulable": Bool, "rw_version": Text, "started_at": Tz),
    table!("rw_internal_tables", none, "id": Int4, "name": Text, "schema_id": Int4, "owner": Int4, "definition": Text, "acl": Texts),
    table!("rw_fragments", none, "fragment_id": Int4, "table_id": Int4, "distribution_type": Text, "flags": Texts, "parallelism": Int4, "max_parallelism": Int4),
    table!("rw_actors", none, "actor_id": Int4, "fragment_id": Int4, "worker_id": Int4, "state": Text),
    table!("rw_recovery_info", none, "database_id": Int4, "state": Text),
    table!("rw_system_info", system_info, "host": Text, "id": Text, "name": Text, "version": Text, "total_memory": Text, "total_cpu_cores": Int8),
];

fn tz(object: &Object) -> Cell {
    Cell::Tz(object.created_at)
}

fn options(pairs: &[(String, String)]) -> Cell {
    let map: std::collections::BTreeMap<&String, &String> =
        pairs.iter().map(|(k, v)| (k, v)).collect();
    let items: Vec<String> = map
        .iter()
        .map(|(k, v)| {
            format!(
                "{}: {}",
                serde_json::Value::from(k.as_str()),
                serde_json::Value::from(v.as_str())
            )
        })
        .collect();
    Cell::Text(format!("{{{}}}", items.join(", ")))
}

fn relations(context: &Context<'_>) -> Rows {
    let mut rows: Rows = context
        .relations()
        .map(|o| {
            row![
                o.id,
                o.name.as_str(),
                o.kind().noun(),
                o.schema,
                o.owner,
                o.definition.to_string(),
                context.acl(o),
            ]
        })
        .collect();
    rows.extend(super::tables().map(|t| {
        row![
            super::system_id(t),
            t.name,
            "system table",
            schema_id(t.schema),
            1_i64,
            Cell::Null,
            Cell::Null
        ]
    }));
    rows
}

fn schemas(context: &Context<'_>) -> Rows {
    let own = context
        .catalog
        .schemas
        .values()
        .map(|s| row![s.id, s.name.as_str(), s.owner, Cell::Null]);
    let system = system_schemas()
        .into_iter()
        .filter(|(_, name)| *name != "rwt_engine")
        .map(|(id, name)| row![id, name, 1_i64, Cell::Null]);
    own.chain(system).collect()
}

fn databases(context: &Context<'_>) -> Rows {
    context
        .catalog
        .databases
        .iter()
        .map(|(id, name)| {
            row![
                *id,
                name.as_str(),
                1_i64,
                Cell::Null,
                "default",
                Cell::Null,
                Cell::Null
            ]
        })
        .collect()
}

fn user_tables(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::Table)
        .map(|o| {
            row![
                o.id,
                o.name.as_str(),
                o.schema,
                o.owner,
                o.definition.to_string(),
                o.append_only(),
                false,
                context.acl(o),
                tz(o),
                tz(o),
                VERSION,
                VERSION,
            ]
        })
        .collect()
}

fn materialized_views(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::MaterializedView)
        .map(|o| {
            row![
                o.id,
                o.name.as_str(),
                o.schema,
                o.owner,
                o.definition.to_string(),
                o.append_only(),
                context.acl(o),
                tz(o),
                tz(o),
                VERSION,
                VERSION,
                false,
                "CREATED",
            ]
        })
        .collect()
}

fn views(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::View)
        .map(|o| {
            row![
                o.id,
                o.name.as_str(),
                o.schema,
                o.owner,
                o.definition.to_string(),
                context.acl(o)
            ]
        })
        .collect()
}

fn sources(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::Source)
        .filter_map(|o| {
            let source: &Source = o.source()?;
            let mut names: Vec<String> = o.columns.iter().map(|c| c.name.clone()).collect();
            names.push("_row_id".into());
            Some(row![
                o.id,
                o.name.as_str(),
                o.schema,
                o.owner,
                source.connector.to_uppercase(),
                Cell::Texts(names),
                format!("FORMAT_TYPE_{}", source.format),
                format!("ENCODE_TYPE_{}", source.encode),
                true,
                Cell::Null,
                Cell::Null,
                o.definition.to_string(),
                context.acl(o),
                tz(o),
                tz(o),
                VERSION,
                VERSION,
                source.connector == "kafka",
                options(&source.options),
                "{}",
            ])
        })
        .collect()
}

fn sinks(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::Sink)
        .filter_map(|o| {
            let sink = o.sink()?;
            Some(row![
                o.id,
                o.name.as_str(),
                o.schema,
                o.owner,
                sink.connector.as_str(),
                sink.mode.name(),
                Cell::Null,
                o.definition.to_string(),
                context.acl(o),
                tz(o),
                tz(o),
                VERSION,
                VERSION,
                options(&sink.options),
                "{}",
            ])
        })
        .collect()
}

/// 1-based positions.
fn positions(indexes: impl Iterator<Item = usize>) -> Cell {
    Cell::Int2s(indexes.filter_map(|i| i16::try_from(i + 1).ok()).collect())
}

/// The columns behind an index's own, with those of the table's key that it needs to find the row.
fn included(context: &Context<'_>, index: &Index) -> impl Iterator<Item = usize> {
    let mut included = index.include.clone();
    let key = context
        .catalog
        .get(index.table)
        .and_then(|o| o.table())
        .map(|t| t.key.clone())
        .unwrap_or_default();
    for at in key {
        if !included.contains(&at) && !index.columns.iter().any(|(p, ..)| *p == Some(at)) {
            included.push(at);
        }
    }
    included.into_iter()
}

fn indexes(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::Index)
        .filter_map(|o| {
            let Body::Index(index) = &o.body else {
                return None;
            };
            Some(row![
                o.id,
                o.name.as_str(),
                index.table,
                positions(index.columns.iter().filter_map(|(p, ..)| *p)),
                positions(included(context, index)),
                o.schema,
                o.owner,
                o.definition.to_string(),
                context.acl(o),
                tz(o),
                tz(o),
                VERSION,
                VERSION,
                false,
            ])
        })
        .collect()
}

fn subscriptions(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::Subscription)
        .filter_map(|o| {
            let Body::Subscription(subscription) = &o.body else {
                return None;
            };
            Some(row![
                o.id,
                o.name.as_str(),
                o.schema,
                o.owner,
                o.definition.to_string(),
                context.acl(o),
                i64::try_from(subscription.retention).unwrap_or(i64::MAX),
                tz(o),
                tz(o),
                VERSION,
                VERSION,
            ])
        })
        .collect()
}

fn connections(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::Connection)
        .filter_map(|o| {
            let Body::Connection(connection) = &o.body else {
                return None;
            };
            let Cell::Text(params) = options(&connection.options) else {
                return None;
            };
            Some(row![
                o.id,
                o.name.as_str(),
                o.schema,
                o.owner,
                format!("CONNECTION_TYPE_{}", connection.kind.to_uppercase()),
                "",
                context.acl(o),
                params,
            ])
        })
        .collect()
}

fn secrets(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::Secret)
        .map(|o| row![o.id, o.schema, o.name.as_str(), o.owner, context.acl(o)])
        .collect()
}

fn functions(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::Function)
        .map(|o| {
            row![
                o.id,
                o.name.as_str(),
                o.schema,
                o.owner,
                "scalar",
                Cell::Null,
                Cell::Null,
                "sql",
                Cell::Null,
                context.acl(o),
                false,
            ]
        })
        .collect()
}

/// All columns of a relation as `rw_columns` lists them: name, type, hidden, key, generated, nullable.
pub(super) fn all_columns(
    object: &Object,
) -> Vec<(String, String, bool, bool, Option<String>, bool)> {
    let key: Vec<String> = object.key_names().iter().map(|k| (*k).to_owned()).collect();
    let stored = object.columns.iter().map(|c| {
        (
            c.name.clone(),
            c.data_type.to_string(),
            c.hidden,
            key.contains(&c.name),
            c.generated.clone(),
            !c.not_null,
        )
    });
    let hidden = crate::session::hidden_columns(object)
        .into_iter()
        .map(|(name, data_type)| {
            (
                name.to_owned(),
                data_type.to_owned(),
                true,
                key.iter().any(|k| k == name),
                None,
                true,
            )
        });
    stored.chain(hidden).collect()
}

fn columns(context: &Context<'_>) -> Rows {
    let mut rows = Vec::new();
    for object in context.relations() {
        for (i, (name, data_type, hidden, key, generated, nullable)) in
            all_columns(object).into_iter().enumerate()
        {
            let oid = super::pg::type_oid(&data_type);
            rows.push(row![
                object.id,
                name,
                i + 1,
                hidden,
                key,
                key,
                generated.is_some(),
                nullable,
                generated,
                data_type.as_str(),
                oid,
                super::pg::type_len(&data_type),
                super::pg::udt_name(&data_type),
            ]);
        }
    }
    for table in super::tables() {
        for (i, (name, t)) in table.columns.iter().enumerate() {
            let data_type = t.data_type().to_string();
            rows.push(row![
                super::system_id(table),
                *name,
                i + 1,
                false,
                false,
                false,
                false,
                true,
                Cell::Null,
                data_type.as_str(),
                super::pg::type_oid(&data_type),
                super::pg::type_len(&data_type),
                super::pg::udt_name(&data_type),
            ]);
        }
    }
    rows
}

fn depend(context: &Context<'_>) -> Rows {
    let mut rows = Vec::new();
    for object in context.catalog.objects.values() {
        rows.extend(
            object
                .depends_on
                .iter()
                .map(|reads| row![object.id, *reads]),
        );
        // a table depends on the sinks that fill it (`golden/facts.md` 32)
        if object.kind() == Kind::Table {
            rows.extend(
                context
                    .catalog
                    .sinks_into(object.id)
                    .map(|sink| row![object.id, sink.id]),
            );
        }
    }
    rows
}

fn description(context: &Context<'_>) -> Rows {
    let mut rows = Vec::new();
    for object in context.catalog.objects.values() {
        if object.kind() == Kind::Table {
            rows.push(row![
                object.id,
                Cell::Null,
                Cell::Null,
                object.comment.clone()
            ]);
            for (i, column) in object.columns.iter().enumerate() {
                rows.push(row![object.id, Cell::Null, i + 1, column.comment.clone()]);
            }
            for (name, _) in crate::session::hidden_columns(object) {
                if name == "_rw_timestamp" {
                    rows.push(row![object.id, Cell::Null, -1_i64, Cell::Null]);
                }
            }
        }
    }
    rows
}

fn ddl_progress(context: &Context<'_>) -> Rows {
    let builds = context.reading.inner.builds.list();
    builds
        .into_iter()
        .map(|(id, build)| {
            row![
                i64::try_from(id).unwrap_or(i64::MAX),
                build.statement.as_str(),
                build.create_type(),
                build.progress(),
                Cell::Tz(build.began_at.timestamp_micros()),
                false,
                "NORMAL_BACKFILL"
            ]
        })
        .collect()
}

fn streaming_jobs(context: &Context<'_>) -> Rows {
    context
        .relations()
        .filter(|o| {
            matches!(
                o.kind(),
                Kind::Table | Kind::MaterializedView | Kind::Sink | Kind::Index
            )
        })
        .map(|o| {
            row![
                o.id,
                o.name.as_str(),
                1_i64,
                "CREATED",
                "ADAPTIVE",
                256_i64,
                "default"
            ]
        })
        .collect()
}

fn users(context: &Context<'_>) -> Rows {
    context
        .catalog
        .users
        .values()
        .map(|u| {
            row![
                u.id,
                u.name.as_str(),
                u.superuser,
                u.create_db,
                u.superuser,
                u.login,
                u.name == "rwadmin"
            ]
        })
        .collect()
}

fn system_tables(_: &Context<'_>) -> Rows {
    super::tables()
        .map(|t| {
            row![
                super::system_id(t),
                t.name,
                schema_id(t.schema),
                1_i64,
                Cell::Null,
                Cell::Null
            ]
        })
        .collect()
}

fn types(_: &Context<'_>) -> Rows {
    super::pg::TYPES
        .iter()
        .map(|(oid, name, _, element)| row![i64::from(*oid), *name, 0_i64, i64::from(*element)])
        .collect()
}

fn worker_nodes(_: &Context<'_>) -> Rows {
    vec![row![
        1_i64,
        "127.0.0.1",
        Cell::Null,
        "WORKER_TYPE_EMBEDDED",
        "RUNNING",
        Cell::Null,
        true,
        true,
        false,
        env!("CARGO_PKG_VERSION"),
        Cell::Null,
    ]]
}

fn system_info(_: &Context<'_>) -> Rows {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    vec![row![
        "127.0.0.1",
        "1",
        "rwt-engine",
        env!("CARGO_PKG_VERSION"),
        Cell::Null,
        cores,
    ]]
}

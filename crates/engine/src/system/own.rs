//! `rwt_engine`: what RisingWave does not show. Sources with their bad messages and lag, lake tables with their pending
//! rows, sinks.

use super::{Cell, Context, Rows, SystemTable, T, row};

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: "rwt_engine",
        name: "sources",
        columns: &[
            ("schema", T::Text),
            ("name", T::Text),
            ("topic", T::Text),
            ("partition", T::Int4),
            ("position", T::Int8),
            ("end_offset", T::Int8),
            ("rows", T::Int8),
            ("skipped", T::Int8),
            ("null_padded", T::Int8),
            ("last_problem", T::Text),
            ("last_event_at", T::Tz),
            ("trouble", T::Text),
        ],
        rows: sources,
    },
    SystemTable {
        schema: "rwt_engine",
        name: "lake_tables",
        columns: &[
            ("schema", T::Text),
            ("name", T::Text),
            ("committed_rows", T::Int8),
            ("pending_rows", T::Int8),
            ("commits", T::Int8),
            ("last_commit_at", T::Tz),
            ("trouble", T::Text),
        ],
        rows: lake_tables,
    },
    SystemTable {
        schema: "rwt_engine",
        name: "sinks",
        columns: &[
            ("schema", T::Text),
            ("name", T::Text),
            ("from", T::Text),
            ("into", T::Text),
            ("sent", T::Int8),
            ("pending", T::Int8),
            ("trouble", T::Text),
        ],
        rows: sinks,
    },
    SystemTable {
        schema: "rwt_engine",
        name: "materialized_views",
        columns: &[
            ("schema", T::Text),
            ("name", T::Text),
            ("computed", T::Int8),
            ("result_bytes", T::Int8),
        ],
        rows: materialized_views,
    },
    SystemTable {
        schema: "rwt_engine",
        name: "memory",
        columns: &[("part", T::Text), ("relation", T::Text), ("bytes", T::Int8)],
        rows: memory,
    },
];

fn materialized_views(context: &Context<'_>) -> Rows {
    let status = crate::status::status(&context.reading.inner);
    let views = status.materialized_views.into_iter();
    views
        .map(|v| {
            row![
                v.schema,
                v.name,
                count(v.computed),
                v.result_bytes.map(count)
            ]
        })
        .collect()
}

/// `limit`, then what counts against it.
fn memory(context: &Context<'_>) -> Rows {
    let memory = crate::status::status(&context.reading.inner).memory;
    let parts = [
        ("limit", memory.limit),
        ("queries", memory.queries),
        ("results", memory.results),
        ("waiting", memory.waiting),
        ("working", memory.working),
    ];
    let parts = parts.map(|(part, bytes)| row![part, Cell::Null, count(bytes)]);
    let rows = memory.rows.into_iter();
    let rows = rows.map(|(relation, bytes)| row!["rows", relation, count(bytes)]);
    parts.into_iter().chain(rows).collect()
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn sources(context: &Context<'_>) -> Rows {
    let status = crate::status::status(&context.reading.inner);
    status
        .sources
        .into_iter()
        .flat_map(|source| {
            source
                .partitions
                .iter()
                .map(|p| {
                    row![
                        source.schema.as_str(),
                        source.name.as_str(),
                        source.topic.as_str(),
                        i64::from(p.partition),
                        p.position,
                        p.end,
                        count(p.rows),
                        count(p.skipped),
                        count(p.null_padded),
                        p.last_problem.clone(),
                        p.last_event_at
                            .map_or(Cell::Null, |t| Cell::Tz(t.saturating_mul(1000))),
                        source.trouble.clone(),
                    ]
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

fn lake_tables(context: &Context<'_>) -> Rows {
    let status = crate::status::status(&context.reading.inner);
    status
        .lake_tables
        .into_iter()
        .map(|t| {
            row![
                t.schema,
                t.name,
                count(t.committed_rows),
                count(t.pending_rows),
                count(t.commits),
                t.last_commit_at.map_or(Cell::Null, Cell::Tz),
                t.trouble,
            ]
        })
        .collect()
}

fn sinks(context: &Context<'_>) -> Rows {
    let status = crate::status::status(&context.reading.inner);
    status
        .sinks
        .into_iter()
        .map(|s| {
            row![
                s.schema,
                s.name,
                s.from,
                s.into,
                s.sent.map(count),
                count(s.pending),
                s.trouble,
            ]
        })
        .collect()
}

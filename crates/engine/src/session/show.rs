//! SHOW and DESCRIBE.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use rwt_sql::statement::Show;
use rwt_sql::{DataType, Ident, ObjectName};
use rwt_wire::{Column, Outcome, SqlError};

use super::{Session, not_implemented, query};
use crate::catalog::{Body, Catalog, Index, Kind, Object, SYSTEM_SCHEMAS, ident, kind_of};
use crate::engine::{internal, locked};

/// A row of texts; `None` is NULL.
type Row = Vec<Option<String>>;

const SHOW: &str = "SHOW_COMMAND";

fn table(columns: Vec<Column>, rows: &[Row], tag: &str) -> Result<Outcome, SqlError> {
    let arrays = columns.iter().enumerate().map(|(i, column)| {
        let values = rows.iter().map(|row| row.get(i).cloned().flatten());
        let array: ArrayRef = match column.data_type {
            DataType::Boolean => Arc::new(
                values
                    .map(|v| v.map(|v| v == "true"))
                    .collect::<BooleanArray>(),
            ),
            DataType::BigInt => Arc::new(
                values
                    .map(|v| v.and_then(|v| v.parse().ok()))
                    .collect::<arrow::array::Int64Array>(),
            ),
            _ => Arc::new(values.collect::<StringArray>()),
        };
        (format!("{i}"), array)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(arrays.map(|(n, a)| (n, a, true)))
        .map_err(internal)?;
    Ok(query::rows(columns, vec![batch], tag))
}

const CURSOR_COLUMNS: [&str; 5] = ["Session Id", "User", "Host", "Database", "Cursor Name"];

fn texts(names: &[&str]) -> Vec<Column> {
    names
        .iter()
        .map(|n| Column::new(*n, DataType::Varchar))
        .collect()
}

impl Session {
    /// The columns of a SHOW statement.
    pub(super) fn show_columns(show: &Show) -> Vec<Column> {
        match show {
            Show::Objects { what, .. } => match what.as_str() {
                "connections" => texts(&["Name", "Type", "Properties"]),
                "functions" => texts(&["Name", "Arguments", "Return Type", "Language", "Link"]),
                "subscriptions" => vec![
                    Column::new("Name", DataType::Varchar),
                    Column::new("Retention", DataType::BigInt),
                ],
                _ => texts(&["Name"]),
            },
            Show::Columns(_) => {
                let mut columns = texts(&["Name", "Type", "Is Hidden", "Description"]);
                columns[2].data_type = DataType::Varchar;
                columns
            }
            Show::Indexes(_) => texts(&["Name", "On", "Key", "Include", "Distributed By"]),
            Show::Create(..) => texts(&["Name", "Create Sql"]),
            Show::Internal(what) => match what.as_str() {
                "jobs" => vec![
                    Column::new("Id", DataType::BigInt),
                    Column::new("Statement", DataType::Varchar),
                    Column::new("Create Type", DataType::Varchar),
                    Column::new("Progress", DataType::Varchar),
                ],
                "processlist" => texts(&[
                    "Worker Id",
                    "Id",
                    "User",
                    "Host",
                    "Database",
                    "Time",
                    "Info",
                ]),
                "parameters" => texts(&["Name", "Value", "Mutable"]),
                "cursors" => texts(&CURSOR_COLUMNS),
                "subscription cursors" => {
                    let mut columns = texts(&CURSOR_COLUMNS);
                    columns.extend(texts(&["Subscription Name", "State"]));
                    columns.push(Column::new("Idle Duration Ms", DataType::BigInt));
                    columns
                }
                "cluster" => texts(&[
                    "Id",
                    "Addr",
                    "Type",
                    "State",
                    "Parallelism",
                    "Is Streaming",
                    "Is Serving",
                ]),
                _ => texts(&["Name"]),
            },
            Show::Setting(name) if name == "all" => texts(&["Name", "Setting", "Description"]),
            Show::Setting(_) => texts(&["Name"]),
        }
    }

    /// CANCEL JOBS: a row for each job that was ended.
    pub(super) fn cancel_jobs(&self, ids: &[u64]) -> Result<Outcome, SqlError> {
        let unknown = |id: &&u64| !self.inner.builds.list().iter().any(|(job, _)| job == *id);
        if let Some(id) = ids.iter().find(unknown) {
            return Err(SqlError::internal(format!(
                "job {id} not found in database"
            )));
        }
        let ended = ids.iter().filter(|id| self.inner.builds.cancel(**id));
        let rows: Vec<Row> = ended.map(|id| vec![Some(id.to_string())]).collect();
        table(texts(&["Id"]), &rows, "CANCEL_COMMAND")
    }

    pub(super) async fn show(&mut self, show: &Show) -> Result<Outcome, SqlError> {
        let columns = Self::show_columns(show);
        let catalog = self.inner.catalog();
        match show {
            Show::Setting(name) if name == "all" => {
                let rows: Vec<Row> = self
                    .settings
                    .all()
                    .into_iter()
                    .map(|(a, b, c)| vec![Some(a), Some(b), Some(c)])
                    .collect();
                table(columns, &rows, "SHOW_VARIABLE")
            }
            Show::Setting(name) => {
                let value = self.settings.get(name)?;
                table(columns, &[vec![Some(value)]], "SHOW_VARIABLE")
            }
            Show::Objects { what, schema, like } => {
                let rows = self.listed(&catalog, what, schema.as_ref())?;
                let rows: Vec<Row> = rows
                    .into_iter()
                    .filter(|(name, _)| like.as_deref().is_none_or(|p| is_like(name, p)))
                    .map(|(_, row)| row)
                    .collect();
                table(columns, &rows, SHOW)
            }
            Show::Columns(name) => {
                let rows = self.column_rows(&catalog, name)?.1;
                table(columns, &rows, SHOW)
            }
            Show::Indexes(name) => {
                let object = catalog
                    .find_readable(name, &self.path())
                    .ok_or_else(|| SqlError::not_found("table", name.name()))?;
                let rows: Vec<Row> = indexes(&catalog, object)
                    .map(|(index, body)| {
                        let parts = index_parts(object, body);
                        vec![
                            Some(index.name.clone()),
                            Some(object.name.clone()),
                            Some(parts.key),
                            Some(parts.include),
                            Some(parts.distributed_by),
                        ]
                    })
                    .collect();
                table(columns, &rows, SHOW)
            }
            Show::Create(kind, name) => {
                let kind =
                    kind_of(*kind).ok_or_else(|| not_implemented(format!("SHOW CREATE {kind}")))?;
                let object = catalog.require(kind, name, &self.path())?;
                let row = vec![
                    Some(catalog.qualified(object)),
                    Some(object.definition.to_string()),
                ];
                table(columns, &[row], SHOW)
            }
            Show::Internal(what) => {
                let rows = self.internal_rows(what)?;
                table(columns, &rows, SHOW)
            }
        }
    }

    /// The names that LIKE compares, with the rows.
    fn listed(
        &self,
        catalog: &Catalog,
        what: &str,
        schema: Option<&Ident>,
    ) -> Result<Vec<(String, Row)>, SqlError> {
        let simple = |name: &str| (name.to_owned(), vec![Some(name.to_owned())]);
        let kind = match what {
            "tables" => Kind::Table,
            "views" => Kind::View,
            "materialized views" => Kind::MaterializedView,
            "sources" => Kind::Source,
            "sinks" => Kind::Sink,
            "connections" => Kind::Connection,
            "secrets" => Kind::Secret,
            "functions" => Kind::Function,
            "subscriptions" => Kind::Subscription,
            "schemas" => {
                let names = catalog.schemas.values().map(|s| s.name.as_str());
                return Ok(names
                    .chain(SYSTEM_SCHEMAS.into_iter().filter(|s| *s != "rwt_engine"))
                    .map(simple)
                    .collect());
            }
            "databases" => return Ok(catalog.databases.iter().map(|(_, n)| simple(n)).collect()),
            "internal tables" => return Ok(Vec::new()),
            other => {
                return Err(not_implemented(format!(
                    "SHOW {} in the embedded engine",
                    other.to_uppercase()
                )));
            }
        };
        let path = self.path();
        let shown = |object: &&Object| {
            let name = catalog.schema_name(object.schema);
            match schema {
                Some(schema) => name == schema.value(),
                None => path.0.iter().any(|s| s == name),
            }
        };
        Ok(catalog
            .of_kind(kind)
            .filter(shown)
            .map(|object| {
                let qualified = catalog.qualified(object);
                let row = match &object.body {
                    Body::Connection(connection) => {
                        let options: Vec<String> = connection
                            .options
                            .iter()
                            .map(|(k, v)| format!("\"{k}\":\"{v}\""))
                            .collect();
                        vec![
                            Some(qualified),
                            Some(connection.kind.clone()),
                            Some(format!("{{{}}}", options.join(","))),
                        ]
                    }
                    Body::Function(function) => {
                        let types: Vec<&str> =
                            function.params.iter().map(|(_, t)| t.as_str()).collect();
                        vec![
                            Some(qualified),
                            Some(types.join(", ")),
                            Some(function.returns.clone()),
                            Some("sql".into()),
                            None,
                        ]
                    }
                    Body::Subscription(subscription) => {
                        vec![Some(qualified), Some(subscription.retention.to_string())]
                    }
                    _ => vec![Some(qualified)],
                };
                (object.name.clone(), row)
            })
            .collect())
    }

    /// The cursors of all sessions: those over subscriptions, or the others.
    fn cursor_rows(&self, over_subscriptions: bool) -> Vec<Row> {
        let sessions = locked(&self.inner.sessions);
        let mut rows = Vec::new();
        for (number, session) in &*sessions {
            for (name, cursor) in &session.cursors {
                if cursor.subscription.is_some() != over_subscriptions {
                    continue;
                }
                let mut row = vec![
                    number.to_string(),
                    session.user.clone(),
                    session.host.clone(),
                    session.database.clone(),
                    name.clone(),
                ];
                if let Some((subscription, state)) = &cursor.subscription {
                    let idle = cursor.used.elapsed().as_millis().to_string();
                    row.extend([subscription.clone(), state.clone(), idle]);
                }
                rows.push(row);
            }
        }
        rows.sort();
        let shown = rows
            .into_iter()
            .map(|row| row.into_iter().map(Some).collect());
        shown.collect()
    }

    fn internal_rows(&self, what: &str) -> Result<Vec<Row>, SqlError> {
        let text = |s: &str| Some(s.to_owned());
        Ok(match what {
            "jobs" => {
                let builds = self.inner.builds.list();
                let job = |(id, build): (u64, super::build::Build)| {
                    let (kind, progress) = (build.create_type().to_owned(), build.progress());
                    let cells = [id.to_string(), build.statement, kind, progress];
                    cells.into_iter().map(Some).collect()
                };
                builds.into_iter().map(job).collect()
            }
            "processlist" => {
                let sessions = locked(&self.inner.sessions);
                let mut ids: Vec<&i32> = sessions.keys().collect();
                ids.sort_unstable();
                ids.into_iter()
                    .map(|id| {
                        let entry = &sessions[id];
                        let (info, since) = match &entry.running {
                            Some((sql, since)) => (
                                Some(sql.clone()),
                                Some(format!("{}ms", since.elapsed().as_millis())),
                            ),
                            None => (None, None),
                        };
                        vec![
                            text("1"),
                            Some(format!("1:{id}")),
                            Some(entry.user.clone()),
                            Some(entry.host.clone()),
                            Some(entry.database.clone()),
                            since,
                            info,
                        ]
                    })
                    .collect()
            }
            "cursors" | "subscription cursors" => self.cursor_rows(what == "subscription cursors"),
            "parameters" => self
                .parameters()
                .into_iter()
                .map(|(name, value, mutable)| {
                    vec![
                        Some(name),
                        Some(value),
                        Some(if mutable { "t" } else { "f" }.into()),
                    ]
                })
                .collect(),
            "cluster" => vec![vec![
                text("1"),
                text("127.0.0.1"),
                text("WORKER_TYPE_EMBEDDED"),
                text("RUNNING"),
                None,
                text("t"),
                text("t"),
            ]],
            other => {
                return Err(not_implemented(format!(
                    "SHOW {} in the embedded engine",
                    other.to_uppercase()
                )));
            }
        })
    }

    /// The columns of a relation, also of a system table.
    fn column_rows(
        &self,
        catalog: &Catalog,
        name: &ObjectName,
    ) -> Result<(Option<Object>, Vec<Row>), SqlError> {
        let missing = || SqlError::not_found("table, source, sink or view", name.name());
        let found = catalog.find_relation(name, &self.path());
        let Some(object) = found.filter(|o| !matches!(o.kind(), Kind::Index | Kind::Subscription))
        else {
            let columns = crate::system::columns(name.schema(), name.name()).ok_or_else(missing)?;
            let rows = columns
                .into_iter()
                .map(|c| {
                    vec![
                        Some(ident(&c.name)),
                        Some(c.data_type.to_string()),
                        Some("false".into()),
                        None,
                    ]
                })
                .collect();
            return Ok((None, rows));
        };
        let mut rows: Vec<Row> = Vec::new();
        for column in &object.columns {
            let first = rows.len();
            field_rows(
                &ident(&column.name),
                &column.data_type,
                column.hidden,
                &mut rows,
            );
            rows[first][3].clone_from(&column.comment);
        }
        for (name, data_type) in hidden_columns(object) {
            rows.push(vec![
                Some(name.into()),
                Some(data_type.into()),
                Some("true".into()),
                None,
            ]);
        }
        Ok((Some(object.clone()), rows))
    }

    pub(super) fn describe(&mut self, name: &ObjectName) -> Result<Outcome, SqlError> {
        let catalog = self.inner.catalog();
        let (object, mut rows) = self.column_rows(&catalog, name)?;
        if let Some(object) = object {
            let line =
                |what: &str, text: String| vec![Some(what.to_owned()), Some(text), None, None];
            let key = object.key_names().join(", ");
            let has_key = matches!(
                object.kind(),
                Kind::Table | Kind::Source | Kind::MaterializedView
            ) && !key.is_empty();
            if has_key {
                rows.push(line("primary key", key.clone()));
                if object.kind() != Kind::Source {
                    rows.push(line("distribution key", key));
                }
            } else if object.kind() == Kind::Sink
                && let Some(key) = sink_key(&catalog, &object)
            {
                rows.push(line("distribution key", key));
            }
            for (index, body) in indexes(&catalog, &object) {
                let parts = index_parts(&object, body);
                let include = if parts.include.is_empty() {
                    String::new()
                } else {
                    format!(" include({})", parts.include)
                };
                rows.push(line(
                    &index.name,
                    format!(
                        "index({}){include} distributed by({})",
                        parts.key, parts.distributed_by
                    ),
                ));
            }
            rows.push(vec![
                Some("table description".into()),
                Some(object.name.clone()),
                None,
                object.comment.clone(),
            ]);
        }
        table(
            Self::show_columns(&Show::Columns(ObjectName(Vec::new()))),
            &rows,
            "DESCRIBE",
        )
    }
}

/// A column, then the fields of a struct, each with its path.
fn field_rows(name: &str, data_type: &DataType, hidden: bool, rows: &mut Vec<Row>) {
    let mut push = |type_name: String| {
        rows.push(vec![
            Some(name.to_owned()),
            Some(type_name),
            Some(hidden.to_string()),
            None,
        ]);
    };
    let DataType::Struct(fields) = data_type else {
        return push(data_type.to_string());
    };
    push("struct".into());
    for (field, data_type) in fields {
        field_rows(&format!("{name}.{}", ident(field)), data_type, hidden, rows);
    }
}

/// Hidden columns that are not stored.
pub(crate) fn hidden_columns(object: &Object) -> Vec<(&'static str, &'static str)> {
    let mut hidden = Vec::new();
    let keyless = object.table().is_some_and(|t| t.key.is_empty());
    if keyless || (object.kind() == Kind::Source && object.part_of.is_none()) {
        hidden.push(("_row_id", "serial"));
    }
    if matches!(object.kind(), Kind::Table | Kind::MaterializedView) {
        hidden.push(("_rw_timestamp", "timestamp with time zone"));
    }
    hidden
}

/// The key of the relation that a sink reads.
fn sink_key(catalog: &Catalog, object: &Object) -> Option<String> {
    match object.sink()?.from {
        crate::catalog::SinkFrom::Relation(id) => {
            let names = catalog.get(id)?.key_names();
            (!names.is_empty() && names != ["_row_id"]).then(|| names.join(", "))
        }
        crate::catalog::SinkFrom::Query(_) => None,
    }
}

fn indexes<'a>(
    catalog: &'a Catalog,
    object: &Object,
) -> impl Iterator<Item = (&'a Object, &'a Index)> {
    let mut found: Vec<_> = catalog
        .indexes_of(object.id)
        .filter_map(|o| match &o.body {
            Body::Index(index) => Some((o, index)),
            _ => None,
        })
        .collect();
    found.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    found.into_iter()
}

/// An index in words: `a ASC, id ASC`, `b, c`, `a`.
struct IndexParts {
    key: String,
    include: String,
    distributed_by: String,
}

fn index_parts(table: &Object, index: &Index) -> IndexParts {
    let mut key: Vec<String> = index
        .columns
        .iter()
        .map(|(_, text, descending)| format!("{text} {}", if *descending { "DESC" } else { "ASC" }))
        .collect();
    let key_positions: Vec<usize> = match &table.body {
        Body::Table(t) => t.key.clone(),
        Body::MaterializedView(v) => v.key.clone(),
        _ => Vec::new(),
    };
    let written = !matches!(index_include_is_all(table, index), Some(true));
    let mut include: Vec<usize> = index.include.clone();
    if !written {
        // without INCLUDE the primary key belongs to the index's own key
        for position in key_positions {
            if include.contains(&position) {
                key.push(format!("{} ASC", table.columns[position].name));
                include.retain(|i| *i != position);
            }
        }
    }
    let names: Vec<String> = include
        .iter()
        .map(|i| table.columns[*i].name.clone())
        .collect();
    let distributed_by = if index.distributed_by.is_empty() {
        index
            .columns
            .first()
            .map(|(_, text, _)| text.clone())
            .unwrap_or_default()
    } else {
        index.distributed_by.join(", ")
    };
    IndexParts {
        key: key.join(", "),
        include: names.join(", "),
        distributed_by,
    }
}

/// True when the index covers every column that is not in its key.
fn index_include_is_all(table: &Object, index: &Index) -> Option<bool> {
    let keyed = index.columns.iter().filter(|(p, ..)| p.is_some()).count();
    Some(keyed + index.include.len() == table.columns.len())
}

/// LIKE, with `%` and `_`.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '_' || *c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match retry {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    retry = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn like() {
        assert!(
            is_like("csh_t", "csh%")
                && is_like("abc", "a_c")
                && is_like("", "%")
                && is_like("aab", "%ab")
        );
        assert!(!is_like("csh_t", "public.csh%") && !is_like("abc", "ab"));
    }
}

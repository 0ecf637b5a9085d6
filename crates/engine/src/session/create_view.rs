//! CREATE VIEW, MATERIALIZED VIEW, INDEX, SUBSCRIPTION, SCHEMA.

use std::sync::Arc;

use futures::FutureExt;
use rwt_sql::statement::{
    CreateIndex, CreateMaterializedView, CreateSchema, CreateSubscription, CreateView,
};
use rwt_sql::{Ident, ObjectName};
use rwt_wire::{Outcome, SqlError, SqlState};
use sqlparser::ast::Statement;

use super::Session;
use crate::catalog::{
    Body, Catalog, Column, Definition, Index, Kind, MaterializedView, Object, ObjectId, Schema,
    SearchPath, Subscription, View, invalid_input, options_text, resolve,
};
use crate::engine::{Altering, Inner};
use crate::storage::Change;

/// What is said of a materialized view whose query ends with ORDER BY.
const ORDERED: &str = "The ORDER BY clause in the CREATE MATERIALIZED VIEW statement does not guarantee that the rows selected out of this materialized view is returned in this order.
It only indicates the physical clustering of the data, which may improve the performance of queries issued against this materialized view.
";

/// A query bound to the objects that it reads.
pub(super) struct Bound {
    /// The query, relations named by id.
    pub query: String,
    /// What it reads.
    pub reads: Vec<ObjectId>,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// An object that is to be added to the catalog.
struct Addition {
    name: ObjectName,
    path: SearchPath,
    owner: u32,
    definition: Definition,
    columns: Vec<Column>,
    depends_on: Vec<ObjectId>,
    body: Body,
}

impl Addition {
    async fn make(self, inner: &Arc<Inner>) -> Result<ObjectId, SqlError> {
        inner
            .clone()
            .alter(async move |altering: &mut Altering<'_>| {
                let catalog = &mut altering.catalog;
                let (name, path) = (&self.name, &self.path);
                let object = catalog.draft(name, path, self.owner, self.definition, self.body)?;
                still_there(catalog, &self.depends_on)?;
                let (id, kind) = (object.id, object.kind());
                let joins =
                    matches!(&object.body, Body::MaterializedView(v) if v.temporal.is_some());
                let sends = object.sink().is_some_and(|sink| sink.messages.is_some());
                let object = Object {
                    columns: self.columns,
                    depends_on: self.depends_on,
                    ..object
                };
                catalog.objects.insert(id, object);
                altering.set_catalog()?;
                let keeps = kind == Kind::Subscription;
                if sends || joins || keeps {
                    altering.apply(Change::Create(id))?;
                }
                if keeps {
                    crate::stream::begin_changes(&mut altering.staged, id)
                        .boxed()
                        .await
                        .map_err(crate::engine::internal)?;
                }
                if joins {
                    crate::stream::temporal::backfill(&mut altering.staged, id)
                        .await
                        .map_err(crate::engine::internal)?;
                }
                if kind == Kind::Sink {
                    crate::stream::sink::backfill(&mut altering.staged, id)
                        .await
                        .map_err(crate::engine::internal)?;
                }
                Ok(id)
            })
            .await
    }
}

impl Session {
    /// Binds a planned query to the objects that it reads.
    pub(super) fn bind(&self, query: &str, columns: Vec<rwt_query::Column>) -> Bound {
        let catalog = self.inner.catalog();
        let path = self.path();
        let (query, mut reads) = resolve(query, |name| {
            catalog.find_readable(name, &path).map(|o| o.id)
        });
        // Functions are computed with the query: what they read is read by it.
        for id in functions_called(&catalog, &query, &path) {
            reads.push(id);
            if let Some(Body::Function(function)) = catalog.get(id).map(|o| &o.body) {
                let find = |name: &ObjectName| Some(catalog.find_readable(name, &path)?.id);
                reads.extend(resolve(&function.body, find).1);
            }
        }
        reads.sort_unstable();
        reads.dedup();
        Bound {
            query,
            reads,
            columns: columns
                .into_iter()
                .map(|c| Column::new(c.name, c.data_type))
                .collect(),
        }
    }

    pub(super) async fn create_view(&mut self, create: CreateView) -> Result<Outcome, SqlError> {
        const DONE: &str = "CREATE_VIEW";
        if self.skip_existing(Kind::View, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done(DONE));
        }
        let columns = self.describe_query(&create.query).await?;
        let mut bound = self.bind(&create.query, columns);
        let names = rename(&mut bound.columns, &create.columns)?;
        let definition = Definition::new("CREATE VIEW", &create.name)
            .text(format!("{} AS ", names_text(&create.columns)))
            .query(&create.query);
        let body = Body::View(View {
            query: bound.query,
            names,
        });
        self.add(&create.name, definition, bound.columns, bound.reads, body)
            .await?;
        Ok(Outcome::done(DONE))
    }

    pub(super) async fn create_materialized_view(
        &mut self,
        create: CreateMaterializedView,
    ) -> Result<Outcome, SqlError> {
        const DONE: &str = "CREATE_MATERIALIZED_VIEW";
        if self.skip_existing(Kind::MaterializedView, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done(DONE));
        }
        check_options(&create.with)?;
        if is_ordered(&create.query) {
            self.notice(ORDERED);
        }
        let temporal = self.temporal_join(&create.query).await?;
        let columns = match &temporal {
            Some(temporal) => temporal.shown.clone(),
            None => self.describe_stream(&create.query).await?,
        };
        let query = match (&temporal, create.emit_on_window_close) {
            (Some(temporal), false) => temporal.query.clone(),
            (_, true) => self.closed_windows(&create.query)?,
            (None, false) => create.query.clone(),
        };
        let mut bound = self.bind(&query, columns);
        if let Some(temporal) = &temporal {
            let further = temporal.reads.iter().filter(|id| !bound.reads.contains(id));
            let further: Vec<ObjectId> = further.copied().collect();
            bound.reads.extend(further);
        }
        rename(&mut bound.columns, &create.columns)?;
        for (i, column) in bound.columns.iter().enumerate() {
            if column.name == "?column?" {
                return Err(SqlError::internal(format!(
                    "Bind error: An alias must be specified for the {} expression (counting from 1) in result relation",
                    ordinal(i + 1)
                )));
            }
        }
        super::create::check_names(bound.columns.iter().map(|c| c.name.as_str()))?;
        let catalog = self.inner.catalog();
        let path = self.path();
        let shape = super::streaming::shape(&create.query, &bound.columns, &|name| {
            catalog.find_readable(name, &path)
        });
        let definition = Definition::new("CREATE MATERIALIZED VIEW", &create.name)
            .text(format!(
                "{}{} AS ",
                names_text(&create.columns),
                options_text(&create.with)
            ))
            .query(&create.query)
            .text(match create.emit_on_window_close {
                true => " EMIT ON WINDOW CLOSE",
                false => "",
            });
        for id in &bound.reads {
            if let Some(source) = catalog.get(*id).filter(|o| o.kind() == Kind::Source) {
                self.notice(format!(
                    "snapshot backfill disabled due to using shared source Some(\"{}\")",
                    source.name
                ));
            }
        }
        let building = self.slow_build(&create.name, &definition, &bound.reads)?;
        let body = Body::MaterializedView(MaterializedView {
            query: bound.query.clone(),
            key: shape.key,
            append_only: shape.append_only,
            temporal: temporal.map(|temporal| temporal.join),
            timezone: self.settings.current_timezone().to_owned(),
        });
        let addition = self.addition(&create.name, definition, bound.columns, bound.reads, body);
        match building {
            Some(building) if building.is_background() => {
                let inner = self.inner.clone();
                tokio::spawn(async move {
                    // Its failure shows in that the view is not there, as on RisingWave.
                    if building.finish().await.is_ok() {
                        let _ = addition.make(&inner).await;
                    }
                });
            }
            Some(building) => {
                building.finish().await?;
                addition.make(&self.inner).await?;
            }
            None => {
                addition.make(&self.inner).await?;
            }
        }
        Ok(Outcome::done(DONE))
    }

    /// The query that shows only the windows that the watermark of their table has passed.
    fn closed_windows(&self, query: &str) -> Result<String, SqlError> {
        let (catalog, path) = (self.inner.catalog(), self.path());
        let watermark = |name: &ObjectName| {
            let object = catalog.find_readable(name, &path)?;
            let watermark = object.watermark()?;
            Some(rwt_query::WatermarkOf {
                column: object.columns.get(watermark.column)?.name.clone(),
                delay: watermark.delay,
            })
        };
        self.inner
            .queries
            .closed_windows(query, &watermark)
            .map_err(|e| super::query_error(&e))
    }

    /// Adds an object; one that is no relation has no columns.
    pub(super) async fn add(
        &mut self,
        name: &ObjectName,
        definition: Definition,
        columns: Vec<Column>,
        depends_on: Vec<ObjectId>,
        body: Body,
    ) -> Result<ObjectId, SqlError> {
        let addition = self.addition(name, definition, columns, depends_on, body);
        addition.make(&self.inner).await
    }

    fn addition(
        &self,
        name: &ObjectName,
        definition: Definition,
        columns: Vec<Column>,
        depends_on: Vec<ObjectId>,
        body: Body,
    ) -> Addition {
        Addition {
            name: name.clone(),
            path: self.path(),
            owner: self.user_id(),
            definition,
            columns,
            depends_on,
            body,
        }
    }

    pub(super) async fn create_index(&mut self, create: CreateIndex) -> Result<Outcome, SqlError> {
        const DONE: &str = "CREATE_INDEX";
        if self.skip_existing(Kind::Index, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done(DONE));
        }
        let catalog = self.inner.catalog();
        let table = catalog
            .find_readable(&create.table, &self.path())
            .filter(|o| matches!(o.kind(), Kind::Table | Kind::MaterializedView))
            .ok_or_else(|| SqlError::not_found("table", create.table.name()))?;
        let mut columns = Vec::new();
        for text in &create.columns {
            let (expr, descending) = ordering(text);
            let position = table.column(&unquoted(expr));
            if position.is_none() {
                let sql = format!("SELECT {expr} FROM {}", create.table);
                self.describe_query(&sql).await?;
            }
            columns.push((position, expr.to_owned(), descending));
        }
        let include = create
            .include
            .iter()
            .map(|name| {
                table.column(name.value()).ok_or_else(|| {
                    SqlError::internal(format!("Item not found: Invalid column: {}", name.value()))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let by = create.distributed_by.iter().map(|text| unquoted(text));
        let keys = columns.iter().map(|(_, text, _)| unquoted(text));
        if by.len() > columns.len() || by.zip(keys).any(|(by, key)| by != key) {
            return Err(invalid_input(
                "Distributed by columns should be a prefix of index columns",
            ));
        }
        let mut tail = format!("({})", create.columns.join(", "));
        if !create.include.is_empty() {
            let names: Vec<String> = create.include.iter().map(ToString::to_string).collect();
            tail.push_str(&format!(" INCLUDE({})", names.join(", ")));
        }
        if !create.distributed_by.is_empty() {
            tail.push_str(&format!(
                " DISTRIBUTED BY({})",
                create.distributed_by.join(", ")
            ));
        }
        let id = table.id;
        let definition = Definition::new("CREATE INDEX", &create.name)
            .text(" ON ")
            .object(id, &create.table)
            .text(tail);
        // without INCLUDE an index covers all columns
        let include = if create.include.is_empty() {
            (0..table.columns.len())
                .filter(|i| !columns.iter().any(|(p, ..)| *p == Some(*i)))
                .collect()
        } else {
            include
        };
        let body = Body::Index(Index {
            table: id,
            columns,
            include,
            distributed_by: create.distributed_by.clone(),
        });
        let mut name = create.name.clone();
        if name.schema().is_none() {
            name.0
                .insert(0, Ident::new(catalog.schema_name(table.schema)));
        }
        let shown = table.columns.clone();
        self.add(&name, definition, shown, vec![id], body).await?;
        Ok(Outcome::done(DONE))
    }

    pub(super) async fn create_subscription(
        &mut self,
        create: CreateSubscription,
    ) -> Result<Outcome, SqlError> {
        const DONE: &str = "CREATE_SUBSCRIPTION";
        if self.skip_existing(Kind::Subscription, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done(DONE));
        }
        let catalog = self.inner.catalog();
        let from = catalog
            .find_readable(&create.from, &self.path())
            .filter(|o| matches!(o.kind(), Kind::Table | Kind::MaterializedView))
            .ok_or_else(|| {
                SqlError::new(
                    SqlState::Internal,
                    format!("table \"{}\" does not exist", create.from.name()),
                )
            })?;
        if catalog.target_schema(&create.name, &self.path())? != from.schema {
            return Err(invalid_input(
                "subscription and its dependent table must be in the same database and schema",
            ));
        }
        let retention = create
            .with
            .text("retention")
            .and_then(duration_seconds)
            .ok_or_else(|| {
                SqlError::internal(
                    "internal error: Invalid retention: a duration such as '1D' is expected",
                )
            })?;
        let definition = Definition::new("CREATE SUBSCRIPTION", &create.name)
            .text(" FROM ")
            .object(from.id, &create.from)
            .text(options_text(&create.with));
        let (id, columns) = (from.id, from.columns.clone());
        let body = Body::Subscription(Subscription {
            from: id,
            retention,
        });
        self.add(&create.name, definition, columns, vec![id], body)
            .await?;
        Ok(Outcome::done(DONE))
    }

    pub(super) async fn create_schema(
        &mut self,
        create: CreateSchema,
    ) -> Result<Outcome, SqlError> {
        const DONE: &str = "CREATE_SCHEMA";
        let name = create.name.name().to_owned();
        if name.starts_with("pg_") {
            return Err(SqlError::internal(format!(
                "Protocol error: unacceptable schema name \"{name}\", The prefix \"pg_\" is reserved for system schemas"
            )));
        }
        let taken = |catalog: &Catalog| {
            catalog.schema(&name).is_some()
                || crate::catalog::SYSTEM_SCHEMAS.contains(&name.as_str())
        };
        if taken(&self.inner.catalog()) {
            if create.if_not_exists {
                self.notice(format!("schema \"{name}\" exists, skipping"));
                return Ok(Outcome::done(DONE));
            }
            return Err(SqlError::exists("schema", &name));
        }
        let owner = self.user_id();
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                if taken(&altering.catalog) {
                    return Err(SqlError::exists("schema", &name));
                }
                let id = altering.catalog.take_id();
                let schema = Schema {
                    id,
                    name: name.clone(),
                    owner,
                };
                altering.catalog.schemas.insert(id, schema);
                altering.catalog.grant_defaults(id, owner, None, "schema");
                altering.set_catalog()
            })
            .await?;
        Ok(Outcome::done(DONE))
    }
}

/// The users' functions that a query calls, with those that their bodies call.
pub(super) fn functions_called(catalog: &Catalog, query: &str, path: &SearchPath) -> Vec<ObjectId> {
    let mut found = Vec::new();
    let mut open = vec![query];
    while let Some(text) = open.pop() {
        let called = rwt_query::called_functions(text);
        for object in catalog.of_kind(Kind::Function) {
            let schema = catalog.schema_name(object.schema);
            let is_called = called.iter().any(|(within, name)| {
                let in_sight = match within {
                    Some(within) => within == schema,
                    None => path.0.iter().any(|s| s == schema),
                };
                in_sight && *name == object.name
            });
            if let (true, Body::Function(function)) = (is_called, &object.body)
                && !found.contains(&object.id)
            {
                found.push(object.id);
                open.push(&function.body);
            }
        }
    }
    found
}

/// What a materialized view takes in WITH.
fn check_options(with: &rwt_sql::statement::Options) -> Result<(), SqlError> {
    const KNOWN: [&str; 6] = [
        "backfill_rate_limit",
        "source_rate_limit",
        "dml_rate_limit",
        "sink_rate_limit",
        "resource_group",
        "cloud.serverless_backfill_enabled",
    ];
    let keys: Vec<&str> = with.0.iter().map(|(key, _)| key.as_str()).collect();
    for (i, key) in keys.iter().enumerate() {
        if keys[..i].contains(key) {
            return Err(SqlError::internal(format!(
                "Invalid parameter value: Duplicated option: {key}"
            )));
        }
    }
    let unknown: Vec<&str> = keys.into_iter().filter(|k| !KNOWN.contains(k)).collect();
    match unknown.as_slice() {
        [] => Ok(()),
        _ => Err(SqlError::internal(format!(
            "Protocol error: unexpected options in WITH clause: {unknown:?}"
        ))),
    }
}

/// An error if an object went away between planning and creating.
fn still_there(catalog: &Catalog, ids: &[ObjectId]) -> Result<(), SqlError> {
    match ids.iter().find(|id| catalog.get(**id).is_none()) {
        None => Ok(()),
        Some(id) => Err(SqlError::not_found("table or source", id)),
    }
}

/// Gives the columns the names of the statement's column list, which is returned.
fn rename(columns: &mut [Column], names: &[Ident]) -> Result<Vec<String>, SqlError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if names.len() != columns.len() {
        return Err(SqlError::internal(
            "internal error: view has different number of columns than the query's columns",
        ));
    }
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = name.value().to_owned();
    }
    Ok(names.iter().map(|n| n.value().to_owned()).collect())
}

fn names_text(names: &[Ident]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    format!(" ({})", names.join(", "))
}

fn ordinal(n: usize) -> String {
    let suffix = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}

/// Splits ASC, DESC and NULLS off an indexed expression.
fn ordering(text: &str) -> (&str, bool) {
    let upper = text.to_ascii_uppercase();
    let text = match upper.find(" NULLS ") {
        Some(at) => &text[..at],
        None => text,
    };
    let upper = text.to_ascii_uppercase();
    if upper.ends_with(" DESC") {
        (text[..text.len() - 5].trim(), true)
    } else if upper.ends_with(" ASC") {
        (text[..text.len() - 4].trim(), false)
    } else {
        (text.trim(), false)
    }
}

fn unquoted(text: &str) -> String {
    match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => text.to_lowercase(),
    }
}

/// `1D`, `12 hours`, `PT1H` are too many ways; RisingWave's interval texts with one unit are read.
pub(super) fn duration_seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let unit = text.get(digits..)?.trim().to_ascii_lowercase();
    let factor = match unit.trim_end_matches('s') {
        "" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        "d" | "day" => 86_400,
        "w" | "week" => 604_800,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Whether the whole of a query is sorted.
fn is_ordered(query: &str) -> bool {
    matches!(
        rwt_query::parse_statement(query),
        Ok(Statement::Query(query)) if query.order_by.is_some()
    )
}

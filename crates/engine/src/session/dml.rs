//! INSERT, UPDATE and DELETE. A statement is turned into a query for the rows it adds, changes or removes; they reach
//! the table at the next checkpoint, for which `RW_IMPLICIT_FLUSH` waits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType as ArrowType, Int64Type, Schema};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, Delete, Expr, FromTable, Ident as SqlIdent, Insert, ObjectNamePart, SelectItem, SetExpr,
    Statement, TableFactor, TableObject, Update,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use rwt_query::{QueryError, Relation, Relations, ScalarValue};
use rwt_sql::statement::DmlVerb;
use rwt_sql::{DataType, Ident, ObjectName};
use rwt_wire::{Column as WireColumn, Outcome, RowsTag, SqlError, rows_of};

use super::query::Kept;
use super::{Session, dml_tag, not_implemented, query_error};
use crate::catalog::{BY_ID, Column, Kind, Object, ObjectId, invalid_input};
use crate::engine::{Altering, internal};
use crate::reading::{Reading, query_column};
use crate::storage::{Change, LakeProgress};
use crate::stream::barrier::Dml;

/// A data change, bound to its table.
pub(super) struct Prepared {
    verb: DmlVerb,
    table: ObjectId,
    /// The query for the new rows or for the ids of changed ones.
    query: String,
    /// For INSERT: the columns that the query gives, in order. For UPDATE: those behind the row id.
    targets: Vec<usize>,
    /// RETURNING, with its columns.
    returning: Option<(String, Vec<WireColumn>)>,
    params: Vec<DataType>,
}

/// Rows of a table's stored columns as the relation `name`, for generated columns and RETURNING.
struct Given<'a> {
    reading: &'a Reading,
    name: &'a str,
    relation: Relation,
}

#[async_trait]
impl Relations for Given<'_> {
    async fn relation(&self, schema: Option<&str>, name: &str) -> Result<Option<Relation>, QueryError> {
        if name == self.name && schema.is_none_or(|s| s == BY_ID) {
            return Ok(Some(self.relation.clone()));
        }
        self.reading.relation(schema, name).await
    }
}

/// The columns of a batch cast to these types.
pub(super) fn cast_rows(batch: &RecordBatch, types: &[ArrowType]) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .zip(types)
        .map(|(column, to)| cast(column, to))
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    let fields: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .zip(types)
        .map(|(f, t)| f.as_ref().clone().with_data_type(t.clone()))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

/// Fills the generated columns of rows from the others.
pub(super) async fn generate(session: &Session, columns: &[Column], rows: &RecordBatch) -> Result<RecordBatch, SqlError> {
    if columns.iter().all(|c| c.generated.is_none()) {
        return Ok(rows.clone());
    }
    let items: Vec<String> = columns
        .iter()
        .map(|c| match &c.generated {
            Some(expr) => format!("({expr})::{}", c.data_type),
            None => Ident::new(&c.name).quoted(),
        })
        .collect();
    let sql = format!("SELECT {} FROM new_rows", items.join(", "));
    let (_, rows) = given_rows(session, "new_rows", columns, rows, &sql).await?;
    Ok(rows)
}

/// Runs a query over rows that are given as a relation; the result has the stored types of its columns.
async fn given_rows(
    session: &Session,
    name: &str,
    columns: &[Column],
    rows: &RecordBatch,
    sql: &str,
) -> Result<(Vec<rwt_query::Column>, RecordBatch), SqlError> {
    let reading = session.reading();
    let given = Given {
        reading: &reading,
        name,
        relation: Relation::rows(columns.iter().map(query_column).collect(), Arc::new(vec![rows.clone()])),
    };
    let plan = session
        .inner
        .queries
        .plan(sql, &given, &reading.settings, &[])
        .await
        .map_err(|e| query_error(&e))?;
    let batches = plan.execute(&[]).await.map_err(|e| query_error(&e))?;
    let types: Vec<_> = plan.columns().iter().map(|c| rwt_query::arrow_type(&c.data_type)).collect();
    let batches = batches
        .iter()
        .map(|b| cast_rows(b, &types))
        .collect::<Result<Vec<_>, _>>()
        .map_err(internal)?;
    let schema = rwt_query::schema(plan.columns());
    let batches = batches
        .into_iter()
        .map(|b| RecordBatch::try_new(schema.clone(), b.columns().to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(internal)?;
    let rows = concat_batches(&schema, &batches).map_err(internal)?;
    Ok((plan.columns().to_vec(), rows))
}

impl Session {
    pub(super) async fn change_rows(&mut self, verb: DmlVerb, table: &ObjectName, text: &str) -> Result<Outcome, SqlError> {
        let dml = self.bind_dml(verb, table, text, &[]).await?;
        self.execute_dml(&dml, &[]).await
    }

    pub(super) async fn prepare_dml(
        &mut self,
        verb: DmlVerb,
        table: &ObjectName,
        text: &str,
        declared: &[Option<DataType>],
    ) -> Result<rwt_wire::Prepared, SqlError> {
        let dml = self.bind_dml(verb, table, text, declared).await?;
        Ok(rwt_wire::Prepared {
            sql: text.to_owned(),
            params: dml.params.clone(),
            columns: dml.returning.as_ref().map(|(_, columns)| columns.clone()),
            plan: Some(Arc::new(Kept::Dml(dml))),
        })
    }

    /// The table of a data change, refused if its rows cannot be changed by hand.
    fn changed_table(&self, verb: DmlVerb, name: &ObjectName) -> Result<Object, SqlError> {
        let catalog = self.inner.catalog();
        let missing = || SqlError::not_found("table", name.name());
        catalog.check_schema(name)?;
        let object = catalog.find_readable(name, &self.path()).ok_or_else(missing)?;
        match object.kind() {
            Kind::Table => {}
            Kind::View => return Err(missing()),
            kind => {
                return Err(invalid_input(format!("cannot change {} \"{}\"", kind.noun(), object.name)));
            }
        }
        if verb != DmlVerb::Insert && object.append_only() {
            return Err(SqlError::internal(
                "Bind error: append-only table does not support update or delete",
            ));
        }
        Ok(object.clone())
    }

    async fn bind_dml(
        &mut self,
        verb: DmlVerb,
        table: &ObjectName,
        text: &str,
        declared: &[Option<DataType>],
    ) -> Result<Prepared, SqlError> {
        let object = self.changed_table(verb, table)?;
        let statement = Parser::parse_sql(&PostgreSqlDialect {}, text)
            .ok()
            .and_then(|mut s| s.pop())
            .ok_or_else(|| {
                // the query parser words the error
                SqlError::internal("sql parser error: the statement is not understood")
            })?;
        let (query, targets, returning) = match &statement {
            Statement::Insert(insert) => insert_query(insert, &object)?,
            Statement::Update(update) => update_query(update, &object)?,
            Statement::Delete(delete) => delete_query(delete, &object)?,
            _ => return Err(not_implemented(format!("this form of {verb:?} in the embedded engine"))),
        };
        let reading = self.reading();
        let plan = self
            .inner
            .queries
            .plan(&query, &reading, &reading.settings, declared)
            .await
            .map_err(|e| query_error(&e))?;
        let mut targets = targets;
        if verb == DmlVerb::Insert {
            targets = insert_targets(&object, targets, plan.columns().len())?;
        }
        let returning = match returning {
            None => None,
            Some(items) => {
                let empty = RecordBatch::new_empty(crate::storage::stored_schema(&object));
                let sql = format!("SELECT {items} FROM {}", Ident::new(&object.name).quoted());
                let (columns, _) = given_rows(self, &object.name, &object.columns, &empty, &sql).await?;
                Some((sql, super::wire_columns(&columns)))
            }
        };
        Ok(Prepared {
            verb,
            table: object.id,
            query,
            targets,
            returning,
            params: plan.params().to_vec(),
        })
    }

    pub(super) async fn execute_dml(&mut self, dml: &Prepared, params: &[ScalarValue]) -> Result<Outcome, SqlError> {
        if dml.verb != DmlVerb::Insert {
            self.load_lake_rows(dml.table).await?;
        }
        let catalog = self.inner.catalog();
        let object = catalog
            .get(dml.table)
            .ok_or_else(|| internal("the table was dropped after the statement was prepared"))?;
        let reading = self.reading();
        let reading = if dml.verb == DmlVerb::Insert {
            reading
        } else {
            // rows that are not in the lake yet can be changed too
            reading.of_rows()
        };
        let declared: Vec<_> = dml.params.iter().cloned().map(Some).collect();
        let plan = self
            .inner
            .queries
            .plan(&dml.query, &reading, &reading.settings, &declared)
            .await
            .map_err(|e| query_error(&e))?;
        let rows = plan.execute(params).await.map_err(|e| query_error(&e))?;
        let (count, shown) = match dml.verb {
            DmlVerb::Insert => self.insert_rows(object, &dml.targets, &rows).await?,
            DmlVerb::Update => self.update_rows(object, &dml.targets, &rows).await?,
            DmlVerb::Delete => {
                let ids = ids_of(&rows);
                let shown = match (&dml.returning, self.inner.state().tables.get(&object.id)) {
                    (Some(_), Some(table)) => Some(table.pick(&ids).map_err(internal)?),
                    _ => None,
                };
                let count = ids.len();
                self.inner.submit(Dml::Delete(object.id, ids));
                (count, shown)
            }
        };
        if self.settings.is_on("rw_implicit_flush") {
            self.inner.checkpoint().await?;
        }
        let tag = dml_tag(dml.verb, count);
        match (&dml.returning, shown) {
            (Some((sql, columns)), Some(shown)) => {
                let (_, rows) = given_rows(self, &object.name, &object.columns, &shown, sql).await?;
                Ok(Outcome::Rows {
                    columns: columns.clone(),
                    rows: rows_of(vec![rows]),
                    tag: RowsTag::Fixed(tag),
                })
            }
            _ => Ok(Outcome::done(tag)),
        }
    }

    /// Completes the rows of an INSERT with defaults and generated columns and hands them to the checkpoint.
    async fn insert_rows(
        &self,
        object: &Object,
        targets: &[usize],
        rows: &[RecordBatch],
    ) -> Result<(usize, Option<RecordBatch>), SqlError> {
        let schema = crate::storage::stored_schema(object);
        let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
        let mut defaults: Vec<Option<ArrayRef>> = vec![None; object.columns.len()];
        for (i, column) in object.columns.iter().enumerate() {
            if let (Some(default), false) = (&column.default, targets.contains(&i)) {
                let sql = format!("SELECT ({default})::{}", column.data_type);
                let (_, value) = self.select_all(&sql).await?;
                defaults[i] = value.first().map(|b| b.column(0).clone());
            }
        }
        let mut batches = Vec::with_capacity(rows.len());
        for batch in rows {
            let columns = schema
                .fields()
                .iter()
                .enumerate()
                .map(|(i, field)| match (targets.iter().position(|t| *t == i), &defaults[i]) {
                    (Some(from), _) => cast(batch.column(from), field.data_type()),
                    (None, Some(value)) => {
                        let zeros = arrow::array::UInt64Array::from(vec![0; batch.num_rows()]);
                        let repeated = arrow::compute::take(value, &zeros, None)?;
                        cast(&repeated, field.data_type())
                    }
                    (None, None) => Ok(arrow::array::new_null_array(field.data_type(), batch.num_rows())),
                })
                .collect::<Result<Vec<_>, _>>()
                .map_err(internal)?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(internal)?;
            batches.push(generate(self, &object.columns, &batch).await?);
        }
        if count == 0 {
            return Ok((0, Some(RecordBatch::new_empty(schema))));
        }
        let batches = batches
            .into_iter()
            .map(|b| {
                let options = RecordBatchOptions::new().with_row_count(Some(b.num_rows()));
                RecordBatch::try_new_with_options(schema.clone(), b.columns().to_vec(), &options)
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(internal)?;
        let all = concat_batches(&schema, &batches).map_err(internal)?;
        check_nulls(object, &all)?;
        self.inner.submit(Dml::Insert(object.id, all.clone()));
        Ok((count, Some(all)))
    }

    /// Puts the new values of an UPDATE over the old rows.
    async fn update_rows(
        &self,
        object: &Object,
        targets: &[usize],
        rows: &[RecordBatch],
    ) -> Result<(usize, Option<RecordBatch>), SqlError> {
        let schema = crate::storage::stored_schema(object);
        let ids = ids_of(rows);
        let Some(table) = self.inner.state().tables.get(&object.id).cloned() else {
            return Err(internal("the table is gone"));
        };
        let mut kept = Vec::with_capacity(ids.len());
        let mut batches = Vec::new();
        for batch in rows {
            let ids = row_ids(batch);
            let old = table.pick(ids.values()).map_err(internal)?;
            if old.num_rows() != batch.num_rows() {
                return Err(internal("rows changed at the same moment; run the statement again"));
            }
            let columns = (0..schema.fields().len())
                .map(|i| match targets.iter().position(|t| *t == i) {
                    Some(at) => cast(batch.column(at + 1), schema.field(i).data_type()),
                    None => Ok(old.column(i).clone()),
                })
                .collect::<Result<Vec<_>, _>>()
                .map_err(internal)?;
            let new = RecordBatch::try_new(schema.clone(), columns).map_err(internal)?;
            let new = generate(self, &object.columns, &new).await?;
            batches.push(RecordBatch::try_new(schema.clone(), new.columns().to_vec()).map_err(internal)?);
            kept.extend(ids.values());
        }
        let all = concat_batches(&schema, &batches).map_err(internal)?;
        check_nulls(object, &all)?;
        let count = kept.len();
        if count > 0 {
            self.inner.submit(Dml::Update(object.id, kept, all.clone()));
        }
        Ok((count, Some(all)))
    }

    /// The rows of a lake table come into the engine before the first of them is changed.
    async fn load_lake_rows(&self, id: ObjectId) -> Result<(), SqlError> {
        let state = self.inner.state();
        let full = |progress: &LakeProgress| progress.full;
        if state.catalog.get(id).and_then(|o| o.lake()).is_none() || state.lakes.get(&id).is_some_and(|p| full(p)) {
            return Ok(());
        }
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                let state = altering.staged.state.clone();
                let (Some(object), Some(progress), Some(table)) =
                    (state.catalog.get(id), state.lakes.get(&id), state.tables.get(&id))
                else {
                    return Ok(());
                };
                let Some(lake) = object.lake().filter(|_| !full(progress)) else {
                    return Ok(());
                };
                let scan = altering
                    .staged
                    .inner
                    .lake
                    .scan(&lake.namespace, &lake.table)
                    .await
                    .map_err(internal)?;
                let (next, pending) = (table.next_row_id(), table.parts().map_err(internal)?);
                altering.apply(Change::Create(id))?;
                for batch in scan.batches.iter() {
                    let (ids, rows) = crate::stream::lake::split_ids(object, batch).map_err(internal)?;
                    let Some(ids) = ids else { continue };
                    let known: arrow::array::BooleanArray =
                        ids.iter().map(|i| Some(i.is_some_and(|i| i < progress.committed_before))).collect();
                    let kept = arrow::compute::filter(&ids, &known).map_err(internal)?;
                    let rows = arrow::compute::filter_record_batch(&rows, &known).map_err(internal)?;
                    altering.apply(Change::Load(id, kept.as_primitive::<Int64Type>().clone(), rows, next))?;
                }
                for (ids, rows) in pending {
                    altering.apply(Change::Load(id, ids, rows, next))?;
                }
                let empty = RecordBatch::new_empty(table.schema().clone());
                let none = arrow::array::Int64Array::from(Vec::<i64>::new());
                altering.apply(Change::Load(id, none, empty, next))?;
                let progress = LakeProgress {
                    full: true,
                    ..LakeProgress::clone(progress)
                };
                altering.apply(Change::Lake(id, Arc::new(progress), None))
            })
            .await
    }
}

fn row_ids(batch: &RecordBatch) -> arrow::array::Int64Array {
    batch.column(0).as_primitive::<Int64Type>().clone()
}

fn ids_of(rows: &[RecordBatch]) -> Vec<i64> {
    rows.iter().flat_map(|b| row_ids(b).values().to_vec()).collect()
}

fn check_nulls(object: &Object, rows: &RecordBatch) -> Result<(), SqlError> {
    for (column, array) in object.columns.iter().zip(rows.columns()) {
        if column.not_null && array.null_count() > 0 {
            return Err(SqlError::internal(format!(
                "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                column.name, object.name
            )));
        }
    }
    Ok(())
}

fn value(ident: &SqlIdent) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn position(object: &Object, name: &str) -> Result<usize, SqlError> {
    object
        .column(name)
        .filter(|i| !object.columns[*i].hidden)
        .ok_or_else(|| SqlError::internal(format!("Bind error: Column {name} not found in table {}", object.name)))
}

type Bound = (String, Vec<usize>, Option<String>);

fn returning(items: Option<&Vec<SelectItem>>) -> Option<String> {
    let items: Vec<String> = items?.iter().map(ToString::to_string).collect();
    Some(items.join(", "))
}

/// Columns that take values by position: visible and not generated.
fn by_position(object: &Object) -> Vec<usize> {
    (0..object.columns.len())
        .filter(|i| !object.columns[*i].hidden && object.columns[*i].generated.is_none())
        .collect()
}

fn insert_query(insert: &Insert, object: &Object) -> Result<Bound, SqlError> {
    let TableObject::TableName(_) = &insert.table else {
        return Err(not_implemented("INSERT INTO a table function"));
    };
    if insert.on.is_some() {
        return Err(SqlError::internal("sql parser error: expected end of statement, found: ON"));
    }
    let Some(source) = &insert.source else {
        return Err(SqlError::internal("sql parser error: expected SELECT, VALUES, found: DEFAULT"));
    };
    let mut targets = Vec::new();
    for name in &insert.columns {
        let name = value(name);
        let at = position(object, &name)?;
        if object.columns[at].generated.is_some() {
            return Err(SqlError::internal(format!(
                "Bind error: cannot insert a non-DEFAULT value into column \"{name}\".  Column \"{name}\" is a generated column."
            )));
        }
        if targets.contains(&at) {
            return Err(SqlError::internal("Bind error: Column specified more than once"));
        }
        targets.push(at);
    }
    let given = if targets.is_empty() { by_position(object) } else { targets.clone() };
    let returning = returning(insert.returning.as_ref());
    if let SetExpr::Values(values) = source.body.as_ref()
        && source.with.is_none()
    {
        let width = values.rows.first().map_or(0, Vec::len);
        if values.rows.iter().any(|r| r.len() != width) {
            return Err(SqlError::internal("Bind error: VALUES lists must all be the same length"));
        }
        insert_targets(object, targets.clone(), width)?;
        // each value is cast to its column's type, which gives untyped literals and parameters their type
        let rows: Vec<String> = values
            .rows
            .iter()
            .map(|row| {
                let items: Vec<String> = row
                    .iter()
                    .zip(&given)
                    .map(|(expr, at)| assigned(expr, &object.columns[*at]))
                    .collect();
                format!("({})", items.join(", "))
            })
            .collect();
        return Ok((format!("VALUES {}", rows.join(", ")), targets, returning));
    }
    Ok((source.to_string(), targets, returning))
}

/// A value on its way into a column.
fn assigned(expr: &Expr, column: &Column) -> String {
    format!("({expr})::{}", column.data_type)
}

fn insert_targets(object: &Object, targets: Vec<usize>, given: usize) -> Result<Vec<usize>, SqlError> {
    let too_many = || SqlError::internal("Bind error: INSERT has more expressions than target columns");
    if targets.is_empty() {
        let all = by_position(object);
        if given > all.len() {
            return Err(too_many());
        }
        return Ok(all.into_iter().take(given).collect());
    }
    match given.cmp(&targets.len()) {
        std::cmp::Ordering::Greater => Err(too_many()),
        std::cmp::Ordering::Less => Err(SqlError::internal(
            "Bind error: INSERT has more target columns than expressions",
        )),
        std::cmp::Ordering::Equal => Ok(targets),
    }
}

/// The changed table in a query: by id, under the name that the statement uses for it.
fn source_of(object: &Object, alias: Option<&str>) -> String {
    format!(
        "{BY_ID}.\"{}\" AS {}",
        object.id,
        Ident::new(alias.unwrap_or(&object.name)).quoted()
    )
}

fn update_query(update: &Update, object: &Object) -> Result<Bound, SqlError> {
    if update.from.is_some() || !update.table.joins.is_empty() {
        return Err(not_implemented("UPDATE ... FROM"));
    }
    let key = object.table().map(|t| t.key.as_slice()).unwrap_or_default();
    let mut targets = Vec::new();
    let mut items = Vec::new();
    for assignment in &update.assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(not_implemented("UPDATE SET (a, b) = ..."));
        };
        let Some(ObjectNamePart::Identifier(ident)) = name.0.last() else {
            return Err(not_implemented("this form of UPDATE SET"));
        };
        let name = value(ident);
        let at = object
            .column(&name)
            .filter(|i| !object.columns[*i].hidden)
            .ok_or_else(|| SqlError::internal(format!("Failed to bind expression: {name}")).because(format!("Item not found: Invalid column: {name}")))?;
        if key.contains(&at) {
            return Err(SqlError::internal("Bind error: update modifying the PK column is unsupported"));
        }
        let column = &object.columns[at];
        if column.generated.is_some() {
            return Err(SqlError::internal(format!(
                "Bind error: update modifying the generated column \"{name}\" is unsupported"
            )));
        }
        if targets.contains(&at) {
            return Err(SqlError::internal("Bind error: multiple assignments to the same column"));
        }
        let default = matches!(&assignment.value, Expr::Identifier(i) if i.quote_style.is_none() && i.value.eq_ignore_ascii_case("default"));
        items.push(if default {
            format!("({})::{}", column.default.as_deref().unwrap_or("NULL"), column.data_type)
        } else {
            assigned(&assignment.value, column)
        });
        targets.push(at);
    }
    let alias = alias_of(&update.table.relation);
    let mut sql = format!(
        "SELECT _row_id, {} FROM {}",
        items.join(", "),
        source_of(object, alias.as_deref())
    );
    if let Some(condition) = &update.selection {
        sql.push_str(&format!(" WHERE {condition}"));
    }
    Ok((sql, targets, returning(update.returning.as_ref())))
}

fn delete_query(delete: &Delete, object: &Object) -> Result<Bound, SqlError> {
    if delete.using.is_some() || delete.limit.is_some() || !delete.order_by.is_empty() {
        return Err(not_implemented("DELETE with USING, ORDER BY or LIMIT"));
    }
    let tables = match &delete.from {
        FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables) => tables,
    };
    let alias = tables.first().and_then(|t| alias_of(&t.relation));
    let mut sql = format!("SELECT _row_id FROM {}", source_of(object, alias.as_deref()));
    if let Some(condition) = &delete.selection {
        sql.push_str(&format!(" WHERE {condition}"));
    }
    Ok((sql, Vec::new(), returning(delete.returning.as_ref())))
}

fn alias_of(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias, .. } => alias.as_ref().map(|a| value(&a.name)),
        _ => None,
    }
}

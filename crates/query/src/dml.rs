//! INSERT, UPDATE and DELETE: planned once, then giving the rows and row ids to change. Nothing is changed here.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use rwt_sql::{DataType, Ident, ObjectName};
use sqlparser::ast::{
    FromTable, Insert, SelectItem, SetExpr, Statement, TableFactor, TableObject, TableWithJoins,
};

use crate::bind::Binder;
use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::plan::Plan;
use crate::queries::Queries;
use crate::relation::{Column, Relation, Relations, Settings};
use crate::{names, parse, types, window_close};

/// A column that DML writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetColumn {
    /// Name and type.
    pub column: Column,
    /// The expression of DEFAULT, as SQL text.
    pub default: Option<String>,
    /// NULL is refused.
    pub not_null: bool,
}

/// A table that DML writes: its visible columns in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The table's name, for messages.
    pub name: String,
    /// The columns that a user sees, without generated ones.
    pub columns: Vec<TargetColumn>,
}

impl Target {
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.column.name == name)
    }

    pub(crate) fn visible(&self) -> Vec<Column> {
        self.columns.iter().map(|c| c.column.clone()).collect()
    }
}

/// What a statement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DmlKind {
    /// New rows.
    Insert,
    /// Rows that get new values.
    Update,
    /// Rows that go.
    Delete,
}

/// The effect of a statement, to be applied by whoever owns the table.
#[derive(Debug, Clone)]
pub struct Changes {
    /// What to do.
    pub kind: DmlKind,
    /// The row ids of the rows to change or delete, in the order of `rows`; none for INSERT.
    pub row_ids: Vec<i64>,
    /// The new rows of INSERT and UPDATE, and the old ones of DELETE if it returns something of them: the target's columns
    /// in their stored Arrow types.
    pub rows: Vec<RecordBatch>,
    /// The rows of RETURNING, if the statement has it.
    pub returning: Option<Vec<RecordBatch>>,
}

impl Changes {
    /// How many rows are inserted, updated or deleted.
    pub fn count(&self) -> usize {
        match self.kind {
            DmlKind::Insert => self.rows.iter().map(RecordBatch::num_rows).sum(),
            DmlKind::Update | DmlKind::Delete => self.row_ids.len(),
        }
    }
}

/// A planned INSERT, UPDATE or DELETE.
#[derive(Debug, Clone)]
pub struct Dml {
    kind: DmlKind,
    target: Target,
    plan: Plan,
    returning: Option<Plan>,
    schema: SchemaRef,
}

impl Dml {
    /// What the statement changes.
    pub fn kind(&self) -> DmlKind {
        self.kind
    }

    /// The types of the parameters.
    pub fn params(&self) -> &[DataType] {
        self.plan.params()
    }

    /// The columns of RETURNING; `None` without it.
    pub fn returning(&self) -> Option<&[Column]> {
        self.returning.as_ref().map(Plan::columns)
    }

    /// The same statement over the relations' present rows, see [`Plan::refreshed`].
    ///
    /// # Errors
    /// [`QueryError::Stale`]
    pub async fn refreshed(
        &self,
        relations: &dyn Relations,
        now: DateTime<Utc>,
    ) -> Result<Self, QueryError> {
        Ok(Self {
            plan: self.plan.refreshed(relations, now).await?,
            ..self.clone()
        })
    }

    /// Finds out what to change.
    ///
    /// # Errors
    /// Those of evaluation, and NULL in a NOT NULL column.
    pub async fn execute(&self, params: &[ScalarValue]) -> Result<Changes, QueryError> {
        let batches = self.plan.execute(params).await?;
        let mut row_ids = Vec::new();
        let mut rows = Vec::with_capacity(batches.len());
        for batch in batches {
            let mut columns = batch.columns().to_vec();
            if self.kind != DmlKind::Insert {
                let ids = columns.remove(0);
                row_ids.extend_from_slice(ids.as_primitive::<Int64Type>().values());
            }
            if self.kind != DmlKind::Delete || self.returning.is_some() {
                rows.push(RecordBatch::try_new(self.schema.clone(), columns)?);
            }
        }
        if self.kind != DmlKind::Delete {
            check_not_null(&self.target, &rows)?;
        }
        let returning = match &self.returning {
            Some(plan) => Some(self.returned(plan, &rows).await?),
            None => None,
        };
        Ok(Changes {
            kind: self.kind,
            row_ids,
            rows,
            returning,
        })
    }

    async fn returned(
        &self,
        plan: &Plan,
        rows: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>, QueryError> {
        let relation = OneRelation {
            name: self.target.name.clone(),
            relation: Relation::rows(self.target.visible(), Arc::new(rows.to_vec())),
        };
        plan.refreshed(&relation, plan.now())
            .await?
            .execute(&[])
            .await
    }
}

/// Refuses NULL where the target does not take it.
pub(crate) fn check_not_null(target: &Target, rows: &[RecordBatch]) -> Result<(), QueryError> {
    for (i, column) in target
        .columns
        .iter()
        .enumerate()
        .filter(|(_, c)| c.not_null)
    {
        if rows.iter().any(|batch| batch.column(i).null_count() > 0) {
            return Err(QueryError::Evaluation(format!(
                "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                column.column.name, target.name
            )));
        }
    }
    Ok(())
}

/// A catalog of one relation: rows in hand.
struct OneRelation {
    name: String,
    relation: Relation,
}

#[async_trait]
impl Relations for OneRelation {
    async fn relation(
        &self,
        _schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Relation>, QueryError> {
        Ok((name == self.name).then(|| self.relation.clone()))
    }
}

/// The name of the table that an INSERT, UPDATE or DELETE writes.
fn table_name(statement: &Statement) -> Result<Vec<String>, QueryError> {
    let factor = match statement {
        Statement::Insert(Insert {
            table: TableObject::TableName(name),
            ..
        }) => return Ok(names::parts(name)),
        Statement::Update(update) => &update.table.relation,
        Statement::Delete(delete) => &single(from_tables(&delete.from))?.relation,
        other => {
            return Err(QueryError::invalid_input(format!(
                "expected INSERT, UPDATE or DELETE: {other}"
            )));
        }
    };
    match factor {
        TableFactor::Table {
            name, args: None, ..
        } => Ok(names::parts(name)),
        other => Err(QueryError::invalid_input(format!(
            "expected a table: {other}"
        ))),
    }
}

fn from_tables(from: &FromTable) -> &[TableWithJoins] {
    match from {
        FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables) => tables,
    }
}

fn single(tables: &[TableWithJoins]) -> Result<&TableWithJoins, QueryError> {
    match tables {
        [table] if table.joins.is_empty() => Ok(table),
        _ => Err(QueryError::Syntax("expected one table".into())),
    }
}

impl Queries {
    /// The table that a DML statement writes, before it is planned.
    ///
    /// # Errors
    /// [`QueryError::Syntax`], or if the statement is no DML.
    pub fn target_of(&self, sql: &str) -> Result<ObjectName, QueryError> {
        let parts = table_name(&parse::statement(sql)?)?;
        Ok(ObjectName(parts.into_iter().map(Ident::new).collect()))
    }

    /// Plans an INSERT, UPDATE or DELETE of a table. For UPDATE and DELETE the table's relation must have the hidden
    /// column [`ROW_ID`].
    ///
    /// # Errors
    /// Every [`QueryError`] but those of evaluation.
    pub async fn plan_dml(
        &self,
        sql: &str,
        target: &Target,
        relations: &dyn Relations,
        settings: &Settings,
        params: &[Option<DataType>],
    ) -> Result<Dml, QueryError> {
        let statement = parse::statement(sql)?;
        let mut catalog = Catalog::load(&statement, relations).await?;
        for text in target.columns.iter().filter_map(|c| c.default.as_ref()) {
            let default = parse::statement(&format!("SELECT {text}"))?;
            catalog.add(&default, relations).await?;
        }
        let binder = Binder::new(&catalog, settings, params)?;
        let (kind, query, returning) = match &statement {
            Statement::Insert(insert) => (
                DmlKind::Insert,
                binder.insert(insert, target)?,
                insert.returning.clone(),
            ),
            Statement::Update(update) => {
                if update.from.is_some() {
                    return Err(QueryError::Syntax(
                        "expected end of statement, found: FROM".into(),
                    ));
                }
                let query = binder.update(
                    &update.table,
                    &update.assignments,
                    update.selection.as_ref(),
                    target,
                )?;
                (DmlKind::Update, query, update.returning.clone())
            }
            Statement::Delete(delete) => {
                if delete.using.is_some() {
                    return Err(QueryError::Syntax(
                        "expected end of statement, found: USING".into(),
                    ));
                }
                let table = single(from_tables(&delete.from))?;
                let mut query = binder.update(table, &[], delete.selection.as_ref(), target)?;
                if delete.returning.is_none() {
                    // the row ids: a DELETE must not need memory for the rows that it frees
                    query.columns.truncate(1);
                }
                (DmlKind::Delete, query, delete.returning.clone())
            }
            other => {
                return Err(QueryError::invalid_input(format!(
                    "expected INSERT, UPDATE or DELETE: {other}"
                )));
            }
        };
        let plan = Plan::new(&binder, query, &self.context)?;
        let returning = match returning {
            Some(items) => Some(self.plan_returning(items, target, settings).await?),
            None => None,
        };
        Ok(Dml {
            kind,
            schema: types::schema(&target.visible()),
            target: target.clone(),
            plan,
            returning,
        })
    }

    async fn plan_returning(
        &self,
        items: Vec<SelectItem>,
        target: &Target,
        settings: &Settings,
    ) -> Result<Plan, QueryError> {
        if items.iter().any(window_close::looks_at_others) {
            return Err(QueryError::bind(
                "should not have agg/window in the `RETURNING` list",
            ));
        }
        let mut query = parse::query(&format!(
            "SELECT * FROM {}",
            Ident::new(&target.name).quoted()
        ))?;
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.projection = items;
        }
        let relation = OneRelation {
            name: target.name.clone(),
            relation: Relation::rows(target.visible(), Arc::new(Vec::new())),
        };
        let catalog = Catalog::load(&Statement::Query(Box::new(query.clone())), &relation).await?;
        let binder = Binder::new(&catalog, settings, &[])?;
        let bound = binder.root(&query)?;
        Plan::new(&binder, bound, &self.context)
    }
}

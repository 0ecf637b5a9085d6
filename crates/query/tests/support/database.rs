//! The smallest engine over the crate: tables in memory, views, no durability. Enough to run the recorded suites.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::compute::{concat_batches, filter_record_batch, take};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use rwt_query::{
    Changes, Column, DmlKind, Queries, QueryError, ROW_ID, Relation, RelationData, Relations,
    Settings, SqlFunction, Target, TargetColumn, display, field, schema,
};
use rwt_sql::statement::ObjectKind;
use rwt_sql::{DataType, Statement, parse_statement};

pub struct Table {
    target: Target,
    key: Vec<usize>,
    rows: RecordBatch,
    ids: Vec<i64>,
}

impl Table {
    fn relation(&self) -> Relation {
        let mut columns: Vec<Column> = self
            .target
            .columns
            .iter()
            .map(|c| c.column.clone())
            .collect();
        columns.push(Column::hidden(ROW_ID, DataType::Serial));
        let mut fields: Vec<_> = self.rows.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(field(
            ROW_ID,
            &DataType::Serial,
            arrow::datatypes::DataType::Int64,
        )));
        let mut arrays = self.rows.columns().to_vec();
        arrays.push(Arc::new(Int64Array::from(self.ids.clone())));
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        Relation::rows(columns, Arc::new(vec![batch])).with_key(self.key.clone())
    }

    fn key_of(&self, rows: &RecordBatch, row: usize) -> String {
        let parts: Vec<String> = self
            .key
            .iter()
            .map(|i| {
                let column = &self.target.columns[*i].column;
                format!(
                    "{:?}",
                    display(rows.column(*i), row, &column.data_type, "UTC").unwrap()
                )
            })
            .collect();
        parts.join("|")
    }

    fn keep(&mut self, keep: &[bool]) {
        let mask = arrow::array::BooleanArray::from(keep.to_vec());
        self.rows = filter_record_batch(&self.rows, &mask).unwrap();
        let mut kept = keep.iter();
        self.ids.retain(|_| *kept.next().unwrap());
    }

    fn apply(&mut self, changes: &Changes, next_id: &mut i64) {
        if changes.kind != DmlKind::Insert {
            let keep: Vec<bool> = self
                .ids
                .iter()
                .map(|id| !changes.row_ids.contains(id))
                .collect();
            self.keep(&keep);
        }
        if changes.kind == DmlKind::Delete {
            return;
        }
        for batch in &changes.rows {
            let mut batch = batch.clone();
            if !self.key.is_empty() {
                let new: Vec<String> = (0..batch.num_rows())
                    .map(|row| self.key_of(&batch, row))
                    .collect();
                let last: Vec<u64> = (0..new.len())
                    .filter(|i| !new[i + 1..].contains(&new[*i]))
                    .map(|i| i as u64)
                    .collect();
                let keep: Vec<bool> = (0..self.rows.num_rows())
                    .map(|row| !new.contains(&self.key_of(&self.rows, row)))
                    .collect();
                self.keep(&keep);
                let wanted = arrow::array::UInt64Array::from(last);
                let columns: Vec<ArrayRef> = batch
                    .columns()
                    .iter()
                    .map(|c| take(c, &wanted, None).unwrap())
                    .collect();
                batch = RecordBatch::try_new(batch.schema(), columns).unwrap();
            }
            for _ in 0..batch.num_rows() {
                *next_id += 1;
                self.ids.push(*next_id);
            }
            self.rows = concat_batches(&self.rows.schema(), [&self.rows, &batch]).unwrap();
        }
    }
}

pub struct Database {
    queries: Queries,
    pub settings: Settings,
    tables: HashMap<String, Table>,
    views: HashMap<String, Relation>,
    materialized: HashMap<String, (String, Vec<Column>)>,
    functions: HashMap<String, Vec<SqlFunction>>,
    next_id: i64,
}

#[async_trait]
impl Relations for Database {
    async fn relation(
        &self,
        _schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Relation>, QueryError> {
        if let Some((query, columns)) = self.materialized.get(name) {
            let plan = self
                .queries
                .plan_stream(query, self, &self.settings)
                .await?;
            let rows = plan.execute(&[]).await?;
            return Ok(Some(Relation::rows(columns.clone(), Arc::new(rows))));
        }
        Ok(match self.tables.get(name) {
            Some(table) => Some(table.relation()),
            None => self.views.get(name).cloned(),
        })
    }

    async fn functions(
        &self,
        _schema: Option<&str>,
        name: &str,
    ) -> Result<Vec<SqlFunction>, QueryError> {
        Ok(self.functions.get(name).cloned().unwrap_or_default())
    }
}

/// What a statement gave.
pub struct Outcome {
    pub rows: Vec<Vec<Option<String>>>,
    pub count: usize,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            queries: Queries::new().unwrap(),
            settings: Settings::default(),
            tables: HashMap::new(),
            views: HashMap::new(),
            materialized: HashMap::new(),
            functions: HashMap::new(),
            next_id: 0,
        }
    }
}

fn texts(columns: &[Column], batches: &[RecordBatch], timezone: &str) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(
                columns
                    .iter()
                    .enumerate()
                    .map(|(i, c)| display(batch.column(i), row, &c.data_type, timezone).unwrap())
                    .collect(),
            );
        }
    }
    rows
}

impl Database {
    pub async fn query(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, QueryError> {
        let plan = self.queries.plan(sql, self, &self.settings, &[]).await?;
        let batches = plan.execute(&[]).await?;
        Ok(texts(plan.columns(), &batches, &self.settings.timezone))
    }

    pub async fn run(&mut self, sql: &str) -> Result<Outcome, QueryError> {
        self.settings.now = chrono::Utc::now();
        let statement =
            parse_statement(sql).map_err(|error| QueryError::Syntax(error.to_string()))?;
        let mut count = 0;
        let mut rows = Vec::new();
        match statement {
            Statement::Query(text) => rows = self.query(&text).await?,
            Statement::Dml { table, text, .. } => return self.dml(table.name(), &text).await,
            Statement::CreateTable(create) => {
                let name = create.name.name().to_owned();
                self.taken(&name, create.if_not_exists)?;
                let (columns, key) = match &create.query {
                    Some(query) => (self.columns_of(query, &[]).await?, Vec::new()),
                    None => {
                        let columns: Vec<TargetColumn> = create
                            .columns
                            .columns
                            .iter()
                            .map(|def| TargetColumn {
                                column: Column::new(
                                    def.name.value(),
                                    def.data_type.clone().unwrap(),
                                ),
                                default: def.default.clone(),
                                not_null: def.not_null,
                            })
                            .collect();
                        let key = create
                            .columns
                            .primary_key
                            .iter()
                            .filter_map(|name| {
                                columns.iter().position(|c| c.column.name == name.value())
                            })
                            .collect();
                        (columns, key)
                    }
                };
                let visible: Vec<Column> = columns.iter().map(|c| c.column.clone()).collect();
                let table = Table {
                    target: Target {
                        name: name.clone(),
                        columns,
                    },
                    key,
                    rows: RecordBatch::new_empty(schema(&visible)),
                    ids: Vec::new(),
                };
                self.tables.insert(name, table);
            }
            Statement::CreateView(create) => {
                let columns: Vec<String> = create
                    .columns
                    .iter()
                    .map(|c| c.value().to_owned())
                    .collect();
                self.taken(create.name.name(), create.if_not_exists)?;
                self.view(create.name.name(), &create.query, columns)
                    .await?;
            }
            Statement::CreateMaterializedView(create) => {
                let columns: Vec<String> = create
                    .columns
                    .iter()
                    .map(|c| c.value().to_owned())
                    .collect();
                let name = create.name.name();
                self.taken(name, create.if_not_exists)?;
                if !self.exists(name) {
                    let plan = self
                        .queries
                        .check_stream(&create.query, self, &self.settings)
                        .await?;
                    plan.execute(&[]).await?;
                    let typed = plan.columns().iter().enumerate();
                    let columns = typed
                        .map(|(i, c)| {
                            Column::new(columns.get(i).unwrap_or(&c.name), c.data_type.clone())
                        })
                        .collect();
                    self.materialized
                        .insert(name.to_owned(), (create.query.clone(), columns));
                }
            }
            Statement::Drop(drop) if drop.kind == ObjectKind::Function => {
                self.functions.remove(drop.names[0].name());
            }
            Statement::Drop(drop) => {
                let name = drop.names[0].name();
                self.tables.remove(name);
                self.views.remove(name);
                self.materialized.remove(name);
                if drop.cascade {
                    self.views.clear();
                    self.materialized.clear();
                }
            }
            Statement::Set { name, values } if name == "timezone" || name == "time zone" => {
                self.settings.timezone = values.first().cloned().unwrap_or_else(|| "UTC".into());
            }
            Statement::Flush | Statement::Set { .. } => {}
            other => return Err(QueryError::NotImplemented(format!("{other:?}"))),
        }
        count += rows.len();
        Ok(Outcome { rows, count })
    }

    fn exists(&self, name: &str) -> bool {
        self.tables.contains_key(name)
            || self.views.contains_key(name)
            || self.materialized.contains_key(name)
    }

    fn taken(&self, name: &str, fine: bool) -> Result<(), QueryError> {
        let kind = if self.tables.contains_key(name) {
            "table"
        } else if self.views.contains_key(name) {
            "view"
        } else {
            "materialized view"
        };
        if self.exists(name) && !fine {
            return Err(QueryError::Bind(format!("{kind} with name {name} exists")));
        }
        Ok(())
    }

    async fn columns_of(
        &self,
        query: &str,
        names: &[String],
    ) -> Result<Vec<TargetColumn>, QueryError> {
        let plan = self.queries.plan(query, self, &self.settings, &[]).await?;
        Ok(plan
            .columns()
            .iter()
            .enumerate()
            .map(|(i, c)| TargetColumn {
                column: Column::new(names.get(i).unwrap_or(&c.name), c.data_type.clone()),
                default: None,
                not_null: false,
            })
            .collect())
    }

    async fn view(
        &mut self,
        name: &str,
        query: &str,
        columns: Vec<String>,
    ) -> Result<(), QueryError> {
        let types = self.columns_of(query, &columns).await?;
        let relation = Relation {
            columns: types.into_iter().map(|c| c.column).collect(),
            data: RelationData::View {
                sql: query.to_owned(),
                columns,
            },
            key: Vec::new(),
            append_only: false,
        };
        self.views.entry(name.to_owned()).or_insert(relation);
        Ok(())
    }

    pub fn function(
        &mut self,
        name: &str,
        params: &[(Option<&str>, DataType)],
        returns: DataType,
        body: &str,
    ) {
        let function = SqlFunction {
            params: params
                .iter()
                .map(|(n, t)| (n.map(ToOwned::to_owned), t.clone()))
                .collect(),
            returns,
            body: body.to_owned(),
        };
        self.functions.insert(name.to_owned(), vec![function]);
    }

    async fn dml(&mut self, name: &str, text: &str) -> Result<Outcome, QueryError> {
        if self.materialized.contains_key(name) {
            return Err(QueryError::Bind(format!(
                "Invalid input syntax: cannot change materialized view \"{name}\""
            )));
        }
        let Some(table) = self.tables.get(name) else {
            return Err(QueryError::TableNotFound(name.to_owned()));
        };
        let mut columns = Vec::new();
        let target = table.target.clone();
        let changes = match self
            .queries
            .insert_literals(text, &target, &self.settings)?
        {
            Some(changes) => changes,
            None => {
                let dml = self
                    .queries
                    .plan_dml(text, &target, self, &self.settings, &[])
                    .await?;
                columns = dml.returning().unwrap_or_default().to_vec();
                dml.execute(&[]).await?
            }
        };
        let next_id = &mut self.next_id;
        if let Some(table) = self.tables.get_mut(name) {
            table.apply(&changes, next_id);
        }
        Ok(Outcome {
            rows: texts(
                &columns,
                changes.returning.as_deref().unwrap_or_default(),
                &self.settings.timezone,
            ),
            count: changes.count(),
        })
    }

    pub fn load(&mut self, name: &str, columns: Vec<Column>, rows: RecordBatch) {
        let ids = (0..rows.num_rows() as i64).collect();
        let columns = columns
            .into_iter()
            .map(|column| TargetColumn {
                column,
                default: None,
                not_null: false,
            })
            .collect();
        let target = Target {
            name: name.to_owned(),
            columns,
        };
        self.tables.insert(
            name.to_owned(),
            Table {
                target,
                key: Vec::new(),
                rows,
                ids,
            },
        );
    }
}

//! A relation's rows as a DataFusion table whose columns have the plan's unique names.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::catalog::Key;
use crate::error::QueryError;
use crate::relation::{ROW_ID, Relation, RelationData};

/// The rows of a relation under other column names.
#[derive(Debug)]
pub(crate) struct RelationTable {
    key: Key,
    names: Vec<String>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Positions of columns that no two rows share.
    keys: Vec<Vec<usize>>,
    append_only: bool,
}

impl RelationTable {
    /// `names` are the names of the columns in the plan, hidden columns too.
    pub(crate) fn new(key: Key, relation: &Relation, names: &[String]) -> Result<Self, QueryError> {
        let RelationData::Batches(batches) = &relation.data else {
            return Err(QueryError::Internal(format!(
                "{} has no rows of its own",
                key.1
            )));
        };
        let stored = relation.schema();
        if stored.fields().len() != names.len() || relation.columns.len() != names.len() {
            return Err(QueryError::Internal(format!(
                "{} has {} columns but its rows have {}",
                key.1,
                relation.columns.len(),
                stored.fields().len()
            )));
        }
        let fields: Vec<Field> = stored
            .fields()
            .iter()
            .zip(names)
            .map(|(field, name)| Field::new(name, field.data_type().clone(), true))
            .collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let batches = batches
            .iter()
            .filter(|batch| batch.num_rows() > 0)
            .map(|batch| RecordBatch::try_new(schema.clone(), batch.columns().to_vec()))
            .collect::<Result<_, _>>()?;
        let row_id = relation.columns.iter().position(|c| c.name == ROW_ID);
        let own = (!relation.key.is_empty()).then(|| relation.key.clone());
        Ok(Self {
            key,
            names: names.to_vec(),
            schema,
            batches,
            keys: own.into_iter().chain(row_id.map(|i| vec![i])).collect(),
            append_only: relation.append_only,
        })
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn append_only(&self) -> bool {
        self.append_only
    }

    pub(crate) fn keys(&self) -> &[Vec<usize>] {
        &self.keys
    }

    /// The same table over the relation's present rows; the columns must be the same.
    pub(crate) fn refreshed(&self, relation: &Relation) -> Result<Self, QueryError> {
        let table = Self::new(self.key.clone(), relation, &self.names)
            .map_err(|_| QueryError::Stale(self.key.1.clone()))?;
        if table.schema != self.schema {
            return Err(QueryError::Stale(self.key.1.clone()));
        }
        Ok(table)
    }
}

#[async_trait]
impl TableProvider for RelationTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let wanted = state
            .config()
            .target_partitions()
            .clamp(1, self.batches.len().max(1));
        let total: usize = self.batches.iter().map(RecordBatch::num_rows).sum();
        let share = total.div_ceil(wanted).max(1);
        let mut partitions: Vec<Vec<RecordBatch>> = vec![Vec::new()];
        let mut rows = 0;
        for batch in &self.batches {
            if rows >= share && partitions.len() < wanted {
                partitions.push(Vec::new());
                rows = 0;
            }
            rows += batch.num_rows();
            if let Some(last) = partitions.last_mut() {
                last.push(batch.clone());
            }
        }
        let source = MemorySourceConfig::try_new_exec(
            &partitions,
            self.schema.clone(),
            projection.cloned(),
        )?;
        Ok(source)
    }
}

//! EXPLAIN: that a statement can be planned, and how its query runs here. Nothing is created and nothing is written.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use rwt_sql::statement::SinkFrom;
use rwt_sql::{DataType, Statement};
use rwt_wire::{Column, Outcome, SqlError};

use super::{Session, not_implemented};

impl Session {
    pub(super) async fn explain(
        &mut self,
        analyze: bool,
        _options: &[String],
        text: &str,
    ) -> Result<Outcome, SqlError> {
        if analyze {
            return Err(not_implemented("EXPLAIN ANALYZE in the embedded engine"));
        }
        let statement = rwt_sql::parse_statement(text).map_err(|e| super::parse_error(&e))?;
        let (verb, object) = statement.verb_and_object();
        let head = match object {
            Some(name) => format!("{verb} {name}"),
            None => verb.to_string(),
        };
        let query = match &statement {
            Statement::Query(sql) => Some(sql.clone()),
            Statement::CreateView(create) => Some(create.query.clone()),
            Statement::CreateMaterializedView(create) => {
                self.describe_stream(&create.query).await?;
                Some(create.query.clone())
            }
            Statement::CreateTable(create) => create.query.clone(),
            Statement::CreateSink(create) => Some(match &create.from {
                SinkFrom::Query(sql) => sql.clone(),
                SinkFrom::Relation(name) => format!("SELECT * FROM {name}"),
            }),
            Statement::CreateIndex(create) => Some(format!("SELECT * FROM {}", create.table)),
            Statement::CreateSource(_) => None,
            Statement::Dml { verb, table, text } => {
                self.prepare_dml(*verb, table, text, &[]).await?;
                None
            }
            _ => return Err(not_implemented(format!("EXPLAIN {verb}"))),
        };
        let mut lines = Vec::new();
        if !matches!(statement, Statement::Query(_)) {
            lines.push(head);
        }
        if let Some(sql) = query {
            let plan = self.describe_query(&sql).await?;
            let columns: Vec<String> = plan
                .iter()
                .map(|c| format!("{}: {}", c.name, c.data_type))
                .collect();
            lines.push(format!("Query {{ columns: [{}] }}", columns.join(", ")));
            let reading = self.reading();
            for name in self
                .inner
                .queries
                .relations_of(&sql)
                .map_err(|e| super::query_error(&e))?
            {
                let kind = reading
                    .find(name.schema(), name.name())
                    .map_or("system table", |o| o.kind().noun());
                lines.push(format!("└─Scan {{ {kind}: {name} }}"));
            }
        }
        let column: ArrayRef = Arc::new(StringArray::from(lines));
        let batch = RecordBatch::try_from_iter([("QUERY PLAN", column)])
            .map_err(crate::engine::internal)?;
        Ok(super::query::rows(
            vec![Column::new("QUERY PLAN", DataType::Varchar)],
            vec![batch],
            "EXPLAIN",
        ))
    }
}

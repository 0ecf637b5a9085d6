//! The temporal joins of a materialized view that is created: what they read, and whether RisingWave would look it up.

use std::sync::Arc;

use rwt_query::QueryError;
use rwt_wire::SqlError;

use super::{Session, not_implemented, query_error};
use crate::catalog::{Body, Catalog, Column, Kind, Object, ObjectId, Temporal};

/// A view's temporal joins, bound.
pub(super) struct Bound {
    /// The view's query over the rows that were joined.
    pub query: String,
    /// The columns of its result.
    pub shown: Vec<rwt_query::Column>,
    /// All sides.
    pub reads: Vec<ObjectId>,
    /// What is kept with the view.
    pub join: Temporal,
}

impl Session {
    /// The temporal joins that a view's query begins with, if it does.
    pub(super) async fn temporal_join(&self, query: &str) -> Result<Option<Bound>, SqlError> {
        let found = self.inner.queries.temporal_join(query);
        let Some(join) = found.map_err(|e| query_error(&e))? else {
            return Ok(None);
        };
        let (catalog, path) = (self.inner.catalog(), self.path());
        let Some(left) = catalog.find_readable(&join.left, &path) else {
            return Ok(None);
        };
        let (mut rights, mut names) = (Vec::new(), Vec::new());
        for side in &join.rights {
            let Some(right) = catalog.find_readable(&side.name, &path) else {
                return Ok(None);
            };
            let looked_up = matches!(right.kind(), Kind::Table | Kind::MaterializedView);
            if !left.is_stored() || left.lake().is_some() || !looked_up || left.id == right.id {
                return Err(not_implemented(
                    "a temporal join of anything but a table or source with another table or materialized view in the embedded \
                     engine",
                ));
            }
            check_key(&catalog, right, &side.equated)?;
            let visible = right.visible();
            let columns: Vec<Column> = visible
                .map(|c| Column::new(&c.name, c.data_type.clone()))
                .collect();
            names.push(columns.iter().map(|c| c.name.clone()).collect());
            rights.push((right.id, columns));
        }
        // A number stands where the first row id will, so that the text is a query.
        let probe = self.bind(&format!("{}0", join.probe(&names)), Vec::new());
        let kept = Temporal {
            left: left.id,
            rights,
            probe: probe.query.trim_end_matches('0').to_owned(),
        };
        let shown = self.describe_joined(&join.query, &kept).await;
        Ok(Some(Bound {
            query: join.query,
            shown: shown.map_err(|e| query_error(&e))?,
            reads: probe.reads,
            join: kept,
        }))
    }

    /// The columns of the view's query over rows that were joined.
    async fn describe_joined(
        &self,
        query: &str,
        kept: &Temporal,
    ) -> Result<Vec<rwt_query::Column>, QueryError> {
        let reading = self.reading().with_joined(kept, &Arc::default());
        let queries = &self.inner.queries;
        let plan = queries
            .check_stream(query, &reading, &reading.settings)
            .await?;
        Ok(plan.columns().to_vec())
    }
}

/// RisingWave looks rows up by the key of the right side or by one of its indexes.
fn check_key(catalog: &Catalog, right: &Object, equated: &[String]) -> Result<(), SqlError> {
    let given = |columns: &[&str]| {
        !columns.is_empty() && columns.iter().all(|c| equated.iter().any(|e| e == c))
    };
    let of_right = equated.iter().any(|name| right.column(name).is_some());
    let mut indexes = catalog.of_kind(Kind::Index).filter_map(|o| match &o.body {
        Body::Index(index) if index.table == right.id => {
            let columns = index.columns.iter().map(|(_, text, _)| text.as_str());
            Some(columns.collect::<Vec<_>>())
        }
        _ => None,
    });
    // Without any equality it compares every row.
    if !of_right || given(&right.key_names()) || indexes.any(|columns| given(&columns)) {
        return Ok(());
    }
    Err(SqlError::internal(
        "Not supported: Temporal join requires the lookup table's primary key contained exactly in the equivalence condition\n\
         HINT: Please add the primary key of the lookup table to the join condition and remove any other conditions",
    ))
}

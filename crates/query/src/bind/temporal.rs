//! `FOR SYSTEM_TIME AS OF` where it cannot be: in a batch, and in the places of a view that [`crate::temporal`] does not know.

use datafusion::common::JoinType;
use sqlparser::ast::{TableFactor, TableVersion};

use super::Binder;
use crate::error::QueryError;
use crate::temporal::is_proctime;

impl Binder<'_> {
    /// Why a table cannot be read as of a time.
    pub(super) fn refused_version(&self, version: &TableVersion) -> QueryError {
        if !is_proctime(version) {
            return QueryError::NotImplemented(format!("{version} in the embedded engine"));
        }
        if !self.streaming {
            return QueryError::Bind(
                "Not supported: do not support temporal join for batch queries\nHINT: please use temporal join in \
                 streaming queries"
                    .into(),
            );
        }
        QueryError::NotImplemented(
            "a temporal join (FOR SYSTEM_TIME AS OF PROCTIME()) behind other joins of a materialized view, in a sub-query \
             or in a sink, in the embedded engine. Make it the first join of a materialized view, of a table or source with a \
             table or materialized view, and read that"
                .into(),
        )
    }

    /// Refuses a temporal join whose right side keeps its rows, as RisingWave does.
    pub(super) fn refuse_temporal(
        &self,
        factor: &TableFactor,
        kind: JoinType,
    ) -> Result<(), QueryError> {
        let temporal = matches!(factor, TableFactor::Table { version: Some(version), .. } if is_proctime(version));
        if temporal && self.streaming && matches!(kind, JoinType::Right | JoinType::Full) {
            return Err(QueryError::Bind(
                "Not supported: exist dangling temporal scan\nHINT: please check your temporal join syntax e.g. consider \
                 removing the right outer join if it is being used."
                    .into(),
            ));
        }
        Ok(())
    }
}

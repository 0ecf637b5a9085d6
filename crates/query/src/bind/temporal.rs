//! `FOR SYSTEM_TIME AS OF`: temporal joins, which the embedded engine refuses as RisingWave does where it does, and elsewhere
//! because a view that is computed from its inputs cannot know what they were.

use datafusion::common::JoinType;
use sqlparser::ast::{Expr as Ast, TableFactor, TableVersion};

use super::Binder;
use crate::error::QueryError;
use crate::names::parts;

/// Whether the time is that of the processing of a row.
fn is_proctime(version: &TableVersion) -> bool {
    matches!(version, TableVersion::ForSystemTimeAsOf(Ast::Function(call))
        if parts(&call.name).last().is_some_and(|name| name == "proctime"))
}

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
            "a temporal join (FOR SYSTEM_TIME AS OF PROCTIME()) in the embedded engine: it computes a view anew from the \
             present rows of its inputs, so that a later change on the right side would change rows that were joined before. \
             Use a plain JOIN here, or run the view on RisingWave"
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

//! Batches that share no memory with others, for the build sides of hash joins. Aggregates and scans hand out slices of large
//! batches, and a join that keeps them counts the whole of each batch for each of its slices: with millions of rows, hundreds
//! of times what there is.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, Statistics,
};
use futures::StreamExt;

use crate::memory::trimmed;

/// The plan, with batches of their own on the build side of each hash join.
pub(crate) fn for_joins(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
    let done = plan.transform_up(|node| {
        if !node.as_any().is::<HashJoinExec>() {
            return Ok(Transformed::no(node));
        }
        let mut sides: Vec<_> = node.children().into_iter().cloned().collect();
        if let Some(build) = sides.first_mut() {
            *build = Arc::new(OwnBatches {
                input: build.clone(),
            });
        }
        Ok(Transformed::yes(node.with_new_children(sides)?))
    })?;
    Ok(done.data)
}

/// The input's batches, copied where they are slices.
#[derive(Debug)]
struct OwnBatches {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for OwnBatches {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnBatches")
    }
}

impl ExecutionPlan for OwnBatches {
    fn name(&self) -> &str {
        "OwnBatches"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input })),
            _ => Err(DataFusionError::Internal(
                "OwnBatches has one input".to_owned(),
            )),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        let own = rows.map(|batch| Ok(trimmed(&batch?)?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), own)))
    }

    fn partition_statistics(&self, partition: Option<usize>) -> DfResult<Statistics> {
        self.input.partition_statistics(partition)
    }
}

//! The entry: plans statements over a catalog.

use std::path::PathBuf;

use datafusion::prelude::{SessionConfig, SessionContext};
use rwt_sql::{DataType, Ident, ObjectName};
use sqlparser::ast::Statement;

use crate::bind::Binder;
use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::plan::Plan;
use crate::probe::Probe;
use crate::relation::{Relations, Settings, SqlFunction};
use crate::{memory, names, parse};

/// How queries use the machine.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Memory that all running queries share, in bytes. One that needs more spills to disk where its operators can, and
    /// fails otherwise; the others go on.
    pub memory: usize,
    /// Where operators spill to, instead of the system's folder for temporary files. Made when needed.
    pub spill_dir: Option<PathBuf>,
    /// Threads of one query.
    pub partitions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            memory: 2 << 30,
            spill_dir: None,
            partitions: cores.clamp(1, 2),
        }
    }
}

/// Plans and runs queries. Cheap to clone; one per engine.
#[derive(Clone)]
pub struct Queries {
    pub(crate) context: SessionContext,
}

impl std::fmt::Debug for Queries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queries").finish_non_exhaustive()
    }
}

impl Queries {
    /// With the default [`Limits`].
    ///
    /// # Errors
    /// If DataFusion's runtime cannot be made.
    pub fn new() -> Result<Self, QueryError> {
        Self::with_limits(Limits::default())
    }

    /// With these limits.
    ///
    /// # Errors
    /// If DataFusion's runtime cannot be made.
    pub fn with_limits(limits: Limits) -> Result<Self, QueryError> {
        let partitions = limits.partitions.max(1);
        // What a sort needs for merging what it spilled; DataFusion's default is more than a small limit has.
        let for_merges = (limits.memory / (4 * partitions)).min(10 << 20);
        let config = SessionConfig::new()
            .with_sort_spill_reservation_bytes(for_merges)
            .with_target_partitions(partitions)
            .with_information_schema(false)
            // DataFusion 53 takes the merge of partitions away that the build side of a hash join needs, when it spreads a
            // sort over partitions and the other side is merged too (`parallelize_sorts`); the plan is refused then.
            .with_repartition_sorts(false);
        Ok(Self {
            context: SessionContext::new_with_config_rt(config, memory::runtime(&limits)?),
        })
    }

    /// Memory that running queries have now, in bytes.
    pub fn memory(&self) -> usize {
        self.context.runtime_env().memory_pool.reserved()
    }

    /// The relations that a statement reads, each once, without its common table expressions. Views are not
    /// expanded.
    ///
    /// # Errors
    /// [`QueryError::Syntax`]
    pub fn relations_of(&self, sql: &str) -> Result<Vec<ObjectName>, QueryError> {
        let mentions = names::mentions(&parse::statement(sql)?);
        Ok(mentions
            .read
            .into_iter()
            .map(|(schema, name)| {
                ObjectName(schema.into_iter().chain([name]).map(Ident::new).collect())
            })
            .collect())
    }

    /// Plans a query (SELECT, VALUES, WITH). `params` are the declared types of `$1`, …; `None` and missing ones are
    /// inferred.
    ///
    /// # Errors
    /// Every [`QueryError`] but those of evaluation.
    pub async fn plan(
        &self,
        sql: &str,
        relations: &dyn Relations,
        settings: &Settings,
        params: &[Option<DataType>],
    ) -> Result<Plan, QueryError> {
        self.plan_as(false, sql, relations, settings, params).await
    }

    /// Plans the query of a materialized view or sink. As in RisingWave's streams, an expression that fails on a row is
    /// NULL there instead of an error, and `now()` is allowed in conditions only.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub async fn plan_stream(
        &self,
        sql: &str,
        relations: &dyn Relations,
        settings: &Settings,
    ) -> Result<Plan, QueryError> {
        self.plan_as(true, sql, relations, settings, &[]).await
    }

    /// Plans the query of a materialized view or sink that is about to be created, and refuses it as RisingWave's
    /// planner of streams would.
    ///
    /// # Errors
    /// As [`Self::plan`], and a join without an equality.
    pub async fn check_stream(
        &self,
        sql: &str,
        relations: &dyn Relations,
        settings: &Settings,
    ) -> Result<Plan, QueryError> {
        let plan = self.plan_stream(sql, relations, settings).await?;
        plan.refuse_nested_loops()?;
        Ok(plan)
    }

    /// Plans a query, of a stream or not, whose conditions `rwt_probe(number, …)` are noted in `probe` where they hold.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub async fn plan_probed(
        &self,
        streaming: bool,
        sql: &str,
        relations: &dyn Relations,
        settings: &Settings,
        probe: &Probe,
    ) -> Result<Plan, QueryError> {
        let statement = parse::statement(sql)?;
        let Statement::Query(query) = &statement else {
            return Err(QueryError::invalid_input("expected a query"));
        };
        let catalog = Catalog::load(&statement, relations).await?;
        let mut binder = Binder::new(&catalog, settings, &[])?;
        binder.streaming = streaming;
        binder.probe = Some(probe.clone());
        let bound = binder.root(query)?;
        Plan::new(&binder, bound, &self.context)
    }

    /// The type of the result of a SQL function's body.
    ///
    /// # Errors
    /// The body is no query of one column, or reads what is not there.
    pub async fn function_type(
        &self,
        function: &SqlFunction,
        relations: &dyn Relations,
        settings: &Settings,
    ) -> Result<rwt_sql::DataType, QueryError> {
        let body = Statement::Query(Box::new(parse::function_body(&function.body)?));
        let catalog = Catalog::load(&body, relations).await?;
        Binder::new(&catalog, settings, &[])?.function_type(function)
    }

    async fn plan_as(
        &self,
        streaming: bool,
        sql: &str,
        relations: &dyn Relations,
        settings: &Settings,
        params: &[Option<DataType>],
    ) -> Result<Plan, QueryError> {
        let statement = parse::statement(sql)?;
        let Statement::Query(query) = &statement else {
            return Err(QueryError::invalid_input("expected a query"));
        };
        let catalog = Catalog::load(&statement, relations).await?;
        let mut binder = Binder::new(&catalog, settings, params)?;
        binder.streaming = streaming;
        let bound = binder.root(query)?;
        Plan::new(&binder, bound, &self.context)
    }
}

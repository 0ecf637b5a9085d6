//! The engine inside of this process: queries over rows in memory. It opens no port and no file, and its clock stands
//! still.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeZone, Utc};
use rwt_query::{
    Column, Limits, Plan, Probe, Queries, QueryError, Relation, Relations, Settings, SqlFunction,
    display,
};

/// Runs queries of one test run. Cheap to clone.
#[derive(Clone)]
pub struct UnitEngine {
    queries: Queries,
    functions: Arc<HashMap<String, Vec<SqlFunction>>>,
}

/// The rows of a result as RisingWave prints them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Printed {
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows, each as long as `columns`; none for NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

impl UnitEngine {
    /// An engine that knows these functions of the project, by name.
    ///
    /// # Errors
    /// DataFusion's runtime cannot be made.
    pub fn new(functions: HashMap<String, Vec<SqlFunction>>) -> Result<Self, QueryError> {
        // One thread a query: tests are small, and several of them run at once.
        let limits = Limits {
            partitions: 1,
            ..Limits::default()
        };
        Ok(Self {
            queries: Queries::with_limits(limits)?,
            functions: Arc::new(functions),
        })
    }

    /// What `now()` is where a test does not say.
    pub fn epoch() -> DateTime<Utc> {
        Utc.timestamp_opt(946_684_800, 0)
            .single()
            .unwrap_or_default()
    }

    /// Settings of a test. The search path is the target's schema.
    pub fn settings(schema: &str, now: DateTime<Utc>) -> Settings {
        Settings {
            search_path: vec![schema.to_owned()],
            now,
            ..Settings::default()
        }
    }

    /// Plans a query of a session, or with `is_stream` one that a materialized view or a sink computes.
    ///
    /// # Errors
    /// RisingWave's.
    pub async fn plan(
        &self,
        sql: &str,
        is_stream: bool,
        relations: &Known,
        settings: &Settings,
    ) -> Result<Plan, QueryError> {
        let relations = Sight {
            known: relations,
            functions: &self.functions,
        };
        if is_stream {
            self.queries.plan_stream(sql, &relations, settings).await
        } else {
            self.queries.plan(sql, &relations, settings, &[]).await
        }
    }

    /// Plans the query of a test, with a note of each condition `rwt_probe(number, …)` that holds for a row.
    ///
    /// # Errors
    /// RisingWave's.
    pub async fn plan_probed(
        &self,
        sql: &str,
        is_stream: bool,
        (relations, settings): (&Known, &Settings),
        probe: &Probe,
    ) -> Result<Plan, QueryError> {
        let relations = Sight {
            known: relations,
            functions: &self.functions,
        };
        self.queries
            .plan_probed(is_stream, sql, &relations, settings, probe)
            .await
    }

    /// Runs a query of a session and keeps its rows as a relation.
    ///
    /// # Errors
    /// RisingWave's.
    pub async fn relation(
        &self,
        sql: &str,
        relations: &Known,
        settings: &Settings,
    ) -> Result<Relation, QueryError> {
        let plan = self.plan(sql, false, relations, settings).await?;
        let rows = plan.execute(&[]).await?;
        Ok(Relation::rows(plan.columns().to_vec(), Arc::new(rows)))
    }

    /// Runs a plan and prints its rows.
    ///
    /// # Errors
    /// RisingWave's.
    pub async fn print(&self, plan: &Plan, settings: &Settings) -> Result<Printed, QueryError> {
        let columns = plan.columns().to_vec();
        let mut rows = Vec::new();
        for batch in plan.execute(&[]).await? {
            for row in 0..batch.num_rows() {
                let cells = columns.iter().zip(batch.columns());
                let cells: Result<Vec<_>, _> = cells
                    .map(|(column, array)| {
                        display(array, row, &column.data_type, &settings.timezone)
                    })
                    .collect();
                rows.push(cells?);
            }
        }
        Ok(Printed { columns, rows })
    }
}

/// Relations by schema and name, and the names that were asked for in vain.
#[derive(Default)]
pub struct Known {
    relations: HashMap<(Option<String>, String), Relation>,
    missing: Mutex<BTreeSet<(Option<String>, String)>>,
}

impl Known {
    /// Adds a relation; without a schema it is found by its bare name only.
    pub fn insert(&mut self, schema: Option<&str>, name: &str, relation: Relation) {
        self.relations
            .insert((schema.map(str::to_owned), name.to_owned()), relation);
    }

    /// Schema and name of what a query asked for and is not there.
    pub fn missing(&self) -> Vec<(Option<String>, String)> {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.iter().cloned().collect()
    }

    fn find(&self, schema: Option<&str>, name: &str) -> Option<&Relation> {
        let key = |schema: Option<&str>| (schema.map(str::to_owned), name.to_owned());
        let found = self.relations.get(&key(schema));
        // A name without a schema, as somebody may have written it by hand.
        found.or_else(|| {
            let mut alike = self.relations.iter();
            let of_name = |(known, _): &(&(Option<String>, String), &Relation)| known.1 == name;
            schema
                .is_none()
                .then(|| alike.find(of_name))?
                .map(|(_, relation)| relation)
        })
    }
}

/// What a query sees.
struct Sight<'a> {
    known: &'a Known,
    functions: &'a HashMap<String, Vec<SqlFunction>>,
}

#[async_trait]
impl Relations for Sight<'_> {
    async fn relation(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Relation>, QueryError> {
        let found = self.known.find(schema, name).cloned();
        if found.is_none() {
            let mut missing = self
                .known
                .missing
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            missing.insert((schema.map(str::to_owned), name.to_owned()));
        }
        Ok(found)
    }

    async fn functions(
        &self,
        _schema: Option<&str>,
        name: &str,
    ) -> Result<Vec<SqlFunction>, QueryError> {
        Ok(self.functions.get(name).cloned().unwrap_or_default())
    }
}

//! Builds that take their time. A materialized view is computed when it is read, so that making one is done at once;
//! `SET backfill_rate_limit` holds its creation back to so many rows a second, as in RisingWave. Meanwhile it is a job:
//! it shows in `rw_ddl_progress`, a cancel request or `CANCEL JOBS` ends it, and with `background_ddl` it goes on without
//! its client. Unlike RisingWave's, a job in the background does not outlive the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rwt_sql::ObjectName;
use rwt_wire::{CancellationToken, SqlError};

use super::Session;
use crate::catalog::{Definition, ObjectId};
use crate::engine::locked;

/// Ids of jobs, far from those of objects, which a job does not have yet.
const FIRST: u64 = 1_000_000_000;
/// Time between two looks of `WAIT`.
const TICK: Duration = Duration::from_millis(50);

/// The jobs that go on.
#[derive(Debug, Default)]
pub(crate) struct Builds {
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    begun: u64,
    builds: BTreeMap<u64, Build>,
}

/// A creation that goes on.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    /// What is made, as written.
    name: ObjectName,
    /// Its definition.
    pub statement: String,
    /// It goes on without its client.
    pub background: bool,
    /// When it began.
    pub began_at: chrono::DateTime<chrono::Utc>,
    clock: Instant,
    rows: u64,
    rate: u64,
    cancel: CancellationToken,
}

impl Build {
    /// RisingWave's word for where it runs.
    pub fn create_type(&self) -> &'static str {
        if self.background {
            "BACKGROUND"
        } else {
            "FOREGROUND"
        }
    }

    /// `Snapshot [2.00% (400/20000)]`
    #[allow(clippy::cast_precision_loss, reason = "a percentage for people")]
    pub fn progress(&self) -> String {
        let passed = u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        let read = (passed.saturating_mul(self.rate) / 1000).min(self.rows);
        let percent = 100.0 * read as f64 / self.rows as f64;
        format!("Snapshot [{percent:.2}% ({read}/{})]", self.rows)
    }

    fn takes(&self) -> Duration {
        Duration::from_millis(self.rows.saturating_mul(1000) / self.rate)
    }
}

impl Builds {
    /// The jobs by id.
    pub fn list(&self) -> Vec<(u64, Build)> {
        let running = locked(&self.running);
        let builds = running.builds.iter();
        builds.map(|(id, build)| (*id, build.clone())).collect()
    }

    /// Ends a job. False if there is none with this id.
    pub fn cancel(&self, id: u64) -> bool {
        let build = locked(&self.running).builds.remove(&id);
        build.map(|build| build.cancel.cancel()).is_some()
    }

    /// Returns when no job is left.
    pub async fn wait(&self) {
        while !locked(&self.running).builds.is_empty() {
            tokio::time::sleep(TICK).await;
        }
    }

    fn begin(self: &Arc<Self>, build: Build) -> Result<Building, SqlError> {
        let mut running = locked(&self.running);
        if running
            .builds
            .values()
            .any(|other| other.name == build.name)
        {
            return Err(SqlError::exists("materialized view", build.name.name()));
        }
        let id = FIRST + running.begun;
        running.begun += 1;
        running.builds.insert(id, build.clone());
        Ok(Building {
            builds: self.clone(),
            id,
            build,
        })
    }
}

/// A job, until this is dropped.
pub(super) struct Building {
    builds: Arc<Builds>,
    id: u64,
    build: Build,
}

impl Building {
    /// Whether its client does not wait for it.
    pub fn is_background(&self) -> bool {
        self.build.background
    }

    /// Returns when its rows are read.
    pub async fn finish(&self) -> Result<(), SqlError> {
        tokio::select! {
            () = tokio::time::sleep(self.build.takes()) => Ok(()),
            () = self.build.cancel.cancelled() => Err(SqlError::internal("Scheduler error")
                .because("gRPC request to meta service (call `/ddl_service.DdlService/CreateMaterializedView`) failed: The operation was cancelled")
                .because("Cancelled: create")),
        }
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        locked(&self.builds.running).builds.remove(&self.id);
    }
}

impl Session {
    /// A job for the creation of a materialized view, where `backfill_rate_limit` makes it take time.
    pub(super) fn slow_build(
        &self,
        name: &ObjectName,
        definition: &Definition,
        reads: &[ObjectId],
    ) -> Result<Option<Building>, SqlError> {
        let rate = self.settings.get("backfill_rate_limit")?;
        let Some(rate) = rate.parse::<u64>().ok().filter(|rate| *rate > 0) else {
            return Ok(None);
        };
        let state = self.inner.state();
        let catalog = self.inner.catalog();
        if let Some(other) = catalog.find_readable(name, &self.path()) {
            return Err(SqlError::exists(other.kind().noun(), name.name()));
        }
        // What stands behind views as well.
        let (mut open, mut seen) = (reads.to_vec(), BTreeSet::new());
        let mut rows: u64 = 0;
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match state.tables.get(&id) {
                Some(table) => rows += table.rows() as u64,
                None => open.extend(catalog.get(id).into_iter().flat_map(|o| &o.depends_on)),
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        let build = Build {
            name: name.clone(),
            statement: definition.to_string(),
            background: self.settings.is_on("background_ddl"),
            began_at: chrono::Utc::now(),
            clock: Instant::now(),
            rows,
            rate,
            cancel: CancellationToken::new(),
        };
        self.inner.builds.begin(build).map(Some)
    }
}

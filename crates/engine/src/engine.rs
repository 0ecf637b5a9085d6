//! The engine as its owner sees it: open, serve, status, shutdown; and what its parts share.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use rwt_lake::{Lake, LakeError};
use rwt_query::Queries;
use rwt_wire::{Canceller, SqlError};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::catalog::{Catalog, Object, ObjectId};
use crate::memory::Memory;
use crate::results::Results;
use crate::status::Status;
use crate::storage::{Change, OpenCommit, State, StorageError, Store};
use crate::stream::barrier::{Dml, Staged, Writer};
use crate::stream::outbox::{self, Outbox};
use crate::stream::{Datagen, Decoder, KafkaOptions, Reader, Taken, lake, sink};

/// Where an engine lives and how fast it beats.
#[derive(Debug, Clone)]
pub struct Config {
    /// The engine's own files: catalog, rows, positions. Made when missing.
    pub data_dir: PathBuf,
    /// The Iceberg lake. Made when missing.
    pub lake_dir: PathBuf,
    /// Between two checkpoints; `ALTER SYSTEM SET barrier_interval_ms` changes it while the engine runs and is kept.
    pub barrier_interval: Duration,
    /// What the engine may hold in memory, in bytes: rows, indexes and kept results in three quarters of it, queries that
    /// run in the last one.
    pub memory_limit: u64,
}

impl Config {
    /// An engine in `dir/engine` with its lake in `dir/lake` and a checkpoint every 250 ms.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self {
            data_dir: dir.join("engine"),
            lake_dir: dir.join("lake"),
            barrier_interval: Duration::from_millis(250),
            memory_limit: crate::memory::default_memory_limit(),
        }
    }
}

/// Why an engine does not open or serve.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Its data directory cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Its lake cannot be used.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A socket failed.
    #[error("the SQL port: {0}")]
    Listen(#[from] std::io::Error),
    /// The last checkpoint could not be written.
    #[error("the last checkpoint was not written: {0}")]
    Checkpoint(String),
}

/// Changes of rows that wait for the next checkpoint.
#[derive(Debug, Default)]
struct Pending {
    changes: Vec<Dml>,
    /// Memory of their rows.
    bytes: usize,
    /// When the first of them came.
    since: Option<Instant>,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    inner: Arc<Inner>,
    barrier: Mutex<Option<JoinHandle<()>>>,
}

/// What the engine's parts share.
pub(crate) struct Inner {
    pub lake: Lake,
    pub queries: Queries,
    published: RwLock<Arc<State>>,
    pub writer: tokio::sync::Mutex<Writer>,
    pending: Mutex<Pending>,
    committed: Mutex<Vec<(ObjectId, OpenCommit, u64)>>,
    readers: Mutex<HashMap<ObjectId, Reader>>,
    lake_clock: Mutex<HashMap<ObjectId, u64>>,
    troubles: Mutex<HashMap<ObjectId, String>>,
    pub outbox: Outbox,
    pub results: Results,
    pub memory: Memory,
    pub sessions: Mutex<HashMap<i32, SessionEntry>>,
    /// Creations that go on.
    pub builds: Arc<crate::session::Builds>,
    default_interval: Duration,
    /// Barriers since the start, idle ones too: the clock of lake commits.
    pub ticks: AtomicU64,
    stopping: AtomicBool,
    wake: Notify,
    /// Told of each checkpoint that changed something.
    pub changed: Notify,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("checkpoint", &self.state().checkpoint)
            .finish_non_exhaustive()
    }
}

/// A session, for SHOW PROCESSLIST and KILL.
#[derive(Debug, Clone)]
pub(crate) struct SessionEntry {
    pub user: String,
    pub database: String,
    pub host: String,
    pub canceller: Canceller,
    /// The running statement and when it began.
    pub running: Option<(String, Instant)>,
    /// Its cursors by name.
    pub cursors: BTreeMap<String, CursorEntry>,
}

/// A session's cursor, for SHOW CURSORS.
#[derive(Debug, Clone)]
pub(crate) struct CursorEntry {
    /// What tells a cursor over a subscription: the subscription, and how far the cursor is.
    pub subscription: Option<(String, String)>,
    /// When it was read last.
    pub used: Instant,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Opens or begins an engine: recovers its state, resumes sources and lake commits and starts the barrier.
    ///
    /// # Errors
    /// A data directory or lake that another process has, that is damaged, or that a newer rwt wrote. Nothing is
    /// changed then.
    pub async fn open(config: Config) -> Result<Self, EngineError> {
        let dir = config.data_dir.clone();
        let (store, state) = tokio::task::spawn_blocking(move || Store::open(&dir))
            .await
            .map_err(|e| EngineError::Checkpoint(e.to_string()))??;
        let lake = Lake::open(&config.lake_dir).await?;
        let memory = Memory::new(config.memory_limit);
        let spill_dir = config.data_dir.join("spill");
        // what a process that was killed left there
        let _ = std::fs::remove_dir_all(&spill_dir);
        let limits = rwt_query::Limits {
            memory: memory.for_queries(),
            spill_dir: Some(spill_dir),
            ..rwt_query::Limits::default()
        };
        let inner = Arc::new(Inner {
            lake,
            queries: Queries::with_limits(limits)
                .map_err(|e| EngineError::Checkpoint(e.to_string()))?,
            published: RwLock::new(Arc::new(state)),
            writer: tokio::sync::Mutex::new(Writer {
                store,
                keys: HashMap::new(),
                outputs: HashMap::new(),
                newest: HashMap::new(),
                broken: None,
            }),
            pending: Mutex::default(),
            committed: Mutex::default(),
            readers: Mutex::default(),
            lake_clock: Mutex::default(),
            troubles: Mutex::default(),
            outbox: Outbox::default(),
            results: Results::default(),
            memory,
            sessions: Mutex::default(),
            builds: Arc::default(),
            default_interval: config.barrier_interval,
            ticks: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            wake: Notify::new(),
            changed: Notify::new(),
            stop: watch::channel(false).0,
        });
        inner.recover().await?;
        let barrier = tokio::spawn(Inner::beat(inner.clone()));
        Ok(Self {
            inner,
            barrier: Mutex::new(Some(barrier)),
        })
    }

    /// Serves PostgreSQL clients until [`Self::shutdown`].
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(&self, listener: TcpListener) -> Result<(), EngineError> {
        let backend = Arc::new(crate::session::Sessions::new(self.inner.clone()));
        let mut stop = self.inner.stop.subscribe();
        let shutdown = rwt_wire::CancellationToken::new();
        let stopped = shutdown.clone();
        tokio::spawn(async move {
            let _ = stop.wait_for(|stop| *stop).await;
            stopped.cancel();
        });
        rwt_wire::serve(listener, backend, shutdown).await;
        Ok(())
    }

    /// Ends sessions and sources and writes a last checkpoint.
    ///
    /// # Errors
    /// When that checkpoint cannot be written; what was flushed before is safe.
    pub async fn shutdown(&self) -> Result<(), EngineError> {
        self.inner.stopping.store(true, Ordering::Release);
        let _ = self.inner.stop.send(true);
        self.inner.wake.notify_one();
        let barrier = locked(&self.barrier).take();
        if let Some(barrier) = barrier {
            let _ = barrier.await;
        }
        let result = self.inner.checkpoint().await;
        outbox::finish(&self.inner).await;
        let readers = std::mem::take(&mut *locked(&self.inner.readers));
        let _ = tokio::task::spawn_blocking(move || drop(readers)).await;
        result.map_err(|e| EngineError::Checkpoint(e.root_cause().to_owned()))
    }

    /// What the engine holds and how its sources, sinks and lake tables fare.
    pub fn status(&self) -> Status {
        crate::status::status(&self.inner)
    }
}

impl Inner {
    /// The state that is visible now.
    pub fn state(&self) -> Arc<State> {
        self.published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The objects that exist now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.state().catalog.clone()
    }

    pub fn publish(&self, state: Arc<State>) {
        *self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner) = state;
        self.changed.notify_waiters();
    }

    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Returns when the engine stops.
    pub async fn stopped(&self) {
        // an error says that nobody can stop it any more
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Hands a change of rows to the next checkpoint.
    ///
    /// # Errors
    /// If there is no memory for its rows.
    pub fn submit(&self, dml: Dml) -> Result<(), SqlError> {
        let bytes = dml.bytes();
        if bytes > 0 {
            self.make_room(bytes)?;
        }
        let mut pending = locked(&self.pending);
        pending.since.get_or_insert_with(Instant::now);
        pending.changes.push(dml);
        pending.bytes += bytes;
        Ok(())
    }

    pub fn take_pending(&self) -> Vec<Dml> {
        std::mem::take(&mut *locked(&self.pending)).changes
    }

    /// Memory of the rows that wait for the next checkpoint.
    pub fn pending_bytes(&self) -> usize {
        locked(&self.pending).bytes
    }

    /// What sources read since the last checkpoint.
    pub fn take_read(&self) -> Vec<(ObjectId, Taken)> {
        locked(&self.readers)
            .iter()
            .filter_map(|(id, reader)| Some((*id, reader.take()?)))
            .collect()
    }

    /// A commit arrived in the lake.
    pub fn committed(&self, table: ObjectId, open: OpenCommit, rows: u64) {
        locked(&self.committed).push((table, open, rows));
    }

    pub fn take_committed(&self) -> Vec<(ObjectId, OpenCommit, u64)> {
        std::mem::take(&mut *locked(&self.committed))
    }

    /// True once every `interval` barriers, per table.
    pub fn commit_due(&self, table: ObjectId, tick: u64, interval: u64) -> bool {
        let mut clock = locked(&self.lake_clock);
        let last = clock.entry(table).or_insert(tick.saturating_sub(1));
        let due = tick.saturating_sub(*last) >= interval.max(1);
        if due {
            *last = tick;
        }
        due
    }

    /// Why a table's rows do not reach the lake, or a sink's messages the broker; none when they do.
    pub fn trouble(&self, object: ObjectId, trouble: Option<String>) {
        let mut troubles = locked(&self.troubles);
        match trouble {
            Some(text) => troubles.insert(object, text),
            None => troubles.remove(&object),
        };
    }

    pub fn troubles(&self) -> HashMap<ObjectId, String> {
        locked(&self.troubles).clone()
    }

    /// How a source's reading fares: what is wrong, and the ends of its partitions.
    pub fn source_status(
        &self,
        id: ObjectId,
    ) -> (Option<String>, std::collections::BTreeMap<i32, i64>) {
        locked(&self.readers)
            .get(&id)
            .map(Reader::status)
            .unwrap_or_default()
    }

    /// Memory of rows that wait for the next checkpoint: those of statements and those that sources have read.
    pub fn waiting_bytes(&self) -> usize {
        let sources = locked(&self.readers);
        self.pending_bytes() + sources.values().map(Reader::waiting).sum::<usize>()
    }

    /// The time between two checkpoints.
    pub fn interval(&self) -> Duration {
        self.catalog()
            .parameters
            .get("barrier_interval_ms")
            .and_then(|v| v.parse().ok())
            .map_or(self.default_interval, Duration::from_millis)
    }

    /// `barrier_interval_ms` when nothing was set.
    pub fn default_interval(&self) -> Duration {
        self.default_interval
    }

    /// Wakes the barrier, after the interval changed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// How much of a whole interval the oldest waiting change has not waited yet.
    ///
    /// A statement does not see what another one changed just before, until a checkpoint. Were the beat's phase left to
    /// chance, two statements in a row would now and then fall to either side of one.
    fn settling(&self) -> Duration {
        let since = locked(&self.pending).since;
        since.map_or(Duration::ZERO, |since| {
            self.interval().saturating_sub(since.elapsed())
        })
    }

    /// Waits, and returns true when [`Self::wake`] ended it early.
    async fn woken_within(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => false,
            () = self.wake.notified() => true,
        }
    }

    async fn beat(self: Arc<Self>) {
        while !self.stopping() {
            if self.woken_within(self.interval()).await || self.woken_within(self.settling()).await
            {
                continue;
            }
            if self.checkpoint().await.is_err() {
                // told to everybody who flushes; a second try cannot help
                return;
            }
        }
    }

    async fn recover(self: &Arc<Self>) -> Result<(), EngineError> {
        let mut writer = self.writer.lock().await;
        let state = self.state();
        if state.catalog.engine_id.is_empty() {
            let mut catalog = Catalog::clone(&state.catalog);
            catalog.engine_id = uuid::Uuid::new_v4().simple().to_string();
            let mut staged = Staged::new(self, &mut writer);
            staged.apply(Change::Catalog(Arc::new(catalog)))?;
            staged.commit()?;
        }
        let state = self.state();
        for (namespace, name) in &state.catalog.lake_drops {
            if self.lake.table_exists(namespace, name).await? {
                self.lake.drop_table(namespace, name).await?;
            }
        }
        let mut staged = Staged::new(self, &mut writer);
        sink::recover(&mut staged).await;
        drop(staged);
        self.set_gate();
        for object in state.catalog.objects.values() {
            if object.is_stored() && object.source().is_some() {
                self.start_source(object);
            }
            if let Some(commit) = lake::commit_of(&state, object)? {
                lake::spawn_commit(self, commit);
            }
        }
        Ok(())
    }

    /// Begins to read a source's topic.
    pub fn start_source(self: &Arc<Self>, object: &Object) {
        let Some(source) = object
            .source()
            .filter(|s| matches!(s.connector.as_str(), "kafka" | "datagen"))
        else {
            return;
        };
        let state = self.state();
        let source = &state.catalog.opened_source(source);
        let schema = crate::storage::stored_schema(object);
        let decoder = Decoder::new(&object.columns, source, schema);
        let progress = state
            .sources
            .get(&object.id)
            .map(|p| p.as_ref().clone())
            .unwrap_or_default();
        let (name, gate) = (&object.name, self.memory.gate());
        let started = match (source.connector.as_str(), decoder) {
            ("datagen", Ok(decoder)) => Datagen::new(source, &object.columns)
                .map(|datagen| datagen.start(name, decoder, progress, gate)),
            (_, Ok(decoder)) => KafkaOptions::new(source)
                .map(|options| Reader::start(name, options, decoder, progress, gate)),
            (_, Err(reason)) => Err(vec![reason]),
        };
        let Ok(started) = started else {
            tracing::error!(
                source = name,
                "a source with options that are not understood any more"
            );
            return;
        };
        match started {
            Ok(reader) => {
                locked(&self.readers).insert(object.id, reader);
            }
            Err(error) => {
                tracing::error!(source = object.name, %error, "the source's thread does not start")
            }
        }
    }

    /// Stops reading the sources among these objects.
    pub async fn stop_sources(&self, ids: &[ObjectId]) {
        outbox::close(self, ids);
        let stopped: Vec<Reader> = {
            let mut readers = locked(&self.readers);
            ids.iter().filter_map(|id| readers.remove(id)).collect()
        };
        // joining a thread may take as long as its call to the broker
        drop(tokio::task::spawn_blocking(move || drop(stopped)));
    }

    /// Writes a snapshot beside the running engine.
    pub fn begin_snapshot(self: &Arc<Self>, writer: &mut Writer, state: Arc<State>) {
        let job = match writer.store.rotate() {
            Ok(job) => job,
            Err(error) => {
                tracing::warn!(%error, "the log is not rotated");
                return;
            }
        };
        let inner = self.clone();
        tokio::spawn(async move {
            let write = job.clone();
            let written = tokio::task::spawn_blocking(move || write.write(&state)).await;
            match written {
                Ok(Ok(bytes)) => inner.writer.lock().await.store.finish(&job, bytes),
                Ok(Err(error)) => tracing::warn!(%error, "no snapshot; the logs stay"),
                Err(error) => tracing::warn!(%error, "no snapshot; the logs stay"),
            }
        });
    }

    /// Changes the catalog: everything that happened before is checkpointed, then `change` works on a copy of the
    /// catalog and returns what belongs to the new catalog's record.
    pub async fn alter<T>(
        self: &Arc<Self>,
        change: impl AsyncFnOnce(&mut Altering<'_>) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let mut writer = self.writer.lock().await;
        self.checkpoint_with(&mut writer).await?;
        let staged = Staged::new(self, &mut writer);
        let catalog = Catalog::clone(&staged.state.catalog);
        let mut altering = Altering { staged, catalog };
        let result = change(&mut altering).await;
        let result = result.and_then(|value| {
            let grown = altering
                .staged
                .state
                .bytes()
                .saturating_sub(self.state().bytes());
            match grown {
                0 => Ok(value),
                grown => self.make_room(grown).map(|()| value),
            }
        });
        let Altering { staged, .. } = altering;
        match result {
            Ok(value) => {
                let inner = staged.inner.clone();
                let committed = staged.commit();
                if let Err(error) = committed {
                    writer.broken.get_or_insert_with(|| error.to_string());
                    crate::stream::barrier::refuse_broken(&writer)?;
                }
                inner.results.forget_dropped(&inner.catalog());
                Ok(value)
            }
            Err(error) => {
                // indexes that were touched for the sake of the refused statement are built again when needed
                writer.keys.clear();
                Err(error)
            }
        }
    }
}

/// A statement that changes the catalog, while it holds the writer.
pub(crate) struct Altering<'a> {
    /// Rows and changes so far.
    pub staged: Staged<'a>,
    /// The catalog to be.
    pub catalog: Catalog,
}

impl Altering<'_> {
    /// Takes the catalog over as it is now.
    pub fn set_catalog(&mut self) -> Result<(), SqlError> {
        self.staged
            .apply(Change::Catalog(Arc::new(self.catalog.clone())))
            .map_err(internal)?;
        self.staged.watch();
        Ok(())
    }

    /// Adds a change of rows.
    pub fn apply(&mut self, change: Change) -> Result<(), SqlError> {
        self.staged.apply(change).map_err(internal)
    }

    /// Adds rows to a table.
    pub fn insert(&mut self, table: ObjectId, rows: &[RecordBatch]) -> Result<(), SqlError> {
        self.staged.insert(table, rows).map_err(internal)
    }
}

/// An error of the engine's own.
pub(crate) fn internal(error: impl std::fmt::Display) -> SqlError {
    SqlError::internal(format!("internal error: {error}"))
}

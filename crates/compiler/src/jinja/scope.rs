//! What a template can see: one [`Shared`] per project, one [`Scope`] per rendering.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object};
use minijinja::{Error, State, Value};
use rwt_project::environment::Environment;
use rwt_project::manifest::{Reference, UniqueId};
use serde_json::Value as Json;

use super::collections;
use super::macros::{MacroDefinition, MacroTable, PackageValue};
use super::relation::Relation;
use crate::materialize::{BUILT_IN, Session};
use crate::microbatch::EventTime;

/// A session that template functions can share with their caller.
pub type SharedSession = Arc<Mutex<dyn Session>>;

/// Takes what templates say to people: `log(…, info=True)`, `print`, `exceptions.warn`.
pub trait Reporter: Send + Sync {
    /// A message of a template. `node` is the unique id of the node that is rendered, if it is one.
    fn message(&self, level: Level, node: Option<&str>, text: &str);
}

/// How much a template's message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `log` without `info=True`
    Debug,
    /// `log(…, info=True)`
    Info,
    /// `print`: a result of its own, as a file that a macro generates.
    Print,
    /// `exceptions.warn`
    Warn,
}

/// Says nothing.
pub struct Quiet;

impl Reporter for Quiet {
    fn message(&self, _: Level, _: Option<&str>, _: &str) {}
}

/// What all renderings of a project share.
pub struct Shared {
    /// The root project's name.
    pub project_name: String,
    /// All macros.
    pub macros: Arc<MacroTable>,
    /// `target`
    pub target: Value,
    /// The target's database and schema, where a node has none of its own.
    pub default_database: String,
    /// See `default_database`.
    pub default_schema: String,
    /// Variables, those of the command line over those of the project.
    pub vars: IndexMap<String, Json>,
    /// Variables of the command line alone.
    pub cli_vars: IndexMap<String, Json>,
    /// Variables in the nodes of each package.
    pub package_vars: HashMap<String, IndexMap<String, Json>>,
    /// `flags` of the project file.
    pub project_flags: IndexMap<String, Json>,
    /// `--full-refresh`
    pub full_refresh: bool,
    /// `--store-failures`
    pub store_failures: bool,
    /// `--event-time-start` and `--event-time-end`
    pub event_time: Option<EventTime>,
    /// `--empty`
    pub empty: bool,
    /// `--sample`
    pub sample: Option<EventTime>,
    /// The command, for `flags.WHICH`.
    pub command: String,
    /// A new id per invocation.
    pub invocation_id: String,
    /// When the invocation began.
    pub started_at: chrono::DateTime<chrono::Utc>,
    /// Docs blocks by name, for `doc`.
    pub docs: HashMap<String, String>,
    /// Environment variables.
    pub environment: Environment,
    /// Where messages go.
    pub reporter: Arc<dyn Reporter>,
    /// The nodes that the command is about, from when that is known.
    pub selected: Arc<OnceLock<BTreeSet<UniqueId>>>,
    /// Warnings that were given: node and text.
    pub warned: Mutex<HashSet<(String, String)>>,
}

/// The step that a template is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Finding out about configuration and dependencies: `execute` is false, nothing reaches a database.
    Parse,
    /// The model's own text.
    Compile,
    /// A materialization or a hook.
    Materialize,
}

/// Turns `ref` and `source` into relations.
pub trait Resolve: Send + Sync {
    /// `ref(name)` or `ref(package, name)`, with `v` or `version`
    ///
    /// # Errors
    /// No such model, or no such version of it.
    fn reference(&self, reference: &Reference) -> Result<Value, Error>;

    /// `source(source, table)`
    ///
    /// # Errors
    /// No such source.
    fn source(&self, source: &str, table: &str) -> Result<Value, Error>;

    /// `graph`
    fn graph(&self) -> Value;
}

/// The node that is rendered.
#[derive(Debug, Clone)]
pub struct NodeScope {
    /// dbt's unique id.
    pub unique_id: String,
    /// The node's name.
    pub name: String,
    /// Its package.
    pub package: String,
    /// Its materialization.
    pub materialized: String,
    /// `this`
    pub this: Relation,
    /// `model`
    pub model: Value,
}

/// What rendering a model showed.
#[derive(Debug, Default, Clone)]
pub struct Captured {
    /// What `config()` said, later calls over earlier ones.
    pub config: IndexMap<String, Json>,
    /// `ref`
    pub refs: BTreeSet<Reference>,
    /// `source`: source and table.
    pub sources: BTreeSet<(String, String)>,
    /// `function`
    pub functions: BTreeSet<Reference>,
    /// Ids of macros that the text calls itself.
    pub macros: BTreeSet<String>,
}

/// A statement's result, for `load_result`.
#[derive(Debug, Clone)]
pub struct StatementResult {
    /// The database's answer, or what the macro stored.
    pub message: String,
    /// `skip` where the macro did nothing.
    pub code: String,
    /// Rows changed, where the database said so.
    pub rows_affected: Option<u64>,
    /// What `load_result` gives.
    pub value: Value,
}

/// What a unit test says in place of the project and the system.
#[derive(Debug, Default)]
pub struct Overridden {
    /// What calls of macros and functions give, by name or `package.name`.
    pub macros: IndexMap<String, Json>,
    /// Variables.
    pub vars: IndexMap<String, Json>,
    /// Environment variables.
    pub env_vars: IndexMap<String, String>,
    /// `run_started_at`
    pub now: Option<chrono::DateTime<chrono::Utc>>,
}

/// One rendering.
pub struct Scope {
    /// The project's part.
    pub shared: Arc<Shared>,
    /// Which step.
    pub phase: Phase,
    /// The node, unless a project's hook is rendered.
    pub node: Option<NodeScope>,
    /// The package whose hook is rendered; a node has its own.
    pub package: Option<String>,
    /// The node's configuration: in the parse phase without its own `config()` calls.
    pub config: Arc<IndexMap<String, Json>>,
    /// `ref` and `source`
    pub resolver: Arc<dyn Resolve>,
    /// Where statements go; none in the parse phase.
    pub session: Option<SharedSession>,
    /// Names of one phase only: `sql`, `pre_hooks`, `custom_schema_name`, …
    pub extra: IndexMap<&'static str, Value>,
    /// A batch of a microbatch model is built, and the table is there.
    pub is_incremental_batch: bool,
    /// What a unit test says instead.
    pub overridden: Option<Arc<Overridden>>,
    /// Whether the settings of the configuration were written into a statement.
    header: AtomicBool,
    /// Whether something undefined was written.
    undefined: AtomicBool,
    /// Whether a macro is running.
    in_macro: AtomicBool,
    /// Whether what is written may depend on more of the node than its configuration, name and text.
    particular: Arc<AtomicBool>,
    /// Variables whose text is being rendered.
    variables: Mutex<BTreeSet<String>>,
    captured: Mutex<Captured>,
    results: Mutex<IndexMap<String, StatementResult>>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("phase", &self.phase)
            .field("node", &self.node.as_ref().map(|node| &node.unique_id))
            .finish_non_exhaustive()
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scope {
    /// A rendering without node, session or names of its own.
    pub fn new(shared: Arc<Shared>, phase: Phase, resolver: Arc<dyn Resolve>) -> Self {
        Self {
            shared,
            phase,
            node: None,
            package: None,
            config: Arc::default(),
            resolver,
            session: None,
            extra: IndexMap::new(),
            is_incremental_batch: false,
            overridden: None,
            header: AtomicBool::new(false),
            undefined: AtomicBool::new(false),
            in_macro: AtomicBool::new(false),
            particular: Arc::default(),
            variables: Mutex::default(),
            captured: Mutex::default(),
            results: Mutex::default(),
        }
    }

    /// Changes what the rendering showed so far.
    pub fn capture<R>(&self, change: impl FnOnce(&mut Captured) -> R) -> R {
        change(&mut locked(&self.captured))
    }

    /// Notes that the settings are part of a statement now; true if they were before.
    pub fn note_header(&self) -> bool {
        self.header.swap(true, Ordering::Relaxed)
    }

    /// Notes that something undefined was written as nothing.
    pub fn note_undefined(&self) {
        self.undefined.store(true, Ordering::Relaxed);
    }

    /// Whether something undefined was written as nothing.
    pub fn has_undefined(&self) -> bool {
        self.undefined.load(Ordering::Relaxed)
    }

    /// What notes that something is read of the node besides its configuration, name and text.
    pub fn particular(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.particular)
    }

    /// Whether only rwt's own macros ran, silently, and read nothing of the node but its configuration, name and text.
    pub fn is_general(&self) -> bool {
        !self.particular.load(Ordering::Relaxed)
    }

    fn note_particular(&self) {
        self.particular.store(true, Ordering::Relaxed);
    }

    /// Notes that a macro begins. True if the text of the node itself calls it while it is parsed: then the macro is one
    /// that the node depends on, and [`Scope::leave_macro`] is to be called when it has ended.
    pub fn enter_macro(&self, definition: &MacroDefinition) -> bool {
        if definition.package != BUILT_IN {
            self.note_particular();
        }
        if self.phase != Phase::Parse || self.in_macro.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.capture(|captured| captured.macros.insert(definition.unique_id()));
        true
    }

    /// Notes that a function is called that is a macro of dbt's.
    pub fn note_native(&self, name: &str) {
        if self.phase == Phase::Parse && !self.in_macro.load(Ordering::Relaxed) {
            let id = format!("macro.dbt.{name}");
            self.capture(|captured| captured.macros.insert(id));
        }
    }

    /// Notes that the macro has ended.
    pub fn leave_macro(&self) {
        self.in_macro.store(false, Ordering::Relaxed);
    }

    /// Notes that the text of a variable is rendered; false if it is being rendered already.
    pub fn enter_variable(&self, name: &str) -> bool {
        locked(&self.variables).insert(name.to_owned())
    }

    /// Notes that the text of a variable has been rendered.
    pub fn leave_variable(&self, name: &str) {
        locked(&self.variables).remove(name);
    }

    /// What the rendering showed.
    pub fn captured(&self) -> Captured {
        locked(&self.captured).clone()
    }

    /// Keeps a statement's result.
    pub fn store_result(&self, name: &str, result: StatementResult) {
        locked(&self.results).insert(name.to_owned(), result);
    }

    /// A statement's result.
    pub fn result(&self, name: &str) -> Option<StatementResult> {
        locked(&self.results).get(name).cloned()
    }

    /// The value of a configuration key, `config()` calls of the parse phase included. Dashes and underscores in hook
    /// names mean the same.
    pub fn config_value(&self, key: &str) -> Option<Json> {
        let normal = config_key(key);
        if self.phase == Phase::Parse
            && let Some(value) = locked(&self.captured).config.get(&normal)
        {
            return Some(value.clone());
        }
        self.config
            .get(&normal)
            .or_else(|| self.config.get(key))
            .cloned()
    }

    /// What `var` knows here.
    pub fn vars(&self) -> &IndexMap<String, Json> {
        let package = self.shared.package_vars.get(self.package());
        package.unwrap_or(&self.shared.vars)
    }

    /// The package whose macros and variables come first; empty for the root project's hooks.
    fn package(&self) -> &str {
        let of_node = self.node.as_ref().map(|node| &node.package);
        of_node.or(self.package.as_ref()).map_or("", String::as_str)
    }

    /// The value of a variable that a unit test gives.
    pub fn overridden_var(&self, name: &str) -> Option<&Json> {
        self.overridden.as_ref()?.vars.get(name)
    }

    /// The same for an environment variable.
    pub fn overridden_env_var(&self, name: &str) -> Option<&str> {
        let overridden = self.overridden.as_ref()?;
        overridden.env_vars.get(name).map(String::as_str)
    }

    /// What a call of a macro or function gives where a unit test says so, as something to call.
    pub fn overridden_macro(&self, name: &str) -> Option<Value> {
        let value = self.overridden.as_ref()?.macros.get(name)?;
        let value = collections::from_json(value);
        Some(Value::from_function(
            move |_: minijinja::value::Rest<minijinja::value::ValueOrKwargs>| value.clone(),
        ))
    }

    /// The ids of the nodes that the command does something with; of none while the project is parsed, as in dbt.
    fn selected_resources(&self) -> Value {
        let kinds: &[&str] = match self.shared.command.as_str() {
            "run" => &["model."],
            "seed" => &["seed."],
            "snapshot" => &["snapshot."],
            "test" => &["test.", "unit_test."],
            _ => &[
                "model.",
                "seed.",
                "snapshot.",
                "test.",
                "unit_test.",
                "function.",
            ],
        };
        let selected = self.shared.selected.get().into_iter().flatten();
        let selected = selected
            .map(|id| id.0.as_str())
            .filter(|id| kinds.iter().any(|kind| id.starts_with(kind)));
        collections::list(selected.map(Value::from))
    }

    /// Sends a message to people. Nothing is said while parsing, or twice for one node: macros speak when they run on
    /// a database, and warn when their statements are recorded too; model texts speak when they are compiled.
    pub fn report(&self, level: Level, text: &str) {
        self.note_particular();
        let is_live = || {
            let session = self.session.as_ref();
            session.is_some_and(|session| locked(session).is_live())
        };
        let speaks = match self.phase {
            Phase::Parse => false,
            Phase::Compile => true,
            Phase::Materialize => level == Level::Warn || is_live(),
        };
        let node = self.node.as_ref().map(|node| node.unique_id.as_str());
        if speaks && (level != Level::Warn || self.is_news(node, text)) {
            self.shared.reporter.message(level, node, text);
        }
    }

    /// Whether a warning was not given before.
    fn is_news(&self, node: Option<&str>, text: &str) -> bool {
        let warned = &self.shared.warned;
        let mut warned = warned.lock().unwrap_or_else(PoisonError::into_inner);
        warned.insert((node.unwrap_or_default().to_owned(), text.to_owned()))
    }
}

/// The spelling under which a configuration key is kept: dbt takes `pre_hook` in `config()` and `pre-hook` in YAML.
pub fn config_key(key: &str) -> String {
    match key {
        "pre_hook" => "pre-hook".to_owned(),
        "post_hook" => "post-hook".to_owned(),
        _ => key.to_owned(),
    }
}

/// The scope behind a running template.
///
/// # Errors
/// The template was not started by [`super::Jinja`].
pub fn scope_of(state: &State<'_, '_>) -> Result<Arc<Scope>, Error> {
    state.get_extension::<Arc<Scope>>().cloned().ok_or_else(|| {
        Error::new(
            minijinja::ErrorKind::InvalidOperation,
            "this function needs a project",
        )
    })
}

/// The outermost names of a template.
#[derive(Debug)]
pub struct ScopeValue(pub Arc<Scope>);

impl Object for ScopeValue {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let scope = &self.0;
        if key == "rwt__scope" {
            return Some(Value::from_dyn_object(Arc::clone(self)));
        }
        if let Some(value) = scope.overridden_macro(key) {
            return Some(value);
        }
        if let Some(found) = scope.shared.macros.value_from(scope.package(), key) {
            return Some(found);
        }
        if let Some(value) = scope.extra.get(key) {
            return Some(value.clone());
        }
        let shared = &scope.shared;
        Some(match key {
            "target" => shared.target.clone(),
            "execute" => Value::from(scope.phase != Phase::Parse),
            "this" => scope.node.as_ref()?.this.clone().value(),
            "model" => scope.node.as_ref()?.model.clone(),
            "database" => Value::from(
                scope
                    .node
                    .as_ref()
                    .and_then(|node| node.this.database.clone())
                    .unwrap_or_else(|| shared.default_database.clone()),
            ),
            "schema" => Value::from(
                scope
                    .node
                    .as_ref()
                    .and_then(|node| node.this.schema.clone())
                    .unwrap_or_else(|| shared.default_schema.clone()),
            ),
            "project_name" => Value::from(shared.project_name.as_str()),
            "invocation_id" => Value::from(shared.invocation_id.as_str()),
            "run_started_at" => {
                let now = scope.overridden.as_ref().and_then(|over| over.now);
                super::moment::datetime(now.unwrap_or(shared.started_at))
            }
            "flags" => collections::dict([
                (
                    Value::from("FULL_REFRESH"),
                    Value::from(shared.full_refresh),
                ),
                (
                    Value::from("STORE_FAILURES"),
                    Value::from(shared.store_failures),
                ),
                (Value::from("WHICH"), Value::from(shared.command.as_str())),
                (Value::from("EMPTY"), Value::from(shared.empty)),
                (
                    Value::from("EVENT_TIME_START"),
                    Value::from(
                        shared
                            .event_time
                            .map(|(start, _)| super::moment::datetime(start)),
                    ),
                ),
                (
                    Value::from("EVENT_TIME_END"),
                    Value::from(
                        shared
                            .event_time
                            .map(|(_, end)| super::moment::datetime(end)),
                    ),
                ),
            ]),
            "invocation_args_dict" => collections::dict([
                (Value::from("which"), Value::from(shared.command.as_str())),
                (
                    Value::from("full_refresh"),
                    Value::from(shared.full_refresh),
                ),
                (
                    Value::from("vars"),
                    collections::dict((shared.cli_vars.iter()).map(|(key, value)| {
                        (Value::from(key.as_str()), collections::from_json(value))
                    })),
                ),
            ]),
            "selected_resources" => scope.selected_resources(),
            "graph" => scope.resolver.graph(),
            "adapter" => Value::from_object(super::adapter::Adapter(Arc::clone(scope))),
            "context" => Value::from_dyn_object(Arc::clone(self)),
            "config" => super::config::ConfigValue::value(scope),
            _ if shared.macros.has_package(key) => Value::from_object(PackageValue {
                table: Arc::clone(&shared.macros),
                package: key.to_owned(),
                scope: Arc::clone(scope),
            }),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}

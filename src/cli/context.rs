//! What most commands begin with: the project with its target, compiled, and the stack that the target needs.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use miette::Diagnostic;
use rwt_compiler::artifacts;
use rwt_compiler::materialize::DatabaseError;
use rwt_compiler::microbatch::EventTime;
use rwt_compiler::{CompileErrors, CompiledInPart, CompiledNode, Compiler, Flags};
use rwt_plan::Desired;
use rwt_project::graph::{Dag, NamedError, NamedSelectors, Selection};
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_project::profile::{MemorySize, Target, TargetKind};
use rwt_project::project::parse_mapping;
use rwt_project::state::{Needs, Past, Snapshot, changes};
use rwt_project::{LoadErrors, LoadOptions, Project};
use tokio::runtime::Runtime;

use super::args::{GlobalArgs, SelectArgs};
use super::contracts;
use super::flows::Flows;
use super::inputs::Deferral;
use super::messages::{About, Messages};
use super::{Exit, Failure};
use crate::apply::LiveSession;
use crate::catalog::{self, Names};
use crate::client::{Connection, Connector};
use crate::stack::topics::Broker;
use crate::stack::{self, Started, control, state};
use crate::ui::Printer;

/// A project that is ready for a command.
pub(super) struct Context {
    pub compiler: Compiler,
    target: Arc<Target>,
    runtime: Runtime,
    /// Where the embedded stack runs, if the target is embedded.
    place: Option<control::Place>,
    flags: FlagsOf,
    printer: Printer,
    deferral: Option<Deferral>,
    about: Arc<About>,
    /// Known when somebody has asked.
    compiled: OnceCell<CompiledInPart>,
    flows: OnceCell<Flows>,
}

/// Where an embedded target's stack keeps its data.
pub(super) struct Place {
    pub data_dir: PathBuf,
}

/// What the database refused, with what it was asked for.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{doing}: {error}")]
#[diagnostic(code(rwt::database::error))]
pub(super) struct DatabaseFailure {
    doing: &'static str,
    error: DatabaseError,
    #[help]
    help: Option<String>,
}

impl DatabaseFailure {
    pub(super) fn new(doing: &'static str) -> impl FnOnce(DatabaseError) -> Self {
        move |error| Self {
            doing,
            help: error.hint(),
            error,
        }
    }
}

/// The target names no broker.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("target {0} has no Kafka")]
#[diagnostic(
    code(rwt::kafka::none),
    help("give it `kafka: {{bootstrap: …, local: …}}` in profiles.yml")
)]
struct NoKafka(String);

/// `--warn-error` with a project that is warned of.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the project has warnings, and with --warn-error they are errors")]
#[diagnostic(
    code(rwt::usage::warn_error),
    help("mend what the warnings name, or leave --warn-error out; nothing was done")
)]
struct WarningIsError;

/// The target has no stack that rwt runs.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("target {0} is a RisingWave cluster, which rwt neither starts nor stops")]
#[diagnostic(
    code(rwt::stack::not_embedded),
    help("`--target` chooses another target; `rwt debug` checks this one")
)]
struct NotEmbedded(String);

/// A project that cannot be loaded is a matter of usage: nothing was tried yet.
pub(super) fn not_loaded(errors: LoadErrors) -> Failure {
    Failure {
        exit: Exit::Usage,
        ..Failure::all(errors)
    }
}

/// Models that cannot be compiled.
pub(super) fn not_compiled(errors: CompileErrors) -> Failure {
    Failure::all(errors.0)
}

/// Reads the project, and prints its warnings.
fn load_project(global: &GlobalArgs, printer: &Printer) -> Result<Project, Failure> {
    let project = rwt_compiler::load(&options(global, vars(global)?)).map_err(not_loaded)?;
    for warning in &project.warnings {
        printer.warning(warning);
    }
    Ok(project)
}

/// `--vars`
pub(super) fn vars(
    global: &GlobalArgs,
) -> Result<indexmap::IndexMap<String, serde_json::Value>, Failure> {
    match &global.vars {
        Some(text) => parse_mapping("--vars", text).map_err(not_loaded),
        None => Ok(indexmap::IndexMap::new()),
    }
}

/// What the command line says about where the project is.
pub(super) fn options(
    global: &GlobalArgs,
    vars: indexmap::IndexMap<String, serde_json::Value>,
) -> LoadOptions {
    LoadOptions {
        project_dir: global.project_dir.clone(),
        profiles_dir: global.profiles_dir.clone(),
        profile: global.profile.clone(),
        target: global.target.clone(),
        target_path: global.target_path.clone(),
        vars,
        ..LoadOptions::default()
    }
}

/// The data directory of an embedded target.
fn data_dir(project: &Project) -> PathBuf {
    project.root.join(&project.target.data_dir)
}

impl Place {
    /// The data directory as given, or the project's target's.
    pub(super) fn find(
        global: &GlobalArgs,
        given: Option<&Path>,
        printer: &Printer,
    ) -> Result<Self, Failure> {
        if let Some(dir) = given {
            return Ok(Self {
                data_dir: dir.to_owned(),
            });
        }
        let project = load_project(global, printer)?;
        if project.target.kind != TargetKind::Embedded {
            return Err(Failure::usage(NotEmbedded(project.target.name)));
        }
        Ok(Self {
            data_dir: data_dir(&project),
        })
    }

    /// Deletes a stack's data, and nothing else that may lie beside it.
    pub(super) fn delete(&self) -> Result<(), Failure> {
        state::delete(&self.data_dir).map_err(|error| {
            Failure::usage(miette::miette!(
                "{} cannot be deleted: {error}",
                self.data_dir.display()
            ))
        })
    }
}

impl Context {
    /// The project of the global options. An embedded target's addresses are those of its running stack, if it runs.
    pub(super) fn load(global: &GlobalArgs, printer: &Printer) -> Result<Self, Failure> {
        Self::load_for(global, &FlagsOf::default(), printer)
    }

    /// The same, for a command that templates can see.
    pub(super) fn load_for(
        global: &GlobalArgs,
        flags: &FlagsOf,
        printer: &Printer,
    ) -> Result<Self, Failure> {
        let project = load_project(global, printer)?;
        let flags = FlagsOf {
            writes_json: global.dbt.writes_json(),
            ..*flags
        };
        let context = Self::of(project, &flags, printer)?;
        if global.dbt.warn_error && printer.has_warned() {
            return Err(WarningIsError.into());
        }
        Ok(context)
    }

    /// The project with an embedded stack of its own, somewhere else.
    pub(super) fn load_elsewhere(
        global: &GlobalArgs,
        place: &control::Place,
        printer: &Printer,
    ) -> Result<Self, Failure> {
        let mut project = load_project(global, printer)?;
        if project.target.kind != TargetKind::Embedded {
            return Err(Failure::usage(NotEmbedded(project.target.name)));
        }
        project.target.data_dir.clone_from(&place.data_dir);
        project.target_path = place.data_dir.join("target");
        set_ports(&mut project.target, place.engine_port, place.kafka_port);
        let mut context = Self::of(project, &FlagsOf::default(), printer)?;
        context.place = Some(place.clone());
        Ok(context)
    }

    fn of(mut project: Project, flags: &FlagsOf, printer: &Printer) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::usage(miette::miette!("no runtime can be built: {error}")))?;
        let place = match project.target.kind {
            TargetKind::RisingWave => None,
            TargetKind::Embedded => {
                let data_dir = data_dir(&project);
                let running =
                    stack::running(&data_dir).map_err(|source| control::StackError::Io {
                        doing: format!("cannot read {}", data_dir.display()),
                        source,
                    })?;
                if let Some(running) = running {
                    set_ports(
                        &mut project.target,
                        running.engine.port(),
                        running.kafka.port(),
                    );
                }
                Some(control::Place {
                    data_dir,
                    engine_port: project.target.port,
                    kafka_port: kafka_port(&project.target),
                    memory_limit: project.target.stack.memory_limit.map(MemorySize::bytes),
                    owner: None,
                })
            }
        };
        let target = Arc::new(project.target.clone());
        let messages = Messages::new(printer);
        let about = messages.about();
        let compiler_flags = Flags {
            full_refresh: flags.full_refresh,
            store_failures: flags.store_failures,
            event_time: flags.event_time,
            empty: flags.empty,
            sample: flags.sample,
            command: flags.command.to_owned(),
            invocation_id: printer.invocation_id().map(str::to_owned),
            reporter: Arc::new(messages),
            selected: Arc::clone(&about),
        };
        let compiler = Compiler::load(project, compiler_flags).map_err(not_compiled)?;
        for warning in compiler.warnings() {
            printer.warning(warning);
        }
        Ok(Self {
            compiler,
            target,
            runtime,
            place,
            flags: *flags,
            printer: printer.clone(),
            about,
            deferral: None,
            compiled: OnceCell::new(),
            flows: OnceCell::new(),
        })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn dag(&self) -> &Dag {
        self.compiler.dag()
    }

    pub(super) fn place_mut(&mut self) -> Option<&mut control::Place> {
        self.place.as_mut()
    }

    pub(super) fn place(&self) -> Option<&control::Place> {
        self.place.as_ref()
    }

    pub(super) fn target_dir(&self) -> PathBuf {
        self.compiler.project().target_path.clone()
    }

    /// Opens connections to the target; what they send has the project's comment. What is wrong with the comment is told
    /// by the first node that has to put it on a statement.
    pub(super) fn connector(&self) -> Connector {
        let connector = Connector::new(
            self.target.clone(),
            self.compiler.project().environment.clone(),
            self.runtime.handle().clone(),
        );
        connector.with_comment(self.compiler.query_comment(None).ok().flatten())
    }

    /// What the target's database holds.
    pub(super) fn names(&self, connection: &Connection) -> Result<Names, Failure> {
        let snapshot = catalog::read(connection)
            .map_err(DatabaseFailure::new("the catalog cannot be read"))?;
        Ok(Names::of(&snapshot, &self.target.database))
    }

    /// A session on the target, for what is not part of a plan.
    pub(super) fn session(&self) -> Result<LiveSession, Failure> {
        let connection = self.connector().connect()?;
        let names = self.names(&connection)?;
        Ok(LiveSession::new(
            connection,
            Arc::new(Mutex::new(names)),
            &self.target.database,
            &self.target.schema,
        ))
    }

    /// A model by its name.
    pub(super) fn model(&self, name: &str) -> Option<&Node> {
        let nodes = &self.compiler.manifest().nodes;
        nodes
            .values()
            .find(|node| node.resource_type == ResourceType::Model && node.name == name)
    }

    /// The selected models in DAG order. Selectors that match nothing are warned of.
    pub(super) fn select(
        &self,
        args: &SelectArgs,
        printer: &Printer,
    ) -> Result<Vec<&Node>, Failure> {
        let selected = self.selected_ids(args, printer)?;
        Ok(self
            .dag()
            .order(&selected)
            .iter()
            .filter_map(|id| self.compiler.manifest().nodes.get(id))
            .filter(|node| node.materialized != "ephemeral")
            .collect())
    }

    /// With `--defer`: reads what is not in the target where another manifest has it. Selected nodes are there when they are
    /// read, if they are built now. Texts that were rendered before do not know.
    pub(super) fn defer(
        &mut self,
        deferral: Option<Deferral>,
        selected: &BTreeSet<UniqueId>,
        are_built: bool,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let Some(deferral) = deferral else {
            return Ok(());
        };
        self.ensure_stack(printer)?;
        let names = self.names(&self.connector().connect()?)?;
        let deferred = deferral.relations(self, selected, are_built, &names);
        self.compiler.defer(deferred);
        self.compiled = OnceCell::new();
        self.flows = OnceCell::new();
        self.deferral = Some(deferral);
        Ok(())
    }

    pub(super) fn printer(&self) -> &Printer {
        &self.printer
    }

    /// What is deferred to, if anything is.
    pub(super) fn deferral(&self) -> Option<&Deferral> {
        self.deferral.as_ref()
    }

    /// The ids of selected nodes, sources and ephemeral models among them.
    pub(super) fn selected_ids(
        &self,
        args: &SelectArgs,
        printer: &Printer,
    ) -> Result<BTreeSet<UniqueId>, Failure> {
        let selected = self.resolve(args, printer)?;
        self.about.get_or_init(|| selected.clone());
        Ok(selected)
    }

    fn resolve(&self, args: &SelectArgs, printer: &Printer) -> Result<BTreeSet<UniqueId>, Failure> {
        let wrong = |errors: Vec<NamedError>| Failure {
            exit: Exit::Usage,
            ..Failure::all(errors)
        };
        let said = self.compiler.project().file.flags.get("indirect_selection");
        let indirect = args.indirect(said.and_then(serde_json::Value::as_str));
        let named = NamedSelectors::load(&self.compiler.project().root)
            .map_err(wrong)?
            .indirect(indirect);
        let nothing_said = args.select.is_empty() && args.exclude.is_empty();
        let default = named.default_name().filter(|_| nothing_said);
        if let Some(name) = args.selector.as_deref().or(default) {
            let (manifest, dag) = (self.compiler.manifest(), self.dag());
            let past = self.past(named.needs(name), args)?;
            return named
                .clone()
                .against(&past)
                .resolve(name, manifest, dag)
                .map_err(|error| wrong(vec![error]));
        }
        let selection =
            Selection::parse(&args.select, &args.exclude).map_err(|errors| Failure {
                exit: Exit::Usage,
                ..Failure::all(errors)
            })?;
        let past = self.past(selection.needs(), args)?;
        let selected = selection
            .indirect(indirect)
            .against(&past)
            .resolve(self.compiler.manifest(), self.dag());
        for warning in &selected.warnings {
            printer.warning(warning);
        }
        Ok(selected.nodes)
    }

    /// The same for what changes a database: snapshots have a command of their own, as in dbt.
    pub(super) fn selected_to_run(
        &self,
        args: &SelectArgs,
        printer: &Printer,
    ) -> Result<BTreeSet<UniqueId>, Failure> {
        self.selected_of(args, |kind| kind != ResourceType::Snapshot, printer)
    }

    /// The same for nodes of some kinds.
    pub(super) fn selected_of(
        &self,
        args: &SelectArgs,
        takes: impl Fn(ResourceType) -> bool,
        printer: &Printer,
    ) -> Result<BTreeSet<UniqueId>, Failure> {
        let nodes = &self.compiler.manifest().nodes;
        let mut selected = self.selected_ids(args, printer)?;
        selected.retain(|id| nodes.get(id).is_some_and(|node| takes(node.resource_type)));
        Ok(selected)
    }

    /// What a choice must know of the past.
    fn past(&self, needs: Needs, args: &SelectArgs) -> Result<Arc<Past>, Failure> {
        if !needs.any() {
            return Ok(Arc::default());
        }
        let state = args.state.as_deref();
        let mut past = Past::read(needs, state, &self.target_dir()).map_err(Failure::usage)?;
        if needs.manifest {
            let before = Past::manifest(state)
                .and_then(|path| Snapshot::read(&path))
                .map_err(Failure::usage)?;
            past.changes = Some(changes(&before, &self.compiler.snapshot(&[])?));
        }
        Ok(Arc::new(past))
    }

    /// The project as a manifest shows it, every text rendered.
    pub(super) fn snapshot(&self) -> Result<Snapshot, Failure> {
        let compiler = &self.compiler;
        let compiled = compiler
            .compile_all(&compiler.order())
            .map_err(not_compiled)?;
        Ok(compiler.snapshot(&compiled)?)
    }

    /// Whether manifest.json and run_results.json are written: `--no-write-json` leaves them as they are.
    pub(super) fn writes_json(&self) -> bool {
        self.flags.writes_json
    }

    /// Whether the project's `flags` say so.
    pub(super) fn is_flag(&self, name: &str) -> bool {
        let flags = &self.compiler.project().file.flags;
        flags.get(name).and_then(serde_json::Value::as_bool) == Some(true)
    }

    /// Writes target/manifest.json, with the texts of what was compiled. Gives the file's path.
    pub(super) fn write_manifest(&self, compiled: &[CompiledNode]) -> Result<PathBuf, Failure> {
        if !self.flags.writes_json {
            return Ok(self.target_dir().join("manifest.json"));
        }
        self.write_artifact("manifest.json", &self.compiler.artifact(compiled))
    }

    /// The same with every object that can be compiled; what is wrong with the others is told.
    pub(super) fn write_manifest_of_objects(&self) -> Result<PathBuf, Failure> {
        let compiled = self.compiled_in_part()?;
        for error in compiled.failed.values() {
            self.printer.problem(error);
        }
        self.write_manifest(&compiled.nodes)
    }

    /// Writes an artifact into the target's folder. Gives the file's path.
    pub(super) fn write_artifact(
        &self,
        name: &str,
        artifact: &impl serde::Serialize,
    ) -> Result<PathBuf, Failure> {
        let folder = self.target_dir();
        artifacts::write(&folder, name, artifact).map_err(|error| {
            Failure::usage(miette::miette!(
                code = "rwt::artifacts::unwritable",
                help = "`--target-path` names another folder",
                "{} cannot be written: {error}",
                folder.join(name).display()
            ))
        })
    }

    /// Starts the target's stack if it is one that rwt runs and it does not run, and says so in one line.
    pub(super) fn ensure_stack(&mut self, printer: &Printer) -> Result<(), Failure> {
        if let Some(Started::Now(running)) = self.start_stack()? {
            printer.note(format!(
                "Started the embedded stack: SQL engine {}, Kafka {}, lake {}",
                running.engine,
                running.kafka,
                running.lake_dir().display()
            ));
        }
        Ok(())
    }

    /// Makes the topics of an embedded broker that sources read and that do not exist. Another broker's topics belong
    /// to whoever runs it; `rwt up` makes them when asked.
    pub(super) fn ensure_topics(&self, printer: &Printer) -> Result<(), Failure> {
        if self.place.is_none() {
            return Ok(());
        }
        let created = self.create_topics()?;
        if !created.is_empty() {
            printer.note(format!("Created the topics {}", created.join(", ")));
        }
        Ok(())
    }

    /// Starts the stack of an embedded target, or finds it running.
    pub(super) fn start_stack(&mut self) -> Result<Option<Started>, Failure> {
        let Some(place) = &self.place else {
            return Ok(None);
        };
        let started = stack::ensure_running(place)?;
        let running = started.running();
        let ports = (running.engine.port(), running.kafka.port());
        if ports != (self.target.port, kafka_port(&self.target)) {
            // The models hold the broker's address: compile them again for the ports that are.
            let mut project = self.compiler.project().clone();
            set_ports(&mut project.target, ports.0, ports.1);
            project.target.data_dir.clone_from(&running.data_dir);
            let (flags, printer) = (self.flags, self.printer.clone());
            *self = Self::of(project, &flags, &printer)?;
        }
        Ok(Some(started))
    }

    /// The broker as this machine sees it.
    pub(super) fn broker(&self) -> Option<Broker> {
        let kafka = self.target.kafka.as_ref()?;
        Some(Broker {
            bootstrap: kafka.local.clone(),
            settings: kafka
                .security
                .iter()
                .map(|(key, value)| (key.clone(), value.expose().to_owned()))
                .collect(),
        })
    }

    pub(super) fn required_broker(&self) -> Result<Broker, Failure> {
        self.broker()
            .ok_or_else(|| Failure::usage(NoKafka(self.target.name.clone())))
    }

    /// What the project's sources and tables read from Kafka, and what its sinks feed.
    pub(super) fn flows(&self) -> Result<&Flows, Failure> {
        let compiled = self.compiled_in_part()?;
        Ok(self.flows.get_or_init(|| Flows::of(&compiled.nodes)))
    }

    /// What the project wants in an empty database.
    pub(super) fn desired(&self) -> Result<Desired, Failure> {
        Desired::collect(&self.compiler, self.compiled()?).map_err(not_compiled)
    }

    /// Every node that is an object, as it would be built on an empty database, in DAG order. What an empty database
    /// cannot answer is there without statements.
    fn compiled(&self) -> Result<&[CompiledNode], Failure> {
        let compiled = self.compiled_in_part()?;
        if compiled.failed.is_empty() {
            Ok(&compiled.nodes)
        } else {
            let errors = compiled.failed.values().cloned().collect();
            Err(not_compiled(CompileErrors(errors)))
        }
    }

    /// The same with what cannot be compiled set apart. Compiled once.
    pub(super) fn compiled_in_part(&self) -> Result<&CompiledInPart, Failure> {
        if let Some(compiled) = self.compiled.get() {
            return Ok(compiled);
        }
        let mut compiled = self.compiler.compile_in_part(&self.compiler.objects())?;
        for (id, error) in contracts::broken(self, &compiled.nodes)? {
            compiled.fail(id, error);
        }
        Ok(self.compiled.get_or_init(|| compiled))
    }

    /// Makes the topics that do not exist, and returns them.
    pub(super) fn create_topics(&self) -> Result<Vec<String>, Failure> {
        let Some(broker) = self.broker() else {
            return Ok(Vec::new());
        };
        let flows = self.flows()?;
        let topics: Vec<String> = flows.topics.iter().chain(&flows.written).cloned().collect();
        Ok(self.runtime.block_on(broker.create_missing(&topics))?)
    }
}

/// What templates can see of the command.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlagsOf {
    pub command: &'static str,
    pub full_refresh: bool,
    /// `--store-failures`
    pub store_failures: bool,
    /// `--event-time-start` and `--event-time-end`
    pub event_time: Option<EventTime>,
    /// `--empty`
    pub empty: bool,
    /// `--sample`
    pub sample: Option<EventTime>,
    /// `--write-json`
    pub writes_json: bool,
}

impl Default for FlagsOf {
    fn default() -> Self {
        Self {
            command: "run",
            full_refresh: false,
            store_failures: false,
            event_time: None,
            empty: false,
            sample: None,
            writes_json: true,
        }
    }
}

fn kafka_port(target: &Target) -> u16 {
    let local = target.kafka.as_ref().map(|kafka| kafka.local.as_str());
    local
        .and_then(|address| address.rsplit_once(':'))
        .and_then(|(_, port)| port.parse().ok())
        .unwrap_or(19092)
}

fn set_ports(target: &mut Target, engine: u16, kafka: u16) {
    target.port = engine;
    if let Some(addresses) = &mut target.kafka {
        let address = format!("127.0.0.1:{kafka}");
        addresses.bootstrap.clone_from(&address);
        addresses.local = address;
    }
}

/// Errors of the system, on their way to a person.
pub(super) fn unexpected(doing: &str) -> impl FnOnce(io::Error) -> Failure {
    let doing = doing.to_owned();
    move |error| Failure::usage(miette::miette!("{doing}: {error}"))
}

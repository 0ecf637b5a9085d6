//! [`Compiler`]: a loaded project, parsed, ready to be compiled, recorded or built.

mod batches;
mod build;
mod comment;
mod data_test;
mod freshness;
mod load;
mod operation;
mod reads;
mod skeleton;
mod unit_test;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rwt_project::Project;
use rwt_project::graph::Dag;
use rwt_project::manifest::{Manifest, Node, ResourceType, UniqueId};
use rwt_project::yaml::{SourceFile, Warning};

pub use self::comment::QueryComment;
pub(crate) use self::load::docs_blocks;
use self::load::{Templates, shared, templates};
use self::skeleton::{Particulars, Skeletons};
use crate::artifacts::Invocation;
use crate::compile::script::{Parts, schema_statements, script};
use crate::compile::{Body, CompiledNode};
use crate::error::{CompileError, CompileErrors};
use crate::jinja::{
    Jinja, MacroTable, Quiet, Relation, Reporter, Shared, SharedSession, TemplateError,
    compare_contract,
};
use crate::materialize::{
    BUILT_IN, Inquiry, RecordedStatement, Recorder, Session, drop_statement, lend,
};
use crate::microbatch::{BatchResults, EventTime};
use crate::parse::{EPHEMERAL, Parser, References, in_parallel, template_name};
pub use data_test::TestResult;
pub use freshness::{Freshness, FreshnessStatus};
pub use reads::Deferred;
pub use unit_test::{TestInput, UnitTestPlan};

/// What the command line says about how a project is compiled.
#[derive(Clone)]
pub struct Flags {
    /// `--full-refresh`
    pub full_refresh: bool,
    /// `--store-failures`
    pub store_failures: bool,
    /// `--event-time-start` and `--event-time-end`
    pub event_time: Option<EventTime>,
    /// `--empty`: what a node reads has no rows.
    pub empty: bool,
    /// `--sample`: what a model reads has the rows of this time, where it says which column its event time is.
    pub sample: Option<EventTime>,
    /// The command's name, for `flags.WHICH`.
    pub command: String,
    /// The invocation that this is a part of; a new one where none is named.
    pub invocation_id: Option<String>,
    /// Where `log(…, info=True)`, `print` and `exceptions.warn` go.
    pub reporter: Arc<dyn Reporter>,
    /// The nodes that the command is about, from when that is known.
    pub selected: Arc<OnceLock<BTreeSet<UniqueId>>>,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            full_refresh: false,
            store_failures: false,
            event_time: None,
            empty: false,
            sample: None,
            command: "compile".to_owned(),
            invocation_id: None,
            reporter: Arc::new(Quiet),
            selected: Arc::default(),
        }
    }
}

/// Which hooks of the project file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `on-run-start`
    Start,
    /// `on-run-end`
    End,
}

impl When {
    /// The key in the project file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Start => "on-run-start",
            Self::End => "on-run-end",
        }
    }
}

/// What a materialization or hook came to.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeResult {
    /// The database's answer, for example `CREATE_TABLE`, or why nothing was done.
    pub message: String,
    /// False if what was wanted is there already.
    pub changed: bool,
    /// Rows changed, where the database said so.
    pub rows_affected: Option<u64>,
}

/// A parsed project.
pub struct Compiler {
    project: Arc<Project>,
    jinja: Jinja,
    shared: Arc<Shared>,
    manifest: Arc<Manifest>,
    references: Arc<References>,
    deferred: Arc<Deferred>,
    /// What an earlier run has built of microbatch models.
    built_before: HashMap<UniqueId, BatchResults>,
    /// What this one has.
    built: Mutex<HashMap<UniqueId, BatchResults>>,
    skeletons: Skeletons,
    dag: Dag,
    warnings: Vec<Warning>,
}

impl Compiler {
    /// Reads every macro and model and parses the models.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(project: Project, flags: Flags) -> Result<Self, CompileErrors> {
        let project = Arc::new(project);
        let mut errors = Vec::new();
        let Templates {
            mut jinja,
            unreadable,
            tests,
        } = templates(&project, &mut errors);
        let shared = Arc::new(shared(&project, flags, &jinja));
        // Without its macros a model only shows errors that follow from theirs.
        if errors.len() > unreadable.len() {
            return Err(CompileErrors(errors));
        }
        let parser = Parser::new(&project, &jinja, &shared);
        let skip =
            |model: &rwt_project::project::ModelFile| unreadable.contains(&template_name(model));
        let (manifest, warnings) = match parser.manifest(&skip) {
            Ok((manifest, warnings)) => (Arc::new(manifest), warnings),
            Err(more) => {
                errors.extend(more.0);
                return Err(CompileErrors(errors));
            }
        };
        if !errors.is_empty() {
            return Err(CompileErrors(errors));
        }
        jinja.put_away(tests);
        let dag = Dag::new(&manifest).map_err(CompileError::from)?;
        let references = Arc::new(References::new(&manifest));
        Ok(Self {
            project,
            jinja,
            shared,
            manifest,
            references,
            deferred: Arc::default(),
            built_before: HashMap::new(),
            built: Mutex::default(),
            skeletons: Skeletons::default(),
            dag,
            warnings,
        })
    }

    /// The project.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// All enabled nodes.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How they hang together.
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// What is allowed in models and probably not meant.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The command, as artifacts name it.
    pub fn invocation(&self) -> Invocation {
        let shared = &self.shared;
        Invocation::new(
            &shared.invocation_id,
            shared.started_at,
            &shared.environment,
        )
    }

    /// All macros.
    pub(crate) fn macros(&self) -> &MacroTable {
        self.jinja.macros()
    }

    /// The invocation's id, as templates see it.
    pub fn invocation_id(&self) -> &str {
        &self.shared.invocation_id
    }

    /// A node's relation, with its kind where the materialization is a built-in one. None for a node that is no object
    /// of its own.
    pub fn relation_of(&self, id: &UniqueId) -> Option<Relation> {
        let node = self.manifest.nodes.get(id)?;
        (node.materialized != EPHEMERAL).then(|| References::built_relation(node))
    }

    /// Compares the columns that a node's query gives with those of its contract: names, and types as their numbers in
    /// PostgreSQL's wire protocol.
    ///
    /// # Errors
    /// The contract does not hold: dbt's table of what differs.
    pub fn check_contract(
        &self,
        node: &Node,
        wanted: &[(String, u32)],
        found: &[(String, u32)],
    ) -> Result<(), CompileError> {
        let Some(message) = compare_contract(wanted, found) else {
            return Ok(());
        };
        let file = SourceFile::new(&node.original_file_path, node.raw_code.as_str());
        let first_line = 0..node.raw_code.lines().next().unwrap_or_default().len();
        let error = TemplateError::at("rwt::compile::contract", message, None, &file, first_line);
        Err(CompileError::template(error, Some(node.into())))
    }

    /// Whether a node's materialization is the project's or a package's, and not the built-in one of its name.
    pub fn has_own_materialization(&self, node: &Node) -> bool {
        let found = self.macros().materialization(&node.materialized);
        found.is_some_and(|found| found.package != BUILT_IN)
    }

    /// `drop … if exists`, never with CASCADE.
    pub fn drop_statement(kind: &str, relation: &Relation) -> String {
        drop_statement(kind, &relation.to_string())
    }

    /// `create schema if not exists` for the schemas of these nodes.
    pub fn schema_statements<'a>(
        &'a self,
        ids: impl IntoIterator<Item = &'a UniqueId>,
    ) -> Vec<RecordedStatement> {
        let nodes = ids.into_iter().filter_map(|id| self.manifest.nodes.get(id));
        let built =
            nodes.filter(|node| node.resource_type.is_built() && node.materialized != EPHEMERAL);
        schema_statements(built.map(|node| node.schema.as_str()))
    }

    /// A node as it would be built on an empty database.
    ///
    /// # Errors
    /// What its templates do wrong.
    pub fn compile(&self, id: &UniqueId) -> Result<CompiledNode, CompileError> {
        self.compile_all(std::slice::from_ref(id))
            .map_err(first)?
            .pop()
            .ok_or_else(|| CompileError::UnknownNode(id.clone()))
    }

    /// A node's text as dbt's `compiled_code` has it: rendered, ephemeral models in front, nothing trimmed.
    ///
    /// # Errors
    /// What its template does wrong, or what the database refused to a query in it.
    pub fn compiled_code(
        &self,
        id: &UniqueId,
        session: &mut dyn Session,
    ) -> Result<String, CompileError> {
        let node = self.node(id)?;
        lend(session, |session| {
            self.body(node, None, &session)
                .map(Body::into_compiled_code)
        })?
    }

    /// Whether a node has an object or a check of its own in the database.
    pub fn is_built(&self, id: &UniqueId) -> bool {
        self.node(id)
            .is_ok_and(|node| node.resource_type.is_built() && node.materialized != EPHEMERAL)
    }

    /// The same for many nodes, in the order given.
    ///
    /// # Errors
    /// What is wrong with any of them.
    pub fn compile_all(&self, ids: &[UniqueId]) -> Result<Vec<CompiledNode>, CompileErrors> {
        self.compile_each(ids, |id| {
            self.record(id, None).map_err(|failed| failed.error)
        })
    }

    /// The same, with answers of a database to what the nodes' texts ask.
    ///
    /// # Errors
    /// What is wrong with any of them, or what the database refused.
    pub fn compile_with_answers(
        &self,
        ids: &[UniqueId],
        database: &SharedSession,
    ) -> Result<Vec<CompiledNode>, CompileErrors> {
        self.compile_each(ids, |id| {
            self.record(id, Some(Arc::clone(database)))
                .map_err(|failed| failed.error)
        })
    }

    /// The same without a database, for who wants to ask one later and can do without some: a node whose text needs
    /// answers, or is wrong, is there without statements.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn compile_in_part(&self, ids: &[UniqueId]) -> Result<CompiledInPart, CompileError> {
        let mut part = CompiledInPart::default();
        let results = in_parallel(ids.len(), |index| self.record(&ids[index], None))?;
        for (id, result) in ids.iter().zip(results) {
            let node = match result {
                Ok(node) => node,
                Err(failed) => {
                    let asks = failed.asked;
                    if !asks {
                        part.failed.insert(id.clone(), failed.error);
                    }
                    CompiledNode {
                        asks,
                        ..Self::uncompiled(self.node(id)?)
                    }
                }
            };
            part.nodes.push(node);
        }
        Ok(part)
    }

    fn compile_each(
        &self,
        ids: &[UniqueId],
        compile: impl Fn(&UniqueId) -> Result<CompiledNode, CompileError> + Sync,
    ) -> Result<Vec<CompiledNode>, CompileErrors> {
        let mut errors = Vec::new();
        let mut nodes = Vec::with_capacity(ids.len());
        let results = in_parallel(ids.len(), |index| compile(&ids[index]));
        for result in results.map_err(CompileError::from)? {
            match result {
                Ok(node) => nodes.push(node),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(nodes)
        } else {
            Err(CompileErrors(errors))
        }
    }

    fn recorder(&self) -> Recorder {
        Recorder::new(&self.shared.default_database, &self.shared.default_schema)
    }

    fn record(
        &self,
        id: &UniqueId,
        database: Option<SharedSession>,
    ) -> Result<CompiledNode, NotRecorded> {
        let unasked = |error| NotRecorded {
            error,
            asked: false,
        };
        let node = self.node(id).map_err(unasked)?;
        let this = (node.schema.as_str(), node.identifier.as_str());
        let inquiry = Arc::new(Mutex::new(Inquiry::new(self.recorder(), database, this)));
        let session: SharedSession = inquiry.clone();
        let unlocked = || inquiry.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error| NotRecorded {
            error,
            asked: unlocked().has_asked(),
        };
        let body = self.body(node, None, &session).map_err(failed)?;
        unlocked().end_of_text();
        let statements = match self.makes_something(node) {
            true => self.statements(node, &body, &inquiry).map_err(failed)?,
            false => unlocked().take_statements(),
        };
        let asks = unlocked().has_asked();
        Ok(CompiledNode {
            compiled_code: body.into_compiled_code(),
            statements,
            asks,
            ..Self::uncompiled(node)
        })
    }

    /// What a node's materialization sends after its text was rendered.
    fn statements(
        &self,
        node: &Node,
        body: &Body,
        inquiry: &Arc<Mutex<Inquiry>>,
    ) -> Result<Vec<RecordedStatement>, CompileError> {
        let unlocked = || inquiry.lock().unwrap_or_else(PoisonError::into_inner);
        let particulars = match unlocked().is_untouched() {
            true => Particulars::of(node, &body.code),
            false => None,
        };
        let alike = particulars.map(|particulars| (skeleton::key(node), particulars));
        if let Some((key, particulars)) = &alike
            && let Some(filled) = self.skeletons.fill(key, *particulars)
        {
            return filled.map_err(|refused| self.refused(&node.unique_id, refused));
        }
        let session: SharedSession = inquiry.clone();
        let scope = self.run_materialization(node, body, None, &session)?;
        let statements = unlocked().take_statements();
        match alike {
            Some((key, particulars)) if scope.is_general() => {
                self.skeletons.learn(key, particulars, &statements);
            }
            Some((key, _)) => self.skeletons.give_up(key),
            None => {}
        }
        Ok(statements)
    }

    fn uncompiled(node: &Node) -> CompiledNode {
        CompiledNode {
            unique_id: node.unique_id.clone(),
            name: node.name.clone(),
            materialized: node.materialized.clone(),
            original_file_path: node.original_file_path.clone(),
            path: output_path(node),
            compiled_code: String::new(),
            statements: Vec::new(),
            asks: false,
        }
    }

    /// The statements of the project's hooks, as they would run on an empty database.
    ///
    /// # Errors
    /// What their templates do wrong.
    pub fn record_hooks(&self, when: When) -> Result<Vec<RecordedStatement>, CompileError> {
        let mut recorder = self.recorder();
        self.run_hooks(when, &mut recorder)?;
        Ok(recorder.into_statements())
    }

    /// `all_models.sql` of compiled nodes, which come in the order of the DAG.
    ///
    /// # Errors
    /// What the hooks do wrong.
    pub fn script(&self, nodes: &[CompiledNode]) -> Result<String, CompileError> {
        Ok(script(&Parts {
            project: self.project.name(),
            target: &self.project.target.name,
            database: &self.shared.default_database,
            schema: &self.shared.default_schema,
            schemas: self.schema_statements(nodes.iter().map(|node| &node.unique_id)),
            before: self.record_hooks(When::Start)?,
            nodes: nodes.iter().collect(),
            after: self.record_hooks(When::End)?,
        }))
    }

    /// The nodes that are objects of their own in the database, in the order of the DAG.
    pub fn objects(&self) -> Vec<UniqueId> {
        let mut order = self.order();
        order.retain(|id| self.is_built(id));
        order
    }

    /// All nodes but sources, in the order of the DAG.
    pub fn order(&self) -> Vec<UniqueId> {
        let all: BTreeSet<UniqueId> = self.dag.ids().cloned().collect();
        self.dag.order(&all)
    }

    pub(super) fn node(&self, id: &UniqueId) -> Result<&Node, CompileError> {
        self.manifest
            .nodes
            .get(id)
            .filter(|node| {
                !matches!(
                    node.resource_type,
                    ResourceType::Source | ResourceType::Exposure
                )
            })
            .ok_or_else(|| CompileError::UnknownNode(id.clone()))
    }
}

/// Nodes as far as they can be compiled.
#[derive(Debug, Clone, Default)]
pub struct CompiledInPart {
    /// All of them, in the order asked for.
    pub nodes: Vec<CompiledNode>,
    /// What is wrong with those that cannot be compiled, whatever a database answers.
    pub failed: BTreeMap<UniqueId, CompileError>,
}

impl CompiledInPart {
    /// Sets a node apart for an error that was found later.
    pub fn fail(&mut self, id: UniqueId, error: CompileError) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.unique_id == id) {
            node.statements.clear();
        }
        self.failed.insert(id, error);
    }
}

/// The file of a node's compiled text; several snapshots share one of their own.
fn output_path(node: &Node) -> std::path::PathBuf {
    match node.resource_type {
        ResourceType::Snapshot => node.path.with_file_name(format!("{}.sql", node.name)),
        _ => node.path.clone(),
    }
}

/// Why a node could not be compiled, and whether it had asked a database before.
struct NotRecorded {
    error: CompileError,
    asked: bool,
}

fn first(mut errors: CompileErrors) -> CompileError {
    errors.0.swap_remove(0)
}

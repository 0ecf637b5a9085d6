//! [`Compiler`]: a loaded project, parsed, ready to be compiled, recorded or built.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use minijinja::Value;
use rwt_project::Project;
use rwt_project::graph::Dag;
use rwt_project::manifest::{Manifest, Node, ResourceType, UniqueId};
use rwt_project::yaml::{SourceFile, Warning};
use serde_json::Value as Json;

use crate::compile::script::{Parts, schema_statements, script};
use crate::compile::{Body, CompiledNode};
use crate::error::{CompileError, CompileErrors};
use crate::jinja::{
    Jinja, NodeScope, Phase, Quiet, Relation, Reporter, Scope, Shared, SharedSession,
    TemplateError, from_json, lazy,
};
use crate::materialize::{
    BUILT_IN, BUILT_IN_MACROS, RecordedStatement, Recorder, Session, drop_statement, is_query, lend,
};
use crate::parse::{
    EPHEMERAL, Parser, References, cte_name, in_parallel, model_name, template_name,
};

/// What the command line says about how a project is compiled.
#[derive(Clone)]
pub struct Flags {
    /// `--full-refresh`
    pub full_refresh: bool,
    /// The command's name, for `flags.WHICH`.
    pub command: String,
    /// Where `log(…, info=True)`, `print` and `exceptions.warn` go.
    pub reporter: Arc<dyn Reporter>,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            full_refresh: false,
            command: "compile".to_owned(),
            reporter: Arc::new(Quiet),
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
        let (jinja, unreadable) = templates(&project, &mut errors);
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
        let dag = Dag::new(&manifest).map_err(CompileError::from)?;
        let references = Arc::new(References::new(&manifest));
        Ok(Self {
            project,
            jinja,
            shared,
            manifest,
            references,
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

    /// The invocation's id, as templates see it.
    pub fn invocation_id(&self) -> &str {
        &self.shared.invocation_id
    }

    /// A node's relation, with its kind where the materialization is a built-in one. None for a node that is no object
    /// of its own.
    pub fn relation_of(&self, id: &UniqueId) -> Option<Relation> {
        let node = self.manifest.nodes.get(id)?;
        (node.materialized != EPHEMERAL).then(|| References::relation(node))
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
        let built = nodes.filter(|node| {
            node.resource_type == ResourceType::Model && node.materialized != EPHEMERAL
        });
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

    /// The same for many nodes, in the order given.
    ///
    /// # Errors
    /// What is wrong with any of them.
    pub fn compile_all(&self, ids: &[UniqueId]) -> Result<Vec<CompiledNode>, CompileErrors> {
        let mut errors = Vec::new();
        let mut nodes = Vec::with_capacity(ids.len());
        let results = in_parallel(ids.len(), |index| self.record(&ids[index]));
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

    fn record(&self, id: &UniqueId) -> Result<CompiledNode, CompileError> {
        let node = self.node(id)?;
        let recorder = Arc::new(Mutex::new(self.recorder()));
        let session: SharedSession = recorder.clone();
        let body = self.body(node, &session)?;
        self.build(node, &body, &session)?;
        let statements = match recorder.lock() {
            Ok(mut recorder) => recorder.take_statements(),
            Err(poisoned) => poisoned.into_inner().take_statements(),
        };
        Ok(CompiledNode {
            unique_id: id.clone(),
            name: node.name.clone(),
            materialized: node.materialized.clone(),
            original_file_path: node.original_file_path.clone(),
            path: node.path.clone(),
            compiled_code: body.code,
            statements,
        })
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

    /// All nodes that are built, in the order of the DAG.
    pub fn order(&self) -> Vec<UniqueId> {
        let all: BTreeSet<UniqueId> = self.dag.ids().cloned().collect();
        self.dag.order(&all)
    }

    /// Builds a node through a session: renders its text, then runs its materialization, from its first hook to its last.
    /// Where the relation exists, nothing is executed.
    ///
    /// # Errors
    /// What its templates do wrong, or what the database refused, with the model's line.
    pub fn materialize(
        &self,
        id: &UniqueId,
        session: &mut dyn Session,
    ) -> Result<NodeResult, CompileError> {
        let node = self.node(id)?;
        lend(session, |session| {
            let body = self.body(node, &session)?;
            self.build(node, &body, &session)
        })?
    }

    /// Runs the project's hooks of one kind, in order.
    ///
    /// # Errors
    /// What their templates do wrong, or what the database refused, with the hook's line.
    pub fn run_hooks(
        &self,
        when: When,
        session: &mut dyn Session,
    ) -> Result<Vec<NodeResult>, CompileError> {
        let hooks = match when {
            When::Start => &self.project.file.on_run_start,
            When::End => &self.project.file.on_run_end,
        };
        if hooks.is_empty() {
            return Ok(Vec::new());
        }
        lend(session, |session| {
            hooks
                .iter()
                .map(|hook| self.run_hook(hook, &session))
                .collect()
        })?
    }

    fn run_hook(
        &self,
        hook: &rwt_project::project::Hook,
        session: &SharedSession,
    ) -> Result<NodeResult, CompileError> {
        const NAME: &str = "hook";
        let mut scope = self.scope(Phase::Materialize);
        scope.session = Some(session.clone());
        let here = |mut error: TemplateError| {
            for place in &mut error.places {
                if place.at.file().path() == Path::new(NAME) {
                    place.at = hook.at.within(&hook.text, place.at.range());
                }
            }
            CompileError::template(error, None)
        };
        let text = self
            .jinja
            .render_text(NAME, &hook.text, &Arc::new(scope))
            .map_err(here)?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(NodeResult {
                message: "nothing to do".to_owned(),
                changed: false,
                rows_affected: None,
            });
        }
        let response = match session.lock() {
            Ok(mut session) => session.execute(text),
            Err(poisoned) => poisoned.into_inner().execute(text),
        };
        let response = response.map_err(|refused| {
            let mut error = TemplateError::at(
                "rwt::database::error",
                refused.message.clone(),
                None,
                hook.at.file(),
                hook.at.range(),
            );
            error.database = Some(Box::new(refused));
            CompileError::template(error, None)
        })?;
        Ok(NodeResult {
            message: response.message,
            changed: true,
            rows_affected: response.rows_affected,
        })
    }

    fn node(&self, id: &UniqueId) -> Result<&Node, CompileError> {
        self.manifest
            .nodes
            .get(id)
            .filter(|node| node.resource_type == ResourceType::Model)
            .ok_or_else(|| CompileError::UnknownNode(id.clone()))
    }

    fn scope(&self, phase: Phase) -> Scope {
        Scope::new(Arc::clone(&self.shared), phase, self.references.clone())
    }

    fn node_scope(&self, node: &Node, phase: Phase, session: &SharedSession) -> Scope {
        let mut scope = self.scope(phase);
        scope.node = Some(NodeScope {
            unique_id: node.unique_id.0.clone(),
            name: node.name.clone(),
            package: node.package_name.clone(),
            materialized: node.materialized.clone(),
            this: References::relation(node),
            model: self.model(node),
        });
        scope.config = Arc::new(node.config.clone());
        scope.session = Some(session.clone());
        scope
    }

    /// `model`
    fn model(&self, node: &Node) -> Value {
        let manifest = Arc::clone(&self.manifest);
        let id = node.unique_id.clone();
        lazy(move || {
            manifest
                .nodes
                .get(&id)
                .map_or(Value::UNDEFINED, model_value)
        })
    }

    /// Renders a node's text, with the ephemeral models that it reads in front.
    fn body(&self, node: &Node, session: &SharedSession) -> Result<Body, CompileError> {
        let mut ctes = Vec::new();
        let mut seen = BTreeSet::new();
        let (mut body, refs) = self.own_body(node, session)?;
        self.collect_ctes(&refs, session, &mut seen, &mut ctes)?;
        if !ctes.is_empty() && !is_query(&body.own) {
            let file = SourceFile::new(&node.original_file_path, node.raw_code.as_str());
            let error = TemplateError::at(
                "rwt::compile::ephemeral_in_statement",
                format!("{} reads an ephemeral model, and its text is not a query", node.name),
                Some("an ephemeral model becomes part of a query: make it a view, or this text a query".to_owned()),
                &file,
                0..0,
            );
            return Err(CompileError::template(error, Some(node.into())));
        }
        body.add_ctes(&ctes);
        Ok(body)
    }

    fn own_body(
        &self,
        node: &Node,
        session: &SharedSession,
    ) -> Result<(Body, Vec<String>), CompileError> {
        let scope = self.node_scope(node, Phase::Compile, session);
        let template = node.original_file_path.display().to_string();
        let (rendered, scope) = self
            .jinja
            .render(&template, scope)
            .map_err(|error| CompileError::template(error, Some(node.into())))?;
        let refs = scope
            .captured()
            .refs
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        Ok((Body::new(rendered.text, rendered.lines), refs))
    }

    /// Ephemeral models among `refs` and below them, each after those that it reads itself.
    fn collect_ctes(
        &self,
        refs: &[String],
        session: &SharedSession,
        seen: &mut BTreeSet<String>,
        ctes: &mut Vec<(String, String)>,
    ) -> Result<(), CompileError> {
        for name in refs {
            let Some(node) = self
                .references
                .model(name)
                .filter(|node| node.materialized == EPHEMERAL)
            else {
                continue;
            };
            if seen.insert(name.clone()) {
                let (body, inner) = self.own_body(node, session)?;
                self.collect_ctes(&inner, session, seen, ctes)?;
                ctes.push((cte_name(name), body.code));
            }
        }
        Ok(())
    }

    /// Runs a node's materialization.
    fn build(
        &self,
        node: &Node,
        body: &Body,
        session: &SharedSession,
    ) -> Result<NodeResult, CompileError> {
        if node.materialized == EPHEMERAL {
            return Ok(NodeResult {
                message: "ephemeral".to_owned(),
                changed: false,
                rows_affected: None,
            });
        }
        let definition = self.jinja.macros().materialization(&node.materialized);
        let definition =
            definition.ok_or_else(|| CompileError::UnknownNode(node.unique_id.clone()))?;
        let mut scope = self.node_scope(node, Phase::Materialize, session);
        scope.extra.insert("sql", Value::from(body.code.as_str()));
        scope
            .extra
            .insert("compiled_code", Value::from(body.code.as_str()));
        scope.extra.insert("pre_hooks", hooks(node, "pre-hook"));
        scope.extra.insert("post_hooks", hooks(node, "post-hook"));
        let called = self.jinja.call(definition, &[], scope);
        let (_, scope) = called.map_err(|error| {
            CompileError::template(at_model(error, node, body), Some(node.into()))
        })?;
        let main = scope.result("main");
        Ok(NodeResult {
            changed: main.as_ref().is_none_or(|main| main.code != "skip"),
            rows_affected: main.as_ref().and_then(|main| main.rows_affected),
            message: main.map(|main| main.message).unwrap_or_default(),
        })
    }
}

/// Points a database's error at the model's line, where the statement holds the model's text.
fn at_model(mut error: TemplateError, node: &Node, body: &Body) -> TemplateError {
    let Some(refused) = &error.database else {
        return error;
    };
    let Some(line) = body.source_line(&refused.statement, refused.line) else {
        return error;
    };
    let file = SourceFile::new(&node.original_file_path, node.raw_code.as_str());
    let start: usize = node
        .raw_code
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let length = node.raw_code[start..]
        .lines()
        .next()
        .map_or(0, |line| line.trim_end().len());
    let note = if refused.line.is_some() {
        "here"
    } else {
        "in the statement that begins here"
    };
    let mut located = TemplateError::at(
        error.code,
        error.message.clone(),
        error.help.take(),
        &file,
        start..start + length,
    );
    for place in &mut located.places {
        note.clone_into(&mut place.note);
    }
    located.database = error.database;
    located
}

fn first(mut errors: CompileErrors) -> CompileError {
    errors.0.swap_remove(0)
}

/// A node's hooks as macros see them: `{sql, transaction, index}`.
fn hooks(node: &Node, key: &str) -> Value {
    let hooks = match node.config.get(key) {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(hooks)) => hooks.clone(),
        Some(hook) => vec![hook.clone()],
    };
    let hooks = hooks
        .into_iter()
        .enumerate()
        .map(|(index, hook)| match hook {
            Json::Object(mut hook) => {
                hook.entry("transaction").or_insert(Json::Bool(true));
                hook.insert("index".to_owned(), index.into());
                Json::Object(hook)
            }
            hook => serde_json::json!({ "sql": hook, "transaction": true, "index": index }),
        });
    from_json(&Json::Array(hooks.collect()))
}

/// `model` and `node` as macros see them.
fn model_value(node: &Node) -> Value {
    let mut value = serde_json::to_value(node).unwrap_or_default();
    if let Json::Object(fields) = &mut value {
        fields.insert("alias".to_owned(), node.identifier.as_str().into());
        fields.insert("relation_name".to_owned(), node.relation_name().into());
    }
    from_json(&value)
}

/// Reads all macros and models; names of models that cannot be read come back with their errors.
fn templates(project: &Project, errors: &mut Vec<CompileError>) -> (Jinja, BTreeSet<String>) {
    let mut jinja = Jinja::default();
    for file in &project.macros {
        let name = file.original_file_path.display().to_string();
        if let Err(found) = jinja.add_macros(project.name(), &name, &file.file) {
            errors.extend(
                found
                    .into_iter()
                    .map(|error| CompileError::template(error, None)),
            );
        }
    }
    for (name, text) in BUILT_IN_MACROS {
        if let Err(found) = jinja.add_macros(BUILT_IN, name, &SourceFile::new(name, text)) {
            errors.extend(
                found
                    .into_iter()
                    .map(|error| CompileError::template(error, None)),
            );
        }
    }
    let mut unreadable = BTreeSet::new();
    for model in &project.models {
        let name = template_name(model);
        if let Err(error) = jinja.add_template(&name, &model.file) {
            errors.push(CompileError::template(
                error,
                Some(model_name(&model.unique_id(), model)),
            ));
            unreadable.insert(name);
        }
    }
    (jinja, unreadable)
}

fn shared(project: &Project, flags: Flags, jinja: &Jinja) -> Shared {
    Shared {
        project_name: project.name().to_owned(),
        macros: Arc::clone(jinja.macros()),
        target: from_json(&project.target.to_value()),
        default_database: project.target.database.clone(),
        default_schema: project.target.schema.clone(),
        vars: project.vars.clone(),
        full_refresh: flags.full_refresh,
        command: flags.command,
        invocation_id: uuid::Uuid::new_v4().to_string(),
        started_at: chrono::Utc::now(),
        environment: project.environment.clone(),
        reporter: flags.reporter,
    }
}

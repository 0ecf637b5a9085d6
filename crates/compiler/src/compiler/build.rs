//! Building one node or hook: its text, its materialization, and where the database's complaints belong.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use indexmap::{IndexMap, IndexSet};
use minijinja::Value;
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_project::project::{FunctionProperties, Hook, ProjectFile};
use rwt_project::yaml::{Location, SourceFile};
use serde_json::Value as Json;

use super::batches::BatchRun;
use super::{Compiler, NodeResult, When};
use crate::artifacts::RunResult;
use crate::compile::Body;
use crate::error::CompileError;
use crate::jinja::{
    Level, NodeScope, Phase, Place, Scope, SharedSession, TemplateError, from_json, lazy, list,
    load_seed,
};
use crate::materialize::{DatabaseError, Session, is_query, lend};
use crate::parse::{
    EPHEMERAL, References, cte_name, declared, node_json, node_template, template_of,
};

impl Compiler {
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
        let batches = self.batches(node, session)?;
        lend(session, |session| match &batches {
            Some(batches) => self.build_batches(node, batches, &session),
            None => {
                let body = self.body(node, None, &session)?;
                self.build(node, &body, None, &session)
            }
        })?
    }

    /// The error for a statement of this node that was sent outside of its materialization and refused, with the model's
    /// line where the statement holds the model's text.
    pub fn refused(&self, id: &UniqueId, refused: DatabaseError) -> CompileError {
        let node = match self.node(id) {
            Ok(node) => node,
            Err(error) => return error,
        };
        let file = SourceFile::new(&node.original_file_path, node.raw_code.as_str());
        let message = refused.message.clone();
        let mut error = TemplateError::at("rwt::database::error", message, None, &file, 0..0);
        error.places.clear();
        error.database = Some(Box::new(refused));
        let session: SharedSession = Arc::new(Mutex::new(self.recorder()));
        // Its text was rendered before; where it cannot be any more, the error stays without a line.
        if let Ok(body) = self.body(node, None, &session) {
            error = self.at_node(error, node, &body);
        }
        CompileError::template(error, Some(node.into()))
    }

    /// Runs the project's hooks of one kind, in order. At the end nothing is known of how the nodes went: see
    /// [`Compiler::run_end_hooks`].
    ///
    /// # Errors
    /// What their templates do wrong, or what the database refused, with the hook's line.
    pub fn run_hooks(
        &self,
        when: When,
        session: &mut dyn Session,
    ) -> Result<Vec<NodeResult>, CompileError> {
        self.hooks(when, &[], session)
    }

    /// Runs the `on-run-end` hooks, which see how each node went as `results`.
    ///
    /// # Errors
    /// As [`Compiler::run_hooks`].
    pub fn run_end_hooks(
        &self,
        results: &[RunResult],
        session: &mut dyn Session,
    ) -> Result<Vec<NodeResult>, CompileError> {
        self.hooks(When::End, results, session)
    }

    /// Whether an `on-run-end` hook reads how the nodes went: then all of them are rendered when the run is over, and what
    /// they say is not known before.
    pub fn has_late_hooks(&self) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        self.project_hooks(When::End).any(|hook| {
            let mut words = hook.hook.text.split(|c: char| !is_part(c));
            words.any(|word| word == "results")
        })
    }

    /// Whether there are hooks of a kind, of the project or of a package.
    pub fn has_hooks(&self, when: When) -> bool {
        self.project_hooks(when).next().is_some()
    }

    /// The hooks of a kind in the order in which they run: those of packages by the packages' names, the project's last.
    fn project_hooks(&self, when: When) -> impl Iterator<Item = ProjectHook<'_>> {
        let packages = self.project.packages.iter().map(|package| &package.file);
        let mut files: Vec<&ProjectFile> = packages.collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files.push(&self.project.file);
        files.into_iter().flat_map(move |file| {
            let hooks = match when {
                When::Start => &file.on_run_start,
                When::End => &file.on_run_end,
            };
            let hooks = hooks.iter().enumerate();
            hooks.map(move |(index, hook)| ProjectHook { file, index, hook })
        })
    }

    fn hooks(
        &self,
        when: When,
        results: &[RunResult],
        session: &mut dyn Session,
    ) -> Result<Vec<NodeResult>, CompileError> {
        let hooks: Vec<ProjectHook<'_>> = self.project_hooks(when).collect();
        if hooks.is_empty() {
            return Ok(Vec::new());
        }
        let names = match when {
            When::Start => Vec::new(),
            When::End => self.end_names(results),
        };
        lend(session, |session| {
            hooks
                .iter()
                .map(|hook| self.run_hook(hook, &names, &session))
                .collect()
        })?
    }

    /// The hooks of the project file and of packages as dbt's manifest has them, `operation.<project>.<project>-on-run-start-0`,
    /// with what they read and call.
    pub(crate) fn hook_nodes(&self) -> Vec<(Node, When, usize)> {
        let kinds = [When::Start, When::End].into_iter();
        let hooks = kinds.flat_map(|when| self.project_hooks(when).map(move |hook| (when, hook)));
        hooks
            .map(|(when, ProjectHook { file, index, hook })| {
                let package = file.name.as_str();
                let name = format!("{package}-{}-{index}", when.key());
                // What a hook does wrong is told when it runs.
                let scope = Arc::new(self.hook_scope(file, Phase::Parse));
                let _ = self.jinja.render_text("hook", &hook.text, &scope);
                let captured = scope.captured();
                let reads = captured.refs.iter().chain(&captured.functions);
                let models = reads.filter_map(|reference| self.references.model(&reference.key()));
                let mut depends_on: Vec<UniqueId> =
                    models.map(|node| node.unique_id.clone()).collect();
                let sources = captured.sources.iter();
                depends_on
                    .extend(sources.filter_map(|key| self.references.source_id(key).cloned()));
                depends_on.sort();
                depends_on.dedup();
                let node = Node {
                    unique_id: UniqueId(format!("operation.{package}.{name}")),
                    resource_type: ResourceType::Model,
                    source_name: None,
                    package_name: package.to_owned(),
                    fqn: vec![package.to_owned(), "hooks".to_owned(), name.clone()],
                    original_file_path: format!("./{}", file.source.path().display()).into(),
                    path: format!("hooks/{name}.sql").into(),
                    database: self.shared.default_database.clone(),
                    schema: self.shared.default_schema.clone(),
                    identifier: name.clone(),
                    materialized: "view".to_owned(),
                    enabled: true,
                    tags: IndexSet::new(),
                    config: IndexMap::new(),
                    description: String::new(),
                    columns: IndexMap::new(),
                    raw_code: hook.text.clone(),
                    depends_on,
                    version: None,
                    property_file: None,
                    declared: declared(captured),
                    name,
                };
                (node, when, index)
            })
            .collect()
    }

    /// What `on-run-end` sees besides: `results`, `schemas`, `database_schemas`.
    fn end_names(&self, results: &[RunResult]) -> Vec<(&'static str, Value)> {
        let mut schemas: Vec<(&str, &str)> = Vec::new();
        let nodes = self.manifest.nodes.values();
        for node in
            nodes.filter(|node| node.resource_type.is_built() && node.materialized != EPHEMERAL)
        {
            let pair = (node.database.as_str(), node.schema.as_str());
            if !schemas.contains(&pair) {
                schemas.push(pair);
            }
        }
        let pair = |(database, schema): &(&str, &str)| {
            Value::from(minijinja::value::Tuple::from([
                Value::from(*database),
                Value::from(*schema),
            ]))
        };
        let results = results.iter().map(|result| {
            let node = UniqueId(result.unique_id.clone());
            let node = self.manifest.nodes.get(&node);
            let node = node.map_or(Json::Null, node_json);
            let mut result = serde_json::to_value(result).unwrap_or_default();
            if let Json::Object(fields) = &mut result {
                fields.insert("node".to_owned(), node);
            }
            from_json(&result)
        });
        vec![
            ("results", list(results)),
            (
                "schemas",
                list(schemas.iter().map(|(_, schema)| Value::from(*schema))),
            ),
            ("database_schemas", list(schemas.iter().map(pair))),
        ]
    }

    /// What a hook sees. That of a package sees the package's macros first, and its variables.
    fn hook_scope(&self, file: &ProjectFile, phase: Phase) -> Scope {
        let mut scope = self.scope(phase);
        if file.name != self.project.name() {
            scope.package = Some(file.name.clone());
        }
        scope
    }

    fn run_hook(
        &self,
        ProjectHook { file, hook, .. }: &ProjectHook<'_>,
        names: &[(&'static str, Value)],
        session: &SharedSession,
    ) -> Result<NodeResult, CompileError> {
        const NAME: &str = "hook";
        let mut scope = self.hook_scope(file, Phase::Materialize);
        scope.session = Some(session.clone());
        scope.extra.extend(names.iter().cloned());
        let here = |mut error: TemplateError| {
            for place in &mut error.places {
                if place.at.file().path() == Path::new(NAME) {
                    place.at = hook.at.within(&hook.text, place.at.range());
                }
            }
            CompileError::template(with_statement(error), None)
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
            Ok(mut session) => session.perform(text),
            Err(poisoned) => poisoned.into_inner().perform(text),
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
            CompileError::template(with_statement(error), None)
        })?;
        Ok(NodeResult {
            message: response.message,
            changed: true,
            rows_affected: response.rows_affected,
        })
    }

    pub(super) fn scope(&self, phase: Phase) -> Scope {
        Scope::new(Arc::clone(&self.shared), phase, self.reads(None, None))
    }

    pub(super) fn node_scope(&self, node: &Node, phase: Phase, session: &SharedSession) -> Scope {
        let mut scope = self.scope(phase);
        scope.resolver = self.reads(Some(node), None);
        let model = self.model(node, scope.particular());
        scope.node = Some(NodeScope {
            unique_id: node.unique_id.0.clone(),
            name: node.name.clone(),
            package: node.package_name.clone(),
            materialized: node.materialized.clone(),
            this: References::relation(node),
            model,
        });
        scope.config = Arc::new(node.config.clone());
        scope.session = Some(session.clone());
        scope
    }

    /// `model`, which notes that it was looked into.
    fn model(&self, node: &Node, looked_into: Arc<AtomicBool>) -> Value {
        let manifest = Arc::clone(&self.manifest);
        let id = node.unique_id.clone();
        let signature = self.project.properties.functions.get(&node.name);
        let signature = signature
            .filter(|_| node.resource_type == ResourceType::Function)
            .cloned();
        lazy(move || {
            looked_into.store(true, Ordering::Relaxed);
            let Some(node) = manifest.nodes.get(&id) else {
                return Value::UNDEFINED;
            };
            match &signature {
                Some(signature) => function_value(node, signature),
                None => model_value(node),
            }
        })
    }

    /// Renders a node's text, with the ephemeral models that it reads in front.
    pub(super) fn body(
        &self,
        node: &Node,
        batch: Option<&BatchRun>,
        session: &SharedSession,
    ) -> Result<Body, CompileError> {
        let (mut body, refs) = self.own_body(node, batch, session)?;
        let ctes = self.ctes(&refs, session)?;
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

    pub(super) fn own_body(
        &self,
        node: &Node,
        batch: Option<&BatchRun>,
        session: &SharedSession,
    ) -> Result<(Body, Vec<String>), CompileError> {
        let mut scope = self.node_scope(node, Phase::Compile, session);
        if let Some(batch) = batch {
            self.in_batch(&mut scope, node, batch);
            // The text asks as any model's does.
            scope.is_incremental_batch = false;
        }
        if node.resource_type == ResourceType::Seed {
            return Ok((Body::default(), Vec::new()));
        }
        let template = template(node);
        let (rendered, scope) = self
            .jinja
            .render(&template, scope)
            .map_err(|error| CompileError::template(error, Some(node.into())))?;
        if scope.has_undefined() && !is_live(session) {
            self.warn_of_undefined(node, &template, session);
        }
        let refs = read_keys(&scope);
        self.check_reads(node, &refs)?;
        let text = match node.resource_type {
            ResourceType::Snapshot => rendered.text + end_of_block(&node.raw_code),
            _ => rendered.text,
        };
        Ok((Body::new(text, rendered.lines), refs))
    }

    /// Refuses what a text reads only when it runs, as dbt does: nothing says then that it has to be built first.
    fn check_reads(&self, node: &Node, keys: &[String]) -> Result<(), CompileError> {
        let has_order = matches!(
            node.resource_type,
            ResourceType::Model | ResourceType::Snapshot | ResourceType::Test
        );
        let is_new = |read: &&Node| {
            read.unique_id != node.unique_id && !node.depends_on.contains(&read.unique_id)
        };
        let reads = keys.iter().filter_map(|key| self.references.model(key));
        let Some(read) = reads.filter(|_| has_order).find(is_new) else {
            return Ok(());
        };
        let name = &read.name;
        let message = format!(
            "{} reads {name} only when it runs, so that nothing says that {name} comes first",
            node.name
        );
        let help = format!(
            "dependencies are found while `execute` is false; write `-- depends_on: {{{{ ref('{name}') }}}}` at the top of the file"
        );
        let file = SourceFile::new(&node.original_file_path, node.raw_code.as_str());
        let code = "rwt::compile::hidden_dependency";
        let mut error = TemplateError::at(code, message, Some(help), &file, 0..0);
        let quoted = [format!("'{name}'"), format!("\"{name}\"")];
        let line = (node.raw_code.lines())
            .position(|line| quoted.iter().any(|quoted| line.contains(quoted.as_str())));
        error.places = line
            .map(|line| Place {
                at: line_of(node, line + 1),
                note: "here".to_owned(),
            })
            .into_iter()
            .collect();
        Err(CompileError::template(error, Some(node.into())))
    }

    /// Says what a model's text writes that is undefined, and where.
    fn warn_of_undefined(&self, node: &Node, template: &str, session: &SharedSession) {
        let scope = self.node_scope(node, Phase::Compile, session);
        if let Some(error) = self.jinja.undefined_in(template, scope) {
            let place = error.places.last().map(|place| {
                let at = &place.at;
                format!(" ({}:{})", at.file().path().display(), at.line())
            });
            let text = format!(
                "{}, and written as nothing{}",
                error.message,
                place.unwrap_or_default()
            );
            self.shared
                .reporter
                .message(Level::Warn, Some(&node.unique_id.0), &text);
        }
    }

    /// Ephemeral models among `refs` and below them, each after those that it reads itself.
    /// Names and queries of the ephemeral models that a text reads, those that another one reads before it.
    pub(super) fn ctes(
        &self,
        refs: &[String],
        session: &SharedSession,
    ) -> Result<Vec<(String, String)>, CompileError> {
        let mut ctes = Vec::new();
        self.collect_ctes(refs, session, &mut BTreeSet::new(), &mut ctes)?;
        Ok(ctes)
    }

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
            if seen.insert(node.ref_key()) {
                let (body, inner) = self.own_body(node, None, session)?;
                self.collect_ctes(&inner, session, seen, ctes)?;
                ctes.push((cte_name(node), body.as_cte().to_owned()));
            }
        }
        Ok(())
    }

    /// Runs a node's materialization.
    pub(super) fn build(
        &self,
        node: &Node,
        body: &Body,
        batch: Option<&BatchRun>,
        session: &SharedSession,
    ) -> Result<NodeResult, CompileError> {
        if node.materialized == EPHEMERAL {
            return Ok(NodeResult {
                message: "ephemeral".to_owned(),
                changed: false,
                rows_affected: None,
            });
        }
        let scope = self.run_materialization(node, body, batch, session)?;
        let main = scope.result("main");
        Ok(NodeResult {
            changed: main.as_ref().is_none_or(|main| main.code != "skip"),
            rows_affected: main.as_ref().and_then(|main| main.rows_affected),
            message: main.map(|main| main.message).unwrap_or_default(),
        })
    }

    /// Calls the macro of a node's materialization. Gives what it left behind.
    pub(super) fn run_materialization(
        &self,
        node: &Node,
        body: &Body,
        batch: Option<&BatchRun>,
        session: &SharedSession,
    ) -> Result<Arc<Scope>, CompileError> {
        let definition = self.jinja.macros().materialization(&node.materialized);
        let definition =
            definition.ok_or_else(|| CompileError::UnknownNode(node.unique_id.clone()))?;
        let mut scope = self.node_scope(node, Phase::Materialize, session);
        scope.extra.insert("sql", Value::from(body.code.as_str()));
        scope
            .extra
            .insert("compiled_code", Value::from(body.code.as_str()));
        let (before, behind) = match batch {
            Some(run) => (run.is_first, run.is_last),
            None => (true, true),
        };
        let hooks = |runs: bool, key: &str| if runs { hooks(node, key) } else { list([]) };
        scope.extra.insert("pre_hooks", hooks(before, "pre-hook"));
        scope.extra.insert("post_hooks", hooks(behind, "post-hook"));
        if let Some(batch) = batch {
            self.in_batch(&mut scope, node, batch);
        }
        if let Some(seed) = self.project.seed(node) {
            let file = Arc::clone(&seed.file);
            let config = Arc::clone(&scope.config);
            let path = node.original_file_path.display().to_string();
            let is_emptied = self.shared.empty;
            let load = move || {
                let delimiter = config.get("delimiter").and_then(Json::as_str);
                let types = config.get("column_types").and_then(Json::as_object);
                let as_text: Vec<String> = types
                    .into_iter()
                    .flat_map(|types| types.keys().cloned())
                    .collect();
                load_seed(
                    &path,
                    file.text(),
                    delimiter
                        .and_then(|text| text.chars().next())
                        .unwrap_or(','),
                    &as_text,
                    is_emptied,
                )
            };
            scope
                .extra
                .insert("load_agate_table", Value::from_function(load));
        }
        let called = self.jinja.call(definition, &[], scope);
        let (_, scope) = called.map_err(|error| {
            CompileError::template(self.at_node(error, node, body), Some(node.into()))
        })?;
        Ok(scope)
    }

    /// Points a database's error at the model's line, where the statement holds the model's text, or at the test in its
    /// property file.
    fn at_node(&self, mut error: TemplateError, node: &Node, body: &Body) -> TemplateError {
        let Some(refused) = &error.database else {
            return error;
        };
        let (at, note) = match self.jinja.written_at(&template(node)) {
            Some(at) => (at.clone(), "in the statement of this test"),
            None => match body.source_line(refused) {
                Some((line, true)) => (line_of(node, line), "here"),
                Some((line, false)) => (line_of(node, line), "in the statement that begins here"),
                None => return error,
            },
        };
        error.places = vec![Place {
            at,
            note: note.to_owned(),
        }];
        error
    }
}

/// A line of a node's file, counted from 1.
fn line_of(node: &Node, line: usize) -> Location {
    let file = SourceFile::new(&node.original_file_path, node.raw_code.as_str());
    let before = node.raw_code.split_inclusive('\n').take(line - 1);
    let start: usize = before.map(str::len).sum();
    let text = node.raw_code[start..].lines().next();
    let length = text.map_or(0, |line| line.trim_end().len());
    Location::new(file, start..start + length)
}

/// The template that a node's text is kept under.
fn template(node: &Node) -> String {
    match node.resource_type {
        // A generic test's file is the property file; its template is kept under its text.
        ResourceType::Test
            if node.raw_code.starts_with("{{ ") && is_yaml(&node.original_file_path) =>
        {
            template_of(&node.raw_code)
        }
        kind => node_template(&node.original_file_path, &node.name, kind),
    }
}

/// A hook of a project file, and its place among the file's hooks of its kind.
struct ProjectHook<'a> {
    file: &'a ProjectFile,
    index: usize,
    hook: &'a Hook,
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

fn is_live(session: &SharedSession) -> bool {
    session.lock().is_ok_and(|session| session.is_live())
}

/// The white space at the end of a block, of which Jinja takes one line end; that of a whole file counts for nothing.
fn end_of_block(text: &str) -> &str {
    let end = &text[text.trim_end().len()..];
    end.strip_suffix('\n').unwrap_or(end)
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yml" || extension == "yaml")
}

/// `model` and `node` as macros see them.
pub(super) fn model_value(node: &Node) -> Value {
    from_json(&node_json(node))
}

/// The keys of what a text read with `ref`.
pub(super) fn read_keys(scope: &Scope) -> Vec<String> {
    let refs = scope.captured().refs.into_iter();
    refs.map(|reference| reference.key()).collect()
}

/// `model` of a function: what it takes and returns besides.
fn function_value(node: &Node, signature: &FunctionProperties) -> Value {
    let mut value = node_json(node);
    let arguments = signature.arguments.iter().map(
        |argument| serde_json::json!({"name": argument.name, "data_type": argument.data_type}),
    );
    let language = match node
        .original_file_path
        .extension()
        .and_then(|extension| extension.to_str())
    {
        Some("js") => "javascript",
        Some("py") => "python",
        _ => "sql",
    };
    if let Json::Object(fields) = &mut value {
        fields.insert("arguments".to_owned(), arguments.collect());
        fields.insert(
            "returns".to_owned(),
            serde_json::json!({"data_type": signature.returns}),
        );
        fields.insert("language".to_owned(), language.into());
    }
    from_json(&value)
}

/// Says what was sent where none of the places shows it as it stands, because Jinja wrote it.
fn with_statement(mut error: TemplateError) -> TemplateError {
    let Some(refused) = &error.database else {
        return error;
    };
    let statement = refused.statement.trim();
    let shows = |place: &Place| place.at.file().text().contains(statement);
    if !statement.is_empty() && !error.places.iter().any(shows) {
        let sent = format!("the statement was: {}", rwt_sql::redact(statement));
        let hint = error.help.take().or_else(|| refused.hint());
        error.help = Some(match hint {
            Some(hint) => format!("{hint}\n{sent}"),
            None => sent,
        });
    }
    error
}

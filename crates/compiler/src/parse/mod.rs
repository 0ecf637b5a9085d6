//! The parse phase: every model is rendered once with `execute` false, which shows its configuration and what it reads.
//! The result is the [`Manifest`]. All errors are collected.

mod config_types;
mod deprecations;
mod exposures;
mod files;
mod groups;
mod naming;
mod resolve;
mod tests;
mod unit_tests;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;
use rwt_project::Project;
use rwt_project::manifest::{Column, Declared, Manifest, Node, ResourceType, UniqueId};
use rwt_project::project::{
    ModelFile, ModelProperties, PropertyConfig, ResolvedConfig, TestTarget, UnitTest, near_config,
};
use rwt_project::yaml::{SourceFile, Warning, nearest};
use serde_json::Value as Json;

use config_types::Configured;
pub(crate) use deprecations::deprecation_date;
pub(crate) use files::{file_template, node_template};
use resolve::AnyNames;
pub(crate) use resolve::{EPHEMERAL, Names, References, cte_name, node_json};
pub(crate) use tests::{generic_text, has_constants, python_repr, template_of};

use crate::error::{CompileError, CompileErrors, NodeName};
use crate::jinja::{
    Captured, Jinja, NodeScope, Phase, Relation, Resolve, Scope, Shared, TemplateError, from_json,
    lazy,
};
use crate::materialize::RENDERING_STACK;
use crate::microbatch::Microbatch;

/// What parsing needs.
pub struct Parser<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its macros and models, compiled.
    pub jinja: &'a Jinja,
    /// Target, variables, flags.
    pub shared: Arc<Shared>,
    names: Arc<Names>,
}

/// A model after its first rendering.
struct Parsed {
    node: Node,
    captured: Captured,
    warnings: Vec<Warning>,
}

impl<'a> Parser<'a> {
    /// A parser for a project whose templates are in `jinja`.
    pub fn new(project: &'a Project, jinja: &'a Jinja, shared: &Arc<Shared>) -> Self {
        let names = Names {
            packages: std::iter::once(project.name().to_owned())
                .chain(
                    project
                        .packages
                        .iter()
                        .map(|package| package.file.name.clone()),
                )
                .collect(),
            database: shared.default_database.clone(),
            schema: shared.default_schema.clone(),
            models: (project.models.iter().map(|model| model.name.clone()))
                .chain(project.seeds.iter().map(|seed| seed.name.clone()))
                .chain(
                    (project.functions.iter().chain(&project.snapshots))
                        .map(|file| file.name.clone()),
                )
                .collect(),
            versions: versions(project),
            sources: project.properties.sources.keys().cloned().collect(),
        };
        Self {
            project,
            jinja,
            shared: Arc::clone(shared),
            names: Arc::new(names),
        }
    }

    /// Parses every model that `skip` does not name, as one whose template could not be read.
    ///
    /// # Errors
    /// Everything that is wrong with any model.
    pub fn manifest(
        &self,
        skip: &dyn Fn(&ModelFile) -> bool,
    ) -> Result<(Manifest, Vec<Warning>), CompileErrors> {
        let models: Vec<&ModelFile> = self
            .project
            .models
            .iter()
            .filter(|model| !skip(model))
            .collect();
        let mut errors = Vec::new();
        let mut parsed = Vec::with_capacity(models.len());
        let results = in_parallel(models.len(), |index| self.parse(models[index]));
        let mut results = results.map_err(CompileError::from)?;
        let project = self.project;
        let unit_tests = self.unit_tests();
        let others = in_parallel(
            project.seeds.len()
                + project.functions.len()
                + project.snapshots.len()
                + project.tests.len()
                + project.properties.generic_tests.len()
                + unit_tests.len(),
            |index| self.other(index, &unit_tests),
        );
        results.extend(others.map_err(CompileError::from)?.into_iter().flatten());
        for result in results {
            match result {
                Ok(model) => parsed.push(model),
                Err(error) => errors.push(error),
            }
        }
        let warnings = parsed
            .iter_mut()
            .flat_map(|model| std::mem::take(&mut model.warnings));
        let mut warnings: Vec<Warning> = warnings.collect();
        let manifest = self.assemble(parsed, &mut errors);
        self.check_deprecations(&manifest, &mut errors, &mut warnings);
        if errors.is_empty() {
            Ok((manifest, warnings))
        } else {
            Err(CompileErrors(errors))
        }
    }

    /// Seeds, functions, snapshots, singular tests, generic tests and unit tests, counted through. None for a test of what is not there.
    fn other(
        &self,
        mut index: usize,
        unit_tests: &[(&UnitTest, Option<String>)],
    ) -> Option<Result<Parsed, CompileError>> {
        let project = self.project;
        if let Some(seed) = project.seeds.get(index) {
            return Some(self.file(seed, ResourceType::Seed));
        }
        index -= project.seeds.len();
        if let Some(function) = project.functions.get(index) {
            return Some(self.file(function, ResourceType::Function));
        }
        index -= project.functions.len();
        if let Some(snapshot) = project.snapshots.get(index) {
            return Some(self.file(snapshot, ResourceType::Snapshot));
        }
        index -= project.snapshots.len();
        if let Some(test) = project.tests.get(index) {
            return Some(self.singular_test(test));
        }
        index -= project.tests.len();
        let Some(test) = project.properties.generic_tests.get(index) else {
            index -= project.properties.generic_tests.len();
            let (test, version) = unit_tests.get(index)?;
            return Some(self.unit_test(test, version.as_ref()));
        };
        // What a property file describes and no file has, has a warning of its own.
        let there = match &test.target {
            TestTarget::Ref(name) => self.names.models.contains(name),
            TestTarget::Version(name, version) => {
                let versions = self.names.versions.get(name);
                versions.is_some_and(|versions| versions.contains(version))
            }
            TestTarget::Source(..) => true,
        };
        there.then(|| self.generic_test(test))
    }

    /// A description with its `doc()` and other Jinja rendered.
    fn described(&self, text: &str, scope: &Arc<Scope>) -> Result<String, TemplateError> {
        if !text.contains("{{") && !text.contains("{%") {
            return Ok(text.to_owned());
        }
        self.jinja.render_text("description", text, scope)
    }

    /// Renders the descriptions of a source table.
    fn describe_source(&self, node: &mut Node, scope: &Arc<Scope>, errors: &mut Vec<CompileError>) {
        let mut texts = vec![&mut node.description, &mut node.declared.source_description];
        texts.extend(
            node.columns
                .values_mut()
                .map(|column| &mut column.description),
        );
        for text in texts {
            match self.described(text, scope) {
                Ok(rendered) => *text = rendered,
                Err(error) => errors.push(CompileError::template(error, None)),
            }
        }
    }

    /// Columns with their descriptions rendered.
    fn described_columns(
        &self,
        properties: Option<&ModelProperties>,
        scope: &Arc<Scope>,
    ) -> Result<IndexMap<String, Column>, TemplateError> {
        let mut columns = properties.map(|p| p.columns.clone()).unwrap_or_default();
        for column in columns.values_mut() {
            column.description = self.described(&column.description, scope)?;
        }
        Ok(columns)
    }

    /// A value of a test's configuration with its Jinja rendered.
    fn rendered(&self, value: &Json, name: &str) -> Result<Json, TemplateError> {
        match value {
            Json::String(text) if text.contains("{{") || text.contains("{%") => {
                let scope = Scope::new(Arc::clone(&self.shared), Phase::Parse, self.names.clone());
                Ok(Json::from(self.jinja.render_text(
                    name,
                    text,
                    &Arc::new(scope),
                )?))
            }
            other => Ok(other.clone()),
        }
    }

    fn parse(&self, model: &ModelFile) -> Result<Parsed, CompileError> {
        let id = model.unique_id();
        let scope = self
            .read(&id, model, self.names.clone())
            .or_else(|error| self.disabled_by_itself(&id, model).ok_or(error))
            .map_err(|error| CompileError::template(error, Some(model_name(&id, model))))?;
        let config = self.project.resolve_config(model, &scope.captured().config);
        // Hooks read models too.
        for hook in hooks(&config.values, "pre-hook").chain(hooks(&config.values, "post-hook")) {
            self.jinja
                .render_text(&format!("hook of {}", model.name), hook, &scope)
                .map_err(|error| CompileError::template(error, Some(model_name(&id, model))))?;
        }
        let captured = scope.captured();
        let node = self
            .node(id.clone(), model, config, &scope)
            .map_err(|error| CompileError::template(error, Some(model_name(&id, model))))?;
        let keys = captured.config.keys();
        let warnings = keys
            .filter_map(|key| unknown_config(&model.file, key))
            .collect();
        Ok(Parsed {
            node,
            captured,
            warnings,
        })
    }

    /// Renders a model's text for what it says of itself.
    fn read(
        &self,
        id: &UniqueId,
        model: &ModelFile,
        names: Arc<dyn Resolve>,
    ) -> Result<Arc<Scope>, TemplateError> {
        let before = self.project.resolve_config(model, &IndexMap::new());
        let this = Relation::new(
            &self.shared.default_database,
            &self.shared.default_schema,
            before.text("alias").unwrap_or(&model.default_alias()),
        );
        let materialized = before.materialized().to_owned();
        let mut scope = Scope::new(Arc::clone(&self.shared), Phase::Parse, names);
        scope.config = Arc::new(before.values);
        scope.node = Some(NodeScope {
            unique_id: id.0.clone(),
            name: model.name.clone(),
            package: model.fqn.first().cloned().unwrap_or_default(),
            materialized,
            this,
            model: model_value(id, model, &scope.config),
        });
        let (_, scope) = self.jinja.render(&template_name(model), scope)?;
        Ok(scope)
    }

    /// A model that is disabled may read what is not there, as in dbt.
    fn disabled_by_itself(&self, id: &UniqueId, model: &ModelFile) -> Option<Arc<Scope>> {
        let names = AnyNames::like(&self.names);
        let scope = self.read(id, model, Arc::new(names)).ok()?;
        let config = self.project.resolve_config(model, &scope.captured().config);
        (!config.enabled()).then_some(scope)
    }

    fn node(
        &self,
        id: UniqueId,
        model: &ModelFile,
        mut config: ResolvedConfig,
        scope: &Arc<Scope>,
    ) -> Result<Node, TemplateError> {
        let property = self.project.properties.models.get(&model.key());
        self.check_config(
            &Configured {
                what: "model",
                name: &model.name,
                property: property.map(|property| &property.config),
                file: &model.file,
            },
            &config,
        )?;
        match Microbatch::of(&model.name, &config.values) {
            Ok(None) => {}
            Ok(Some(microbatch)) => {
                let begin = Json::from(microbatch.begin());
                config.values.insert("begin".to_owned(), begin);
            }
            Err((key, message)) => return Err(self.wrong_batches(model, key, message)),
        }
        let properties = self.project.properties.models.get(&model.key());
        let custom = |key: &str| config.text(key).map(str::to_owned);
        let value = || model_value(&id, model, &Arc::new(config.values.clone()));
        let naming = self.name(custom, &model.default_alias(), &value)?;
        let materialized = config.materialized().to_owned();
        let default = || Json::from(materialized.as_str());
        config
            .values
            .entry("materialized".to_owned())
            .or_insert_with(default);
        if let Some(Json::Object(contract)) = config.values.get_mut("contract") {
            contract.entry("enforced").or_insert(Json::Bool(false));
            contract.entry("alias_types").or_insert(Json::Bool(true));
        }
        if materialized != EPHEMERAL && self.jinja.macros().materialization(&materialized).is_none()
        {
            return Err(self.unknown_materialization(model, &materialized));
        }
        Ok(Node {
            unique_id: id,
            resource_type: ResourceType::Model,
            name: model.name.clone(),
            source_name: None,
            package_name: model.fqn.first().cloned().unwrap_or_default(),
            fqn: model.fqn.clone(),
            original_file_path: model.original_file_path.clone(),
            path: model.path.clone(),
            database: naming.database,
            schema: naming.schema,
            identifier: naming.identifier,
            enabled: config.enabled(),
            tags: config.tags(),
            materialized,
            config: config.values,
            description: self
                .described(properties.map_or("", |p| p.description.as_str()), scope)?,
            columns: self.described_columns(properties, scope)?,
            raw_code: model.file.text().to_owned(),
            depends_on: Vec::new(),
            version: model.version.clone(),
            property_file: properties.map(|p| p.at.file().path().to_path_buf()),
            declared: Declared::default(),
        })
    }

    fn wrong_batches(&self, model: &ModelFile, key: &str, message: String) -> TemplateError {
        let properties = self.project.properties.models.get(&model.key());
        let property = properties.and_then(|properties| properties.config.get(key));
        let (file, range) = match property {
            Some((_, at)) => (at.file(), at.range()),
            None => {
                let range = find_word(model.file.text(), key);
                (&model.file, range.unwrap_or(0..0))
            }
        };
        let help = "for example config(materialized='incremental', incremental_strategy='microbatch', \
                    event_time='created_at', begin='2024-01-01', batch_size='day')";
        let help = Some(help.to_owned());
        TemplateError::at("rwt::compile::microbatch", message, help, file, range)
    }

    fn unknown_materialization(&self, model: &ModelFile, name: &str) -> TemplateError {
        let mut known = self.jinja.macros().materializations();
        known.push(EPHEMERAL.to_owned());
        let help = nearest(name, known.iter().map(String::as_str)).map_or_else(
            || format!("known are: {}", known.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("model {}: there is no materialization `{name}`", model.name);
        let properties = self.project.properties.models.get(&model.key());
        let property = properties.and_then(|properties| properties.config.get("materialized"));
        let (file, range) = match property {
            Some((value, at)) if value == name => (at.file(), at.range()),
            _ => [&model.file, &self.project.file.source]
                .into_iter()
                .find_map(|file| Some((file, find_word(file.text(), name)?)))
                .unwrap_or((&model.file, 0..0)),
        };
        let code = "rwt::compile::unknown_materialization";
        TemplateError::at(code, message, Some(help), file, range)
    }

    /// Puts nodes together, with what they read; disabled ones are left out.
    fn assemble(&self, parsed: Vec<Parsed>, errors: &mut Vec<CompileError>) -> Manifest {
        let mut nodes: BTreeMap<UniqueId, Node> = BTreeMap::new();
        let mut disabled = Vec::new();
        let mut sources: BTreeMap<(String, String), (UniqueId, bool)> = BTreeMap::new();
        let here = Arc::new(Scope::new(
            Arc::clone(&self.shared),
            Phase::Parse,
            self.names.clone(),
        ));
        for mut node in self.project.source_nodes() {
            self.describe_source(&mut node, &here, errors);
            self.check_source(&node, errors);
            let key = (
                node.source_name.clone().unwrap_or_default(),
                node.name.clone(),
            );
            sources.insert(key, (node.unique_id.clone(), node.enabled));
            if node.enabled {
                nodes.insert(node.unique_id.clone(), node);
            } else {
                disabled.push(node);
            }
        }
        let models: BTreeMap<String, (UniqueId, bool)> = parsed
            .iter()
            .filter(|parsed| !parsed.node.resource_type.is_test())
            .flat_map(|model| {
                let node = &model.node;
                let found = (node.unique_id.clone(), node.enabled);
                let keys = node.ref_keys().into_iter();
                keys.map(move |key| (key, found.clone()))
            })
            .collect();
        for Parsed {
            mut node, captured, ..
        } in parsed
        {
            if !node.enabled {
                declare(&mut node, captured);
                disabled.push(node);
                continue;
            }
            for reference in captured.refs.iter().chain(&captured.functions) {
                let name = &reference.key();
                // A model that is not here has its own error.
                let Some((id, enabled)) = models.get(name) else {
                    continue;
                };
                if *enabled {
                    node.depends_on.push(id.clone());
                } else if node.resource_type.is_test() {
                    // dbt leaves out the tests of what is disabled.
                    node.enabled = false;
                } else {
                    errors.push(self.disabled(&node, name, "model"));
                }
            }
            for (source, table) in &captured.sources {
                let Some((id, enabled)) = sources.get(&(source.clone(), table.clone())) else {
                    continue;
                };
                if *enabled {
                    node.depends_on.push(id.clone());
                } else if node.resource_type.is_test() {
                    node.enabled = false;
                } else {
                    errors.push(self.disabled(&node, table, "source table"));
                }
            }
            declare(&mut node, captured);
            if !node.enabled {
                disabled.push(node);
                continue;
            }
            node.depends_on.sort();
            node.depends_on.dedup();
            nodes.insert(node.unique_id.clone(), node);
        }
        for node in self.exposures(&models, &sources, &mut disabled, errors) {
            nodes.insert(node.unique_id.clone(), node);
        }
        self.ambiguous(&nodes, errors);
        self.check_groups(&nodes, errors);
        disabled.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
        Manifest {
            project_name: self.project.name().to_owned(),
            nodes: nodes.into_iter().collect(),
            disabled,
        }
    }

    /// Tells a value of a source table's configuration that cannot be meant.
    fn check_source(&self, node: &Node, errors: &mut Vec<CompileError>) {
        let source = node.source_name.clone().unwrap_or_default();
        let table = self
            .project
            .properties
            .sources
            .get(&(source, node.name.clone()));
        let levels = table.into_iter().flat_map(|table| &table.configs);
        let config = ResolvedConfig {
            values: node.config.clone(),
        };
        // The table's own words come after the source's, and replace them.
        let said: PropertyConfig = levels
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let configured = Configured {
            what: "source table",
            name: &node.name,
            property: Some(&said),
            file: &self.project.file.source,
        };
        if let Err(error) = self.check_config(&configured, &config) {
            errors.push(CompileError::template(error, Some(node.into())));
        }
    }

    fn disabled(&self, node: &Node, name: &str, what: &str) -> CompileError {
        let file = SourceFile::new(&node.original_file_path, node.raw_code.as_str());
        let error = located(
            "rwt::jinja::disabled_ref",
            format!("{} reads the {what} `{name}`, which is disabled", node.name),
            Some(format!("enable {name}, or disable {} too", node.name)),
            &file,
            name,
        );
        CompileError::template(error, Some(node.into()))
    }

    /// Two models with one relation would overwrite each other.
    fn ambiguous(&self, nodes: &BTreeMap<UniqueId, Node>, errors: &mut Vec<CompileError>) {
        let mut relations: BTreeMap<String, &Node> = BTreeMap::new();
        for node in nodes
            .values()
            .filter(|node| node.resource_type.is_built() && node.materialized != EPHEMERAL)
        {
            if let Some(first) = relations.insert(node.relation_name(), node) {
                let file = SourceFile::new(&node.original_file_path, node.raw_code.as_str());
                let error = located(
                    "rwt::compile::ambiguous_relation",
                    format!(
                        "{} and {} are both {}",
                        first.name,
                        node.name,
                        node.relation_name()
                    ),
                    Some("give one of them another alias or schema".to_owned()),
                    &file,
                    &node.identifier,
                );
                errors.push(CompileError::template(error, Some(node.into())));
            }
        }
    }
}

/// The versions of the models that have them, as text.
fn versions(project: &Project) -> HashMap<String, Vec<String>> {
    let mut versions: HashMap<String, Vec<String>> = HashMap::new();
    for model in &project.models {
        if let Some(version) = &model.version {
            let known = versions.entry(model.name.clone()).or_default();
            known.push(version.text());
        }
    }
    versions
}

/// What a rendering showed, as a node keeps it.
pub(crate) fn declared(captured: Captured) -> Declared {
    Declared {
        refs: captured.refs.into_iter().collect(),
        sources: captured.sources.into_iter().collect(),
        functions: captured.functions.into_iter().collect(),
        macros: captured.macros.into_iter().collect(),
        config: captured.config,
        source_description: String::new(),
        test: None,
    }
}

/// Adds what the first rendering of a node's text showed to what its property file says.
fn declare(node: &mut Node, captured: Captured) {
    let mut found = declared(captured);
    let before = std::mem::take(&mut node.declared);
    let mut config = before.config;
    config.extend(found.config);
    found.config = config;
    found.test = before.test;
    node.declared = found;
}

/// An error at the first place in a file where a word stands, or at the file's start.
fn located(
    code: &'static str,
    message: String,
    help: Option<String>,
    file: &Arc<SourceFile>,
    word: &str,
) -> TemplateError {
    let range = find_word(file.text(), word).unwrap_or(0..0);
    TemplateError::at(code, message, help, file, range)
}

/// Where a word stands in a text: in quotes if it does so anywhere, else by itself.
fn find_word(text: &str, word: &str) -> Option<Range<usize>> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let places: Vec<usize> = text
        .match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| !text[..*at].ends_with(part) && !text[at + word.len()..].starts_with(part))
        .collect();
    let quoted = |at: &&usize| text[..**at].ends_with(['\'', '"']);
    let at = *places.iter().find(quoted).or_else(|| places.first())?;
    Some(at..at + word.len())
}

/// A warning for a key of `config()` that is near to one that exists. A materialization of the project may read keys of
/// its own, so that other unknown keys are fine.
fn unknown_config(file: &Arc<SourceFile>, key: &str) -> Option<Warning> {
    let near = near_config(key)?;
    let range = find_word(file.text(), key).unwrap_or(0..0);
    Some(Warning::UnknownConfig {
        path: file.path().display().to_string(),
        key: key.to_owned(),
        help: format!("did you mean `{near}`?"),
        file: Arc::clone(file),
        at: range.into(),
    })
}

/// The name under which a model's template is kept and shown.
pub fn template_name(model: &ModelFile) -> String {
    model.original_file_path.display().to_string()
}

/// The texts of a configuration's hooks.
fn hooks<'a>(config: &'a IndexMap<String, Json>, key: &str) -> impl Iterator<Item = &'a str> {
    let hooks = config
        .get(key)
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    hooks.filter_map(|hook| hook.as_str().or_else(|| hook.get("sql")?.as_str()))
}

/// What errors call a model.
pub(crate) fn model_name<'a>(id: &'a UniqueId, model: &'a ModelFile) -> NodeName<'a> {
    NodeName {
        unique_id: id,
        name: &model.name,
        original_file_path: &model.original_file_path,
    }
}

/// What macros see as `model` and as `node`.
fn model_value(id: &UniqueId, model: &ModelFile, config: &Arc<IndexMap<String, Json>>) -> Value {
    let (id, model, config) = (id.clone(), model.clone(), Arc::clone(config));
    lazy(move || {
        from_json(&serde_json::json!({
            "unique_id": id.0,
            "resource_type": "model",
            "name": model.name,
            "alias": config.get("alias").and_then(Json::as_str).map_or_else(|| model.default_alias(), str::to_owned),
            "version": model.version.as_ref().map(|version| &version.v),
            "latest_version": model.version.as_ref().map(|version| &version.latest),
            "package_name": model.fqn.first(),
            "fqn": model.fqn,
            "path": model.path,
            "original_file_path": model.original_file_path,
            "config": *config,
            "tags": config.get("tags"),
        }))
    })
}

/// Runs `work` for each index on a few threads whose stacks are large enough for rendering, and keeps the results in order.
///
/// # Errors
/// The system has no thread to give.
pub(crate) fn in_parallel<R: Send>(
    count: usize,
    work: impl Fn(usize) -> R + Sync,
) -> std::io::Result<Vec<R>> {
    rwt_project::in_parallel_with_stack(count, 16, RENDERING_STACK, work)
}

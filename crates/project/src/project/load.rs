//! Reading a project from disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::config::{ResolvedConfig, check_tree, resolve};
use super::discover::{Discovered, MacroFile, ModelFile, NodeFile, discover, duplicate_models};
use super::error::ProjectError;
use super::file::{self, ProjectFile};
use super::packages::{Loader, Package, prefixed};
use super::properties::{ModelProperties, Properties, PropertyConfig, Reader};
use super::snapshots::of_entry;
use super::sources::source_fqn;
use super::unit_tests::FixtureFile;
use super::versions::apply_versions;
use crate::environment::{self, Environment};
use crate::error::{LoadError, LoadErrors};
use crate::manifest::{Node, ResourceType};
use crate::parallel::in_parallel;
use crate::profile::{self, ProfileOptions, Target};
use crate::yaml::{
    Render, Scope, SourceFile, Warning, Yaml, YamlError, nearest, parse, render_tree,
};

/// What the command line says about where a project is and how it is read. Whatever is absent comes from
/// [`crate::environment`] or a default.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `--project-dir`.
    pub project_dir: Option<PathBuf>,
    /// `--profiles-dir`.
    pub profiles_dir: Option<PathBuf>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--target-path`.
    pub target_path: Option<PathBuf>,
    /// `--packages-install-path`.
    pub packages_install_path: Option<PathBuf>,
    /// `--vars`; [`parse_mapping`] reads their text.
    pub vars: IndexMap<String, Value>,
    /// Environment; the process's unless a test says otherwise.
    pub environment: Environment,
}

/// A project with its target, as read from disk. Nothing in it is compiled.
#[derive(Debug, Clone)]
pub struct Project {
    /// The project's directory, as given or found.
    pub root: PathBuf,
    /// The project file.
    pub file: ProjectFile,
    /// The target.
    pub target: Target,
    /// What `var` knows: the project's vars, then `--vars`.
    pub vars: IndexMap<String, Value>,
    /// `--vars` alone.
    pub cli_vars: IndexMap<String, Value>,
    /// Where artifacts are written.
    pub target_path: PathBuf,
    /// Models, in the order of their paths.
    pub models: Vec<ModelFile>,
    /// Files of macros, in the order of their paths.
    pub macros: Vec<MacroFile>,
    /// Seeds, in the order of their paths.
    pub seeds: Vec<NodeFile>,
    /// Singular tests, in the order of their paths.
    pub tests: Vec<NodeFile>,
    /// Functions, in the order of their paths.
    pub functions: Vec<NodeFile>,
    /// Snapshots, in the order of their paths, those of property files last.
    pub snapshots: Vec<NodeFile>,
    /// Rows of unit tests that have files of their own.
    pub fixtures: Vec<FixtureFile>,
    /// Packages, in the order in which they are named.
    pub packages: Vec<Package>,
    /// Files that may hold docs blocks.
    pub docs: Vec<Arc<SourceFile>>,
    /// What the property files say.
    pub properties: Properties,
    /// What is allowed and probably not meant, in the order found.
    pub warnings: Vec<Warning>,
    /// The environment it was loaded with.
    pub environment: Environment,
}

impl Project {
    /// Finds and reads the project, its target, its files and its properties. `render` renders the Jinja in YAML files.
    ///
    /// # Errors
    /// As much of what is wrong as can be told at once.
    pub fn load(options: &LoadOptions, render: &Render<'_>) -> Result<Self, LoadErrors> {
        let (project, errors) = Self::load_in_part(options, render)?;
        if errors.is_empty() {
            Ok(project)
        } else {
            Err(LoadErrors(errors))
        }
    }

    /// The same, for who wants to know all that is wrong: the project without what could not be read, and the errors.
    ///
    /// # Errors
    /// The project file, the profile or the target is such that nothing else can be looked at.
    pub fn load_in_part(
        options: &LoadOptions,
        render: &Render<'_>,
    ) -> Result<(Self, Vec<LoadError>), LoadErrors> {
        let (root, path) = find(options)?;
        let source = read_source(&root, path)?;
        let yaml = parse(&source).map_err(many)?;
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        let own = vars_file(&root, &yaml, &mut errors);
        let known: IndexMap<String, Value> = own
            .iter()
            .flatten()
            .chain(&options.vars)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let target = profile::load(
            &profile_options(options, &root, &source, &yaml),
            render,
            &options.vars,
            &mut warnings,
        )
        .map_err(|found| errors.extend(found))
        .ok();
        let rendered = match &target {
            Some(target) => {
                let scope = Scope {
                    vars: &known,
                    target: Some(target),
                };
                let mut failures = Vec::new();
                let late = &file::is_rendered_late;
                let rendered = render_tree(&yaml, render, &scope, late, &mut failures);
                errors.extend(failures.into_iter().map(LoadError::from));
                rendered
            }
            // Without a target nothing can be rendered; the rest of the file can still be looked at.
            None => yaml.clone(),
        };
        let Some(mut file) = file::read(&source, &rendered, yaml, &mut errors, &mut warnings)
        else {
            return Err(LoadErrors(errors));
        };
        if let Some(own) = own {
            file.vars = file::vars_of(own, Some(&file.name));
        }
        if let Some(path) = &options.packages_install_path {
            file.packages_install_path.clone_from(path);
        }
        let mut found = discover(&root, &file, &mut errors, &mut warnings);
        let mut vars = file.vars.clone();
        vars.extend(options.vars.clone());
        let Some(target) = target else {
            return Err(LoadErrors(errors));
        };
        let loader = Loader {
            root: &root,
            project: &file,
            target: &target,
            cli_vars: &options.vars,
            render,
        };
        let packages = loader.packages(&mut errors, &mut warnings);
        let mut model_paths: Vec<PathBuf> = file.all_paths().collect();
        for package in &packages {
            let inside = prefixed(&package.directory, &package.file);
            found.add(discover(&root, &inside, &mut errors, &mut Vec::new()));
            model_paths.extend(inside.all_paths());
        }
        duplicate_models(&file, &found.models, &mut errors);
        let trees = parse_all(&found, &mut errors);
        let mut reader = Reader {
            render,
            scope: Scope {
                vars: &vars,
                target: Some(&target),
            },
            models: &found.models,
            model_names: found
                .models
                .iter()
                .map(|model| model.name.as_str())
                .collect(),
            model_paths: &model_paths,
            errors: &mut errors,
            warnings: &mut warnings,
            properties: Properties::default(),
        };
        for tree in &trees {
            reader.file(tree);
        }
        let properties = reader.properties;
        let entries = properties.snapshot_entries.iter();
        found
            .snapshots
            .extend(entries.map(|entry| of_entry(&file.name, entry)));
        apply_versions(&properties, &mut found.models, &mut warnings);
        check_described(&found, &properties, &mut warnings);
        check_configs(&file, &found, &properties, &mut warnings);
        let project = Self {
            target_path: root.join(target_path(options, &file)),
            root,
            file,
            target,
            vars,
            cli_vars: options.vars.clone(),
            models: found.models,
            macros: found.macros,
            seeds: found.seeds,
            tests: found.tests,
            functions: found.functions,
            snapshots: found.snapshots,
            fixtures: found.fixtures,
            docs: found.docs,
            packages,
            properties,
            warnings,
            environment: options.environment.clone(),
        };
        Ok((project, errors))
    }

    /// Reads the project file alone. What only a target tells is left as it is written.
    ///
    /// # Errors
    /// There is no project file, or it is not one.
    pub fn load_file(
        options: &LoadOptions,
        render: &Render<'_>,
    ) -> Result<(PathBuf, ProjectFile), LoadErrors> {
        let (root, path) = find(options)?;
        let source = read_source(&root, path)?;
        let yaml = parse(&source).map_err(many)?;
        let scope = Scope {
            vars: &options.vars,
            target: None,
        };
        let late = &file::is_rendered_late;
        let rendered = render_tree(&yaml, render, &scope, late, &mut Vec::new());
        let mut errors = Vec::new();
        match file::read(&source, &rendered, yaml, &mut errors, &mut Vec::new()) {
            Some(file) => Ok((root, file)),
            None => Err(LoadErrors(errors)),
        }
    }

    /// The project's name, which is its package's.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// The configuration of a model: the project file's folders by `fqn`, then the property file's, then `in_file`,
    /// what `config()` in the model says. A model without properties resolves without them.
    pub fn resolve_config(
        &self,
        model: &ModelFile,
        in_file: &IndexMap<String, Value>,
    ) -> ResolvedConfig {
        let property = self.properties.models.get(&model.key());
        resolve(
            &self.trees(&model.fqn, |file| file.models.as_ref()),
            &model.fqn,
            property.map(|property| &property.config),
            in_file,
        )
    }

    /// The configuration of a node as it is written, Jinja of the project file unrendered: what dbt compares to tell
    /// whether a configuration has changed.
    pub fn written_config(&self, node: &Node) -> IndexMap<String, Value> {
        let keys: &[&str] = match node.resource_type {
            ResourceType::Model => &["models"],
            ResourceType::Source => &["sources"],
            ResourceType::Seed => &["seeds"],
            ResourceType::Test => &["data_tests", "tests"],
            ResourceType::Function => &["functions"],
            ResourceType::Snapshot => &["snapshots"],
            ResourceType::Exposure => &["exposures"],
            ResourceType::UnitTest => &["unit_tests"],
        };
        let trees = self.trees(&node.fqn, |file| {
            keys.iter().find_map(|key| file.written.get(key))
        });
        let property = self.properties_of(node).map(|found| &found.config);
        let mut config = resolve(
            &trees,
            &node.fqn,
            property.filter(|_| node.resource_type != ResourceType::Test),
            &IndexMap::new(),
        );
        if let Some(source) = &node.source_name {
            let key = (source.clone(), node.name.clone());
            let table = self.properties.sources.get(&key);
            for (key, (value, _)) in table.into_iter().flat_map(|table| &table.configs).flatten() {
                config.lay(key, value.clone());
            }
        }
        let exposure = self.properties.exposures.get(&node.name);
        let exposure = exposure.filter(|_| node.resource_type == ResourceType::Exposure);
        for (key, (value, _)) in exposure.into_iter().flat_map(|found| &found.config) {
            config.lay(key, value.clone());
        }
        for (key, value) in &node.declared.config {
            config.lay(key, value.clone());
        }
        config.values
    }

    /// What a property file says about a model, seed, snapshot, function or singular test.
    pub fn properties_of(&self, node: &Node) -> Option<&ModelProperties> {
        let properties = &self.properties;
        match node.resource_type {
            ResourceType::Model => properties.models.get(&node.ref_key()),
            ResourceType::Seed => properties.seeds.get(&node.name),
            ResourceType::Snapshot => properties.snapshots.get(&node.name),
            ResourceType::Function => properties.functions.get(&node.name).map(|f| &f.node),
            ResourceType::Test if node.declared.test.is_none() => properties.tests.get(&node.name),
            ResourceType::Test
            | ResourceType::Source
            | ResourceType::Exposure
            | ResourceType::UnitTest => None,
        }
    }

    /// The trees of folder configs that a node's package has, the root project's last.
    pub(super) fn trees<'a>(
        &'a self,
        fqn: &[String],
        tree: impl Fn(&'a ProjectFile) -> Option<&'a Yaml>,
    ) -> Vec<&'a Yaml> {
        let package = self
            .packages
            .iter()
            .find(|package| Some(&package.file.name) == fqn.first());
        package
            .and_then(|package| tree(&package.file))
            .into_iter()
            .chain(tree(&self.file))
            .collect()
    }

    /// The package that a file belongs to, by its path from the root project, and the path inside of the package.
    pub fn package_of<'a>(&'a self, file: &'a Path) -> (&'a str, &'a Path) {
        let inside = |package: &'a Package| {
            Some((
                package.file.name.as_str(),
                file.strip_prefix(&package.directory).ok()?,
            ))
        };
        self.packages
            .iter()
            .find_map(inside)
            .unwrap_or((self.name(), file))
    }

    /// What `var` knows in the nodes of a package.
    pub fn vars_of(&self, package: &str) -> &IndexMap<String, Value> {
        let package = self
            .packages
            .iter()
            .find(|known| known.file.name == package);
        package.map_or(&self.vars, |package| &package.vars)
    }
}

impl Project {
    /// The file of a seed.
    pub fn seed(&self, node: &Node) -> Option<&NodeFile> {
        if node.resource_type != ResourceType::Seed {
            return None;
        }
        self.seeds.iter().find(|seed| seed.fqn == node.fqn)
    }

    /// The snapshot that a node was made of.
    pub fn snapshot(&self, node: &Node) -> Option<&NodeFile> {
        if node.resource_type != ResourceType::Snapshot {
            return None;
        }
        self.snapshots
            .iter()
            .find(|snapshot| snapshot.fqn == node.fqn)
    }

    /// The configuration of a seed, function or snapshot, `own` being what its property file says.
    pub fn resolve_file_config(
        &self,
        kind: ResourceType,
        fqn: &[String],
        own: &IndexMap<String, Value>,
    ) -> ResolvedConfig {
        let trees = self.trees(fqn, |file| match kind {
            ResourceType::Seed => file.seeds.as_ref(),
            ResourceType::Function => file.functions.as_ref(),
            ResourceType::Snapshot => file.snapshots.as_ref(),
            _ => None,
        });
        resolve(&trees, fqn, None, own)
    }

    /// The same for a unit test.
    pub fn resolve_unit_test_config(
        &self,
        fqn: &[String],
        property: &PropertyConfig,
    ) -> ResolvedConfig {
        resolve(
            &self.trees(fqn, |file| file.unit_tests.as_ref()),
            fqn,
            Some(property),
            &IndexMap::new(),
        )
    }

    /// The same for a data test.
    pub fn resolve_test_config(
        &self,
        fqn: &[String],
        own: &IndexMap<String, Value>,
    ) -> ResolvedConfig {
        resolve(&self.trees(fqn, |file| file.tests.as_ref()), fqn, None, own)
    }
}

/// Reads an option such as `--vars`: a YAML mapping, `{key: value}` or `key: value`.
///
/// # Errors
/// What is wrong with its YAML, shown as a file with the option's name.
pub fn parse_mapping(option: &str, text: &str) -> Result<IndexMap<String, Value>, LoadErrors> {
    let file = SourceFile::new(option, text);
    let yaml = parse(&file).map_err(many)?;
    match yaml.as_map() {
        Some(map) => Ok(map
            .iter()
            .map(|(key, entry)| (key.clone(), entry.value.to_value()))
            .collect()),
        None if yaml.is_null() => Ok(IndexMap::new()),
        None => {
            let expected = "a mapping";
            let error = YamlError::wrong_type(option, expected, yaml.describe(), &yaml.at);
            Err(error
                .with_help(format!("write {option} '{{key: value, other: value}}'"))
                .into())
        }
    }
}

/// The directory of the project that the options name.
///
/// # Errors
/// There is none.
pub fn project_root(options: &LoadOptions) -> Result<PathBuf, LoadErrors> {
    find(options).map(|(root, _)| root)
}

pub(super) const NAMES: [&str; 2] = ["project.yml", "dbt_project.yml"];

fn find(options: &LoadOptions) -> Result<(PathBuf, &'static str), LoadErrors> {
    let file_in = |directory: &Path| {
        NAMES
            .into_iter()
            .find(|name| directory.join(name).is_file())
    };
    let variable = options.environment.read(environment::PROJECT_DIR);
    if let Some(named) = options
        .project_dir
        .clone()
        .or_else(|| variable.map(PathBuf::from))
    {
        return match file_in(&named) {
            Some(name) => Ok((named, name)),
            None => Err(not_found(&named, "")),
        };
    }
    let here = std::env::current_dir().map_err(|error| ProjectError::Unreadable {
        path: ".".to_owned(),
        cause: error.to_string(),
    })?;
    here.ancestors()
        .find_map(|directory| Some((directory.to_path_buf(), file_in(directory)?)))
        .ok_or_else(|| not_found(&here, ", and neither has a directory above it"))
}

fn not_found(directory: &Path, above: &'static str) -> LoadErrors {
    let directory = directory.display().to_string();
    ProjectError::NotFound { directory, above }.into()
}

/// `vars` of `vars.yml`, which stands beside the project file in place of its own.
fn vars_file(
    root: &Path,
    project: &Yaml,
    errors: &mut Vec<LoadError>,
) -> Option<IndexMap<String, Value>> {
    const NAME: &str = "vars.yml";
    let text = std::fs::read_to_string(root.join(NAME)).ok()?;
    let yaml = match parse(&SourceFile::new(NAME, text)) {
        Ok(yaml) => yaml,
        Err(found) => {
            errors.extend(found.into_iter().map(LoadError::from));
            return None;
        }
    };
    let vars = yaml.get("vars").filter(|vars| !vars.is_null())?;
    let Some(map) = vars.as_map() else {
        let error = YamlError::wrong_type("vars", "a mapping", vars.describe(), &vars.at);
        errors.push(LoadError::from(error));
        return None;
    };
    let twice = project
        .get("vars")
        .filter(|own| own.as_map().is_some_and(|own| !own.is_empty()));
    if let Some(own) = twice {
        errors.push(LoadError::from(ProjectError::VarsTwice {
            file: Arc::clone(own.at.file()),
            at: own.at.span(),
        }));
    }
    let values = map
        .iter()
        .map(|(key, entry)| (key.clone(), entry.value.to_value()));
    Some(values.collect())
}

fn read_source(root: &Path, name: &str) -> Result<Arc<SourceFile>, LoadErrors> {
    let text = std::fs::read_to_string(root.join(name)).map_err(|error| YamlError::Unreadable {
        path: root.join(name).display().to_string(),
        cause: error.to_string(),
    })?;
    Ok(SourceFile::new(name, text))
}

fn profile_options<'a>(
    options: &'a LoadOptions,
    root: &'a Path,
    source: &'a Arc<SourceFile>,
    yaml: &'a Yaml,
) -> ProfileOptions<'a> {
    ProfileOptions {
        profiles_dir: options.profiles_dir.as_deref(),
        profile: options.profile.as_deref(),
        target: options.target.as_deref(),
        project_dir: root,
        project_file: source,
        named: file::named_profile(yaml),
        environment: &options.environment,
    }
}

fn target_path(options: &LoadOptions, file: &ProjectFile) -> PathBuf {
    let variable = options.environment.read(environment::TARGET_PATH);
    options
        .target_path
        .clone()
        .or_else(|| variable.map(PathBuf::from))
        .unwrap_or_else(|| file.target_path.clone())
}

fn parse_all(found: &Discovered, errors: &mut Vec<LoadError>) -> Vec<Yaml> {
    let files = &found.properties;
    let mut trees = Vec::new();
    for tree in in_parallel(files.len(), 4, |index| parse(&files[index])) {
        match tree {
            Ok(tree) => trees.push(tree),
            Err(found) => errors.extend(found.into_iter().map(LoadError::from)),
        }
    }
    trees
}

/// Warnings for seeds, snapshots and functions that a property file describes and that are no files.
fn check_described(found: &Discovered, properties: &Properties, warnings: &mut Vec<Warning>) {
    let seeds = properties.seeds.values();
    let functions = properties.functions.values().map(|function| &function.node);
    let snapshots = properties.snapshots.values();
    let described = seeds
        .map(|node| ("seed", node, &found.seeds))
        .chain(snapshots.map(|node| ("snapshot", node, &found.snapshots)))
        .chain(functions.map(|node| ("function", node, &found.functions)));
    for (kind, node, files) in described {
        let mut names = files.iter().map(|file| file.name.as_str());
        if names.any(|name| name == node.name) {
            continue;
        }
        let near = nearest(&node.name, files.iter().map(|file| file.name.as_str()));
        warnings.push(Warning::UnknownNode {
            path: node.at.file().path().display().to_string(),
            kind,
            name: node.name.clone(),
            help: near.map_or_else(
                || format!("write the file of the {kind}, or remove the entry"),
                |near| format!("did you mean `{near}`?"),
            ),
            file: Arc::clone(node.at.file()),
            at: node.at.span(),
        });
    }
}

fn check_configs(
    file: &ProjectFile,
    found: &Discovered,
    properties: &Properties,
    warnings: &mut Vec<Warning>,
) {
    let models: Vec<&[String]> = found.models.iter().map(|model| &model.fqn[..]).collect();
    let fqns = |files: &[NodeFile]| -> Vec<Vec<String>> {
        files.iter().map(|file| file.fqn.clone()).collect()
    };
    if let Some(tree) = &file.models {
        check_tree("models", tree, models.iter().copied(), warnings);
    }
    for (what, tree, files) in [
        ("seeds", &file.seeds, &found.seeds),
        ("functions", &file.functions, &found.functions),
        ("snapshots", &file.snapshots, &found.snapshots),
    ] {
        if let Some(tree) = tree {
            let fqns = fqns(files);
            check_tree(what, tree, fqns.iter().map(Vec::as_slice), warnings);
        }
    }
    if let Some(tree) = &file.exposures {
        let exposures = properties.exposures.values();
        let fqns: Vec<Vec<String>> = exposures
            .map(|exposure| {
                let folders = exposure.folders.iter().cloned();
                let ends = std::iter::once(exposure.name.clone());
                std::iter::once(file.name.clone())
                    .chain(folders)
                    .chain(ends)
                    .collect()
            })
            .collect();
        check_tree("exposures", tree, fqns.iter().map(Vec::as_slice), warnings);
    }
    if let Some(tree) = &file.sources {
        let tables = properties.sources.values();
        let fqns: Vec<_> = tables.map(|table| source_fqn(&file.name, table)).collect();
        check_tree("sources", tree, fqns.iter().map(Vec::as_slice), warnings);
    }
}

fn many(errors: Vec<YamlError>) -> LoadErrors {
    LoadErrors(errors.into_iter().map(LoadError::from).collect())
}

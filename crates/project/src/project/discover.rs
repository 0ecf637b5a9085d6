//! The files of a project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use miette::SourceSpan;
use walkdir::WalkDir;

use super::config::resolve;
use super::error::ProjectError;
use super::file::ProjectFile;
use super::snapshots::blocks;
use super::unit_tests::{FixtureFile, Format};
use crate::error::LoadError;
use crate::manifest::{UniqueId, Version};
use crate::parallel::in_parallel;
use crate::yaml::{SourceFile, Warning, YamlError, nearest};

/// A model's file.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// What `ref` takes: the file's name without `.sql`, or that of the model of which it is a version.
    pub name: String,
    /// Which version it is, if it is one.
    pub version: Option<Version>,
    /// Package, folders below the model path, name, and `v1` for a version.
    pub fqn: Vec<String>,
    /// Relative to its model path, with `/`.
    pub path: PathBuf,
    /// Relative to the project, with `/`.
    pub original_file_path: PathBuf,
    /// Name (relative to the project) and text.
    pub file: Arc<SourceFile>,
}

impl ModelFile {
    /// `model.<package>.<name>`, with `.v1` behind it for a version.
    pub fn unique_id(&self) -> UniqueId {
        let package = self.fqn.first().map_or("", String::as_str);
        UniqueId(format!("model.{package}.{}", self.key()))
    }

    /// Its name, with `.v1` behind it for a version: what its properties are kept under.
    pub fn key(&self) -> String {
        match &self.version {
            Some(version) => format!("{}.v{}", self.name, version.text()),
            None => self.name.clone(),
        }
    }

    /// What its relation is called where no alias is given.
    pub fn default_alias(&self) -> String {
        let suffix = self.version.as_ref().and_then(Version::suffix);
        format!("{}{}", self.name, suffix.unwrap_or_default())
    }
}

/// A file that holds one node and is no model: a seed's CSV, a singular test, a function, or a snapshot's part of a file.
#[derive(Debug, Clone)]
pub struct NodeFile {
    /// The file's name without its extension.
    pub name: String,
    /// Package, folders below the path, name.
    pub fqn: Vec<String>,
    /// Relative to its path, with `/`.
    pub path: PathBuf,
    /// Relative to the project, with `/`.
    pub original_file_path: PathBuf,
    /// Name (relative to the project) and text.
    pub file: Arc<SourceFile>,
    /// The file that it is a part of, if it is one.
    pub whole: Option<Arc<SourceFile>>,
}

/// A file of macros.
#[derive(Debug, Clone)]
pub struct MacroFile {
    /// The project or package that it belongs to.
    pub package: String,
    /// Relative to the project, with `/`.
    pub original_file_path: PathBuf,
    /// Name (relative to the project) and text.
    pub file: Arc<SourceFile>,
}

/// What lies below a project's paths, sorted by path.
#[derive(Debug, Default)]
pub(super) struct Discovered {
    pub models: Vec<ModelFile>,
    pub macros: Vec<MacroFile>,
    pub seeds: Vec<NodeFile>,
    pub tests: Vec<NodeFile>,
    pub functions: Vec<NodeFile>,
    pub snapshots: Vec<NodeFile>,
    pub fixtures: Vec<FixtureFile>,
    pub docs: Vec<Arc<SourceFile>>,
    pub properties: Vec<Arc<SourceFile>>,
}

/// What the files of a path are.
#[derive(Clone, Copy)]
enum What {
    Models,
    Macros,
    Seeds,
    Tests,
    Functions,
    Snapshots,
    Nothing,
}

/// So many files are worth another thread.
const READS: usize = 64;

/// Reads all files. Two models of one name are an error.
pub(super) fn discover(
    root: &Path,
    project: &ProjectFile,
    errors: &mut Vec<LoadError>,
    warnings: &mut Vec<Warning>,
) -> Discovered {
    let mut found = Discovered::default();
    for (what, bases, extensions) in [
        (What::Models, &project.model_paths, &["sql"][..]),
        (What::Macros, &project.macro_paths, &["sql"]),
        (What::Seeds, &project.seed_paths, &["csv"]),
        (What::Tests, &project.test_paths, &["sql", "csv"]),
        (
            What::Functions,
            &project.function_paths,
            &["sql", "js", "py"],
        ),
        (What::Snapshots, &project.snapshot_paths, &["sql"]),
        (What::Nothing, &project.analysis_paths, &[]),
    ] {
        let wanted = [extensions, &["yml", "yaml", "md"]].concat();
        for base in bases {
            let paths = files(root, base, &wanted, errors);
            let texts = in_parallel(paths.len(), READS, |index| {
                std::fs::read_to_string(root.join(&paths[index].0))
            });
            for ((path, inner), text) in paths.into_iter().zip(texts) {
                let Some(file) = read(&path, text, errors) else {
                    continue;
                };
                let extension = inner.extension().and_then(|extension| extension.to_str());
                match (extension, what) {
                    (Some("yml" | "yaml"), _) => found.properties.push(file),
                    (Some("md"), _) => found.docs.push(file),
                    (_, What::Models) => found.models.push(model(project, file, path, inner)),
                    (_, What::Seeds) => found.seeds.push(node_file(project, file, path, inner)),
                    (_, What::Functions) => {
                        found.functions.push(node_file(project, file, path, inner));
                    }
                    (extension, What::Tests) if inner.starts_with("fixtures") => {
                        found.fixtures.push(fixture(file, &inner, extension));
                    }
                    (Some("csv"), What::Tests) => {}
                    // Generic tests are macros.
                    (_, What::Tests) if !inner.starts_with("generic") => {
                        found.tests.push(node_file(project, file, path, inner));
                    }
                    (_, What::Macros | What::Tests) => found.macros.push(MacroFile {
                        package: project.name.clone(),
                        original_file_path: path,
                        file,
                    }),
                    (_, What::Snapshots) => {
                        match blocks(&node_file(project, Arc::clone(&file), path.clone(), inner)) {
                            Ok(snapshots) => found.snapshots.extend(snapshots),
                            Err(at) => errors.push(LoadError::from(ProjectError::Snapshot {
                                path: path.display().to_string(),
                                at: at.into(),
                                file,
                            })),
                        }
                    }
                    (_, What::Nothing) => {}
                }
            }
        }
    }
    for (key, paths) in [
        ("model-paths", &project.model_paths),
        ("macro-paths", &project.macro_paths),
        ("seed-paths", &project.seed_paths),
        ("test-paths", &project.test_paths),
        ("function-paths", &project.function_paths),
        ("snapshot-paths", &project.snapshot_paths),
    ] {
        missing_directories(root, project, key, paths, warnings);
    }
    found
}

impl Discovered {
    /// Adds what a package has.
    pub fn add(&mut self, other: Self) {
        self.models.extend(other.models);
        self.macros.extend(other.macros);
        self.seeds.extend(other.seeds);
        self.tests.extend(other.tests);
        self.functions.extend(other.functions);
        self.snapshots.extend(other.snapshots);
        self.fixtures.extend(other.fixtures);
        self.docs.extend(other.docs);
        self.properties.extend(other.properties);
    }
}

/// Files below `root/base` with one of the extensions: relative to the project, and to `base`. Hidden files and
/// directories are left out, links are followed (as dbt does).
fn files(
    root: &Path,
    base: &Path,
    extensions: &[&str],
    errors: &mut Vec<LoadError>,
) -> Vec<(PathBuf, PathBuf)> {
    let directory = root.join(base);
    if !directory.exists() {
        return Vec::new();
    }
    let walk = WalkDir::new(&directory)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| {
            entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
        });
    let mut files = Vec::new();
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                errors.push(LoadError::from(ProjectError::Unreadable {
                    path: error.path().unwrap_or(&directory).display().to_string(),
                    cause: error.to_string(),
                }));
                continue;
            }
        };
        let extension = entry
            .path()
            .extension()
            .and_then(|extension| extension.to_str());
        let wanted = extension.is_some_and(|extension| extensions.contains(&extension));
        if !entry.file_type().is_file() || !wanted {
            continue;
        }
        if let Ok(inner) = entry.path().strip_prefix(&directory) {
            files.push((with_slashes(&base.join(inner)), with_slashes(inner)));
        }
    }
    files
}

/// The same path with `/` between its parts and without `.` parts, so that output does not depend on the system.
fn with_slashes(path: &Path) -> PathBuf {
    let parts: Vec<_> = path
        .components()
        .filter(|part| !matches!(part, std::path::Component::CurDir))
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    PathBuf::from(parts.join("/"))
}

fn read(
    path: &Path,
    text: std::io::Result<String>,
    errors: &mut Vec<LoadError>,
) -> Option<Arc<SourceFile>> {
    match text {
        Ok(text) => Some(SourceFile::new(path, text)),
        Err(error) => {
            errors.push(LoadError::from(YamlError::Unreadable {
                path: path.display().to_string(),
                cause: error.to_string(),
            }));
            None
        }
    }
}

fn model(project: &ProjectFile, file: Arc<SourceFile>, path: PathBuf, inner: PathBuf) -> ModelFile {
    let name = inner
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let folders = inner
        .parent()
        .into_iter()
        .flat_map(|folder| folder.iter())
        .map(|part| part.to_string_lossy().into_owned());
    let fqn = std::iter::once(project.name.clone())
        .chain(folders)
        .chain(std::iter::once(name.clone()))
        .collect();
    ModelFile {
        name,
        version: None,
        fqn,
        path: inner,
        original_file_path: path,
        file,
    }
}

fn node_file(
    project: &ProjectFile,
    file: Arc<SourceFile>,
    path: PathBuf,
    inner: PathBuf,
) -> NodeFile {
    let model = model(project, file, path, inner);
    NodeFile {
        name: model.name,
        fqn: model.fqn,
        path: model.path,
        original_file_path: model.original_file_path,
        file: model.file,
        whole: None,
    }
}

fn fixture(file: Arc<SourceFile>, inner: &Path, extension: Option<&str>) -> FixtureFile {
    FixtureFile {
        name: inner
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default(),
        format: match extension {
            Some("csv") => Format::Csv,
            _ => Format::Sql,
        },
        file,
    }
}

/// Two models of one name are an error, unless their folders leave only one of them enabled, as in dbt.
pub(super) fn duplicate_models(
    project: &ProjectFile,
    models: &[ModelFile],
    errors: &mut Vec<LoadError>,
) {
    let mut by_name: BTreeMap<&str, Vec<&ModelFile>> = BTreeMap::new();
    for model in models {
        by_name.entry(&model.name).or_default().push(model);
    }
    for (name, mut same) in by_name {
        if same.len() < 2 {
            continue;
        }
        same.retain(|model| {
            resolve(
                &project.models.iter().collect::<Vec<_>>(),
                &model.fqn,
                None,
                &IndexMap::new(),
            )
            .enabled()
        });
        for pair in same.windows(2) {
            errors.push(LoadError::from(ProjectError::DuplicateModel {
                name: name.to_owned(),
                first: pair[0].original_file_path.display().to_string(),
                second: pair[1].original_file_path.display().to_string(),
            }));
        }
    }
}

/// A path that the file spells out and that is not there; defaults may be absent.
fn missing_directories(
    root: &Path,
    project: &ProjectFile,
    key: &str,
    paths: &[PathBuf],
    warnings: &mut Vec<Warning>,
) {
    let text = project.source.text();
    let Some(key_at) = text.find(&format!("{key}:")) else {
        return;
    };
    for path in paths {
        let directory = path.display().to_string();
        // `dbt init` lists the usual folders, and git keeps none that is empty.
        let is_usual =
            key != "model-paths" && key == format!("{}-paths", directory.trim_end_matches('s'));
        if is_usual || root.join(path).is_dir() {
            continue;
        }
        let at: SourceSpan = match text[key_at..].find(&directory) {
            Some(offset) => (key_at + offset, directory.len()).into(),
            None => (key_at, key.len()).into(),
        };
        warnings.push(Warning::MissingDirectory {
            path: project.source.path().display().to_string(),
            key: key.to_owned(),
            directory,
            file: Arc::clone(&project.source),
            at,
        });
    }
}

/// Help for a name that no model has.
pub(super) fn nearest_model(name: &str, models: &[ModelFile]) -> String {
    match nearest(name, models.iter().map(|model| model.name.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write the model {name}.sql, or remove the entry"),
    }
}

//! Packages: projects whose models and macros the root project uses. `packages.yml` (or `dependencies.yml`) names them; a
//! local one is read where it lies, all others where `rwt deps` put them, below `packages-install-path`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Value;

use super::error::ProjectError;
use super::file::{self, ProjectFile};
use super::package_version::{PackageRange, PackageVersion};
use crate::error::LoadError;
use crate::profile::Target;
use crate::yaml::{Render, Scope, SourceFile, Warning, Yaml, YamlError, parse, render_tree};

/// A package as it is on disk.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its directory, relative to the root project.
    pub directory: PathBuf,
    /// Its project file.
    pub file: ProjectFile,
    /// What `var` knows in its models and tests: its own vars under those of the root project and of the command line.
    pub vars: IndexMap<String, Value>,
}

/// Where a package comes from, as `packages.yml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageSource {
    /// A directory, relative to the root project.
    Local(PathBuf),
    /// A git repository: address, branch, tag or commit, directory in it.
    Git {
        /// What `git clone` takes.
        address: String,
        /// Branch, tag or commit.
        revision: Option<String>,
        /// The package's directory in the repository.
        subdirectory: Option<PathBuf>,
    },
    /// A package of the hub.
    Hub {
        /// Its name there, `owner/name`.
        name: String,
        /// Which versions will do.
        range: PackageRange,
        /// `install_prerelease`
        prerelease: bool,
    },
    /// A tarball, by its address.
    Tarball(String),
}

/// The file in which `rwt deps` and `dbt deps` write down what they fetched.
pub const LOCK: &str = "package-lock.yml";

/// The versions of packages of the hub that were fetched last; none where nobody has written them down.
pub fn locked_versions(root: &Path) -> BTreeMap<String, PackageVersion> {
    let text = std::fs::read_to_string(root.join(LOCK)).unwrap_or_default();
    let Ok(yaml) = parse(&SourceFile::new(LOCK, text)) else {
        return BTreeMap::new();
    };
    let items = match yaml.get("packages").map(|list| &list.kind) {
        Some(crate::yaml::Kind::List(items)) => items.as_slice(),
        _ => &[],
    };
    let version = |item: &Yaml| {
        let text = |key: &str| item.get(key).and_then(crate::yaml::scalar_text);
        Some((text("package")?, PackageVersion::parse(&text("version")?)?))
    };
    items.iter().filter_map(version).collect()
}

/// The packages that a project names, in order.
///
/// # Errors
/// A file that is not YAML or is not such a list.
pub fn package_sources(root: &Path) -> Result<Vec<PackageSource>, Vec<LoadError>> {
    let mut sources = Vec::new();
    for name in ["packages.yml", "dependencies.yml"] {
        let Ok(text) = std::fs::read_to_string(root.join(name)) else {
            continue;
        };
        let file = SourceFile::new(name, text);
        let yaml = parse(&file)
            .map_err(|errors| errors.into_iter().map(LoadError::from).collect::<Vec<_>>())?;
        let Some(list) = yaml.get("packages") else {
            continue;
        };
        let items = match &list.kind {
            crate::yaml::Kind::List(items) => items.as_slice(),
            crate::yaml::Kind::Null => &[],
            _ => {
                let error = YamlError::wrong_type("packages", "a list", list.describe(), &list.at);
                return Err(vec![LoadError::from(error)]);
            }
        };
        for item in items {
            if let Some(package) = hub_package(item) {
                sources.push(package.map_err(|error| vec![LoadError::from(error)])?);
                continue;
            }
            sources.push(source(item).ok_or_else(|| {
                let error = YamlError::wrong_type(
                    "packages",
                    "`local: …`, `git: …`, `package: …` or `tarball: …`",
                    item.describe(),
                    &item.at,
                );
                vec![LoadError::from(error)]
            })?);
        }
    }
    Ok(sources)
}

/// A value of a directory's project file, as text.
fn project_value(directory: &Path, key: &str) -> Option<String> {
    let text = super::load::NAMES
        .iter()
        .find_map(|name| std::fs::read_to_string(directory.join(name)).ok())?;
    let yaml = parse(&SourceFile::new("dbt_project.yml", text)).ok()?;
    crate::yaml::scalar_text(yaml.get(key)?)
}

/// The name of the package in a directory; none if there is no project file or it has no good name.
pub fn package_name(directory: &Path) -> Option<String> {
    let plain =
        |name: &String| name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty();
    project_value(directory, "name").filter(plain)
}

/// Where `rwt deps` puts packages, relative to the project: its `packages-install-path`.
pub fn install_path(root: &Path) -> PathBuf {
    let path = project_value(root, "packages-install-path");
    path.unwrap_or_else(|| "dbt_packages".to_owned()).into()
}

fn source(item: &Yaml) -> Option<PackageSource> {
    let text = |key: &str| item.get(key).and_then(crate::yaml::scalar_text);
    if let Some(path) = text("local") {
        return Some(PackageSource::Local(path.into()));
    }
    if let Some(address) = text("git") {
        return Some(PackageSource::Git {
            address,
            revision: text("revision"),
            subdirectory: text("subdirectory").map(PathBuf::from),
        });
    }
    text("tarball").map(PackageSource::Tarball)
}

/// A package of the hub; none if the item is something else.
fn hub_package(item: &Yaml) -> Option<Result<PackageSource, YamlError>> {
    let name = item.get("package").and_then(crate::yaml::scalar_text)?;
    let hint = "a version such as 1.1.1, or a range such as [\">=1.0.0\", \"<2.0.0\"]";
    let Some(version) = item.get("version") else {
        let error = YamlError::wrong_type(
            "packages",
            "`version` beside `package`",
            "nothing",
            &item.at,
        );
        return Some(Err(error.with_help(format!("add `version: …`, {hint}"))));
    };
    let texts: Option<Vec<String>> = match &version.kind {
        crate::yaml::Kind::List(items) => items.iter().map(crate::yaml::scalar_text).collect(),
        _ => crate::yaml::scalar_text(version).map(|text| vec![text]),
    };
    let mut range = PackageRange::default();
    for text in texts.unwrap_or_else(|| vec![String::new()]) {
        match PackageRange::parse(&text) {
            Ok(more) => range.and(&more),
            Err(_) => {
                return Some(Err(YamlError::wrong_type(
                    "version",
                    hint,
                    version.describe(),
                    &version.at,
                )));
            }
        }
    }
    let prerelease = item
        .get("install_prerelease")
        .or(item.get("install-prerelease"));
    let prerelease = prerelease.and_then(crate::yaml::scalar_text);
    Some(Ok(PackageSource::Hub {
        name,
        range,
        prerelease: prerelease.is_some_and(|text| text.eq_ignore_ascii_case("true")),
    }))
}

/// What reading packages needs of the root project.
pub(super) struct Loader<'a> {
    pub root: &'a Path,
    pub project: &'a ProjectFile,
    pub target: &'a Target,
    pub cli_vars: &'a IndexMap<String, Value>,
    pub render: &'a Render<'a>,
}

impl Loader<'_> {
    /// All packages, each once.
    pub fn packages(
        &self,
        errors: &mut Vec<LoadError>,
        warnings: &mut Vec<Warning>,
    ) -> Vec<Package> {
        let mut directories: Vec<PathBuf> = Vec::new();
        let install = self.root.join(&self.project.packages_install_path);
        match package_sources(self.root) {
            Ok(sources) => {
                for source in sources {
                    match source {
                        PackageSource::Local(path) => directories.push(path),
                        other if !install.is_dir() => {
                            errors.push(LoadError::from(ProjectError::NotInstalled {
                                package: other.shown(),
                                directory: self.project.packages_install_path.display().to_string(),
                            }));
                        }
                        _ => {}
                    }
                }
            }
            Err(found) => errors.extend(found),
        }
        let mut installed: Vec<PathBuf> = std::fs::read_dir(&install)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                Some(
                    self.project
                        .packages_install_path
                        .join(entry.ok()?.file_name()),
                )
            })
            .filter(|directory| self.root.join(directory).join("dbt_project.yml").is_file())
            .collect();
        installed.sort();
        directories.extend(installed);
        let mut seen = BTreeSet::from([self.project.name.clone()]);
        let mut packages = Vec::new();
        for directory in directories {
            if let Some(package) = self.package(directory, errors, warnings)
                && seen.insert(package.file.name.clone())
            {
                packages.push(package);
            }
        }
        packages
    }

    fn package(
        &self,
        directory: PathBuf,
        errors: &mut Vec<LoadError>,
        warnings: &mut Vec<Warning>,
    ) -> Option<Package> {
        let name = directory.join("dbt_project.yml");
        let text = match std::fs::read_to_string(self.root.join(&name)) {
            Ok(text) => text,
            Err(error) => {
                errors.push(LoadError::from(YamlError::Unreadable {
                    path: name.display().to_string(),
                    cause: error.to_string(),
                }));
                return None;
            }
        };
        let source = SourceFile::new(name, text);
        let yaml = match parse(&source) {
            Ok(yaml) => yaml,
            Err(found) => {
                errors.extend(found.into_iter().map(LoadError::from));
                return None;
            }
        };
        let scope = Scope {
            vars: self.cli_vars,
            target: Some(self.target),
        };
        let mut failures = Vec::new();
        let rendered = render_tree(
            &yaml,
            self.render,
            &scope,
            &file::is_rendered_late,
            &mut failures,
        );
        errors.extend(failures.into_iter().map(LoadError::from));
        let mut file = file::read(&source, &rendered, yaml, errors, warnings)?;
        let mut vars = std::mem::take(&mut file.vars);
        vars.extend(self.project.vars.clone());
        if let Some(Value::Object(own)) = self.project.vars.get(&file.name) {
            vars.extend(own.clone());
        }
        vars.extend(self.cli_vars.clone());
        Some(Package {
            directory,
            file,
            vars,
        })
    }
}

impl PackageSource {
    /// What the file says of it, for messages.
    pub fn shown(&self) -> String {
        match self {
            Self::Local(path) => path.display().to_string(),
            Self::Git { address, .. } => address.clone(),
            Self::Hub { name, .. } => name.clone(),
            Self::Tarball(address) => address.clone(),
        }
    }
}

/// Paths of a package's file, seen from the root project.
pub(super) fn prefixed(directory: &Path, file: &ProjectFile) -> ProjectFile {
    let mut file = file.clone();
    for paths in [
        &mut file.model_paths,
        &mut file.macro_paths,
        &mut file.seed_paths,
        &mut file.test_paths,
        &mut file.function_paths,
        &mut file.snapshot_paths,
        &mut file.analysis_paths,
    ] {
        for path in paths {
            *path = directory.join(&*path);
        }
    }
    file
}

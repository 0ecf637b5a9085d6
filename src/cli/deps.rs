//! `rwt deps`: fetches the packages that `packages.yml` names.
//!
//! A local package is read where it lies and needs no fetching. A git package is cloned with the `git` of this machine,
//! which knows the user's keys, into `packages-install-path`, under the name that its project file gives it. A package of
//! dbt's hub is a tag of a git repository, which the hub names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};
use miette::Diagnostic;
use rwt_project::LoadOptions;
use rwt_project::project::{
    LOCK, NewPackage, PackageKey, PackageRange, PackageSource, PackageVersion, install_path,
    locked_versions, package_name, package_sources, project_root,
};
use rwt_project::yaml::SourceFile;
use thiserror::Error;

use super::args::GlobalArgs;
use super::{CommandResult, Exit, Failure, hub};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct DepsArgs {
    /// Take the newest versions that packages.yml allows, whatever package-lock.yml says
    #[arg(long)]
    upgrade: bool,
    /// Write package-lock.yml, and put no package into its place
    #[arg(long)]
    lock: bool,
    /// Add a package to packages.yml before: a name of the hub, a git address or a directory, and its version
    #[arg(long, value_name = "NAME[@VERSION]")]
    add_package: Option<String>,
    /// What the name of --add-package is
    #[arg(long, value_enum, default_value_t, requires = "add_package")]
    source: AddedFrom,
}

/// Where a package of --add-package comes from.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum AddedFrom {
    /// `owner/name` of dbt's hub
    #[default]
    Hub,
    /// The address of a git repository
    Git,
    /// A directory
    Local,
}

/// A package that cannot be fetched.
#[derive(Debug, Error, Diagnostic)]
enum DepsError {
    #[error("the package {0} is a tarball, which rwt does not fetch")]
    #[diagnostic(
        code(rwt::deps::tarball),
        help("unpack it and name the directory with `local:`")
    )]
    Tarball(String),
    #[error("git cannot fetch {address}: {cause}")]
    #[diagnostic(
        code(rwt::deps::git),
        help("check the address and the revision, and that `git clone` of it works here")
    )]
    Git { address: String, cause: String },
    #[error("{shown} holds no package: it has no dbt_project.yml with a name")]
    #[diagnostic(
        code(rwt::deps::no_package),
        help("`subdirectory:` names the package's directory in a repository")
    )]
    NoPackage { shown: String },
    #[error("cannot write {path}: {cause}")]
    #[diagnostic(
        code(rwt::deps::write),
        help("check that the directory may be written to")
    )]
    Write { path: String, cause: String },
}

pub(super) fn main(global: &GlobalArgs, args: &DepsArgs, printer: &Printer) -> CommandResult {
    let options = LoadOptions {
        project_dir: global.project_dir.clone(),
        ..LoadOptions::default()
    };
    let root = project_root(&options).map_err(|errors| Failure {
        exit: Exit::Usage,
        ..Failure::all(errors)
    })?;
    if let Some(text) = &args.add_package {
        add_package(&root, text, args.source, printer)?;
    }
    let install = root.join(install_path(&root));
    if !args.lock {
        return fetch_all(&root, &install, args, printer);
    }
    let beside = install.join(format!(".locking-{}", std::process::id()));
    let done = fetch_all(&root, &beside, args, printer);
    remove(&beside).map_err(cannot_write(&beside))?;
    done
}

/// Writes the entry into packages.yml.
fn add_package(
    root: &Path,
    text: &str,
    source: AddedFrom,
    printer: &Printer,
) -> Result<(), Failure> {
    const FILE: &str = "packages.yml";
    // An address of git may have an `@` of its own.
    let parts = text.rsplit_once('@');
    let parts = parts.filter(|(_, version)| !version.contains(['/', ':']));
    let (name, version) = parts.map_or((text, None), |(name, version)| (name, Some(version)));
    let package = NewPackage {
        key: match source {
            AddedFrom::Hub => PackageKey::Hub,
            AddedFrom::Git => PackageKey::Git,
            AddedFrom::Local => PackageKey::Local,
        },
        name: name.to_owned(),
        version: version.map(str::to_owned),
    };
    let path = root.join(FILE);
    let before = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(cannot_write(&path)(error).into());
        }
        read => read.unwrap_or_default(),
    };
    let added = package.added_to(&SourceFile::new(FILE, before));
    let added = added.map_err(Failure::all)?;
    std::fs::write(&path, added).map_err(cannot_write(&path))?;
    printer.note(format!("Added {name} to {FILE}"));
    Ok(())
}

/// Fetches the packages of a project into a directory, those that they name too, and writes down what was fetched.
fn fetch_all(root: &Path, install: &Path, args: &DepsArgs, printer: &Printer) -> CommandResult {
    let mut waiting: VecDeque<PackageSource> = package_sources(root).map_err(Failure::all)?.into();
    if waiting.is_empty() {
        printer.note("There is no packages.yml, or nothing in it");
        return Ok(Exit::Ok);
    }
    let locked = match args.upgrade {
        true => BTreeMap::new(),
        false => locked_versions(root),
    };
    let mut lock = PackageLock::default();
    let mut seen = BTreeSet::new();
    let mut hub: BTreeMap<String, Wanted> = BTreeMap::new();
    while let Some(source) = waiting.pop_front() {
        match source {
            PackageSource::Local(path) => {
                let name = package_name(&root.join(&path)).ok_or_else(|| DepsError::NoPackage {
                    shown: path.display().to_string(),
                })?;
                printer.note(format!("{name} is read from {}", path.display()));
                lock.keep(name, "local", &path.display().to_string(), None);
            }
            PackageSource::Git {
                address,
                revision,
                subdirectory,
            } => {
                if !seen.insert((address.clone(), subdirectory.clone())) {
                    continue;
                }
                let fetched = fetch(
                    install,
                    &address,
                    revision.as_deref(),
                    subdirectory.as_deref(),
                )?;
                printer.note(format!(
                    "{} {} from {address}",
                    fetched.name,
                    revision.as_deref().unwrap_or("HEAD")
                ));
                let revision = revision.map(|revision| ("revision", revision));
                lock.keep(fetched.name.clone(), "git", &address, revision);
                waiting.extend(package_sources(&fetched.directory).map_err(Failure::all)?);
            }
            PackageSource::Hub {
                name,
                range,
                prerelease,
            } => {
                let wanted = hub.entry(name.clone()).or_default();
                wanted.range.and(&range);
                wanted.prerelease |= prerelease;
                // What another package asks for may fit what is there.
                if wanted
                    .fetched
                    .as_ref()
                    .is_some_and(|version| range.holds(version))
                {
                    continue;
                }
                let release = match locked.get(&name).filter(|it| wanted.range.holds(it)) {
                    Some(version) => hub::resolve(&name, &PackageRange::exactly(version), true)?,
                    None => hub::resolve(&name, &wanted.range, wanted.prerelease)?,
                };
                wanted.fetched = Some(release.version.clone());
                let fetched = fetch(install, &release.address, Some(&release.tag), None)?;
                printer.note(format!("{} {} from the hub", fetched.name, release.version));
                lock.keep(
                    fetched.name.clone(),
                    "package",
                    &name,
                    Some(("version", release.version.to_string())),
                );
                waiting.extend(package_sources(&fetched.directory).map_err(Failure::all)?);
            }
            PackageSource::Tarball(address) => return Err(DepsError::Tarball(address).into()),
        }
    }
    let path = root.join(LOCK);
    std::fs::write(&path, lock.text()).map_err(cannot_write(&path))?;
    Ok(Exit::Ok)
}

fn cannot_write(path: &Path) -> impl FnOnce(std::io::Error) -> DepsError {
    let path = path.display().to_string();
    move |error| DepsError::Write {
        path,
        cause: error.to_string(),
    }
}

/// What was fetched, as `package-lock.yml` keeps it.
#[derive(Default)]
struct PackageLock(BTreeMap<String, String>);

impl PackageLock {
    fn keep(&mut self, name: String, key: &str, value: &str, more: Option<(&str, String)>) {
        // JSON's texts are YAML's, too.
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let mut lines = format!("  - {key}: {}\n    name: {}\n", text(value), text(&name));
        if let Some((key, value)) = more {
            lines.push_str(&format!("    {key}: {}\n", text(&value)));
        }
        self.0.insert(name, lines);
    }

    fn text(&self) -> String {
        let entries: String = self.0.values().map(String::as_str).collect();
        format!("packages:\n{entries}")
    }
}

/// A package of the hub as all that name it want it.
#[derive(Default)]
struct Wanted {
    range: PackageRange,
    prerelease: bool,
    fetched: Option<PackageVersion>,
}

struct Fetched {
    name: String,
    directory: PathBuf,
}

/// Clones a repository beside its place, then moves the package in, so that a failure leaves what was there.
fn fetch(
    install: &Path,
    address: &str,
    revision: Option<&str>,
    subdirectory: Option<&Path>,
) -> Result<Fetched, DepsError> {
    std::fs::create_dir_all(install).map_err(cannot_write(install))?;
    let beside = install.join(format!(".fetching-{}", std::process::id()));
    remove(&beside).map_err(cannot_write(&beside))?;
    let cloned = clone(&beside, address, revision);
    let moved = cloned.and_then(|()| {
        let inside = subdirectory.map_or_else(|| beside.clone(), |inner| beside.join(inner));
        let name = package_name(&inside).ok_or_else(|| DepsError::NoPackage {
            shown: address.to_owned(),
        })?;
        let directory = install.join(&name);
        remove(&directory).map_err(cannot_write(&directory))?;
        std::fs::rename(&inside, &directory).map_err(cannot_write(&directory))?;
        Ok(Fetched { name, directory })
    });
    let cleaned = remove(&beside).map_err(cannot_write(&beside));
    let fetched = moved?;
    cleaned?;
    Ok(fetched)
}

fn remove(directory: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(directory) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(directory),
        Ok(_) => std::fs::remove_file(directory),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A branch or tag is fetched alone; a commit needs the history.
fn clone(into: &Path, address: &str, revision: Option<&str>) -> Result<(), DepsError> {
    let shallow: &[&str] = match revision {
        Some(revision) => &["--depth", "1", "--branch", revision],
        None => &["--depth", "1"],
    };
    let first = git(
        &[&["clone", "--quiet"], shallow, &["--", address]].concat(),
        Some(into),
    );
    let result = match (first, revision) {
        (Err(_), Some(revision)) => {
            // What half a clone left would be in the way.
            let _ = remove(into);
            let place = into.display().to_string();
            git(&["clone", "--quiet", "--", address], Some(into)).and_then(|()| {
                git(
                    &["-C", &place, "checkout", "--quiet", "--detach", revision],
                    None,
                )
            })
        }
        (result, _) => result,
    };
    result.map_err(|cause| DepsError::Git {
        address: address.to_owned(),
        cause,
    })
}

fn git(args: &[&str], into: Option<&Path>) -> Result<(), String> {
    let output = Command::new("git")
        .args(args)
        .args(into)
        // Nobody is there to answer.
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .map_err(|error| format!("git does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

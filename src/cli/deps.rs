//! `rwt deps`: fetches the packages that `packages.yml` names.
//!
//! A local package is read where it lies and needs no fetching. A git package is cloned with the `git` of this machine,
//! which knows the user's keys, into `packages-install-path`, under the name that its project file gives it.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use miette::Diagnostic;
use rwt_project::LoadOptions;
use rwt_project::project::{
    PackageSource, install_path, package_name, package_sources, project_root,
};
use thiserror::Error;

use super::args::GlobalArgs;
use super::{CommandResult, Exit, Failure};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct DepsArgs {}

/// A package that cannot be fetched.
#[derive(Debug, Error, Diagnostic)]
enum DepsError {
    #[error("the package {0} is one of dbt's hub, which rwt does not fetch from")]
    #[diagnostic(
        code(rwt::deps::hub),
        help(
            "name its repository instead, for example `git: https://github.com/dbt-labs/dbt-utils.git` with `revision: 1.3.0`"
        )
    )]
    Hub(String),
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

pub(super) fn main(global: &GlobalArgs, _: &DepsArgs, printer: &Printer) -> CommandResult {
    let options = LoadOptions {
        project_dir: global.project_dir.clone(),
        ..LoadOptions::default()
    };
    let root = project_root(&options).map_err(|errors| Failure {
        exit: Exit::Usage,
        ..Failure::all(errors)
    })?;
    let install = root.join(install_path(&root));
    let mut waiting: VecDeque<PackageSource> = package_sources(&root).map_err(Failure::all)?.into();
    if waiting.is_empty() {
        printer.note("There is no packages.yml, or nothing in it");
        return Ok(Exit::Ok);
    }
    let mut seen = BTreeSet::new();
    while let Some(source) = waiting.pop_front() {
        match source {
            PackageSource::Local(path) => {
                let name = package_name(&root.join(&path)).ok_or_else(|| DepsError::NoPackage {
                    shown: path.display().to_string(),
                })?;
                printer.note(format!("{name} is read from {}", path.display()));
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
                    &install,
                    &address,
                    revision.as_deref(),
                    subdirectory.as_deref(),
                )?;
                printer.note(format!(
                    "{} {} from {address}",
                    fetched.name,
                    revision.as_deref().unwrap_or("HEAD")
                ));
                waiting.extend(package_sources(&fetched.directory).map_err(Failure::all)?);
            }
            PackageSource::Hub(name) => return Err(DepsError::Hub(name).into()),
            PackageSource::Tarball(address) => return Err(DepsError::Tarball(address).into()),
        }
    }
    Ok(Exit::Ok)
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
    let write = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| DepsError::Write {
            path,
            cause: error.to_string(),
        }
    };
    std::fs::create_dir_all(install).map_err(write(install))?;
    let beside = install.join(format!(".fetching-{}", std::process::id()));
    remove(&beside).map_err(write(&beside))?;
    let cloned = clone(&beside, address, revision);
    let moved = cloned.and_then(|()| {
        let inside = subdirectory.map_or_else(|| beside.clone(), |inner| beside.join(inner));
        let name = package_name(&inside).ok_or_else(|| DepsError::NoPackage {
            shown: address.to_owned(),
        })?;
        let directory = install.join(&name);
        remove(&directory).map_err(write(&directory))?;
        std::fs::rename(&inside, &directory).map_err(write(&directory))?;
        Ok(Fetched { name, directory })
    });
    let cleaned = remove(&beside).map_err(write(&beside));
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

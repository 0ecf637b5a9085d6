//! `rwt clean`: removes what the project file calls `clean-targets`.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use thiserror::Error;

use super::args::GlobalArgs;
use super::context::{not_loaded, options, vars};
use super::{CommandResult, Exit, Failure};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct CleanArgs {
    /// Remove nothing outside of the project: what rwt never does
    #[arg(long, hide = true)]
    clean_project_files_only: bool,
    /// dbt's permission to remove what lies outside of the project, which rwt does not take
    #[arg(long, hide = true)]
    no_clean_project_files_only: bool,
}

/// What is not removed.
#[derive(Debug, Error, Diagnostic)]
enum CleanError {
    #[error("clean-targets names {0}, which lies outside of the project or is all of it")]
    #[diagnostic(
        code(rwt::clean::outside),
        help(
            "name only directories inside of the project; rwt removes nothing else. Nothing was removed"
        )
    )]
    Outside(String),
    #[error("clean-targets names {0}, where the project has its files")]
    #[diagnostic(
        code(rwt::clean::source),
        help("leave it out of clean-targets. Nothing was removed")
    )]
    Source(String),
    #[error("cannot remove {path}: {cause}")]
    #[diagnostic(code(rwt::clean::remove), help("check that it may be written to"))]
    Remove { path: String, cause: String },
}

pub(super) fn main(global: &GlobalArgs, args: &CleanArgs, printer: &Printer) -> CommandResult {
    if args.no_clean_project_files_only {
        return Err(Failure::usage(CleanError::Outside(
            "--no-clean-project-files-only".to_owned(),
        )));
    }
    let (root, file) =
        rwt_compiler::load_file(&options(global, vars(global)?)).map_err(not_loaded)?;
    let sources: Vec<PathBuf> = file.all_paths().collect();
    let mut found = Vec::new();
    for target in &file.clean_targets {
        let place = checked(&root, target, &sources).map_err(Failure::usage)?;
        found.push((target, place));
    }
    for (target, place) in found {
        let Some(place) = place else {
            continue;
        };
        remove(&place).map_err(|error| CleanError::Remove {
            path: target.display().to_string(),
            cause: error.to_string(),
        })?;
        printer.line(format!("Removed {}", target.display()));
    }
    Ok(Exit::Ok)
}

/// Where a target is, if it is there.
fn checked(root: &Path, target: &Path, sources: &[PathBuf]) -> Result<Option<PathBuf>, CleanError> {
    let shown = || target.display().to_string();
    let climbs = target
        .components()
        .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
    // A link is removed itself, not what it leads to; a folder on the way may lead out of the project.
    let place = root.join(target);
    let folder = place.parent().and_then(|folder| folder.canonicalize().ok());
    let canonical = root.canonicalize().ok();
    let inside = match (&folder, &canonical) {
        (Some(folder), Some(root)) => folder.starts_with(root),
        (None, Some(_)) => true,
        _ => false,
    };
    let plain: PathBuf = target
        .components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect();
    if climbs || !inside || plain.as_os_str().is_empty() {
        return Err(CleanError::Outside(shown()));
    }
    let holds_source = sources.iter().any(|source| {
        let source: PathBuf = source
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect();
        source.starts_with(&plain)
    });
    if holds_source {
        return Err(CleanError::Source(shown()));
    }
    Ok(std::fs::symlink_metadata(&place).is_ok().then_some(place))
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path)?.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_inside_and_holds_no_sources_is_removed() {
        let root = tempfile::tempdir().expect("a folder");
        let sources = [PathBuf::from("models"), PathBuf::from("./seeds/raw")];
        let check = |target: &str| checked(root.path(), Path::new(target), &sources);
        std::fs::create_dir(root.path().join("target")).expect("a folder");
        assert!(matches!(check("target"), Ok(Some(_))));
        assert!(matches!(check("logs"), Ok(None)));
        for outside in ["..", "../other", "/tmp", ".", "", "target/../../x"] {
            assert!(
                matches!(check(outside), Err(CleanError::Outside(_))),
                "{outside}"
            );
        }
        for source in ["models", "./models", "seeds", "seeds/raw"] {
            assert!(
                matches!(check(source), Err(CleanError::Source(_))),
                "{source}"
            );
        }
        assert!(matches!(check("models/old"), Ok(None)));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_removed_and_not_followed() {
        let root = tempfile::tempdir().expect("a folder");
        let other = tempfile::tempdir().expect("a folder");
        std::fs::write(other.path().join("kept"), "").expect("a file");
        std::os::unix::fs::symlink(other.path(), root.path().join("link")).expect("a link");
        assert!(matches!(
            checked(root.path(), Path::new("link/kept"), &[]),
            Err(CleanError::Outside(_))
        ));
        let place = checked(root.path(), Path::new("link"), &[])
            .expect("inside")
            .expect("there");
        remove(&place).expect("removed");
        assert!(other.path().join("kept").exists());
    }
}

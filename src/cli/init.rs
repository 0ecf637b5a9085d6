//! `rwt init`: a project that compiles and runs.

use std::path::Path;

use clap::Args;
use miette::Diagnostic;
use thiserror::Error;

use super::args::GlobalArgs;
use super::{CommandResult, Exit, Failure};
use crate::ui::Printer;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The project's name, which is its folder's: letters, digits and `_`
    #[arg(value_name = "PROJECT_NAME")]
    name: String,
    /// Write no profiles.yml: another one has a profile of the project's name
    #[arg(short, long)]
    skip_profile_setup: bool,
}

/// Why there is no new project.
#[derive(Debug, Error, Diagnostic)]
enum InitError {
    #[error("`{0}` cannot be a project's name")]
    #[diagnostic(
        code(rwt::init::name),
        help("a name has letters, digits and `_`, and begins with no digit")
    )]
    Name(String),
    #[error("{0} is there already")]
    #[diagnostic(
        code(rwt::init::exists),
        help("choose another name, or another directory with --project-dir; nothing was written")
    )]
    Exists(String),
    #[error("cannot write {path}: {cause}")]
    #[diagnostic(
        code(rwt::init::write),
        help("check that the directory may be written to")
    )]
    Write { path: String, cause: String },
}

const PROFILES: &str = "profiles.yml";

/// Path and text of each file; `{name}` in the texts is the project's.
const FILES: [(&str, &str); 8] = [
    ("dbt_project.yml", include_str!("starter/dbt_project.yml")),
    (PROFILES, include_str!("starter/profiles.yml")),
    (".gitignore", include_str!("starter/gitignore")),
    ("README.md", include_str!("starter/README.md")),
    (
        "models/example/orders.sql",
        include_str!("starter/models/example/orders.sql"),
    ),
    (
        "models/example/customer_totals.sql",
        include_str!("starter/models/example/customer_totals.sql"),
    ),
    (
        "models/example/best_customers.sql",
        include_str!("starter/models/example/best_customers.sql"),
    ),
    (
        "models/example/schema.yml",
        include_str!("starter/models/example/schema.yml"),
    ),
];

/// Folders that dbt's projects have and that are empty at first.
const FOLDERS: [&str; 5] = ["analyses", "macros", "seeds", "snapshots", "tests"];

pub(super) fn main(global: &GlobalArgs, args: &InitArgs, printer: &Printer) -> CommandResult {
    let name = args.name.as_str();
    let is_good = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !is_good {
        return Err(Failure::usage(InitError::Name(name.to_owned())));
    }
    let above = global.project_dir.clone().unwrap_or_default();
    let root = above.join(name);
    if std::fs::symlink_metadata(&root).is_ok() {
        return Err(Failure::usage(InitError::Exists(
            root.display().to_string(),
        )));
    }
    for folder in FOLDERS {
        write(&root.join(folder).join(".gitkeep"), "")?;
    }
    for (path, text) in FILES {
        if path == PROFILES && args.skip_profile_setup {
            continue;
        }
        write(&root.join(path), &text.replace("{name}", name))?;
    }
    printer.line(next(&root, args.skip_profile_setup));
    Ok(Exit::Ok)
}

fn next(root: &Path, without_profile: bool) -> String {
    let shown = root.display();
    let profile = match without_profile {
        true => "a profile of its name is needed in profiles.yml, see `rwt debug`",
        false => "its target `dev` is a stack that rwt runs itself, `prod` a RisingWave cluster",
    };
    format!(
        "Your new project is in {shown}; {profile}.\n\n    cd {shown}\n    rwt build\n    rwt show --select customer_totals"
    )
}

fn write(path: &Path, text: &str) -> Result<(), InitError> {
    let failed = |error: std::io::Error| InitError::Write {
        path: path.display().to_string(),
        cause: error.to_string(),
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

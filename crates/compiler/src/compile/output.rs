//! The files under `compiled/`: written, compared, and removed when their model is gone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use rwt_project::in_parallel;
use serde::Serialize;
use walkdir::WalkDir;

use super::CompiledNode;
use crate::error::CompileError;

/// The directory of the output, relative to the project.
pub const DIRECTORY: &str = "compiled";

/// The script's name in it.
pub const SCRIPT: &str = "all_models.sql";

const MODELS: &str = "models";

/// So many files are worth another thread.
const FILES: usize = 64;

/// Files by path below [`DIRECTORY`], with their text.
#[derive(Debug, Default, Clone)]
pub struct Output {
    files: BTreeMap<PathBuf, String>,
    /// Whether the files are all there should be, so that others are stale.
    complete: bool,
}

/// How a file differs from what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Not there.
    Missing,
    /// Another text.
    Changed,
    /// There, without a model.
    Stale,
}

impl Output {
    /// The files of some nodes, without a script: others are left alone.
    pub fn of_nodes<'a>(nodes: impl IntoIterator<Item = &'a CompiledNode>) -> Self {
        let files = nodes
            .into_iter()
            .map(|node| {
                let path = Path::new(MODELS).join(&node.path);
                (path, format!("{}\n", node.compiled_code.trim()))
            })
            .collect();
        Self {
            files,
            complete: false,
        }
    }

    /// The files of all nodes, and the script.
    pub fn complete<'a>(nodes: impl IntoIterator<Item = &'a CompiledNode>, script: String) -> Self {
        let mut output = Self::of_nodes(nodes);
        output.files.insert(SCRIPT.into(), script);
        output.complete = true;
        output
    }

    /// Path and text of each file.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// What differs on disk, by path below the project's directory.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn differences(
        &self,
        project: &Path,
    ) -> Result<BTreeMap<PathBuf, Difference>, CompileError> {
        let root = project.join(DIRECTORY);
        let mut out = BTreeMap::new();
        let files: Vec<(&Path, &str)> = self.files().collect();
        let compared = in_parallel(files.len(), FILES, |index| {
            let (path, text) = files[index];
            match std::fs::read(root.join(path)) {
                Ok(found) if found == text.as_bytes() => Ok(None),
                Ok(_) => Ok(Some(Difference::Changed)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Ok(Some(Difference::Missing))
                }
                Err(error) => Err(error),
            }
        });
        for ((path, _), compared) in files.iter().zip(compared) {
            let shown = Path::new(DIRECTORY).join(path);
            match compared {
                Ok(None) => {}
                Ok(Some(difference)) => {
                    out.insert(shown, difference);
                }
                Err(error) => return Err(failed(&shown, &error)),
            }
        }
        for path in self.stale(&root) {
            out.insert(Path::new(DIRECTORY).join(path), Difference::Stale);
        }
        Ok(out)
    }

    /// Makes the disk agree: writes what is missing or changed, removes what is stale. Files that agree are not touched.
    /// Returns what differed.
    ///
    /// # Errors
    /// A file that cannot be read, written or removed.
    pub fn write(&self, project: &Path) -> Result<BTreeMap<PathBuf, Difference>, CompileError> {
        let root = project.join(DIRECTORY);
        let files: Vec<(&Path, &str)> = self.files().collect();
        let done = in_parallel(files.len(), FILES, |index| {
            let (path, text) = files[index];
            settle(&root.join(path), text)
        });
        let mut differences = BTreeMap::new();
        for ((path, _), done) in files.iter().zip(done) {
            let shown = Path::new(DIRECTORY).join(path);
            let difference = done.map_err(|error| failed(&shown, &error))?;
            differences.extend(difference.map(|difference| (shown, difference)));
        }
        let stale = self.stale(&root);
        for path in &stale {
            let shown = Path::new(DIRECTORY).join(path);
            std::fs::remove_file(root.join(path)).map_err(|error| failed(&shown, &error))?;
            differences.insert(shown, Difference::Stale);
        }
        if !stale.is_empty() {
            remove_empty(&root.join(MODELS));
        }
        Ok(differences)
    }

    /// SQL files below `models` that no node has; hidden files are nobody's business.
    fn stale(&self, root: &Path) -> Vec<PathBuf> {
        if !self.complete {
            return Vec::new();
        }
        WalkDir::new(root.join(MODELS))
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .filter(|entry| {
                entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "sql")
            })
            .filter_map(|entry| entry.path().strip_prefix(root).ok().map(Path::to_path_buf))
            .filter(|path| !self.files.contains_key(path))
            .collect()
    }
}

/// Makes a file have a text. Most files of a first compile are not there, and asking for each whether it is costs as much
/// as writing it; one that is there is read, and replaced as a whole where it has another text.
fn settle(path: &Path, text: &str) -> io::Result<Option<Difference>> {
    match write_new(path, text) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            std::fs::create_dir_all(path.parent().unwrap_or(path))?;
            write_new(path, text)?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if std::fs::read(path)? == text.as_bytes() {
                return Ok(None);
            }
            let beside = path.with_extension("sql.new");
            std::fs::write(&beside, text)?;
            std::fs::rename(&beside, path)?;
            return Ok(Some(Difference::Changed));
        }
        written => written?,
    }
    Ok(Some(Difference::Missing))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        // Half a file is of no use to anybody.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn remove_empty(directory: &Path) {
    let walk = WalkDir::new(directory).min_depth(1).contents_first(true);
    for entry in walk.into_iter().filter_map(Result::ok) {
        if entry.file_type().is_dir() {
            // Fails where something is left in it, which is as it should be.
            let _ = std::fs::remove_dir(entry.path());
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> CompileError {
    CompileError::Write {
        path: path.to_path_buf(),
        cause: error.to_string(),
    }
}

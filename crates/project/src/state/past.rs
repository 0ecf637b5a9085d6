//! What selectors compare the project with: `--state DIR`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::Deserialize;
use thiserror::Error;

use super::changes::{Change, Changes};

/// What a choice needs to know of the past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// `state:`: the manifest.
    pub manifest: bool,
    /// `result:`: the results of the last run.
    pub results: bool,
    /// `source_status:`: the freshness of sources, then and now.
    pub sources: bool,
}

impl std::ops::BitOr for Needs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            manifest: self.manifest || other.manifest,
            results: self.results || other.results,
            sources: self.sources || other.sources,
        }
    }
}

impl Needs {
    /// Whether anything is needed.
    pub fn any(self) -> bool {
        self.manifest || self.results || self.sources
    }
}

/// What is known of the past. Without it the methods that ask for it match nothing.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// How the nodes have changed; none if there is no manifest to compare with.
    pub changes: Option<Changes>,
    /// How nodes ended, by unique id: `success`, `error`, `skipped`, `pass`, `fail`, `warn`, …
    pub results: BTreeMap<String, String>,
    /// Sources with newer rows than then.
    pub fresher: BTreeSet<String>,
}

/// An artifact that cannot be read.
#[derive(Debug, Error, Diagnostic)]
pub enum PastError {
    /// No `--state`.
    #[error("`{method}` compares with an earlier state, and none is given")]
    #[diagnostic(
        code(rwt::state::missing),
        help(
            "`--state DIR` names the folder that holds the earlier {file}, for example a copy of target/"
        )
    )]
    Missing {
        /// The selector's method.
        method: &'static str,
        /// The artifact.
        file: &'static str,
    },
    /// No such file, or it cannot be read.
    #[error("{path}: {cause}")]
    #[diagnostic(
        code(rwt::state::unreadable),
        help(
            "`rwt parse`, `rwt compile` and `rwt run` write manifest.json into target/; `rwt run` writes run_results.json. Copy them where `--state` points"
        )
    )]
    Unreadable {
        /// The file.
        path: String,
        /// The system's reason.
        cause: String,
    },
    /// It is not JSON, or not what it should hold.
    #[error("{path} cannot be read as an artifact of dbt: {cause}")]
    #[diagnostic(
        code(rwt::state::malformed),
        help("write it anew, with rwt or with dbt 1.0 or newer")
    )]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong, with line and column.
        cause: String,
    },
    /// Another artifact under this name.
    #[error("{path} is not {what}")]
    #[diagnostic(
        code(rwt::state::malformed),
        help("write it anew, with rwt or with dbt 1.0 or newer")
    )]
    NotThis {
        /// The file.
        path: String,
        /// What it should be.
        what: &'static str,
    },
}

impl PastError {
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::Unreadable {
            path: path.display().to_string(),
            cause: error.to_string(),
        }
    }

    pub(super) fn malformed(path: &Path, error: &serde_json::Error) -> Self {
        Self::Malformed {
            path: path.display().to_string(),
            cause: error.to_string(),
        }
    }
}

#[derive(Deserialize)]
struct Results<T> {
    results: Vec<T>,
}

#[derive(Deserialize)]
struct Ended {
    unique_id: String,
    status: String,
}

#[derive(Deserialize)]
struct Freshness {
    unique_id: String,
    /// Not there where the source could not be asked.
    max_loaded_at: Option<String>,
}

impl Past {
    /// Reads the results that a choice needs. `state` is the folder of `--state`, `target` the one of this project.
    ///
    /// # Errors
    /// `--state` is missing, or a file in it cannot be read.
    pub fn read(needs: Needs, state: Option<&Path>, target: &Path) -> Result<Self, PastError> {
        let mut past = Self::default();
        if needs.results {
            let path = file(state, "result:", "run_results.json")?;
            let read: Results<Ended> = read(&path)?;
            past.results = (read.results.into_iter())
                .map(|result| (result.unique_id, result.status))
                .collect();
        }
        if needs.sources {
            let then: Results<Freshness> = read(&file(state, "source_status:", "sources.json")?)?;
            let now: Results<Freshness> = read(&target.join("sources.json"))?;
            past.fresher = fresher(then.results, now.results);
        }
        Ok(past)
    }

    /// Where the manifest to compare with is.
    ///
    /// # Errors
    /// `--state` is missing.
    pub fn manifest(state: Option<&Path>) -> Result<PathBuf, PastError> {
        file(state, "state:", "manifest.json")
    }

    /// Whether a node is `state:<word>`.
    pub fn is(&self, id: &str, word: &str) -> bool {
        let Some(all) = &self.changes else {
            return false;
        };
        let found = all.get(id);
        let has = |change: Change| found.is_some_and(|found| found.contains(&change));
        match word {
            "new" => has(Change::New),
            "old" => !has(Change::New),
            "modified" => found.is_some(),
            "unmodified" => found.is_none(),
            _ => match word.strip_prefix("modified.") {
                // dbt counts what is new as modified in every way but its macros.
                Some("macros") => has(Change::Macros),
                Some(part) => {
                    found.is_some_and(|found| found.iter().any(|change| change.word() == part))
                        || has(Change::New)
                }
                None => false,
            },
        }
    }
}

/// The values of `state:`.
pub(crate) const STATES: [&str; 10] = [
    "new",
    "old",
    "modified",
    "unmodified",
    "modified.body",
    "modified.configs",
    "modified.relation",
    "modified.persisted_descriptions",
    "modified.macros",
    "modified.contract",
];

fn file(
    state: Option<&Path>,
    method: &'static str,
    name: &'static str,
) -> Result<PathBuf, PastError> {
    match state {
        Some(folder) => Ok(folder.join(name)),
        None => Err(PastError::Missing { method, file: name }),
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Results<T>, PastError> {
    let text = std::fs::read(path).map_err(|error| PastError::unreadable(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| PastError::malformed(path, &error))
}

/// Sources whose newest row is newer now, or that were not asked then. Times are compared as text: ISO 8601 in UTC.
fn fresher(then: Vec<Freshness>, now: Vec<Freshness>) -> BTreeSet<String> {
    let unanswered: BTreeSet<String> = now
        .iter()
        .filter(|source| source.max_loaded_at.is_none())
        .map(|source| source.unique_id.clone())
        .collect();
    let then: BTreeMap<String, String> = then
        .into_iter()
        .filter_map(|source| Some((source.unique_id, source.max_loaded_at?)))
        .collect();
    now.into_iter()
        .filter_map(|source| Some((source.unique_id, source.max_loaded_at?)))
        .filter(|(id, at)| !unanswered.contains(id) && then.get(id).is_none_or(|then| at > then))
        .map(|(id, _)| id)
        .collect()
}

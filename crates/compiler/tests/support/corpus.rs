//! The corpus under `tests/conformance`: its cases, and the differences that are meant.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rwt_compiler::microbatch::{EventTime, moment};
use rwt_compiler::{Compiler, Flags, load};
use rwt_project::LoadOptions;
use rwt_project::environment::Environment;
use serde_json::Value;

use super::replica::Replica;
use super::{all_shown, shown};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance")
}

/// A directory with a project and its recording.
pub struct Case {
    pub name: String,
    pub dir: PathBuf,
    pub spec: Value,
}

/// Fails with all that differs, and with what may differ and does not.
pub fn verdict(mut problems: Vec<String>, unused: Vec<String>) {
    problems.extend(unused);
    assert!(
        problems.is_empty(),
        "{} differences:\n\n{}",
        problems.len(),
        problems.join("\n\n")
    );
}

pub fn cases() -> Vec<Case> {
    let only = std::env::var("CASE").ok();
    let mut cases: Vec<Case> = std::fs::read_dir(root())
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .filter(|dir| dir.join("expected").is_dir())
        .map(|dir| Case {
            name: dir
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            spec: read_json(&dir.join("case.json")).unwrap_or_default(),
            dir,
        })
        .filter(|case| only.as_ref().is_none_or(|only| *only == case.name))
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!cases.is_empty());
    cases
}

pub fn read_json(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Start and end.
fn span(said: &Value) -> Option<EventTime> {
    let time = |index: usize| {
        let text = said[index].as_str()?;
        Some(moment(text).expect("a time").and_utc())
    };
    Some((time(0)?, time(1)?))
}

impl Case {
    pub fn schema(&self) -> &str {
        self.spec["schema"].as_str().unwrap_or("public")
    }

    /// Whether its recording keeps the query comments.
    pub fn has_comments(&self) -> bool {
        self.spec["comments"] == true
    }

    /// `--event-time-start` and `--event-time-end` of its runs.
    pub fn event_time(&self) -> Option<EventTime> {
        span(&self.spec["event_time"])
    }

    /// Compilations with options that say what is read, by name.
    pub fn inputs(&self) -> Vec<(&str, Flags)> {
        let inputs = self.spec["inputs"].as_object().into_iter().flatten();
        let flags = |said: &Value| Flags {
            empty: said["empty"] == true,
            sample: span(&said["sample"]),
            ..Flags::default()
        };
        inputs
            .map(|(name, said)| (name.as_str(), flags(said)))
            .collect()
    }

    pub fn expected(&self, file: &str) -> Option<Value> {
        read_json(&self.dir.join("expected").join(file))
    }

    pub fn compiler(&self, flags: Flags, more_vars: &[(&str, Value)]) -> Result<Compiler, String> {
        let profiles = tempfile::tempdir().expect("a directory");
        let mut target = format!(
            "shop:\n  target: dev\n  outputs:\n    dev:\n      type: risingwave\n      host: 127.0.0.1\n      port: 4566\n      \
             user: root\n      pass: \"\"\n      dbname: dev\n      schema: {}\n      threads: 1\n",
            self.schema()
        );
        for (key, value) in self.spec["target"].as_object().into_iter().flatten() {
            target.push_str(&format!("      {key}: {value}\n"));
        }
        std::fs::write(profiles.path().join("profiles.yml"), target).expect("a file");
        let env = self.spec["env"].as_object().cloned().unwrap_or_default();
        let env = env
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str().expect("text")));
        let mut vars: IndexMap<String, Value> = self.spec["vars"]
            .as_object()
            .cloned()
            .unwrap_or_default()
            .into_iter()
            .collect();
        vars.extend(
            more_vars
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone())),
        );
        let options = LoadOptions {
            project_dir: Some(self.dir.clone()),
            profiles_dir: Some(profiles.path().to_path_buf()),
            environment: Environment::fixed(env),
            vars,
            ..LoadOptions::default()
        };
        let project = load(&options).map_err(|errors| {
            let all: Vec<String> = errors.into_iter().map(|error| shown(&error)).collect();
            all.join("\n")
        })?;
        Compiler::load(project, flags).map_err(|errors| all_shown(&errors))
    }

    pub fn replica(&self) -> Replica {
        Replica::new(self.schema(), &self.spec)
    }
}

/// `DIFFERENCES.md`: lines of a table whose first cell is a case.
pub struct Differences {
    /// Case, check, node, and whether it was needed.
    pub known: RefCell<BTreeMap<(String, String, String), bool>>,
    pub rules: BTreeSet<String>,
}

/// What the comparison lets through everywhere; each is explained under its name in `DIFFERENCES.md`.
pub const RULES: [&str; 8] = [
    "catalog-queries",
    "package-paths",
    "unchanged",
    "drops",
    "settings",
    "wait",
    "empty-statements",
    "seed-checks",
];

impl Differences {
    pub fn read() -> Self {
        let text = std::fs::read_to_string(root().join("DIFFERENCES.md")).expect("the list");
        let mut known = BTreeMap::new();
        let mut rules = BTreeSet::new();
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line
                .trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            match cells.as_slice() {
                [rule, _] => {
                    rules.insert((*rule).to_owned());
                }
                [case, check, node, _] => {
                    known.insert(
                        ((*case).to_owned(), (*check).to_owned(), (*node).to_owned()),
                        false,
                    );
                }
                _ => panic!("DIFFERENCES.md: {line}"),
            }
        }
        Self {
            known: RefCell::new(known),
            rules,
        }
    }

    /// Whether a difference is listed.
    pub fn allows(&self, case: &str, check: &str, node: &str) -> bool {
        let mut known = self.known.borrow_mut();
        for key in [
            (case.to_owned(), check.to_owned(), node.to_owned()),
            (case.to_owned(), check.to_owned(), "*".to_owned()),
        ] {
            if let Some(used) = known.get_mut(&key) {
                *used = true;
                return true;
            }
        }
        false
    }

    /// Entries of these checks that nothing needed.
    pub fn unused(&self, checks: &[&str]) -> Vec<String> {
        if std::env::var("CASE").is_ok() {
            return Vec::new();
        }
        self.known
            .borrow()
            .iter()
            .filter(|((_, check, _), used)| !**used && checks.contains(&check.as_str()))
            .map(|(key, _)| format!("DIFFERENCES.md lists {key:?}, and nothing differs there"))
            .collect()
    }
}

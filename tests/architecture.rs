//! Imports point one way, and one place prints.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::repository;

/// What each crate may depend on, among ours. The root package may depend on all.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("rwt-sql", &[]),
    ("rwt-project", &["rwt-sql"]),
    ("rwt-compiler", &["rwt-project", "rwt-sql"]),
    ("rwt-plan", &["rwt-compiler", "rwt-project", "rwt-sql"]),
    ("rwt-broker", &[]),
    ("rwt-lake", &[]),
    ("rwt-wire", &["rwt-sql"]),
    ("rwt-query", &["rwt-sql"]),
    (
        "rwt-engine",
        &["rwt-query", "rwt-wire", "rwt-lake", "rwt-sql"],
    ),
    ("rwt-produce", &["rwt-sql"]),
];

/// What a module of the root package may use, among its neighbours.
const MODULES: [(&str, &[&str]); 9] = [
    ("client", &[]),
    ("stack", &[]),
    ("catalog", &["client"]),
    ("state", &["client"]),
    ("apply", &["catalog", "client", "state"]),
    ("funnel", &["client", "stack"]),
    ("testing", &["apply", "catalog", "client"]),
    ("ui", &["apply", "cli", "funnel", "stack", "testing"]),
    (
        "cli",
        &[
            "apply", "catalog", "client", "funnel", "stack", "state", "testing", "ui",
        ],
    ),
];

fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A file's lines of code with their numbers: no comments, and nothing from its test module on.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate();
    lines
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect()
}

/// Words that come right after `prefix`.
fn words_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    line.match_indices(prefix)
        .map(|(at, _)| {
            let rest = &line[at + prefix.len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn crates_depend_on_what_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into();
    let packages = packages();
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    let named: BTreeSet<&str> = allowed.keys().copied().chain(["rwt"]).collect();
    assert_eq!(ours, named, "a new crate needs its place in this test");
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let Some(allowed) = allowed.get(name) else {
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            // A test may use what its crate may not.
            if dependency["kind"].as_str() != Some("dev")
                && ours.contains(on)
                && !allowed.contains(&on)
            {
                wrong.push(format!("{name} depends on {on}"));
            }
        }
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("src");
        for file in rust_files(&folder) {
            for (number, line) in code(&file) {
                for word in words_after(&line, "rwt_") {
                    let on = format!("rwt-{word}");
                    if ours.contains(on.as_str()) && on != name && !allowed.contains(&on.as_str()) {
                        wrong.push(format!("{}:{number} uses {on}", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn modules_of_the_program_use_what_they_may() {
    let src = repository().join("src");
    let allowed: BTreeMap<&str, &[&str]> = MODULES.into();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&src).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let module = path.file_name().unwrap().to_str().unwrap().to_owned();
        let allowed = allowed
            .get(module.as_str())
            .unwrap_or_else(|| panic!("src/{module} needs its place in this test"));
        for file in rust_files(&path) {
            for (number, line) in code(&file) {
                for word in words_after(&line, "crate::") {
                    let is_module = MODULES.iter().any(|(name, _)| *name == word);
                    if is_module && word != module && !allowed.contains(&word) {
                        wrong.push(format!("{}:{number} uses {word}", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_user_interface_prints() {
    let root = repository();
    let mut folders = vec![root.join("src")];
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        folders.push(entry.unwrap().path().join("src"));
    }
    let mut wrong = Vec::new();
    for file in folders.iter().flat_map(|folder| rust_files(folder)) {
        if file.starts_with(root.join("src/ui")) || file == root.join("src/main.rs") {
            continue;
        }
        for (number, line) in code(&file) {
            for name in ["println!", "eprintln!", "print!", "eprint!", "dbg!"] {
                let found = line.match_indices(name).any(|(at, _)| {
                    // `println!` holds `print`, but not `print!`; `my_print!` is another macro.
                    !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                });
                if found {
                    wrong.push(format!("{}:{number}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "only src/ui prints:\n{}",
        wrong.join("\n")
    );
}

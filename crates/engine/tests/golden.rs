//! The suites recorded from RisingWave, run over the wire. `golden.expected.txt` says how many records of each file pass
//! at least; the numbers only ever go up.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::{Served, slt};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

/// The recorded suites name an S3 service that nobody has; the engine's own lake has to give the same rows.
fn hosted(sql: &str) -> String {
    match (sql.find(" WITH ("), sql.contains("127.0.0.1:9301")) {
        (Some(at), true) => format!(
            "{} WITH (type = 'iceberg', hosted_catalog = true, warehouse.path = 'lake')",
            &sql[..at]
        ),
        _ => sql.replace(
            "catalog.type = 'storage', warehouse.path = 's3://other/path'",
            "hosted_catalog = true, warehouse.path = 'lake'",
        ),
    }
}

/// `file passed`, one per line.
fn expected() -> BTreeMap<String, usize> {
    include_str!("golden.expected.txt")
        .lines()
        .filter_map(|line| {
            let (file, passed) = line.split_once(' ')?;
            Some((file.to_owned(), passed.trim().parse().ok()?))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_suites_pass_as_far_as_they_did() {
    let only = std::env::var("GOLDEN").ok();
    let expected = expected();
    let mut lines = Vec::new();
    let mut worse = Vec::new();
    for folder in ["sql", "lake"] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(golden().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "slt"))
            .collect();
        files.sort();
        for path in files {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if only
                .as_ref()
                .is_some_and(|only| !only.split(',').any(|o| name.starts_with(o)))
            {
                continue;
            }
            let records = if folder == "lake" {
                slt::read(&path, hosted)
            } else {
                slt::read(&path, str::to_owned)
            };
            // The interval of RisingWave and of the embedded stack: what a statement sees of the one before depends on it.
            let dir = tempfile::tempdir().unwrap();
            let served = Served::beating(dir, Duration::from_secs(1)).await;
            let report = slt::run(&records, served.port, 20).await;
            served.stop().await;
            let least = expected.get(&name).copied().unwrap_or(0);
            lines.push(format!("{name} {} of {}", report.passed, records.len()));
            if only.is_some() {
                lines.extend(report.failures.iter().map(|f| format!("  {f}")));
            }
            if report.passed < least {
                worse.push(format!(
                    "{name}: {} of {least}\n{}",
                    report.passed,
                    report.failures.join("\n")
                ));
            }
        }
    }
    std::io::Write::write_all(
        &mut std::io::stdout(),
        format!("{}\n", lines.join("\n")).as_bytes(),
    )
    .unwrap();
    assert!(
        worse.is_empty(),
        "fewer records pass than before:\n{}",
        worse.join("\n")
    );
}

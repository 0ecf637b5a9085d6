//! Suites of our own, in the format of the recorded ones: facts of RisingWave's source and its tests, by subject. Every
//! record holds. `RWT_SUITE` names one of them.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::Path;

use support::database::Database;
use support::script::{check, fold, records};

#[tokio::test]
async fn every_record_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites");
    let only = std::env::var("RWT_SUITE").ok();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "slt"))
        .filter(|path| {
            only.as_deref()
                .is_none_or(|only| path.file_stem().is_some_and(|s| s == only))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no suite to run");
    let (mut checked, mut failed) = (0, 0);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut database = Database::default();
        for record in records(&text) {
            checked += 1;
            if let Err(difference) = check(&mut database, &record).await {
                failed += 1;
                println!(
                    "{}:{}: {}\n    {difference}",
                    file.display(),
                    record.line,
                    fold(&record.sql)
                );
            }
        }
    }
    println!("{failed} of {checked} records fail");
    assert_eq!(failed, 0, "records fail, see above");
}

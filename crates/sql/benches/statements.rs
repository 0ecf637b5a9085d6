//! Our parse of the recorded CREATE statements against that of `sqlparser`, on those that both accept. Both build their
//! syntax tree; sqlparser's also holds the queries, which stay text in ours.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rwt_sql::{PieceKind, fingerprint, parse_statement, redact, split_script};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// The recorded CREATE statements, each once, that both parsers accept.
fn creates() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/sql");
    let mut creates = Vec::new();
    for entry in fs::read_dir(folder).expect("the golden folder is there") {
        let path = entry.expect("the folder can be read").path();
        let text = fs::read_to_string(path).expect("the file can be read");
        for record in text.split("\n\n") {
            let Some((header, statement)) = record.split_once('\n') else {
                continue;
            };
            if header != "statement ok" {
                continue;
            }
            let Ok(pieces) = split_script(statement) else {
                continue;
            };
            for piece in pieces {
                let is_create = piece.kind == PieceKind::Statement
                    && piece
                        .text
                        .get(..6)
                        .is_some_and(|verb| verb.eq_ignore_ascii_case("create"));
                if is_create
                    && parse_statement(piece.text).is_ok()
                    && Parser::parse_sql(&PostgreSqlDialect {}, piece.text).is_ok()
                {
                    creates.push(piece.text.to_owned());
                }
            }
        }
    }
    creates.sort();
    creates.dedup();
    assert!(creates.len() > 100, "only {} statements", creates.len());
    creates
}

fn parse_creates(criterion: &mut Criterion) {
    let creates = creates();
    let bytes: usize = creates.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group(format!("{} CREATE statements", creates.len()));
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("rwt-sql", |bencher| {
        bencher.iter(|| {
            for sql in &creates {
                black_box(parse_statement(black_box(sql)).is_ok());
            }
        });
    });
    group.bench_function("sqlparser", |bencher| {
        bencher.iter(|| {
            for sql in &creates {
                black_box(Parser::parse_sql(&PostgreSqlDialect {}, black_box(sql)).is_ok());
            }
        });
    });
    group.finish();
}

fn one_large_insert(criterion: &mut Criterion) {
    let rows: Vec<String> = (0..5000)
        .map(|i| {
            format!(
                "({i}, 'session-{i}', 'page_view', 'https://example.com/p/{i}', {}.5, true)",
                i % 100
            )
        })
        .collect();
    let insert = format!("INSERT INTO clickstream_events VALUES {}", rows.join(", "));
    let mut group = criterion.benchmark_group("INSERT of 5000 rows");
    group.throughput(Throughput::Bytes(insert.len() as u64));
    group.bench_function("rwt-sql", |bencher| {
        bencher.iter(|| black_box(parse_statement(black_box(&insert)).is_ok()))
    });
    group.bench_function("sqlparser", |bencher| {
        bencher.iter(|| {
            black_box(Parser::parse_sql(&PostgreSqlDialect {}, black_box(&insert)).is_ok())
        });
    });
    group.bench_function("redact", |bencher| {
        bencher.iter(|| black_box(redact(black_box(&insert))))
    });
    group.bench_function("fingerprint", |bencher| {
        bencher.iter(|| black_box(fingerprint(black_box(&insert))))
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = parse_creates, one_large_insert
}
criterion_main!(benches);

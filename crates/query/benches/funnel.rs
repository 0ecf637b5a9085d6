//! The half-open funnel over a million page views and their carts and purchases, against the same computation written
//! by hand over the same columns in the same run.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};
use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use rwt_query::{Column, Queries, QueryError, Relation, Relations, Settings, schema};
use rwt_sql::DataType;

const VIEWS: usize = 1_000_000;
const MINUTE: i64 = 60_000_000;
const SQL: &str = "
    WITH views AS (SELECT DISTINCT window_start, user_id FROM TUMBLE(page, event_time, INTERVAL '1 minute')),
         carts AS (SELECT DISTINCT window_start, user_id FROM TUMBLE(cart, event_time, INTERVAL '1 minute')),
         buys AS (SELECT DISTINCT window_start, user_id FROM TUMBLE(purchase, event_time, INTERVAL '1 minute'))
    SELECT v.window_start, count(v.user_id) AS viewers, count(c.user_id) AS carters, count(b.user_id) AS purchasers
    FROM views v
    LEFT JOIN carts c ON c.user_id = v.user_id AND c.window_start = v.window_start
    LEFT JOIN buys b ON b.user_id = v.user_id AND b.window_start = v.window_start
    GROUP BY v.window_start";

struct Events {
    tables: Vec<(&'static str, Arc<Vec<RecordBatch>>)>,
}

fn columns() -> Vec<Column> {
    vec![
        Column::new("user_id", DataType::Integer),
        Column::new("event_time", DataType::Timestamp),
    ]
}

#[async_trait]
impl Relations for Events {
    async fn relation(
        &self,
        _schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Relation>, QueryError> {
        let found = self.tables.iter().find(|(table, _)| *table == name);
        Ok(found.map(|(_, batches)| Relation::rows(columns(), batches.clone())))
    }
}

/// Ten minutes of views by 50,000 users; three of ten views make a cart event, one of ten a purchase.
fn events() -> Events {
    let mut seed = 20_260_214_u64;
    let mut random = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let mut lists: [(Vec<i32>, Vec<i64>); 3] = Default::default();
    for i in 0..VIEWS {
        let user = i32::try_from(random() % 50_000).unwrap();
        let time = i64::try_from(i).unwrap() * 600 * 1_000_000 / 1_000_000;
        for (list, share) in lists.iter_mut().zip([10, 3, 1]) {
            if random() % 10 < share {
                list.0.push(user);
                list.1.push(time);
            }
        }
    }
    let tables = ["page", "cart", "purchase"]
        .into_iter()
        .zip(lists)
        .map(|(name, (users, times))| {
            let arrays: Vec<ArrayRef> = vec![
                Arc::new(Int32Array::from(users)),
                Arc::new(TimestampMicrosecondArray::from(times)),
            ];
            let all = RecordBatch::try_new(schema(&columns()), arrays).unwrap();
            let batches = (0..all.num_rows())
                .step_by(65_536)
                .map(|at| all.slice(at, 65_536.min(all.num_rows() - at)))
                .collect();
            (name, Arc::new(batches))
        })
        .collect();
    Events { tables }
}

type Pairs = HashSet<(i64, i32)>;

/// Window and user of every event, once.
fn pairs(events: &Events, table: usize) -> Pairs {
    let mut out = Pairs::new();
    for batch in events.tables[table].1.iter() {
        let users = batch.column(0).as_primitive::<Int32Type>();
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>();
        for (user, time) in users.values().iter().zip(times.values()) {
            out.insert((time.div_euclid(MINUTE), *user));
        }
    }
    out
}

fn by_hand(events: &Events) -> BTreeMap<i64, [i64; 3]> {
    let (views, carts, buys) = (pairs(events, 0), pairs(events, 1), pairs(events, 2));
    let mut out: BTreeMap<i64, [i64; 3]> = BTreeMap::new();
    for pair in &views {
        let counts = out.entry(pair.0).or_default();
        counts[0] += 1;
        counts[1] += i64::from(carts.contains(pair));
        counts[2] += i64::from(buys.contains(pair));
    }
    out
}

fn counts(batches: &[RecordBatch]) -> BTreeMap<i64, [i64; 3]> {
    let mut out = BTreeMap::new();
    for batch in batches {
        let starts = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        let column = |i: usize| -> &Int64Array { batch.column(i).as_primitive::<Int64Type>() };
        for row in 0..batch.num_rows() {
            let counts = [
                column(1).value(row),
                column(2).value(row),
                column(3).value(row),
            ];
            out.insert(starts.value(row) / MINUTE, counts);
        }
    }
    out
}

fn funnel(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let events = events();
    let queries = Queries::new().unwrap();
    let plan = runtime
        .block_on(queries.plan(SQL, &events, &Settings::default(), &[]))
        .unwrap();
    let rows = runtime.block_on(plan.execute(&[])).unwrap();
    assert_eq!(counts(&rows), by_hand(&events));

    let mut group = criterion.benchmark_group("funnel of 1M page views");
    group.sample_size(10);
    group.bench_function("rwt-query", |b| {
        b.iter(|| black_box(runtime.block_on(plan.execute(&[])).unwrap()));
    });
    group.bench_function("by hand", |b| b.iter(|| black_box(by_hand(&events))));
    group.finish();
}

criterion_group!(benches, funnel);
criterion_main!(benches);

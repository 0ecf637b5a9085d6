//! A stack that is killed in mid-load, several times: nothing that was acknowledged after FLUSH is lost, nothing comes
//! twice, in the topics, the sources, the tables, the lake and the funnel.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::HashMap;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::sql::Sql;
use support::topics::{self, TOPICS};
use support::{Place, finish, funnel, until};

const KILLS: u64 = 4;
/// What must have arrived between two kills, so that each one comes in mid-load.
const EVENTS_BETWEEN: i64 = 2_000;
const BATCHES_BETWEEN: i64 = 3;
const BATCH_ROWS: i64 = 40;

/// Tables that are written to over the wire, with the id that no two rows share.
const TABLES: [(&str, &str); 4] = [
    ("page_catalog", "page_url"),
    ("devices", "device_id"),
    ("sessions", "session_id"),
    ("clickstream_events", "event_id"),
];

/// Rows of the direct producer and the batches below are told apart by this.
const BATCH_PREFIX: &str = "batch-";

/// Writes batches of rows, each flushed before the next one, and never a batch twice.
struct Writer {
    thread: thread::JoinHandle<Vec<i64>>,
    stop: Arc<AtomicBool>,
    flushed: Arc<AtomicI64>,
}

impl Writer {
    fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flushed = Arc::new(AtomicI64::new(0));
        let (stopped, count) = (stop.clone(), flushed.clone());
        let thread = thread::spawn(move || write(port, &stopped, &count));
        Self {
            thread,
            stop,
            flushed,
        }
    }

    fn flushed(&self) -> i64 {
        self.flushed.load(Ordering::SeqCst)
    }

    /// The numbers of the batches whose FLUSH was answered.
    fn finish(self) -> Vec<i64> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the writer ends well")
    }
}

fn write(port: u16, stop: &AtomicBool, count: &AtomicI64) -> Vec<i64> {
    let mut flushed = Vec::new();
    let mut sql: Option<Sql> = None;
    for batch in 0.. {
        let connection = loop {
            if stop.load(Ordering::SeqCst) {
                return flushed;
            }
            match sql.take().map_or_else(|| Sql::try_connect(port), Ok) {
                Ok(connection) => break connection,
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        };
        let rows: Vec<String> = (0..BATCH_ROWS)
            .map(|row| {
                format!(
                    "('{BATCH_PREFIX}{batch}-{row}', 'desktop', 'os', 'browser', 'agent', 'now')"
                )
            })
            .collect();
        let insert = format!("insert into devices values {}", rows.join(", "));
        let written = connection
            .try_rows(&insert)
            .and_then(|_| connection.try_rows("flush"));
        if written.is_ok() {
            flushed.push(batch);
            count.fetch_add(1, Ordering::SeqCst);
            sql = Some(connection);
        }
    }
    flushed
}

/// How many events the sources hold; 0 while nobody answers.
fn ingested(port: u16) -> i64 {
    let Ok(sql) = Sql::try_connect(port) else {
        return 0;
    };
    TOPICS
        .iter()
        .filter_map(|(_, source)| {
            let rows = sql
                .try_rows(&format!("select count(*) from {source}"))
                .ok()?;
            rows.first()?.first()?.as_ref()?.parse::<i64>().ok()
        })
        .sum()
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).expect("a process id");
    kill(Pid::from_raw(pid), Signal::SIGINT).expect("a producer can be interrupted");
}

/// A message or a row as text, so that both sides can be compared as bags.
fn bag(lines: impl IntoIterator<Item = String>) -> HashMap<String, usize> {
    let mut bag = HashMap::new();
    for line in lines {
        *bag.entry(line).or_default() += 1;
    }
    bag
}

/// What `select * from` a source gives of a message.
fn line(message: &Value, middle: &str) -> String {
    let middle = match &message[middle] {
        Value::String(text) => text.clone(),
        number => number.as_f64().expect("an amount").to_string(),
    };
    let user = &message["user_id"];
    let time = message["event_time"].as_str().expect("a time");
    format!("{user}|{middle}|{time}")
}

fn lines_of(sql: &Sql, relation: &str, middle: &str) -> HashMap<String, usize> {
    let rows = sql.rows(&format!(
        "select user_id, {middle}, event_time from {relation}"
    ));
    bag(rows.into_iter().map(|row| {
        let cells: Vec<String> = row.into_iter().map(|cell| cell.expect("no NULL")).collect();
        let middle = cells[1]
            .parse::<f64>()
            .map_or_else(|_| cells[1].clone(), |number| number.to_string());
        format!("{}|{middle}|{}", cells[0], cells[2])
    }))
}

#[test]
fn kills_in_mid_load_lose_nothing_and_double_nothing() {
    let place = Place::example();
    let port = place.engine_port;
    place.up();
    place.ok(&["run"]);

    // The Kafka producer lives through all kills, as a shop's web servers would.
    let kafka = place.spawn(&[
        "produce", "--seed", "11", "--users", "3000", "--rate", "2000", "--output", "json",
    ]);
    let writer = Writer::start(port);
    for round in 0..KILLS {
        // The direct producer cannot live through one, and begins again with other rows.
        let seed = (100 + round).to_string();
        let direct = place.spawn(&["produce", "--direct", "--seed", &seed, "--rate", "400"]);
        let (events, batches) = (ingested(port), writer.flushed());
        until("events and rows arrive between two kills", || {
            let arrived = (ingested(port) - events, writer.flushed() - batches);
            if arrived.0 >= EVENTS_BETWEEN && arrived.1 >= BATCHES_BETWEEN {
                Ok(())
            } else {
                Err(format!("{} events, {} batches", arrived.0, arrived.1))
            }
        });
        place.kill_stack();
        let direct = finish(direct);
        assert_eq!(direct.code(), Some(1), "{}", direct.stderr);
        place.up();
    }
    let events = ingested(port);
    until("events arrive after the last restart", || {
        match ingested(port) {
            now if now > events => Ok(()),
            now => Err(now.to_string()),
        }
    });
    interrupt(&kafka);
    let sent = finish(kafka).exits_with(0).json();
    let flushed = writer.finish();

    // Topics: what was acknowledged, and nothing else, because the producer is idempotent.
    let bootstrap = place.bootstrap();
    let messages = TOPICS.map(|(topic, _)| topics::messages(&bootstrap, topic));
    let held: usize = messages.iter().map(Vec::len).sum();
    assert_eq!(sent["failed"].as_u64(), Some(0), "{sent}");
    assert_eq!(sent["acknowledged"].as_u64(), Some(held as u64), "{sent}");
    for ((topic, _), messages) in TOPICS.iter().zip(&messages) {
        assert_eq!(
            sent["streams"][topic].as_u64(),
            Some(messages.len() as u64),
            "{sent}"
        );
    }

    // Sources and the lake: the topics' messages, each as often as it was sent.
    let sql = place.sql();
    sql.rows("flush");
    for (((topic, source), middle), messages) in TOPICS
        .iter()
        .zip(["page_id", "item_id", "amount"])
        .zip(&messages)
    {
        let count = i64::try_from(messages.len()).expect("a count");
        sql.until_count(source, count);
        let expected = bag(messages.iter().map(|message| line(message, middle)));
        assert!(
            lines_of(&sql, source, middle) == expected,
            "{source} holds other rows than {topic}"
        );
        let lake = format!("iceberg_{topic}");
        sql.until_count(&lake, count);
        assert!(
            lines_of(&sql, &lake, middle) == expected,
            "{lake} holds other rows than {topic}"
        );
    }

    // Tables: every flushed batch whole, every other one whole or not at all, no row twice, and the lake the same.
    let ids = sql.column(&format!(
        "select device_id from devices where device_id like '{BATCH_PREFIX}%'"
    ));
    let mut batches: HashMap<i64, i64> = HashMap::new();
    for id in &ids {
        let batch = id[BATCH_PREFIX.len()..]
            .split('-')
            .next()
            .expect("a batch's number");
        *batches.entry(batch.parse().expect("a number")).or_default() += 1;
    }
    assert!(flushed.len() as i64 >= BATCHES_BETWEEN * KILLS as i64);
    for batch in &flushed {
        assert_eq!(
            batches.get(batch),
            Some(&BATCH_ROWS),
            "batch {batch} was flushed"
        );
    }
    for (batch, rows) in &batches {
        assert_eq!(rows, &BATCH_ROWS, "batch {batch}");
    }
    for (table, id) in TABLES {
        let count = sql.count(table);
        assert!(count > 0, "{table} is empty");
        let distinct = sql.number(&format!("select count(distinct {id}) from {table}"));
        assert_eq!(distinct, count, "{table} holds a row twice");
        let lake = format!("iceberg_{table}");
        sql.until_count(&lake, count);
        let ids = |of: &str| {
            let mut ids = sql.column(&format!("select {id} from {of}"));
            ids.sort();
            ids
        };
        assert!(
            ids(&lake) == ids(table),
            "{lake} holds other rows than {table}"
        );
    }

    let [views, carts, purchases] = &messages;
    let printed = place
        .ok(&["funnel", "--limit", "10000", "--output", "json"])
        .json();
    assert_eq!(
        funnel::printed(&printed),
        funnel::compute(views, carts, purchases)
    );

    // And after one more restart nothing has moved.
    place.kill_stack();
    place.up();
    let sql = place.sql();
    for ((topic, source), messages) in TOPICS.iter().zip(&messages) {
        let count = i64::try_from(messages.len()).expect("a count");
        assert_eq!(sql.count(source), count);
        assert_eq!(sql.count(&format!("iceberg_{topic}")), count);
        assert_eq!(topics::size(&bootstrap, topic), count);
    }
}

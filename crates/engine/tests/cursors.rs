//! Cursors: over the rows of a query, and over the changes that a subscription keeps.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{Served, rows, rows_or_error};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Runs statements that have to succeed, each of them a checkpoint.
async fn run(client: &Client, statements: &[&str]) {
    rows(client, "SET rw_implicit_flush TO true").await;
    for sql in statements {
        rows(client, sql).await;
    }
}

/// What a FETCH gives, without the times; a row that a checkpoint has made has one, a row of a snapshot none.
async fn fetched(client: &Client, sql: &str) -> Vec<String> {
    let rows = rows(client, sql).await;
    let without_time = |row: &String| {
        let (row, time) = row.rsplit_once(' ').unwrap();
        match time {
            "NULL" => format!("{row} before"),
            time => {
                assert!(time.parse::<u64>().unwrap() > 1_700_000_000_000, "{time}");
                row.to_owned()
            }
        }
    };
    rows.iter().map(without_time).collect()
}

/// The times of the changes that a FETCH gives.
async fn times(client: &Client, sql: &str) -> Vec<u64> {
    let rows = rows(client, sql).await;
    let time = |row: &String| row.rsplit_once(' ').unwrap().1.parse().unwrap();
    rows.iter().map(time).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_in_their_order_with_what_happened() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE plain (a int, b int)",
            "CREATE TABLE keyed (id int PRIMARY KEY, v varchar)",
            "CREATE MATERIALIZED VIEW counted AS SELECT b, count(*) AS n FROM plain GROUP BY b",
            "INSERT INTO plain VALUES (1, 2)",
            "CREATE SUBSCRIPTION of_plain FROM plain WITH (retention = '1D')",
            "CREATE SUBSCRIPTION of_keyed FROM keyed WITH (retention = '1D')",
            "CREATE SUBSCRIPTION of_counted FROM counted WITH (retention = '1D')",
            "DECLARE p SUBSCRIPTION CURSOR FOR of_plain FULL",
            "DECLARE k SUBSCRIPTION CURSOR FOR of_keyed",
            "DECLARE c SUBSCRIPTION CURSOR FOR public.of_counted FULL",
            "INSERT INTO plain VALUES (4, 4)",
            "UPDATE plain SET b = 10 WHERE a = 4",
            "DELETE FROM plain WHERE a = 4",
            "INSERT INTO keyed VALUES (1, 'one'), (2, 'two')",
            "INSERT INTO keyed VALUES (2, 'zwei'), (3, 'drei')",
            "DELETE FROM keyed WHERE id = 1",
            // Nothing changes in what is kept.
            "UPDATE keyed SET v = 'drei' WHERE id = 3",
        ],
    )
    .await;
    assert_eq!(
        fetched(&client, "FETCH NEXT FROM p").await,
        ["1 2 Insert before"]
    );
    assert_eq!(
        fetched(&client, "FETCH 2 FROM p").await,
        ["4 4 Insert", "4 4 UpdateDelete"]
    );
    assert_eq!(
        fetched(&client, "FETCH 10 FROM p").await,
        ["4 10 UpdateInsert", "4 10 Delete"]
    );
    assert!(fetched(&client, "FETCH NEXT FROM p").await.is_empty());
    let mut first = fetched(&client, "FETCH 2 FROM k").await;
    first.sort();
    assert_eq!(first, ["1 one Insert", "2 two Insert"]);
    let mut second = fetched(&client, "FETCH 3 FROM k").await;
    second.sort();
    assert_eq!(
        second,
        ["2 two UpdateDelete", "2 zwei UpdateInsert", "3 drei Insert"]
    );
    assert_eq!(fetched(&client, "FETCH 9 FROM k").await, ["1 one Delete"]);
    assert_eq!(
        fetched(&client, "FETCH 9 FROM c").await,
        [
            "2 1 Insert before",
            "4 1 Insert",
            "4 1 Delete",
            "10 1 Insert",
            "10 1 Delete"
        ]
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_begins_where_it_is_told_also_after_a_restart() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE t (a int)",
            "CREATE SUBSCRIPTION s FROM t WITH (retention = '1 hour')",
            "INSERT INTO t VALUES (4)",
            "INSERT INTO t VALUES (5)",
            "DECLARE since_now SUBSCRIPTION CURSOR FOR s SINCE now()",
            "DECLARE full_one SUBSCRIPTION CURSOR FOR s FULL",
            "INSERT INTO t VALUES (6)",
        ],
    )
    .await;
    assert_eq!(
        fetched(&client, "FETCH 9 FROM since_now").await,
        ["6 Insert"]
    );
    let mut all = fetched(&client, "FETCH 9 FROM full_one").await;
    all.sort();
    assert_eq!(all, ["4 Insert before", "5 Insert before", "6 Insert"]);
    drop(client);

    let served = Served::reopen(served.stop().await).await;
    let client = served.client().await;
    run(
        &client,
        &["DECLARE b SUBSCRIPTION CURSOR FOR s SINCE begin()"],
    )
    .await;
    assert_eq!(
        fetched(&client, "FETCH 9 FROM b").await,
        ["4 Insert", "5 Insert", "6 Insert"]
    );
    run(
        &client,
        &[
            "CLOSE b",
            "DECLARE b SUBSCRIPTION CURSOR FOR s SINCE begin()",
        ],
    )
    .await;
    let at = times(&client, "FETCH 3 FROM b").await;
    assert!(at[0] < at[1] && at[1] < at[2], "{at:?}");
    for (since, expected) in [
        (at[1], vec!["5 Insert", "6 Insert"]),
        (at[1] + 1, vec!["6 Insert"]),
    ] {
        let declare = format!("DECLARE at SUBSCRIPTION CURSOR FOR s SINCE {since}");
        run(&client, &[&declare]).await;
        assert_eq!(fetched(&client, "FETCH 9 FROM at").await, expected);
        run(&client, &["CLOSE at"]).await;
    }
    for (sql, part) in [
        (
            "DECLARE x SUBSCRIPTION CURSOR FOR s SINCE 1",
            "rw_timestamp is too small",
        ),
        (
            "DECLARE x SUBSCRIPTION CURSOR FOR s SINCE 99999999999999",
            "rw_timestamp is too large",
        ),
        (
            "DECLARE x SUBSCRIPTION CURSOR FOR t",
            "subscription not found: t",
        ),
        (
            "DECLARE x SUBSCRIPTION CURSOR FOR s SINCE ever()",
            "sql parser error",
        ),
        ("DECLARE b CURSOR FOR SELECT 1", "cursor `b` already exists"),
        ("FETCH x FROM b", "sql parser error"),
        ("FETCH NEXT FROM y", "Cannot find cursor `y`"),
        ("FETCH NEXT FROM b WITH (patience = '1s')", "only `timeout`"),
        ("CLOSE y", "cursor `y` don't exists"),
    ] {
        let error = rows_or_error(&client, sql).await.unwrap_err();
        assert!(error.contains(part), "{sql}: {error}");
    }
    run(&client, &["DROP SUBSCRIPTION s"]).await;
    let error = rows_or_error(&client, "FETCH NEXT FROM b")
        .await
        .unwrap_err();
    assert!(error.contains("subscription not found: s"), "{error}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_waits_for_a_change_as_long_as_it_may() {
    let served = Served::start().await;
    let (client, other) = (served.client().await, served.client().await);
    run(
        &client,
        &[
            "CREATE TABLE t (a int)",
            "CREATE SUBSCRIPTION s FROM t WITH (retention = '1D')",
            "DECLARE c SUBSCRIPTION CURSOR FOR s",
        ],
    )
    .await;
    assert!(
        fetched(&client, "FETCH NEXT FROM c WITH (timeout = '1s')")
            .await
            .is_empty()
    );
    let (waited, ()) = tokio::join!(
        fetched(&client, "FETCH 5 FROM c WITH (timeout = '60s')"),
        run(&other, &["INSERT INTO t VALUES (1)"])
    );
    assert_eq!(waited, ["1 Insert"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_columns_begin_another_fetch() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE t (a int, b int)",
            "CREATE SUBSCRIPTION s FROM t WITH (retention = '1D')",
            "INSERT INTO t VALUES (1, 1)",
            "DECLARE c SUBSCRIPTION CURSOR FOR s FULL",
            "ALTER TABLE t ADD COLUMN d int",
            "INSERT INTO t VALUES (2, 2, 2)",
        ],
    )
    .await;
    assert_eq!(
        fetched(&client, "FETCH 9 FROM c").await,
        ["1 1 Insert before"]
    );
    assert_eq!(fetched(&client, "FETCH 9 FROM c").await, ["2 2 2 Insert"]);
    run(
        &client,
        &["ALTER TABLE t DROP COLUMN b", "INSERT INTO t VALUES (3, 3)"],
    )
    .await;
    assert!(fetched(&client, "FETCH 9 FROM c").await.is_empty());
    assert_eq!(fetched(&client, "FETCH 9 FROM c").await, ["3 3 Insert"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_are_shown_and_described() {
    let served = Served::start().await;
    let (client, other) = (served.client().await, served.client().await);
    run(
        &client,
        &[
            "CREATE TABLE t (a int, \"for\" varchar)",
            "CREATE SUBSCRIPTION s FROM t WITH (retention = '1D')",
            "INSERT INTO t VALUES (1, 'x for y'), (2, 'z'), (3, 'z')",
            "DECLARE \"My Cursor\" CURSOR FOR SELECT a, \"for\" FROM t ORDER BY a",
            "DECLARE changes SUBSCRIPTION CURSOR FOR s",
        ],
    )
    .await;
    let shown = async |what: &str| -> Vec<Vec<(String, String)>> {
        let messages = other.simple_query(what).await.unwrap();
        let cells = |message: SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => Some(
                row.columns()
                    .iter()
                    .enumerate()
                    .map(|(at, column)| (column.name().to_owned(), row.get(at).unwrap().to_owned()))
                    .collect(),
            ),
            _ => None,
        };
        messages.into_iter().filter_map(cells).collect()
    };
    let queries = shown("SHOW CURSORS").await;
    assert_eq!(queries.len(), 1, "{queries:?}");
    assert_eq!(
        queries[0][4],
        ("Cursor Name".to_owned(), "My Cursor".to_owned())
    );
    let changes = shown("SHOW SUBSCRIPTION CURSORS").await;
    assert_eq!(changes.len(), 1, "{changes:?}");
    let cell = |at: usize| (changes[0][at].0.as_str(), changes[0][at].1.as_str());
    assert_eq!(cell(1), ("User", "root"));
    assert_eq!(cell(4), ("Cursor Name", "changes"));
    assert_eq!(cell(5), ("Subscription Name", "s"));
    assert_eq!(changes[0][7].0, "Idle Duration Ms");

    // In the extended protocol a client learns the columns before it fetches.
    let prepared = client.prepare("FETCH 2 FROM \"My Cursor\"").await.unwrap();
    let names: Vec<&str> = prepared.columns().iter().map(|c| c.name()).collect();
    assert_eq!(names, ["a", "for"]);
    let fetched = client.query(&prepared, &[]).await.unwrap();
    assert_eq!(fetched.len(), 2);
    assert_eq!(fetched[0].get::<_, &str>(1), "x for y");
    let prepared = client.prepare("FETCH NEXT FROM changes").await.unwrap();
    let names: Vec<&str> = prepared.columns().iter().map(|c| c.name()).collect();
    assert_eq!(names, ["a", "for", "op", "rw_timestamp"]);

    run(&client, &["CLOSE ALL"]).await;
    assert!(shown("SHOW CURSORS").await.is_empty());
    assert!(shown("SHOW SUBSCRIPTION CURSORS").await.is_empty());
    served.stop().await;
}

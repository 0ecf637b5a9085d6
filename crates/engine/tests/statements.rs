//! What only the whole engine shows of a statement: temporal joins over checkpoints and restarts, views whose syntax is
//! RisingWave's own, privileges.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{Served, rows, rows_or_error};
use tokio_postgres::Client;

/// Runs statements that have to succeed, each visible to the next.
async fn run(client: &Client, statements: &[&str]) {
    rows(client, "SET rw_implicit_flush TO true").await;
    for sql in statements {
        rows(client, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporal_join_keeps_what_rows_met() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE clicks (id int, who int) APPEND ONLY",
            "CREATE TABLE people (who int PRIMARY KEY, name varchar)",
            "INSERT INTO clicks VALUES (0, 1)",
            "INSERT INTO people VALUES (1, 'Ann')",
            "CREATE MATERIALIZED VIEW named AS SELECT id, p.name FROM clicks c LEFT JOIN people FOR SYSTEM_TIME AS OF PROCTIME() AS p ON c.who = p.who",
            "CREATE MATERIALIZED VIEW counted AS SELECT name, count(*) AS n FROM clicks JOIN people FOR SYSTEM_TIME AS OF PROCTIME() ON clicks.who = people.who GROUP BY name",
            "CREATE MATERIALIZED VIEW above AS SELECT name FROM named WHERE id > 1",
            "INSERT INTO clicks VALUES (1, 2)",
            "INSERT INTO people VALUES (2, 'Bob')",
            "INSERT INTO clicks VALUES (2, 2)",
            "UPDATE people SET name = 'Bert' WHERE who = 2",
            "INSERT INTO clicks VALUES (3, 2)",
            "DELETE FROM people WHERE who = 2",
            "INSERT INTO clicks VALUES (4, 2)",
        ],
    )
    .await;
    let named = ["0 Ann", "1 NULL", "2 Bob", "3 Bert", "4 NULL"];
    assert_eq!(
        rows(&client, "SELECT * FROM named ORDER BY id").await,
        named
    );
    let counted = "SELECT * FROM counted ORDER BY name";
    assert_eq!(rows(&client, counted).await, ["Ann 1", "Bert 1", "Bob 1"]);
    let above = "SELECT * FROM above ORDER BY name";
    assert_eq!(rows(&client, above).await, ["Bert", "Bob", "NULL"]);
    drop(client);

    let served = Served::reopen(served.stop().await).await;
    let client = served.client().await;
    assert_eq!(
        rows(&client, "SELECT * FROM named ORDER BY id").await,
        named
    );
    run(
        &client,
        &[
            "INSERT INTO people VALUES (2, 'Bess')",
            "INSERT INTO clicks VALUES (5, 2)",
        ],
    )
    .await;
    assert_eq!(
        rows(&client, "SELECT * FROM named WHERE id >= 4 ORDER BY id").await,
        ["4 NULL", "5 Bess"]
    );
    run(
        &client,
        &[
            "DROP MATERIALIZED VIEW named CASCADE",
            "DROP MATERIALIZED VIEW counted",
            "DROP TABLE people",
        ],
    )
    .await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_updated_are_joined_anew() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE orders (id int PRIMARY KEY, item int)",
            "CREATE TABLE items (no int PRIMARY KEY, code int, price int)",
            "CREATE INDEX items_by_code ON items (code)",
            "CREATE MATERIALIZED VIEW priced AS SELECT id, item, price FROM orders LEFT JOIN items FOR SYSTEM_TIME AS OF PROCTIME() ON item = code",
            "INSERT INTO items VALUES (1, 10, 100), (2, 20, 200)",
            "INSERT INTO orders VALUES (1, 10), (2, 20), (3, 30)",
            "UPDATE items SET price = 101 WHERE no = 1",
            "INSERT INTO items VALUES (3, 30, 300)",
        ],
    )
    .await;
    let priced = "SELECT * FROM priced ORDER BY id";
    assert_eq!(
        rows(&client, priced).await,
        ["1 10 100", "2 20 200", "3 30 NULL"]
    );
    run(
        &client,
        &[
            "UPDATE orders SET item = 30 WHERE id = 3",
            "UPDATE orders SET item = 10 WHERE id = 2",
            "DELETE FROM orders WHERE id = 1",
        ],
    )
    .await;
    assert_eq!(rows(&client, priced).await, ["2 10 101", "3 30 300"]);
    run(
        &client,
        &[
            "CREATE TABLE makers (code int PRIMARY KEY, maker varchar)",
            "INSERT INTO makers VALUES (10, 'Abel')",
            "INSERT INTO items VALUES (4, 10, 104)",
            "CREATE MATERIALIZED VIEW made AS SELECT o.id, i.*, m.maker, n.v FROM orders o LEFT JOIN items FOR SYSTEM_TIME AS OF PROCTIME() i ON o.item = i.code LEFT JOIN makers FOR SYSTEM_TIME AS OF PROCTIME() m ON i.code = m.code JOIN (VALUES (2, 'now'), (4, 'new'), (5, 'last')) n(id, v) ON n.id = o.id",
            "CREATE MATERIALIZED VIEW known AS SELECT o.id, maker FROM orders o JOIN items FOR SYSTEM_TIME AS OF PROCTIME() i ON o.item = i.code JOIN makers FOR SYSTEM_TIME AS OF PROCTIME() m ON i.code = m.code",
            "UPDATE makers SET maker = 'Cain' WHERE code = 10",
            "INSERT INTO orders VALUES (4, 10), (5, 20)",
        ],
    )
    .await;
    assert_eq!(
        rows(&client, "SELECT * FROM made ORDER BY id, no").await,
        [
            "2 1 10 101 Abel now",
            "2 4 10 104 Abel now",
            "4 1 10 101 Cain new",
            "4 4 10 104 Cain new",
            "5 2 20 200 NULL last",
        ]
    );
    assert_eq!(
        rows(
            &client,
            "SELECT id, maker, count(*) FROM known GROUP BY id, maker ORDER BY id"
        )
        .await,
        ["2 Abel 2", "4 Cain 2"]
    );
    for (sql, expected) in [
        (
            "CREATE MATERIALIZED VIEW bad AS SELECT id FROM orders JOIN items FOR SYSTEM_TIME AS OF PROCTIME() ON item = price",
            "Temporal join requires the lookup table's primary key contained exactly in the equivalence condition",
        ),
        (
            "CREATE MATERIALIZED VIEW bad AS SELECT id FROM orders RIGHT JOIN items FOR SYSTEM_TIME AS OF PROCTIME() ON item = no",
            "exist dangling temporal scan",
        ),
        (
            "CREATE MATERIALIZED VIEW bad AS SELECT o.id FROM (SELECT * FROM orders) o JOIN items FOR SYSTEM_TIME AS OF PROCTIME() ON item = no",
            "Feature is not yet implemented: a temporal join",
        ),
        (
            "SELECT id FROM orders JOIN items FOR SYSTEM_TIME AS OF PROCTIME() ON item = no",
            "do not support temporal join for batch queries",
        ),
    ] {
        let error = rows_or_error(&client, sql).await.unwrap_err();
        assert!(error.contains(expected), "{sql}: {error}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_risingwaves_own_syntax_follow_their_tables() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE a (k int, t int)",
            "CREATE TABLE b (k int, t int, v varchar)",
            "INSERT INTO a VALUES (1, 5), (2, 6)",
            "INSERT INTO b VALUES (1, 3, 'x'), (1, 4, 'y'), (1, 6, 'z')",
            "CREATE MATERIALIZED VIEW nearest AS SELECT a.k, b.v FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.t >= b.t",
            "CREATE MATERIALIZED VIEW sessions AS SELECT t, count(*) OVER (PARTITION BY k ORDER BY t SESSION WITH GAP 2) AS n FROM b",
            "CREATE MATERIALIZED VIEW rest AS SELECT * EXCEPT (v), array_transform(ARRAY[t], |x| x + 1) AS next FROM b",
            "ALTER TABLE b RENAME TO c",
            "INSERT INTO c VALUES (2, 1, 'w')",
        ],
    )
    .await;
    assert_eq!(
        rows(&client, "SELECT * FROM nearest ORDER BY k").await,
        ["1 y", "2 w"]
    );
    let sessions = "SELECT * FROM sessions ORDER BY t";
    assert_eq!(rows(&client, sessions).await, ["1 1", "3 2", "4 2", "6 1"]);
    let rest = "SELECT * FROM rest WHERE t > 3 ORDER BY t";
    assert_eq!(rows(&client, rest).await, ["1 4 {5}", "1 6 {7}"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn privileges_are_kept_on_every_kind_and_for_later() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE USER ann",
            "CREATE USER ben",
            "CREATE SCHEMA private",
            "CREATE TABLE t (a int)",
            "CREATE TABLE u (a int)",
            "CREATE MATERIALIZED VIEW m AS SELECT a FROM t",
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS $$SELECT $1$$",
            "GRANT ALL PRIVILEGES ON DATABASE dev TO ann",
            "GRANT USAGE, CREATE ON SCHEMA private TO ann",
            "GRANT EXECUTE ON FUNCTION f(int) TO ann",
            "GRANT SELECT, INSERT ON t, u TO ann, ben WITH GRANT OPTION GRANTED BY root",
            "GRANT SELECT ON ALL MATERIALIZED VIEWS IN SCHEMA public TO ben",
            "REVOKE GRANT OPTION FOR INSERT ON t FROM ann",
            "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ben",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ben",
            "CREATE TABLE later (a int)",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM ben",
            "CREATE TABLE latest (a int)",
        ],
    )
    .await;
    let lists = "SELECT name, acl FROM rw_catalog.rw_relations WHERE name IN ('t', 'm', 'later', 'latest') ORDER BY name";
    assert_eq!(
        rows(&client, lists).await,
        [
            "later {rwadmin=arwd/root,postgres=arwd/root,ben=r/root,root=arwd/root}",
            "latest {rwadmin=arwd/root,postgres=arwd/root,root=arwd/root}",
            "m {rwadmin=arwd/root,postgres=arwd/root,ben=r/root,root=arwd/root}",
            "t {rwadmin=arwd/root,postgres=arwd/root,ann=r*a/root,root=arwd/root}",
        ]
    );
    for (sql, expected) in [
        (
            "GRANT EXECUTE ON TABLE t TO ann",
            "Invalid privilege type for the given object",
        ),
        ("GRANT SELECT ON nosuch TO ann", "table not found: nosuch"),
        (
            "GRANT USAGE ON SCHEMA nosuch TO ann",
            "schema not found: nosuch",
        ),
        (
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO nobody",
            "User \"nobody\" does not exist",
        ),
    ] {
        let error = rows_or_error(&client, sql).await.unwrap_err();
        assert!(error.contains(expected), "{sql}: {error}");
    }
    served.stop().await;
}

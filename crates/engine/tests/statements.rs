//! What only the whole engine shows of a statement: temporal joins over checkpoints and restarts, views whose syntax is
//! RisingWave's own, privileges.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{Served, noticing, rows, rows_or_error};
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

/// What a statement is refused with.
async fn refused(client: &Client, sql: &str, expected: &str) {
    let error = rows_or_error(client, sql).await.unwrap_err();
    assert!(error.contains(expected), "{sql}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn privileges_are_asked_for() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE USER ann",
            "CREATE SCHEMA private",
            "CREATE TABLE t (a int)",
            "CREATE VIEW v AS SELECT a FROM t",
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS $$SELECT $1$$",
            "GRANT SELECT ON t TO ann WITH GRANT OPTION",
            "GRANT INSERT ON t TO ann",
            "GRANT CREATE ON SCHEMA private TO ann",
        ],
    )
    .await;
    for (sql, expected) in [
        ("has_table_privilege('ann', 't', 'SELECT')", "t"),
        (
            "has_table_privilege('ann', 't', 'SELECT WITH GRANT OPTION')",
            "t",
        ),
        (
            "has_table_privilege('ann', 't', 'INSERT WITH GRANT OPTION')",
            "f",
        ),
        ("has_table_privilege('ann', 't', 'SELECT, INSERT')", "t"),
        ("has_table_privilege('ann', 't', 'SELECT, DELETE')", "f"),
        ("has_table_privilege('ann', 'v'::regclass, 'SELECT')", "f"),
        ("has_table_privilege('v', 'SELECT')", "t"),
        ("has_table_privilege('ann', NULL, 'SELECT')", "NULL"),
        ("has_schema_privilege('ann', 'private', 'CREATE')", "t"),
        ("has_schema_privilege('ann', 'private', 'USAGE')", "f"),
        ("has_function_privilege('ann', 'f(int)', 'EXECUTE')", "f"),
        ("has_function_privilege('root', 'f(int)', 'EXECUTE')", "t"),
    ] {
        assert_eq!(
            rows(&client, &format!("SELECT {sql}")).await,
            [expected],
            "{sql}"
        );
    }
    for (sql, expected) in [
        (
            "SELECT has_table_privilege('nobody', 't', 'SELECT')",
            "Invalid parameter user: User nobody not found",
        ),
        (
            "SELECT has_table_privilege('ann', 'nosuch', 'SELECT')",
            "Invalid parameter name: class not found: nosuch",
        ),
        (
            "SELECT has_schema_privilege('ann', 'private', 'INSERT')",
            "Invalid parameter privilege: unrecognized privilege type: \"INSERT\"",
        ),
    ] {
        refused(&client, sql, expected).await;
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_keeps_the_time_zone_it_was_made_in() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE z (ts timestamp, tz timestamptz)",
            "SET timezone = 'Asia/Tokyo'",
            "CREATE MATERIALIZED VIEW m AS SELECT ts::timestamptz AS a, tz::timestamp AS b, tz::varchar AS c FROM z",
            "SET timezone = 'UTC'",
            "INSERT INTO z VALUES ('2024-01-01 00:00:00', '2024-01-01 00:00:00+00:00')",
        ],
    )
    .await;
    let expected = ["2023-12-31 15:00:00+00:00 2024-01-01 09:00:00 2024-01-01 09:00:00+09:00"];
    assert_eq!(rows(&client, "SELECT * FROM m").await, expected);
    drop(client);
    let served = Served::reopen(served.stop().await).await;
    let client = served.client().await;
    assert_eq!(rows(&client, "SELECT * FROM m").await, expected);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_shown_when_the_watermark_has_passed() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE e (at timestamp, n int, WATERMARK FOR at AS at - INTERVAL '5 minutes') APPEND ONLY",
            "CREATE MATERIALIZED VIEW closed AS SELECT at, n FROM e EMIT ON WINDOW CLOSE",
            "CREATE MATERIALIZED VIEW hours EMIT ON WINDOW CLOSE AS SELECT window_start, max(n) AS n FROM TUMBLE(e, at, INTERVAL '1 hour') GROUP BY window_start",
            "INSERT INTO e VALUES ('2023-05-06 16:51:00', 1), ('2023-05-06 16:56:00', 8), ('2023-05-06 17:59:00', 4), ('2023-05-06 18:01:00', 6)",
        ],
    )
    .await;
    let closed = "SELECT at::time, n FROM closed ORDER BY at";
    assert_eq!(rows(&client, closed).await, ["16:51:00 1", "16:56:00 8"]);
    let hours = "SELECT window_start::time, n FROM hours ORDER BY 1";
    assert_eq!(rows(&client, hours).await, ["16:00:00 8"]);
    run(
        &client,
        &["INSERT INTO e VALUES ('2023-05-06 18:10:00', 7)"],
    )
    .await;
    assert_eq!(
        rows(&client, closed).await,
        ["16:51:00 1", "16:56:00 8", "17:59:00 4", "18:01:00 6"]
    );
    assert_eq!(rows(&client, hours).await, ["16:00:00 8", "17:00:00 4"]);
    for query in [
        "SELECT at, lag(n) OVER (PARTITION BY n ORDER BY at) FROM e",
        "SELECT e.at FROM e JOIN closed ON e.n = closed.n",
    ] {
        let sql = format!("CREATE MATERIALIZED VIEW bad AS {query} EMIT ON WINDOW CLOSE");
        refused(&client, &sql, "Feature is not yet implemented: EMIT ON").await;
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_fills_the_columns_it_is_not_given() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE src (id int PRIMARY KEY, n int)",
            "CREATE TABLE dst (id int PRIMARY KEY, n int NOT NULL, kind varchar DEFAULT 'new', twice int AS n * 2)",
            "CREATE SINK fill INTO dst (id, n) AS SELECT id, n FROM src",
            "INSERT INTO src VALUES (1, 10), (2, NULL), (3, 30)",
        ],
    )
    .await;
    let all = "SELECT * FROM dst ORDER BY id";
    assert_eq!(rows(&client, all).await, ["1 10 new 20", "3 30 new 60"]);
    run(
        &client,
        &[
            "UPDATE src SET n = 11 WHERE id = 1",
            "DELETE FROM src WHERE id = 3",
        ],
    )
    .await;
    assert_eq!(rows(&client, all).await, ["1 11 new 22"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_risingwave_refuses_are_refused() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &["CREATE TABLE t (a int, b int)", "CREATE SCHEMA other"],
    )
    .await;
    for (sql, expected) in [
        (
            "CREATE SUBSCRIPTION other.s FROM t WITH (retention = '1D')",
            "must be in the same database and schema",
        ),
        (
            "CREATE MATERIALIZED VIEW m WITH (unknown_field = 2) AS SELECT a FROM t",
            "unexpected options in WITH clause: [\"unknown_field\"]",
        ),
        (
            "CREATE MATERIALIZED VIEW m AS SELECT a, row_number() OVER (ORDER BY b) AS r FROM t",
            "Window function with empty PARTITION BY is not supported",
        ),
        (
            "CREATE MATERIALIZED VIEW m AS SELECT t.a FROM t, t AS u WHERE t.a < u.b",
            "streaming nested-loop join",
        ),
        ("CREATE TABLE bad (a int, _row_id int)", "_row_id"),
        (
            "CREATE TABLE bad (a int, b timestamptz AS now())",
            "generated column",
        ),
        (
            "CREATE TABLE bad (a int DEFAULT (SELECT 1))",
            "Default expression used in column `a` cannot be evaluated",
        ),
        (
            "INSERT INTO t VALUES (1, 1) RETURNING count(*)",
            "Bind error: should not have agg/window in the `RETURNING` list",
        ),
        ("ALTER TABLE t SET foo = 10", "found: foo"),
        ("ALTER TABLE t ADD COLUMN c int PRIMARY KEY", "primary key"),
        ("CREATE INDEX i ON t (a) DISTRIBUTED BY (b)", "prefix"),
    ] {
        refused(&client, sql, expected).await;
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sorted_view_is_made_with_a_notice() {
    let served = Served::start().await;
    let (client, mut notices) = noticing(served.port).await;
    run(
        &client,
        &[
            "CREATE TABLE t (a int)",
            "CREATE MATERIALIZED VIEW plain AS SELECT a FROM (SELECT a FROM t ORDER BY a LIMIT 1) AS s",
        ],
    )
    .await;
    assert!(notices.try_recv().is_err());
    run(
        &client,
        &["CREATE MATERIALIZED VIEW sorted AS SELECT a FROM t ORDER BY a"],
    )
    .await;
    let notice = notices.try_recv().unwrap();
    assert!(
        notice.starts_with(
            "The ORDER BY clause in the CREATE MATERIALIZED VIEW statement does not guarantee"
        ),
        "{notice}"
    );
    assert!(notices.try_recv().is_err());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_statement_finds_by_a_name() {
    let served = Served::start().await;
    let client = served.client().await;
    let datagen = "(n int) WITH (connector = 'datagen', datagen.rows.per.second = '1') FORMAT PLAIN ENCODE JSON";
    run(
        &client,
        &[
            "CREATE TABLE goods (no int PRIMARY KEY, what struct<kind varchar>, twice int AS no * 2)",
            "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM goods",
            "CREATE INDEX by_no ON goods (no)",
            "CREATE VIEW seen AS SELECT no FROM goods",
            &format!("CREATE SOURCE ticks {datagen}"),
            &format!("CREATE TABLE fed {datagen}"),
            // The first columns have the names that are written.
            "CREATE TABLE copied (id) AS SELECT 1 AS a, 2 AS b",
        ],
    )
    .await;
    assert_eq!(rows(&client, "SELECT id, b FROM copied").await, ["1 2"]);
    for (sql, expected) in [
        ("DROP INDEX goods", "Use `DROP TABLE` to drop a table."),
        ("DROP SOURCE fed", "Use `DROP TABLE` to drop a table."),
        (
            "DROP SOURCE counted",
            "Use `DROP MATERIALIZED VIEW` to drop a materialized view.",
        ),
        ("DROP SOURCE by_no", "Use `DROP INDEX` to drop an index."),
        ("DROP TABLE by_no", "Use `DROP INDEX` to drop an index."),
        ("DROP TABLE ticks", "table not found: ticks"),
        ("DROP INDEX ticks", "index not found: ticks"),
        (
            "INSERT INTO by_no VALUES (1)",
            "cannot change index \"by_no\"",
        ),
        ("INSERT INTO ticks VALUES (1)", "table not found: ticks"),
        ("DELETE FROM seen", "table not found: seen"),
        (
            "CREATE TABLE wide (a, b, c) AS SELECT 1 AS x",
            "Invalid input syntax: too many column names were specified",
        ),
        (
            "CREATE SOURCE strict (n int NOT NULL) WITH (connector = 'datagen') FORMAT PLAIN ENCODE JSON",
            "NOT NULL constraint is not supported in source schema",
        ),
        (
            "ALTER SOURCE fed RENAME TO other",
            "Use `ALTER TABLE` to alter a table with connector.",
        ),
        (
            "ALTER SOURCE goods RENAME TO other",
            "source not found: goods",
        ),
        (
            "ALTER TABLE counted ADD COLUMN x int",
            "Invalid input syntax: \"counted\" is not a table or cannot be altered",
        ),
        (
            "ALTER TABLE goods ADD COLUMN x int AS no + 1",
            "Invalid input syntax: alter table add generated columns is not supported",
        ),
        (
            "ALTER TABLE goods ADD COLUMN x int PRIMARY KEY",
            "Invalid input syntax: alter primary key of table is not supported",
        ),
        (
            "ALTER TABLE fed DROP COLUMN zz",
            "column \"zz\" of table \"fed\" does not exist",
        ),
        (
            "ALTER TABLE goods ALTER COLUMN no TYPE bigint",
            "column \"no\" cannot be altered; only types containing struct can be altered",
        ),
        (
            "ALTER TABLE goods ALTER COLUMN zz TYPE bigint",
            "column \"zz\" of table \"goods\" does not exist",
        ),
        (
            "ALTER TABLE goods ALTER COLUMN what TYPE struct<kind varchar, n int>",
            "Feature is not yet implemented",
        ),
        (
            "ALTER TABLE goods RENAME COLUMN no TO id",
            "Feature is not yet implemented",
        ),
        (
            "CREATE SECRET s WITH (backend = 'cellar') AS 'x'",
            "secret backend \"cellar\" is not supported",
        ),
        ("ALTER SECRET s AS 'x'", "secret not found: s"),
    ] {
        refused(&client, sql, expected).await;
    }
    run(&client, &["ALTER TABLE goods ALTER COLUMN no TYPE int"]).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_zone_has_a_name_in_any_case() {
    let served = Served::start().await;
    let client = served.client().await;
    run(&client, &["SET timezone = \"us/pacific\""]).await;
    assert_eq!(rows(&client, "SHOW timezone").await, ["us/pacific"]);
    let midnight = "SELECT DATE '2024-01-01'::timestamptz, DATE '2024-01-01'::timestamptz::varchar";
    assert_eq!(
        rows(&client, midnight).await,
        ["2024-01-01 00:00:00-08:00 2024-01-01 00:00:00-08:00"]
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_read_tables() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE prices (item int, price int)",
            "INSERT INTO prices VALUES (1, 10), (2, 20), (2, 21)",
            "CREATE TABLE baskets (item int)",
            "INSERT INTO baskets VALUES (1), (2), (3)",
            "CREATE FUNCTION dearest(wanted int) RETURNS int LANGUAGE sql AS 'SELECT max(price) FROM prices WHERE item = wanted'",
            "CREATE FUNCTION cheaper(price int) RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM prices p WHERE p.price < $1 $$",
            // A column of the body hides the parameter of its name.
            "CREATE FUNCTION items(item int) RETURNS bigint LANGUAGE sql AS 'SELECT count(DISTINCT item) FROM prices'",
            "CREATE FUNCTION above(n int) RETURNS int LANGUAGE sql AS 'SELECT n + (SELECT count(*)::int FROM prices WHERE item < n)'",
            "CREATE FUNCTION total(of int[]) RETURNS bigint LANGUAGE sql AS 'SELECT sum(v) FROM unnest(of) AS u(v)'",
            "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql RETURN n * 2",
            "CREATE MATERIALIZED VIEW dear AS SELECT item, dearest(item) AS price FROM baskets",
        ],
    )
    .await;
    let dear = "SELECT * FROM dear ORDER BY item";
    assert_eq!(rows(&client, dear).await, ["1 10", "2 21", "3 NULL"]);
    run(&client, &["INSERT INTO prices VALUES (3, 30)"]).await;
    assert_eq!(rows(&client, dear).await, ["1 10", "2 21", "3 30"]);
    for (sql, expected) in [
        ("SELECT dearest(item - 1) FROM baskets WHERE item = 2", "10"),
        (
            "SELECT dearest(3), cheaper(21), items(7), total('{4,5}'), twice(21)",
            "30 2 3 9 42",
        ),
        (
            "SELECT sum(n) FROM (SELECT above(item) AS n FROM baskets) AS t",
            "10",
        ),
        ("SELECT count(*) FROM baskets WHERE dearest(item) > 20", "2"),
    ] {
        assert_eq!(rows(&client, sql).await, [expected], "{sql}");
    }
    for (sql, expected) in [
        ("DROP TABLE prices", "table used by 1 other objects"),
        (
            "SELECT dearest(max(item)) FROM baskets",
            "Feature is not yet implemented",
        ),
        (
            "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + aa'",
            "Failed to bind expression: a + aa",
        ),
        (
            "CREATE FUNCTION f(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $3'",
            "Bind error: failed to find unnamed parameter $3",
        ),
        (
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT price FROM nosuch'",
            "table or source not found: nosuch",
        ),
        (
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT sum(price) FROM prices'",
            "Invalid input syntax: return type mismatch detected",
        ),
        (
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1' WITH (always_retry_on_network_error = true)",
            "Invalid Parameter Value: SQL UDF does not support WITH options yet",
        ),
    ] {
        refused(&client, sql, expected).await;
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_a_row_are_null_where_that_is_set() {
    let served = Served::start().await;
    let client = served.client().await;
    let divided = "SELECT 6 / n FROM unnest(ARRAY[-1, 0, 1]) AS u(n) ORDER BY n";
    refused(&client, divided, "Division by zero").await;
    run(&client, &["SET batch_expr_strict_mode = false"]).await;
    assert_eq!(rows(&client, divided).await, ["-6", "NULL", "6"]);
    run(&client, &["SET batch_expr_strict_mode TO DEFAULT"]).await;
    refused(&client, divided, "Division by zero").await;
    let keys = "CREATE TABLE m (a int, b struct<x map(real, int)>)";
    refused(&client, keys, "Bind error: invalid map key type: real").await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_printed_as_risingwave_does() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "create table visits (who int, at timestamp, primary key (who))",
            "create view recent as select v.who, count(*) n from visits v left outer join visits w on v.who=w.who where v.at>'2024-01-01'::timestamp group by v.who -- all",
            "create materialized view big as select who id,\n  at from visits where who>=10 and not who=12",
            "create sink away as select who::bigint b from visits with (connector='blackhole')",
            "create function plus(a int, varchar) returns int language sql as $$ select a + length($2) $$",
            "create database there",
            "alter database there rename to elsewhere",
        ],
    )
    .await;
    let recent = "SELECT v.who, count(*) AS n FROM visits AS v LEFT JOIN visits AS w ON v.who = w.who WHERE v.at > CAST('2024-01-01' AS TIMESTAMP) GROUP BY v.who";
    for (sql, expected) in [
        ("SHOW CREATE VIEW recent", format!("public.recent CREATE VIEW recent AS {recent}")),
        ("SELECT pg_get_viewdef('recent'::regclass)", recent.to_owned()),
        (
            "SELECT definition FROM rw_materialized_views WHERE name = 'big'",
            "CREATE MATERIALIZED VIEW big AS SELECT who AS id, at FROM visits WHERE who >= 10 AND NOT who = 12".into(),
        ),
        (
            "SHOW CREATE SINK away",
            "public.away CREATE SINK away AS SELECT CAST(who AS BIGINT) AS b FROM visits WITH (connector = 'blackhole')".into(),
        ),
        (
            "SHOW CREATE FUNCTION plus",
            "public.plus CREATE FUNCTION plus(a integer, character varying) RETURNS integer LANGUAGE sql AS $$ select a + length($2) $$".into(),
        ),
        (
            "SELECT string_agg(name, ' ' ORDER BY name) FROM rw_databases",
            "dev elsewhere".into(),
        ),
    ] {
        assert_eq!(rows(&client, sql).await, [expected], "{sql}");
    }
    run(
        &client,
        &[
            "ALTER TABLE visits RENAME TO calls",
            "INSERT INTO calls VALUES (11, '2024-06-01')",
        ],
    )
    .await;
    let shown = rows(&client, "SHOW CREATE VIEW recent").await;
    assert_eq!(
        shown,
        [format!(
            "public.recent CREATE VIEW recent AS {}",
            recent.replace("visits AS", "calls AS")
        )]
    );
    assert_eq!(rows(&client, "SELECT * FROM recent").await, ["11 1"]);
    for (sql, expected) in [
        (
            "ALTER DATABASE dev RENAME TO x",
            "Current database cannot be renamed",
        ),
        (
            "ALTER DATABASE nosuch RENAME TO x",
            "database not found: nosuch",
        ),
        (
            "ALTER DATABASE elsewhere RENAME TO dev",
            "database with name dev exists",
        ),
        (
            "SELECT arg_min(who, at) OVER (PARTITION BY who) FROM calls",
            "arg_min over a window in the embedded engine",
        ),
    ] {
        refused(&client, sql, expected).await;
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_fields_survive_a_restart() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            r#"CREATE TABLE t (s struct<"Id" int, "a b" varchar, "select" struct<"X" int[]>, "double" double>)"#,
            r#"CREATE MATERIALIZED VIEW m AS SELECT (s)."Id" AS id, ((s)."select")."X" AS x FROM t"#,
            "INSERT INTO t VALUES (row(1, 'a', row(ARRAY[2]), 1.5))",
        ],
    )
    .await;
    drop(client);

    let served = Served::reopen(served.stop().await).await;
    let client = served.client().await;
    assert_eq!(rows(&client, "SELECT * FROM m").await, ["1 {2}"]);
    run(&client, &["INSERT INTO t VALUES (row(3, 'b', NULL, 2))"]).await;
    drop(client);

    let served = Served::reopen(served.stop().await).await;
    let client = served.client().await;
    assert_eq!(
        rows(&client, r#"SELECT (s)."Id", (s)."a b" FROM t ORDER BY 1"#).await,
        ["1 a", "3 b"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_in_a_view_is_known_by_its_table() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE tb (auction int, date_time timestamp)",
            "CREATE MATERIALIZED VIEW m AS SELECT tb.auction, window_start FROM tumble(tb, date_time, interval '2' second)",
            "CREATE VIEW v AS SELECT tb.auction FROM hop(public.tb, date_time, interval '2' second, interval '4' second)",
            "INSERT INTO tb VALUES (1, '2026-01-01 00:00:03')",
        ],
    )
    .await;
    assert_eq!(
        rows(&client, "SELECT * FROM m").await,
        ["1 2026-01-01 00:00:02"]
    );
    assert_eq!(rows(&client, "SELECT * FROM v").await, ["1", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_column_may_be_called_like_a_field() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE g (a struct<t int>, t int AS (a).t, kind varchar AS 'a', x varchar AS 'the kind')",
            "INSERT INTO g VALUES (row(7))",
        ],
    )
    .await;
    assert_eq!(
        rows(&client, "SELECT t, kind, x FROM g").await,
        ["7 a the kind"]
    );
    refused(
        &client,
        "CREATE TABLE h (a int, b int AS a + 1, c int AS h.b)",
        "Generated can not reference another generated column",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_compares_with_what_grows_with_time() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &["CREATE TABLE t (id int, ts timestamptz, n timestamp, d date)"],
    )
    .await;
    for condition in [
        "ts >= date_trunc('day', now())",
        "ts = date_trunc('day', now()) - interval '1 day'",
        "d >= date_trunc('day', now())",
        "ts > now() - interval '1 month'",
        "ts BETWEEN now() - interval '1 hour' AND now()",
        "ts > now() - interval '1 hour' OR ts IS NULL OR id < 1",
        "NOT ts < current_timestamp",
        "n > now() AT TIME ZONE 'utc'",
        "ts + interval '1 hour' > date_trunc('hour', now()) + interval '3 minutes'",
    ] {
        let view = format!("CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE {condition}");
        run(&client, &[view.as_str(), "DROP MATERIALIZED VIEW v"]).await;
    }
    const REFUSED: &str = "`now_expr` is a non-decreasing expression contains `now()`.";
    let of = |condition: &str| {
        format!("CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE {condition}")
    };
    for condition in [
        "d >= now()::date",
        "n >= now()::timestamp - interval '1 day'",
        "ts > date_trunc('day', now(), 'Asia/Tokyo')",
        "now() > '2020-01-01'",
        "ts > now() OR ts < now()",
        "ts NOT BETWEEN now() - interval '1 hour' AND now()",
        "NOT ts = now()",
        "ts - now() < interval '1 hour'",
        "n > now() AT TIME ZONE 'Asia/Tokyo'",
        "CASE WHEN ts > now() THEN true ELSE false END",
    ] {
        refused(&client, &of(condition), REFUSED).await;
    }
    let groups = "SELECT id, max(ts) AS last FROM t GROUP BY id HAVING max(ts) >= now() - interval '24 hours'";
    let view = format!("CREATE MATERIALIZED VIEW v AS {groups}");
    run(&client, &["SET timezone = 'Europe/Berlin'", &view]).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_filtered_by_a_value_of_another() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE t (a int, b numeric, f double precision, ts timestamptz)",
            "CREATE TABLE w (a int, b numeric) APPEND ONLY",
            "CREATE TABLE k (a int, j jsonb)",
            "INSERT INTO t VALUES (1, 1.5, 1, '2024-01-01 00:00:00Z'), (2, 2.5, 3, '2024-01-01 00:30:00Z'), (3, NULL, NULL, NULL)",
            "INSERT INTO w VALUES (1, 2), (2, 2)",
        ],
    )
    .await;
    for (condition, expected) in [
        ("b > (SELECT avg(b) FROM w)", "2"),
        ("f < (SELECT avg(f) FROM t)", "1"),
        ("b * 2 > (SELECT max(b) FROM w) + 2", "2"),
        ("coalesce(b, 9) > (SELECT avg(b) FROM w) AND a < 3", "2"),
        ("NOT b > (SELECT avg(b) FROM w)", "1"),
        ("b - 0.5 = (SELECT avg(b) FROM w)", "2"),
        (
            "b > (SELECT min(b) FROM t) AND b <= (SELECT max(b) FROM t)",
            "2",
        ),
        ("ts > (SELECT max(ts) FROM t) - INTERVAL '10 minutes'", "2"),
    ] {
        let view = format!("CREATE MATERIALIZED VIEW v AS SELECT a FROM t WHERE {condition}");
        run(&client, &[&view]).await;
        assert_eq!(
            rows(&client, "SELECT a FROM v").await,
            [expected],
            "{condition}"
        );
        run(&client, &["DROP MATERIALIZED VIEW v"]).await;
    }
    let nested = "streaming nested-loop join";
    for (query, expected) in [
        ("SELECT a FROM t WHERE b <> (SELECT avg(b) FROM w)", nested),
        (
            "SELECT a FROM t WHERE b > (SELECT avg(b) FROM w) OR a = 1",
            nested,
        ),
        (
            "SELECT a FROM t WHERE b > coalesce((SELECT avg(b) FROM w), 0)",
            nested,
        ),
        ("SELECT a, (SELECT avg(b) FROM w) AS m FROM t", nested),
        (
            "SELECT approx_count_distinct(a) AS n FROM t",
            "append-only approx_count_distinct on a stream with updates",
        ),
        (
            "SELECT approx_count_distinct(a) AS n FROM (SELECT a FROM w UNION SELECT 1) AS s",
            "append-only approx_count_distinct on a stream with updates",
        ),
        (
            "SELECT j, count(*) AS n FROM k GROUP BY j",
            "JSONB column \"aggregation group key\" should not be in the k.j.",
        ),
        (
            "SELECT DISTINCT j FROM k",
            "JSONB column \"aggregation group key\" should not be in the k.j.",
        ),
        (
            "SELECT j FROM k UNION SELECT j FROM k",
            "JSONB column \"field\" should not be in the ",
        ),
        (
            "SELECT row_number() OVER (PARTITION BY j ORDER BY a) AS n FROM k",
            "JSONB column \"over window partition key\" should not be in the k.j.",
        ),
        (
            "SELECT relname FROM pg_catalog.pg_class",
            "streaming on system table is not allowed",
        ),
        (
            "SELECT table_name FROM information_schema.tables",
            "streaming on system table is not allowed",
        ),
    ] {
        refused(
            &client,
            &format!("CREATE MATERIALIZED VIEW v AS {query}"),
            expected,
        )
        .await;
    }
    run(
        &client,
        &["CREATE MATERIALIZED VIEW v AS SELECT approx_count_distinct(s.a) AS n FROM (SELECT a FROM w WHERE b > 1) AS s"],
    )
    .await;
    assert_eq!(rows(&client, "SELECT n FROM v").await, ["2"]);
    run(
        &client,
        &[
            "INSERT INTO k VALUES (1, '1'), (2, '1')",
            "SET rw_streaming_allow_jsonb_in_stream_key TO true",
            "CREATE MATERIALIZED VIEW by_json AS SELECT j, count(*) AS n FROM k GROUP BY j",
            "SET rw_streaming_allow_jsonb_in_stream_key TO false",
        ],
    )
    .await;
    assert_eq!(rows(&client, "SELECT * FROM by_json").await, ["1 2"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_that_are_not_here_are_said_so() {
    let served = Served::start().await;
    let client = served.client().await;
    run(&client, &["CREATE TABLE t (a int)"]).await;
    for (sql, expected) in [
        (
            "CREATE SOURCE s WITH (connector = 'postgres-cdc', hostname = 'x')",
            "the source connector 'postgres-cdc' in the embedded engine",
        ),
        (
            "CREATE TABLE s (a int PRIMARY KEY) WITH (connector = 'mysql-cdc')",
            "the source connector 'mysql-cdc' in the embedded engine",
        ),
        (
            "CREATE SOURCE s (a int) WITH (connector = 'nexmark')",
            "the source connector 'nexmark' in the embedded engine",
        ),
        (
            "CREATE SOURCE s (a int, PRIMARY KEY (a)) WITH (connector = 'datagen')",
            "Source does not support PRIMARY KEY constraint, please use \"CREATE TABLE\" instead",
        ),
        (
            "CREATE SOURCE s (a int) WITH (connector = 'foo') FORMAT PLAIN ENCODE JSON",
            "Protocol error: connector \"foo\" is not supported, accept [",
        ),
        (
            "CREATE SOURCE s (a int) WITH (connector = 'kafka') FORMAT PLAIN ENCODE PARQUET",
            "Protocol error: connector kafka does not support format Plain with encode Parquet",
        ),
        (
            "CREATE SOURCE s (a int) WITH (connector = 'datagen') FORMAT UPSERT ENCODE JSON",
            "Protocol error: connector datagen does not support format Upsert",
        ),
        (
            "CREATE SOURCE s WITH (connector = 'kafka', topic = 't') FORMAT PLAIN ENCODE JSON (schema.registry = 'http://x')",
            "a schema of JSON messages in the embedded engine",
        ),
        (
            "CREATE SOURCE s (a int) INCLUDE foo WITH (connector = 'kafka') FORMAT PLAIN ENCODE JSON",
            "additional column type foo is not supported for connector kafka",
        ),
        (
            "CREATE SINK k FROM t WITH (connector = 'google_pubsub')",
            "CREATE SINK with connector = 'google_pubsub' in the embedded engine",
        ),
        (
            "CREATE SINK k FROM t WITH (connector = 'foo')",
            "Invalid input syntax: unsupported sink type foo",
        ),
    ] {
        refused(&client, sql, expected).await;
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_stays_while_something_calls_it() {
    let served = Served::start().await;
    let client = served.client().await;
    run(
        &client,
        &[
            "CREATE TABLE t (id int)",
            "INSERT INTO t VALUES (1)",
            "CREATE FUNCTION one_more(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1'",
            "CREATE FUNCTION doubled(int) RETURNS int LANGUAGE sql AS 'SELECT one_more($1) * 2'",
            "CREATE VIEW v AS SELECT doubled(id) AS x, 'one_more' AS word FROM t",
            "CREATE MATERIALIZED VIEW m AS SELECT doubled(id) AS x FROM t",
            "CREATE TABLE g (a int, b int AS one_more(a), c int DEFAULT one_more(3))",
            "CREATE SINK k AS SELECT one_more(id) AS x FROM t WITH (connector = 'blackhole')",
            "CREATE VIEW words AS SELECT 'one_more' AS one_more FROM t",
            "INSERT INTO g (a) VALUES (5)",
        ],
    )
    .await;
    assert_eq!(rows(&client, "SELECT * FROM g").await, ["5 6 4"]);
    for (sql, expected) in [
        (
            "DROP FUNCTION doubled",
            "function used by 2 other objects. \nDETAIL: view public.v depends on it\nmaterialized view public.m depends on it",
        ),
        ("DROP FUNCTION one_more", "function used by 4 other objects"),
    ] {
        refused(&client, sql, expected).await;
    }
    run(&client, &["DROP FUNCTION one_more CASCADE"]).await;
    let left = "SELECT name FROM rw_catalog.rw_relations WHERE schema_id = (SELECT id FROM rw_catalog.rw_schemas WHERE name = 'public') ORDER BY name";
    assert_eq!(rows(&client, left).await, ["t", "words"]);
    run(&client, &["DROP FUNCTION doubled"]).await;
    for (sql, expected) in [
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1)'",
            "Invalid input syntax: failed to parse the input query and extract the udf expression",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS f",
            "Invalid Parameter Value: expect quoted string",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql",
            "Invalid Parameter Value: AS or RETURN must be specified",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1' USING LINK 'x'",
            "Invalid Parameter Value: USING must NOT be specified with sql udf function",
        ),
        (
            "CREATE FUNCTION f() RETURNS int AS f USING LINK 'http://localhost:1'",
            "CREATE FUNCTION ... USING LINK in the embedded engine",
        ),
        (
            "CREATE FUNCTION f() LANGUAGE sql AS 'SELECT 1'",
            "Invalid Parameter Value: return type must be specified",
        ),
    ] {
        refused(&client, sql, expected).await;
    }
    served.stop().await;
}

//! Answers where equal values look different, and of what RisingWave has beside PostgreSQL: each statement with its rows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::database::Database;

/// Runs the statements and compares the rows of each, cells joined by blanks, NULL for NULL.
async fn check(database: &mut Database, cases: &[(&str, &[&str])]) {
    for (sql, expected) in cases {
        let outcome = match database.run(sql).await {
            Ok(outcome) => outcome,
            Err(error) => panic!("{sql}: {}", error.causes().join(" / ")),
        };
        let rows: Vec<String> = outcome
            .rows
            .iter()
            .map(|row| {
                let cells = row.iter().map(|c| c.as_deref().unwrap_or("NULL"));
                cells.collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(rows, *expected, "{sql}");
    }
}

#[tokio::test]
async fn numerics_keep_their_scale_and_are_equal_without_it() {
    let mut database = Database::default();
    check(
        &mut database,
        &[
            ("CREATE TABLE p (k int PRIMARY KEY, n numeric)", &[]),
            ("INSERT INTO p VALUES (1, 1.0), (2, 1.00), (3, 1.50), (4, 'NaN')", &[]),
            ("SELECT n FROM p ORDER BY k", &["1.0", "1.00", "1.50", "NaN"]),
            // A group shows the value without zeros at its end, as RisingWave's hash keys do.
            ("SELECT n, count(*) FROM p GROUP BY n ORDER BY n", &["1 2", "1.5 1", "NaN 1"]),
            ("SELECT DISTINCT n FROM p ORDER BY n DESC", &["NaN", "1.5", "1"]),
            ("SELECT count(DISTINCT n) FROM p", &["3"]),
            ("SELECT k FROM p WHERE n IN (1, 1.5) ORDER BY k", &["1", "2", "3"]),
            ("SELECT k FROM p WHERE n IN (SELECT 1.000) ORDER BY k", &["1", "2"]),
            ("SELECT a.k, b.k FROM p a JOIN p b ON a.n = b.n AND a.k < b.k", &["1 2"]),
            ("SELECT n FROM p WHERE k = 2 UNION SELECT 1", &["1"]),
            ("SELECT n FROM p WHERE k = 2 EXCEPT SELECT 1", &[]),
            (
                "SELECT k, (SELECT count(*) FROM p b WHERE b.n = a.n) FROM p a ORDER BY k",
                &["1 2", "2 2", "3 1", "4 1"],
            ),
            (
                "SELECT k, rank() OVER (PARTITION BY 1::int ORDER BY n), sum(n) OVER (PARTITION BY n) FROM p WHERE k < 4 ORDER BY k",
                &["1 1 2.00", "2 1 2.00", "3 3 1.50"],
            ),
            (
                "SELECT k, count(*) OVER (PARTITION BY 1::int ORDER BY n RANGE BETWEEN 0.50 PRECEDING AND CURRENT ROW) FROM p WHERE k < 4 ORDER BY k",
                &["1 2", "2 2", "3 3"],
            ),
            ("SELECT k FROM p ORDER BY n, k DESC", &["2", "1", "3", "4"]),
            ("SELECT sum(n), avg(n), max(n) FROM p WHERE k < 4", &["3.50 1.1666666666666666666666666667 1.50"]),
            ("SELECT ARRAY[1.0, 2.50], ROW(1.10)", &["{1.0,2.50} (1.10)"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn zeros_and_spans_of_one_length_are_one_group() {
    let mut database = Database::default();
    check(
        &mut database,
        &[
            (
                "SELECT x, count(*) FROM (VALUES (0::double precision), ('-0'::double precision), ('NaN')) t(x) GROUP BY x ORDER BY x",
                &["0 2", "NaN 1"],
            ),
            (
                "SELECT x, count(*) FROM (VALUES (INTERVAL '30 days'), (INTERVAL '1 month'), (INTERVAL '2 days')) t(x) GROUP BY x ORDER BY x",
                &["2 days 1", "1 mon 2"],
            ),
            ("SELECT sum(x), avg(x) FROM (VALUES (INTERVAL '1 day'), (INTERVAL '2 hours')) t(x)", &["1 day 02:00:00 13:00:00"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_name_of_two_inputs_groups_by_the_output() {
    let mut database = Database::default();
    check(
        &mut database,
        &[
            ("CREATE TABLE f (id int PRIMARY KEY, name varchar, s int)", &[]),
            ("CREATE TABLE s (id int PRIMARY KEY, name varchar)", &[]),
            ("INSERT INTO f VALUES (1, 'a', 1), (2, 'a', 1), (3, 'b', 1)", &[]),
            ("INSERT INTO s VALUES (1, 'public')", &[]),
            // as dbt-risingwave lists functions
            (
                "SELECT f.name AS name, s.name AS schema FROM f JOIN s ON f.s = s.id GROUP BY name, schema HAVING count(*) = 1",
                &["b public"],
            ),
        ],
    )
    .await;
    let ambiguous = "SELECT count(*) FROM f JOIN s ON f.s = s.id GROUP BY name";
    let error = database.run(ambiguous).await.err().unwrap();
    assert!(
        error
            .causes()
            .join(" / ")
            .contains("Ambiguous column name: name"),
        "{:?}",
        error.causes()
    );
}

#[tokio::test]
async fn like_takes_any_escape() {
    let mut database = Database::default();
    check(
        &mut database,
        &[
            ("SELECT 'a_b' LIKE 'a/_b' ESCAPE '/', 'axb' LIKE 'a/_b' ESCAPE '/'", &["t f"]),
            ("SELECT '50%' ILIKE '50!%' ESCAPE '!', 'a/b' LIKE 'a//b' ESCAPE '/'", &["t t"]),
            // any other backslash is one
            ("SELECT 'a\\b' LIKE 'a\\b' ESCAPE '/', 'a\\_' LIKE 'a\\_' ESCAPE ''", &["t t"]),
            ("SELECT 'a_b' LIKE 'a\\_b' ESCAPE '\\', 'axb' LIKE 'a\\_b' ESCAPE '\\'", &["t f"]),
            ("SELECT x LIKE p ESCAPE '#' FROM (VALUES ('a%', 'a#%'), ('ab', 'a#%'), ('ab', NULL)) AS v (x, p)", &["t", "f", "NULL"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_lateral_query_runs_for_every_row() {
    let mut database = Database::default();
    check(
        &mut database,
        &[
            ("CREATE TABLE t (id int PRIMARY KEY, g varchar, n int)", &[]),
            ("INSERT INTO t VALUES (1,'a',10),(2,'a',20),(3,'b',30),(4,NULL,50)", &[]),
            (
                "SELECT a.id, x.s, x.c FROM t a LEFT JOIN LATERAL (SELECT sum(n) AS s, count(*) AS c FROM t b WHERE b.g = a.g) x ON true ORDER BY 1",
                &["1 30 2", "2 30 2", "3 30 1", "4 NULL 0"],
            ),
            (
                "SELECT a.id, x.top FROM t a, LATERAL (SELECT id AS top FROM t b WHERE b.g = a.g ORDER BY n DESC LIMIT 1) x ORDER BY 1",
                &["1 2", "2 2", "3 3"],
            ),
            (
                "SELECT a.id, x.one FROM t a LEFT JOIN LATERAL (SELECT 1 AS one FROM t b WHERE b.id = a.id + 2) x ON true ORDER BY 1",
                &["1 1", "2 1", "3 NULL", "4 NULL"],
            ),
            ("SELECT a.id, x.y FROM t a, LATERAL (SELECT a.n + 1 AS y) x WHERE a.id = 1", &["1 11"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn lists_maps_and_json() {
    let mut database = Database::default();
    check(
        &mut database,
        &[
            ("SELECT (ARRAY[1,2,3,4])[2:3], (ARRAY[1,2])[5:], array_positions(ARRAY[1,2,1],1)", &["{2,3} {} {1,3}"]),
            ("SELECT array_contains(ARRAY[1,2], ARRAY[2]), trim_array(ARRAY[1,2,3], 2), array_ndims(ARRAY[[1]])", &["t {1} 2"]),
            ("SELECT * FROM unnest(ARRAY[5,6]) WITH ORDINALITY AS t(a, o)", &["5 1", "6 2"]),
            ("SELECT map_access(map{'a':1}, 'a'), map_length(map_insert(map{'a':1}, 'b', 2))", &["1 2"]),
            ("SELECT '{\"a\":{\"b\":1}}'::jsonb #- '{a,b}', jsonb_set('[1,2]', '{0}', '9')", &["{\"a\": {}} [9, 2]"]),
            ("SELECT key, value FROM jsonb_each_text('{\"b\":1,\"a\":null}')", &["a NULL", "b 1"]),
            ("SELECT '[]' IS JSON ARRAY, 'x' IS NOT JSON, '{\"a\":1}'::jsonb ? 'a'", &["t t t"]),
            ("SELECT regexp_replace('aXaXa', 'a', 'b', 2), regexp_replace('aaa', 'a', 'b', 1, 2), regexp_replace('aAa', 'a', 'b', 2, 0, 'i')", &["aXbXa aba abb"]),
            ("SELECT (ROW(1,'a')::struct<x int, y varchar>).y, 0b101 + 0o17", &["a 20"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn streams_refuse_what_no_stream_can_do() {
    let mut database = Database::default();
    check(
        &mut database,
        &[("CREATE TABLE t (id int PRIMARY KEY, at timestamptz)", &[])],
    )
    .await;
    for (sql, expected) in [
        (
            "CREATE MATERIALIZED VIEW m AS SELECT a.id FROM t a, t b WHERE a.id < b.id",
            "streaming nested-loop join",
        ),
        (
            "CREATE MATERIALIZED VIEW m AS SELECT id FROM t WHERE id > extract(epoch FROM now())",
            "Conditions containing now",
        ),
        (
            "SELECT id FROM t WHERE row_number() OVER (PARTITION BY 1::int ORDER BY id) = 1",
            "window functions are not allowed in WHERE",
        ),
    ] {
        let error = match database.run(sql).await {
            Ok(_) => panic!("{sql} is accepted"),
            Err(error) => error.causes().join(" / "),
        };
        assert!(error.contains(expected), "{sql}: {error}");
    }
    check(
        &mut database,
        &[("CREATE MATERIALIZED VIEW m AS SELECT a.id FROM t a, t b WHERE a.id = b.id AND a.at > now() - INTERVAL '1 day'", &[])],
    )
    .await;
}

#[tokio::test]
async fn a_name_of_several_columns_groups_by_the_output_column() {
    let mut database = Database::default();
    check(
        &mut database,
        &[
            ("CREATE TABLE a (id int PRIMARY KEY, name varchar)", &[]),
            ("CREATE TABLE b (id int PRIMARY KEY, name varchar)", &[]),
            ("INSERT INTO a VALUES (1, 'x'), (2, 'x')", &[]),
            ("INSERT INTO b VALUES (1, 'y'), (2, 'z')", &[]),
            // dbt-risingwave asks so for functions and their schemas.
            (
                "SELECT a.name AS name, count(*) FROM a JOIN b ON a.id = b.id GROUP BY name",
                &["x 2"],
            ),
        ],
    )
    .await;
}

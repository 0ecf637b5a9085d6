//! What the engine does with a plan: parameters, fresh rows under an old plan, DML, streams, limits.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use rwt_query::{
    Column, DmlKind, Limits, Queries, QueryError, ROW_ID, Relation, Relations, ScalarValue,
    Settings, Target, TargetColumn, display, schema,
};
use rwt_sql::DataType;

/// A table `t (id int, name varchar, big bigint)` whose rows can be replaced.
struct Catalog {
    rows: Mutex<Vec<(i32, &'static str, i64)>>,
    reads: Mutex<usize>,
}

impl Catalog {
    fn new(rows: &[(i32, &'static str, i64)]) -> Self {
        Self {
            rows: Mutex::new(rows.to_vec()),
            reads: Mutex::new(0),
        }
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::new("id", DataType::Integer),
        Column::new("name", DataType::Varchar),
        Column::new("big", DataType::BigInt),
    ]
}

fn target() -> Target {
    let columns = columns().into_iter().map(|column| TargetColumn {
        not_null: column.name == "id",
        default: (column.name == "big").then(|| "40 + 2".to_owned()),
        column,
    });
    Target {
        name: "t".into(),
        columns: columns.collect(),
    }
}

#[async_trait]
impl Relations for Catalog {
    async fn relation(
        &self,
        _schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Relation>, QueryError> {
        if name != "t" {
            return Ok(None);
        }
        *self.reads.lock().unwrap() += 1;
        let rows = self.rows.lock().unwrap().clone();
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|r| Some(r.0)).collect::<Int32Array>()),
            Arc::new(rows.iter().map(|r| Some(r.1)).collect::<StringArray>()),
            Arc::new(rows.iter().map(|r| Some(r.2)).collect::<Int64Array>()),
            Arc::new(
                (0..rows.len() as i64)
                    .map(|i| Some(100 + i))
                    .collect::<Int64Array>(),
            ),
        ];
        let mut all = columns();
        all.push(Column::hidden(ROW_ID, DataType::Serial));
        let batch = RecordBatch::try_new(schema(&all), arrays).unwrap();
        Ok(Some(Relation::rows(all, Arc::new(vec![batch]))))
    }
}

fn catalog() -> Catalog {
    Catalog::new(&[(1, "a", 10), (2, "b", 20), (3, "c", 30)])
}

fn rows(columns: &[Column], batches: &[RecordBatch]) -> Vec<String> {
    let mut out = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns
                .iter()
                .enumerate()
                .map(|(i, c)| {
                    let text = display(batch.column(i), row, &c.data_type, "UTC").unwrap();
                    text.unwrap_or_else(|| "NULL".into())
                })
                .collect();
            out.push(cells.join(" "));
        }
    }
    out
}

async fn run(sql: &str) -> Result<Vec<String>, String> {
    let plan = Queries::new()
        .unwrap()
        .plan(sql, &catalog(), &Settings::default(), &[])
        .await
        .map_err(|e| e.to_string())?;
    let batches = plan.execute(&[]).await.map_err(|e| e.to_string())?;
    Ok(rows(plan.columns(), &batches))
}

async fn inferred(sql: &str) -> Result<Vec<DataType>, String> {
    let queries = Queries::new().unwrap();
    let plan = queries
        .plan(sql, &catalog(), &Settings::default(), &[])
        .await;
    plan.map(|p| p.params().to_vec()).map_err(|e| e.to_string())
}

#[tokio::test]
async fn parameters_take_the_types_of_their_places() {
    use DataType::{BigInt, Boolean, Integer, List, Varchar};
    let list = List(Box::new(Integer));
    for (sql, types) in [
        ("SELECT $1::bigint", vec![BigInt]),
        ("SELECT * FROM t WHERE id = $1", vec![Integer]),
        (
            "SELECT * FROM t WHERE big > $2 AND name LIKE $1",
            vec![Varchar, BigInt],
        ),
        (
            "SELECT * FROM t WHERE id IN ($1, $2)",
            vec![Integer, Integer],
        ),
        ("SELECT * FROM t WHERE id = ANY($1)", vec![list]),
        ("SELECT $1 + 1", vec![Integer]),
        ("SELECT $1", vec![Varchar]),
        ("SELECT CASE WHEN $1 THEN 1 END", vec![Boolean]),
        ("SELECT upper($1), coalesce($2, 5)", vec![Varchar, Integer]),
    ] {
        assert_eq!(inferred(sql).await.unwrap(), types, "{sql}");
    }
    let error = inferred("SELECT $2::int").await.unwrap_err();
    assert_eq!(
        error,
        "Invalid input syntax: Cannot infer the type of the parameter 1."
    );
    assert!(
        inferred("SELECT * FROM t LIMIT $1")
            .await
            .unwrap_err()
            .contains("after LIMIT")
    );
}

#[tokio::test]
async fn a_dozen_parameters_keep_their_order() {
    let queries = Queries::new().unwrap();
    let list: Vec<String> = (1..=12).map(|n| format!("${n}::int")).collect();
    let sql = format!("SELECT {}", list.join(", "));
    let plan = queries
        .plan(&sql, &catalog(), &Settings::default(), &[])
        .await
        .unwrap();
    let values: Vec<ScalarValue> = (1..=12).map(|n| ScalarValue::Int32(Some(n * 11))).collect();
    let batches = plan.execute(&values).await.unwrap();
    assert_eq!(
        rows(plan.columns(), &batches),
        ["11 22 33 44 55 66 77 88 99 110 121 132"]
    );
    let few = plan.execute(&values[..3]).await.unwrap_err().to_string();
    assert!(few.contains("12 parameters, 3 values"), "{few}");
}

#[tokio::test]
async fn a_text_parameter_is_read_as_its_type() {
    let queries = Queries::new().unwrap();
    let sql = "SELECT id FROM t WHERE id = $1";
    let plan = queries
        .plan(sql, &catalog(), &Settings::default(), &[])
        .await
        .unwrap();
    let found = plan
        .execute(&[ScalarValue::Utf8(Some("2".into()))])
        .await
        .unwrap();
    assert_eq!(rows(plan.columns(), &found), ["2"]);
    let none = plan.execute(&[ScalarValue::Int32(None)]).await.unwrap();
    assert!(none.is_empty());
    let error = plan
        .execute(&[ScalarValue::Utf8(Some("x".into()))])
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Parse error: integer invalid digit found in string"
    );
}

#[tokio::test]
async fn a_declared_type_is_taken_literally() {
    let queries = Queries::new().unwrap();
    let sql = "SELECT * FROM t WHERE id = $1";
    let declared = [Some(DataType::Varchar)];
    let error = queries
        .plan(sql, &catalog(), &Settings::default(), &declared)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "function equal(integer, character varying) does not exist"
    );
    assert_eq!(error.code(), "XX000");
}

#[tokio::test]
async fn a_plan_reads_fresh_rows_and_another_now() {
    let catalog = catalog();
    let queries = Queries::new().unwrap();
    let settings = Settings::default();
    let sql = "SELECT count(*), max(x.id), now() FROM t x JOIN t y ON x.id = y.id";
    let plan = queries.plan(sql, &catalog, &settings, &[]).await.unwrap();
    assert_eq!(
        *catalog.reads.lock().unwrap(),
        1,
        "a relation is resolved once"
    );
    catalog.rows.lock().unwrap().push((7, "g", 70));
    let later = chrono::DateTime::from_timestamp(1_714_979_289, 0).unwrap();
    let fresh = plan.refreshed(&catalog, later).await.unwrap();
    let found = rows(fresh.columns(), &fresh.execute(&[]).await.unwrap());
    assert_eq!(found, ["4 7 2024-05-06 07:08:09+00:00"]);
    let old = rows(plan.columns(), &plan.execute(&[]).await.unwrap());
    assert!(old[0].starts_with("3 3 "), "{old:?}");
}

#[tokio::test]
async fn unknown_names_have_risingwaves_words_and_codes() {
    let queries = Queries::new().unwrap();
    let error = |sql: &'static str| {
        let queries = queries.clone();
        async move {
            queries
                .plan(sql, &catalog(), &Settings::default(), &[])
                .await
                .unwrap_err()
        }
    };
    let missing = error("SELECT * FROM nosuch").await;
    assert_eq!(
        (missing.code(), missing.to_string().as_str()),
        ("42704", "table or source not found: nosuch")
    );
    assert_eq!(
        missing.causes(),
        ["Catalog error", "table or source not found: nosuch"]
    );
    let column = error("SELECT nope + 1 FROM t").await;
    assert_eq!(
        column.causes(),
        [
            "Failed to bind expression: nope + 1",
            "Item not found: Invalid column: nope"
        ]
    );
    let twice = error("SELECT id FROM t a JOIN t b ON true").await;
    assert_eq!(
        twice.to_string(),
        "internal error: Ambiguous column name: id"
    );
}

#[tokio::test]
async fn arithmetic_never_wraps() {
    for (sql, error) in [
        (
            "SELECT big * 9223372036854775807 FROM t",
            "Numeric out of range",
        ),
        (
            "SELECT 32767::smallint + 1::smallint",
            "Numeric out of range",
        ),
        ("SELECT id / 0 FROM t", "Division by zero"),
        ("SELECT id % (id - id) FROM t", "Numeric out of range"),
        ("SELECT abs((-2147483648)::int)", "Numeric out of range"),
        ("SELECT -(-9223372036854775808)", "Numeric out of range"),
        (
            "SELECT (SELECT id FROM t)",
            "Scalar subquery produced more than one row",
        ),
    ] {
        assert_eq!(run(sql).await.unwrap_err(), error, "{sql}");
    }
    // Only the rows of a branch are computed.
    let guarded = "SELECT CASE WHEN id > 1 THEN 10 / (id - 1) ELSE 0 END FROM t ORDER BY id";
    assert_eq!(run(guarded).await.unwrap(), ["0", "10", "5"]);
}

#[tokio::test]
async fn columns_have_risingwaves_names() {
    let sql = "SELECT id, id + 1, upper(name), count(*) OVER (), id::bigint, 1::int, now() IS NULL, \
               CASE WHEN true THEN 1 END, EXISTS (SELECT 1), (SELECT 1), 'x', pg_catalog.version() FROM t";
    let queries = Queries::new().unwrap();
    let plan = queries
        .plan(sql, &catalog(), &Settings::default(), &[])
        .await
        .unwrap();
    let names: Vec<&str> = plan.columns().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "id",
            "?column?",
            "upper",
            "count",
            "id",
            "int4",
            "?column?",
            "case",
            "?column?",
            "?column?",
            "?column?",
            "pg_catalog.version"
        ]
    );
    assert_eq!(plan.columns()[3].data_type, DataType::BigInt);
    assert_eq!(plan.execute(&[]).await.unwrap()[0].num_rows(), 3);
}

#[tokio::test]
async fn windows_and_json() {
    let sql = "SELECT id, row_number() OVER (PARTITION BY 1::int ORDER BY big DESC) AS n, lag(name) OVER w, sum(id) OVER w \
               FROM t WINDOW w AS (PARTITION BY 1::int ORDER BY id) ORDER BY id";
    assert_eq!(
        run(sql).await.unwrap(),
        ["1 3 NULL 1", "2 2 a 3", "3 1 b 6"]
    );
    let sql = r#"SELECT j -> 'a' -> 0, j ->> 'b', j #>> '{a,1}', j @> '{"b": "x"}', jsonb_typeof(j -> 'a'), j || '{"c": 1}'
                 FROM (SELECT '{"b":"x","a":[1,"two"]}'::jsonb AS j) AS s"#;
    assert_eq!(
        run(sql).await.unwrap(),
        [r#"1 x two t array {"a": [1, "two"], "b": "x", "c": 1}"#]
    );
    let sql = "SELECT count(*), sum(id) FILTER (WHERE id > 1), string_agg(name, '-' ORDER BY id DESC) FROM t";
    assert_eq!(run(sql).await.unwrap(), ["3 5 c-b-a"]);
}

#[tokio::test]
async fn relations_of_a_statement() {
    let queries = Queries::new().unwrap();
    let names = |sql: &str| -> Vec<String> {
        queries
            .relations_of(sql)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let sql = r#"WITH orders AS (SELECT * FROM orders), c AS (SELECT * FROM orders)
        SELECT * FROM TUMBLE(c, at, INTERVAL '1 minute') JOIN "dev"."public"."T" t ON t.id IN (SELECT id FROM s.u)
        JOIN TUMBLE(public.v, at, INTERVAL '1 minute') ON true, generate_series(1, 2)"#;
    assert_eq!(names(sql), ["orders", "public.\"T\"", "s.u", "public.v"]);
}

#[tokio::test]
async fn insert_takes_literals_without_a_plan() {
    let queries = Queries::new().unwrap();
    let settings = Settings::default();
    let target = target();
    let fast = |sql: &str| queries.insert_literals(sql, &target, &settings);
    let sql = "INSERT INTO \"dev\".\"public\".t VALUES (1, 'it''s', -5), ('2', NULL, 7.5);";
    let changes = fast(sql).unwrap().unwrap();
    assert_eq!(rows(&columns(), &changes.rows), ["1 it's -5", "2 NULL 8"]);
    for planned in [
        "INSERT INTO t VALUES (1 + 1, 'a', 2)",
        "INSERT INTO t (id) VALUES (1)",
        "INSERT INTO t VALUES (1, 'a')",
        "INSERT INTO t SELECT 1, 'a', 2",
        "INSERT INTO t VALUES (1, 'a', 2) RETURNING id",
        "INSERT INTO t VALUES ($1, 'a', 2)",
        "INSERT INTO t (id, nope, big) VALUES (1, 'a', 2)",
    ] {
        assert!(fast(planned).unwrap().is_none(), "{planned}");
    }
    let error = fast("INSERT INTO t VALUES ('x', 'a', 2)")
        .unwrap_err()
        .to_string();
    assert_eq!(error, "Parse error: integer invalid digit found in string");
    let error = fast("INSERT INTO t VALUES (NULL, 'a', 2)")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "null value in column \"id\" of relation \"t\" violates not-null constraint"
    );
}

#[tokio::test]
async fn dml_gives_row_ids_and_new_values() {
    let queries = Queries::new().unwrap();
    let (catalog, settings, target) = (catalog(), Settings::default(), target());
    let plan = |sql: &'static str| queries.plan_dml(sql, &target, &catalog, &settings, &[]);

    let insert = plan(
        "INSERT INTO t (name, id) VALUES ($1, $2), ('z', 9) RETURNING id, upper(name) AS up, big",
    )
    .await
    .unwrap();
    assert_eq!(insert.params(), [DataType::Varchar, DataType::Integer]);
    let values = [
        ScalarValue::Utf8(Some("p".into())),
        ScalarValue::Int32(Some(8)),
    ];
    let changes = insert.execute(&values).await.unwrap();
    assert_eq!(rows(&columns(), &changes.rows), ["8 p 42", "9 z 42"]);
    assert_eq!(
        rows(
            insert.returning().unwrap(),
            changes.returning.as_deref().unwrap()
        ),
        ["8 P 42", "9 Z 42"]
    );

    let update = plan("UPDATE t SET big = big + id, name = DEFAULT WHERE id >= $1")
        .await
        .unwrap();
    let changes = update
        .execute(&[ScalarValue::Int32(Some(2))])
        .await
        .unwrap();
    assert_eq!(
        (changes.kind, changes.row_ids.as_slice()),
        (DmlKind::Update, [101, 102].as_slice())
    );
    assert_eq!(rows(&columns(), &changes.rows), ["2 NULL 22", "3 NULL 33"]);

    let delete =
        plan("DELETE FROM t AS x WHERE x.name IN (SELECT name FROM t WHERE id = 3) RETURNING *")
            .await
            .unwrap();
    let changes = delete.execute(&[]).await.unwrap();
    assert_eq!(
        (changes.row_ids.as_slice(), changes.count()),
        ([102].as_slice(), 1)
    );
    assert_eq!(
        rows(
            delete.returning().unwrap(),
            changes.returning.as_deref().unwrap()
        ),
        ["3 c 30"]
    );

    let error = plan("INSERT INTO t (id, id) VALUES (1, 2)")
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(error, "Bind error: Column specified more than once");
    let null = plan("UPDATE t SET id = NULL")
        .await
        .unwrap()
        .execute(&[])
        .await
        .unwrap_err()
        .to_string();
    assert!(null.contains("violates not-null constraint"), "{null}");
}

#[tokio::test]
async fn a_stream_has_null_where_a_query_fails() {
    let queries = Queries::new().unwrap();
    let settings = Settings::default();
    let catalog = Catalog::new(&[(1, "5", 0), (2, "x", 1), (3, "7", 0)]);
    let sql = "SELECT id, name::int AS n, 10 / big AS q FROM t";
    let batch = queries.plan(sql, &catalog, &settings, &[]).await.unwrap();
    assert!(batch.execute(&[]).await.is_err());
    let stream = queries.plan_stream(sql, &catalog, &settings).await.unwrap();
    let found = rows(stream.columns(), &stream.execute(&[]).await.unwrap());
    assert_eq!(found, ["1 5 NULL", "2 NULL 10", "3 7 NULL"]);
    let now = queries
        .plan_stream("SELECT now() AS n", &catalog, &settings)
        .await
        .unwrap_err();
    assert!(
        now.to_string().contains("For streaming queries, `NOW()`"),
        "{now}"
    );
    let recent = "SELECT id FROM t WHERE now() > name::timestamptz";
    assert!(
        queries
            .plan_stream(recent, &catalog, &settings)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_query_that_needs_too_much_memory_fails_alone() {
    let limits = Limits {
        memory: 1 << 20,
        partitions: 1,
        spill_dir: None,
    };
    let queries = Queries::with_limits(limits).unwrap();
    let sql = "SELECT g, count(*) FROM generate_series(1, 400000) AS s (g) GROUP BY g ORDER BY count(*), g::varchar";
    let plan = queries
        .plan(sql, &catalog(), &Settings::default(), &[])
        .await
        .unwrap();
    let error = plan.execute(&[]).await.unwrap_err();
    assert!(matches!(error, QueryError::Memory(_)), "{error:?}");
    let plan = queries
        .plan(
            "SELECT count(*) FROM t",
            &catalog(),
            &Settings::default(),
            &[],
        )
        .await
        .unwrap();
    let batches = plan.execute(&[]).await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 3);
}

#[tokio::test]
async fn a_join_of_large_groups_needs_what_it_holds() {
    // The groups come as slices of 3 MB, 49 of them.
    let limits = Limits {
        memory: 64 << 20,
        partitions: 1,
        spill_dir: None,
    };
    let queries = Queries::with_limits(limits).unwrap();
    let groups = "SELECT DISTINCT g FROM generate_series(1, 400000) AS s (g)";
    let sql = format!("SELECT count(*) FROM ({groups}) AS a JOIN ({groups}) AS b ON a.g = b.g");
    let plan = queries
        .plan(&sql, &catalog(), &Settings::default(), &[])
        .await
        .unwrap();
    let batches = plan.execute(&[]).await.unwrap();
    let count = batches[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(count.value(0), 400_000);
}

/// A table with nothing but row ids.
struct Columnless;

#[async_trait]
impl Relations for Columnless {
    async fn relation(
        &self,
        _schema: Option<&str>,
        _name: &str,
    ) -> Result<Option<Relation>, QueryError> {
        let columns = vec![Column::hidden(ROW_ID, DataType::Serial)];
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_new(schema(&columns), vec![ids]).unwrap();
        Ok(Some(Relation::rows(columns, Arc::new(vec![batch]))))
    }
}

#[tokio::test]
async fn a_table_may_have_no_columns() {
    let queries = Queries::new().unwrap();
    let plan = queries
        .plan("SELECT * FROM t", &Columnless, &Settings::default(), &[])
        .await
        .unwrap();
    assert!(plan.columns().is_empty());
    let rows: usize = plan
        .execute(&[])
        .await
        .unwrap()
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    assert_eq!(rows, 2);
}

#[tokio::test]
async fn functions_of_the_session_and_the_catalog() {
    let sql = "SELECT current_schemas(true), current_schemas(false), current_user, current_database(), \
               pg_get_userbyid(1), pg_table_is_visible(1), format_type(1016, NULL), obj_description(1, 'pg_class'), \
               set_config('a', 'b', false), 'abc' OPERATOR(pg_catalog.~) '^a'";
    let expected = "{pg_catalog,rw_catalog,public} {public} root dev root t bigint[]  b t";
    assert_eq!(run(sql).await.unwrap(), [expected]);
    let error = run("SELECT 'nosuch'::regclass").await.unwrap_err();
    assert_eq!(error, "Invalid parameter name: class not found: nosuch");
    let error = run("SELECT current_setting('no.such')").await.unwrap_err();
    assert_eq!(error, "Unrecognized config entry `no.such`");
    assert_eq!(run("SELECT pg_sleep(0)").await.unwrap(), ["NULL"]);
}

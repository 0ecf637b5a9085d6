//! What the parser makes of RisingWave's statements: verbs, names, clauses, options, and the texts that it leaves as
//! they are.

use rwt_sql::statement::{
    AlterAction, CursorOver, DmlVerb, ObjectKind, OptionValue, Show, Since, SinkFrom,
};
use rwt_sql::{DataType, Ident, ObjectName, ParseError, ParseErrorKind, PieceKind, Statement};
use rwt_sql::{parse_script, parse_statement, split_script};

fn parse(sql: &str) -> Statement {
    parse_statement(sql).unwrap_or_else(|error| panic!("{sql}\n{error}"))
}

fn refused(sql: &str) -> ParseError {
    match parse_statement(sql) {
        Ok(statement) => panic!("{sql} gave {statement:?}"),
        Err(error) => error,
    }
}

fn name(parts: &[&str]) -> ObjectName {
    ObjectName(parts.iter().copied().map(Ident::new).collect())
}

macro_rules! parsed {
    ($variant:ident, $sql:expr) => {
        match parse($sql) {
            Statement::$variant(inner) => inner,
            other => panic!("{} gave {other:?}", $sql),
        }
    };
}

#[test]
fn kafka_source() {
    let source = parsed!(
        CreateSource,
        "CREATE SOURCE IF NOT EXISTS \"dev\".\"public\".\"src_page\" (
            user_id int, page_id varchar, event_time timestamp, -- naive
            WATERMARK FOR event_time AS event_time - INTERVAL '5 seconds'
        )
        INCLUDE offset AS off INCLUDE header 'trace' varchar AS trace INCLUDE timestamp
        WITH (
            connector = 'kafka', topic = 'page_views', properties.bootstrap.server = 'redpanda:9092',
            scan.startup.mode = 'earliest', properties.sasl.password = secret kafka_password, source_rate_limit = 100
        ) FORMAT PLAIN ENCODE JSON (timestamptz.handling.mode = 'guess_number');"
    );
    assert_eq!(source.name, name(&["dev", "public", "src_page"]));
    assert!(source.if_not_exists);
    let columns: Vec<_> = source
        .columns
        .columns
        .iter()
        .map(|c| (c.name.value(), c.data_type.clone()))
        .collect();
    assert_eq!(
        columns,
        [
            ("user_id", Some(DataType::Integer)),
            ("page_id", Some(DataType::Varchar)),
            ("event_time", Some(DataType::Timestamp)),
        ]
    );
    assert_eq!(
        source.columns.watermarks[0].column,
        Ident::new("event_time")
    );
    assert_eq!(
        source.columns.watermarks[0].expr,
        "event_time - INTERVAL '5 seconds'"
    );
    let includes: Vec<_> = source
        .include
        .iter()
        .map(|i| (i.what.as_str(), i.alias.as_ref().map(Ident::value)))
        .collect();
    assert_eq!(
        includes,
        [
            ("offset", Some("off")),
            ("header", Some("trace")),
            ("timestamp", None)
        ]
    );
    assert_eq!(source.include[1].field.as_deref(), Some("trace"));
    assert_eq!(source.include[1].data_type, Some(DataType::Varchar));
    assert_eq!(
        source.with.text("properties.bootstrap.server"),
        Some("redpanda:9092")
    );
    assert_eq!(
        source.with.get("source_rate_limit"),
        Some(&OptionValue::Bare("100".to_owned()))
    );
    assert_eq!(
        source.with.get("properties.sasl.password"),
        Some(&OptionValue::Secret(name(&["kafka_password"])))
    );
    assert_eq!(
        source.with.0.iter().map(|(key, _)| key.as_str()).next(),
        Some("connector")
    );
    let format = source.format.unwrap();
    assert_eq!(
        (format.format.as_str(), format.encode.as_str()),
        ("PLAIN", "JSON")
    );
    assert_eq!(
        format.options.text("timestamptz.handling.mode"),
        Some("guess_number")
    );
}

#[test]
fn a_source_needs_a_format_unless_its_connector_has_one() {
    let error = refused("CREATE SOURCE s (a int) WITH (connector = 'kafka', topic = 't')");
    assert_eq!(
        error.message(),
        "expected description of the format, found: EOF"
    );
    let datagen = parsed!(
        CreateSource,
        "CREATE SOURCE s (a int) WITH (connector = 'datagen')"
    );
    let format = datagen.format.expect("a connector's own format");
    assert_eq!(
        (format.format.as_str(), format.encode.as_str()),
        ("NATIVE", "NATIVE")
    );
    let all = parsed!(
        CreateSource,
        "CREATE SOURCE s (*) WITH (connector = 'k') FORMAT UPSERT ENCODE AVRO (a.b = 'c')"
    );
    assert!(all.columns.wildcard);
}

#[test]
fn table_with_every_column_clause() {
    let table = parsed!(
        CreateTable,
        "CREATE TABLE t (
            id bigint NOT NULL, b varchar DEFAULT 'a, b', total double precision AS (a + b) * 2, flag boolean
            AS a IS NOT NULL, n int NOT NULL DEFAULT 1 + 2, g int GENERATED ALWAYS AS f(1, 2), PRIMARY KEY (id, b)
        ) APPEND ONLY ON CONFLICT DO UPDATE IF NOT NULL WITH VERSION COLUMN (n)
        WITH (commit_checkpoint_interval = 1) ENGINE = iceberg"
    );
    let column = |n: usize| &table.columns.columns[n];
    assert!(column(0).not_null && !column(0).primary_key);
    assert_eq!(column(1).default.as_deref(), Some("'a, b'"));
    assert_eq!(column(2).generated.as_deref(), Some("(a + b) * 2"));
    assert_eq!(column(3).generated.as_deref(), Some("a IS NOT NULL"));
    assert!(!column(3).not_null);
    assert_eq!(column(4).default.as_deref(), Some("1 + 2"));
    assert!(column(4).not_null);
    assert_eq!(column(5).generated.as_deref(), Some("f(1, 2)"));
    assert_eq!(
        table.columns.primary_key,
        [Ident::new("id"), Ident::new("b")]
    );
    assert!(table.append_only);
    assert_eq!(table.on_conflict.as_deref(), Some("DO UPDATE IF NOT NULL"));
    assert_eq!(table.version_columns, [Ident::new("n")]);
    assert_eq!(table.engine.as_deref(), Some("iceberg"));
    assert_eq!(table.with.text("commit_checkpoint_interval"), Some("1"));
}

#[test]
fn engine_before_or_behind_its_options() {
    for sql in [
        "CREATE TABLE t (a int) WITH (x = 1) ENGINE = iceberg",
        "CREATE TABLE t (a int) ENGINE = iceberg WITH (x = 1)",
        "create table t (a int) engine=ICEBERG with (x=1);",
    ] {
        let table = parsed!(CreateTable, sql);
        assert_eq!(
            (table.engine.as_deref(), table.with.text("x")),
            (Some("iceberg"), Some("1")),
            "{sql}"
        );
    }
    assert_eq!(
        refused("CREATE TABLE t (a int) ENGINE = nosuch;").message(),
        "Unsupported engine: nosuch"
    );
}

#[test]
fn table_from_a_query() {
    let table = parsed!(
        CreateTable,
        "create table if not exists \"dev\".\"public\".\"users\" as\n  SELECT ''::varchar AS a, 0::bigint AS b WHERE false ;"
    );
    assert_eq!(
        table.query.as_deref(),
        Some("SELECT ''::varchar AS a, 0::bigint AS b WHERE false")
    );
    assert!(table.columns.columns.is_empty());
    let keyed = parsed!(
        CreateTable,
        "CREATE TABLE t (k, v, PRIMARY KEY (k)) AS SELECT 1, 2 ENGINE = iceberg"
    );
    assert_eq!(keyed.query.as_deref(), Some("SELECT 1, 2"));
    assert_eq!(keyed.columns.primary_key, [Ident::new("k")]);
    assert_eq!(keyed.columns.columns[0].data_type, None);
    assert_eq!(keyed.engine.as_deref(), Some("iceberg"));
    let condition = parsed!(
        CreateTable,
        "CREATE TABLE t AS SELECT a FROM b WHERE engine = iceberg"
    );
    assert_eq!(condition.engine, None);
    assert_eq!(
        refused("CREATE TABLE t (a, b int)").message(),
        "expected a data type name after column a"
    );
}

#[test]
fn tables_fed_by_other_databases_and_web_hooks() {
    let cdc = parsed!(
        CreateTable,
        "CREATE TABLE t (id int PRIMARY KEY) FROM pg.src TABLE 'public.t'"
    )
    .cdc
    .unwrap();
    assert_eq!(
        (cdc.source, cdc.table.as_str()),
        (name(&["pg", "src"]), "public.t")
    );
    let hook = parsed!(
        CreateTable,
        "CREATE TABLE t (data jsonb) WITH (connector = 'webhook') VALIDATE SECRET s AS secure_compare(headers->>'x', s)"
    );
    assert_eq!(
        hook.validate.as_deref(),
        Some("VALIDATE SECRET s AS secure_compare(headers->>'x', s)")
    );
}

#[test]
fn views() {
    let view = parsed!(
        CreateView,
        "CREATE VIEW v (a, \"B\") AS (SELECT 1, 2); -- done"
    );
    assert_eq!(
        (view.columns.len(), view.query.as_str()),
        (2, "(SELECT 1, 2)")
    );
    let mv = parsed!(
        CreateMaterializedView,
        "CREATE MATERIALIZED VIEW IF NOT EXISTS mv WITH (backfill_order = FIXED(a -> b, b -> c)) AS
         WITH x AS (SELECT 1) SELECT count(*) FROM TUMBLE(t, ts, INTERVAL '1 minute') EMIT ON WINDOW CLOSE"
    );
    assert_eq!(
        mv.with.text("backfill_order"),
        Some("FIXED(a -> b, b -> c)")
    );
    assert!(mv.emit_on_window_close && mv.if_not_exists);
    assert_eq!(
        mv.query,
        "WITH x AS (SELECT 1) SELECT count(*) FROM TUMBLE(t, ts, INTERVAL '1 minute')"
    );
    let error = refused("CREATE VIEW v AS SELECT 1 EMIT ON WINDOW CLOSE");
    assert_eq!(error.message(), "expected end of statement, found: EMIT");
    let error = refused("CREATE OR REPLACE MATERIALIZED VIEW mv AS SELECT 1");
    assert_eq!(error.kind(), ParseErrorKind::NotImplemented);
    assert!(
        error
            .to_string()
            .starts_with("Feature is not yet implemented: CREATE OR REPLACE VIEW\n")
    );
}

#[test]
fn sinks() {
    let into = parsed!(
        CreateSink,
        "CREATE SINK IF NOT EXISTS s INTO ice (id, v) FROM src WITH (type = 'append-only', sink_decouple = false)"
    );
    assert_eq!(
        into.into,
        Some((name(&["ice"]), vec![Ident::new("id"), Ident::new("v")]))
    );
    assert_eq!(into.from, SinkFrom::Relation(name(&["src"])));
    assert_eq!(
        into.with.get("sink_decouple"),
        Some(&OptionValue::Bare("false".to_owned()))
    );
    let kafka = parsed!(
        CreateSink,
        "CREATE SINK s AS WITH x AS (SELECT 1 AS a) SELECT * FROM x WITH (connector = 'kafka', topic = 't')
         FORMAT UPSERT ENCODE JSON (a = 'b') KEY ENCODE TEXT"
    );
    assert_eq!(
        kafka.from,
        SinkFrom::Query("WITH x AS (SELECT 1 AS a) SELECT * FROM x".to_owned())
    );
    assert_eq!(kafka.format.unwrap().key_encode.as_deref(), Some("TEXT"));
    assert_eq!(
        parsed!(CreateSink, "CREATE SINK s INTO t FROM u")
            .with
            .0
            .len(),
        0
    );
    assert_eq!(
        refused("CREATE SINK s FROM t;").message(),
        "expected WITH, found: ;"
    );
}

#[test]
fn connections_secrets_and_variables() {
    let connection = parsed!(
        CreateConnection,
        "CREATE CONNECTION IF NOT EXISTS c WITH (type = 'iceberg', warehouse.path = 's3://a/b',
         s3.access.key = :'S3_ACCESS_KEY', s3.secret.key = secret public.k as file)"
    );
    assert_eq!(
        connection.with.get("s3.access.key"),
        Some(&OptionValue::Variable(":'S3_ACCESS_KEY'".to_owned()))
    );
    assert_eq!(connection.with.text("s3.access.key"), None);
    assert_eq!(
        connection.with.get("s3.secret.key"),
        Some(&OptionValue::SecretFile(name(&["public", "k"])))
    );
    let secret = parsed!(
        CreateSecret,
        "CREATE SECRET IF NOT EXISTS k WITH (backend = 'meta') AS 'it''s'"
    );
    assert_eq!(
        (secret.value.as_str(), secret.with.text("backend")),
        ("it's", Some("meta"))
    );
}

#[test]
fn a_refused_secret_is_not_shown() {
    let shown =
        refused("CREATE SECRET k WITH (backend = 'meta') AS 'hunter2' AS 'hunter3'").to_string();
    assert!(
        !shown.contains("hunter") && shown.contains("AS '***'"),
        "{shown}"
    );
    let shown = refused("CREATE SECRET k WITH (backend = 'meta') AS hunter2").to_string();
    assert!(
        !shown.contains("hunter") && shown.contains("literal string, found: '***'"),
        "{shown}"
    );
    let shown = refused("CREATE CONNECTION c WITH (s3.secret.key 'hunter2')").to_string();
    assert!(
        !shown.contains("hunter") && shown.contains("expected =, found: '***'"),
        "{shown}"
    );
    let shown = refused("CREATE CONNECTION c WITH (s3.secret.key = = 'hunter2')").to_string();
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn indexes_schemas_subscriptions() {
    let index = parsed!(
        CreateIndex,
        "create index if not exists i on \"dev\".\"public\".\"t\" (a DESC, upper(b)) include (c, d) distributed by (a)"
    );
    assert_eq!(index.columns, ["a DESC", "upper(b)"]);
    assert_eq!(
        (index.include.len(), index.distributed_by.as_slice()),
        (2, ["a".to_owned()].as_slice())
    );
    let schema = parsed!(
        CreateSchema,
        "CREATE SCHEMA IF NOT EXISTS s AUTHORIZATION o"
    );
    assert_eq!(schema.owner, Some(Ident::new("o")));
    let subscription = parsed!(
        CreateSubscription,
        "CREATE SUBSCRIPTION s FROM mv WITH (retention = '1D')"
    );
    assert_eq!(subscription.with.text("retention"), Some("1D"));
}

#[test]
fn drop_and_alter() {
    let drop = parsed!(Drop, "DROP MATERIALIZED VIEW IF EXISTS a.b CASCADE");
    assert_eq!(
        (drop.kind, drop.if_exists, drop.cascade),
        (ObjectKind::MaterializedView, true, true)
    );
    assert_eq!(drop.names, [name(&["a", "b"])]);
    let function = parsed!(Drop, "DROP FUNCTION f(bigint, varchar)");
    assert_eq!(function.arguments.as_deref(), Some("bigint, varchar"));
    assert_eq!(
        refused("DROP TABLE a, b").message(),
        "expected end of statement, found: ,"
    );

    let action = |sql: &str| parsed!(Alter, sql).action;
    assert_eq!(
        action("ALTER VIEW a SWAP WITH s.b"),
        AlterAction::SwapWith(name(&["s", "b"]))
    );
    assert_eq!(
        action("ALTER TABLE a RENAME TO \"B\""),
        AlterAction::RenameTo(Ident::new("B"))
    );
    assert_eq!(
        action("ALTER TABLE a SET SCHEMA s"),
        AlterAction::SetSchema(Ident::new("s"))
    );
    assert_eq!(
        action("ALTER SCHEMA s OWNER TO u"),
        AlterAction::OwnerTo(Ident::new("u"))
    );
    match action("ALTER TABLE t ADD COLUMN IF NOT EXISTS x int DEFAULT 5") {
        AlterAction::AddColumn {
            if_not_exists: true,
            column,
        } => assert_eq!(column.default.as_deref(), Some("5")),
        other => panic!("{other:?}"),
    }
    let column = Ident::new("x");
    assert_eq!(
        action("ALTER TABLE t DROP COLUMN x"),
        AlterAction::DropColumn {
            if_exists: false,
            column
        }
    );
    for sql in [
        "ALTER TABLE t ALTER COLUMN x TYPE bigint",
        "ALTER TABLE t ALTER x SET DATA TYPE bigint",
    ] {
        let column = Ident::new("x");
        let data_type = DataType::BigInt;
        assert_eq!(action(sql), AlterAction::ColumnType { column, data_type });
    }
    assert_eq!(
        action("ALTER TABLE t ALTER COLUMN x SET DEFAULT 1"),
        AlterAction::Other("ALTER COLUMN x SET DEFAULT 1".to_owned())
    );
    match action("ALTER SECRET s WITH (backend = 'meta') AS 'new'") {
        AlterAction::SecretValue { with, value } => {
            assert_eq!(
                (with.text("backend"), value.as_str()),
                (Some("meta"), "new")
            );
        }
        other => panic!("{other:?}"),
    }
    let parameter = |value: &str| AlterAction::SetParameter {
        name: "parallelism".to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(
        action("ALTER MATERIALIZED VIEW m SET PARALLELISM = 4"),
        parameter("4")
    );
    assert_eq!(
        action("ALTER MATERIALIZED VIEW m SET PARALLELISM TO adaptive DEFERRABLY"),
        parameter("adaptive")
    );
    assert_eq!(
        action("ALTER MATERIALIZED VIEW m AS SELECT 1"),
        AlterAction::Other("AS SELECT 1".to_owned())
    );
}

#[test]
fn sessions() {
    let set = |sql: &str| match parse(sql) {
        Statement::Set { name, values } => (name, values),
        other => panic!("{other:?}"),
    };
    let expect = |name: &str, values: &[&str]| {
        (
            name.to_owned(),
            values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        set("SET RW_IMPLICIT_FLUSH TO true"),
        expect("rw_implicit_flush", &["true"])
    );
    assert_eq!(
        set("SET search_path TO a, \"B\", public"),
        expect("search_path", &["a", "B", "public"])
    );
    assert_eq!(set("SET SESSION x = DEFAULT"), expect("x", &[]));
    assert_eq!(set("SET x = ''"), expect("x", &[""]));
    assert_eq!(set("SET x=-1"), expect("x", &["-1"]));
    assert_eq!(
        set("SET TIME ZONE 'Asia/Tokyo'"),
        expect("timezone", &["Asia/Tokyo"])
    );
    assert_eq!(set("SET TIME ZONE LOCAL"), expect("timezone", &[]));
    assert_eq!(set("SET session = 1"), expect("session", &["1"]));
    assert_eq!(
        parse("ALTER SYSTEM SET barrier_interval_ms TO DEFAULT"),
        Statement::AlterSystem {
            name: "barrier_interval_ms".to_owned(),
            value: None
        }
    );
    assert_eq!(
        parse("BEGIN"),
        Statement::Begin {
            read_only: false,
            start: false
        }
    );
    assert_eq!(
        parse("START TRANSACTION READ ONLY"),
        Statement::Begin {
            read_only: true,
            start: true
        }
    );
    assert_eq!(
        (parse("commit;"), parse("ABORT")),
        (Statement::Commit, Statement::Rollback)
    );
    assert_eq!(parse("CANCEL JOBS 1, 2"), Statement::CancelJobs(vec![1, 2]));
}

#[test]
fn show_and_describe() {
    let show = |sql: &str| parsed!(Show, sql);
    let objects = |what: &str, schema: Option<&str>, like: Option<&str>| Show::Objects {
        what: what.to_owned(),
        schema: schema.map(Ident::new),
        like: like.map(str::to_owned),
    };
    assert_eq!(
        show("SHOW MATERIALIZED VIEWS FROM s LIKE 'a%'"),
        objects("materialized views", Some("s"), Some("a%"))
    );
    assert_eq!(
        show("show internal tables"),
        objects("internal tables", None, None)
    );
    assert_eq!(
        show("SHOW COLUMNS FROM a.b"),
        Show::Columns(name(&["a", "b"]))
    );
    assert_eq!(
        show("SHOW CREATE SINK s"),
        Show::Create(ObjectKind::Sink, name(&["s"]))
    );
    assert_eq!(show("SHOW JOBS"), Show::Internal("jobs".to_owned()));
    assert_eq!(
        show("SHOW DateStyle"),
        Show::Setting("datestyle".to_owned())
    );
    assert_eq!(
        show("SHOW TIME ZONE"),
        Show::Setting("time zone".to_owned())
    );
    assert_eq!(
        show("SHOW transaction isolation level"),
        Show::Setting("transaction_isolation".to_owned())
    );
    assert_eq!(parse("DESC a.b"), Statement::Describe(name(&["a", "b"])));
}

#[test]
fn queries_and_data_changes_stay_text() {
    assert_eq!(
        parse("/* dbt */ SELECT 1; -- x"),
        Statement::Query("SELECT 1".to_owned())
    );
    match parse("insert into s.t (a, b) values (1, ';'), (2, $$)$$) returning a;") {
        Statement::Dml {
            verb: DmlVerb::Insert,
            table,
            text,
        } => {
            assert_eq!(table, name(&["s", "t"]));
            assert_eq!(
                text,
                "insert into s.t (a, b) values (1, ';'), (2, $$)$$) returning a"
            );
        }
        other => panic!("{other:?}"),
    }
    for accepted in [
        "UPDATE t SET a = a IS DISTINCT FROM 1 WHERE b = extract(year FROM c)",
        "DELETE FROM t WHERE (a, b) IN (SELECT a, b FROM c)",
        "INSERT INTO t SELECT * FROM a JOIN b ON a.x = b.x",
        "INSERT INTO t (SELECT 1)",
        "VALUES (1), (2)",
        "(SELECT 1) UNION ALL (SELECT 2)",
    ] {
        parse(accepted);
    }
    for (sql, message) in [
        (
            "DELETE FROM t USING u",
            "expected end of statement, found: USING",
        ),
        (
            "UPDATE t SET a = 1 FROM u",
            "expected end of statement, found: FROM",
        ),
        (
            "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
            "expected end of statement, found: ON",
        ),
        ("SELECT (1", "expected ), found: EOF"),
        ("SELECT 1)", "expected end of statement, found: )"),
        ("SELECT a FROM b WHERE (c]", "expected ), found: ]"),
        ("SELECT", "expected an expression, found: EOF"),
        (
            "SELECT \u{a0}1",
            "expected an expression, found: \"\\u{a0}\"",
        ),
        ("", "expected statement, found: EOF"),
        (
            "SELECT 1; SELECT 2",
            "expected end of statement, found: SELECT",
        ),
    ] {
        assert_eq!(refused(sql).message(), message, "{sql}");
    }
}

#[test]
fn everything_else_keeps_its_words() {
    for (sql, expected) in [
        (
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS $$ SELECT 1; $$",
            "CREATE FUNCTION",
        ),
        (
            "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA s TO u",
            "GRANT",
        ),
        ("COPY (SELECT 1) TO STDOUT", "COPY"),
        ("EXPLAIN ANALYZE MATERIALIZED VIEW mv", "EXPLAIN ANALYZE"),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SET SESSION CHARACTERISTICS",
        ),
    ] {
        match parse(sql) {
            Statement::Other { verb, text } => {
                assert_eq!((verb.as_str(), text.as_str()), (expected, sql))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn cursors() {
    let over = |sql: &str| match parse(sql) {
        Statement::DeclareCursor { name, over } => (name.value().to_owned(), over),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        over("DECLARE C CURSOR FOR WITH x AS (SELECT 'a for b') SELECT * FROM x"),
        (
            "c".to_owned(),
            CursorOver::Query("WITH x AS (SELECT 'a for b') SELECT * FROM x".to_owned())
        )
    );
    for (tail, expected) in [
        ("", Since::Now),
        (" FULL", Since::Full),
        (" SINCE now()", Since::Now),
        (" since proctime()", Since::Now),
        (" SINCE begin()", Since::Begin),
        (" SINCE 1771070400123", Since::Millis(1_771_070_400_123)),
    ] {
        let sql = format!("DECLARE \"My C\" SUBSCRIPTION CURSOR FOR a.s{tail}");
        let (name, over) = over(&sql);
        assert_eq!(name, "My C");
        let CursorOver::Subscription { name, since } = over else {
            panic!("{sql}");
        };
        assert_eq!((name.to_string().as_str(), since), ("a.s", expected));
    }
    let fetch = |sql: &str| match parse(sql) {
        Statement::FetchCursor { name, count, with } => (
            name.value().to_owned(),
            count,
            with.text("timeout").map(str::to_owned),
        ),
        other => panic!("{other:?}"),
    };
    assert_eq!(fetch("FETCH NEXT FROM c"), ("c".to_owned(), 1, None));
    assert_eq!(
        fetch("FETCH 10 FROM c WITH (timeout = '5s')"),
        ("c".to_owned(), 10, Some("5s".to_owned()))
    );
    assert_eq!(parse("CLOSE ALL"), Statement::CloseCursor(None));
    assert!(matches!(parse("CLOSE c"), Statement::CloseCursor(Some(_))));
    for (sql, message) in [
        ("DECLARE c FOR SELECT 1", "expected CURSOR, found: FOR"),
        (
            "DECLARE c SUBSCRIPTION CURSOR FOR s SINCE yesterday()",
            "expected proctime(), begin() , now(), Number, found: yesterday",
        ),
        ("FETCH ALL FROM c", "expected literal int, found: ALL"),
        ("FETCH NEXT c", "expected FROM, found: c"),
    ] {
        assert_eq!(refused(sql).message(), message, "{sql}");
    }
}

#[test]
fn verbs_and_objects() {
    let verb = |sql: &str| {
        let statement = parse(sql);
        let (verb, object) = statement.verb_and_object();
        (verb.into_owned(), object.map(ToString::to_string))
    };
    let expect = |verb: &str, object: Option<&str>| (verb.to_owned(), object.map(str::to_owned));
    assert_eq!(
        verb("CREATE MATERIALIZED VIEW a.b AS SELECT 1"),
        expect("CREATE MATERIALIZED VIEW", Some("a.b"))
    );
    assert_eq!(
        verb("drop secret if exists x"),
        expect("DROP SECRET", Some("x"))
    );
    assert_eq!(verb("update t set a = 1"), expect("UPDATE", Some("t")));
    assert_eq!(
        verb("with a as (select 1) select * from a"),
        expect("SELECT", None)
    );
    assert_eq!(verb("KILL '1:2'"), expect("KILL", None));
}

#[test]
fn types() {
    for (text, shown) in [
        ("int4", "integer"),
        ("TEXT", "character varying"),
        ("timestamp with time zone[]", "timestamp with time zone[]"),
        (
            "struct<a int, b struct<c varchar[], d map(varchar, int)>>[]",
            "struct<a integer, b struct<c character varying[], d map(character varying,integer)>>[]",
        ),
        ("float(10)", "real"),
        ("double", "double precision"),
        ("character varying", "character varying"),
        ("time without time zone", "time without time zone"),
    ] {
        assert_eq!(DataType::parse(text).unwrap().to_string(), shown);
    }
    for (text, kind) in [
        ("numeric(10, 2)", ParseErrorKind::NotImplemented),
        ("char(3)", ParseErrorKind::NotImplemented),
        ("time with time zone", ParseErrorKind::NotImplemented),
        ("nosuch", ParseErrorKind::NotImplemented),
        ("varchar(60)", ParseErrorKind::Syntax),
        ("struct<a>", ParseErrorKind::Syntax),
        ("int int", ParseErrorKind::Syntax),
        ("", ParseErrorKind::Syntax),
    ] {
        assert_eq!(DataType::parse(text).unwrap_err().kind(), kind, "{text}");
    }
    let error = DataType::parse("numeric(10, 2)").unwrap_err();
    assert_eq!(error.message(), "unsupported data type: NUMERIC(10,2)");
}

#[test]
fn scripts() {
    let script = "-- head; 'not a string\n\\getenv KEY KEY\n/* a ; */ CREATE VIEW a AS\nSELECT ';';;\n\
                  \\set ON_ERROR_STOP on\n\n  FLUSH\n;\nSELECT 1 /* tail */ ; -- end";
    let pieces: Vec<_> = split_script(script)
        .unwrap()
        .into_iter()
        .map(|piece| {
            (
                piece.kind,
                piece.text,
                (piece.location.line, piece.location.column),
            )
        })
        .collect();
    assert_eq!(
        pieces,
        [
            (PieceKind::MetaCommand, "\\getenv KEY KEY", (2, 1)),
            (
                PieceKind::Statement,
                "CREATE VIEW a AS\nSELECT ';'",
                (3, 11)
            ),
            (PieceKind::MetaCommand, "\\set ON_ERROR_STOP on", (5, 1)),
            (PieceKind::Statement, "FLUSH", (7, 3)),
            (PieceKind::Statement, "SELECT 1", (9, 1)),
        ]
    );
    let statements = parse_script(script).unwrap();
    assert_eq!(statements.len(), 3);
    assert_eq!(statements[1].value, Statement::Flush);
    assert_eq!(statements[1].span.of(script), "FLUSH");

    let error = parse_script("SELECT 1;\n\nDROP TABEL x;").unwrap_err();
    assert_eq!((error.line(), error.column()), (3, 6));
    assert!(
        error
            .to_string()
            .ends_with("found: TABEL\nLINE 3: DROP TABEL x;\n             ^"),
        "{error}"
    );
    assert_eq!(
        parse_script("SELECT 'abc").unwrap_err().message(),
        "Unterminated string literal"
    );
    assert!(parse_script(" -- nothing\n;;").unwrap().is_empty());
}

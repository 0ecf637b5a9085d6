//! Avro messages whose schema is a file: the columns that it becomes, and the rows that messages make.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use apache_avro::types::Value;
use apache_avro::{Codec, Decimal, DeflateSettings, Schema, Writer};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rwt_broker::{Broker, Config};
use support::{Served, rows, rows_or_error, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const EVERYTHING: &str = r#"{
  "type": "record", "name": "Event", "namespace": "shop", "fields": [
    {"name": "flag", "type": "boolean"},
    {"name": "small", "type": "int"},
    {"name": "big", "type": "long"},
    {"name": "single", "type": "float"},
    {"name": "double", "type": "double"},
    {"name": "text", "type": ["null", "string"]},
    {"name": "raw", "type": "bytes"},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["VIEW", "CART"]}},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "clock", "type": {"type": "int", "logicalType": "time-millis"}},
    {"name": "fine_clock", "type": {"type": "long", "logicalType": "time-micros"}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "fine_at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
    {"name": "local_at", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
    {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "who", "type": {"type": "record", "name": "Person", "fields": [
      {"name": "age", "type": "int"}, {"name": "photo", "type": ["null", "bytes"]}]}},
    {"name": "other", "type": ["null", "Person"]},
    {"name": "either", "type": ["null", "int", "string"]},
    {"name": "counts", "type": {"type": "map", "values": "int"}}
  ]}"#;

fn container(schema: &str, fields: Vec<(&str, Value)>, codec: Codec) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    let mut writer = Writer::with_codec(&schema, Vec::new(), codec);
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    writer.append(Value::Record(fields.collect())).unwrap();
    writer.into_inner().unwrap()
}

fn some(at: u32, value: Value) -> Value {
    Value::Union(at, Box::new(value))
}

fn everything() -> Vec<(&'static str, Value)> {
    let person = |photo: Value| {
        Value::Record(vec![
            ("age".to_owned(), Value::Int(40)),
            ("photo".to_owned(), photo),
        ])
    };
    vec![
        ("flag", Value::Boolean(true)),
        ("small", Value::Int(-7)),
        ("big", Value::Long(1 << 40)),
        ("single", Value::Float(0.5)),
        ("double", Value::Double(1.25)),
        ("text", some(1, Value::String("hej".to_owned()))),
        ("raw", Value::Bytes(vec![0xff, 0x00])),
        ("kind", Value::Enum(1, "CART".to_owned())),
        // -1234 with two digits behind the point.
        ("price", Value::Decimal(Decimal::from(vec![0xfb, 0x2e]))),
        ("day", Value::Date(20_498)),
        ("clock", Value::TimeMillis(3_723_004)),
        ("fine_clock", Value::TimeMicros(3_723_000_005)),
        ("at", Value::TimestampMillis(1_771_070_400_123)),
        ("fine_at", some(1, Value::TimestampMicros(5))),
        (
            "local_at",
            Value::LocalTimestampMicros(1_771_070_400_000_001),
        ),
        (
            "id",
            Value::Uuid("01020304-0506-0708-090a-0b0c0d0e0f10".parse().unwrap()),
        ),
        (
            "tags",
            Value::Array(vec![
                Value::String("a".to_owned()),
                Value::String("b".to_owned()),
            ]),
        ),
        ("who", person(some(1, Value::Bytes(vec![1, 2])))),
        ("other", some(0, Value::Null)),
        ("either", some(2, Value::String("word".to_owned()))),
        (
            "counts",
            Value::Map(
                [
                    ("b".to_owned(), Value::Int(2)),
                    ("a".to_owned(), Value::Int(1)),
                ]
                .into(),
            ),
        ),
    ]
}

async fn produce(brokers: &str, topic: &str, messages: &[(&str, Option<Vec<u8>>)]) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "1")
        .create()
        .unwrap();
    for (key, payload) in messages {
        let mut record: FutureRecord<'_, str, [u8]> = FutureRecord::to(topic).key(key);
        record.payload = payload.as_deref();
        producer
            .send(record, Duration::from_secs(10))
            .await
            .unwrap();
    }
}

fn with(brokers: &str, topic: &str) -> String {
    format!(
        "WITH (connector = 'kafka', topic = '{topic}', properties.bootstrap.server = '{brokers}', scan.startup.mode = 'earliest')"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_a_schema_are_columns_and_records_are_rows() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    broker.create_topic("events", 1).await.unwrap();
    let brokers = broker.local_addr().to_string();
    let file = data.path().join("event.avsc");
    std::fs::write(&file, EVERYTHING).unwrap();
    let served = Served::start().await;
    let client = served.client().await;
    let create = |options: &str| {
        format!(
            "CREATE SOURCE events {} FORMAT PLAIN ENCODE AVRO (message = 'Event'{options})",
            with(&brokers, "events")
        )
    };
    let location = format!(", schema.location = 'file://{}'", file.display());
    for (options, part) in [
        ("", "missing either a schema location or a schema registry"),
        (location.as_str(), "map.handling.mode = 'jsonb'"),
        (", schema.location = 'events.avsc'", "file:///"),
        (", schema.location = 's3://bucket/a'", "path scheme `s3`"),
        (", schema.location = 'file:///no/such.avsc'", "No such file"),
        (
            ", schema.registry = 'http://127.0.0.1:1'",
            "a schema registry",
        ),
    ] {
        let error = rows_or_error(&client, &create(options)).await.unwrap_err();
        assert!(error.contains(part), "{options}: {error}");
    }
    let own = create(&location).replace("events WITH", "events (a int) WITH");
    let error = rows_or_error(&client, &own).await.unwrap_err();
    assert!(
        error.contains("User-defined schema is not allowed"),
        "{error}"
    );

    let options = format!("{location}, map.handling.mode = 'jsonb'");
    rows(&client, &create(&options)).await;
    // What was read once is kept.
    std::fs::remove_file(&file).unwrap();
    let described = rows(&client, "DESCRIBE events").await;
    let columns: Vec<&str> = described
        .iter()
        .filter_map(|row| row.strip_suffix(" false NULL"))
        .collect();
    assert_eq!(
        columns,
        [
            "flag boolean",
            "small integer",
            "big bigint",
            "single real",
            "double double precision",
            "text character varying",
            "raw bytea",
            "kind character varying",
            "price numeric",
            "day date",
            "clock time without time zone",
            "fine_clock time without time zone",
            "at timestamp with time zone",
            "fine_at timestamp with time zone",
            "local_at timestamp without time zone",
            "id character varying",
            "tags character varying[]",
            "who struct",
            "who.age integer",
            "who.photo bytea",
            "other struct",
            "other.age integer",
            "other.photo bytea",
            "either struct",
            "either.int integer",
            "either.string character varying",
            "counts jsonb",
        ],
        "{described:#?}"
    );
    rows(
        &client,
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM events",
    )
    .await;
    let deflated = Codec::Deflate(DeflateSettings::default());
    produce(
        &brokers,
        "events",
        &[
            ("", Some(container(EVERYTHING, everything(), Codec::Null))),
            ("", Some(b"no container".to_vec())),
            ("", Some(Vec::new())),
            ("", Some(container(EVERYTHING, everything(), deflated))),
        ],
    )
    .await;
    until(&client, "SELECT count(*), count(flag) FROM kept", &["3 2"]).await;
    let row = "t -7 1099511627776 0.5 1.25 hej \\xff00 CART -12.34 2026-02-14 01:02:03.004 01:02:03.000005 \
               2026-02-14 12:00:00.123+00:00 1970-01-01 00:00:00.000005+00:00 2026-02-14 12:00:00.000001 \
               01020304-0506-0708-090a-0b0c0d0e0f10 {a,b} (40,\"\\\\x0102\") NULL (,word) {\"a\": 1, \"b\": 2}";
    assert_eq!(
        rows(&client, "SELECT * FROM kept WHERE flag").await,
        [row, row]
    );
    assert_eq!(
        rows(
            &client,
            "SELECT sum(rows), sum(skipped) FROM rwt_engine.sources"
        )
        .await,
        ["3 1"]
    );
    drop(client);

    // The source goes on without the file.
    let served = Served::reopen(served.stop().await).await;
    let client = served.client().await;
    let again = container(EVERYTHING, everything(), Codec::Null);
    produce(&brokers, "events", &[("", Some(again))]).await;
    until(&client, "SELECT count(*), count(flag) FROM kept", &["4 3"]).await;
    served.stop().await;
    broker.shutdown().await;
}

/// Answers every request with this text, as a web server does.
async fn serve(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/user.avsc")
}

const USER: &str =
    r#"{"type": "record", "name": "User", "fields": [{"name": "name", "type": "string"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn upsert_messages_replace_and_delete_rows_of_their_key() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(Config::new(data.path())).await.unwrap();
    broker.create_topic("users", 1).await.unwrap();
    let brokers = broker.local_addr().to_string();
    let served = Served::start().await;
    let client = served.client().await;
    let location = serve(USER).await;
    let create = format!(
        "CREATE TABLE users (PRIMARY KEY (k)) INCLUDE KEY AS k {} FORMAT UPSERT ENCODE AVRO (schema.location = '{location}')",
        with(&brokers, "users")
    );
    rows(&client, &create).await;
    let user = |name: &str| {
        let name = Value::String(name.to_owned());
        Some(container(USER, vec![("name", name)], Codec::Null))
    };
    produce(
        &brokers,
        "users",
        &[
            ("1", user("Ann")),
            ("2", user("Bob")),
            ("1", user("Anna")),
            ("2", None),
            ("3", user("Cid")),
        ],
    )
    .await;
    until(
        &client,
        "SELECT k, name FROM users ORDER BY name",
        &["\\x31 Anna", "\\x33 Cid"],
    )
    .await;
    let source = create
        .replace("TABLE", "SOURCE")
        .replace("(PRIMARY KEY (k)) ", "");
    assert!(rows_or_error(&client, &source).await.is_err());
    served.stop().await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_without_a_column_are_refused_by_name() {
    let served = Served::start().await;
    let client = served.client().await;
    let folder = tempfile::tempdir().unwrap();
    for (schema, part) in [
        (
            r#""string""#.to_owned(),
            "record type required at top level",
        ),
        (field(r#""null""#), "Avro type: Null"),
        (
            field(r#"{"type": "fixed", "name": "F", "size": 3}"#),
            "Avro type: Fixed",
        ),
        (field(r#"["null", "R"]"#), "circular reference detected"),
        (
            field(r#"["int", {"type": "enum", "name": "E", "symbols": ["A"]}]"#),
            "used in Union type",
        ),
        (
            field(r#"{"type": "fixed", "size": 12, "name": "D", "logicalType": "duration"}"#),
            "type interval",
        ),
        ("{".to_owned(), "failed to parse avro schema"),
    ] {
        let file = folder.path().join("schema.avsc");
        std::fs::write(&file, &schema).unwrap();
        let create = format!(
            "CREATE SOURCE s {} FORMAT PLAIN ENCODE AVRO (schema.location = 'file://{}')",
            with("127.0.0.1:1", "t"),
            file.display()
        );
        let error = rows_or_error(&client, &create).await.unwrap_err();
        assert!(error.contains(part), "{schema}: {error}");
    }
    served.stop().await;
}

/// A record `R` with one field of this type.
fn field(data_type: &str) -> String {
    format!(
        r#"{{"type": "record", "name": "R", "fields": [{{"name": "f", "type": {data_type}}}]}}"#
    )
}

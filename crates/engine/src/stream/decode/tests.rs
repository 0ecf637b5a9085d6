//! The 45 messages whose rows were recorded on RisingWave (`golden/facts.md` 7).

use rwt_sql::DataType;

use super::*;

fn source(format: &str, encode: &str, origins: Vec<Origin>) -> Source {
    Source {
        connector: "kafka".into(),
        secrets: Vec::new(),
        options: Vec::new(),
        format: format.into(),
        encode: encode.into(),
        origins,
        delimiter: ';',
        watermark: None,
        avro: None,
    }
}

fn decode(data_type: DataType, payload: Option<&[u8]>) -> (Decoded, Vec<String>) {
    let columns = [
        Column::new("user_id", DataType::Integer),
        Column::new("v", data_type),
    ];
    let query: Vec<rwt_query::Column> = columns
        .iter()
        .map(|c| rwt_query::Column::new(c.name.clone(), c.data_type.clone()))
        .collect();
    let source = source("PLAIN", "JSON", vec![Origin::Field, Origin::Field]);
    let mut decoder = Decoder::new(&columns, &source, rwt_query::schema(&query)).unwrap();
    let decoded = decoder.push(&Message {
        payload,
        ..Message::default()
    });
    let Some(rows) = decoder.finish().unwrap().pop() else {
        return (decoded, Vec::new());
    };
    let batch = rwt_query::printed(&rows.batch).unwrap();
    let format = arrow::util::display::FormatOptions::new().with_null("NULL");
    let row = |r| {
        (0..batch.num_columns())
            .map(|c| {
                let column = batch.column(c);
                let shown = arrow::util::display::ArrayFormatter::try_new(column, &format).unwrap();
                shown.value(r).to_string()
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    (decoded, (0..batch.num_rows()).map(row).collect())
}

fn rows(data_type: DataType, payload: &str) -> Vec<String> {
    decode(data_type, Some(payload.as_bytes())).1
}

/// The value of the second column for a message that gives it as `json`.
fn value(data_type: DataType, json: &str) -> String {
    let rows = rows(data_type, &format!("{{\"user_id\": 1, \"v\": {json}}}"));
    assert_eq!(rows.len(), 1);
    rows[0].strip_prefix("1 ").unwrap().to_owned()
}

#[test]
fn what_is_no_json_makes_no_row() {
    for payload in [
        &br#"{"user_id": 1, "v": "#[..],
        b"hello world",
        b"{'user_id': 1}",
        b"NaN",
        b"{\"user_id\": 1, \"v\": \"\xff\xfe\"}",
        b"\xef\xbb\xbf{\"user_id\": 1}",
        b"{\"user_id\": 1}{\"user_id\": 2}",
        b"{\"user_id\": 1}\n{\"user_id\": 2}",
    ] {
        let (decoded, rows) = decode(DataType::Varchar, Some(payload));
        assert!(matches!(decoded, Decoded::Skipped(_)), "{payload:?}");
        assert!(rows.is_empty());
    }
}

#[test]
fn what_is_no_object_makes_one_empty_row() {
    for payload in [
        "",
        "{}",
        "\"hi\"",
        "42",
        "null",
        r#"[{"user_id": 1}, {"user_id": 2}]"#,
    ] {
        let (decoded, rows) = decode(DataType::Varchar, Some(payload.as_bytes()));
        assert!(matches!(decoded, Decoded::Padded(_)), "{payload:?}");
        assert_eq!(rows, ["NULL NULL"], "{payload:?}");
    }
    assert_eq!(decode(DataType::Varchar, None).1, ["NULL NULL"]);
}

#[test]
fn fields_are_matched_without_case_and_the_first_wins() {
    assert_eq!(rows(DataType::Varchar, r#"{"user_id": 1}"#), ["1 NULL"]);
    assert_eq!(
        rows(DataType::Varchar, r#"{"user_id": 1, "v": null}"#),
        ["1 NULL"]
    );
    assert_eq!(
        rows(
            DataType::Varchar,
            r#"{"user_id": 1, "v": "a", "more": [1]}"#
        ),
        ["1 a"]
    );
    assert_eq!(
        rows(DataType::Varchar, r#"{"USER_ID": 1, "V": "a"}"#),
        ["1 a"]
    );
    assert_eq!(
        rows(
            DataType::Varchar,
            r#"{"user_id": 1, "user_id": 2, "v": "a"}"#
        ),
        ["1 a"]
    );
    assert_eq!(
        rows(DataType::Varchar, "{\"user_id\": 1, \"v\": \"a\"}\n"),
        ["1 a"]
    );
}

#[test]
fn numbers() {
    assert_eq!(value(DataType::Integer, "\"123\""), "123");
    for lost in ["1.0", "1.5", "99999999999", "\"abc\"", "true"] {
        assert_eq!(value(DataType::Integer, lost), "NULL", "{lost}");
    }
    assert_eq!(value(DataType::Double, "\"12.5\""), "12.5");
    assert_eq!(value(DataType::Double, "12"), "12.0");
    assert_eq!(value(DataType::Numeric, "12.345"), "12.345");
    assert_eq!(value(DataType::Numeric, "\"-0.5e1\""), "-5");
    assert_eq!(value(DataType::BigInt, "99999999999"), "99999999999");
}

#[test]
fn texts() {
    assert_eq!(value(DataType::Varchar, "5"), "5");
    assert_eq!(value(DataType::Varchar, "5.50"), "5.5");
    assert_eq!(value(DataType::Varchar, "true"), "true");
    assert_eq!(value(DataType::Varchar, "{\"a\": 1}"), "NULL");
    assert_eq!(value(DataType::Varchar, "[1]"), "NULL");
    assert_eq!(
        value(DataType::Jsonb, "{\"b\":[1,2],\"a\":\"x\"}"),
        "{\"a\": \"x\", \"b\": [1, 2]}"
    );
}

#[test]
fn timestamps() {
    let noon = "2026-02-14T12:00:00";
    for (json, expected) in [
        ("\"2026-02-14 12:00:00\"", noon),
        ("\"2026-02-14T12:00:00\"", noon),
        (
            "\"2026-02-14 12:00:00.123456\"",
            "2026-02-14T12:00:00.123456",
        ),
        ("\"2026-02-14\"", "2026-02-14T00:00:00"),
        ("\"2026-02-14T12:00:00Z\"", "NULL"),
        ("\"2026-02-14T12:00:00+02:00\"", noon),
        ("1771070400", noon),
        ("1771070400000", noon),
        ("1771070400000000", noon),
        ("1771070400.5", "NULL"),
        ("\"garbage\"", "NULL"),
        ("\"\"", "NULL"),
    ] {
        assert_eq!(value(DataType::Timestamp, json), expected, "{json}");
    }
    assert_eq!(
        value(DataType::Timestamptz, "\"2026-02-14T12:00:00+02:00\""),
        "2026-02-14T10:00:00Z"
    );
}

#[test]
fn nested_values() {
    let list = DataType::List(Box::new(DataType::Integer));
    assert_eq!(value(list.clone(), "[1, null, 3]"), "[1, NULL, 3]");
    assert_eq!(value(list, "5"), "NULL");
    let row = DataType::Struct(vec![("x".into(), DataType::Integer)]);
    assert_eq!(value(row, "{\"x\": 4}"), "{x: 4}");
}

/// The rows that come (`+`) and go (`-`) with these messages: key and payload.
fn changes(format: &str, encode: &str, messages: &[(Option<&str>, Option<&str>)]) -> Vec<String> {
    let columns = [
        Column::new("k", DataType::Varchar),
        Column::new("id", DataType::Integer),
        Column::new("v", DataType::Varchar),
    ];
    let query: Vec<rwt_query::Column> = columns
        .iter()
        .map(|c| rwt_query::Column::new(c.name.clone(), c.data_type.clone()))
        .collect();
    let source = source(
        format,
        encode,
        vec![Origin::Key, Origin::Field, Origin::Field],
    );
    let mut decoder = Decoder::new(&columns, &source, rwt_query::schema(&query)).unwrap();
    for (key, payload) in messages {
        decoder.push(&Message {
            key: key.map(str::as_bytes),
            payload: payload.map(str::as_bytes),
            ..Message::default()
        });
    }
    let mut out = Vec::new();
    for rows in decoder.finish().unwrap() {
        let sign = if rows.deleted { '-' } else { '+' };
        for row in 0..rows.batch.num_rows() {
            let shown: Vec<String> = rows
                .batch
                .columns()
                .iter()
                .map(|c| {
                    let format = arrow::util::display::FormatOptions::new().with_null("NULL");
                    let shown = arrow::util::display::ArrayFormatter::try_new(c, &format).unwrap();
                    shown.value(row).to_string()
                })
                .collect();
            out.push(format!("{sign}{}", shown.join(" ")));
        }
    }
    out
}

#[test]
fn upserts_put_and_remove_the_row_of_their_key() {
    let messages = [
        (Some("a"), Some(r#"{"id": 1, "v": "x"}"#)),
        (Some("b"), Some(r#"{"id": 2, "v": "y"}"#)),
        (Some("a"), None),
        (Some("c"), Some(r#"{"id": 3, "v": null}"#)),
    ];
    assert_eq!(
        changes("UPSERT", "JSON", &messages),
        ["+a 1 x", "+b 2 y", "-a NULL NULL", "+c 3 NULL"]
    );
}

#[test]
fn debezium_tells_the_row_before_and_after() {
    let messages = [
        (
            None,
            Some(r#"{"op": "r", "before": null, "after": {"id": 1, "v": "x"}}"#),
        ),
        (
            None,
            Some(r#"{"payload": {"op": "u", "before": {"id": 1}, "after": {"id": 2, "v": "y"}}}"#),
        ),
        (
            None,
            Some(r#"{"op": "d", "before": {"id": 2}, "after": null}"#),
        ),
        (None, None),
        (None, Some(r#"{"op": "d", "before": null}"#)),
    ];
    assert_eq!(
        changes("DEBEZIUM", "JSON", &messages),
        ["+NULL 1 x", "-NULL 1 NULL", "+NULL 2 y", "-NULL 2 NULL"]
    );
}

#[test]
fn lines_have_fields_in_order() {
    let lines = ["1;\"a;\"\"b\"\"\"\n", "x;", "3"];
    let messages: Vec<_> = lines.iter().map(|l| (None, Some(*l))).collect();
    assert_eq!(
        changes("PLAIN", "CSV", &messages),
        ["+NULL 1 a;\"b\"", "+NULL NULL NULL", "+NULL 3 NULL"]
    );
}

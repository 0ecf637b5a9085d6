//! The 45 messages whose rows were recorded on RisingWave (`golden/facts.md` 7).

use rwt_sql::DataType;

use super::*;

fn decode(data_type: DataType, payload: Option<&[u8]>) -> (Decoded, Vec<String>) {
    let columns = [
        Column::new("user_id", DataType::Integer),
        Column::new("v", data_type),
    ];
    let query: Vec<rwt_query::Column> = columns
        .iter()
        .map(|c| rwt_query::Column::new(c.name.clone(), c.data_type.clone()))
        .collect();
    let origins = [Origin::Field, Origin::Field];
    let mut decoder = Decoder::new(&columns, &origins, rwt_query::schema(&query)).unwrap();
    let decoded = decoder.push(&Message {
        payload,
        ..Message::default()
    });
    let batch = rwt_query::printed(&decoder.finish().unwrap()).unwrap();
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

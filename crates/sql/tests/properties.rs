//! What holds for every text: spans tile it, nothing panics, names survive being written and read.

use proptest::prelude::*;
use rwt_sql::lexer::{Location, TokenKind, tokenize};
use rwt_sql::{
    DataType, Ident, Literal, ObjectName, Statement, fingerprint, parse_script, parse_statement,
    redact, relations_read, split_script,
};

/// Texts of the words, quotes and brackets that SQL is made of, in any order.
fn sql_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "create",
        "table",
        "source",
        "sink",
        "view",
        "materialized",
        "secret",
        "index",
        "drop",
        "alter",
        "show",
        "set",
        "with",
        "as",
        "select",
        "from",
        "insert into",
        "values",
        "update",
        "delete from",
        "format plain encode json",
        "include",
        "watermark for",
        "primary key",
        "on conflict",
        "engine = iceberg",
        "emit on window close",
        "struct<",
        "map(",
        "int",
        "explain",
        "comment on",
        "tumble(",
        "join",
        "a",
        "b.c",
        "\"Q\"",
        "'s'",
        "E'\\x'",
        "$$",
        "$t$",
        ":'V'",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ";",
        "=",
        "<",
        ">>",
        ".",
        "::",
        "*",
        "-",
        "--",
        "/*",
        "*/",
        "'",
        "\"",
        "\\",
        "\n",
        " ",
        "\t",
        "1",
        "1.5e3",
        "é",
        "\u{a0}",
        "🦀",
        "password",
        "key",
        "://u:p@h",
        "to",
        "$1",
        "?",
    ]);
    prop::collection::vec((piece, prop::bool::ANY), 0..40).prop_map(|pieces| {
        pieces
            .into_iter()
            .map(|(piece, blank)| format!("{piece}{}", if blank { " " } else { "" }))
            .collect()
    })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![sql_like(), ".*", "[\\x00-\\x7f]{0,60}"]
}

/// Types of any shape, with field names that need no quotes.
fn any_type() -> impl Strategy<Value = DataType> {
    use DataType::*;
    let plain = prop::sample::select(vec![
        Boolean,
        SmallInt,
        Integer,
        BigInt,
        Real,
        Double,
        Numeric,
        Varchar,
        Bytea,
        Date,
        Time,
        Timestamp,
        Timestamptz,
        Interval,
        Jsonb,
        Int256,
        Serial,
    ]);
    plain.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|item| List(Box::new(item))),
            prop::collection::vec(("[a-z_]{1,6}", inner.clone()), 1..4).prop_map(Struct),
            (inner.clone(), inner).prop_map(|(key, value)| Map(Box::new(key), Box::new(value))),
        ]
    })
}

/// Every public function that takes a text.
fn use_everything(text: &str) {
    for token in tokenize(text) {
        token.value(text);
    }
    if let Err(error) = parse_statement(text) {
        assert!(!error.to_string().is_empty());
        assert!(text.get(error.span().range()).is_some());
    }
    let _ = parse_script(text).map_err(|error| error.to_string());
    let _ = split_script(text);
    let _ = DataType::parse(text).map_err(|error| error.to_string());
    let _ = (redact(text), relations_read(text), fingerprint(text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spans_tile_the_text(text in any_text()) {
        let mut at = 0;
        for token in tokenize(&text) {
            prop_assert_eq!(token.span.start, at);
            prop_assert!(token.span.end > at);
            prop_assert!(text.is_char_boundary(token.span.end));
            at = token.span.end;
        }
        prop_assert_eq!(at, text.len());
    }

    #[test]
    fn nothing_panics(text in any_text()) {
        use_everything(&text);
    }

    #[test]
    fn pieces_are_whole_tokens_in_order(text in any_text()) {
        let Ok(pieces) = split_script(&text) else { return Ok(()) };
        let mut at = 0;
        for piece in pieces {
            prop_assert!(piece.span.start >= at);
            prop_assert_eq!(piece.text, &text[piece.span.range()]);
            prop_assert_eq!(piece.text.trim_ascii(), piece.text);
            prop_assert_eq!(piece.location, Location::of(&text, piece.span.start));
            at = piece.span.end;
        }
    }

    #[test]
    fn a_split_script_parses_as_the_whole_does(text in sql_like()) {
        let Ok(statements) = parse_script(&text) else { return Ok(()) };
        for statement in statements {
            prop_assert_eq!(parse_statement(&statement.text).unwrap(), statement.value);
        }
    }

    #[test]
    fn names_survive(parts in prop::collection::vec("[^\"]{1,12}|[a-z_]{1,9}|user|order|select|values", 1..4)) {
        let name = ObjectName(parts.iter().map(Ident::new).collect());
        let expected = Statement::Describe(name.clone());
        prop_assert_eq!(parse_statement(&format!("DESCRIBE {name}")).unwrap(), expected);
    }

    #[test]
    fn a_name_with_a_quote_is_never_read_as_more_than_a_name(value in ".{0,8}\".{0,8}") {
        // RisingWave cannot write such a name: it must be refused, whatever it holds.
        let sql = format!("DROP TABLE {}", Ident::new(&value));
        prop_assert!(parse_script(&sql).is_err(), "{}", sql);
    }

    #[test]
    fn texts_survive_as_literals(value in any_text()) {
        let sql = format!("CREATE SECRET s WITH (backend = 'meta') AS {};", Literal::Text(&value));
        match parse_statement(&sql).unwrap() {
            Statement::CreateSecret(secret) => prop_assert_eq!(secret.value, value.clone()),
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert_eq!(redact(&sql), "CREATE SECRET s WITH (backend = 'meta') AS '***';");
        prop_assert_eq!(tokenize(&sql).iter().filter(|t| t.kind == TokenKind::String).count(), 2);
    }

    #[test]
    fn types_survive(data_type in any_type()) {
        prop_assert_eq!(DataType::parse(&data_type.to_string()).unwrap(), data_type);
    }

    #[test]
    fn a_fingerprint_ignores_blanks_and_comments(text in sql_like()) {
        let tokens = tokenize(&text);
        // A comment that never ends swallows what is added behind it.
        if tokens.iter().any(|t| t.kind == TokenKind::Unterminated) {
            return Ok(());
        }
        let respaced: String = tokens
            .iter()
            .map(|t| if t.kind.is_trivia() { " /* c */\n" } else { t.text(&text) })
            .collect();
        prop_assert_eq!(fingerprint(&respaced), fingerprint(&text));
    }
}

#[test]
fn depth_is_no_danger() {
    for open in [
        "(",
        "[",
        "{",
        "struct<a ",
        "map(int,",
        "explain ",
        "/*",
        "with a as (",
        "select * from (",
    ] {
        let text = format!("create table t (a {}", open.repeat(5_000));
        use_everything(&text);
        use_everything(&open.repeat(5_000));
    }
    use_everything(&"int[]".repeat(5_000));
    use_everything(&format!("int{}", "[]".repeat(5_000)));
}

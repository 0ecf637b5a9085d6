//! `WITH (…)`, and `FORMAT … ENCODE …`.

use super::cursor::{Cursor, Parsed};
use crate::lexer::TokenKind;
use crate::statement::{Format, OptionValue, Options};

/// `[WITH (key = value, …)]`
pub(super) fn with_options(c: &mut Cursor<'_>) -> Parsed<Options> {
    if c.is_word("with") && c.nth_is_symbol(1, "(") {
        c.advance();
        options_in_brackets(c)
    } else {
        Ok(Options::default())
    }
}

/// `WITH (key = value, …)`
pub(super) fn required_options(c: &mut Cursor<'_>) -> Parsed<Options> {
    c.expect_words("with")?;
    options_in_brackets(c)
}

/// `(key = value, …)`, also empty
pub(super) fn options_in_brackets(c: &mut Cursor<'_>) -> Parsed<Options> {
    let mut options = Vec::new();
    c.expect_symbol("(")?;
    if c.take_symbol(")") {
        return Ok(Options(options));
    }
    loop {
        let key = key(c)?;
        c.expect_symbol("=")?;
        options.push((key, value(c)?));
        if !c.take_symbol(",") || c.is_symbol(")") {
            break;
        }
    }
    c.expect_symbol(")")?;
    Ok(Options(options))
}

/// A dotted name, or a string.
fn key(c: &mut Cursor<'_>) -> Parsed<String> {
    match c.peek() {
        Some(token) if token.kind == TokenKind::String => c.string(),
        _ => {
            let name = c.object_name()?;
            let parts: Vec<&str> = name.0.iter().map(crate::Ident::value).collect();
            Ok(parts.join("."))
        }
    }
}

fn value(c: &mut Cursor<'_>) -> Parsed<OptionValue> {
    let Some(token) = c.peek() else {
        return Err(c.expected("a value"));
    };
    match token.kind {
        kind if kind.is_string() => c.string().map(OptionValue::Text),
        TokenKind::Variable => c.string().map(OptionValue::Variable),
        TokenKind::Number => bare(c),
        TokenKind::Operator if matches!(c.text(token), "-" | "+") => bare(c),
        TokenKind::Word
            if token.is_word(c.source, "secret")
                && !c.nth_is_symbol(1, ",")
                && !c.nth_is_symbol(1, ")") =>
        {
            c.advance();
            let name = c.object_name()?;
            if c.take_words("as file") {
                return Ok(OptionValue::SecretFile(name));
            }
            Ok(OptionValue::Secret(name))
        }
        TokenKind::Word | TokenKind::QuotedIdent => bare(c),
        _ => Err(c.expected("a value")),
    }
}

/// A number, boolean, name or call such as `FIXED(a -> b)`, as written.
fn bare(c: &mut Cursor<'_>) -> Parsed<OptionValue> {
    c.expression(|_| false).map(OptionValue::Bare)
}

/// What comes after `FORMAT`, in RisingWave's grammar.
const FORMATS: [&str; 8] = [
    "native",
    "none",
    "debezium",
    "debezium_mongo",
    "maxwell",
    "canal",
    "plain",
    "upsert",
];

/// What comes after `ENCODE`.
const ENCODES: [&str; 10] = [
    "avro", "bytes", "csv", "protobuf", "json", "native", "template", "parquet", "none", "text",
];

/// `[FORMAT <format> ENCODE <encode> [(…)] [KEY ENCODE <encode> [(…)]]]`
pub(super) fn format(c: &mut Cursor<'_>) -> Parsed<Option<Format>> {
    if c.is_word("format") {
        required_format(c).map(Some)
    } else {
        Ok(None)
    }
}

/// As [`format`], and it must be there.
pub(super) fn required_format(c: &mut Cursor<'_>) -> Parsed<Format> {
    if !c.take_words("format") {
        return Err(c.expected("description of the format"));
    }
    let format = c.ident()?.value().to_ascii_uppercase();
    if !FORMATS.contains(&format.to_ascii_lowercase().as_str()) {
        let known = "CANAL | PROTOBUF | DEBEZIUM | MAXWELL | PLAIN | NATIVE | NONE";
        return Err(c.failure(format!("expected {known} after FORMAT")));
    }
    c.expect_words("encode")?;
    let encode = encode(c)?;
    let options = if c.is_symbol("(") {
        options_in_brackets(c)?
    } else {
        Options::default()
    };
    let mut key_encode = None;
    if c.take_words("key encode") {
        key_encode = Some(self::encode(c)?);
        if c.is_symbol("(") {
            options_in_brackets(c)?;
        }
    }
    Ok(Format {
        format,
        encode,
        options,
        key_encode,
    })
}

fn encode(c: &mut Cursor<'_>) -> Parsed<String> {
    let encode = c.ident()?.value().to_ascii_uppercase();
    if ENCODES.contains(&encode.to_ascii_lowercase().as_str()) {
        return Ok(encode);
    }
    let known = "AVRO | BYTES | CSV | PROTOBUF | JSON | NATIVE | TEMPLATE | PARQUET | NONE";
    Err(c.failure(format!("expected {known} after Encode")))
}

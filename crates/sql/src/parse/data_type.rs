//! Type names as RisingWave accepts them, from `int4` to `struct<a map(varchar, int)[]>`.

use super::cursor::{Cursor, Parsed};
use crate::DataType;
use crate::error::ParseError;
use crate::lexer::{TokenKind, tokenize};

/// Types may stand inside of types this deep.
const MAX_DEPTH: usize = 50;

/// Parses a type's name.
///
/// # Errors
/// It is no type's name, or RisingWave does not implement the type.
pub fn parse_data_type(text: &str) -> Result<DataType, ParseError> {
    let tokens: Vec<_> = tokenize(text)
        .into_iter()
        .filter(|token| !token.kind.is_trivia())
        .collect();
    let mut cursor = Cursor::new(text, &tokens);
    let parsed = data_type(&mut cursor)?;
    if cursor.peek().is_some() {
        return Err(cursor.expected("end of type"));
    }
    cursor.unimplemented.take().map_or(Ok(parsed), Err)
}

/// A type with its array brackets.
pub(super) fn data_type(c: &mut Cursor<'_>) -> Parsed<DataType> {
    nested(c, 0)
}

fn nested(c: &mut Cursor<'_>, depth: usize) -> Parsed<DataType> {
    if depth > MAX_DEPTH {
        return Err(c.failure(format!("types are nested more than {MAX_DEPTH} deep")));
    }
    let mut parsed = plain(c, depth)?;
    let mut brackets = 0;
    while c.take_symbol("[") {
        c.expect_symbol("]")?;
        brackets += 1;
        if depth + brackets > MAX_DEPTH {
            return Err(c.failure(format!("types are nested more than {MAX_DEPTH} deep")));
        }
        parsed = DataType::List(Box::new(parsed));
    }
    Ok(parsed)
}

fn plain(c: &mut Cursor<'_>, depth: usize) -> Parsed<DataType> {
    let Some(token) = c
        .peek()
        .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent))
    else {
        return Err(c.expected("a data type name"));
    };
    c.advance();
    let name = token.value(c.source);
    if token.kind == TokenKind::QuotedIdent {
        return Ok(unsupported(c, &name));
    }
    Ok(match name.as_str() {
        "boolean" | "bool" => DataType::Boolean,
        "smallint" | "int2" => DataType::SmallInt,
        "int" | "integer" | "int4" => DataType::Integer,
        "bigint" | "int8" => DataType::BigInt,
        "real" | "float4" => DataType::Real,
        "float" => float(c)?,
        "float8" => DataType::Double,
        "double" => {
            c.take_words("precision");
            DataType::Double
        }
        "numeric" | "decimal" | "dec" => numeric(c)?,
        "varchar" | "string" | "text" => DataType::Varchar,
        "character" | "char" if c.take_words("varying") => DataType::Varchar,
        "character" | "char" => {
            let length = bracketed_numbers(c)?;
            unsupported(c, &format!("CHAR{length}"))
        }
        "bytea" => DataType::Bytea,
        "date" => DataType::Date,
        "time" => match zone(c)? {
            true => unsupported(c, "TIME WITH TIME ZONE"),
            false => DataType::Time,
        },
        "timestamp" => match zone(c)? {
            true => DataType::Timestamptz,
            false => DataType::Timestamp,
        },
        "timestamptz" => DataType::Timestamptz,
        "interval" => DataType::Interval,
        "jsonb" => DataType::Jsonb,
        "rw_int256" => DataType::Int256,
        "serial" => DataType::Serial,
        "struct" => structure(c, depth)?,
        "map" => map(c, depth)?,
        _ => unsupported(c, &name),
    })
}

/// Notes a type that RisingWave does not have; the value stands in for it until the statement is refused.
fn unsupported(c: &mut Cursor<'_>, name: &str) -> DataType {
    c.not_implemented(format!("unsupported data type: {name}"));
    DataType::Varchar
}

/// `float`, `float(n)`: up to 24 binary digits are a real.
fn float(c: &mut Cursor<'_>) -> Parsed<DataType> {
    if !c.take_symbol("(") {
        return Ok(DataType::Double);
    }
    let digits = c
        .peek()
        .filter(|token| token.kind == TokenKind::Number)
        .map(|token| c.text(token).parse::<u8>());
    let Some(Ok(digits @ 1..=53)) = digits else {
        return Err(c.expected("literal int between 1 and 53"));
    };
    c.advance();
    c.expect_symbol(")")?;
    Ok(if digits <= 24 {
        DataType::Real
    } else {
        DataType::Double
    })
}

/// `numeric`; with precision and scale RisingWave refuses it.
fn numeric(c: &mut Cursor<'_>) -> Parsed<DataType> {
    let digits = bracketed_numbers(c)?;
    Ok(if digits.is_empty() {
        DataType::Numeric
    } else {
        unsupported(c, &format!("NUMERIC{digits}"))
    })
}

/// `(n)`, `(n, m)` or nothing, without blanks.
fn bracketed_numbers(c: &mut Cursor<'_>) -> Parsed<String> {
    let from = c.position();
    if c.take_symbol("(") {
        loop {
            match c.peek() {
                Some(token) if token.kind == TokenKind::Number => c.advance(),
                _ => return Err(c.expected("literal int")),
            };
            if !c.take_symbol(",") {
                break;
            }
        }
        c.expect_symbol(")")?;
    }
    Ok(c.text_since(from).replace(char::is_whitespace, ""))
}

/// Whether `with time zone` follows; `without time zone` may.
fn zone(c: &mut Cursor<'_>) -> Parsed<bool> {
    if c.take_words("with") {
        c.expect_words("time zone")?;
        return Ok(true);
    }
    if c.take_words("without") {
        c.expect_words("time zone")?;
    }
    Ok(false)
}

/// `struct<name type, …>`. The lexer makes one operator of `>>`, so the closing brackets are counted.
fn structure(c: &mut Cursor<'_>, depth: usize) -> Parsed<DataType> {
    let mut fields = Vec::new();
    if !c.take_angle("<") {
        return Err(c.expected("'<' after struct"));
    }
    loop {
        let name = c.ident()?;
        fields.push((name.value().to_owned(), nested(c, depth + 1)?));
        if !c.take_symbol(",") {
            break;
        }
    }
    if !c.take_angle(">") {
        return Err(c.expected(">"));
    }
    Ok(DataType::Struct(fields))
}

/// `map(key type, value type)`
fn map(c: &mut Cursor<'_>, depth: usize) -> Parsed<DataType> {
    c.expect_symbol("(")?;
    let key = nested(c, depth + 1)?;
    c.expect_symbol(",")?;
    let value = nested(c, depth + 1)?;
    c.expect_symbol(")")?;
    Ok(DataType::Map(Box::new(key), Box::new(value)))
}

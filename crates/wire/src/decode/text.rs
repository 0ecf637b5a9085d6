//! Parameters in the text format.

use rwt_sql::DataType;

use super::{MAX_DEPTH, calendar, number};
use crate::param::Param;

pub(super) fn decode(text: &str, data_type: &DataType, timezone: &str) -> Result<Param, String> {
    decode_at(text, data_type, timezone, 0)
}

fn decode_at(
    text: &str,
    data_type: &DataType,
    timezone: &str,
    depth: usize,
) -> Result<Param, String> {
    if depth > MAX_DEPTH {
        return Err("the value is nested too deeply".into());
    }
    Ok(match data_type {
        DataType::Boolean => Param::Boolean(boolean(text)?),
        DataType::SmallInt => Param::SmallInt(parse(text.trim())?),
        DataType::Integer => Param::Integer(parse(text.trim())?),
        DataType::BigInt | DataType::Serial => Param::BigInt(parse(text.trim())?),
        DataType::Real => Param::Real(parse(text.trim())?),
        DataType::Double => Param::Double(parse(text.trim())?),
        DataType::Numeric => number::from_text(text)?,
        DataType::Varchar => Param::Varchar(text.to_owned()),
        DataType::Bytea => Param::Bytea(bytea(text)?),
        DataType::Date => calendar::date(text)?,
        DataType::Time => calendar::time(text)?,
        DataType::Timestamp => calendar::timestamp(text)?,
        DataType::Timestamptz => calendar::timestamptz(text, timezone)?,
        DataType::Interval => calendar::interval(text)?,
        DataType::Jsonb => {
            serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|e| e.to_string())?;
            Param::Jsonb(text.to_owned())
        }
        DataType::Int256 => Param::Int256(int256(text.trim())?),
        DataType::List(item) => {
            let values = items(text)?
                .into_iter()
                .map(|value| match value {
                    None => Ok(Param::Null),
                    Some(value) => decode_at(&value, item, timezone, depth + 1),
                })
                .collect::<Result<_, _>>()?;
            Param::List {
                item: item.as_ref().clone(),
                values,
            }
        }
        DataType::Struct(types) => {
            let values = fields(text)?;
            if values.len() != types.len() {
                return Err(format!(
                    "a struct of {} fields got {} values",
                    types.len(),
                    values.len()
                ));
            }
            let values = values
                .into_iter()
                .zip(types)
                .map(|(value, (_, field))| match value {
                    None => Ok(Param::Null),
                    Some(value) => decode_at(&value, field, timezone, depth + 1),
                });
            Param::Struct(values.collect::<Result<_, _>>()?)
        }
        DataType::Map(..) => {
            return Err("Feature is not yet implemented: a map as parameter".into());
        }
    })
}

/// With the message of Rust's own parsers, as RisingWave passes it on.
fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn boolean(text: &str) -> Result<bool, String> {
    let word = text.trim().to_ascii_lowercase();
    match word.as_str() {
        "t" | "tr" | "tru" | "true" | "y" | "ye" | "yes" | "on" | "1" => Ok(true),
        "f" | "fa" | "fal" | "fals" | "false" | "n" | "no" | "of" | "off" | "0" => Ok(false),
        _ => Err("Invalid bool".into()),
    }
}

/// `\x00ff`, or the characters' own bytes with `\\` and `\ooo` escapes.
fn bytea(text: &str) -> Result<Vec<u8>, String> {
    if let Some(hex) = text.strip_prefix("\\x") {
        let digits = hex
            .chars()
            .filter(|c| !c.is_ascii_whitespace())
            .map(|c| {
                let digit = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit.ok_or_else(|| format!("invalid hexadecimal digit: \"{c}\""))
            })
            .collect::<Result<Vec<u8>, _>>()?;
        if digits.len() % 2 == 1 {
            return Err("invalid hexadecimal data: odd number of digits".into());
        }
        return Ok(digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte != b'\\' {
            out.push(byte);
            at += 1;
            continue;
        }
        match bytes.get(at + 1..at + 4) {
            _ if bytes.get(at + 1) == Some(&b'\\') => {
                out.push(b'\\');
                at += 2;
            }
            Some([a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7']) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                at += 4;
            }
            _ => return Err("invalid input syntax for type bytea".into()),
        }
    }
    Ok(out)
}

/// Decimal digits that fit into 256 bits, in their shortest form.
fn int256(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("invalid digit found in string".into());
    }
    let shortest = digits.trim_start_matches('0');
    let value = match (shortest, text.starts_with('-')) {
        ("", _) => "0".to_owned(),
        (digits, true) => format!("-{digits}"),
        (digits, false) => digits.to_owned(),
    };
    // 78 digits may or may not fit; the conversion knows, longer texts would only cost it time
    if shortest.len() > 78 || arrow::datatypes::i256::from_string(&value).is_none() {
        return Err("number too large to fit in target type".into());
    }
    Ok(value)
}

/// The items of `{a,"b c",NULL,{…}}`: an item that is itself in braces is given with them.
fn items(text: &str) -> Result<Vec<Option<String>>, String> {
    let malformed = || format!("malformed array literal: \"{text}\"");
    let inner = text
        .trim()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or_else(malformed)?;
    if inner.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let mut chars = inner.chars().peekable();
    loop {
        let mut value = String::new();
        let (mut quoted, mut depth, mut in_quotes) = (false, 0_usize, false);
        loop {
            match chars.next() {
                None if in_quotes || depth > 0 => return Err(malformed()),
                None => {
                    values.push(item(value, quoted).ok_or_else(malformed)?);
                    return Ok(values);
                }
                Some('\\') => {
                    let next = chars.next().ok_or_else(malformed)?;
                    if depth > 0 {
                        value.push('\\');
                    } else {
                        quoted = true;
                    }
                    value.push(next);
                }
                Some('"') => {
                    in_quotes = !in_quotes;
                    if depth > 0 {
                        value.push('"');
                    } else {
                        quoted = true;
                    }
                }
                Some(c) if in_quotes => value.push(c),
                Some('{') => {
                    depth += 1;
                    value.push('{');
                }
                Some('}') => {
                    depth = depth.checked_sub(1).ok_or_else(malformed)?;
                    value.push('}');
                }
                Some(',') if depth == 0 => {
                    values.push(item(value, quoted).ok_or_else(malformed)?);
                    break;
                }
                Some(c) if depth == 0 && c.is_ascii_whitespace() && value.is_empty() && !quoted => {
                }
                Some(c) if depth == 0 && quoted && c.is_ascii_whitespace() => {}
                Some(c) => value.push(c),
            }
        }
    }
}

/// What stood between two commas; an empty item has to be quoted.
fn item(value: String, quoted: bool) -> Option<Option<String>> {
    if quoted {
        return Some(Some(value));
    }
    let value = value.trim_end_matches(|c: char| c.is_ascii_whitespace());
    if value.is_empty() {
        return None;
    }
    Some((!value.eq_ignore_ascii_case("null")).then(|| value.to_owned()))
}

/// The fields of `(1,"a b",)`: a field without any text is NULL.
fn fields(text: &str) -> Result<Vec<Option<String>>, String> {
    let malformed = || format!("malformed record literal: \"{text}\"");
    let inner = text
        .trim()
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(malformed)?;
    let mut values = Vec::new();
    let mut value: Option<String> = None;
    let mut in_quotes = false;
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ',' if !in_quotes => values.push(value.take()),
            '"' if in_quotes && chars.peek() == Some(&'"') => {
                chars.next();
                value.get_or_insert_default().push('"');
            }
            '"' => {
                in_quotes = !in_quotes;
                value.get_or_insert_default();
            }
            '\\' => {
                let next = chars.next().ok_or_else(malformed)?;
                value.get_or_insert_default().push(next);
            }
            c => value.get_or_insert_default().push(c),
        }
    }
    if in_quotes {
        return Err(malformed());
    }
    values.push(value);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_does_not_fit_has_the_recorded_message() {
        let refused = decode("x", &DataType::Integer, "UTC");
        assert_eq!(refused, Err("invalid digit found in string".into()));
        let refused = decode("40000", &DataType::SmallInt, "UTC");
        assert_eq!(
            refused,
            Err("number too large to fit in target type".into())
        );
        let refused = decode("x", &DataType::Double, "UTC");
        assert_eq!(refused, Err("invalid float literal".into()));
    }

    #[test]
    fn arrays_and_structs_read_back_what_is_printed() {
        let strings = |list: &[Option<&str>]| -> Result<Vec<Option<String>>, String> {
            Ok(list.iter().map(|s| s.map(str::to_owned)).collect())
        };
        assert_eq!(
            items(r#"{a,"b c",NULL,"","null",{1,"x,}"}, d e }"#),
            strings(&[
                Some("a"),
                Some("b c"),
                None,
                Some(""),
                Some("null"),
                Some(r#"{1,"x,}"}"#),
                Some("d e")
            ])
        );
        assert_eq!(
            fields(r#"(1,"a,""b""",,"")"#),
            strings(&[Some("1"), Some("a,\"b\""), None, Some("")])
        );
        for broken in ["", "{", "{a", "{,}", "{\"a}", "{a}}", "{{a}"] {
            assert!(items(broken).is_err(), "{broken}");
        }
        assert!(fields("(\"a)").is_err());
    }

    #[test]
    fn bytea_takes_hex_and_escapes() {
        assert_eq!(bytea("\\x00Ff"), Ok(vec![0, 255]));
        assert_eq!(bytea("a\\\\b\\001"), Ok(b"a\\b\x01".to_vec()));
        assert_eq!(
            bytea("\\xzz"),
            Err("invalid hexadecimal digit: \"z\"".into())
        );
        assert!(bytea("\\x0").is_err());
        assert!(bytea("a\\").is_err());
    }
}

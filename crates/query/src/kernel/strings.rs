//! Functions on texts and bytes.

use arrow::datatypes::DataType as ArrowType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use datafusion::logical_expr::{Expr, Volatility};
use sha2::Digest as _;

use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::value::Value;

type Out<'a> = Result<Value<'a>, QueryError>;

/// `a || b` of texts.
pub(crate) fn concat_op(left: Expr, right: Expr) -> Expr {
    Kernel::rowwise(
        "concat_op",
        "",
        ArrowType::Utf8,
        Volatility::Immutable,
        true,
        vec![left, right],
        |a| Ok(Value::text(format!("{}{}", a[0].str(), a[1].str()))),
    )
}

/// `a || b` of bytes.
pub(crate) fn concat_bytes(args: Vec<Expr>) -> Expr {
    Kernel::rowwise(
        "concat_op",
        "bytea",
        ArrowType::Binary,
        Volatility::Immutable,
        true,
        args,
        |a| Ok(Value::Bytes([a[0].bytes(), a[1].bytes()].concat().into())),
    )
}

/// A boolean as one letter.
pub(crate) fn bool_letter(value: Expr) -> Expr {
    Kernel::rowwise(
        "bool_out",
        "",
        ArrowType::Utf8,
        Volatility::Immutable,
        true,
        vec![value],
        |a| Ok(Value::text(if a[0].bool() { "t" } else { "f" })),
    )
}

/// `concat`, `concat_ws`, `format`: NULL arguments do not make the result NULL.
pub(crate) fn join(name: &str, args: Vec<Expr>) -> Expr {
    let kind = name.to_owned();
    Kernel::rowwise(
        name,
        "",
        ArrowType::Utf8,
        Volatility::Immutable,
        false,
        args,
        move |a| {
            let present = |values: &[Value<'_>]| -> Vec<String> {
                values
                    .iter()
                    .filter(|v| !v.is_null())
                    .map(|v| v.str().to_owned())
                    .collect()
            };
            match kind.as_str() {
                "concat" => Ok(Value::text(present(a).concat())),
                _ if a[0].is_null() => Ok(Value::Null),
                "concat_ws" => Ok(Value::text(present(&a[1..]).join(a[0].str()))),
                _ => format(a[0].str(), &a[1..]).map(Value::text),
            }
        },
    )
}

fn format(template: &str, args: &[Value<'_>]) -> Result<String, QueryError> {
    let mut out = String::new();
    let mut args = args.iter();
    let mut chars = template.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let kind = chars.next().ok_or_else(|| {
            QueryError::Evaluation("Unsupported function: unterminated format specifier".into())
        })?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        if kind != 's' && kind != 'I' {
            return Err(QueryError::Evaluation(format!(
                "Unsupported function: unsupported specifier type '{kind}'"
            )));
        }
        let arg = args.next().ok_or_else(|| {
            QueryError::Evaluation("Unsupported function: too few arguments for format()".into())
        })?;
        match kind {
            's' => out.push_str(arg.str()),
            _ => out.push_str(&rwt_sql::Ident::new(arg.str()).to_string()),
        }
    }
    Ok(out)
}

pub(crate) fn initcap(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|c| {
            let out = if start {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            start = !c.is_alphanumeric();
            out
        })
        .collect()
}

pub(crate) fn repeat<'a>(text: &str, count: i64) -> Out<'a> {
    let count = usize::try_from(count).unwrap_or(0);
    if text.len().saturating_mul(count) > 256 << 20 {
        return Err(QueryError::parameter("count", "the result is too long"));
    }
    Ok(Value::text(text.repeat(count)))
}

/// The characters to trim: blanks unless given.
pub(crate) fn trim_set(args: &[Value<'_>]) -> Vec<char> {
    args.get(1)
        .map_or_else(|| vec![' '], |set| set.str().chars().collect())
}

pub(crate) fn substring<'a>(a: &[Value<'a>]) -> Out<'a> {
    let start = a[1].int();
    let end = match a.get(2) {
        None => i64::MAX,
        Some(length) if length.int() < 0 => {
            return Err(QueryError::parameter(
                "length",
                "negative substring length not allowed",
            ));
        }
        Some(length) => start.saturating_add(length.int()),
    };
    let skip = usize::try_from(start - 1).unwrap_or(0);
    let stop = usize::try_from(end.max(1) - 1).unwrap_or(0);
    let take = stop.saturating_sub(skip);
    Ok(match &a[0] {
        Value::Text(std::borrow::Cow::Borrowed(text)) if text.is_ascii() => {
            let from = skip.min(text.len());
            let to = stop.min(text.len()).max(from);
            Value::text(&text[from..to])
        }
        other => Value::text(
            other
                .str()
                .chars()
                .skip(skip)
                .take(take)
                .collect::<String>(),
        ),
    })
}

pub(crate) fn split_part<'a>(a: &[Value<'a>]) -> Out<'a> {
    let (text, separator, index) = (a[0].str(), a[1].str(), a[2].int());
    if index == 0 {
        return Err(QueryError::parameter("data", "can't be zero"));
    }
    let parts: Vec<&str> = if separator.is_empty() {
        vec![text]
    } else {
        text.split(separator).collect()
    };
    let at = if index > 0 {
        usize::try_from(index - 1).ok()
    } else {
        usize::try_from(index.unsigned_abs())
            .ok()
            .and_then(|n| parts.len().checked_sub(n))
    };
    let part = at.and_then(|i| parts.get(i)).copied().unwrap_or_default();
    Ok(Value::text(part.to_owned()))
}

pub(crate) fn translate(text: &str, from: &str, to: &str) -> String {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    text.chars()
        .filter_map(|c| match from.iter().position(|f| *f == c) {
            Some(at) => to.get(at).copied(),
            None => Some(c),
        })
        .collect()
}

fn kept(text: &str, count: i64) -> usize {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let kept = if count < 0 {
        length + count
    } else {
        count.min(length)
    };
    usize::try_from(kept).unwrap_or(0)
}

pub(crate) fn left(text: &str, count: i64) -> String {
    text.chars().take(kept(text, count)).collect()
}

pub(crate) fn right(text: &str, count: i64) -> String {
    let length = text.chars().count();
    text.chars().skip(length - kept(text, count)).collect()
}

pub(crate) fn pad<'a>(a: &[Value<'a>], at_left: bool) -> Out<'a> {
    let text: Vec<char> = a[0].str().chars().collect();
    let width = usize::try_from(a[1].int()).unwrap_or(0);
    if width > 64 << 20 {
        return Err(QueryError::parameter("length", "the result is too long"));
    }
    let fill: Vec<char> = a
        .get(2)
        .map_or_else(|| vec![' '], |fill| fill.str().chars().collect());
    if text.len() >= width || fill.is_empty() {
        return Ok(Value::text(text.iter().take(width).collect::<String>()));
    }
    let padding: String = fill.iter().cycle().take(width - text.len()).collect();
    let text: String = text.into_iter().collect();
    Ok(Value::text(if at_left {
        padding + &text
    } else {
        text + &padding
    }))
}

pub(crate) fn overlay<'a>(a: &[Value<'a>]) -> Out<'a> {
    let text: Vec<char> = a[0].str().chars().collect();
    let new = a[1].str();
    let start = usize::try_from(a[2].int() - 1).unwrap_or(0).min(text.len());
    let length = a.get(3).map_or_else(
        || new.chars().count(),
        |n| usize::try_from(n.int()).unwrap_or(0),
    );
    let end = start.saturating_add(length).min(text.len());
    let before: String = text[..start].iter().collect();
    let after: String = text[end..].iter().collect();
    Ok(Value::text(format!("{before}{new}{after}")))
}

pub(crate) fn string_to_array<'a>(a: &[Value<'a>]) -> Out<'a> {
    if a[0].is_null() {
        return Ok(Value::Null);
    }
    let text = a[0].str();
    let parts: Vec<String> = match &a[1] {
        _ if text.is_empty() => Vec::new(),
        Value::Null => text.chars().map(String::from).collect(),
        separator if separator.str().is_empty() => vec![text.to_owned()],
        separator => text.split(separator.str()).map(ToOwned::to_owned).collect(),
    };
    let null = a
        .get(2)
        .filter(|v| !v.is_null())
        .map(|v| v.str().to_owned());
    Ok(Value::List(
        parts
            .into_iter()
            .map(|part| {
                if Some(&part) == null.as_ref() {
                    Value::Null
                } else {
                    Value::text(part)
                }
            })
            .collect(),
    ))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

pub(crate) fn md5(bytes: &[u8]) -> String {
    hex(&md5::Md5::digest(bytes))
}

type RowFunction = for<'a> fn(&[Value<'a>]) -> Out<'a>;

/// A digest of a text, and of bytes.
pub(crate) fn sha(name: &str) -> Option<[RowFunction; 2]> {
    macro_rules! digest {
        ($hash:ty) => {
            [
                |a| {
                    Ok(Value::Bytes(
                        <$hash>::digest(a[0].str().as_bytes()).to_vec().into(),
                    ))
                },
                |a| Ok(Value::Bytes(<$hash>::digest(a[0].bytes()).to_vec().into())),
            ]
        };
    }
    Some(match name {
        "sha1" => digest!(sha1::Sha1),
        "sha224" => digest!(sha2::Sha224),
        "sha256" => digest!(sha2::Sha256),
        "sha384" => digest!(sha2::Sha384),
        "sha512" => digest!(sha2::Sha512),
        _ => return None,
    })
}

fn unknown_encoding(name: &str) -> QueryError {
    QueryError::parameter("encode", format!("unrecognized encoding: \"{name}\""))
}

pub(crate) fn encode<'a>(bytes: &[u8], encoding: &str) -> Out<'a> {
    match encoding {
        "hex" => Ok(Value::text(hex(bytes))),
        "base64" => Ok(Value::text(BASE64.encode(bytes))),
        "escape" => Ok(Value::text(
            bytes
                .iter()
                .map(|b| match b {
                    b'\\' => "\\\\".to_owned(),
                    0 | 128..=255 => format!("\\{b:03o}"),
                    b => char::from(*b).to_string(),
                })
                .collect::<String>(),
        )),
        other => Err(unknown_encoding(other)),
    }
}

pub(crate) fn decode<'a>(text: &str, encoding: &str) -> Out<'a> {
    let bytes = match encoding {
        "hex" => {
            let style = crate::text::Style {
                zone: chrono_tz::UTC,
            };
            return crate::read_text::read_as(
                &format!("\\x{text}"),
                &rwt_sql::DataType::Bytea,
                style,
            )
            .map(Value::into_owned);
        }
        "base64" => {
            let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            BASE64.decode(compact).map_err(QueryError::parse)?
        }
        "escape" => text.as_bytes().to_vec(),
        other => return Err(unknown_encoding(other)),
    };
    Ok(Value::Bytes(bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sub(text: &'static str, start: i64, length: i64) -> String {
        let args = [Value::text(text), Value::Int(start), Value::Int(length)];
        substring(&args).unwrap().str().to_owned()
    }

    #[test]
    fn substrings_count_from_one_and_may_start_before() {
        assert_eq!(sub("abcdef", 2, 3), "bcd");
        assert_eq!(sub("abcdef", 0, 3), "ab");
        assert_eq!(sub("abcdef", -1, 4), "ab");
        assert_eq!(sub("héllo", 2, 2), "él");
        assert!(substring(&[Value::text("a"), Value::Int(1), Value::Int(-1)]).is_err());
    }

    #[test]
    fn split_part_counts_from_both_ends() {
        let part = |text: &'static str, separator: &'static str, n| {
            let args = [Value::text(text), Value::text(separator), Value::Int(n)];
            split_part(&args).map(|v| v.str().to_owned())
        };
        assert_eq!(part("a-b-c", "-", -1).unwrap(), "c");
        assert_eq!(part("a-b-c", "-", 4).unwrap(), "");
        assert_eq!(part("abc", "", 1).unwrap(), "abc");
        assert!(part("a-b", "-", 0).is_err());
    }
}

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
        move |a| joined(&kind, a),
    )
}

/// The same functions with a list as their last arguments.
pub(crate) fn join_spread(name: &str, args: Vec<Expr>) -> Expr {
    let kind = name.to_owned();
    Kernel::rowwise(
        name,
        "variadic",
        ArrowType::Utf8,
        Volatility::Immutable,
        false,
        args,
        move |a| match a.split_last() {
            Some((Value::List(items), first)) => joined(&kind, &[first, items].concat()),
            _ => Ok(Value::Null),
        },
    )
}

fn joined<'a>(kind: &str, a: &[Value<'_>]) -> Out<'a> {
    let present = |values: &[Value<'_>]| -> Vec<String> {
        values
            .iter()
            .filter(|v| !v.is_null())
            .map(|v| v.str().to_owned())
            .collect()
    };
    match kind {
        "concat" => Ok(Value::text(present(a).concat())),
        _ if a[0].is_null() => Ok(Value::Null),
        "concat_ws" => Ok(Value::text(present(&a[1..]).join(a[0].str()))),
        _ => format(a[0].str(), &a[1..]).map(Value::text),
    }
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
        let kind = chars
            .next()
            .ok_or_else(|| QueryError::Evaluation("unterminated format() type specifier".into()))?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(QueryError::Evaluation(format!(
                "unrecognized format() type specifier \"{kind}\""
            )));
        }
        if kind == 'L' {
            return Err(QueryError::Evaluation(format!(
                "Unsupported function: unsupported specifier type '{kind}'"
            )));
        }
        let arg = args
            .next()
            .ok_or_else(|| QueryError::Evaluation("too few arguments for format()".into()))?;
        match kind {
            's' => out.push_str(arg.str()),
            _ if arg.is_null() => {
                return Err(QueryError::Evaluation(
                    "unsupported data for specifier type 'I'".into(),
                ));
            }
            _ => out.push_str(&quote_ident(arg.str())),
        }
    }
    Ok(out)
}

/// Words end at white space only.
pub(crate) fn initcap(text: &str) -> String {
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = c.is_whitespace();
    }
    out
}

/// Letters of European languages without their accents; every other character as it is.
pub(crate) fn to_ascii(text: &str) -> String {
    const PLAIN: &[(&str, char)] = &[
        ("ÁÀÂÃ", 'A'),
        ("áàâã", 'a'),
        ("ČĆÇ", 'C'),
        ("čćç", 'c'),
        ("Ď", 'D'),
        ("ď", 'd'),
        ("ÉÈÊẼ", 'E'),
        ("éèêẽ", 'e'),
        ("ÍÌÎĨ", 'I'),
        ("íìîĩ", 'i'),
        ("Ľ", 'L'),
        ("ľ", 'l'),
        ("Ň", 'N'),
        ("ň", 'n'),
        ("ÓÒÔÕ", 'O'),
        ("óòôõ", 'o'),
        ("Ŕ", 'R'),
        ("ŕ", 'r'),
        ("ŠŚ", 'S'),
        ("šś", 's'),
        ("Ť", 'T'),
        ("ť", 't'),
        ("ÚÙÛŨ", 'U'),
        ("úùûũ", 'u'),
        ("ÝỲ", 'Y'),
        ("ýỳ", 'y'),
        ("ŽŹŻ", 'Z'),
        ("žźż", 'z'),
    ];
    text.chars()
        .map(|c| {
            let found = PLAIN.iter().find(|(accented, _)| accented.contains(c));
            found.map_or(c, |(_, plain)| *plain)
        })
        .collect()
}

/// An identifier in quotes, unless it has only small letters, digits and `_`. Keywords are not told apart.
pub(crate) fn quote_ident(text: &str) -> String {
    let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A text as a literal; one with backslashes is of the form `E'…'`.
pub(crate) fn quote_literal(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    let inner = text.replace('\'', "''").replace('\\', "\\\\");
    format!("{escape}'{inner}'")
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

/// A negative length goes back behind the new text.
pub(crate) fn overlay<'a>(a: &[Value<'a>]) -> Out<'a> {
    let text: Vec<char> = a[0].str().chars().collect();
    let new = a[1].str();
    let from = a[2].int();
    if from <= 0 {
        return Err(QueryError::Evaluation(format!("{from} is not positive")));
    }
    let length = a.get(3).map_or_else(
        || i64::try_from(new.chars().count()).unwrap_or(i64::MAX),
        Value::int,
    );
    let place = |at: i64| usize::try_from(at).unwrap_or(0).min(text.len());
    let (start, end) = (place(from - 1), place(from - 1 + length));
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

pub(crate) fn hex(bytes: &[u8]) -> String {
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
    QueryError::parameter("format", format!("unrecognized encoding: \"{name}\""))
}

/// The only character set that texts have.
pub(crate) fn check_charset(name: &str) -> Result<(), QueryError> {
    if matches!(name.to_uppercase().as_str(), "UTF8" | "UTF-8") {
        return Ok(());
    }
    Err(QueryError::parameter(
        "encoding",
        format!("unrecognized encoding: \"{name}\""),
    ))
}

/// Base64 in lines of 76 characters; a full last line ends too.
fn base64_lines(bytes: &[u8]) -> String {
    let plain = BASE64.encode(bytes);
    let mut out = String::with_capacity(plain.len() + plain.len() / 76);
    // Only groups of four without padding count for the end of a line.
    let whole = bytes.len() / 3 * 4;
    for (i, c) in plain.chars().enumerate() {
        out.push(c);
        if (i + 1) % 76 == 0 && i < whole {
            out.push('\n');
        }
    }
    out
}

/// The bytes of a base64 text; white space in it is read over.
fn from_base64(text: &str) -> Result<Vec<u8>, QueryError> {
    let compact: Vec<u8> = text
        .bytes()
        .filter(|b| !matches!(b, b'\r' | b'\n' | b' ' | b'\t'))
        .collect();
    for group in compact.chunks(4) {
        let letters = group.iter().take_while(|b| **b != b'=').count();
        if let Some(b) = group[..letters]
            .iter()
            .find(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'+' | b'/'))
        {
            return Err(QueryError::parse(format!(
                "invalid symbol \"{}\" while decoding base64 sequence",
                char::from(*b)
            )));
        }
        let padded = group.len() == 4 && group[letters..].iter().all(|b| *b == b'=');
        if letters < group.len() && !(padded && letters >= 2) {
            return Err(QueryError::parse(
                "unexpected \"=\" while decoding base64 sequence",
            ));
        }
        if group.len() < 4 {
            return Err(QueryError::parse("invalid base64 end sequence"));
        }
    }
    let lenient = base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let engine = base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, lenient);
    let mut out = Vec::with_capacity(compact.len() / 4 * 3);
    // Each group stands alone: padding may come in the middle.
    for group in compact.chunks(4) {
        out.extend(engine.decode(group).map_err(QueryError::parse)?);
    }
    Ok(out)
}

pub(crate) fn encode<'a>(bytes: &[u8], encoding: &str) -> Out<'a> {
    match encoding {
        "hex" => Ok(Value::text(hex(bytes))),
        "base64" => Ok(Value::text(base64_lines(bytes))),
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
        "base64" => from_base64(text)?,
        "escape" => crate::read_text::escaped_bytes(text)?,
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
    fn words_accents_and_quotes() {
        assert_eq!(initcap("the quick-brown éTÉ"), "The Quick-brown Été");
        assert_eq!(to_ascii("Karél ß"), "Karel ß");
        assert_eq!(quote_ident("select"), "select");
        assert_eq!(quote_ident("1a"), "1a");
        assert_eq!(quote_ident("a\"B"), "\"a\"\"B\"");
        assert_eq!(quote_literal("C:\\it's"), "E'C:\\\\it''s'");
    }

    #[test]
    fn base64_has_lines_and_its_own_errors() {
        let long = [b'a'; 57];
        assert!(base64_lines(&long).ends_with("YWFh\n"));
        assert_eq!(base64_lines(&long).len(), 77);
        assert_eq!(base64_lines(&long[..56]).len(), 76);
        assert_eq!(from_base64(" Y W\nJj ").unwrap(), b"abc");
        for (text, why) in [
            ("ab=c", "unexpected \"=\" while decoding base64 sequence"),
            ("a", "invalid base64 end sequence"),
            (
                "ab$d",
                "invalid symbol \"$\" while decoding base64 sequence",
            ),
        ] {
            let error = from_base64(text).unwrap_err().to_string();
            assert_eq!(error, format!("Parse error: {why}"), "{text}");
        }
    }

    #[test]
    fn overlays_of_any_length() {
        let over = |from, length: i64| {
            let args = [
                Value::text("αβγδεζ"),
                Value::text("①②③"),
                Value::Int(from),
                Value::Int(length),
            ];
            overlay(&args).map(|v| v.str().to_owned())
        };
        assert_eq!(over(4, 2).unwrap(), "αβγ①②③ζ");
        assert_eq!(over(10, 3).unwrap(), "αβγδεζ①②③");
        assert_eq!(over(4, -2).unwrap(), "αβγ①②③βγδεζ");
        assert_eq!(over(4, -1000).unwrap(), "αβγ①②③αβγδεζ");
        assert!(over(0, 3).is_err());
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

//! Regular expressions and SIMILAR TO.

use std::cell::RefCell;
use std::collections::HashMap;

use arrow::datatypes::DataType as ArrowType;
use datafusion::logical_expr::{Expr, Volatility};
use regex::Regex;

use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::value::Value;

type Out<'a> = Result<Value<'a>, QueryError>;

/// Runs with a compiled pattern; each thread keeps the patterns it used last.
fn with_regex<T>(
    pattern: &str,
    flags: &str,
    run: impl FnOnce(&Regex) -> T,
) -> Result<T, QueryError> {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
    }
    let insensitive = flags.contains('i');
    let key = if insensitive {
        format!("(?i){pattern}")
    } else {
        pattern.to_owned()
    };
    COMPILED.with(|cache| {
        let mut cache = cache.borrow_mut();
        if cache.len() > 64 {
            cache.clear();
        }
        if !cache.contains_key(&key) {
            let regex = Regex::new(&key).map_err(QueryError::parse)?;
            cache.insert(key.clone(), regex);
        }
        cache
            .get(&key)
            .map(run)
            .ok_or_else(|| QueryError::Internal("a pattern was not kept".into()))
    })
}

/// `text ~ pattern`
pub(crate) fn regex_match(args: Vec<Expr>) -> Expr {
    Kernel::rowwise(
        "regexp_eq",
        "",
        ArrowType::Boolean,
        Volatility::Immutable,
        true,
        args,
        |a| {
            with_regex(a[1].str(), "", |regex| {
                Value::Bool(regex.is_match(a[0].str()))
            })
        },
    )
}

/// `text SIMILAR TO pattern`
pub(crate) fn similar_to(args: Vec<Expr>) -> Expr {
    Kernel::rowwise(
        "similar_to",
        "",
        ArrowType::Boolean,
        Volatility::Immutable,
        true,
        args,
        |a| {
            with_regex(&similar(a[1].str()), "", |regex| {
                Value::Bool(regex.is_match(a[0].str()))
            })
        },
    )
}

/// A pattern of SIMILAR TO as a regular expression.
fn similar(pattern: &str) -> String {
    let mut out = String::from("^(?s:");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '\\' => {
                if let Some(next) = chars.next() {
                    out.push_str(&regex::escape(&next.to_string()));
                }
            }
            '.' | '^' | '$' => {
                out.push('\\');
                out.push(c);
            }
            other => out.push(other),
        }
    }
    out.push_str(")$");
    out
}

fn flags<'v>(args: &'v [Value<'_>], index: usize) -> &'v str {
    args.get(index).map_or("", Value::str)
}

/// PostgreSQL writes `\1` and `\&` where the regex crate writes `${1}` and `${0}`.
fn replacement(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some('&') => out.push_str("${0}"),
                Some(digit) if digit.is_ascii_digit() => {
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

pub(crate) fn regexp_replace<'a>(a: &[Value<'a>]) -> Out<'a> {
    let flags = flags(a, 3);
    let new = replacement(a[2].str());
    with_regex(a[1].str(), flags, |regex| {
        let text = a[0].str();
        let done = if flags.contains('g') {
            regex.replace_all(text, new.as_str())
        } else {
            regex.replace(text, new.as_str())
        };
        Value::text(done.into_owned())
    })
}

/// `regexp_replace(text, pattern, new, start [, n] [, flags])`: from the character `start` on, the match `n` only, all of
/// them for 0 and the flag `g`.
pub(crate) fn regexp_replace_from<'a>(a: &[Value<'a>]) -> Out<'a> {
    let (nth, flag_at) = match a.get(4) {
        Some(Value::Int(n)) => (Some(*n), 5),
        _ => (None, 4),
    };
    let flags = flags(a, flag_at);
    let start = usize::try_from(a[3].int())
        .ok()
        .filter(|start| *start > 0)
        .ok_or_else(|| QueryError::parameter("start", "the start must be a positive number"))?;
    let nth = match nth {
        Some(n) => usize::try_from(n).map_err(|_| {
            QueryError::parameter("N", "the number of a match must not be negative")
        })?,
        None if flags.contains('g') => 0,
        None => 1,
    };
    let new = replacement(a[2].str());
    with_regex(a[1].str(), flags, |regex| {
        let text = a[0].str();
        let at = text
            .char_indices()
            .nth(start - 1)
            .map_or(text.len(), |(at, _)| at);
        let (head, tail) = text.split_at(at);
        let mut out = head.to_owned();
        let mut last = 0;
        for (i, found) in regex.captures_iter(tail).enumerate() {
            if nth > 0 && i + 1 != nth {
                continue;
            }
            let Some(whole) = found.get(0) else { continue };
            out.push_str(&tail[last..whole.start()]);
            found.expand(&new, &mut out);
            last = whole.end();
        }
        out.push_str(&tail[last..]);
        Value::text(out)
    })
}

pub(crate) fn regexp_match<'a>(a: &[Value<'a>]) -> Out<'a> {
    with_regex(a[1].str(), flags(a, 2), |regex| {
        match regex.captures(a[0].str()) {
            None => Value::Null,
            Some(found) => {
                let skip = usize::from(found.len() > 1);
                Value::List(
                    found
                        .iter()
                        .skip(skip)
                        .map(|group| {
                            group.map_or(Value::Null, |g| Value::text(g.as_str().to_owned()))
                        })
                        .collect(),
                )
            }
        }
    })
}

/// `regexp_matches(text, pattern [, flags])`: the groups of every match, as a set of lists.
pub(crate) fn regexp_matches(args: Vec<Expr>) -> crate::bind::Bound {
    use rwt_sql::DataType;
    let texts = DataType::List(Box::new(DataType::Varchar));
    let arrow = crate::types::arrow_type(&texts);
    let list = ArrowType::List(crate::types::item_field(arrow.clone()));
    let expr = Kernel::rowwise(
        "regexp_matches",
        "",
        list,
        Volatility::Immutable,
        true,
        args,
        |a| {
            with_regex(a[1].str(), flags(a, 2), |regex| {
                let groups = |found: regex::Captures<'_>| {
                    let skip = usize::from(found.len() > 1);
                    let texts = found.iter().skip(skip).map(|group| {
                        group.map_or(Value::Null, |g| Value::text(g.as_str().to_owned()))
                    });
                    Value::List(texts.collect())
                };
                Value::List(regex.captures_iter(a[0].str()).map(groups).collect())
            })
        },
    );
    let unnest = Expr::Unnest(datafusion::logical_expr::expr::Unnest::new(expr));
    crate::bind::Bound::new(unnest, texts, arrow)
}

pub(crate) fn regexp_count<'a>(a: &[Value<'a>]) -> Out<'a> {
    let skip = a
        .get(2)
        .map_or(0, |start| usize::try_from(start.int() - 1).unwrap_or(0));
    let text: String = a[0].str().chars().skip(skip).collect();
    with_regex(a[1].str(), flags(a, 3), |regex| {
        Value::Int(i64::try_from(regex.find_iter(&text).count()).unwrap_or(i64::MAX))
    })
}

pub(crate) fn regexp_split_to_array<'a>(a: &[Value<'a>]) -> Out<'a> {
    with_regex(a[1].str(), flags(a, 2), |regex| {
        Value::List(
            regex
                .split(a[0].str())
                .map(|part| Value::text(part.to_owned()))
                .collect(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_postgresql() {
        let args = [
            Value::text("foo123bar45"),
            Value::text("(\\d)\\d*"),
            Value::text("<\\1>"),
            Value::text("g"),
        ];
        assert_eq!(regexp_replace(&args).unwrap().str(), "foo<1>bar<4>");
        assert_eq!(similar("(a|b)%"), "^(?s:(a|b).*)$");
        let args = [Value::text("a"), Value::text("(")];
        assert!(regexp_match(&args).is_err());
    }
}

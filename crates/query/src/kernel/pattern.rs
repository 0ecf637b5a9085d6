//! Regular expressions and SIMILAR TO.

use std::cell::RefCell;
use std::collections::HashMap;

use arrow::array::StringArray;
use arrow::datatypes::DataType as ArrowType;
use datafusion::logical_expr::{Expr, Volatility};
use regex::Regex;

use crate::error::QueryError;
use crate::kernel::Kernel;
use crate::value::Value;

type Out<'a> = Result<Value<'a>, QueryError>;

/// What the letters of a flags argument say; the last one of a kind counts.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    insensitive: bool,
    global: bool,
}

impl Flags {
    fn read(text: &str) -> Result<Self, QueryError> {
        let mut out = Self::default();
        for c in text.chars() {
            match c {
                'c' => out.insensitive = false,
                'i' => out.insensitive = true,
                'g' => out.global = true,
                c => {
                    return Err(QueryError::Evaluation(format!(
                        "invalid regular expression option: \"{c}\""
                    )));
                }
            }
        }
        Ok(out)
    }

    /// The flags in the argument of this place, if it is there.
    fn at(args: &[Value<'_>], index: usize) -> Result<Self, QueryError> {
        args.get(index)
            .map_or(Ok(Self::default()), |v| Self::read(v.str()))
    }
}

/// Looking around and groups that are named again are RisingWave's, but not of the regex crate.
fn unsupported(pattern: &str, error: &regex::Error) -> QueryError {
    let bytes = pattern.as_bytes();
    let refers = |pair: &[u8]| pair[0] == b'\\' && pair[1].is_ascii_digit();
    let looks = ["(?=", "(?!", "(?<=", "(?<!", "(?>"];
    if looks.iter().any(|l| pattern.contains(l)) || bytes.windows(2).any(refers) {
        return QueryError::NotImplemented(format!(
            "look-around and back-references in a regular expression: {pattern}"
        ));
    }
    QueryError::parse(error)
}

/// Runs with a compiled pattern; each thread keeps the patterns it used last.
fn with_regex<T>(
    pattern: &str,
    flags: Flags,
    run: impl FnOnce(&Regex) -> T,
) -> Result<T, QueryError> {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
    }
    let key = if flags.insensitive {
        format!("(?i:{pattern})")
    } else {
        pattern.to_owned()
    };
    COMPILED.with(|cache| {
        let mut cache = cache.borrow_mut();
        if cache.len() > 64 {
            cache.clear();
        }
        if !cache.contains_key(&key) {
            let regex = Regex::new(&key).map_err(|error| unsupported(&key, &error))?;
            cache.insert(key.clone(), regex);
        }
        cache
            .get(&key)
            .map(run)
            .ok_or_else(|| QueryError::Internal("a pattern was not kept".into()))
    })
}

/// A LIKE pattern whose escape is this character, or that has none, written with the backslash, which is the escape
/// that LIKE knows.
pub(crate) fn escaped_by(escape: Option<char>, pattern: Expr) -> Expr {
    if escape == Some('\\') {
        return pattern;
    }
    Kernel::rowwise(
        "like_escape",
        escape.map(String::from).unwrap_or_default(),
        ArrowType::Utf8,
        Volatility::Immutable,
        true,
        vec![pattern],
        move |a| Ok(Value::text(with_backslashes(a[0].str(), escape))),
    )
}

fn with_backslashes(pattern: &str, escape: Option<char>) -> String {
    let mut out = String::with_capacity(pattern.len() + 4);
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let literal = if Some(character) == escape {
            characters.next()
        } else {
            (character == '\\').then_some(character)
        };
        match literal {
            Some(literal) => out.extend(['\\', literal]),
            None => out.push(character),
        }
    }
    out
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
            with_regex(a[1].str(), Flags::default(), |regex| {
                Value::Bool(regex.is_match(a[0].str()))
            })
        },
    )
}

/// `value LIKE ANY (patterns)` and its kind: whether one of the patterns, or each, matches.
pub(crate) fn like_any(args: Vec<Expr>, negated: bool, insensitive: bool, all: bool) -> Expr {
    let variant = format!("{negated} {insensitive} {all}");
    Kernel::rowwise(
        "like_any",
        variant,
        ArrowType::Boolean,
        Volatility::Immutable,
        true,
        args,
        move |a| {
            let patterns = a[1].list().iter();
            let patterns: StringArray = patterns.map(|p| (!p.is_null()).then(|| p.str())).collect();
            let value = StringArray::new_scalar(a[0].str());
            let matches = match insensitive {
                true => arrow::compute::ilike(&value, &patterns)?,
                false => arrow::compute::like(&value, &patterns)?,
            };
            let mut unknown = false;
            for found in &matches {
                match found.map(|found| found != negated) {
                    Some(holds) if holds != all => return Ok(Value::Bool(!all)),
                    Some(_) => {}
                    None => unknown = true,
                }
            }
            Ok(match unknown {
                true => Value::Null,
                false => Value::Bool(all),
            })
        },
    )
}

/// `text SIMILAR TO pattern ESCAPE escape`
pub(crate) fn similar_to(args: Vec<Expr>, escape: char) -> Expr {
    Kernel::rowwise(
        "similar_to",
        escape,
        ArrowType::Boolean,
        Volatility::Immutable,
        true,
        args,
        move |a| {
            with_regex(&similar(a[1].str(), escape), Flags::default(), |regex| {
                Value::Bool(regex.is_match(a[0].str()))
            })
        },
    )
}

/// A pattern of SIMILAR TO as a regular expression.
fn similar(pattern: &str, escape: char) -> String {
    let mut out = String::from("^(?s:");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            c if c == escape => match chars.next() {
                // What SUBSTRING cuts out: it matches nothing itself.
                Some('"') | None => {}
                Some(next) => out.push_str(&regex::escape(&next.to_string())),
            },
            '.' | '^' | '$' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            other => out.push(other),
        }
    }
    out.push_str(")$");
    out
}

/// PostgreSQL writes `\1` and `\&` where the regex crate writes `${1}` and `${0}`, which RisingWave takes as well.
fn replacement(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('&') => out.push_str("${0}"),
                Some(digit @ '1'..='9') => {
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

pub(crate) fn regexp_replace<'a>(a: &[Value<'a>]) -> Out<'a> {
    let flags = Flags::at(a, 3)?;
    let nth = if flags.global { Nth::All } else { Nth::First };
    replaced(a, 0, nth, flags)
}

/// Which matches are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nth {
    First,
    All,
    Number(usize),
}

/// The text with matches from a byte on replaced. Where a pattern has groups, empty matches are not.
fn replaced<'a>(a: &[Value<'a>], from: usize, nth: Nth, flags: Flags) -> Out<'a> {
    let new = replacement(a[2].str());
    with_regex(a[1].str(), flags, |regex| {
        let (head, tail) = a[0].str().split_at(from);
        let mut out = head.to_owned();
        let mut last = 0;
        let groups = regex.captures_len() > 1;
        for (i, found) in regex.captures_iter(tail).enumerate() {
            let Some(whole) = found.get(0) else { continue };
            if nth == Nth::All && groups && whole.is_empty() {
                continue;
            }
            let wanted = match nth {
                Nth::First => i == 0,
                Nth::All => true,
                Nth::Number(n) => i + 1 == n,
            };
            if !wanted {
                continue;
            }
            out.push_str(&tail[last..whole.start()]);
            found.expand(&new, &mut out);
            last = whole.end();
        }
        out.push_str(&tail[last..]);
        Value::text(out)
    })
}

/// The byte of a character counted from one, or none behind the end.
fn start_of(text: &str, start: i64) -> Result<Option<usize>, QueryError> {
    let skip = usize::try_from(start)
        .ok()
        .and_then(|start| start.checked_sub(1))
        .ok_or_else(|| QueryError::parameter("start", start))?;
    Ok(text.char_indices().nth(skip).map(|(at, _)| at))
}

/// `regexp_replace(text, pattern, new, start [, n] [, flags])`: from the character `start` on, the match `n` only, all of
/// them for 0 and the flag `g`.
pub(crate) fn regexp_replace_from<'a>(a: &[Value<'a>]) -> Out<'a> {
    let (nth, flag_at) = match a.get(4) {
        Some(Value::Int(n)) => (Some(*n), 5),
        _ => (None, 4),
    };
    let flags = Flags::at(a, flag_at)?;
    let Some(from) = start_of(a[0].str(), a[3].int())? else {
        return Ok(a[0].clone());
    };
    let nth = match nth {
        None if flags.global => Nth::All,
        None => Nth::First,
        Some(0) => Nth::All,
        Some(n) => match usize::try_from(n) {
            Ok(n) => Nth::Number(n),
            // No match has such a number.
            Err(_) => return Ok(a[0].clone()),
        },
    };
    replaced(a, from, nth, flags)
}

pub(crate) fn regexp_match<'a>(a: &[Value<'a>]) -> Out<'a> {
    with_regex(a[1].str(), Flags::at(a, 2)?, |regex| {
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
            with_regex(a[1].str(), Flags::at(a, 2)?, |regex| {
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
    let flags = Flags::at(a, 3)?;
    if flags.global {
        return Err(QueryError::Evaluation(
            "regexp_count() does not support the global option".into(),
        ));
    }
    let start = a.get(2).map_or(1, Value::int);
    let Some(from) = start_of(a[0].str(), start)? else {
        return Ok(Value::Int(0));
    };
    with_regex(a[1].str(), flags, |regex| {
        let count = regex.find_iter(&a[0].str()[from..]).count();
        Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
    })
}

/// The parts between matches. An empty match parts two characters, but not before the first.
pub(crate) fn regexp_split_to_array<'a>(a: &[Value<'a>]) -> Out<'a> {
    let text = a[0].str();
    with_regex(a[1].str(), Flags::at(a, 2)?, |regex| {
        let mut out = Vec::new();
        let mut last = 0;
        for found in regex.find_iter(text) {
            if found.is_empty() && (found.start() == last || found.start() == text.len()) {
                continue;
            }
            out.push(Value::text(text[last..found.start()].to_owned()));
            last = found.end();
        }
        out.push(Value::text(text[last..].to_owned()));
        Value::List(out)
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
        assert_eq!(similar("(a|b)%", '\\'), "^(?s:(a|b).*)$");
        let args = [
            Value::text("abc"),
            Value::text("(b)"),
            Value::text("[$1\\x]"),
        ];
        assert_eq!(regexp_replace(&args).unwrap().str(), "a[b\\x]c");
        let args = [Value::text("a"), Value::text("(")];
        assert!(regexp_match(&args).is_err());
        let args = [Value::text("a"), Value::text("(?=a)")];
        assert!(matches!(
            regexp_match(&args),
            Err(QueryError::NotImplemented(_))
        ));
    }

    #[test]
    fn the_last_flag_counts() {
        let found = |flags| {
            let args = [Value::text("abc"), Value::text("Bc"), Value::text(flags)];
            regexp_match(&args).map(|v| !v.is_null())
        };
        assert_eq!(found("i"), Ok(true));
        assert_eq!(found("ic"), Ok(false));
        assert_eq!(found("ici"), Ok(true));
        assert_eq!(
            found("x").unwrap_err().to_string(),
            "invalid regular expression option: \"x\""
        );
    }

    #[test]
    fn places_and_numbers_of_matches() {
        let replace = |start, n| {
            let args = [
                Value::text("aXaXa"),
                Value::text("X"),
                Value::text("-"),
                Value::Int(start),
                Value::Int(n),
            ];
            regexp_replace_from(&args).map(|v| v.str().to_owned())
        };
        assert_eq!(replace(1, 2).as_deref(), Ok("aXa-a"));
        assert_eq!(replace(3, 0).as_deref(), Ok("aXa-a"));
        assert_eq!(replace(9, 1).as_deref(), Ok("aXaXa"));
        assert_eq!(
            replace(0, 1).unwrap_err().to_string(),
            "Invalid parameter start: 0"
        );
    }
}

//! `modules.re`: Python's regular expressions on the `regex` crate, which has no lookaround and no references back.

use std::sync::Arc;

use minijinja::value::{Kwargs, Object, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use regex::{Captures, Regex, RegexBuilder};

use super::collections::{dict, list};
use super::error::raise;
use super::table::tuple;

/// `modules.re`
#[derive(Debug)]
pub struct Re;

/// Python's numbers of its flags.
const FLAGS: [(&str, i64); 10] = [
    ("I", 2),
    ("IGNORECASE", 2),
    ("M", 8),
    ("MULTILINE", 8),
    ("S", 16),
    ("DOTALL", 16),
    ("X", 64),
    ("VERBOSE", 64),
    ("A", 256),
    ("U", 32),
];

const METHODS: [&str; 9] = [
    "sub",
    "match",
    "search",
    "fullmatch",
    "findall",
    "finditer",
    "split",
    "escape",
    "compile",
];

impl Object for Re {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let flag = FLAGS.iter().find(|(flag, _)| *flag == name);
        flag.map(|(_, number)| Value::from(*number))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if method == "escape" {
            let (text,): (&str,) = from_args(args)?;
            return Ok(Value::from(escape(text)));
        }
        if !METHODS.contains(&method) {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let Some((pattern, rest)) = args.split_first() else {
            return Err(Error::from(ErrorKind::MissingArgument));
        };
        let keywords = rest.last().filter(|value| value.is_kwargs());
        let named = |name: &str| {
            let value = keywords.and_then(|keywords| keywords.get_attr(name).ok());
            value.and_then(|value| value.as_i64())
        };
        // The flags come last, behind what the method takes.
        let direct = match method {
            "sub" => 3,
            "split" => 2,
            "compile" => 0,
            _ => 1,
        };
        let flags = named("flags").or_else(|| rest.get(direct).and_then(Value::as_i64));
        let pattern = match pattern.downcast_object_ref::<Pattern>() {
            Some(pattern) => pattern.0.clone(),
            None => compiled(pattern.as_str().unwrap_or_default(), flags.unwrap_or(0))?,
        };
        if method == "compile" {
            return Ok(Value::from_object(Pattern(pattern)));
        }
        apply(&pattern, method, rest)
    }
}

/// `re.compile(…)`
#[derive(Debug)]
struct Pattern(Regex);

impl Object for Pattern {
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        apply(&self.0, method, args)
    }
}

fn compiled(pattern: &str, flags: i64) -> Result<Regex, Error> {
    RegexBuilder::new(pattern)
        .case_insensitive(flags & 2 != 0)
        .multi_line(flags & 8 != 0)
        .dot_matches_new_line(flags & 16 != 0)
        .ignore_whitespace(flags & 64 != 0)
        .build()
        .map_err(|error| {
            raise(
                "rwt::jinja::regex",
                format!("`{pattern}` is not a regular expression that rwt can use: {error}"),
                Some("lookaround and references back to groups are not available".to_owned()),
            )
        })
}

fn apply(regex: &Regex, method: &str, args: &[Value]) -> Result<Value, Error> {
    let none = || Value::from(());
    let found = |captures: Option<Captures<'_>>| {
        captures.map_or_else(none, |captures| Match::value(regex, &captures))
    };
    if method == "sub" {
        let (with, text, count, keywords): (&str, &str, Option<usize>, Kwargs) = from_args(
            &args[..args.len().min(3)
                + usize::from(args.last().is_some_and(Value::is_kwargs) && args.len() <= 3)],
        )
        .or_else(|_| from_args(args))?;
        let named: Option<usize> = keywords.get("count")?;
        let with = replacement(with);
        let count = count.or(named).unwrap_or(0);
        return Ok(Value::from(
            regex.replacen(text, count, with.as_str()).into_owned(),
        ));
    }
    let text = args.first().and_then(Value::as_str).unwrap_or_default();
    match method {
        "search" => Ok(found(regex.captures(text))),
        "match" => Ok(found(regex.captures(text).filter(|captures| {
            captures.get(0).is_some_and(|all| all.start() == 0)
        }))),
        "fullmatch" => {
            let whole =
                Regex::new(&format!("^(?:{})$", regex.as_str())).unwrap_or_else(|_| regex.clone());
            let all = |captures: &Captures<'_>| {
                captures
                    .get(0)
                    .is_some_and(|all| all.start() == 0 && all.end() == text.len())
            };
            Ok(found(
                regex
                    .captures(text)
                    .filter(all)
                    .or_else(|| whole.captures(text).filter(all)),
            ))
        }
        "findall" => Ok(list(regex.captures_iter(text).map(|captures| {
            let group = |i: usize| Value::from(captures.get(i).map_or("", |found| found.as_str()));
            match captures.len() {
                1 => group(0),
                2 => group(1),
                groups => tuple((1..groups).map(group)),
            }
        }))),
        "finditer" => Ok(list(
            regex
                .captures_iter(text)
                .map(|captures| Match::value(regex, &captures)),
        )),
        "split" => Ok(list(regex.split(text).map(Value::from))),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// `\1` and `\g<name>` as the `regex` crate writes them.
fn replacement(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('$', _) => out.push_str("$$"),
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                let mut number = String::new();
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                out.push_str(&format!("${{{number}}}"));
            }
            ('\\', Some('g')) => {
                chars.next();
                let name: String = chars.by_ref().take_while(|c| *c != '>').skip(1).collect();
                out.push_str(&format!("${{{name}}}"));
            }
            ('\\', Some('n')) => {
                chars.next();
                out.push('\n');
            }
            ('\\', Some('\\')) => {
                chars.next();
                out.push('\\');
            }
            (c, _) => out.push(c),
        }
    }
    out
}

/// Python's `re.escape`.
fn escape(text: &str) -> String {
    let special =
        |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"_!\"%',/:;<=>@`".contains(c);
    text.chars()
        .flat_map(|c| {
            special(c)
                .then_some('\\')
                .into_iter()
                .chain(std::iter::once(c))
        })
        .collect()
}

/// A match: its groups and where they are, in characters.
#[derive(Debug)]
struct Match {
    groups: Vec<Option<(String, usize, usize)>>,
    names: Vec<Option<String>>,
}

impl Match {
    fn value(regex: &Regex, captures: &Captures<'_>) -> Value {
        let groups = captures.iter().map(|group| {
            group.map(|group| (group.as_str().to_owned(), group.start(), group.end()))
        });
        Value::from_object(Self {
            groups: groups.collect(),
            names: regex
                .capture_names()
                .map(|name| name.map(str::to_owned))
                .collect(),
        })
    }

    fn text(&self, index: usize) -> Value {
        let group = self.groups.get(index).and_then(Option::as_ref);
        group.map_or_else(|| Value::from(()), |(text, ..)| Value::from(text.as_str()))
    }

    fn index(&self, key: &Value) -> Result<usize, Error> {
        let index = match key.as_str() {
            Some(name) => self
                .names
                .iter()
                .position(|known| known.as_deref() == Some(name)),
            None => key.as_usize(),
        };
        index
            .filter(|index| *index < self.groups.len())
            .ok_or_else(|| {
                raise(
                    "rwt::jinja::regex",
                    format!("the match has no group {key}"),
                    None,
                )
            })
    }
}

impl Object for Match {
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(self.text(self.index(key).ok()?))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let index = match args.first() {
            Some(key) if !key.is_kwargs() => self.index(key)?,
            _ => 0,
        };
        let at = self.groups[index].as_ref();
        let position = |side: fn(&(String, usize, usize)) -> usize| {
            at.map_or(-1, |group| i64::try_from(side(group)).unwrap_or(-1))
        };
        match method {
            "group" if args.len() > 1 => Ok(tuple(
                args.iter()
                    .map(|key| self.index(key).map(|index| self.text(index)))
                    .collect::<Result<Vec<_>, _>>()?,
            )),
            "group" => Ok(self.text(index)),
            "groups" => Ok(tuple((1..self.groups.len()).map(|index| self.text(index)))),
            "groupdict" => Ok(dict(self.names.iter().enumerate().filter_map(
                |(index, name)| Some((Value::from(name.as_deref()?), self.text(index))),
            ))),
            "start" => Ok(Value::from(position(|group| group.1))),
            "end" => Ok(Value::from(position(|group| group.2))),
            "span" => Ok(tuple([
                Value::from(position(|group| group.1)),
                Value::from(position(|group| group.2)),
            ])),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

//! `modules.re`: Python's regular expressions on the `regex` crate, which has no lookaround and no references back.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Object, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use regex::{Captures, Regex, RegexBuilder};

use super::collections::{dict, list};
use super::error::raise;
use super::moment::places;
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

/// The methods and what they take behind the pattern; `re.sub` and the like take `flags` at the end.
const METHODS: [(&str, &[&str]); 9] = [
    ("sub", &["repl", "string", "count"]),
    ("subn", &["repl", "string", "count"]),
    ("split", &["string", "maxsplit"]),
    ("match", &["string"]),
    ("search", &["string"]),
    ("fullmatch", &["string"]),
    ("findall", &["string"]),
    ("finditer", &["string"]),
    ("compile", &[]),
];

/// What a method takes behind the pattern.
fn parameters(method: &str) -> Result<&'static [&'static str], Error> {
    METHODS
        .iter()
        .find(|(name, _)| *name == method)
        .map(|(_, names)| *names)
        .ok_or_else(|| Error::from(ErrorKind::UnknownMethod))
}

/// The arguments of a call, in the order of the parameters' names.
fn arguments(names: &[&str], args: &[Value]) -> Result<Vec<Option<Value>>, Error> {
    let (places, keywords) = places(args)?;
    if places.len() > names.len() {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let mut places = places.into_iter();
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let named: Option<Value> = keywords.get(name)?;
        found.push(places.next().or(named));
    }
    keywords.assert_all_used()?;
    Ok(found)
}

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
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if method == "escape" {
            let (text,): (&str,) = from_args(args)?;
            return Ok(Value::from(escape(text)));
        }
        let names = [&["pattern"], parameters(method)?, &["flags"]].concat();
        let mut given = arguments(&names, args)?;
        let flags = given.pop().flatten().and_then(|flags| flags.as_i64());
        let Some(pattern) = given.first().cloned().flatten() else {
            return Err(Error::from(ErrorKind::MissingArgument));
        };
        let pattern = match pattern.downcast_object::<Pattern>() {
            Some(pattern) => pattern,
            None => Arc::new(Pattern::new(
                pattern.as_str().ok_or_else(not_text)?,
                flags.unwrap_or(0),
            )?),
        };
        if method == "compile" {
            return Ok(Value::from_dyn_object(pattern));
        }
        pattern.apply(state, method, &given[1..])
    }
}

fn not_text() -> Error {
    raise(
        "rwt::jinja::regex",
        "a regular expression and what it reads are text",
        None,
    )
}

/// `re.compile(…)`
#[derive(Debug)]
struct Pattern {
    text: String,
    flags: i64,
    regex: Regex,
}

impl Object for Pattern {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let names = || self.regex.capture_names().enumerate();
        Some(match key.as_str()? {
            "pattern" => Value::from(self.text.as_str()),
            // Python's text patterns are Unicode ones.
            "flags" => Value::from(self.flags | 32),
            "groups" => Value::from(self.regex.captures_len() - 1),
            "groupindex" => dict(
                names().filter_map(|(index, name)| Some((Value::from(name?), Value::from(index)))),
            ),
            _ => return None,
        })
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let given = arguments(parameters(method)?, args)?;
        self.apply(state, method, &given)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "re.compile({:?})", Value::from(self.text.as_str()))
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

impl Pattern {
    fn new(text: &str, flags: i64) -> Result<Self, Error> {
        Ok(Self {
            text: text.to_owned(),
            flags,
            regex: compiled(text, flags)?,
        })
    }

    /// A method, with what it takes behind the pattern.
    fn apply(
        &self,
        state: &mut State<'_, '_>,
        method: &str,
        given: &[Option<Value>],
    ) -> Result<Value, Error> {
        let argument = |index: usize| given.get(index).and_then(Option::as_ref);
        let text_at = |index: usize| {
            let value = argument(index).ok_or_else(|| Error::from(ErrorKind::MissingArgument))?;
            value.as_str().map(Arc::<str>::from).ok_or_else(not_text)
        };
        let most = |index: usize| {
            argument(index)
                .and_then(Value::as_usize)
                .filter(|most| *most > 0)
                .unwrap_or(usize::MAX)
        };
        if let "sub" | "subn" = method {
            let with = argument(0).ok_or_else(|| Error::from(ErrorKind::MissingArgument))?;
            let (text, number) = self.replaced(state, with, &text_at(1)?, most(2))?;
            return Ok(match method {
                "sub" => Value::from(text),
                _ => tuple([Value::from(text), Value::from(number)]),
            });
        }
        let text = text_at(0)?;
        let found = |captures: Option<Captures<'_>>| {
            captures.map_or_else(|| Value::from(()), |captures| self.found(&text, &captures))
        };
        let at_start = |captures: &Captures<'_>| captures.get_match().start() == 0;
        match method {
            "search" => Ok(found(self.regex.captures(&text))),
            "match" => Ok(found(self.regex.captures(&text).filter(at_start))),
            "fullmatch" => {
                // A comment at the end of a verbose pattern ends with its line.
                let line = if self.flags & 64 != 0 { "\n" } else { "" };
                let whole = compiled(&format!(r"\A(?:{}{line})\z", self.text), self.flags)?;
                Ok(found(whole.captures(&text)))
            }
            "findall" => Ok(list(self.matches(&text, usize::MAX).iter().map(
                |captures| {
                    let group =
                        |i: usize| Value::from(captures.get(i).map_or("", |found| found.as_str()));
                    match captures.len() {
                        1 => group(0),
                        2 => group(1),
                        groups => tuple((1..groups).map(group)),
                    }
                },
            ))),
            "finditer" => {
                let matches = self.matches(&text, usize::MAX);
                let matches = matches.iter().map(|captures| self.found(&text, captures));
                Ok(list(matches))
            }
            "split" => {
                let (mut parts, mut at) = (Vec::new(), 0);
                for captures in self.matches(&text, most(1)) {
                    let all = captures.get_match();
                    parts.push(Value::from(&text[at..all.start()]));
                    let groups = captures.iter().skip(1);
                    parts
                        .extend(groups.map(|group| Value::from(group.map(|group| group.as_str()))));
                    at = all.end();
                }
                parts.push(Value::from(&text[at..]));
                Ok(list(parts))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    /// The matches one behind the other. As in Python, an empty one may follow one that is not.
    fn matches<'t>(&self, text: &'t str, most: usize) -> Vec<Captures<'t>> {
        let (mut found, mut at) = (Vec::new(), 0);
        while found.len() < most
            && at <= text.len()
            && let Some(captures) = self.regex.captures_at(text, at)
        {
            let all = captures.get_match();
            at = all.end();
            if all.is_empty() {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
            }
            found.push(captures);
        }
        found
    }

    /// The text with its matches replaced, and their number. `with` is a text or takes a match.
    fn replaced(
        &self,
        state: &mut State<'_, '_>,
        with: &Value,
        text: &Arc<str>,
        most: usize,
    ) -> Result<(String, usize), Error> {
        let template = with.as_str().map(replacement);
        let (mut out, mut at) = (String::with_capacity(text.len()), 0);
        let matches = self.matches(text, most);
        for captures in &matches {
            let all = captures.get_match();
            out.push_str(&text[at..all.start()]);
            match &template {
                Some(template) => captures.expand(template, &mut out),
                None => {
                    let by = with.call(state, &[self.found(text, captures)])?;
                    out.push_str(by.as_str().ok_or_else(not_text)?);
                }
            }
            at = all.end();
        }
        out.push_str(&text[at..]);
        Ok((out, matches.len()))
    }

    fn found(&self, text: &Arc<str>, captures: &Captures<'_>) -> Value {
        let names = self.regex.capture_names();
        Value::from_object(Match {
            text: Arc::clone(text),
            pattern: (self.text.clone(), self.flags),
            groups: captures
                .iter()
                .map(|group| group.map(|group| group.range()))
                .collect(),
            names: names.map(|name| name.map(str::to_owned)).collect(),
        })
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

/// A match: its groups and where they are, in bytes.
#[derive(Debug)]
struct Match {
    text: Arc<str>,
    /// Its text and flags.
    pattern: (String, i64),
    groups: Vec<Option<Range<usize>>>,
    names: Vec<Option<String>>,
}

impl Match {
    fn group(&self, index: usize) -> Option<&str> {
        let range = self.groups.get(index)?.clone()?;
        self.text.get(range)
    }

    fn value(&self, index: usize, default: &Value) -> Value {
        self.group(index)
            .map_or_else(|| default.clone(), Value::from)
    }

    /// Where a group begins and ends, in characters.
    fn span(&self, index: usize) -> [i64; 2] {
        let Some(range) = self.groups.get(index).cloned().flatten() else {
            return [-1, -1];
        };
        [range.start, range.end].map(|at| {
            let before = self.text.get(..at).unwrap_or_default();
            i64::try_from(before.chars().count()).unwrap_or(-1)
        })
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

    /// The last group that took part.
    fn last(&self) -> Option<usize> {
        (1..self.groups.len()).rfind(|index| self.groups[*index].is_some())
    }
}

impl Object for Match {
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Ok(index) = self.index(key) {
            return Some(self.value(index, &Value::from(())));
        }
        let last = self.last();
        Some(match key.as_str()? {
            "string" => Value::from(&*self.text),
            "re" => Value::from_object(Pattern::new(&self.pattern.0, self.pattern.1).ok()?),
            "lastindex" => Value::from(last),
            "lastgroup" => Value::from(last.and_then(|index| self.names[index].as_deref())),
            "pos" => Value::from(0),
            "endpos" => Value::from(self.text.chars().count()),
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let none = Value::from(());
        let position = || match args.first() {
            Some(key) => self.index(key).map(|index| self.span(index)),
            None => Ok(self.span(0)),
        };
        match method {
            "group" => {
                let groups = args
                    .iter()
                    .map(|key| Ok(self.value(self.index(key)?, &none)));
                let mut groups = groups.collect::<Result<Vec<_>, Error>>()?;
                match groups.len() {
                    0 => Ok(self.value(0, &none)),
                    1 => Ok(groups.remove(0)),
                    _ => Ok(tuple(groups)),
                }
            }
            "groups" | "groupdict" => {
                let default = arguments(&["default"], args)?.remove(0).unwrap_or(none);
                let groups = 1..self.groups.len();
                if method == "groups" {
                    return Ok(tuple(groups.map(|index| self.value(index, &default))));
                }
                let named = groups.filter_map(|index| Some((self.names[index].as_deref()?, index)));
                Ok(dict(named.map(|(name, index)| {
                    (Value::from(name), self.value(index, &default))
                })))
            }
            "start" => Ok(Value::from(position()?[0])),
            "end" => Ok(Value::from(position()?[1])),
            "span" => Ok(tuple(position()?.map(Value::from))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [start, end] = self.span(0);
        let text = Value::from(self.group(0).unwrap_or_default());
        write!(
            f,
            "<re.Match object; span=({start}, {end}), match={text:?}>"
        )
    }
}

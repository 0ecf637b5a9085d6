//! Python's methods of text that neither minijinja nor its pycompat module has, and Jinja2's filters on text.

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::collections::{self, list};
use super::error::raise;
use super::moment::places;
use super::table::tuple;

/// A method that the value itself does not have.
///
/// # Errors
/// No such method, or arguments that it does not take.
pub fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if value.kind() == ValueKind::String
        && let Some(text) = value.as_str()
        && let Some(done) = text_method(text, method, args)
    {
        return done;
    }
    if let Some(done) = collections::method(state, value, method, args) {
        return done;
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
}

fn text_method(text: &str, method: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    Some(match method {
        "split" | "rsplit" => split(text, method == "rsplit", args),
        "splitlines" => lines(text, args),
        "find" | "rfind" | "index" | "rindex" => find(text, method, args),
        "count" => count(text, args),
        "startswith" | "endswith" => has_end(text, method == "startswith", args),
        "maketrans" => translation(args),
        "translate" => one::<Value>(args).and_then(|table| translated(text, &table)),
        "format_map" => one::<Value>(args).and_then(|values| formatted(text, &values)),
        "isprintable" => Ok(Value::from(!text.chars().any(char::is_control))),
        "center" | "ljust" | "rjust" => padded(text, method, args),
        "zfill" => one::<usize>(args).map(|width| Value::from(zero_filled(text, width))),
        "partition" | "rpartition" => one::<String>(args).map(|separator| {
            let found = match method {
                "partition" => text.split_once(&*separator),
                _ => text.rsplit_once(&*separator),
            };
            let parts = match (found, method) {
                (Some((before, behind)), _) => [before, &separator, behind],
                (None, "partition") => [text, "", ""],
                (None, _) => ["", "", text],
            };
            tuple(parts.map(Value::from))
        }),
        "swapcase" => Ok(Value::from(
            text.chars()
                .flat_map(|c| -> Vec<char> {
                    match c.is_uppercase() {
                        true => c.to_lowercase().collect(),
                        false => c.to_uppercase().collect(),
                    }
                })
                .collect::<String>(),
        )),
        "casefold" => Ok(Value::from(text.to_lowercase())),
        "removeprefix" => {
            one::<String>(args).map(|part| Value::from(text.strip_prefix(&*part).unwrap_or(text)))
        }
        "removesuffix" => {
            one::<String>(args).map(|part| Value::from(text.strip_suffix(&*part).unwrap_or(text)))
        }
        "isidentifier" => {
            let mut chars = text.chars();
            let first = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
            Ok(Value::from(
                first && chars.all(|c| c.is_alphanumeric() || c == '_'),
            ))
        }
        "isdecimal" => Ok(Value::from(
            !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()),
        )),
        "istitle" => Ok(Value::from(!text.is_empty() && titled(text) == text)),
        "expandtabs" => Ok(Value::from(text.replace(
            '\t',
            &" ".repeat(args.first().and_then(Value::as_usize).unwrap_or(8).min(64)),
        ))),
        _ => return None,
    })
}

fn one<'a, T: minijinja::value::ArgType<'a, Output = T>>(args: &'a [Value]) -> Result<T, Error> {
    from_args::<(T,)>(args).map(|(value,)| value)
}

fn titled(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| -> Vec<char> {
            let upper = std::mem::replace(&mut start, !c.is_alphabetic());
            match upper {
                true => c.to_uppercase().collect(),
                false => c.to_lowercase().collect(),
            }
        })
        .collect()
}

/// `split(sep, maxsplit)` and `rsplit`.
fn split(text: &str, from_end: bool, args: &[Value]) -> Result<Value, Error> {
    let (places, keywords) = places(args)?;
    let argument = |at: usize, name: &str| -> Result<Option<Value>, Error> {
        let named: Option<Value> = keywords.get(name)?;
        Ok(places
            .get(at)
            .cloned()
            .or(named)
            .filter(|value| !value.is_none()))
    };
    let separator = argument(0, "sep")?;
    let most = argument(1, "maxsplit")?.and_then(|most| most.as_usize());
    keywords.assert_all_used()?;
    let separator = match &separator {
        Some(separator) => Some(
            separator
                .as_str()
                .filter(|text| !text.is_empty())
                .ok_or_else(|| {
                    raise(
                        "rwt::jinja::text",
                        "a separator is a text that is not empty",
                        None,
                    )
                })?,
        ),
        None => None,
    };
    let most = most.unwrap_or(usize::MAX);
    let mut parts: Vec<&str> = match (separator, from_end) {
        (Some(separator), false) => text.splitn(most.saturating_add(1), separator).collect(),
        (Some(separator), true) => text.rsplitn(most.saturating_add(1), separator).collect(),
        (None, _) => words(text, from_end, most),
    };
    if from_end {
        parts.reverse();
    }
    Ok(list(parts.into_iter().map(Value::from)))
}

/// What white space parts, from one end of the text on; the rest behind so many parts stays whole.
fn words(text: &str, from_end: bool, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = match from_end {
        true => text.trim_end(),
        false => text.trim_start(),
    };
    while !rest.is_empty() && parts.len() < most {
        let (part, left) = match from_end {
            true => rest
                .rsplit_once(char::is_whitespace)
                .map(|(left, part)| (part, left)),
            false => rest.split_once(char::is_whitespace),
        }
        .unwrap_or((rest, ""));
        parts.push(part);
        rest = match from_end {
            true => left.trim_end(),
            false => left.trim_start(),
        };
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// The bytes of `text[start:stop]`, from the arguments behind the first one.
fn bounded<'a>(text: &'a str, args: &[Value]) -> Result<(usize, &'a str), Error> {
    let (_, start, stop): (Value, Option<i64>, Option<i64>) = from_args(args)?;
    if start.is_none() && stop.is_none() {
        return Ok((0, text));
    }
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let byte = |at: i64| {
        let at = if at < 0 { (at + length).max(0) } else { at };
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        text.char_indices()
            .nth(at)
            .map_or(text.len(), |(byte, _)| byte)
    };
    let start = start.map_or(0, byte);
    let stop = stop.map_or(text.len(), byte).max(start);
    Ok((start, &text[start..stop]))
}

/// `find`, `rfind`, `index` and `rindex`: a place in characters.
fn find(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (start, within) = bounded(text, args)?;
    let part = args.first().and_then(Value::as_str).ok_or_else(not_text)?;
    let found = match method.starts_with('r') {
        true => within.rfind(part),
        false => within.find(part),
    };
    match found {
        Some(at) => Ok(Value::from(text[..start + at].chars().count())),
        None if method.ends_with("find") => Ok(Value::from(-1)),
        None => Err(raise(
            "rwt::jinja::text",
            format!("substring not found: `{part}` in `{text}`"),
            None,
        )),
    }
}

fn count(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (_, within) = bounded(text, args)?;
    let part = args.first().and_then(Value::as_str).ok_or_else(not_text)?;
    Ok(Value::from(within.matches(part).count()))
}

/// `startswith` and `endswith`, of one text or of any of a tuple.
fn has_end(text: &str, at_start: bool, args: &[Value]) -> Result<Value, Error> {
    let (_, within) = bounded(text, args)?;
    let has = |part: &str| match at_start {
        true => within.starts_with(part),
        false => within.ends_with(part),
    };
    let parts = args.first().ok_or_else(not_text)?;
    if let Some(part) = parts.as_str() {
        return Ok(Value::from(has(part)));
    }
    let mut parts = parts.try_iter()?;
    Ok(Value::from(
        parts.any(|part| part.as_str().is_some_and(has)),
    ))
}

/// `format_map({…})`
fn formatted(text: &str, values: &Value) -> Result<Value, Error> {
    let values: Kwargs = collections::pairs_of(values)?
        .iter()
        .filter_map(|(key, value)| Some((key.as_str()?, value.clone())))
        .collect();
    format(FormatStyle::StrFormat, text, &[Value::from(values)]).map(Value::from)
}

fn not_text() -> Error {
    raise("rwt::jinja::text", "a text was expected", None)
}

fn lines(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (places, keywords) = places(args)?;
    let named: Option<Value> = keywords.get("keepends")?;
    keywords.assert_all_used()?;
    let kept = places
        .first()
        .cloned()
        .or(named)
        .is_some_and(|kept| kept.is_true());
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let break_length = match &rest[end..] {
            rest if rest.starts_with("\r\n") => 2,
            "" => 0,
            _ => 1,
        };
        let shown = if kept { end + break_length } else { end };
        lines.push(Value::from(&rest[..shown]));
        rest = &rest[end + break_length..];
    }
    Ok(list(lines))
}

/// `maketrans(from, to, without)` or `maketrans({…})`: what `translate` takes.
fn translation(args: &[Value]) -> Result<Value, Error> {
    let (from, to, without): (Value, Option<String>, Option<String>) = from_args(args)?;
    let code = |c: char| Value::from(u32::from(c));
    let Some(to) = to else {
        let pairs = collections::pairs_of(&from)?
            .into_iter()
            .map(|(key, value)| {
                let mut chars = key.as_str().unwrap_or_default().chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => (code(c), value),
                    _ => (key, value),
                }
            });
        return Ok(collections::dict(pairs));
    };
    let from = from.as_str().ok_or_else(not_text)?;
    if from.chars().count() != to.chars().count() {
        return Err(raise(
            "rwt::jinja::text",
            "the first two arguments of maketrans() are equally long",
            None,
        ));
    }
    let pairs = from
        .chars()
        .zip(to.chars())
        .map(|(c, to)| (code(c), code(to)));
    let without = without.unwrap_or_default();
    let gone = without.chars().map(|c| (code(c), Value::from(())));
    Ok(collections::dict(pairs.chain(gone).collect::<Vec<_>>()))
}

fn translated(text: &str, table: &Value) -> Result<Value, Error> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let to = table.get_item(&Value::from(u32::from(c)))?;
        match (to.as_str(), to.as_i64()) {
            (Some(to), _) => out.push_str(to),
            (None, Some(code)) => out.extend(u32::try_from(code).ok().and_then(char::from_u32)),
            (None, None) if to.is_none() => {}
            (None, None) => out.push(c),
        }
    }
    Ok(Value::from(out))
}

fn padded(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (width, fill): (usize, Option<char>) = from_args(args)?;
    let missing = width.min(10_000).saturating_sub(text.chars().count());
    let fill = fill.unwrap_or(' ').to_string();
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        // As Python puts the odd one: to the left where the width is odd.
        _ => missing / 2 + (missing & width & 1),
    };
    Ok(Value::from(format!(
        "{}{text}{}",
        fill.repeat(left),
        fill.repeat(missing - left)
    )))
}

fn zero_filled(text: &str, width: usize) -> String {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => text.split_at(text.len() - digits.len()),
        None => ("", text),
    };
    let missing = width.min(10_000).saturating_sub(text.chars().count());
    format!("{sign}{}{digits}", "0".repeat(missing))
}

/// Adds Jinja2's filters that minijinja does not have.
pub fn add_filters(env: &mut Environment<'static>) {
    env.add_filter("wordcount", |text: String| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .count()
    });
    env.add_filter("truncate", |text: String, args: Rest<Value>| {
        truncate(&text, &args)
    });
    env.add_filter("striptags", minijinja_contrib::filters::striptags);
    env.add_filter("filesizeformat", minijinja_contrib::filters::filesizeformat);
    env.add_filter("forceescape", |text: String| escaped(&text));
    env.add_filter("escape", |value: Value| escaped(&value.to_string()));
    env.add_filter("e", |value: Value| escaped(&value.to_string()));
    env.add_filter("pprint", |value: Value| format!("{value:?}"));
    env.add_filter("center", |text: String, width: Option<usize>| {
        let width = width.unwrap_or(80).min(10_000);
        let missing = width.saturating_sub(text.chars().count());
        let left = missing / 2 + (missing & width & 1);
        format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))
    });
    env.add_filter(
        "tojson",
        |value: Value, indent: Option<usize>, keywords: Kwargs| {
            let named: Option<usize> = keywords.get("indent")?;
            keywords.assert_all_used()?;
            super::functions::html_safe_json(&value, named.or(indent))
        },
    );
    env.add_filter("random", |_value: Value| -> Result<Value, Error> {
        Err(Error::new(
            ErrorKind::InvalidOperation,
            "the filter `random` would make every compilation another one",
        ))
    });
    env.add_filter("urlencode", |value: Value| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte);
        value
            .to_string()
            .bytes()
            .fold(String::new(), |mut out, byte| {
                match plain(byte) {
                    true => out.push(char::from(byte)),
                    false => out.push_str(&format!("%{byte:02X}")),
                }
                out
            })
    });
    env.add_filter("wordwrap", wordwrap);
    env.add_filter("title", |text: String| jinja_title(&text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}

/// Jinja2's `truncate`: words are kept whole, and a text that is only `leeway` too long is left alone.
fn truncate(text: &str, args: &[Value]) -> Result<String, Error> {
    let (length, kill_words, end, leeway, keywords): (
        Option<usize>,
        Option<bool>,
        Option<String>,
        Option<usize>,
        Kwargs,
    ) = from_args(args)?;
    let length = keywords
        .get::<Option<usize>>("length")?
        .or(length)
        .unwrap_or(255);
    let kill_words = keywords
        .get::<Option<bool>>("killwords")?
        .or(kill_words)
        .unwrap_or(false);
    let end = keywords
        .get::<Option<String>>("end")?
        .or(end)
        .unwrap_or_else(|| "...".to_owned());
    let leeway = keywords
        .get::<Option<usize>>("leeway")?
        .or(leeway)
        .unwrap_or(5);
    keywords.assert_all_used()?;
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= length + leeway {
        return Ok(text.to_owned());
    }
    let kept: String = chars
        .iter()
        .take(length.saturating_sub(end.chars().count()))
        .collect();
    let kept = match kill_words {
        true => kept.as_str(),
        false => kept
            .rsplit_once(' ')
            .map_or(kept.as_str(), |(words, _)| words),
    };
    Ok(format!("{kept}{end}"))
}

/// Jinja2's `title`: words begin behind blanks, dashes and brackets.
fn jinja_title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| -> Vec<char> {
            let begins = std::mem::replace(&mut start, c.is_whitespace() || "-({[<".contains(c));
            match begins {
                true => c.to_uppercase().collect(),
                false => c.to_lowercase().collect(),
            }
        })
        .collect()
}

fn wordwrap(text: String, width: Option<usize>) -> String {
    let width = width.unwrap_or(79).max(1);
    let line = |line: &str| {
        let mut out: Vec<String> = vec![String::new()];
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            let last = out.last_mut().map(|last| (last.chars().count(), last));
            if let Some((length, last)) = last {
                if length == 0 {
                    last.push_str(word);
                } else if length + 1 + word.chars().count() <= width {
                    last.push(' ');
                    last.push_str(word);
                } else {
                    out.push(word.to_owned());
                }
            }
        }
        out.join("\n")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

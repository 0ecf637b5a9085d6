//! Python's methods of text that neither minijinja nor its pycompat module has, and Jinja2's filters on text.

use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::collections::{self, list};
use super::error::raise;
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
        "rsplit" => rsplit(text, args),
        "index" | "rindex" => index(text, method == "rindex", args),
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

fn rsplit(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator, most): (Option<String>, Option<i64>) = from_args(args)?;
    let most = most.and_then(|most| usize::try_from(most).ok());
    let mut parts: Vec<&str> = match (&separator, most) {
        (Some(separator), Some(most)) => text.rsplitn(most + 1, &**separator).collect(),
        (Some(separator), None) => text.rsplit(&**separator).collect(),
        (None, None) => text.split_whitespace().rev().collect(),
        (None, Some(most)) => {
            let mut parts = Vec::new();
            let mut rest = text.trim_end();
            while parts.len() < most
                && let Some((before, last)) = rest.rsplit_once(char::is_whitespace)
            {
                parts.push(last);
                rest = before.trim_end();
            }
            if !rest.is_empty() {
                parts.push(rest);
            }
            parts
        }
    };
    parts.reverse();
    Ok(list(parts.into_iter().map(Value::from)))
}

fn index(text: &str, last: bool, args: &[Value]) -> Result<Value, Error> {
    let part: String = one(args)?;
    let found = if last {
        text.rfind(&*part)
    } else {
        text.find(&*part)
    };
    found
        .map(|at| Value::from(text[..at].chars().count()))
        .ok_or_else(|| {
            raise(
                "rwt::jinja::text",
                format!("substring not found: `{part}` in `{text}`"),
                None,
            )
        })
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
    env.add_filter("tojson", |value: Value, keywords: Kwargs| {
        let _: Option<Value> = keywords.get("indent")?;
        keywords.assert_all_used()?;
        super::functions::html_safe_json(&value)
    });
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

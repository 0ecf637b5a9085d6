//! dbt's filters beyond Jinja's own, `as_bool`, `as_number`, `as_native`, `as_text`, and those filters and tests of
//! Jinja's that minijinja has otherwise.

use minijinja::value::{DynObject, Kwargs, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::collections::{from_json, pairs_of};
use super::config::ConfigValue;
use super::error::raise;
use super::functions::Var;
use super::macros::MacroValue;
use super::moment::places;
use super::sets::SetValue;

/// Adds every filter to an environment.
pub fn add_to(env: &mut Environment<'static>) {
    super::arithmetic::add_to(env);
    env.add_filter("as_bool", |value: Value| {
        match value.to_string().to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            other => Err(conversion(other, "a boolean")),
        }
    });
    env.add_filter("as_number", |value: Value| {
        let text = value.to_string();
        let text = text.trim();
        text.parse::<i64>()
            .map(Value::from)
            .or_else(|_| text.parse::<f64>().map(Value::from))
            .map_err(|_| conversion(text, "a number"))
    });
    env.add_filter("as_native", |value: Value| {
        let native = value
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok());
        native.map_or(value, |json: serde_json::Value| from_json(&json))
    });
    env.add_filter("as_text", |value: Value| value.to_string());
    env.add_filter("indent", indent);
    env.add_filter("int", int);
    env.add_filter("float", float);
    env.add_filter(
        "sort",
        |state: &State<'_, '_>, value: Value, args: Rest<ValueOrKwargs>| {
            let keywords = by_name(&["reverse", "case_sensitive", "attribute"], args)?;
            minijinja::filters::sort(state, value, keywords)
        },
    );
    env.add_filter("dictsort", |value: Value, args: Rest<ValueOrKwargs>| {
        let keywords = by_name(&["case_sensitive", "by", "reverse"], args)?;
        minijinja::filters::dictsort(&value, keywords)
    });
    add_tests(env);
}

/// Jinja2's tests that ask what Python can do with a value.
fn add_tests(env: &mut Environment<'static>) {
    env.add_test("iterable", |value: Value| {
        !value.is_none() && value.try_iter().is_ok()
    });
    env.add_test("sequence", |value: Value| {
        let kind = value.kind();
        matches!(
            kind,
            ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Undefined
        ) || kind == ValueKind::Iterable
            && value.len().is_some()
            && value.downcast_object_ref::<SetValue>().is_none()
    });
    env.add_test("callable", |value: Value| {
        value.is_undefined() || value.as_object().is_some_and(is_callable)
    });
}

fn is_callable(object: &DynObject) -> bool {
    let name = object.type_name();
    name.starts_with("minijinja::functions::")
        || name.starts_with("minijinja::vm::macro_object::")
        || object.is::<MacroValue>()
        || object.is::<ConfigValue>()
        || object.is::<Var>()
}

/// Arguments that may come by place, all by name.
fn by_name(names: &[&'static str], args: Rest<ValueOrKwargs>) -> Result<Kwargs, Error> {
    let args = args.into_values();
    let (places, keywords) = places(&args)?;
    if places.len() > names.len() {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let named = pairs_of(&Value::from(keywords))?;
    let named = named
        .iter()
        .filter_map(|(key, value)| Some((key.as_str()?, value.clone())));
    let placed = names.iter().copied().zip(places);
    Ok(placed
        .filter(|(_, value)| !value.is_none())
        .chain(named)
        .collect())
}

/// Jinja2's `int(default, base)`: of a text as of a number, and the default of what is none.
fn int(value: Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let keywords = by_name(&["default", "base"], args)?;
    let default = keywords.get::<Option<Value>>("default")?;
    let base = keywords.get::<Option<u32>>("base")?.unwrap_or(10);
    keywords.assert_all_used()?;
    let of_float =
        |number: f64| (number.is_finite() && number.abs() < 1e38).then_some(number as i128);
    let number = match value.as_str() {
        Some(text) => whole(text, base).or_else(|| decimal(text).and_then(of_float)),
        None if value.kind() == ValueKind::Bool => Some(i128::from(value.is_true())),
        None if value.is_integer() => return Ok(value),
        None if value.kind() == ValueKind::Number => f64::try_from(value).ok().and_then(of_float),
        None => None,
    };
    Ok(number.map_or_else(
        || default.unwrap_or_else(|| Value::from(0)),
        |number| i64::try_from(number).map_or_else(|_| Value::from(number), Value::from),
    ))
}

/// Jinja2's `float(default)`.
fn float(value: Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let keywords = by_name(&["default"], args)?;
    let default = keywords.get::<Option<Value>>("default")?;
    keywords.assert_all_used()?;
    let number = match value.as_str() {
        Some(text) => decimal(text),
        None if value.kind() == ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        None if value.kind() == ValueKind::Number => f64::try_from(value).ok(),
        None => None,
    };
    Ok(number.map_or_else(|| default.unwrap_or_else(|| Value::from(0.0)), Value::from))
}

/// Python's `int(text, base)`: blanks around it, `_` between digits, and the base's prefix.
fn whole(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => text.split_at(text.len() - digits.len()),
        None => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let digits = match base {
        16 => lower.strip_prefix("0x"),
        8 => lower.strip_prefix("0o"),
        2 => lower.strip_prefix("0b"),
        _ => None,
    }
    .unwrap_or(&lower);
    let digits = separated(digits)?;
    if !(2..=36).contains(&base) || digits.starts_with(['+', '-']) {
        return None;
    }
    i128::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

/// Python's `float(text)`.
fn decimal(text: &str) -> Option<f64> {
    separated(text.trim())?.parse().ok()
}

/// A number's text without the `_` between its digits.
fn separated(text: &str) -> Option<String> {
    let is_between = |at: usize| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        at > 0 && digit(bytes.get(at - 1)) && digit(bytes.get(at + 1))
    };
    let is_written_so = text.match_indices('_').all(|(at, _)| is_between(at));
    is_written_so.then(|| text.replace('_', ""))
}

/// Jinja2's `indent`: with so many blanks, or with a text; a line break at the end stays.
fn indent(text: String, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let args = args.into_values();
    let (width, first, blank, keywords): (Option<Value>, Option<bool>, Option<bool>, Kwargs) =
        from_args(&args)?;
    let width = keywords.get::<Option<Value>>("width")?.or(width);
    let first = keywords.get::<Option<bool>>("first")?.or(first);
    let blank = keywords.get::<Option<bool>>("blank")?.or(blank);
    keywords.assert_all_used()?;
    let by = match width {
        Some(width) => match (width.as_str(), width.as_i64()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(width)) => " ".repeat(usize::try_from(width).unwrap_or(0).min(10_000)),
            (None, None) => return Err(conversion(&width.to_string(), "a width")),
        },
        None => " ".repeat(4),
    };
    let mut out = String::with_capacity(text.len() + 64);
    for (at, line) in text.split('\n').enumerate() {
        let is_indented = match at {
            0 => first == Some(true),
            _ => !line.is_empty() || blank == Some(true),
        };
        if at > 0 {
            out.push('\n');
        }
        if is_indented {
            out.push_str(&by);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn conversion(text: &str, what: &str) -> Error {
    raise(
        "rwt::jinja::conversion",
        format!("`{text}` is not {what}"),
        None,
    )
}

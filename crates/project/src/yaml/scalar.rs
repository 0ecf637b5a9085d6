//! What a scalar without quotes or tag is: PyYAML's implicit resolvers, which dbt reads files with. Dates stay text.
//!
//! Source: PyYAML 6, `resolver.py` and `constructor.py`.

use super::tree::Kind;

/// The value of a plain scalar.
pub(super) fn plain(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Kind::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Kind::Bool(false)
        }
        // Only these begin numbers, and most texts begin with a letter.
        _ if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) => {
            Kind::Text(text.to_owned())
        }
        _ => integer(text)
            .map(Kind::Int)
            .or_else(|| float(text).map(Kind::Float))
            .unwrap_or_else(|| Kind::Text(text.to_owned())),
    }
}

/// Binary, octal with a leading 0, hexadecimal, decimal, and base 60 (`1:30`). None for what is none of them or does not
/// fit.
fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = signed(text);
    let of = |digits: &str, radix: u32| -> Option<i64> {
        let is_digit = |c: char| c == '_' || c.is_digit(radix);
        if digits.is_empty() || !digits.chars().all(is_digit) {
            return None;
        }
        i64::from_str_radix(&format!("{sign}{}", digits.replace('_', "")), radix).ok()
    };
    if digits == "0" {
        return Some(0);
    }
    if let Some(rest) = digits.strip_prefix('0') {
        return match rest.as_bytes().first()? {
            b'b' => of(&rest[1..], 2),
            b'x' => of(&rest[1..], 16),
            _ => of(rest, 8),
        };
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let Some((first, rest)) = digits.split_once(':') else {
        return of(digits, 10);
    };
    let mut value = of(first, 10)?;
    for part in rest.split(':') {
        value = value
            .checked_mul(60)?
            .checked_add(of(sixtieths(part)?, 10)?)?;
    }
    Some(value)
}

/// A number with a point, whose exponent has a sign; base 60 with a point; the infinities and not-a-number.
fn float(text: &str) -> Option<f64> {
    let (sign, number) = signed(text);
    let factor = if sign == "-" { -1.0 } else { 1.0 };
    match number {
        ".inf" | ".Inf" | ".INF" => return Some(factor * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if number == text => return Some(f64::NAN),
        _ => {}
    }
    let (whole, rest) = number.split_once('.')?;
    if let Some((first, parts)) = whole.split_once(':') {
        let mut value = digits(first)?.parse::<f64>().ok()?;
        for part in parts.split(':') {
            value = value * 60.0 + sixtieths(part)?.parse::<f64>().ok()?;
        }
        let fraction = if rest.is_empty() {
            "0".to_owned()
        } else {
            digits(rest)?
        };
        return Some(factor * (value + format!("0.{fraction}").parse::<f64>().ok()?));
    }
    // `.5` is a number and `-.5` is text.
    if whole.is_empty() && (number != text || rest.is_empty()) {
        return None;
    }
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        None => (rest, None),
        Some((fraction, exponent)) => (fraction, Some(exponent)),
    };
    if whole.is_empty() && !fraction.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut written = match whole {
        "" => "0".to_owned(),
        _ => digits(whole)?,
    };
    written.push('.');
    written.push_str(&if fraction.is_empty() {
        "0".to_owned()
    } else {
        digits(fraction)?
    });
    if let Some(exponent) = exponent {
        let number = exponent.strip_prefix(['+', '-'])?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        written.push('e');
        written.push_str(exponent);
    }
    Some(factor * written.parse::<f64>().ok()?)
}

fn signed(text: &str) -> (&'static str, &str) {
    match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Digits without the `_` among them, with one digit at least.
fn digits(text: &str) -> Option<String> {
    let is_one = |c: char| c == '_' || c.is_ascii_digit();
    let kept = text.replace('_', "");
    (text.chars().all(is_one) && !kept.is_empty()).then_some(kept)
}

/// `0` to `59`, with or without a zero before it.
fn sixtieths(part: &str) -> Option<&str> {
    match part.as_bytes() {
        [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'] => Some(part),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PyYAML 6.0.2 said of each: `python -c 'import yaml; print(yaml.safe_load("10"))'`.
    #[test]
    fn numbers_are_what_they_are_for_pyyaml() {
        let int = |text: &str, value: i64| assert_eq!(plain(text), Kind::Int(value), "{text}");
        let float = |text: &str, value: f64| assert_eq!(plain(text), Kind::Float(value), "{text}");
        let text = |text: &str| assert_eq!(plain(text), Kind::Text(text.to_owned()), "{text}");
        for (written, value) in [
            ("10", 10),
            ("010", 8),
            ("-017", -15),
            ("+5", 5),
            ("0", 0),
            ("-0", 0),
            ("0_7", 7),
            ("0x1F", 31),
            ("-0x1f", -31),
            ("0b1010", 10),
            ("1_000", 1000),
            ("1:30", 90),
            ("-1:30", -90),
            ("12:30:45", 45045),
            ("-9223372036854775808", i64::MIN),
        ] {
            int(written, value);
        }
        for (written, value) in [
            ("1.5", 1.5),
            ("-1.5", -1.5),
            ("1.", 1.0),
            (".5", 0.5),
            ("1.5e+3", 1500.0),
            ("1_0.2_5", 10.25),
            ("190:20:30.15", 685_230.15),
            ("-.inf", f64::NEG_INFINITY),
        ] {
            float(written, value);
        }
        assert!(matches!(plain(".nan"), Kind::Float(value) if value.is_nan()));
        for written in [
            "08",
            "0o17",
            "1e3",
            "1.5e3",
            "-.5",
            ".",
            "-",
            "+",
            "1:60",
            "2026-01-01",
            "1.2.3",
            "0x",
            "0b2",
            "_1",
            "99999999999999999999",
            "1:30:",
            "-.nan",
            "..5",
            "._5",
        ] {
            text(written);
        }
    }

    #[test]
    fn words_are_booleans_where_they_are_for_pyyaml() {
        for word in ["yes", "No", "on", "off", "TRUE"] {
            assert!(matches!(plain(word), Kind::Bool(_)), "{word}");
        }
        for word in ["y", "n", "tRUE", "nUll"] {
            assert!(matches!(plain(word), Kind::Text(_)), "{word}");
        }
    }
}

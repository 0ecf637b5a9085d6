//! Numbers as RisingWave prints them.

use std::fmt::{self, Write};

use bytes::{BufMut, BytesMut};

/// A double. RisingWave prints the shortest digits that read back, plain for 10^-5 up to 10^16 and with an exponent of
/// at least two digits beyond.
pub(super) fn write_double(out: &mut impl Write, value: f64) -> fmt::Result {
    write_float(out, value, format!("{value:e}"), -5, 16)
}

/// A real: plain for 10^-6 up to 10^13.
pub(super) fn write_real(out: &mut impl Write, value: f32) -> fmt::Result {
    write_float(out, value.into(), format!("{value:e}"), -6, 13)
}

/// `scientific` is `value` as Rust's shortest scientific notation; a point position (the power of ten that the digits
/// stand below) above `low` and up to `high` is printed plainly.
fn write_float(
    out: &mut impl Write,
    value: f64,
    scientific: String,
    low: i32,
    high: i32,
) -> fmt::Result {
    if value.is_nan() {
        return out.write_str("NaN");
    }
    if value.is_infinite() {
        return out.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let (mantissa, exponent) = scientific.split_once('e').ok_or(fmt::Error)?;
    let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
    let unsigned = mantissa.strip_prefix('-');
    if unsigned.is_some() {
        out.write_char('-')?;
    }
    let mantissa = unsigned.unwrap_or(mantissa);
    if value == 0.0 {
        return out.write_char('0');
    }
    let point = exponent + 1;
    if point <= low || point > high {
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let digits = mantissa.replace('.', "");
    if point <= 0 {
        let zeros = point.unsigned_abs() as usize;
        write!(out, "0.{:0<zeros$}{digits}", "")
    } else if digits.len() <= point as usize {
        write!(out, "{digits:0<width$}", width = point as usize)
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        write!(out, "{whole}.{fraction}")
    }
}

/// A numeric of a fixed scale. The scale that the value was written with is not known, so an integral value prints
/// without a fraction, a scale up to 6 prints all its digits and a larger one loses its trailing zeros.
pub(crate) fn numeric_text(unscaled: i128, scale: u32) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = scale as usize;
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let kept = fraction.trim_end_matches('0');
    if kept.is_empty() {
        format!("{sign}{whole}")
    } else if scale <= 6 {
        format!("{sign}{whole}.{fraction}")
    } else {
        format!("{sign}{whole}.{kept}")
    }
}

/// A numeric's text (`-12.50`, `NaN`, `Infinity`) in PostgreSQL's binary form: groups of four decimal digits. `None`
/// if it is no such text.
pub(crate) fn numeric_binary(text: &str, out: &mut BytesMut) -> Option<()> {
    let special = match text {
        "NaN" => Some(0xC000),
        "Infinity" => Some(0xD000),
        "-Infinity" => Some(0xF000),
        _ => None,
    };
    if let Some(sign) = special {
        out.put_i32(0);
        out.put_u16(sign);
        out.put_i16(0);
        return Some(());
    }
    let unsigned = text.strip_prefix('-');
    let (whole, fraction) = {
        let text = unsigned.unwrap_or(text);
        text.split_once('.').unwrap_or((text, ""))
    };
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let front = whole.len().div_ceil(4);
    let back = fraction.len().div_ceil(4);
    let digits = format!(
        "{whole:0>front$}{fraction:0<back$}",
        front = front * 4,
        back = back * 4
    );
    let groups: Vec<i16> = digits
        .as_bytes()
        .chunks(4)
        .map(|group| group.iter().fold(0, |n, d| n * 10 + i16::from(d - b'0')))
        .collect();
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let trailing = groups[leading..]
        .iter()
        .rev()
        .take_while(|group| **group == 0)
        .count();
    let kept = &groups[leading..groups.len() - trailing];
    let weight = if kept.is_empty() {
        0
    } else {
        i16::try_from(front as i64 - 1 - leading as i64).ok()?
    };
    out.put_i16(i16::try_from(kept.len()).ok()?);
    out.put_i16(weight);
    out.put_u16(if unsigned.is_some() && !kept.is_empty() {
        0x4000
    } else {
        0
    });
    out.put_i16(i16::try_from(fraction.len()).ok()?);
    for group in kept {
        out.put_i16(*group);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: f64) -> String {
        let mut out = String::new();
        write_double(&mut out, value).unwrap();
        out
    }

    fn real(value: f32) -> String {
        let mut out = String::new();
        write_real(&mut out, value).unwrap();
        out
    }

    #[test]
    fn doubles_print_as_recorded() {
        let recorded = [
            (1.5, "1.5"),
            (1.0, "1"),
            (0.0, "0"),
            (100.0, "100"),
            (-0.0, "-0"),
            (1e15, "1000000000000000"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (1e20, "1e+20"),
            (1e-5, "0.00001"),
            (1e-7, "1e-07"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1.5e300, "1.5e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (1714979289.5, "1714979289.5"),
            (-12.34, "-12.34"),
        ];
        for (value, text) in recorded {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn reals_print_as_recorded() {
        for (value, text) in [
            (0.1, "0.1"),
            (1.0 / 3.0, "0.33333334"),
            (1e10, "10000000000"),
            (3.4e38, "3.4e+38"),
            (1e-40, "1e-40"),
            (12.34, "12.34"),
        ] {
            assert_eq!(real(value), text);
        }
    }

    #[test]
    fn numerics_follow_the_scale_rule() {
        assert_eq!(numeric_text(100, 2), "1");
        assert_eq!(numeric_text(0, 10), "0");
        assert_eq!(numeric_text(60, 2), "0.60");
        assert_eq!(numeric_text(-1, 2), "-0.01");
        assert_eq!(numeric_text(32_500_000_000, 10), "3.25");
        assert_eq!(numeric_text(1714979289500000, 6), "1714979289.500000");
    }

    fn binary(text: &str) -> Vec<u8> {
        let mut out = BytesMut::new();
        numeric_binary(text, &mut out).unwrap();
        out.to_vec()
    }

    #[test]
    fn numeric_binary_has_postgresql_groups() {
        assert_eq!(binary("0"), [0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(binary("0.00"), [0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(binary("1.50"), [0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0x13, 0x88]);
        assert_eq!(binary("-10000"), [0, 1, 0, 1, 0x40, 0, 0, 0, 0, 1]);
        assert_eq!(binary("0.0001"), [0, 1, 0xff, 0xff, 0, 0, 0, 4, 0, 1]);
        assert_eq!(binary("NaN"), [0, 0, 0, 0, 0xC0, 0, 0, 0]);
        assert_eq!(numeric_binary("1x", &mut BytesMut::new()), None);
    }
}

//! Decimal numbers from text and from PostgreSQL's binary form.

use crate::param::{NonFinite, Param};

/// RisingWave's decimals have at most 28 digits behind the point.
const MAX_SCALE: i64 = 28;

/// `-12.50`, `.5`, `1e3`, `NaN`, `inf`, `-Infinity`. Digits behind the 28th decimal are rounded away.
pub(super) fn from_text(text: &str) -> Result<Param, String> {
    let text = text.trim();
    if let Some(value) = non_finite(text) {
        return Ok(Param::NonFinite(value));
    }
    let failed = || format!("Failed to parse \"{text}\" as numeric");
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (
            &text[..at],
            text[at + 1..].parse::<i32>().map_err(|_| failed())?,
        ),
        None => (text, 0),
    };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(failed());
    }
    let mut unscaled: i128 = 0;
    let mut scale = fraction.len() as i64 - i64::from(exponent);
    for digit in whole.bytes().chain(fraction.bytes()) {
        if !digit.is_ascii_digit() {
            return Err(failed());
        }
        unscaled = append_digit(unscaled, digit - b'0').ok_or_else(out_of_range)?;
    }
    while scale > MAX_SCALE && unscaled != 0 {
        let last = scale == MAX_SCALE + 1 && unscaled % 10 >= 5;
        unscaled = unscaled / 10 + i128::from(last);
        scale -= 1;
    }
    let missing = if unscaled == 0 { 0 } else { -scale };
    for _ in 0..missing {
        unscaled = append_digit(unscaled, 0).ok_or_else(out_of_range)?;
    }
    if mantissa.starts_with('-') {
        unscaled = -unscaled;
    }
    Ok(Param::Numeric {
        unscaled,
        scale: scale.clamp(0, MAX_SCALE) as u8,
    })
}

fn non_finite(text: &str) -> Option<NonFinite> {
    Some(match text.to_ascii_lowercase().as_str() {
        "nan" => NonFinite::NaN,
        "inf" | "+inf" | "infinity" | "+infinity" => NonFinite::Infinity,
        "-inf" | "-infinity" => NonFinite::NegativeInfinity,
        _ => return None,
    })
}

/// The groups of four digits, of which the first stands for `10000^weight`.
pub(super) fn from_groups(
    groups: &[i16],
    weight: i16,
    sign: u16,
    scale: u16,
) -> Result<Param, String> {
    let special = match sign {
        0xC000 => Some(NonFinite::NaN),
        0xD000 => Some(NonFinite::Infinity),
        0xF000 => Some(NonFinite::NegativeInfinity),
        _ => None,
    };
    if let Some(value) = special {
        return Ok(Param::NonFinite(value));
    }
    let scale = match u8::try_from(scale) {
        Ok(scale) if i64::from(scale) <= MAX_SCALE => scale,
        _ => return Err(out_of_range()),
    };
    let negative = match sign {
        0 => false,
        0x4000 => true,
        _ => return Err("invalid sign in external \"numeric\" value".into()),
    };
    let mut unscaled: i128 = 0;
    for (i, group) in (0..).zip(groups) {
        if !(0..10_000).contains(group) {
            return Err("invalid digit in external \"numeric\" value".into());
        }
        let power = 4 * (i64::from(weight) - i) + i64::from(scale);
        let magnitude = u32::try_from(power.unsigned_abs()).map_err(|_| out_of_range())?;
        let value = i128::from(*group);
        let share = if value == 0 {
            0
        } else if power >= 0 {
            10_i128
                .checked_pow(magnitude)
                .and_then(|power| value.checked_mul(power))
                .ok_or_else(out_of_range)?
        } else {
            10_i128
                .checked_pow(magnitude)
                .map_or(0, |power| value / power)
        };
        unscaled = unscaled
            .checked_add(share)
            .filter(|sum| *sum <= MAX_UNSCALED)
            .ok_or_else(out_of_range)?;
    }
    Ok(Param::Numeric {
        unscaled: if negative { -unscaled } else { unscaled },
        scale,
    })
}

/// The largest value of 38 digits.
const MAX_UNSCALED: i128 = 10_i128.pow(38) - 1;

fn append_digit(value: i128, digit: u8) -> Option<i128> {
    value
        .checked_mul(10)?
        .checked_add(digit.into())
        .filter(|value| *value <= MAX_UNSCALED)
}

fn out_of_range() -> String {
    "Numeric out of range".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(unscaled: i128, scale: u8) -> Result<Param, String> {
        Ok(Param::Numeric { unscaled, scale })
    }

    #[test]
    fn text_keeps_its_scale() {
        assert_eq!(from_text("12.50"), numeric(1250, 2));
        assert_eq!(from_text(" -0.5 "), numeric(-5, 1));
        assert_eq!(from_text("1e3"), numeric(1000, 0));
        assert_eq!(from_text("1.5E-3"), numeric(15, 4));
        assert_eq!(from_text("0e999999999"), numeric(0, 0));
        assert_eq!(
            from_text("0.33333333333333333333333333335"),
            numeric(3333333333333333333333333334, 28)
        );
    }

    #[test]
    fn not_a_number_and_the_infinities_are_numerics() {
        for (texts, sign, value) in [
            (["NaN", "nan"], 0xC000, NonFinite::NaN),
            (["Infinity", "inf"], 0xD000, NonFinite::Infinity),
            (["-Infinity", "-inf"], 0xF000, NonFinite::NegativeInfinity),
        ] {
            let value = Ok(Param::NonFinite(value));
            assert_eq!(texts.map(from_text), [value.clone(), value.clone()]);
            // psycopg sends a scale with them, PostgreSQL's own is 0x20
            assert_eq!(from_groups(&[], 0, sign, 0x20), value);
        }
    }

    #[test]
    fn what_is_no_number_or_too_large_is_refused() {
        for text in ["", ".", "-", "1x", "1e", "1.2.3"] {
            assert!(
                from_text(text).unwrap_err().starts_with("Failed to parse"),
                "{text}"
            );
        }
        assert_eq!(from_text("1e99"), Err("Numeric out of range".into()));
        assert_eq!(
            from_groups(&[1], 32767, 0, 0),
            Err("Numeric out of range".into())
        );
        assert_eq!(from_groups(&[5000], -1, 0x4000, 2), numeric(-50, 2));
    }
}

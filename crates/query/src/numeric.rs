//! RisingWave's numeric: a decimal with a scale of its own (96 bits, at most 28 digits after the point), not-a-number and
//! the two infinities; and how it is kept in Arrow.
//!
//! Arrow's decimals have one scale per column, so a numeric is kept as a code in `Decimal256`: the value at 28 digits
//! after the point, shifted left by five bits, and its own scale in these bits. Codes order as the values do; equal
//! values of different scales differ in the lowest bits only, which [`key_of`] evens out. The largest codes are
//! not-a-number and the infinities, in RisingWave's order.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::{DataType as ArrowType, i256};
use datafusion::common::ScalarValue;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};

/// The Arrow type of numerics.
pub(crate) const NUMERIC: ArrowType = ArrowType::Decimal256(76, SCALE);

const SCALE: i8 = 28;
const SCALE_BITS: u8 = 5;
/// In the place of the scale: as many digits as the value needs.
const SHORTEST: u128 = 31;

const INFINITY: i256 = i256::from_parts(0, 1 << 120);
const NAN: i256 = i256::from_parts(0, 1 << 121);
const NEGATIVE_INFINITY: i256 = i256::from_parts(0, -(1 << 120));

/// A numeric. The order is RisingWave's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Numeric {
    NegativeInfinity,
    Finite(Decimal),
    Infinity,
    NaN,
}

use Numeric::{Finite, Infinity, NaN, NegativeInfinity};

impl Numeric {
    pub(crate) const ZERO: Self = Finite(Decimal::ZERO);
    pub(crate) const ONE: Self = Finite(Decimal::ONE);

    /// The number, if it is one.
    pub(crate) fn finite(self) -> Option<Decimal> {
        match self {
            Finite(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        matches!(self, Finite(value) if value.is_zero())
    }

    pub(crate) fn is_negative(self) -> bool {
        match self {
            Finite(value) => value.is_sign_negative() && !value.is_zero(),
            other => other == NegativeInfinity,
        }
    }

    fn sign(self) -> i8 {
        match self {
            _ if self.is_zero() => 0,
            _ if self.is_negative() => -1,
            _ => 1,
        }
    }

    fn infinite(sign: i8) -> Self {
        match sign {
            0 => NaN,
            1.. => Infinity,
            _ => NegativeInfinity,
        }
    }

    pub(crate) fn negate(self) -> Self {
        match self {
            Finite(value) => Finite(-value),
            Infinity => NegativeInfinity,
            NegativeInfinity => Infinity,
            NaN => NaN,
        }
    }

    /// The sum; `None` if it has more than 96 bits.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Finite(a), Finite(b)) => Finite(a.checked_add(b)?),
            (NaN, _) | (_, NaN) => NaN,
            (Infinity, NegativeInfinity) | (NegativeInfinity, Infinity) => NaN,
            (Finite(_), infinite) | (infinite, _) => infinite,
        })
    }

    pub(crate) fn checked_sub(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Finite(a), Finite(b)) => Some(Finite(a.checked_sub(b)?)),
            _ => self.checked_add(other.negate()),
        }
    }

    pub(crate) fn checked_mul(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Finite(a), Finite(b)) => Finite(a.checked_mul(b)?),
            (NaN, _) | (_, NaN) => NaN,
            _ => Self::infinite(self.sign() * other.sign()),
        })
    }

    /// The quotient; `None` if the divisor of a number is zero, or the result has more than 96 bits.
    pub(crate) fn checked_div(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Finite(a), Finite(b)) => Finite(a.checked_div(b)?),
            (NaN, _) | (_, NaN) => NaN,
            (Finite(_), _) => Self::ZERO,
            (infinite, divisor) if divisor.is_zero() => infinite,
            (infinite, Finite(b)) => {
                Self::infinite(infinite.sign() * if b.is_sign_negative() { -1 } else { 1 })
            }
            _ => NaN,
        })
    }

    /// The remainder; `None` of a division by zero.
    pub(crate) fn checked_rem(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Finite(a), Finite(b)) => Finite(a.checked_rem(b)?),
            (Finite(a), Infinity | NegativeInfinity) => Finite(a),
            _ => NaN,
        })
    }

    /// The number through a function; anything else stays as it is.
    pub(crate) fn map(self, number: impl FnOnce(Decimal) -> Decimal) -> Self {
        match self {
            Finite(value) => Finite(number(value)),
            other => other,
        }
    }

    /// Without zeros at the end of the fraction.
    pub(crate) fn normalize(self) -> Self {
        self.map(|value| value.normalize())
    }

    /// Half away from zero; a negative number of digits rounds before the point. `None` if the result is too large.
    pub(crate) fn round(self, digits: i64) -> Option<Self> {
        let half_away = RoundingStrategy::MidpointAwayFromZero;
        let Finite(value) = self else {
            return Some(self);
        };
        if let Ok(digits) = u32::try_from(digits) {
            return Some(Finite(
                value.round_dp_with_strategy(digits.min(28), half_away),
            ));
        }
        let left = u32::try_from(digits.unsigned_abs()).unwrap_or(u32::MAX);
        let whole = match value.scale().saturating_add(left) {
            scale @ ..=28 => {
                let mut moved = value;
                moved.set_scale(scale).ok()?;
                moved.round_dp_with_strategy(0, half_away)
            }
            29 => Decimal::from((value.mantissa() / (5 * 10_i128.pow(28))).signum()),
            _ => Decimal::ZERO,
        };
        if whole.is_zero() {
            return Some(Self::ZERO);
        }
        let factor = Decimal::try_from_i128_with_scale(10_i128.checked_pow(left)?, 0).ok()?;
        Some(Finite(whole.checked_mul(factor)?))
    }

    /// The nearest integer, half away from zero; `None` if there is none.
    pub(crate) fn to_integer(self) -> Option<i128> {
        let rounded = self
            .finite()?
            .round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
        Some(rounded.mantissa())
    }

    pub(crate) fn to_double(self) -> f64 {
        match self {
            Finite(value) => value.to_f64().unwrap_or(f64::NAN),
            Infinity => f64::INFINITY,
            NegativeInfinity => f64::NEG_INFINITY,
            NaN => f64::NAN,
        }
    }

    /// A double as a numeric, at the digits that a double is good for; `None` if it is too large.
    pub(crate) fn from_double(value: f64) -> Option<Self> {
        Some(match value {
            v if v.is_nan() => NaN,
            f64::INFINITY => Infinity,
            f64::NEG_INFINITY => NegativeInfinity,
            v => Finite(Decimal::from_f64(v)?),
        })
    }

    /// As [`Numeric::from_double`], for single precision.
    pub(crate) fn from_real(value: f32) -> Option<Self> {
        if value.is_finite() {
            return Decimal::from_f32(value).map(Finite);
        }
        Self::from_double(f64::from(value))
    }

    /// The logarithm as RisingWave computes it, down to its last digit: the series of ln(1 + x), after the value is
    /// brought below one by powers of e. `None` of what is not positive.
    pub(crate) fn ln(value: Decimal) -> Option<Decimal> {
        if value <= Decimal::ZERO {
            return None;
        }
        if value == Decimal::ONE {
            return Some(Decimal::ZERO);
        }
        let mut rest = value;
        let mut powers = 0_i64;
        while rest >= Decimal::ONE {
            rest = rest.checked_mul(Decimal::E_INVERSE)?;
            powers += 1;
        }
        while rest <= Decimal::E_INVERSE {
            rest = rest.checked_mul(Decimal::E)?;
            powers -= 1;
        }
        rest -= Decimal::ONE;
        let (mut sum, mut last, mut power) = (Decimal::ZERO, Decimal::ONE, Decimal::ONE);
        for term in 1..=100_i64 {
            if rest.is_zero() || sum == last {
                break;
            }
            last = sum;
            power *= -rest;
            sum += power / Decimal::from(term);
        }
        Some(Decimal::from(powers) - sum)
    }

    /// The unscaled value of a number at a scale, rounded half away from zero; `None` if it is none or does not fit.
    pub(crate) fn unscaled_at(self, scale: u32) -> Option<i128> {
        let value = self
            .finite()?
            .round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero);
        let factor = 10_i128.checked_pow(scale.checked_sub(value.scale())?)?;
        value.mantissa().checked_mul(factor)
    }

    /// The code that Arrow keeps.
    pub(crate) fn encode(self) -> i256 {
        match self {
            Finite(value) => {
                let scale = value.scale().min(28);
                let factor = i256::from_i128(10_i128.pow(28 - scale));
                let at_28 = i256::from_i128(value.mantissa()).wrapping_mul(factor);
                (at_28 << SCALE_BITS) | i256::from_i128(scale.into())
            }
            Infinity => INFINITY,
            NegativeInfinity => NEGATIVE_INFINITY,
            NaN => NAN,
        }
    }

    /// The numeric behind a code.
    pub(crate) fn decode(code: i256) -> Self {
        let (low, high) = code.to_parts();
        match high {
            h if h >= 1 << 121 => return NaN,
            h if h >= 1 << 119 => return Infinity,
            h if h <= -(1 << 119) => return NegativeInfinity,
            _ => {}
        }
        let mut at_28 = code >> SCALE_BITS;
        match low & SHORTEST {
            SHORTEST => {
                let mut scale = 28_u32;
                for step in [16_u32, 8, 4, 2, 1, 1] {
                    let power = 10_i128.pow(step);
                    while scale >= step {
                        match divided(at_28, power) {
                            Some(shorter) => at_28 = shorter,
                            None => break,
                        }
                        scale -= step;
                    }
                }
                number(at_28, scale)
            }
            scale => {
                let scale = u32::try_from(scale).unwrap_or(28).min(28);
                let power = 10_i128.pow(28 - scale);
                let mantissa = match at_28.to_i128() {
                    Some(narrow) => i256::from_i128(narrow / power),
                    None => at_28.wrapping_div(i256::from_i128(power)),
                };
                number(mantissa, scale)
            }
        }
    }
}

/// A value divided by a power of ten, if it divides.
fn divided(value: i256, power: i128) -> Option<i256> {
    match value.to_i128() {
        Some(narrow) => (narrow % power == 0).then(|| i256::from_i128(narrow / power)),
        None => {
            let power = i256::from_i128(power);
            (value.wrapping_rem(power) == i256::ZERO).then(|| value.wrapping_div(power))
        }
    }
}

fn number(mantissa: i256, scale: u32) -> Numeric {
    mantissa
        .to_i128()
        .and_then(|m| Decimal::try_from_i128_with_scale(m, scale).ok())
        .map_or(NaN, Finite)
}

/// The code that all codes of equal values share. It is the code of the value without zeros at its end.
pub(crate) fn key_of(code: i256) -> i256 {
    let (low, high) = code.to_parts();
    if !(-(1 << 119)..1 << 119).contains(&high) {
        return code;
    }
    i256::from_parts(low | SHORTEST, high)
}

/// The code of a distance between keys, for window frames: its sum with a key is a key.
pub(crate) fn distance_scalar(value: Numeric) -> ScalarValue {
    let (low, high) = value.encode().to_parts();
    let distance = i256::from_parts(low & !SHORTEST, high);
    ScalarValue::Decimal256(Some(distance), 76, SCALE)
}

impl From<Decimal> for Numeric {
    fn from(value: Decimal) -> Self {
        Finite(value)
    }
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Self {
        Finite(Decimal::from(value))
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finite(value) => fmt::Display::fmt(value, f),
            Infinity => f.write_str("Infinity"),
            NegativeInfinity => f.write_str("-Infinity"),
            NaN => f.write_str("NaN"),
        }
    }
}

/// A text that is no numeric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoNumeric;

impl FromStr for Numeric {
    type Err = NoNumeric;

    /// Digits beyond the 28th decimal are rounded.
    fn from_str(text: &str) -> Result<Self, NoNumeric> {
        if let Ok(value) = Decimal::from_str(text) {
            return Ok(Finite(value));
        }
        Ok(match text.to_ascii_lowercase().as_str() {
            "nan" => NaN,
            "inf" | "+inf" | "infinity" | "+infinity" => Infinity,
            "-inf" | "-infinity" => NegativeInfinity,
            _ => Finite(Decimal::from_scientific(text).map_err(|_| NoNumeric)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Numeric {
        text.parse().unwrap()
    }

    #[test]
    fn codes_keep_value_and_scale() {
        for text in [
            "0",
            "0.00",
            "1.50",
            "-1.50",
            "100.000",
            "-0.0000000000000000000000000001",
            "79228162514264337593543950335",
            "-79228162514264337593543950335",
            "12345678901234567890.12345678",
            "NaN",
            "Infinity",
            "-Infinity",
        ] {
            assert_eq!(Numeric::decode(n(text).encode()).to_string(), text);
        }
    }

    #[test]
    fn codes_order_as_values_and_keys_are_equal_where_values_are() {
        let sorted = [
            "-Infinity",
            "-79228162514264337593543950335",
            "-1.5",
            "-0.1",
            "0",
            "0.0000000000000000000000000001",
            "1",
            "1.1",
            "79228162514264337593543950335",
            "Infinity",
            "NaN",
        ];
        for pair in sorted.windows(2) {
            assert!(n(pair[0]).encode() < n(pair[1]).encode(), "{pair:?}");
            assert!(
                key_of(n(pair[0]).encode()) < key_of(n(pair[1]).encode()),
                "{pair:?}"
            );
        }
        for (a, b) in [
            ("1.50", "1.5"),
            ("-2", "-2.000"),
            ("0.00", "0"),
            ("NaN", "nan"),
        ] {
            assert_eq!(key_of(n(a).encode()), key_of(n(b).encode()));
        }
        for (text, short) in [
            ("1.50", "1.5"),
            ("-100.00", "-100"),
            ("0.000", "0"),
            ("NaN", "NaN"),
        ] {
            assert_eq!(Numeric::decode(key_of(n(text).encode())).to_string(), short);
        }
        let largest = n("79228162514264337593543950335").encode();
        assert_eq!(
            Numeric::decode(key_of(largest)),
            n("79228162514264337593543950335")
        );
    }

    #[test]
    fn what_is_no_number_follows_ieee() {
        assert_eq!(Infinity.checked_add(NegativeInfinity), Some(NaN));
        assert_eq!(n("1").checked_sub(Infinity), Some(NegativeInfinity));
        assert_eq!(n("-2").checked_mul(Infinity), Some(NegativeInfinity));
        assert_eq!(n("0").checked_mul(Infinity), Some(NaN));
        assert_eq!(n("1").checked_div(Infinity), Some(Numeric::ZERO));
        assert_eq!(n("1").checked_div(n("0")), None);
        assert_eq!(Infinity.checked_div(n("-3")), Some(NegativeInfinity));
        assert_eq!(n("5").checked_rem(n("0")), None);
        assert_eq!(NaN.checked_add(n("1")), Some(NaN));
    }

    #[test]
    fn logarithms_have_risingwaves_last_digit() {
        let ln = |text: &str| Numeric::ln(n(text).finite().unwrap()).map(|v| v.to_string());
        assert_eq!(ln("2.0").as_deref(), Some("0.6931471805599453094172321218"));
        assert_eq!(ln("1").as_deref(), Some("0"));
        assert_eq!(ln("0"), None);
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        let rounded = |text: &str, digits| n(text).round(digits).map(|v| v.to_string());
        assert_eq!(rounded("1.005", 2).as_deref(), Some("1.01"));
        assert_eq!(rounded("-2.5", 0).as_deref(), Some("-3"));
        assert_eq!(rounded("0.1", 5).as_deref(), Some("0.1"));
        assert_eq!(rounded("1234.567", -2).as_deref(), Some("1200"));
        assert_eq!(rounded("-500.000", -3).as_deref(), Some("-1000"));
        assert_eq!(rounded("-499.99", -3).as_deref(), Some("0"));
        assert_eq!(rounded("79228162514264337593543950335", -28), None);
        assert_eq!(rounded("NaN", 1).as_deref(), Some("NaN"));
    }
}

//! Trigonometry in degrees, exact where the angle is one of those that everybody knows (PostgreSQL's method).

/// The sine of 30 degrees, and what the cosine of 60 lacks to one, as floats have them.
const SIN_30: f64 = 0.499_999_999_999_999_94;
const ONE_MINUS_COS_60: f64 = 0.499_999_999_999_999_9;
const ASIN_HALF: f64 = 0.523_598_775_598_298_8;
const RADIANS: f64 = 0.017_453_292_519_943_295;

fn cos_to_60(angle: f64) -> f64 {
    1.0 - ((1.0 - (angle * RADIANS).cos()) / ONE_MINUS_COS_60) / 2.0
}

fn sin_to_30(angle: f64) -> f64 {
    ((angle * RADIANS).sin() / SIN_30) / 2.0
}

fn cos_to_90(angle: f64) -> f64 {
    if angle <= 60.0 {
        cos_to_60(angle)
    } else {
        sin_to_30(90.0 - angle)
    }
}

fn sin_to_90(angle: f64) -> f64 {
    if angle <= 30.0 {
        sin_to_30(angle)
    } else {
        cos_to_60(90.0 - angle)
    }
}

/// The angle in the first quadrant with the same values, but for their signs: whether the angle was negative, in the
/// lower half and in the left half of the circle.
fn quadrant(angle: f64) -> (f64, [bool; 3]) {
    let turned = angle % 360.0;
    let negative = turned < 0.0;
    let turned = turned.abs();
    let lower = turned > 180.0;
    let turned = if lower { 360.0 - turned } else { turned };
    let left = turned > 90.0;
    let turned = if left { 180.0 - turned } else { turned };
    (turned, [negative, lower, left])
}

fn signed(value: f64, flips: &[bool]) -> f64 {
    let odd = flips.iter().filter(|flip| **flip).count() % 2 == 1;
    if odd { -value } else { value }
}

pub(crate) fn sin(angle: f64) -> f64 {
    if !angle.is_finite() {
        return f64::NAN;
    }
    let (turned, [negative, lower, _]) = quadrant(angle);
    signed(sin_to_90(turned), &[negative, lower])
}

pub(crate) fn cos(angle: f64) -> f64 {
    if !angle.is_finite() {
        return f64::NAN;
    }
    let (turned, [_, _, left]) = quadrant(angle);
    signed(cos_to_90(turned), &[left])
}

/// Zero has no sign.
fn ratio(over: f64, under: f64, flips: &[bool]) -> f64 {
    signed(over / under, flips) + 0.0
}

pub(crate) fn tan(angle: f64) -> f64 {
    if !angle.is_finite() {
        return f64::NAN;
    }
    let (turned, flips) = quadrant(angle);
    ratio(sin_to_90(turned), cos_to_90(turned), &flips)
}

pub(crate) fn cot(angle: f64) -> f64 {
    if !angle.is_finite() {
        return f64::NAN;
    }
    let (turned, flips) = quadrant(angle);
    ratio(cos_to_90(turned), sin_to_90(turned), &flips)
}

/// The angle of a sine; not a number outside of -1 to 1.
pub(crate) fn asin(value: f64) -> f64 {
    if !(-1.0..=1.0).contains(&value) {
        return f64::NAN;
    }
    let size = value.abs();
    let angle = if size <= 0.5 {
        size.asin() / ASIN_HALF * 30.0
    } else {
        90.0 - size.acos() / ASIN_HALF * 60.0
    };
    if value < 0.0 { -angle } else { angle }
}

/// The angle of a cosine; not a number outside of -1 to 1.
pub(crate) fn acos(value: f64) -> f64 {
    if !(-1.0..=1.0).contains(&value) {
        return f64::NAN;
    }
    let right = |size: f64| size.asin() / ASIN_HALF * 30.0;
    match value {
        v if v < 0.0 => 90.0 + asin(-v),
        v if v <= 0.5 => 90.0 - right(v),
        v => v.acos() / 0.5_f64.acos() * 60.0,
    }
}

/// The angle of a tangent.
pub(crate) fn atan(value: f64) -> f64 {
    value.atan() / std::f64::consts::FRAC_PI_4 * 45.0
}

/// The angle of a point.
pub(crate) fn atan2(y: f64, x: f64) -> f64 {
    y.atan2(x) / std::f64::consts::FRAC_PI_4 * 45.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_angles_are_exact() {
        for (angle, expected) in [
            (30.0, 0.5),
            (90.0, 1.0),
            (180.0, 0.0),
            (270.0, -1.0),
            (-30.0, -0.5),
        ] {
            assert!(sin(angle) == expected, "{angle}: {}", sin(angle));
        }
        for (angle, expected) in [
            (0.0, 1.0),
            (60.0, 0.5),
            (90.0, 0.0),
            (120.0, -0.5),
            (180.0, -1.0),
        ] {
            assert!(cos(angle) == expected, "{angle}: {}", cos(angle));
        }
        assert!(tan(45.0) == 1.0 && tan(-180.0) == 0.0 && tan(90.0).is_infinite());
        assert!(cot(45.0) == 1.0 && asin(-1.0) == -90.0 && (asin(0.5) - 30.0).abs() < 1e-13);
        assert!(sin(f64::INFINITY).is_nan() && asin(1.5).is_nan());
        for (value, expected) in [(-1.0, 180.0), (0.0, 90.0), (0.5, 60.0), (1.0, 0.0)] {
            assert!((acos(value) - expected).abs() < 1e-13, "{value}");
        }
        assert!(acos(2.0).is_nan() && atan(1.0) == 45.0 && atan2(1.0, -1.0) == 135.0);
    }
}

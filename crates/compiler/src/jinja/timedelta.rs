//! Python's `datetime.timedelta`, and what `+`, `-`, `*`, `/` and `//` do with times (CPython 3.11, `Lib/datetime.py`).

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Object, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::error::raise;
use super::moment::{Moment, places};

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timedelta {
    micros: i64,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 999,999,999 days, which is what Python allows.
const MOST: f64 = 999_999_999.0 * DAY as f64;

impl Timedelta {
    /// Of so many microseconds.
    pub fn of_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// Whole days, downwards.
    pub fn days(self) -> i64 {
        self.micros.div_euclid(DAY)
    }

    /// As a template's value.
    pub fn value(self) -> Value {
        Value::from_object(self)
    }

    /// `modules.datetime.timedelta(days, seconds, microseconds, milliseconds, minutes, hours, weeks)`
    ///
    /// # Errors
    /// Something else than numbers, or too long a time.
    pub fn build(args: &[Value]) -> Result<Value, Error> {
        let (places, keywords) = places(args)?;
        let units = [
            ("days", DAY),
            ("seconds", SECOND),
            ("microseconds", 1),
            ("milliseconds", 1000),
            ("minutes", 60 * SECOND),
            ("hours", 3600 * SECOND),
            ("weeks", 7 * DAY),
        ];
        let mut micros = 0.0_f64;
        let mut whole = 0_i64;
        if places.len() > units.len() {
            return Err(Error::from(ErrorKind::TooManyArguments));
        }
        let mut places = places.into_iter();
        for (name, unit) in units {
            let given = places.next();
            let named: Option<Value> = keywords.get(name)?;
            let Some(value) = given.or(named) else {
                continue;
            };
            let wrong = || {
                raise(
                    "rwt::jinja::datetime",
                    format!("{name} of a timedelta is a number, not {value}"),
                    None,
                )
            };
            match value.as_i64().filter(|_| value.is_integer()) {
                Some(number) => {
                    whole = number
                        .checked_mul(unit)
                        .and_then(|part| whole.checked_add(part))
                        .ok_or_else(too_long)?;
                }
                None => micros += f64::try_from(value.clone()).map_err(|_| wrong())? * unit as f64,
            }
        }
        keywords.assert_all_used()?;
        Self::of_float(micros)?
            .micros
            .checked_add(whole)
            .map(|micros| Self { micros }.value())
            .ok_or_else(too_long)
    }

    /// The nearest whole number of microseconds, halves to the even one.
    fn of_float(micros: f64) -> Result<Self, Error> {
        match micros.abs() < MOST {
            true => Ok(Self {
                micros: micros.round_ties_even() as i64,
            }),
            false => Err(too_long()),
        }
    }
}

fn too_long() -> Error {
    raise(
        "rwt::jinja::datetime",
        "this time is longer than Python's timedelta can be",
        None,
    )
}

impl fmt::Display for Timedelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.days();
        let rest = self.micros.rem_euclid(DAY);
        let (seconds, micros) = (rest / SECOND, rest % SECOND);
        if days != 0 {
            let s = if days.abs() == 1 { "" } else { "s" };
            write!(f, "{days} day{s}, ")?;
        }
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{hours}:{minutes:02}:{seconds:02}")?;
        match micros {
            0 => Ok(()),
            micros => write!(f, ".{micros:06}"),
        }
    }
}

impl Object for Timedelta {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let rest = self.micros.rem_euclid(DAY);
        Some(Value::from(match key.as_str()? {
            "days" => self.days(),
            "seconds" => rest / SECOND,
            "microseconds" => rest % SECOND,
            _ => return None,
        }))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.micros != 0
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        Some(self.micros.cmp(&other.micros))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "total_seconds" => Ok(Value::from(self.micros as f64 / SECOND as f64)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `//`
    FloorDiv,
}

impl Operator {
    /// All of them, with their text and the filter that stands for it.
    pub const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Add, "+", "rwt__add"),
        (Self::Sub, "-", "rwt__sub"),
        (Self::Mul, "*", "rwt__mul"),
        (Self::Div, "/", "rwt__div"),
        (Self::FloorDiv, "//", "rwt__floordiv"),
    ];

    /// The result where one of the values is a time; none where neither is.
    ///
    /// # Errors
    /// Values that Python cannot put together either, or a time outside of the calendar.
    pub fn of_times(self, a: &Value, b: &Value) -> Option<Result<Value, Error>> {
        let span = |value: &Value| value.downcast_object_ref::<Timedelta>().copied();
        let moment = |value: &Value| value.downcast_object_ref::<Moment>().cloned();
        let number = |value: &Value| {
            let is_number = value.kind() == ValueKind::Number;
            f64::try_from(value.clone()).ok().filter(|_| is_number)
        };
        let spans = (span(a), span(b));
        let moments = (moment(a), moment(b));
        if spans.0.is_none() && spans.1.is_none() && moments.0.is_none() && moments.1.is_none() {
            return None;
        }
        let micros = |micros: Option<i64>| {
            micros
                .map(|micros| Timedelta::of_micros(micros).value())
                .ok_or_else(too_long)
        };
        let nothing = || {
            raise(
                "rwt::jinja::datetime",
                "a time cannot be divided by nothing",
                None,
            )
        };
        Some(match (self, spans, moments) {
            (Self::Add, (Some(a), Some(b)), _) => micros(a.micros.checked_add(b.micros)),
            (Self::Sub, (Some(a), Some(b)), _) => micros(a.micros.checked_sub(b.micros)),
            (Self::Add, (None, Some(span)), (Some(moment), _))
            | (Self::Add, (Some(span), None), (_, Some(moment))) => moment.moved(span.micros),
            (Self::Sub, (None, Some(span)), (Some(moment), _)) => moment.moved(-span.micros),
            (Self::Sub, _, (Some(a), Some(b))) => a.since(&b),
            (Self::FloorDiv, (Some(_), Some(b)), _) | (Self::Div, (Some(_), Some(b)), _)
                if b.micros == 0 =>
            {
                Err(nothing())
            }
            (Self::FloorDiv, (Some(a), Some(b)), _) => {
                let quotient = a.micros / b.micros;
                let inexact = a.micros % b.micros != 0 && (a.micros < 0) != (b.micros < 0);
                Ok(Value::from(quotient - i64::from(inexact)))
            }
            (Self::Div, (Some(a), Some(b)), _) => {
                Ok(Value::from(a.micros as f64 / b.micros as f64))
            }
            (Self::Mul, (Some(span), None), _) | (Self::Mul, (None, Some(span)), _) => {
                let factor = if spans.0.is_some() { b } else { a };
                match (
                    factor.as_i64().filter(|_| factor.is_integer()),
                    number(factor),
                ) {
                    (Some(factor), _) => micros(span.micros.checked_mul(factor)),
                    (None, Some(factor)) => {
                        Timedelta::of_float(span.micros as f64 * factor).map(Timedelta::value)
                    }
                    (None, None) => Err(self.cannot(a, b)),
                }
            }
            (Self::Div | Self::FloorDiv, (Some(span), None), _) => match number(b) {
                Some(0.0) => Err(nothing()),
                Some(divisor) if self == Self::Div => {
                    Timedelta::of_float(span.micros as f64 / divisor).map(Timedelta::value)
                }
                Some(_) if b.is_integer() => match b.as_i64() {
                    Some(divisor) => {
                        let quotient = span.micros / divisor;
                        let inexact =
                            span.micros % divisor != 0 && (span.micros < 0) != (divisor < 0);
                        micros(Some(quotient - i64::from(inexact)))
                    }
                    None => Err(self.cannot(a, b)),
                },
                _ => Err(self.cannot(a, b)),
            },
            _ => Err(self.cannot(a, b)),
        })
    }

    /// The result between whole numbers, as long as it is one and fits.
    pub fn of_integers(self, a: &Value, b: &Value) -> Option<Value> {
        let whole = |value: &Value| value.as_i64().filter(|_| value.is_integer());
        let (a, b) = (whole(a)?, whole(b)?);
        let result = match self {
            Self::Add => a.checked_add(b),
            Self::Sub => a.checked_sub(b),
            Self::Mul => a.checked_mul(b),
            Self::Div | Self::FloorDiv => None,
        };
        result.map(Value::from)
    }

    fn cannot(self, a: &Value, b: &Value) -> Error {
        let text = Self::ALL
            .iter()
            .find(|(operator, ..)| *operator == self)
            .map_or("", |(_, text, _)| text);
        raise(
            "rwt::jinja::datetime",
            format!("`{text}` cannot be done with {a} and {b}"),
            Some(
                "a time and a timedelta can be added; two times give the span between them"
                    .to_owned(),
            ),
        )
    }
}

//! `modules`: `datetime`, `pytz`, `re` and `itertools`, as far as projects use them, and `run_started_at`.
//!
//! A template cannot add times to each other: minijinja has no operators on objects, and says so.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use minijinja::value::{Kwargs, Object, Rest, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::error::raise;
use super::itertools::Itertools;
use super::regex_module::Re;

/// A point in time, in UTC, as a template's value.
pub fn datetime(at: DateTime<Utc>) -> Value {
    Moment::value(at.naive_utc(), Form::Aware)
}

/// `modules`
pub fn modules() -> Value {
    Value::from_object(Modules)
}

#[derive(Debug)]
struct Modules;

impl Object for Modules {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "datetime" => Value::from_object(Class::Module),
            "pytz" => Value::from_object(Pytz),
            "re" => Value::from_object(Re),
            "itertools" => Value::from_object(Itertools),
            _ => return None,
        })
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}

/// `modules.pytz`: only UTC, which is the zone that RisingWave's times are in.
#[derive(Debug)]
struct Pytz;

impl Object for Pytz {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        matches!(key.as_str()?, "utc" | "UTC").then(|| Value::from("UTC"))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let (zone,): (&str,) = from_args(args)?;
        match method {
            "timezone" if zone.eq_ignore_ascii_case("utc") => Ok(Value::from("UTC")),
            "timezone" => Err(raise(
                "rwt::jinja::datetime",
                format!("the time zone {zone} is not known to rwt"),
                Some("only UTC is; `at time zone` in SQL converts".to_owned()),
            )),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// Python's module `datetime` and its classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Module,
    Datetime,
    Date,
}

impl Class {
    fn build(self, args: &[Value]) -> Result<Value, Error> {
        let (parts,): (Rest<ValueOrKwargs>,) = from_args(args)?;
        let mut numbers = [0_i64; 7];
        for (slot, value) in numbers.iter_mut().zip(parts.into_values()) {
            *slot = value.as_i64().unwrap_or(-1);
        }
        let unsigned = |index: usize| u32::try_from(numbers[index]).unwrap_or(u32::MAX);
        let date = i32::try_from(numbers[0])
            .ok()
            .and_then(|year| NaiveDate::from_ymd_opt(year, unsigned(1), unsigned(2)));
        let time =
            NaiveTime::from_hms_micro_opt(unsigned(3), unsigned(4), unsigned(5), unsigned(6));
        match (date, time) {
            (Some(date), Some(time)) => Ok(match self {
                Self::Date => Moment::value(date.and_time(NaiveTime::MIN), Form::Date),
                _ => Moment::value(date.and_time(time), Form::Naive),
            }),
            _ => Err(raise(
                "rwt::jinja::datetime",
                "there is no such day or time",
                Some("for example modules.datetime.date(2024, 2, 29)".to_owned()),
            )),
        }
    }
}

impl Object for Class {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str()?, **self) {
            ("datetime", Self::Module) => Some(Value::from_object(Self::Datetime)),
            ("date", Self::Module) => Some(Value::from_object(Self::Date)),
            ("timezone", Self::Module) => Some(Value::from_object(Pytz)),
            _ => None,
        }
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.build(args)
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let now = Utc::now().naive_utc();
        match method {
            "datetime" if **self == Self::Module => Self::Datetime.build(args),
            "date" if **self == Self::Module => Self::Date.build(args),
            "today" if **self == Self::Date => Ok(Moment::value(
                now.date().and_time(NaiveTime::MIN),
                Form::Date,
            )),
            "now" if args.iter().any(|zone| !zone.is_none() && !zone.is_kwargs()) => {
                Ok(Moment::value(now, Form::Aware))
            }
            "now" | "utcnow" | "today" => Ok(Moment::value(now, Form::Naive)),
            "strptime" => {
                let (text, format): (&str, &str) = from_args(args)?;
                let at = NaiveDateTime::parse_from_str(text, format)
                    .or_else(|_| {
                        NaiveDate::parse_from_str(text, format)
                            .map(|date| date.and_time(NaiveTime::MIN))
                    })
                    .map_err(|error| {
                        raise(
                            "rwt::jinja::datetime",
                            format!("`{text}` is not a time in the form `{format}`: {error}"),
                            None,
                        )
                    })?;
                Ok(Moment::value(at, Form::Naive))
            }
            "fromisoformat" => {
                let (text,): (&str,) = from_args(args)?;
                let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
                    .map(|date| date.and_time(NaiveTime::MIN));
                let at = date
                    .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f"))
                    .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
                    .map_err(|_| {
                        raise(
                            "rwt::jinja::datetime",
                            format!("`{text}` is not an ISO time"),
                            None,
                        )
                    })?;
                Ok(Moment::value(
                    at,
                    if **self == Self::Date {
                        Form::Date
                    } else {
                        Form::Naive
                    },
                ))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `2024-02-29`
    Date,
    /// `2024-02-29 12:00:00`
    Naive,
    /// `2024-02-29 12:00:00+00:00`
    Aware,
}

/// A date or a time, in UTC.
#[derive(Debug)]
struct Moment {
    at: NaiveDateTime,
    form: Form,
}

impl Moment {
    fn value(at: NaiveDateTime, form: Form) -> Value {
        // Python counts microseconds.
        let micros = at.nanosecond() / 1000 * 1000;
        Value::from_object(Self {
            at: at.with_nanosecond(micros).unwrap_or(at),
            form,
        })
    }

    fn text(&self, between: char) -> String {
        let date = self.at.format("%Y-%m-%d");
        if self.form == Form::Date {
            return date.to_string();
        }
        let fraction = match self.at.nanosecond() {
            0 => String::new(),
            nanos => format!(".{:06}", nanos / 1000),
        };
        let zone = if self.form == Form::Aware {
            "+00:00"
        } else {
            ""
        };
        format!(
            "{date}{between}{}{fraction}{zone}",
            self.at.format("%H:%M:%S")
        )
    }

    fn replaced(&self, args: &[Value]) -> Result<Value, Error> {
        let (keywords,): (Kwargs,) = from_args(args)?;
        let part = |name: &str, now: u32| -> Result<u32, Error> {
            Ok(keywords.get::<Option<u32>>(name)?.unwrap_or(now))
        };
        let year = keywords
            .get::<Option<i32>>("year")?
            .unwrap_or_else(|| self.at.year());
        let date = NaiveDate::from_ymd_opt(
            year,
            part("month", self.at.month())?,
            part("day", self.at.day())?,
        );
        let time = NaiveTime::from_hms_micro_opt(
            part("hour", self.at.hour())?,
            part("minute", self.at.minute())?,
            part("second", self.at.second())?,
            part("microsecond", self.at.nanosecond() / 1000)?,
        );
        let form = match keywords.get::<Option<Value>>("tzinfo")? {
            Some(zone) if zone.is_none() => Form::Naive,
            Some(_) => Form::Aware,
            None => self.form,
        };
        keywords.assert_all_used()?;
        match (date, time) {
            (Some(date), Some(time)) => Ok(Self::value(date.and_time(time), form)),
            _ => Err(raise(
                "rwt::jinja::datetime",
                "there is no such day or time",
                None,
            )),
        }
    }
}

impl Object for Moment {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from(match key.as_str()? {
            "year" => i64::from(self.at.year()),
            "month" => i64::from(self.at.month()),
            "day" => i64::from(self.at.day()),
            "hour" => i64::from(self.at.hour()),
            "minute" => i64::from(self.at.minute()),
            "second" => i64::from(self.at.second()),
            "microsecond" => i64::from(self.at.nanosecond() / 1000),
            _ => return None,
        }))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "strftime" => {
                let (format,): (&str,) = from_args(args)?;
                let format = format.replace("%f", &format!("{:06}", self.at.nanosecond() / 1000));
                let mut out = String::new();
                let written = fmt::write(&mut out, format_args!("{}", self.at.format(&format)));
                written.map_err(|_| {
                    raise(
                        "rwt::jinja::datetime",
                        format!("`{format}` is not a form of a time"),
                        None,
                    )
                })?;
                Ok(Value::from(out))
            }
            "isoformat" => Ok(Value::from(self.text('T'))),
            "date" => Ok(Self::value(
                self.at.date().and_time(NaiveTime::MIN),
                Form::Date,
            )),
            "astimezone" => Ok(Self::value(self.at, Form::Aware)),
            "replace" => self.replaced(args),
            "timestamp" => {
                let micros = self.at.and_utc().timestamp_micros();
                Ok(Value::from(micros as f64 / 1e6))
            }
            "weekday" => Ok(Value::from(self.at.weekday().num_days_from_monday())),
            "isoweekday" => Ok(Value::from(self.at.weekday().number_from_monday())),
            "toordinal" => Ok(Value::from(self.at.num_days_from_ce())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(' '))
    }
}

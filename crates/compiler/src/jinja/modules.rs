//! `modules.datetime`, as far as projects use them, and `run_started_at`.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};
use minijinja::value::{Object, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::error::raise;

/// A point in time as a template's value.
pub fn datetime(at: DateTime<Utc>) -> Value {
    Value::from_object(Moment { at: at.naive_utc() })
}

/// `modules`
pub fn modules() -> Value {
    Value::from_object(Modules)
}

#[derive(Debug)]
struct Modules;

impl Object for Modules {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "datetime").then(|| Value::from_object(Datetime))
    }
}

/// Python's module `datetime`, and its classes `datetime` and `date`: one object, as their methods do not clash.
#[derive(Debug)]
struct Datetime;

impl Object for Datetime {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        matches!(key.as_str()?, "datetime" | "date")
            .then(|| Value::from_dyn_object(Arc::clone(self)))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "now" | "utcnow" | "today" => Ok(datetime(Utc::now())),
            "strptime" => {
                let (text, format): (&str, &str) = from_args(args)?;
                let at = NaiveDateTime::parse_from_str(text, format)
                    .or_else(|_| {
                        chrono::NaiveDate::parse_from_str(text, format)
                            .map(|date| date.and_time(chrono::NaiveTime::MIN))
                    })
                    .map_err(|error| {
                        raise(
                            "rwt::jinja::datetime",
                            format!("`{text}` is not a time in the form `{format}`: {error}"),
                            None,
                        )
                    })?;
                Ok(Value::from_object(Moment { at }))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// A time without zone, in UTC.
#[derive(Debug)]
struct Moment {
    at: NaiveDateTime,
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
                let mut out = String::new();
                let written = fmt::write(&mut out, format_args!("{}", self.at.format(format)));
                written.map_err(|_| {
                    raise(
                        "rwt::jinja::datetime",
                        format!("`{format}` is not a form of a time"),
                        None,
                    )
                })?;
                Ok(Value::from(out))
            }
            "isoformat" => Ok(Value::from(self.at.format("%Y-%m-%dT%H:%M:%S").to_string())),
            "date" => Ok(Value::from_object(Moment {
                at: self.at.date().and_time(chrono::NaiveTime::MIN),
            })),
            "timestamp" => Ok(Value::from(self.at.and_utc().timestamp())),
            "weekday" => Ok(Value::from(self.at.weekday().num_days_from_monday())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at.format("%Y-%m-%d %H:%M:%S"))
    }
}

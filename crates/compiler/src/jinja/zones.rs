//! `modules.pytz`: time zones, and the offset that a time has in one.

use std::fmt;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{OffsetName, Tz};
use minijinja::value::{Object, Rest, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use rwt_project::yaml::nearest;

use super::error::raise;
use super::moment::Moment;

/// `modules.pytz`, and Python's `datetime.timezone`.
#[derive(Debug)]
pub struct Pytz;

impl Object for Pytz {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "utc" | "UTC" => Some(Zone(Tz::UTC).value()),
            _ => None,
        }
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
        let (name,): (&str,) = from_args(args)?;
        if method != "timezone" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let mut zones = chrono_tz::TZ_VARIANTS.iter();
        let found = zones.find(|zone| zone.name().eq_ignore_ascii_case(name));
        found.map(|zone| Zone(*zone).value()).ok_or_else(|| {
            let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            raise(
                "rwt::jinja::datetime",
                format!("there is no time zone {name}"),
                nearest(name, names).map(|near| format!("did you mean `{near}`?")),
            )
        })
    }
}

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub Tz);

/// A time's zone with the offset that the time has in it. As in pytz the offset stays when a span is added, until
/// `normalize`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InZone {
    /// The zone.
    pub zone: Zone,
    /// Seconds east of UTC.
    pub offset: i32,
    /// The offset's name, for example `CEST`.
    pub name: String,
}

impl Zone {
    /// As a template's value.
    pub fn value(self) -> Value {
        Value::from_object(self)
    }

    /// The zone that a template gives; Python's own offsets are none of pytz's.
    ///
    /// # Errors
    /// Something else.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        if let Some(zone) = value.downcast_object_ref::<Self>() {
            return Ok(*zone);
        }
        Err(raise(
            "rwt::jinja::datetime",
            format!("{value} is not a time zone"),
            Some("for example modules.pytz.timezone('Europe/Oslo') or modules.pytz.utc".to_owned()),
        ))
    }

    /// The zone at a moment of UTC.
    pub fn at_utc(self, utc: NaiveDateTime) -> InZone {
        let offset = self.0.offset_from_utc_datetime(&utc);
        InZone {
            zone: self,
            offset: offset.fix().local_minus_utc(),
            name: offset.abbreviation().unwrap_or("UTC").to_owned(),
        }
    }

    /// The zone where its clocks show `local`: of a time that there is twice the second, and of one that there is not the
    /// one before the clocks are changed, as pytz has it.
    pub fn at_local(self, local: NaiveDateTime) -> InZone {
        match self.0.offset_from_local_datetime(&local) {
            chrono::MappedLocalTime::Single(offset)
            | chrono::MappedLocalTime::Ambiguous(_, offset) => InZone {
                zone: self,
                offset: offset.fix().local_minus_utc(),
                name: offset.abbreviation().unwrap_or("UTC").to_owned(),
            },
            chrono::MappedLocalTime::None => {
                let before = local - TimeDelta::hours(3);
                self.at_local_before(before)
            }
        }
    }

    fn at_local_before(self, local: NaiveDateTime) -> InZone {
        match self.0.offset_from_local_datetime(&local).latest() {
            Some(offset) => InZone {
                zone: self,
                offset: offset.fix().local_minus_utc(),
                name: offset.abbreviation().unwrap_or("UTC").to_owned(),
            },
            None => self.at_utc(local),
        }
    }

    /// The zone as pytz has it where nothing says when: its local mean time, to the minute.
    pub fn unlocated(self) -> InZone {
        let long_ago = NaiveDate::from_ymd_opt(1800, 1, 1).unwrap_or_default();
        let mut found = self.at_utc(long_ago.and_time(NaiveTime::MIN));
        found.offset = (f64::from(found.offset) / 60.0).round() as i32 * 60;
        found
    }
}

impl fmt::Display for InZone {
    /// `+02:00`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let seconds = self.offset.abs();
        write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)
    }
}

impl Object for Zone {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "zone").then(|| Value::from(self.0.name()))
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
        let (moment, _rest): (Value, Rest<ValueOrKwargs>) = from_args(args)?;
        let moment = Moment::from_value(&moment)?;
        match method {
            "localize" => moment.localized(self.at_local(moment.at)),
            "normalize" => Ok(moment.in_zone(**self)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

//! Python's `datetime.datetime`, `date` and `time`, and `run_started_at`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use minijinja::value::{DynObject, Kwargs, Object, Rest, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::error::raise;
use super::table::tuple;
use super::timedelta::Timedelta;
use super::zones::{InZone, Pytz, Zone};
use crate::materialize::TextOf;

/// A point in time, in UTC, as a template's value.
pub fn datetime(at: DateTime<Utc>) -> Value {
    let zone = Zone(chrono_tz::Tz::UTC);
    Moment::new(
        at.naive_utc(),
        Form::Time(Some(zone.at_utc(at.naive_utc()))),
    )
    .value()
}

/// Python's module `datetime` and its classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `modules.datetime`
    Module,
    /// `datetime.datetime`
    Datetime,
    /// `datetime.date`
    Date,
    /// `datetime.time`
    Clock,
    /// `datetime.timedelta`
    Timedelta,
}

fn no_such_time() -> Error {
    raise(
        "rwt::jinja::datetime",
        "there is no such day or time",
        Some("for example modules.datetime.date(2024, 2, 29)".to_owned()),
    )
}

/// Arguments by place, and those by name.
pub(super) fn places(args: &[Value]) -> Result<(Vec<Value>, Kwargs), Error> {
    let (rest,): (Rest<ValueOrKwargs>,) = from_args(args)?;
    let mut values = rest.into_values();
    let keywords = match values.last() {
        Some(last) if last.is_kwargs() => Kwargs::try_from(values.pop().unwrap_or_default())?,
        _ => Kwargs::from_iter(Vec::<(&str, Value)>::new()),
    };
    Ok((values, keywords))
}

/// The parts of a time by their names, positional ones first.
struct Parts {
    numbers: [u32; 7],
    zone: Option<InZone>,
}

const NAMES: [&str; 7] = [
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "microsecond",
];

impl Parts {
    /// `now` for what is not given; `from` is the first part that may be given by place.
    fn read(args: &[Value], now: [u32; 7], from: usize) -> Result<Self, Error> {
        let (values, keywords) = places(args)?;
        let mut zone = keywords.get::<Option<Value>>("tzinfo")?;
        let mut numbers = now;
        let number = |value: &Value| {
            let number = value.as_i64().and_then(|number| u32::try_from(number).ok());
            number.ok_or_else(no_such_time)
        };
        let mut places = numbers.iter_mut().skip(from);
        for value in &values {
            match places.next() {
                Some(slot) => *slot = number(value)?,
                None if zone.is_none() => zone = Some(value.clone()),
                None => return Err(Error::from(ErrorKind::TooManyArguments)),
            }
        }
        for (slot, name) in numbers.iter_mut().zip(NAMES) {
            if let Some(value) = keywords.get::<Option<Value>>(name)? {
                *slot = number(&value)?;
            }
        }
        let _: Option<Value> = keywords.get("fold")?;
        keywords.assert_all_used()?;
        let zone = match zone {
            Some(zone) if !zone.is_none() => Some(Zone::from_value(&zone)?.unlocated()),
            _ => None,
        };
        Ok(Self { numbers, zone })
    }

    fn at(&self) -> Result<NaiveDateTime, Error> {
        let [year, month, day, hour, minute, second, micros] = self.numbers;
        let date = i32::try_from(year)
            .ok()
            .filter(|year| (1..=9999).contains(year))
            .and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
        let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micros);
        let (date, time) = date.zip(time).ok_or_else(no_such_time)?;
        Ok(date.and_time(time))
    }
}

impl Class {
    fn build(self, args: &[Value]) -> Result<Value, Error> {
        const NOTHING: [u32; 7] = [0; 7];
        Ok(match self {
            Self::Timedelta => return Timedelta::build(args),
            Self::Date => Moment::new(Parts::read(args, NOTHING, 0)?.at()?, Form::Date),
            Self::Clock => {
                let parts = Parts::read(args, [1970, 1, 1, 0, 0, 0, 0], 3)?;
                Moment::new(parts.at()?, Form::Clock)
            }
            Self::Datetime | Self::Module => {
                let parts = Parts::read(args, NOTHING, 0)?;
                Moment::new(parts.at()?, Form::Time(parts.zone))
            }
        }
        .value())
    }

    fn of_iso(self, text: &str) -> Result<Value, Error> {
        let wrong = || {
            raise(
                "rwt::jinja::datetime",
                format!("`{text}` is not an ISO time"),
                None,
            )
        };
        let day =
            NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN));
        if self == Self::Date {
            return Ok(Moment::new(day.map_err(|_| wrong())?, Form::Date).value());
        }
        let (wall, aware) = match text.strip_suffix("+00:00").or(text.strip_suffix('Z')) {
            Some(wall) => (wall, true),
            None => (text, false),
        };
        let at = day
            .or_else(|_| NaiveDateTime::parse_from_str(wall, "%Y-%m-%dT%H:%M:%S%.f"))
            .or_else(|_| NaiveDateTime::parse_from_str(wall, "%Y-%m-%d %H:%M:%S%.f"))
            .or_else(|_| NaiveDateTime::parse_from_str(wall, "%Y-%m-%dT%H:%M"))
            .or_else(|_| NaiveDateTime::parse_from_str(wall, "%Y-%m-%d %H:%M"))
            .map_err(|_| wrong())?;
        let zone = aware.then(|| Zone(chrono_tz::Tz::UTC).at_utc(at));
        Ok(Moment::new(at, Form::Time(zone)).value())
    }

    fn of_format(text: &str, format: &str) -> Result<Value, Error> {
        // Python takes one to six digits.
        let format = format.replace(".%f", "%.f").replace("%f", "%6f");
        let at = NaiveDateTime::parse_from_str(text, &format)
            .or_else(|_| {
                NaiveDate::parse_from_str(text, &format).map(|date| date.and_time(NaiveTime::MIN))
            })
            .map_err(|error| {
                raise(
                    "rwt::jinja::datetime",
                    format!("`{text}` is not a time in the form `{format}`: {error}"),
                    None,
                )
            })?;
        Ok(Moment::new(at, Form::Time(None)).value())
    }

    fn of_timestamp(args: &[Value]) -> Result<Value, Error> {
        let (seconds, zone, keywords): (f64, Option<Value>, Kwargs) = from_args(args)?;
        let zone = zone.or(keywords.get("tz")?).filter(|zone| !zone.is_none());
        keywords.assert_all_used()?;
        let micros = (seconds * 1e6).round_ties_even() as i64;
        let utc = DateTime::from_timestamp_micros(micros).ok_or_else(no_such_time)?;
        let moment = Moment::new(utc.naive_utc(), Form::Time(None));
        match zone {
            Some(zone) => Ok(moment.in_zone(Zone::from_value(&zone)?)),
            None => Ok(moment.value()),
        }
    }
}

impl Object for Class {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let class = match (key.as_str()?, **self) {
            ("datetime", Self::Module) => Self::Datetime,
            ("date", Self::Module) => Self::Date,
            ("time", Self::Module) => Self::Clock,
            ("timedelta", Self::Module) => Self::Timedelta,
            ("timezone", Self::Module) => return Some(Value::from_object(Pytz)),
            _ => return None,
        };
        Some(Value::from_object(class))
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
        match (method, **self) {
            ("datetime", Self::Module) => Self::Datetime.build(args),
            ("date", Self::Module) => Self::Date.build(args),
            ("time", Self::Module) => Self::Clock.build(args),
            ("timedelta", Self::Module) => Self::Timedelta.build(args),
            ("today", Self::Date) => Ok(Moment::new(now, Form::Date).value()),
            ("now", Self::Datetime) => {
                let (zone, keywords): (Option<Value>, Kwargs) = from_args(args)?;
                let zone = zone.or(keywords.get("tz")?).filter(|zone| !zone.is_none());
                keywords.assert_all_used()?;
                let moment = Moment::new(now, Form::Time(None));
                match zone {
                    Some(zone) => Ok(moment.in_zone(Zone::from_value(&zone)?)),
                    None => Ok(moment.value()),
                }
            }
            ("utcnow" | "today", Self::Datetime) => Ok(Moment::new(now, Form::Time(None)).value()),
            ("strptime", Self::Datetime) => {
                let (text, format): (&str, &str) = from_args(args)?;
                Self::of_format(text, format)
            }
            ("fromtimestamp" | "utcfromtimestamp", Self::Datetime) => Self::of_timestamp(args),
            ("fromordinal", Self::Datetime | Self::Date) => {
                let (days,): (i32,) = from_args(args)?;
                let day = NaiveDate::from_num_days_from_ce_opt(days)
                    .filter(|day| (1..=9999).contains(&day.year()))
                    .ok_or_else(no_such_time)?;
                let form = match **self {
                    Self::Date => Form::Date,
                    _ => Form::Time(None),
                };
                Ok(Moment::new(day.and_time(NaiveTime::MIN), form).value())
            }
            ("fromisoformat", Self::Datetime | Self::Date) => {
                let (text,): (&str,) = from_args(args)?;
                self.of_iso(text)
            }
            ("combine", Self::Datetime) => {
                let (date, time): (Value, Value) = from_args(args)?;
                let (date, time) = (Moment::from_value(&date)?, Moment::from_value(&time)?);
                let at = date.at.date().and_time(time.at.time());
                Ok(Moment::new(at, Form::Time(None)).value())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// How a time is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// `2024-02-29`
    Date,
    /// `12:00:00`
    Clock,
    /// `2024-02-29 12:00:00`, with `+00:00` behind it where it knows its zone.
    Time(Option<InZone>),
}

/// A date or a time.
#[derive(Debug, Clone)]
pub struct Moment {
    /// What calendar and clock show.
    pub at: NaiveDateTime,
    form: Form,
}

impl Moment {
    /// What a database wrote; none for what Python has no date for.
    pub fn of_sql(text: &str, of: TextOf) -> Option<Value> {
        let (at, form) = match of {
            TextOf::Text => return None,
            TextOf::Date => {
                let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
                (day.and_time(NaiveTime::MIN), Form::Date)
            }
            TextOf::Timestamp => {
                let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
                (at, Form::Time(None))
            }
            TextOf::Timestamptz => {
                let at = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").ok()?;
                let utc = at.naive_utc();
                (utc, Form::Time(Some(Zone(chrono_tz::Tz::UTC).at_utc(utc))))
            }
        };
        let is_in_calendar = (1..=9999).contains(&at.year());
        is_in_calendar.then(|| Self::new(at, form).value())
    }

    fn new(at: NaiveDateTime, form: Form) -> Self {
        // Python counts microseconds.
        let micros = at.nanosecond() / 1000 * 1000;
        let at = at.with_nanosecond(micros).unwrap_or(at);
        let at = match form {
            Form::Date => at.date().and_time(NaiveTime::MIN),
            _ => at,
        };
        Self { at, form }
    }

    fn value(self) -> Value {
        Value::from_object(self)
    }

    /// The time behind a template's value.
    ///
    /// # Errors
    /// Something else.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        value.downcast_object_ref::<Self>().cloned().ok_or_else(|| {
            raise(
                "rwt::jinja::datetime",
                format!("{value} is not a date or a time"),
                None,
            )
        })
    }

    fn zone(&self) -> Option<&InZone> {
        match &self.form {
            Form::Time(zone) => zone.as_ref(),
            _ => None,
        }
    }

    /// In UTC; what knows no zone is taken as UTC.
    fn utc(&self) -> NaiveDateTime {
        let offset = self.zone().map_or(0, |zone| zone.offset);
        self.at - TimeDelta::seconds(i64::from(offset))
    }

    /// The same moment on the clocks of a zone.
    pub fn in_zone(&self, zone: Zone) -> Value {
        let utc = self.utc();
        let place = zone.at_utc(utc);
        let at = utc + TimeDelta::seconds(i64::from(place.offset));
        Self::new(at, Form::Time(Some(place))).value()
    }

    /// What the clocks show, in a zone.
    ///
    /// # Errors
    /// It is in a zone, or no time.
    pub fn localized(&self, zone: InZone) -> Result<Value, Error> {
        match &self.form {
            Form::Time(None) => Ok(Self::new(self.at, Form::Time(Some(zone))).value()),
            _ => Err(raise(
                "rwt::jinja::datetime",
                format!("{} has a time zone already, or is no time", self.text(' ')),
                Some("astimezone() converts".to_owned()),
            )),
        }
    }

    /// The same, `micros` microseconds later; of a date, the whole days in them.
    ///
    /// # Errors
    /// Outside of the calendar.
    pub fn moved(&self, micros: i64) -> Result<Value, Error> {
        let by = match &self.form {
            Form::Date => TimeDelta::try_days(Timedelta::of_micros(micros).days()),
            Form::Clock => None,
            Form::Time(_) => Some(TimeDelta::microseconds(micros)),
        };
        by.and_then(|by| self.at.checked_add_signed(by))
            .filter(|at| (1..=9999).contains(&at.year()))
            .map(|at| Self::new(at, self.form.clone()).value())
            .ok_or_else(no_such_time)
    }

    /// The span from another one to this one.
    ///
    /// # Errors
    /// Only one of them has a zone, or is a date.
    pub fn since(&self, other: &Self) -> Result<Value, Error> {
        if self.kind() != other.kind() || self.form == Form::Clock {
            return Err(raise(
                "rwt::jinja::datetime",
                format!(
                    "{} and {} cannot be subtracted: both must be dates, or times with or without a zone",
                    self.text(' '),
                    other.text(' ')
                ),
                None,
            ));
        }
        let micros = (self.utc() - other.utc()).num_microseconds();
        let span = Timedelta::of_micros(micros.ok_or_else(no_such_time)?);
        Ok(span.value())
    }

    /// What can be compared.
    fn kind(&self) -> u8 {
        match &self.form {
            Form::Date => 0,
            Form::Clock => 1,
            Form::Time(None) => 2,
            Form::Time(Some(_)) => 3,
        }
    }

    fn text(&self, between: char) -> String {
        let date = self.at.format("%Y-%m-%d");
        let fraction = match self.at.nanosecond() {
            0 => String::new(),
            nanos => format!(".{:06}", nanos / 1000),
        };
        let time = self.at.format("%H:%M:%S");
        match &self.form {
            Form::Date => date.to_string(),
            Form::Clock => format!("{time}{fraction}"),
            Form::Time(zone) => {
                let zone = zone.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{date}{between}{time}{fraction}{zone}")
            }
        }
    }

    /// `isoformat(sep, timespec)`
    fn iso(&self, args: &[Value]) -> Result<String, Error> {
        let (mut places, keywords) = places(args)?;
        // A time of day has no date to part from it.
        if self.form == Form::Clock {
            places.insert(0, Value::from("T"));
        }
        let argument = |at: usize, name: &str| -> Result<Option<String>, Error> {
            let named: Option<Value> = keywords.get(name)?;
            Ok(places
                .get(at)
                .cloned()
                .or(named)
                .map(|value| value.to_string()))
        };
        let between = argument(0, "sep")?.and_then(|text| text.chars().next());
        let precision = argument(1, "timespec")?;
        keywords.assert_all_used()?;
        let between = between.unwrap_or('T');
        let form = match precision.as_deref() {
            None | Some("auto") => return Ok(self.text(between)),
            Some("hours") => "%H",
            Some("minutes") => "%H:%M",
            Some("seconds") => "%H:%M:%S",
            Some("milliseconds") => "%H:%M:%S%.3f",
            Some("microseconds") => "%H:%M:%S%.6f",
            Some(other) => {
                return Err(raise(
                    "rwt::jinja::datetime",
                    format!("`{other}` is not a timespec"),
                    Some("auto, hours, minutes, seconds, milliseconds or microseconds".to_owned()),
                ));
            }
        };
        let time = self.at.format(form);
        Ok(match &self.form {
            Form::Date => self.text(between),
            Form::Clock => time.to_string(),
            Form::Time(zone) => {
                let zone = zone.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{}{between}{time}{zone}", self.at.format("%Y-%m-%d"))
            }
        })
    }

    fn formatted(&self, format: &str) -> Result<Value, Error> {
        let zone = self.zone();
        let mut pattern = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                pattern.push(c);
                continue;
            }
            match rest.next() {
                Some('f') => pattern.push_str(&format!("{:06}", self.at.nanosecond() / 1000)),
                Some('z') => {
                    let offset = zone.map(|zone| zone.to_string().replace(':', ""));
                    pattern.push_str(&offset.unwrap_or_default());
                }
                Some('Z') => pattern.push_str(zone.map_or("", |zone| zone.name.as_str())),
                Some(other) => pattern.extend(['%', other]),
                None => pattern.push_str("%%"),
            }
        }
        let mut out = String::new();
        fmt::write(&mut out, format_args!("{}", self.at.format(&pattern))).map_err(|_| {
            raise(
                "rwt::jinja::datetime",
                format!("`{format}` is not a form of a time"),
                None,
            )
        })?;
        Ok(Value::from(out))
    }

    fn replaced(&self, args: &[Value]) -> Result<Value, Error> {
        let has_zone = args.last().is_some_and(|last| {
            last.is_kwargs()
                && last
                    .get_attr("tzinfo")
                    .is_ok_and(|zone| !zone.is_undefined())
        });
        let now = [
            u32::try_from(self.at.year()).unwrap_or(1),
            self.at.month(),
            self.at.day(),
            self.at.hour(),
            self.at.minute(),
            self.at.second(),
            self.at.nanosecond() / 1000,
        ];
        let from = if self.form == Form::Clock { 3 } else { 0 };
        let parts = Parts::read(args, now, from)?;
        let form = match &self.form {
            Form::Time(_) if has_zone => Form::Time(parts.zone.clone()),
            form => form.clone(),
        };
        Ok(Self::new(parts.at()?, form).value())
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
            "tzinfo" => {
                let zone = self.zone().map(|zone| zone.zone.value());
                return Some(zone.unwrap_or_else(|| Value::from(())));
            }
            _ => return None,
        }))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        let kinds = self.kind().cmp(&other.kind());
        Some(kinds.then_with(|| self.utc().cmp(&other.utc())))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let nothing = || Value::from(());
        match method {
            "strftime" => {
                let (format,): (&str,) = from_args(args)?;
                self.formatted(format)
            }
            "isoformat" => self.iso(args).map(Value::from),
            "date" => Ok(Self::new(self.at, Form::Date).value()),
            "time" => {
                let day = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default();
                Ok(Self::new(day.and_time(self.at.time()), Form::Clock).value())
            }
            "astimezone" => {
                let (zone,): (Option<Value>,) = from_args(args)?;
                match zone {
                    Some(zone) => Ok(self.in_zone(Zone::from_value(&zone)?)),
                    None => Ok(self.in_zone(Zone(chrono_tz::Tz::UTC))),
                }
            }
            "replace" => self.replaced(args),
            "timestamp" => {
                let micros = self.utc().and_utc().timestamp_micros();
                Ok(Value::from(micros as f64 / 1e6))
            }
            "utcoffset" => Ok(self.zone().map_or_else(nothing, |zone| {
                Timedelta::of_micros(i64::from(zone.offset) * 1_000_000).value()
            })),
            "tzname" => Ok(self
                .zone()
                .map_or_else(nothing, |zone| Value::from(zone.name.as_str()))),
            "weekday" => Ok(Value::from(self.at.weekday().num_days_from_monday())),
            "isoweekday" => Ok(Value::from(self.at.weekday().number_from_monday())),
            "isocalendar" => {
                let week = self.at.iso_week();
                let day = self.at.weekday().number_from_monday();
                Ok(tuple([
                    Value::from(week.year()),
                    Value::from(week.week()),
                    Value::from(day),
                ]))
            }
            "toordinal" => Ok(Value::from(self.at.num_days_from_ce())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(' '))
    }
}

//! Microbatches: an incremental model that is built one span of event time after the other, each of which replaces the
//! rows of its own (dbt-core 1.12, `MicrobatchBuilder`).

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use indexmap::IndexMap;
use serde_json::Value as Json;

/// The strategy's name.
const STRATEGY: &str = "microbatch";

/// `batch_size`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Hour,
    Day,
    Month,
    Year,
}

/// What a model's configuration says of its batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Microbatch {
    size: Size,
    begin: DateTime<Utc>,
    lookback: i32,
}

/// A span of event time, the end not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The first moment.
    pub start: DateTime<Utc>,
    /// The first moment behind it.
    pub end: DateTime<Utc>,
    /// The start in as many digits as the size of batches needs, for example `2024-05`.
    pub name: String,
}

impl Batch {
    /// dbt's `batch.id`
    pub fn id(&self) -> String {
        self.name.replace('-', "")
    }

    /// A moment as dbt writes it into SQL: Python's text of it.
    pub fn text(at: DateTime<Utc>) -> String {
        let form = match at.timestamp_subsec_micros() {
            0 => "%Y-%m-%d %H:%M:%S+00:00",
            _ => "%Y-%m-%d %H:%M:%S%.6f+00:00",
        };
        at.format(form).to_string()
    }
}

/// A span of event time as the command line names it: the first moment, and the first behind it.
pub type EventTime = (DateTime<Utc>, DateTime<Utc>);

/// Which batches of a model are built, and which are not: those that failed, and those behind them that were not begun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchResults {
    /// Built.
    pub successful: Vec<EventTime>,
    /// Not built.
    pub failed: Vec<EventTime>,
}

impl BatchResults {
    /// As run_results.json has it.
    pub fn to_json(&self) -> Json {
        let times = |batches: &[EventTime]| -> Json {
            let pairs = batches
                .iter()
                .map(|(start, end)| Json::from(vec![start.to_rfc3339(), end.to_rfc3339()]));
            pairs.collect()
        };
        serde_json::json!({
            "successful": times(&self.successful),
            "failed": times(&self.failed),
        })
    }

    /// What run_results.json says; none where it says nothing that can be read.
    pub fn from_json(value: &Json) -> Option<Self> {
        let time = |value: &Json| {
            let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
            Some(time.to_utc())
        };
        let times = |key: &str| -> Option<Vec<EventTime>> {
            let pairs = value.get(key)?.as_array()?.iter();
            let pairs = pairs.map(|pair| Some((time(pair.get(0)?)?, time(pair.get(1)?)?)));
            pairs.collect()
        };
        Some(Self {
            successful: times("successful")?,
            failed: times("failed")?,
        })
    }
}

/// What is wrong with a configuration: the key and the words.
pub type Wrong = (&'static str, String);

impl Microbatch {
    /// What a node's configuration says; none where the node is no microbatch model.
    ///
    /// # Errors
    /// A key that is missing, or of another type.
    pub fn of(name: &str, config: &IndexMap<String, Json>) -> Result<Option<Self>, Wrong> {
        let text = |key: &str| config.get(key).and_then(Json::as_str);
        if text("materialized") != Some("incremental")
            || text("incremental_strategy") != Some(STRATEGY)
        {
            return Ok(None);
        }
        let given = |key: &str| config.get(key).filter(|value| !value.is_null());
        let must = |key: &'static str, what: &str| -> Wrong {
            let got = given(key).map_or_else(|| "nothing".to_owned(), Json::to_string);
            let words = format!("Microbatch model '{name}' must provide {what}, but got: {got}");
            (key, words)
        };
        if text("event_time").is_none() {
            return Err(must(
                "event_time",
                "an 'event_time' config, the name of the event time column",
            ));
        }
        let begin = text("begin").and_then(moment).ok_or_else(|| {
            must(
                "begin",
                "a 'begin' config, the earliest time that it is built from, in ISO format",
            )
        })?;
        let size = match text("batch_size") {
            Some("hour") => Size::Hour,
            Some("day") => Size::Day,
            Some("month") => Size::Month,
            Some("year") => Size::Year,
            _ => {
                return Err(must(
                    "batch_size",
                    "a 'batch_size' config that is one of hour, day, month, year",
                ));
            }
        };
        let lookback = match given("lookback") {
            None => Some(1),
            Some(value) => value.as_i64().and_then(|value| i32::try_from(value).ok()),
        };
        let lookback =
            lookback.ok_or_else(|| must("lookback", "the 'lookback' config as a whole number"))?;
        if given("concurrent_batches").is_some_and(|value| !value.is_boolean()) {
            return Err(must(
                "concurrent_batches",
                "the 'concurrent_batches' config as true or false",
            ));
        }
        Ok(Some(Self {
            size,
            begin: begin.and_utc(),
            lookback,
        }))
    }

    /// `begin` as dbt keeps it: a day with its clock.
    pub fn begin(&self) -> String {
        self.begin.format("%Y-%m-%dT%H:%M:%S%.f").to_string()
    }

    /// The batches of a run, in order. `asked` are the times of the command line, `now` is the end where it names none;
    /// a model that is there already goes on with the last batches, as many as it looks back.
    pub fn batches(
        &self,
        is_incremental: bool,
        asked: Option<EventTime>,
        now: DateTime<Utc>,
    ) -> Vec<Batch> {
        let size = self.size;
        let end = size.ceiling(asked.map_or(now, |(_, end)| end));
        let start = match asked {
            Some((start, _)) => size.truncated(start),
            None if !is_incremental => size.truncated(self.begin),
            // The end is where a batch begins, so that the one before it is the last.
            None => size.moved(end, -self.lookback - 1),
        };
        let mut batches = Vec::new();
        let mut at = start;
        loop {
            let next = size.moved(at, 1);
            batches.push(Batch {
                start: at,
                end: next.min(end),
                name: size.name(at),
            });
            if next >= end {
                break;
            }
            at = next;
        }
        batches
    }
}

impl Microbatch {
    /// Batches by their times.
    pub fn batches_of(&self, times: &[EventTime]) -> Vec<Batch> {
        let batch = |(start, end): &EventTime| Batch {
            start: *start,
            end: *end,
            name: self.size.name(*start),
        };
        times.iter().map(batch).collect()
    }
}

impl Size {
    fn truncated(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let (month, day, hour) = match self {
            Self::Hour => (at.month(), at.day(), at.hour()),
            Self::Day => (at.month(), at.day(), 0),
            Self::Month => (at.month(), 1, 0),
            Self::Year => (1, 1, 0),
        };
        let date = NaiveDate::from_ymd_opt(at.year(), month, day).unwrap_or(at.date_naive());
        date.and_hms_opt(hour, 0, 0)
            .map_or(at, |truncated| truncated.and_utc())
    }

    fn ceiling(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let truncated = self.truncated(at);
        match truncated == at {
            true => at,
            false => self.moved(truncated, 1),
        }
    }

    /// The beginning of the batch that lies `by` batches behind the one of `at`.
    fn moved(self, at: DateTime<Utc>, by: i32) -> DateTime<Utc> {
        let from = self.truncated(at);
        let months = |count: i32| {
            let step = Months::new(count.unsigned_abs());
            match count < 0 {
                true => from.checked_sub_months(step),
                false => from.checked_add_months(step),
            }
        };
        let moved = match self {
            Self::Hour => from.checked_add_signed(TimeDelta::hours(by.into())),
            Self::Day => from.checked_add_signed(TimeDelta::days(by.into())),
            Self::Month => months(by),
            Self::Year => months(by.saturating_mul(12)),
        };
        moved.unwrap_or(from)
    }

    fn name(self, at: DateTime<Utc>) -> String {
        let form = match self {
            Self::Hour => "%Y-%m-%dT%H",
            Self::Day => "%Y-%m-%d",
            Self::Month => "%Y-%m",
            Self::Year => "%Y",
        };
        at.format(form).to_string()
    }
}

/// A time in ISO form, with or without its clock; an offset is left out of account, as in dbt.
pub fn moment(text: &str) -> Option<NaiveDateTime> {
    if let Ok(with_offset) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        return Some(with_offset.naive_local());
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return date.and_hms_opt(0, 0, 0);
    }
    [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ]
    .into_iter()
    .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        moment(text).expect("a time").and_utc()
    }

    fn model(size: &str, lookback: Json) -> Microbatch {
        let config = serde_json::json!({
            "materialized": "incremental", "incremental_strategy": "microbatch", "event_time": "ts",
            "begin": "2024-01-30T12:00:00", "batch_size": size, "lookback": lookback,
        });
        let config = config.as_object().expect("a mapping").clone().into_iter();
        Microbatch::of("m", &config.collect())
            .expect("a good one")
            .expect("a microbatch model")
    }

    fn names(batches: &[Batch]) -> Vec<&str> {
        batches.iter().map(|batch| batch.name.as_str()).collect()
    }

    #[test]
    fn a_first_run_begins_at_the_beginning() {
        let batches = model("day", Json::Null).batches(false, None, at("2024-02-02 07:00:00"));
        assert_eq!(
            names(&batches),
            ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]
        );
        assert_eq!(Batch::text(batches[3].end), "2024-02-03 00:00:00+00:00");
        assert_eq!(batches[0].id(), "20240130");
        let batches = model("month", Json::Null).batches(false, None, at("2024-03-01"));
        assert_eq!(names(&batches), ["2024-01", "2024-02"]);
        let batches = model("year", Json::Null).batches(false, None, at("2025-01-01 00:00:01"));
        assert_eq!(names(&batches), ["2024", "2025"]);
    }

    #[test]
    fn a_later_run_looks_back() {
        let now = at("2024-05-01 10:30:00");
        let batches = model("hour", Json::Null).batches(true, None, now);
        assert_eq!(names(&batches), ["2024-05-01T09", "2024-05-01T10"]);
        let batches = model("hour", 0.into()).batches(true, None, now);
        assert_eq!(names(&batches), ["2024-05-01T10"]);
        let batches = model("month", 2.into()).batches(true, None, at("2024-05-01"));
        assert_eq!(names(&batches), ["2024-02", "2024-03", "2024-04"]);
    }

    #[test]
    fn times_of_the_command_line_are_widened_to_batches() {
        let asked = Some((at("2024-05-03 10:00:00"), at("2024-05-04 01:00:00")));
        let batches = model("day", Json::Null).batches(true, asked, at("2030-01-01"));
        assert_eq!(names(&batches), ["2024-05-03", "2024-05-04"]);
        assert_eq!(batches[1].end, at("2024-05-05"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let config = serde_json::json!({
            "materialized": "incremental", "incremental_strategy": "microbatch", "event_time": "ts", "begin": "soon",
        });
        let config = config
            .as_object()
            .expect("a mapping")
            .clone()
            .into_iter()
            .collect();
        let (key, words) = Microbatch::of("m", &config).expect_err("a bad one");
        assert_eq!(key, "begin");
        assert!(words.ends_with("but got: \"soon\""), "{words}");
    }
}

//! Values as RisingWave's sinks write them into JSON messages (`src/connector/src/sink/encoder/json.rs` of RisingWave).

use arrow::array::ArrayRef;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chrono::{DateTime, SecondsFormat};
use rwt_sql::DataType;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::error::QueryError;
use crate::value::{Interval, Value};

/// Days from the first day of the year 1, by which messages count, to 1970-01-01.
const EPOCH_FROM_CE: i32 = 719_163;

/// `timestamptz.handling.mode`: how a time with a zone is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestamptzMode {
    /// `2026-01-31T12:00:00.000000Z`
    #[default]
    UtcString,
    /// `2026-01-31 12:00:00.000000`
    UtcWithoutSuffix,
    /// Microseconds since 1970.
    Micro,
    /// Milliseconds since 1970.
    Milli,
}

impl TimestamptzMode {
    /// The mode of an option's value.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "utc_string" => Self::UtcString,
            "utc_without_suffix" => Self::UtcWithoutSuffix,
            "micro" => Self::Micro,
            "milli" => Self::Milli,
            _ => return None,
        })
    }

    fn write(self, micros: i64) -> Json {
        let utc = || DateTime::from_timestamp_micros(micros).unwrap_or_default();
        match self {
            Self::UtcString => json!(utc().to_rfc3339_opts(SecondsFormat::Micros, true)),
            Self::UtcWithoutSuffix => json!(utc().format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
            Self::Micro => json!(micros),
            Self::Milli => json!(micros.div_euclid(1000)),
        }
    }
}

/// One value of a message.
///
/// # Errors
/// An array that does not hold values of the type.
pub fn message_value(
    array: &ArrayRef,
    row: usize,
    data_type: &DataType,
    mode: TimestamptzMode,
) -> Result<Json, QueryError> {
    Ok(json_of(&crate::value::read(array, row)?, data_type, mode))
}

fn json_of(value: &Value<'_>, data_type: &DataType, mode: TimestamptzMode) -> Json {
    match (value, data_type) {
        (Value::Bool(v), _) => json!(v),
        (Value::Int(v), _) => json!(v),
        // one that is not finite is null
        #[allow(clippy::cast_possible_truncation, reason = "it was a real before")]
        (Value::Float(v), DataType::Real) => json!(*v as f32),
        (Value::Float(v), _) => json!(v),
        (Value::Decimal(v), _) => json!(v.to_string()),
        (Value::Text(v), _) => json!(v),
        (Value::Bytes(v), _) => json!(STANDARD_NO_PAD.encode(v)),
        (Value::Date(days), _) => json!(days + EPOCH_FROM_CE),
        (Value::Time(micros), _) => json!(micros.div_euclid(1_000_000) * 1000),
        (Value::Timestamp(micros), DataType::Timestamptz) => mode.write(*micros),
        (Value::Timestamp(micros), _) => json!(micros.div_euclid(1000)),
        (Value::Interval(v), _) => json!(iso_8601(*v)),
        (Value::List(items), DataType::List(item)) => {
            items.iter().map(|v| json_of(v, item, mode)).collect()
        }
        (Value::Struct(items), DataType::Struct(fields)) => {
            let pairs = fields.iter().zip(items);
            let pairs = pairs.map(|((name, t), v)| (name.clone(), json_of(v, t, mode)));
            Json::Object(pairs.collect())
        }
        (Value::Map(entries), DataType::Map(_, item)) => {
            let pairs = entries.iter().map(|(key, v)| {
                let key = match key {
                    Value::Text(text) => text.clone().into_owned(),
                    Value::Int(number) => number.to_string(),
                    _ => String::new(),
                };
                (key, json_of(v, item, mode))
            });
            Json::Object(pairs.collect::<Map<_, _>>())
        }
        _ => Json::Null,
    }
}

/// `P1Y1M2DT0H0M1S`, with the microseconds behind the seconds where there are any.
fn iso_8601(interval: Interval) -> String {
    let (years, months) = (interval.months / 12, interval.months % 12);
    let (seconds, micros) = (interval.micros / 1_000_000, interval.micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("P{years}Y{months}M{}DT{hours}H{minutes}M", interval.days);
    if micros == 0 {
        text.push_str(&seconds.to_string());
    } else {
        let sign = if interval.micros < 0 { "-" } else { "" };
        let digits = format!("{sign}{}.{:06}", seconds.abs(), micros.abs());
        text.push_str(digits.trim_end_matches('0'));
    }
    text.push('S');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_iso_8601() {
        let text = |months, days, micros| {
            iso_8601(Interval {
                months,
                days,
                micros,
            })
        };
        assert_eq!(text(13, 2, 1_000_000), "P1Y1M2DT0H0M1S");
        assert_eq!(text(0, 0, 3_723_500_000), "P0Y0M0DT1H2M3.5S");
        assert_eq!(text(0, -1, -500_000), "P0Y0M-1DT0H0M-0.5S");
    }

    #[test]
    fn times_are_written_as_the_option_says() {
        let at = 1_516_991_409_453_000;
        let written = |name: &str| TimestamptzMode::named(name).map(|mode| mode.write(at));
        assert_eq!(
            written("utc_string"),
            Some(json!("2018-01-26T18:30:09.453000Z"))
        );
        assert_eq!(
            written("utc_without_suffix"),
            Some(json!("2018-01-26 18:30:09.453000"))
        );
        assert_eq!(written("milli"), Some(json!(1_516_991_409_453_i64)));
        assert_eq!(written("micro"), Some(json!(1_516_991_409_453_000_i64)));
        assert_eq!(written("local"), None);
    }

    #[test]
    fn dates_and_times_are_numbers() {
        let mode = TimestamptzMode::default();
        let date = json_of(&Value::Date(0), &DataType::Date, mode);
        assert_eq!(date, json!(719_163));
        let time = json_of(&Value::Time(1_500_000), &DataType::Time, mode);
        assert_eq!(time, json!(1000));
        let timestamp = json_of(&Value::Timestamp(1_500_000), &DataType::Timestamp, mode);
        assert_eq!(timestamp, json!(1500));
        let list = Value::List(vec![Value::Int(1), Value::Null]);
        let list = json_of(&list, &DataType::List(Box::new(DataType::Integer)), mode);
        assert_eq!(list, json!([1, null]));
    }
}

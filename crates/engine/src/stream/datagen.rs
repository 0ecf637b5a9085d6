//! The `datagen` source: rows that count up or are made up, some per second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rwt_sql::DataType;
use serde_json::{Map, Value as Json};

use super::decode::{Decoder, Message};
use super::kafka::{Feed, Reader};
use crate::catalog::{Column, Source};
use crate::memory::Gate;
use crate::storage::SourceProgress;

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(50);
/// Rows per batch.
const BATCH_ROWS: u64 = 8192;

/// How a column is filled.
#[derive(Debug, Clone)]
enum Fill {
    /// From the first number to the last.
    Sequence(i64, i64),
    /// Whole numbers between two.
    Whole(i64, i64),
    /// Numbers between two.
    Fraction(f64, f64),
    /// Letters and digits.
    Letters(usize),
    Boolean,
    /// A moment in so many seconds before now.
    Moment(i64),
}

/// What the options of a datagen source say.
#[derive(Debug, Clone)]
pub struct Datagen {
    fields: Vec<(String, Fill)>,
    rows_per_second: u64,
}

impl Datagen {
    /// Reads a source's options.
    ///
    /// # Errors
    /// RisingWave's causes, as for [`super::KafkaOptions::new`].
    pub fn new(source: &Source, columns: &[Column]) -> Result<Self, Vec<String>> {
        for (key, _) in &source.options {
            let known = key == "connector"
                || key == "datagen.rows.per.second"
                || key == "datagen.split.num"
                || key.starts_with("fields.");
            if !known {
                return Err(vec![format!(
                    "Unknown fields in the WITH clause: {{\"{key}\"}}"
                )]);
            }
        }
        let rows_per_second = match source.option("datagen.rows.per.second") {
            None => 10,
            Some(text) => text
                .parse()
                .map_err(|_| vec![format!("failed to parse {text:?} as rows per second")])?,
        };
        let fields = columns
            .iter()
            .filter(|c| !c.hidden && c.generated.is_none())
            .map(|c| Ok((c.name.clone(), fill(source, c)?)))
            .collect::<Result<_, Vec<String>>>()?;
        Ok(Self {
            fields,
            rows_per_second,
        })
    }

    /// How many rows there are: the shortest sequence ends the stream.
    fn length(&self) -> u64 {
        self.fields
            .iter()
            .map(|(_, fill)| match fill {
                Fill::Sequence(first, last) => {
                    u64::try_from(last.saturating_sub(*first).saturating_add(1)).unwrap_or(0)
                }
                _ => u64::MAX,
            })
            .min()
            .unwrap_or(u64::MAX)
    }

    /// The row of a number, as a JSON object.
    fn row(&self, number: u64, random: &mut Random) -> Vec<u8> {
        let mut row = Map::new();
        for (name, fill) in &self.fields {
            let value = match fill {
                Fill::Sequence(first, _) => {
                    Json::from(first.saturating_add(i64::try_from(number).unwrap_or(i64::MAX)))
                }
                Fill::Whole(low, high) => Json::from(random.between(*low, *high)),
                Fill::Fraction(low, high) => Json::from(low + random.unit() * (high - low)),
                Fill::Letters(length) => Json::from(random.letters(*length)),
                Fill::Boolean => Json::from(random.next() & 1 == 1),
                Fill::Moment(seconds) => {
                    let back = random.between(0, (*seconds).max(0));
                    let moment = chrono::Utc::now() - chrono::TimeDelta::seconds(back);
                    Json::from(moment.timestamp_micros())
                }
            };
            row.insert(name.clone(), value);
        }
        Json::Object(row).to_string().into_bytes()
    }

    /// Starts making rows behind `progress`.
    ///
    /// # Errors
    /// If the thread does not start.
    pub fn start(
        self,
        name: &str,
        decoder: Decoder,
        progress: SourceProgress,
        gate: Arc<Gate>,
    ) -> std::io::Result<Reader> {
        Reader::with_thread(name, progress.clone(), gate, move |feed| {
            self.run(&feed, decoder, progress);
        })
    }

    fn run(self, feed: &Feed, mut decoder: Decoder, mut progress: SourceProgress) {
        let begun = Instant::now();
        let before = progress.partitions.get(&0).map_or(0, |p| p.rows);
        let length = self.length();
        let mut random = Random::new();
        let mut made = before;
        while !feed.stopped() && made < length {
            let due = self.rows_per_second as f64 * begun.elapsed().as_secs_f64();
            let due = before.saturating_add(due as u64 + 1).min(length);
            if feed.must_wait() || made >= due {
                std::thread::sleep(TICK);
                continue;
            }
            let until = due.min(made + BATCH_ROWS);
            while made < until {
                let row = self.row(made, &mut random);
                decoder.push(&Message {
                    payload: Some(&row),
                    offset: i64::try_from(made).unwrap_or(i64::MAX),
                    ..Message::default()
                });
                made += 1;
            }
            let partition = progress.partitions.entry(0).or_default();
            partition.rows = made;
            partition.position = i64::try_from(made).ok();
            match decoder.finish() {
                Ok(rows) => feed.put(rows, &progress),
                Err(error) => return feed.trouble(format!("rows cannot be built: {error}")),
            }
        }
    }
}

fn fill(source: &Source, column: &Column) -> Result<Fill, Vec<String>> {
    let option = |what: &str| source.option(&format!("fields.{}.{what}", column.name));
    let wrong = |text: &str| {
        vec![format!(
            "failed to parse {text:?} of column {}",
            column.name
        )]
    };
    let whole = |what: &str, default: i64| match option(what) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| wrong(text)),
    };
    let number = |what: &str, default: f64| match option(what) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| wrong(text)),
    };
    let sequence = match option("kind") {
        None | Some("random") => false,
        Some("sequence") => true,
        Some(other) => return Err(wrong(other)),
    };
    Ok(match &column.data_type {
        DataType::SmallInt
        | DataType::Integer
        | DataType::BigInt
        | DataType::Real
        | DataType::Double
        | DataType::Numeric
            if sequence =>
        {
            Fill::Sequence(whole("start", 0)?, whole("end", i64::MAX)?)
        }
        DataType::SmallInt | DataType::Integer | DataType::BigInt => {
            Fill::Whole(whole("min", 0)?, whole("max", i16::MAX.into())?)
        }
        DataType::Real | DataType::Double | DataType::Numeric => {
            Fill::Fraction(number("min", 0.0)?, number("max", i16::MAX.into())?)
        }
        DataType::Varchar => {
            let length = whole("length", 10)?;
            Fill::Letters(usize::try_from(length).map_err(|_| wrong(&length.to_string()))?)
        }
        DataType::Boolean => Fill::Boolean,
        DataType::Timestamp | DataType::Timestamptz => Fill::Moment(match option("max_past") {
            None => 86_400,
            Some(text) => seconds(text).ok_or_else(|| wrong(text))?,
        }),
        other => {
            return Err(vec![format!(
                "Feature is not yet implemented: datagen of {other} in the embedded engine"
            )]);
        }
    })
}

/// `10d`, `2h 30m`, `1 day`: in seconds.
fn seconds(text: &str) -> Option<i64> {
    let mut total = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let letters = tail.len()
            - tail
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, tail) = tail.split_at(letters);
        let unit = match unit.trim_end_matches('s') {
            "d" | "day" => 86_400,
            "h" | "hour" | "hr" => 3600,
            "m" | "min" | "minute" => 60,
            "" | "sec" | "second" => 1,
            _ => return None,
        };
        total += count.parse::<i64>().ok()?.checked_mul(unit)?;
        rest = tail.trim_start();
    }
    Some(total)
}

/// A plain generator (splitmix64). Not for secrets.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default();
        Self(now.unsigned_abs())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.abs_diff(low).saturating_add(1);
        low.wrapping_add_unsigned(self.next() % span)
    }

    fn letters(&mut self, length: usize) -> String {
        const ALL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length)
            .map(|_| char::from(ALL[(self.next() % ALL.len() as u64) as usize]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(options: &[(&str, &str)]) -> Source {
        Source {
            connector: "datagen".into(),
            secrets: Vec::new(),
            options: options
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            format: "PLAIN".into(),
            encode: "JSON".into(),
            origins: Vec::new(),
            delimiter: ',',
            watermark: None,
            avro: None,
        }
    }

    #[test]
    fn a_sequence_ends_the_stream() {
        let columns = [
            Column::new("a", DataType::Integer),
            Column::new("b", DataType::Varchar),
        ];
        let options = source(&[
            ("fields.a.kind", "sequence"),
            ("fields.a.start", "3"),
            ("fields.a.end", "5"),
            ("fields.b.length", "4"),
        ]);
        let datagen = Datagen::new(&options, &columns).unwrap();
        assert_eq!(datagen.length(), 3);
        let row: Json = serde_json::from_slice(&datagen.row(2, &mut Random::new())).unwrap();
        assert_eq!(row["a"], 5);
        assert_eq!(row["b"].as_str().map(str::len), Some(4));
    }

    #[test]
    fn options_that_say_nothing_are_refused() {
        let columns = [Column::new("a", DataType::Integer)];
        assert!(Datagen::new(&source(&[("topic", "x")]), &columns).is_err());
        assert!(Datagen::new(&source(&[("fields.a.kind", "x")]), &columns).is_err());
        assert_eq!(seconds("1d 2h"), Some(93_600));
        assert_eq!(seconds("soon"), None);
    }
}

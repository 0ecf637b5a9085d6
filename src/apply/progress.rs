//! How far a build is, out of what `rw_ddl_progress` says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use rwt_plan::counted;
use serde::Serialize;

/// Without progress for so long, a build is worth a warning.
const STALLED: Duration = Duration::from_secs(60);

/// What the server says of a job: `Snapshot [2.00% (400/20000)]`, `6133 rows consumed`, `0.0%`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Reading {
    /// 0 to 100, where the server knows the whole.
    pub percent: Option<f64>,
    /// Rows that were read.
    pub rows: Option<u64>,
    /// Rows that there are to read.
    pub of: Option<u64>,
}

impl Reading {
    /// Out of the server's words.
    pub fn parse(text: &str) -> Self {
        let before = |mark: &str| {
            let end = text.find(mark)?;
            let start = text[..end]
                .rfind(|c: char| !c.is_ascii_digit() && c != '.')
                .map_or(0, |at| at + 1);
            Some(&text[start..end])
        };
        let fraction = text
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .and_then(|(inside, _)| inside.split_once('/'));
        let number = |text: &str| text.trim().parse().ok();
        Self {
            percent: before("%").and_then(|text| text.parse().ok()),
            rows: match fraction {
                Some((rows, _)) => number(rows),
                None => before(" rows consumed").and_then(number),
            },
            of: fraction.and_then(|(_, of)| number(of)),
        }
    }
}

/// A build that goes on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BuildProgress {
    /// The object that is built.
    pub relation: String,
    /// How far it is.
    #[serde(flatten)]
    pub reading: Reading,
    /// Rows in a second since the build was first seen.
    pub rate: Option<f64>,
    /// Seconds that it will still take at this rate.
    pub remaining: Option<f64>,
    /// Messages that are still to be read of the topics that it reads, where the server shows that.
    pub lag: Option<u64>,
    /// Seconds since the last progress, if it is long ago.
    pub stalled: Option<u64>,
}

impl fmt::Display for BuildProgress {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds and rows for people"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.relation)?;
        match (self.reading.percent, self.reading.rows) {
            (Some(percent), _) => write!(f, " {percent:.1} %")?,
            (None, Some(rows)) => write!(f, " {}", counted(rows, "row"))?,
            (None, None) => write!(f, " is being built")?,
        }
        if let Some(rate) = self.rate {
            write!(f, ", {rate:.0} rows/s")?;
        }
        if let Some(remaining) = self.remaining {
            let seconds = remaining.ceil() as u64;
            match seconds {
                0..120 => write!(f, ", about {seconds} s left")?,
                120..7200 => write!(f, ", about {} min left", seconds / 60)?,
                _ => write!(f, ", about {} h left", seconds / 3600)?,
            }
        }
        if let Some(lag) = self.lag {
            write!(f, ", {} behind", counted(lag, "message"))?;
        }
        if let Some(seconds) = self.stalled {
            write!(f, ", no progress for {seconds} s")?;
        }
        Ok(())
    }
}

/// Remembers what was read of each build before.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    builds: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    first: (Instant, Reading),
    /// When the reading last changed.
    moved: (Instant, Reading),
}

impl Tracker {
    /// Takes a reading in, and how many messages the build is behind.
    #[allow(clippy::cast_precision_loss, reason = "rates are for people")]
    pub(super) fn update(
        &mut self,
        relation: &str,
        text: &str,
        lag: Option<u64>,
        now: Instant,
    ) -> BuildProgress {
        let reading = Reading::parse(text);
        let seen = self.builds.entry(relation.to_owned()).or_insert(Seen {
            first: (now, reading),
            moved: (now, reading),
        });
        if seen.moved.1 != reading {
            seen.moved = (now, reading);
        }
        let (since, first) = seen.first;
        let seconds = now.duration_since(since).as_secs_f64();
        let rate = match (first.rows, reading.rows) {
            (Some(first), Some(rows)) if rows > first && seconds > 0.0 => {
                Some((rows - first) as f64 / seconds)
            }
            _ => None,
        };
        let remaining = match (rate, reading.rows, reading.of) {
            (Some(rate), Some(rows), Some(of)) if of > rows => Some((of - rows) as f64 / rate),
            _ => None,
        };
        let still = now.duration_since(seen.moved.0);
        BuildProgress {
            relation: relation.to_owned(),
            reading,
            rate,
            remaining,
            lag,
            stalled: (still >= STALLED).then_some(still.as_secs()),
        }
    }

    /// Forgets builds that are not among `relations`.
    pub(super) fn keep(&mut self, relations: &[String]) {
        self.builds.retain(|name, _| relations.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words_are_read() {
        let of = |text| Reading::parse(text);
        assert_eq!(
            of("Snapshot [2.00% (400/20000)]"),
            Reading {
                percent: Some(2.0),
                rows: Some(400),
                of: Some(20000)
            }
        );
        assert_eq!(of("6133 rows consumed").rows, Some(6133));
        assert_eq!(of("0.0%").percent, Some(0.0));
        assert_eq!(of(""), Reading::default());
    }

    #[test]
    fn rate_estimate_and_standstill() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut tracker = Tracker::default();
        let words = |rows: u64| format!("Snapshot [{}.00% ({rows}/1000)]", rows / 10);
        assert_eq!(
            tracker
                .update("public.m", &words(100), None, at(0))
                .to_string(),
            "public.m 10.0 %"
        );
        assert_eq!(
            tracker
                .update("public.m", &words(300), Some(7), at(10))
                .to_string(),
            "public.m 30.0 %, 20 rows/s, about 35 s left, 7 messages behind"
        );
        let still = tracker.update("public.m", &words(300), None, at(90));
        assert_eq!(still.stalled, Some(80));
        tracker.keep(&[]);
        let again = tracker.update("public.m", &words(300), None, at(91));
        assert_eq!((again.rate, again.stalled), (None, None));
    }
}

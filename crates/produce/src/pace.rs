//! When each event is due, and what time it carries.
//!
//! Event `k` is due at `start + k / rate`, computed from `k` alone: nothing drifts, rates below one and above 100,000 a
//! second are as exact as any other, and whoever falls behind sends at once until it has caught up. A start in the past
//! is nothing else than having fallen behind: history is sent as fast as it goes, up to now.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Events per second; finite and above zero.
    PerSecond(f64),
    /// As fast as the output takes them.
    Max,
}

impl std::str::FromStr for Rate {
    type Err = String;

    /// A number of events per second, or `max`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        match text.replace('_', "").parse::<f64>() {
            Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Self::PerSecond(rate)),
            _ => Err(
                "expected events per second above zero, for example 0.5 or 20000, or `max`"
                    .to_owned(),
            ),
        }
    }
}

/// When to stop by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    /// After this many events.
    pub events: Option<u64>,
    /// When the events' own clock has run this long.
    pub duration: Option<Duration>,
}

/// Start, rate and limit together.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How fast.
    pub rate: Rate,
    /// When to stop.
    pub limit: Limit,
    /// Time of the first event; now, unless history is wanted.
    pub start: DateTime<Utc>,
}

impl Pace {
    /// How long after the start event `k` (from 0) is due. With [`Rate::Max`] it is due whenever it is asked for.
    pub fn offset(&self, k: u64, now: DateTime<Utc>) -> Duration {
        match self.rate {
            Rate::PerSecond(rate) => {
                #[allow(
                    clippy::cast_precision_loss,
                    reason = "a count of events stays below 2^53"
                )]
                let seconds = k as f64 / rate;
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
            Rate::Max => (now - self.start).to_std().unwrap_or_default(),
        }
    }

    /// The time at `offset`.
    pub fn at(&self, offset: Duration) -> DateTime<Utc> {
        TimeDelta::from_std(offset)
            .ok()
            .and_then(|delta| self.start.checked_add_signed(delta))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Whether event `k` is beyond the limit.
    pub fn is_over(&self, k: u64, offset: Duration) -> bool {
        self.limit.events.is_some_and(|events| k >= events)
            || self
                .limit
                .duration
                .is_some_and(|duration| offset >= duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: f64, events: Option<u64>, seconds: Option<u64>) -> Pace {
        Pace {
            rate: Rate::PerSecond(rate),
            limit: Limit {
                events,
                duration: seconds.map(Duration::from_secs),
            },
            start: DateTime::UNIX_EPOCH,
        }
    }

    fn sent(pace: &Pace) -> u64 {
        (0..)
            .find(|k| pace.is_over(*k, pace.offset(*k, pace.start)))
            .unwrap()
    }

    #[test]
    fn every_rate_is_exact_over_a_duration() {
        assert_eq!(sent(&pace(0.1, None, Some(100))), 10);
        assert_eq!(sent(&pace(0.5, None, Some(60))), 30);
        assert_eq!(sent(&pace(150_000.0, None, Some(2))), 300_000);
    }

    #[test]
    fn a_number_of_events_ends_it() {
        assert_eq!(sent(&pace(3.0, Some(7), None)), 7);
        assert_eq!(sent(&pace(3.0, Some(7), Some(1))), 3);
    }

    #[test]
    fn rates_are_read() {
        assert_eq!("0.5".parse(), Ok(Rate::PerSecond(0.5)));
        assert_eq!("100_000".parse(), Ok(Rate::PerSecond(100_000.0)));
        assert_eq!("max".parse(), Ok(Rate::Max));
        for wrong in ["0", "-1", "nan", "inf", "fast"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}

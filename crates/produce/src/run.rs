//! The loop from a source to an output.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::error::ProduceError;
use crate::event::Event;
use crate::pace::Pace;
use crate::summary::{Counters, Summary};

/// Where events come from.
pub trait Source {
    /// The next event, at this time of the events' clock; `None` at the end.
    ///
    /// # Errors
    /// A file holds something else than events.
    fn next(&mut self, at: DateTime<Utc>) -> Result<Option<Event>, ProduceError>;
}

/// Where events go.
pub trait Output {
    /// Takes an event. It may wait until there is room.
    ///
    /// # Errors
    /// Nothing can be sent any more.
    fn send(&mut self, event: &Event) -> Result<(), ProduceError>;

    /// Sends what has waited long enough and takes in what was acknowledged. Called several times a second.
    ///
    /// # Errors
    /// Nothing can be sent any more.
    fn poll(&mut self) -> Result<(), ProduceError>;

    /// Sends everything and waits until it is acknowledged or has failed.
    ///
    /// # Errors
    /// Not everything was acknowledged in time.
    fn finish(&mut self) -> Result<(), ProduceError>;

    /// What happened so far.
    fn counters(&self) -> Counters;
}

/// Hears of the progress once a second.
pub trait Observer {
    /// Totals so far.
    fn tick(&mut self, elapsed: Duration, counters: &Counters);
}

/// The longest sleep, so that a stop is noticed and what waits is sent.
const SLICE: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_secs(1);
/// Events between two looks at the clock for polls and ticks.
const STRIDE: u64 = 256;

/// Sends events until a limit, the source's end, or `stop`; then flushes. The summary holds what happened even where
/// the way there failed.
pub fn run(
    source: &mut dyn Source,
    output: &mut dyn Output,
    pace: &Pace,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> (Summary, Result<(), ProduceError>) {
    let started = Instant::now();
    let sending = send_all(source, output, pace, stop, observer, started);
    let finishing = output.finish();
    let summary = Summary {
        counters: output.counters(),
        elapsed: started.elapsed(),
        stopped: stop.load(Ordering::Relaxed),
    };
    (summary, sending.and(finishing))
}

fn send_all(
    source: &mut dyn Source,
    output: &mut dyn Output,
    pace: &Pace,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
    started: Instant,
) -> Result<(), ProduceError> {
    let mut next_tick = started + TICK;
    let mut look_after = |output: &mut dyn Output| -> Result<(), ProduceError> {
        output.poll()?;
        let now = Instant::now();
        if now >= next_tick {
            next_tick = now + TICK;
            observer.tick(now - started, &output.counters());
        }
        Ok(())
    };
    for k in 0.. {
        if k % STRIDE == 0 {
            look_after(output)?;
        }
        let now = Utc::now();
        let offset = pace.offset(k, now);
        if pace.is_over(k, offset) {
            break;
        }
        let due = pace.at(offset);
        let mut wait = (due - now).to_std().unwrap_or_default();
        while !wait.is_zero() {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            std::thread::sleep(wait.min(SLICE));
            look_after(output)?;
            wait = (due - Utc::now()).to_std().unwrap_or_default();
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match source.next(due)? {
            Some(event) => output.send(&event)?,
            None => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::shop::Shop;
    use crate::pace::{Limit, Rate};

    #[derive(Default)]
    struct Kept(Vec<Event>);

    impl Output for Kept {
        fn send(&mut self, event: &Event) -> Result<(), ProduceError> {
            self.0.push(event.clone());
            Ok(())
        }
        fn poll(&mut self) -> Result<(), ProduceError> {
            Ok(())
        }
        fn finish(&mut self) -> Result<(), ProduceError> {
            Ok(())
        }
        fn counters(&self) -> Counters {
            Counters::default()
        }
    }

    struct Silent;

    impl Observer for Silent {
        fn tick(&mut self, _: Duration, _: &Counters) {}
    }

    #[test]
    fn history_is_sent_at_once_with_its_own_times() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let pace = Pace {
            rate: Rate::PerSecond(0.1),
            limit: Limit {
                events: Some(1000),
                duration: None,
            },
            start,
        };
        let mut output = Kept::default();
        let (_, result) = run(
            &mut Shop::new(1, 100),
            &mut output,
            &pace,
            &AtomicBool::new(false),
            &mut Silent,
        );
        result.unwrap();
        assert_eq!(output.0.len(), 1000);
        let first = output.0[0].values.last().unwrap();
        assert_eq!(first, &"2023-11-14 22:13:20".into());
    }

    #[test]
    fn a_stop_ends_it_before_the_next_event() {
        let pace = Pace {
            rate: Rate::PerSecond(0.001),
            limit: Limit::default(),
            start: Utc::now() + chrono::TimeDelta::hours(1),
        };
        let mut output = Kept::default();
        let stop = AtomicBool::new(true);
        let (summary, result) = run(
            &mut Shop::new(1, 100),
            &mut output,
            &pace,
            &stop,
            &mut Silent,
        );
        result.unwrap();
        assert!(summary.stopped && output.0.is_empty());
    }
}

//! What was sent, acknowledged and lost, and how long acknowledgements took.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use indexmap::IndexMap;
use serde::Serialize;
use serde::ser::SerializeStruct;

/// Totals of an output.
#[derive(Debug, Clone)]
pub struct Counters {
    /// Events handed to the output, by topic or table.
    pub sent: IndexMap<Arc<str>, u64>,
    /// Events that the broker or the database acknowledged.
    pub acknowledged: u64,
    /// Events that it refused.
    pub failed: u64,
    /// Time to the acknowledgement, in microseconds.
    pub latency: Histogram<u64>,
    /// The first refusal, in the other side's words.
    pub first_failure: Option<String>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            sent: IndexMap::new(),
            acknowledged: 0,
            failed: 0,
            latency: latencies(),
            first_failure: None,
        }
    }
}

/// An empty histogram from 1 µs to 10 min with three digits.
fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3)
        .or_else(|_| Histogram::new(3))
        .expect("three digits are within the histogram's limits")
}

impl Counters {
    /// All events handed over.
    pub fn total_sent(&self) -> u64 {
        self.sent.values().sum()
    }

    /// Counts an event in.
    pub(crate) fn count_sent(&mut self, stream: &Arc<str>) {
        match self.sent.get_mut(stream) {
            Some(count) => *count += 1,
            None => {
                self.sent.insert(stream.clone(), 1);
            }
        }
    }

    /// Counts `events` that were acknowledged after `latency`.
    pub(crate) fn count_acknowledged(&mut self, events: u64, latency: Duration) {
        self.acknowledged += events;
        let micros = u64::try_from(latency.as_micros())
            .unwrap_or(u64::MAX)
            .max(1);
        self.latency.saturating_record_n(micros, events);
    }

    /// Counts `events` that were refused.
    pub(crate) fn count_failed(&mut self, events: u64, reason: impl FnOnce() -> String) {
        self.failed += events;
        self.first_failure.get_or_insert_with(reason);
    }

    /// A quantile of the latencies in milliseconds; `None` while nothing was acknowledged.
    pub fn latency_ms(&self, quantile: f64) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "microseconds of minutes fit")]
        let millis = |micros: u64| micros as f64 / 1000.0;
        (!self.latency.is_empty()).then(|| millis(self.latency.value_at_quantile(quantile)))
    }
}

/// How a production ended.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Totals.
    pub counters: Counters,
    /// From the first event to the last acknowledgement.
    pub elapsed: Duration,
    /// Whether it was asked to stop, rather than done.
    pub stopped: bool,
}

impl Summary {
    /// Acknowledged events per second.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        #[allow(
            clippy::cast_precision_loss,
            reason = "a count of events stays below 2^53"
        )]
        let events = self.counters.acknowledged as f64;
        if seconds > 0.0 { events / seconds } else { 0.0 }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counters = &self.counters;
        write!(
            f,
            "sent {}, acknowledged {}, failed {} in {:.1} s ({:.1}/s)",
            counters.total_sent(),
            counters.acknowledged,
            counters.failed,
            self.elapsed.as_secs_f64(),
            self.rate()
        )?;
        if let (Some(p50), Some(p99)) = (counters.latency_ms(0.5), counters.latency_ms(0.99)) {
            write!(f, ", latency p50 {p50:.1} ms, p99 {p99:.1} ms")?;
        }
        for (stream, count) in &counters.sent {
            write!(f, "\n  {stream}: {count}")?;
        }
        if let Some(reason) = &counters.first_failure {
            write!(f, "\n  first failure: {reason}")?;
        }
        Ok(())
    }
}

impl Serialize for Summary {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counters = &self.counters;
        let streams: IndexMap<&str, u64> = counters
            .sent
            .iter()
            .map(|(stream, count)| (stream.as_ref(), *count))
            .collect();
        let mut fields = serializer.serialize_struct("Summary", 9)?;
        fields.serialize_field("sent", &counters.total_sent())?;
        fields.serialize_field("acknowledged", &counters.acknowledged)?;
        fields.serialize_field("failed", &counters.failed)?;
        fields.serialize_field("seconds", &self.elapsed.as_secs_f64())?;
        fields.serialize_field("rate", &self.rate())?;
        fields.serialize_field("latency_p50_ms", &counters.latency_ms(0.5))?;
        fields.serialize_field("latency_p99_ms", &counters.latency_ms(0.99))?;
        fields.serialize_field("streams", &streams)?;
        fields.serialize_field("first_failure", &counters.first_failure)?;
        fields.end()
    }
}

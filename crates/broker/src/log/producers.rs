//! What a partition remembers of idempotent producers, so that a batch sent twice is kept once.
//!
//! The rules are Kafka's (`ProducerStateManager`): per producer the last five batches are remembered; a batch among them is
//! answered with the offset it got; any other must continue the sequence; a newer epoch starts at sequence 0; a producer
//! that is not known may start anywhere.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::log::batch::BatchHeader;

/// Batches remembered per producer: the most that a client may have in flight.
const REMEMBERED: usize = 5;
/// Most producers remembered per partition; beyond it the one unused for longest is forgotten.
const MAX_PRODUCERS: usize = 10_000;
/// A producer unused for this long is forgotten (Kafka's `producer.id.expiration.ms`).
const EXPIRES_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// State of every producer that wrote to a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producers(HashMap<i64, Producer>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Producer {
    epoch: i16,
    used_ms: i64,
    batches: VecDeque<Remembered>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    /// Time at which the broker stamped the batch, -1 for the producer's own timestamps.
    append_time: i64,
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    New,
    /// It is in the log already, at this base offset and with this append time (-1 for none).
    Duplicate(i64, i64),
}

/// Why a batch of an idempotent producer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// Another incarnation of the producer has written already.
    #[error("epoch {got} of producer {producer_id} is older than {current}")]
    OldEpoch {
        /// The producer.
        producer_id: i64,
        /// Epoch of the batch.
        got: i16,
        /// Epoch of the newest batch in the log.
        current: i16,
    },
    /// A batch before this one is missing, or this one is older than what is remembered.
    #[error("producer {producer_id}: sequence {got} does not follow {last}")]
    OutOfOrder {
        /// The producer.
        producer_id: i64,
        /// First sequence of the batch.
        got: i32,
        /// Last sequence in the log.
        last: i32,
    },
}

impl Producers {
    /// Judges a batch before it is appended.
    pub fn check(&self, header: &BatchHeader) -> Result<Verdict, SequenceError> {
        if !header.is_idempotent() {
            return Ok(Verdict::New);
        }
        let Some(producer) = self.0.get(&header.producer_id) else {
            return Ok(Verdict::New);
        };
        let producer_id = header.producer_id;
        if header.producer_epoch < producer.epoch {
            return Err(SequenceError::OldEpoch {
                producer_id,
                got: header.producer_epoch,
                current: producer.epoch,
            });
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        let newest = producer
            .batches
            .back()
            .map_or(-1, |batch| batch.last_sequence);
        if header.producer_epoch > producer.epoch {
            return match first {
                0 => Ok(Verdict::New),
                got => Err(SequenceError::OutOfOrder {
                    producer_id,
                    got,
                    last: newest,
                }),
            };
        }
        let same =
            |batch: &&Remembered| batch.first_sequence == first && batch.last_sequence == last;
        if let Some(batch) = producer.batches.iter().find(same) {
            return Ok(Verdict::Duplicate(batch.base_offset, batch.append_time));
        }
        let expected = if newest == i32::MAX { 0 } else { newest + 1 };
        if first == expected {
            Ok(Verdict::New)
        } else {
            Err(SequenceError::OutOfOrder {
                producer_id,
                got: first,
                last: newest,
            })
        }
    }

    /// Remembers a batch that is in the log at `header.base_offset`.
    pub fn appended(&mut self, header: &BatchHeader, now_ms: i64) {
        if !header.is_idempotent() {
            return;
        }
        if self.0.len() >= MAX_PRODUCERS && !self.0.contains_key(&header.producer_id) {
            self.forget_oldest();
        }
        let new = || Producer {
            epoch: header.producer_epoch,
            used_ms: now_ms,
            batches: VecDeque::new(),
        };
        let producer = self.0.entry(header.producer_id).or_insert_with(new);
        if producer.epoch != header.producer_epoch {
            *producer = new();
        }
        producer.used_ms = now_ms;
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Remembered {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            append_time: if header.is_log_append_time() {
                header.max_timestamp
            } else {
                -1
            },
        });
    }

    /// Forgets producers that have been silent for a day.
    pub fn expire(&mut self, now_ms: i64) {
        self.0
            .retain(|_, producer| now_ms.saturating_sub(producer.used_ms) < EXPIRES_AFTER_MS);
    }

    /// The largest producer id seen, so that none is handed out twice.
    pub fn largest_id(&self) -> Option<i64> {
        self.0.keys().copied().max()
    }

    fn forget_oldest(&mut self) {
        if let Some(&oldest) = self
            .0
            .iter()
            .min_by_key(|(_, producer)| producer.used_ms)
            .map(|(id, _)| id)
        {
            self.0.remove(&oldest);
        }
    }
}

//! Models of a shop's events. The same seed makes the same events.

pub mod clickstream;
mod pools;
pub mod shop;

use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// One of a pool that is not empty.
fn pick<T: Copy>(rng: &mut ChaCha8Rng, pool: &[T]) -> T {
    pool.choose(rng).copied().unwrap_or(pool[0])
}

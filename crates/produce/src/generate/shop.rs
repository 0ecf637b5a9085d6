//! Page views, cart events and purchases for the topics `page_views`, `cart_events` and `purchases`.
//!
//! A visit is one page view, with probability 0.3 a cart event and independently with probability 0.1 a purchase, all of
//! one user and one time (the reference's `producer.py`). Times are UTC to the second, `2026-02-14 12:00:00`.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::ProduceError;
use crate::event::{Event, Shape, Value};
use crate::run::Source;

/// The topics that [`Shop`] writes to.
pub const TOPICS: [&str; 3] = ["page_views", "cart_events", "purchases"];

const CART_SHARE: f64 = 0.3;
const PURCHASE_SHARE: f64 = 0.1;

/// An endless shop.
#[derive(Debug)]
pub struct Shop {
    rng: ChaCha8Rng,
    users: u64,
    shapes: [Shape; 3],
    /// What is left of the visit that has begun.
    visit: VecDeque<Event>,
}

impl Shop {
    /// A shop with users `1..=users`.
    pub fn new(seed: u64, users: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            users: users.max(1),
            shapes: [
                Shape::new(TOPICS[0], &["user_id", "page_id", "event_time"]),
                Shape::new(TOPICS[1], &["user_id", "item_id", "event_time"]),
                Shape::new(TOPICS[2], &["user_id", "amount", "event_time"]),
            ],
            visit: VecDeque::with_capacity(3),
        }
    }

    fn begin_visit(&mut self, at: DateTime<Utc>) {
        let user = self.rng.random_range(1..=self.users);
        let user_id = Value::Int(i64::try_from(user).unwrap_or(i64::MAX));
        let time = Value::Text(at.format("%Y-%m-%d %H:%M:%S").to_string());
        let key = Some(user.to_string());
        let page = format!("page_{}", self.rng.random_range(1..=100));
        let [views, carts, purchases] = &self.shapes;
        let values = vec![user_id.clone(), page.into(), time.clone()];
        self.visit.push_back(views.event(key.clone(), values));
        if self.rng.random_bool(CART_SHARE) {
            let item = format!("item_{}", self.rng.random_range(100..=1000));
            let values = vec![user_id.clone(), item.into(), time.clone()];
            self.visit.push_back(carts.event(key.clone(), values));
        }
        if self.rng.random_bool(PURCHASE_SHARE) {
            let amount = f64::from(self.rng.random_range(1_000..=50_000)) / 100.0;
            let values = vec![user_id, Value::Double(amount), time];
            self.visit.push_back(purchases.event(key, values));
        }
    }
}

impl Source for Shop {
    fn next(&mut self, at: DateTime<Utc>) -> Result<Option<Event>, ProduceError> {
        if self.visit.is_empty() {
            self.begin_visit(at);
        }
        Ok(self.visit.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(seed: u64, count: usize) -> Vec<Event> {
        let mut shop = Shop::new(seed, 1000);
        (0..count)
            .map(|_| shop.next(DateTime::UNIX_EPOCH).unwrap().unwrap())
            .collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_events() {
        assert_eq!(events(7, 500), events(7, 500));
        assert_ne!(events(7, 500), events(8, 500));
    }

    #[test]
    fn shares_are_those_of_the_model() {
        let events = events(1, 28_000);
        let share = |topic: &str| {
            let of = |t: &str| events.iter().filter(|e| &*e.stream == t).count();
            #[allow(clippy::cast_precision_loss)]
            let ratio = of(topic) as f64 / of("page_views") as f64;
            ratio
        };
        assert!((share("cart_events") - CART_SHARE).abs() < 0.02);
        assert!((share("purchases") - PURCHASE_SHARE).abs() < 0.02);
    }
}

//! Users, sessions, devices, campaigns and their clickstream, row by row, for the six tables of the rich models.
//!
//! A session begins with its dimension rows, lands on a page and goes through one to four products, with the
//! probabilities and pauses of the reference's `producer_direct.py`. Each event is made when its time has come, so none
//! is stamped in the future, and sessions overlap as they do in a shop.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::net::Ipv4Addr;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::pick;
use super::pools::{
    BUTTONS, CAMPAIGNS, CHANNELS, CONTENTS, COUNTRIES, DEVICES, FIRST_NAMES, LANDINGS, LAST_NAMES,
    PAGES, PLACES, PRODUCTS, REFERRERS, TERMS,
};
use crate::error::ProduceError;
use crate::event::{Event, Shape, Value};
use crate::run::Source;

/// The tables that the clickstream is written to, dimensions first.
pub const TABLES: [&str; 6] = [
    "users",
    "devices",
    "campaigns",
    "sessions",
    "page_catalog",
    "clickstream_events",
];

/// The names of the page catalog's rows: what is there already is not written again.
pub const CATALOG_KEY: &str = "page_url";

#[derive(Debug)]
struct Shapes {
    users: Shape,
    devices: Shape,
    campaigns: Shape,
    sessions: Shape,
    page_catalog: Shape,
    events: Shape,
}

impl Shapes {
    fn new() -> Self {
        Self {
            users: Shape::new(
                "users",
                &[
                    "user_id",
                    "full_name",
                    "email",
                    "country",
                    "signup_time",
                    "marketing_opt_in",
                    "ingested_at",
                ],
            ),
            devices: Shape::new(
                "devices",
                &[
                    "device_id",
                    "device_type",
                    "os",
                    "browser",
                    "user_agent",
                    "ingested_at",
                ],
            ),
            campaigns: Shape::new(
                "campaigns",
                &[
                    "campaign_id",
                    "source",
                    "medium",
                    "campaign",
                    "content",
                    "term",
                    "ingested_at",
                ],
            ),
            sessions: Shape::new(
                "sessions",
                &[
                    "session_id",
                    "user_id",
                    "device_id",
                    "session_start",
                    "ip_address",
                    "geo_city",
                    "geo_region",
                    "ingested_at",
                ],
            ),
            page_catalog: Shape::new(
                "page_catalog",
                &[
                    "page_url",
                    "page_category",
                    "product_id",
                    "product_category",
                    "ingested_at",
                ],
            ),
            events: Shape::new(
                "clickstream_events",
                &[
                    "event_id",
                    "user_id",
                    "session_id",
                    "event_type",
                    "page_url",
                    "element_id",
                    "event_time",
                    "referrer",
                    "campaign_id",
                    "revenue_usd",
                    "ingested_at",
                ],
            ),
        }
    }
}

/// What a session does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Land,
    View,
    Click,
    AddToCart,
    Checkout,
    Purchase,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Session {
    step: Step,
    id: String,
    user: i64,
    campaign: String,
    /// Indexes of the products still to be seen; the last one is the current one.
    products: Vec<usize>,
}

/// An endless clickstream.
#[derive(Debug)]
pub struct Clickstream {
    rng: ChaCha8Rng,
    shapes: Shapes,
    /// A fixed set of users to draw from, with those that have their row; otherwise every session has a new user.
    pool: Option<(u64, HashSet<u64>)>,
    next_user: u64,
    /// Rows that are due now.
    rows: VecDeque<Event>,
    /// Sessions by the time of their next step; the number keeps the order of equals.
    sessions: BinaryHeap<Reverse<(DateTime<Utc>, u64, Session)>>,
    number: u64,
}

impl Clickstream {
    /// A clickstream of `users` recurring users, or of a new user in every session. `known_pages` are the page
    /// catalog's rows that exist.
    pub fn new(
        seed: u64,
        users: Option<u64>,
        known_pages: &HashSet<String>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let next_user = rng.random_range(1..=1_000_000);
        let mut stream = Self {
            rng,
            shapes: Shapes::new(),
            pool: users.map(|count| (count.max(1), HashSet::new())),
            next_user,
            rows: VecDeque::new(),
            sessions: BinaryHeap::new(),
            number: 0,
        };
        stream.page_catalog(known_pages, now);
        stream
    }

    fn page_catalog(&mut self, known: &HashSet<String>, now: DateTime<Utc>) {
        let pages = PAGES
            .iter()
            .map(|(url, category)| (*url, *category, Value::Null, Value::Null));
        let products = PRODUCTS
            .iter()
            .map(|(id, category, url)| (*url, "product", (*id).into(), (*category).into()));
        for (url, category, product, product_category) in pages.chain(products) {
            if !known.contains(url) {
                let values = vec![
                    url.into(),
                    category.into(),
                    product,
                    product_category,
                    stamp(now),
                ];
                self.rows
                    .push_back(self.shapes.page_catalog.event(Some(url.to_owned()), values));
            }
        }
    }

    fn begin_session(&mut self, at: DateTime<Utc>) {
        let (user, is_new) = self.user();
        let user_id = i64::try_from(user).unwrap_or(i64::MAX);
        let key = Some(user.to_string());
        if is_new {
            let row = self.user_row(user_id, at);
            self.rows
                .push_back(self.shapes.users.event(key.clone(), row));
        }
        let device = self.code("DEV", 8);
        let row = self.device_row(&device, at);
        self.rows
            .push_back(self.shapes.devices.event(key.clone(), row));
        let campaign = self.code("CMP", 6);
        let row = self.campaign_row(&campaign, at);
        self.rows
            .push_back(self.shapes.campaigns.event(key.clone(), row));
        let id = uuid::Builder::from_random_bytes(self.rng.random())
            .into_uuid()
            .to_string();
        let (city, region) = pick(&mut self.rng, PLACES);
        let values = vec![
            id.clone().into(),
            Value::Int(user_id),
            device.into(),
            stamp(at),
            self.public_address().to_string().into(),
            city.into(),
            region.into(),
            stamp(at),
        ];
        self.rows.push_back(self.shapes.sessions.event(key, values));

        let mut products: Vec<usize> = (0..PRODUCTS.len()).collect();
        products.shuffle(&mut self.rng);
        products.truncate(self.rng.random_range(1..=PRODUCTS.len()));
        let session = Session {
            step: Step::Land,
            id,
            user: user_id,
            campaign,
            products,
        };
        self.schedule(at, session);
    }

    fn user(&mut self) -> (u64, bool) {
        match &mut self.pool {
            Some((count, seen)) => {
                let user = self.rng.random_range(1..=*count);
                (user, seen.insert(user))
            }
            None => {
                let user = self.next_user;
                self.next_user += 1;
                (user, true)
            }
        }
    }

    fn user_row(&mut self, user_id: i64, at: DateTime<Utc>) -> Vec<Value> {
        let first = pick(&mut self.rng, FIRST_NAMES);
        let last = pick(&mut self.rng, LAST_NAMES);
        let email = format!(
            "{}.{}{user_id}@example.com",
            first.to_lowercase(),
            last.to_lowercase()
        );
        let signup = at - TimeDelta::days(self.rng.random_range(1..=365));
        vec![
            Value::Int(user_id),
            format!("{first} {last}").into(),
            email.into(),
            pick(&mut self.rng, COUNTRIES).into(),
            stamp(signup),
            Value::Bool(self.rng.random_bool(0.55)),
            stamp(at),
        ]
    }

    fn device_row(&mut self, device: &str, at: DateTime<Utc>) -> Vec<Value> {
        let (kind, systems) = pick(&mut self.rng, DEVICES);
        let (os, browsers) = pick(&mut self.rng, systems);
        let browser = pick(&mut self.rng, browsers);
        let agent = format!(
            "{browser}/{} ({os}; {kind})",
            self.rng.random_range(90..=130)
        );
        vec![
            device.into(),
            kind.into(),
            os.into(),
            browser.into(),
            agent.into(),
            stamp(at),
        ]
    }

    fn campaign_row(&mut self, campaign: &str, at: DateTime<Utc>) -> Vec<Value> {
        let (source, medium) = pick(&mut self.rng, CHANNELS);
        vec![
            campaign.into(),
            source.into(),
            medium.into(),
            pick(&mut self.rng, CAMPAIGNS).into(),
            pick(&mut self.rng, CONTENTS).into(),
            pick(&mut self.rng, TERMS).into(),
            stamp(at),
        ]
    }

    fn code(&mut self, prefix: &str, digits: u32) -> String {
        let number = self.rng.random_range(0..10_u32.pow(digits));
        format!("{prefix}-{number:0width$}", width = digits as usize)
    }

    fn public_address(&mut self) -> Ipv4Addr {
        loop {
            let address = Ipv4Addr::from(self.rng.random::<u32>());
            let first = address.octets()[0];
            if (1..224).contains(&first)
                && !address.is_private()
                && !address.is_loopback()
                && !address.is_link_local()
            {
                return address;
            }
        }
    }

    fn schedule(&mut self, at: DateTime<Utc>, session: Session) {
        self.number += 1;
        self.sessions.push(Reverse((at, self.number, session)));
    }

    /// Makes the event of a session's step and decides on the next one. Steps that were due earlier are stamped with
    /// the time at which they are made, `at`.
    fn act(&mut self, mut session: Session, at: DateTime<Utc>) -> Event {
        let step = session.step;
        let product = session.products.last().map(|i| PRODUCTS[*i]);
        let (product_id, product_url) = product.map_or(("", "/"), |(id, _, url)| (id, url));
        let (kind, page, element): (&str, &str, Value) = match step {
            Step::Land => ("page_view", pick(&mut self.rng, LANDINGS), "".into()),
            Step::View => ("page_view", product_url, "".into()),
            Step::Click => ("click", product_url, pick(&mut self.rng, BUTTONS).into()),
            Step::AddToCart => ("add_to_cart", "/cart", format!("add_{product_id}").into()),
            Step::Checkout => ("checkout_start", "/checkout", "checkout_start".into()),
            Step::Purchase => ("purchase", "/checkout", "purchase_confirm".into()),
        };
        let referrer: Value = if step == Step::Land && self.rng.random_bool(0.65) {
            pick(&mut self.rng, REFERRERS).into()
        } else {
            "".into()
        };
        let revenue = if step == Step::Purchase {
            f64::from(self.rng.random_range(1_500..=65_000)) / 100.0
        } else {
            0.0
        };
        let values = vec![
            self.code("EVT", 9).into(),
            Value::Int(session.user),
            session.id.clone().into(),
            kind.into(),
            page.into(),
            element,
            stamp(at),
            referrer,
            session.campaign.clone().into(),
            Value::Double(revenue),
            stamp(at),
        ];
        let event = self
            .shapes
            .events
            .event(Some(session.user.to_string()), values);
        if let Some((next, pause)) = self.next_step(&mut session) {
            session.step = next;
            self.schedule(at + TimeDelta::seconds(pause), session);
        }
        event
    }

    /// The next step and the pause before it in seconds; `None` when the session is over.
    fn next_step(&mut self, session: &mut Session) -> Option<(Step, i64)> {
        let rng = &mut self.rng;
        if session.step == Step::View && rng.random_bool(0.75) {
            return Some((Step::Click, rng.random_range(1..=10)));
        }
        if matches!(session.step, Step::View | Step::Click) && rng.random_bool(0.35) {
            return Some((Step::AddToCart, rng.random_range(1..=8)));
        }
        if session.step == Step::AddToCart && rng.random_bool(0.45) {
            return Some((Step::Checkout, rng.random_range(2..=15)));
        }
        if session.step == Step::Checkout && rng.random_bool(0.35) {
            return Some((Step::Purchase, rng.random_range(5..=30)));
        }
        if session.step != Step::Land {
            session.products.pop();
        }
        (!session.products.is_empty()).then(|| (Step::View, rng.random_range(3..=25)))
    }
}

/// `2026-02-14T12:00:00Z`
fn stamp(at: DateTime<Utc>) -> Value {
    Value::Text(at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

impl Source for Clickstream {
    fn next(&mut self, at: DateTime<Utc>) -> Result<Option<Event>, ProduceError> {
        if let Some(row) = self.rows.pop_front() {
            return Ok(Some(row));
        }
        if self
            .sessions
            .peek()
            .is_some_and(|Reverse((due, ..))| *due <= at)
            && let Some(Reverse((_, _, session))) = self.sessions.pop()
        {
            return Ok(Some(self.act(session, at)));
        }
        self.begin_session(at);
        Ok(self.rows.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(seed: u64, users: Option<u64>, count: i64) -> Vec<Event> {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut stream = Clickstream::new(seed, users, &HashSet::new(), start);
        (0..count)
            .map(|k| {
                let at = start + TimeDelta::milliseconds(k * 50);
                stream.next(at).unwrap().unwrap()
            })
            .collect()
    }

    fn of<'a>(rows: &'a [Event], table: &'a str) -> impl Iterator<Item = &'a Event> {
        rows.iter().filter(move |e| &*e.stream == table)
    }

    #[test]
    fn the_same_seed_makes_the_same_rows() {
        assert_eq!(rows(3, None, 2000), rows(3, None, 2000));
    }

    #[test]
    fn every_event_belongs_to_a_session_that_came_before() {
        let rows = rows(3, None, 20_000);
        let mut sessions = HashSet::new();
        for row in &rows {
            match &*row.stream {
                "sessions" => assert!(sessions.insert(format!("{:?}", row.values[0]))),
                "clickstream_events" => assert!(sessions.contains(&format!("{:?}", row.values[2]))),
                _ => {}
            }
        }
        assert!(of(&rows, "clickstream_events").any(|e| e.values[3] == "purchase".into()));
    }

    #[test]
    fn pages_that_are_there_are_not_written_again() {
        let known = ["/", "/cart"].map(str::to_owned).into_iter().collect();
        let stream = Clickstream::new(1, None, &known, DateTime::UNIX_EPOCH);
        assert_eq!(stream.rows.len(), PAGES.len() + PRODUCTS.len() - 2);
    }

    #[test]
    fn recurring_users_have_one_row_each() {
        let rows = rows(3, Some(5), 5_000);
        assert_eq!(of(&rows, "users").count(), 5);
        assert!(of(&rows, "sessions").count() > 50);
    }
}

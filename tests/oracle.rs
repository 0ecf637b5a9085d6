//! The funnel of many events against a second computation, from the messages as a consumer reads them.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use support::topics::{self, TOPICS};
use support::{Place, funnel, until};

const EVENTS: u64 = 300_000;

#[test]
fn every_window_is_what_sets_of_users_give() {
    let place = Place::example();
    place.up();
    place.ok(&["run"]);
    let events = EVENTS.to_string();
    // A hundred events a second of event time: fifty minutes of history, sent as fast as it goes.
    let sent = place
        .ok(&[
            "produce",
            "--seed",
            "7",
            "--users",
            "20000",
            "--start",
            "2026-02-14 12:00:30",
            "--rate",
            "100",
            "--events",
            &events,
            "--output",
            "json",
        ])
        .json();
    assert_eq!(sent["acknowledged"].as_u64(), Some(EVENTS), "{sent}");

    let bootstrap = place.bootstrap();
    let [views, carts, purchases] = TOPICS.map(|(topic, _)| topics::messages(&bootstrap, topic));
    assert_eq!((views.len() + carts.len() + purchases.len()) as u64, EVENTS);
    let sql = place.sql();
    for ((_, source), messages) in TOPICS.into_iter().zip([&views, &carts, &purchases]) {
        sql.until_count(source, i64::try_from(messages.len()).unwrap());
    }
    let expected = funnel::compute(&views, &carts, &purchases);
    assert!(expected.len() > 50, "{} windows", expected.len());
    until("the funnel has all events", || {
        let printed = funnel::printed(
            &place
                .ok(&["funnel", "--limit", "1000", "--output", "json"])
                .json(),
        );
        if printed == expected {
            return Ok(());
        }
        let differs = expected
            .iter()
            .find(|(minute, counts)| printed.get(*minute) != Some(counts));
        let shown = differs.map(|(minute, counts)| (minute, counts, printed.get(minute)));
        Err(format!(
            "{} of {} windows, {shown:?}",
            printed.len(),
            expected.len()
        ))
    });

    let totals = place
        .ok(&["funnel", "--limit", "1000", "--output", "json"])
        .json()["totals"]
        .clone();
    let sum = |stage: fn(&funnel::Counts) -> u64| expected.values().map(stage).sum::<u64>();
    assert_eq!(totals["viewers"].as_u64(), Some(sum(|w| w.viewers)));
    assert_eq!(totals["carters"].as_u64(), Some(sum(|w| w.carters)));
    assert_eq!(totals["purchasers"].as_u64(), Some(sum(|w| w.purchasers)));
}

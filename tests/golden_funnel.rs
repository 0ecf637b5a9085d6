//! Recorded events through the broker give the funnels that RisingWave 2.8.4 computed from them (`tests/golden`).

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;

use support::sql::Row;
use support::{Place, repository, until};

/// Files of recorded events, with the topics that they were recorded from and the sources that read these.
const RECORDED: [(&str, &str, &str); 3] = [
    ("page_views.jsonl", "page_views", "src_page"),
    ("cart_events.jsonl", "cart_events", "src_cart"),
    ("purchases.jsonl", "purchases", "src_purchase"),
];

/// The reference's funnel: `BETWEEN` takes an event at a window's end into both windows (`golden/sql/seed_funnel.slt`).
const CLOSED: &str = "
with agg as (
    select
        p.window_start,
        p.window_end,
        count(distinct p.user_id) as viewers,
        count(distinct c.user_id) as carters,
        count(distinct b.user_id) as purchasers
    from tumble(src_page, event_time, interval '1 minute') as p
    left join src_cart as c
        on p.user_id = c.user_id and c.event_time between p.window_start and p.window_end
    left join src_purchase as b
        on p.user_id = b.user_id and b.event_time between p.window_start and p.window_end
    group by p.window_start, p.window_end
)
select
    window_start,
    window_end,
    viewers,
    carters,
    purchasers,
    case when viewers > 0 then round(carters::numeric / viewers, 2) else 0 end as view_to_cart_rate,
    case when carters > 0 then round(purchasers::numeric / carters, 2) else 0 end as cart_to_buy_rate
from agg";

/// A CSV's rows in the order of their windows; rates as numbers, because `0.30` and `0.3` are the same rate.
fn windows(csv: &str) -> Vec<(Vec<String>, Vec<f64>)> {
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some(
            "window_start,window_end,viewers,carters,purchasers,view_to_cart_rate,cart_to_buy_rate"
        )
    );
    let mut windows: Vec<_> = lines
        .map(|line| {
            let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            assert_eq!(cells.len(), 7, "{line}");
            let rates = cells[5..]
                .iter()
                .map(|cell| cell.parse().unwrap())
                .collect();
            (cells[..5].to_vec(), rates)
        })
        .collect();
    windows.sort_by(|a, b| a.0.cmp(&b.0));
    windows
}

fn csv(rows: Vec<Row>) -> String {
    let mut text = String::from(
        "window_start,window_end,viewers,carters,purchasers,view_to_cart_rate,cart_to_buy_rate\n",
    );
    for row in rows {
        let cells: Vec<String> = row
            .into_iter()
            .map(|cell| cell.unwrap_or_default())
            .collect();
        text += &(cells.join(",") + "\n");
    }
    text
}

#[test]
fn replayed_events_give_the_recorded_funnels() {
    let golden = repository().join("tests/golden/funnel");
    let place = Place::example();
    place.up();
    place.ok(&["run"]);
    for (file, topic, _) in RECORDED {
        let path = golden.join(file);
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let path = path.to_str().unwrap();
        let sent = place
            .ok(&[
                "produce", "--replay", path, "--to", topic, "--output", "json",
            ])
            .json();
        assert_eq!(
            (
                sent["sent"].as_u64(),
                sent["acknowledged"].as_u64(),
                sent["failed"].as_u64()
            ),
            (Some(lines as u64), Some(lines as u64), Some(0)),
            "{sent}"
        );
    }
    let sql = place.sql();
    for (file, _, source) in RECORDED {
        let text = fs::read_to_string(golden.join(file)).unwrap();
        sql.until_count(source, i64::try_from(text.lines().count()).unwrap());
    }

    let expected =
        windows(&fs::read_to_string(golden.join("funnel_expected_halfopen.csv")).unwrap());
    until("the funnel is RisingWave's with half-open windows", || {
        let printed = place
            .ok(&["funnel", "--output", "csv", "--limit", "100"])
            .stdout;
        if windows(&printed) == expected {
            Ok(())
        } else {
            Err(printed)
        }
    });
    let expected = fs::read_to_string(golden.join("funnel_expected_closed.csv")).unwrap();
    assert_eq!(windows(&csv(sql.rows(CLOSED))), windows(&expected));
}

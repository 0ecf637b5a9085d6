//! The funnel over the recorded events: with both ends of a window included (as RisingWave's BETWEEN computes it) and
//! with half-open windows.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use chrono::NaiveDateTime;
use rwt_query::{Column, schema};
use rwt_sql::DataType;
use support::database::Database;

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/funnel")
        .join(file)
}

fn load(database: &mut Database, table: &str, file: &str, value: &str, data_type: &DataType) {
    let text = std::fs::read_to_string(golden(file)).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let users: Int32Array = events
        .iter()
        .map(|e| e["user_id"].as_i64().map(|v| i32::try_from(v).unwrap()))
        .collect();
    let values: ArrayRef = match data_type {
        DataType::Double => Arc::new(
            events
                .iter()
                .map(|e| e[value].as_f64())
                .collect::<Float64Array>(),
        ),
        _ => Arc::new(
            events
                .iter()
                .map(|e| e[value].as_str())
                .collect::<StringArray>(),
        ),
    };
    let times: TimestampMicrosecondArray = events
        .iter()
        .map(|e| {
            let time = NaiveDateTime::parse_from_str(
                e["event_time"].as_str().unwrap(),
                "%Y-%m-%d %H:%M:%S",
            )
            .unwrap();
            Some(time.and_utc().timestamp_micros())
        })
        .collect();
    let columns = vec![
        Column::new("user_id", DataType::Integer),
        Column::new(value, data_type.clone()),
        Column::new("event_time", DataType::Timestamp),
    ];
    let rows = RecordBatch::try_new(
        schema(&columns),
        vec![Arc::new(users), values, Arc::new(times)],
    )
    .unwrap();
    database.load(table, columns, rows);
}

fn funnel(condition: &str) -> String {
    let c = condition.replace("$t", "c.event_time");
    let b = condition.replace("$t", "b.event_time");
    format!(
        r#"WITH agg AS (
    SELECT p.window_start, p.window_end,
        count(distinct p.user_id) AS viewers,
        count(distinct c.user_id) AS carters,
        count(distinct b.user_id) AS purchasers
    FROM TUMBLE("dev"."public"."src_page", event_time, INTERVAL '1 MINUTE') AS p
    LEFT JOIN "dev"."public"."src_cart" AS c ON p.user_id = c.user_id AND {c}
    LEFT JOIN "dev"."public"."src_purchase" AS b ON p.user_id = b.user_id AND {b}
    GROUP BY p.window_start, p.window_end
)
SELECT window_start, window_end, viewers, carters, purchasers,
    CASE WHEN viewers > 0 THEN round(carters::numeric / viewers, 2) ELSE 0 END AS view_to_cart_rate,
    CASE WHEN carters > 0 THEN round(purchasers::numeric / carters, 2) ELSE 0 END AS cart_to_buy_rate
FROM agg ORDER BY window_start"#
    )
}

/// The example project's funnel: distinct pairs of window and user, joined by equality.
const EQUALITY: &str = r#"with views as (
    select distinct window_start, window_end, user_id from tumble("dev"."public"."src_page", event_time, interval '1 minute')
), carts as (
    select distinct window_start, user_id from tumble("dev"."public"."src_cart", event_time, interval '1 minute')
), buys as (
    select distinct window_start, user_id from tumble("dev"."public"."src_purchase", event_time, interval '1 minute')
), stages as (
    select views.window_start, views.window_end, count(views.user_id) as viewers, count(carts.user_id) as carters,
        count(buys.user_id) as purchasers
    from views
    left join carts on carts.user_id = views.user_id and carts.window_start = views.window_start
    left join buys on buys.user_id = views.user_id and buys.window_start = views.window_start
    group by views.window_start, views.window_end
)
select window_start, window_end, viewers, carters, purchasers,
    case when viewers > 0 then round(carters::numeric / viewers, 2) else 0 end as view_to_cart_rate,
    case when carters > 0 then round(purchasers::numeric / carters, 2) else 0 end as cart_to_buy_rate
from stages order by window_start"#;

async fn compare(sql: &str, expected: &str) {
    let mut database = Database::default();
    load(
        &mut database,
        "src_page",
        "page_views.jsonl",
        "page_id",
        &DataType::Varchar,
    );
    load(
        &mut database,
        "src_cart",
        "cart_events.jsonl",
        "item_id",
        &DataType::Varchar,
    );
    load(
        &mut database,
        "src_purchase",
        "purchases.jsonl",
        "amount",
        &DataType::Double,
    );
    let rows = database.query(sql).await.unwrap();
    let found: Vec<String> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|cell| cell.clone().unwrap())
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect();
    let text = std::fs::read_to_string(golden(expected)).unwrap();
    let wanted: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn closed_windows() {
    compare(
        &funnel("$t BETWEEN p.window_start AND p.window_end"),
        "funnel_expected_closed.csv",
    )
    .await;
}

#[tokio::test]
async fn half_open_windows() {
    compare(
        &funnel("$t >= p.window_start AND $t < p.window_end"),
        "funnel_expected_halfopen.csv",
    )
    .await;
}

#[tokio::test]
async fn half_open_windows_by_equality() {
    compare(EQUALITY, "funnel_expected_halfopen.csv").await;
}

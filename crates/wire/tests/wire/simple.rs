//! The simple protocol (`golden/wire.md` sections 2, 3, 4 and 6).

use std::sync::atomic::Ordering;

use crate::raw::{Raw, packet, tags};
use crate::toy::{TEXTS, start};

#[tokio::test]
async fn rows_have_a_description_and_a_counted_tag() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let replies = raw.query("rows 3").await;
    assert_eq!(tags(&replies), "TDDDCZ");
    assert_eq!(replies[2].texts(), ["2", "row 2"]);
    assert_eq!(replies[4].text(), "SELECT 3");
    let replies = raw.query("rows 0").await;
    assert_eq!(tags(&replies), "TCZ");
    assert_eq!(replies[1].text(), "SELECT 0");
}

#[tokio::test]
async fn every_type_has_its_oid_and_its_text() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let replies = raw.query("types").await;
    assert_eq!(tags(&replies), "TDCZ");
    assert_eq!(replies[2].text(), "SHOW_COMMAND");
    let mut rest = &replies[0].body[2..];
    for (name, oid, length, _) in TEXTS {
        let (head, after) = rest.split_at(name.len() + 1);
        assert_eq!(head[..name.len()], *name.as_bytes());
        let mut expected = vec![0; 6];
        expected.extend(oid.to_be_bytes());
        expected.extend(length.to_be_bytes());
        expected.extend((-1_i32).to_be_bytes());
        expected.extend([0, 0]);
        assert_eq!(after[..18], expected, "{name}");
        rest = &after[18..];
    }
    assert!(rest.is_empty());
    let expected = TEXTS.map(|(_, _, _, text)| text.unwrap_or("NULL").to_owned());
    assert_eq!(replies[1].texts(), expected);
}

#[tokio::test]
async fn a_timestamptz_is_shown_in_the_sessions_time_zone() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    for (zone, text) in [
        ("Asia/Tokyo", "2024-05-06 16:08:09.250007+09:00"),
        ("America/New_York", "2024-05-06 03:08:09.250007-04:00"),
        ("Asia/Kathmandu", "2024-05-06 12:53:09.250007+05:45"),
        ("UTC", "2024-05-06 07:08:09.250007+00:00"),
    ] {
        let replies = raw.query(&format!("timezone {zone}; types")).await;
        assert_eq!(tags(&replies), "CTDCZ");
        assert_eq!(replies[2].texts()[14], text);
    }
}

#[tokio::test]
async fn one_syntax_error_stops_the_whole_message() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let replies = raw.query("tag INSERT 0 1; selec 2").await;
    assert_eq!(tags(&replies), "EZ");
    assert_eq!(replies[0].code(), "XX000");
    assert_eq!(
        replies[0].message(),
        "Failed to run the query\n\nCaused by:\n  sql parser error: expected statement, found: selec\n"
    );
    assert!(served.seen.ran.lock().unwrap().is_empty());
}

#[tokio::test]
async fn statements_before_an_error_stay_and_those_behind_it_do_not_run() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let replies = raw.query("tag INSERT 0 1; fail; tag INSERT 0 2").await;
    assert_eq!(tags(&replies), "CEZ");
    assert_eq!(replies[0].text(), "INSERT 0 1");
    assert_eq!(replies[1].code(), "42704");
    assert_eq!(
        replies[1].message(),
        "Failed to run the query\n\nCaused by these errors (recent errors listed first):\n  1: Catalog error\n  2: table or source not found: nosuch\n"
    );
    assert_eq!(replies[2].body, b"I");
    assert_eq!(*served.seen.ran.lock().unwrap(), ["tag INSERT 0 1", "fail"]);
}

#[tokio::test]
async fn an_error_behind_rows_ends_the_statement() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    assert_eq!(tags(&raw.query("fail late").await), "TDEZ");
    assert_eq!(tags(&raw.query("rows 1").await), "TDCZ");
}

#[tokio::test]
async fn an_empty_message_gets_one_empty_query_response() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    for empty in ["", ";", ";;", " ; "] {
        assert_eq!(tags(&raw.query(empty).await), "IZ");
    }
    assert_eq!(tags(&raw.query("rows 1;;rows 1;").await), "TDCTDCZ");
}

#[tokio::test]
async fn only_a_read_only_transaction_changes_the_status() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    for (sql, status) in [
        ("begin", b"I"),
        ("begin read only", b"T"),
        ("fail", b"T"),
        ("rows 1", b"T"),
        ("commit", b"I"),
    ] {
        let replies = raw.query(sql).await;
        assert_eq!(replies.last().unwrap().body, status, "{sql}");
    }
}

#[tokio::test]
async fn a_notice_precedes_the_tag() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let replies = raw
        .query("notice table \"x\" does not exist, skipping")
        .await;
    assert_eq!(tags(&replies), "NCZ");
    let fields = replies[0].fields();
    assert_eq!(fields[0].1, "NOTICE");
    assert_eq!(fields[1].1, "00000");
    assert_eq!(fields[2].1, "table \"x\" does not exist, skipping");
    assert_eq!(replies[1].text(), "DROP_TABLE");
}

#[tokio::test]
async fn copy_writes_null_as_an_empty_field() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let replies = raw.query("copy").await;
    assert_eq!(tags(&replies), "HddcCZ");
    assert_eq!(replies[0].body, [0, 0, 2, 0, 0, 0, 0]);
    assert_eq!(replies[1].body, b"1\ta\\tb\\\\c\n");
    assert_eq!(replies[2].body, b"2\t\n");
    assert_eq!(replies[4].text(), "COPY 2");
}

#[tokio::test]
async fn a_panic_is_told_and_closes_only_its_own_connection() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let (mut other, _) = Raw::session(served.address).await;
    raw.add('Q', b"panic\0").send().await;
    let replies = raw.until_closed().await;
    assert_eq!(tags(&replies), "E");
    assert_eq!(
        replies[0].message(),
        "Panicked when handling the request: the toy broke"
    );
    assert_eq!(tags(&other.query("rows 1").await), "TDCZ");
}

#[tokio::test]
async fn a_function_call_closes_the_connection_without_an_answer() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.add('F', &[0; 12]).send().await;
    assert_eq!(raw.until_closed().await, []);
}

async fn cancel(address: std::net::SocketAddr, session: i32) {
    let mut request = 80_877_102_i32.to_be_bytes().to_vec();
    request.extend(session.to_be_bytes());
    request.extend(session.to_be_bytes());
    let mut raw = Raw::open(address).await;
    raw.bytes(&packet(&request)).await;
    assert_eq!(raw.byte().await, None);
}

#[tokio::test]
async fn a_cancel_request_reaches_the_running_statement_only() {
    let served = start().await;
    let (mut raw, session) = Raw::session(served.address).await;
    cancel(served.address, session).await;
    raw.add('Q', b"sleep\0").send().await;
    while served.seen.ran.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    cancel(served.address, session).await;
    let replies = raw.until_ready().await;
    assert_eq!(tags(&replies), "EZ");
    assert_eq!(replies[0].code(), "XX000");
    assert_eq!(
        replies[0].message(),
        "Failed to run the query\n\nCaused by:\n  Task aborted: cancelled\n"
    );
    assert_eq!(tags(&raw.query("rows 1").await), "TDCZ");
}

#[tokio::test]
async fn the_backend_can_cancel_a_session_too() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let canceller = served.seen.cancellers.lock().unwrap()[0].clone();
    assert!(!canceller.cancel());
    raw.add('Q', b"sleep\0").send().await;
    while !canceller.cancel() {
        tokio::task::yield_now().await;
    }
    assert_eq!(tags(&raw.until_ready().await), "EZ");
}

#[tokio::test]
async fn rows_wait_until_the_client_takes_them() {
    let served = start().await;
    let (mut raw, session) = Raw::session(served.address).await;
    raw.add('Q', b"flood\0").send().await;
    // nothing is read here: once the sockets' buffers are full, no further batch may be asked for
    let mut before = 0;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let now = served.seen.flooded.load(Ordering::Relaxed);
        assert!(now < 10_000, "batches are fetched that nobody takes");
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    cancel(served.address, session).await;
    let replies = raw.until_ready().await;
    assert!(tags(&replies).ends_with("DEZ"));
}

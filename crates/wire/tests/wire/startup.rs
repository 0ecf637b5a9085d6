//! Start-up, limits and the end of the server (`golden/wire.md` section 1).

use std::time::Duration;

use rwt_wire::Limits;

use crate::raw::{Raw, packet, startup, tags};
use crate::toy::{start, start_within};

#[tokio::test]
async fn key_data_precedes_the_parameters() {
    let served = start().await;
    let mut raw = Raw::open(served.address).await;
    let parameters = [
        ("user", "root"),
        ("database", "dev"),
        ("application_name", "test"),
        ("options", "-c search_path=x"),
        ("replication", "database"),
    ];
    raw.bytes(&startup(&parameters)).await;
    let replies = raw.until_ready().await;
    assert_eq!(tags(&replies), "RKSSSSSSZ");
    assert_eq!(replies[0].body, [0, 0, 0, 0]);
    assert_eq!(replies[1].body[..4], replies[1].body[4..]);
    let parameters: Vec<String> = replies[2..8]
        .iter()
        .map(|reply| String::from_utf8_lossy(&reply.body).replace('\0', "="))
        .collect();
    assert_eq!(
        parameters,
        [
            "TimeZone=UTC=",
            "client_encoding=UTF8=",
            "standard_conforming_strings=on=",
            "server_version=13.14.0=",
            "integer_datetimes=on=",
            "application_name=test="
        ]
    );
    assert_eq!(replies[8].body, b"I");
}

#[tokio::test]
async fn application_name_is_reported_only_if_it_was_sent() {
    let served = start().await;
    let mut raw = Raw::open(served.address).await;
    raw.bytes(&startup(&[])).await;
    assert_eq!(tags(&raw.until_ready().await), "RKSSSSSZ");
}

#[tokio::test]
async fn encryption_is_declined_and_the_session_starts_plainly() {
    let served = start().await;
    let mut raw = Raw::open(served.address).await;
    for request in [80_877_103_i32, 80_877_104] {
        raw.bytes(&packet(&request.to_be_bytes())).await;
        assert_eq!(raw.byte().await, Some(b'N'));
    }
    raw.bytes(&startup(&[("user", "root")])).await;
    assert_eq!(tags(&raw.until_ready().await), "RKSSSSSZ");
}

#[tokio::test]
async fn an_unknown_database_is_refused_in_one_line() {
    let served = start().await;
    let mut raw = Raw::open(served.address).await;
    raw.bytes(&startup(&[("user", "root"), ("database", "nosuchdb")]))
        .await;
    let replies = raw.until_closed().await;
    assert_eq!(tags(&replies), "E");
    let fields = replies[0].fields();
    assert_eq!(fields[0].1, "ERROR");
    assert_eq!(fields[1].1, "3D000");
    assert_eq!(
        fields[2].1,
        "Failed to start a new session: Catalog error: database not found: nosuchdb"
    );
}

#[tokio::test]
async fn other_protocols_and_an_empty_database_end_without_a_word() {
    let served = start().await;
    for opening in [
        packet(&196_610_i32.to_be_bytes()),
        packet(&131_072_i32.to_be_bytes()),
        startup(&[("database", "")]),
        vec![0, 0, 0, 3],
        vec![0x7f, 0, 0, 0],
    ] {
        let mut raw = Raw::open(served.address).await;
        raw.bytes(&opening).await;
        assert_eq!(raw.until_closed().await, []);
    }
}

#[tokio::test]
async fn a_connection_without_a_session_is_cut_off() {
    let limits = Limits {
        startup_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let served = start_within(limits).await;
    let mut raw = Raw::open(served.address).await;
    raw.bytes(&[0, 0]).await;
    assert_eq!(raw.byte().await, None);
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused() {
    let limits = Limits {
        max_message: 1000,
        ..Limits::default()
    };
    let served = start_within(limits).await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.add('Q', &[b'x'; 1000]).send().await;
    let replies = raw.until_closed().await;
    assert_eq!(tags(&replies), "E");
    assert_eq!(
        replies[0].message(),
        "a message of 1004 bytes is too large, the limit is 1000: the connection is closed"
    );
}

#[tokio::test]
async fn shutdown_cancels_statements_and_ends_sessions() {
    let served = start().await;
    let (mut idle, _) = Raw::session(served.address).await;
    let (mut busy, _) = Raw::session(served.address).await;
    busy.add('Q', b"tag STARTED; sleep\0").send().await;
    while !served
        .seen
        .ran
        .lock()
        .unwrap()
        .contains(&"sleep".to_owned())
    {
        tokio::task::yield_now().await;
    }
    served.shutdown.cancel();
    assert_eq!(idle.until_closed().await, []);
    let replies = busy.until_closed().await;
    assert_eq!(tags(&replies), "CEZ");
    served.server.await.unwrap();
    assert!(
        tokio::net::TcpStream::connect(served.address)
            .await
            .is_err()
    );
}

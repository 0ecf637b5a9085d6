//! Clients that mean harm or have lost their way. After each of them the broker still serves.

use std::io::Write;
use std::net::Shutdown;

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{ApiKey, BrokerId, FetchRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

use crate::harness::Running;
use crate::idempotence::{batch, produce_request};
use crate::raw::Raw;

fn assert_serves(running: &Running) {
    let response = Raw::connect(running.broker.local_addr())
        .call(12, &MetadataRequest::default().with_topics(None));
    assert_eq!(response.brokers.len(), 1);
}

fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(1);
    frame.put_i16(-1);
    frame.put_slice(body);
    frame.to_vec()
}

/// Bytes handed out before and after: what the process has mapped.
fn mapped_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn arrays_longer_than_the_request_are_not_believed() {
    let running = Running::start().await;
    // Request, version, what comes before the first array, whether its length is a varint.
    let before_array: [(i16, i16, &[u8], bool); 6] = [
        (0, 8, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1], false),
        (
            1,
            4,
            &[
                0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0,
            ],
            false,
        ),
        (3, 1, &[], false),
        (3, 12, &[0], true),
        (
            11,
            5,
            &[
                0, 1, b'g', 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0, 1, b'c',
            ],
            false,
        ),
        (19, 7, &[0], true),
    ];
    for (key, version, before, varint) in before_array {
        let length: &[u8] = if varint {
            &[0xff, 0xff, 0xff, 0xff, 0x0f]
        } else {
            &[0x7f, 0xff, 0xff, 0xff]
        };
        let mut raw = Raw::connect(running.broker.local_addr());
        raw.send_frame(&request(key, version, &[before, length, &[0; 16]].concat()));
        assert!(raw.is_closed(), "request {key} in version {version}");
    }
    assert_serves(&running);
}

#[tokio::test(flavor = "multi_thread")]
async fn announced_sizes_reserve_nothing() {
    let running = Running::start().await;
    let before = mapped_bytes();
    let mut waiting: Vec<Raw> = (0..50)
        .map(|_| Raw::connect(running.broker.local_addr()))
        .collect();
    for raw in &mut waiting {
        raw.stream()
            .write_all(&(99i32 << 20).to_be_bytes())
            .unwrap();
        raw.stream().write_all(&[0, 0, 0, 9]).unwrap();
    }
    assert_serves(&running);
    assert!(
        mapped_bytes() < before + (200 << 20),
        "{} bytes more",
        mapped_bytes() - before
    );
    for size in [-1i32, i32::MIN, i32::MAX, 101 << 20] {
        let mut raw = Raw::connect(running.broker.local_addr());
        raw.stream().write_all(&size.to_be_bytes()).unwrap();
        assert!(raw.is_closed(), "{size} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_requests_and_versions_close_the_connection() {
    let running = Running::start().await;
    for (key, version) in [
        (999, 0),
        (-1, 0),
        (0, 99),
        (0, 2),
        (1, 3),
        (ApiKey::WriteTxnMarkers as i16, 1),
    ] {
        let mut raw = Raw::connect(running.broker.local_addr());
        raw.send_frame(&request(key, version, &[0; 8]));
        assert!(raw.is_closed(), "request {key} in version {version}");
    }
    for frame in [&[][..], &[0], &[0, 18, 0, 0, 0, 0, 0]] {
        let mut raw = Raw::connect(running.broker.local_addr());
        raw.send_frame(frame);
        assert!(raw.is_closed());
    }
    let mut raw = Raw::connect(running.broker.local_addr());
    raw.stream()
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert!(raw.is_closed());
    assert_serves(&running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_in_the_middle_leaves_no_trace() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    for cut in [1, 3, 4, 10, 60] {
        let mut raw = Raw::connect(running.broker.local_addr());
        let mut frame = BytesMut::new();
        frame.put_i32(1_000);
        frame.put_slice(&[0; 100]);
        raw.stream().write_all(&frame[..cut]).unwrap();
        raw.stream().shutdown(Shutdown::Both).unwrap();
    }
    // A fetch that would wait for five minutes ends when its client goes, and the broker can stop at once.
    let partition = FetchPartition::default().with_partition_max_bytes(1_000);
    let topic = FetchTopic::default()
        .with_topic(TopicName(StrBytes::from_static_str("events")))
        .with_partitions(vec![partition]);
    let fetch = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(300_000)
        .with_min_bytes(1)
        .with_max_bytes(1_000)
        .with_topics(vec![topic]);
    for _ in 0..3 {
        Raw::connect(running.broker.local_addr()).send(11, &fetch);
    }
    let mut waiting = Raw::connect(running.broker.local_addr());
    waiting.send(11, &fetch);
    assert_serves(&running);
    let stopped = std::time::Instant::now();
    running.broker.shutdown().await;
    assert!(stopped.elapsed() < std::time::Duration::from_secs(60));
    assert!(waiting.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_turned_away() {
    let running = Running::start_with(|config| config.max_connections = 3).await;
    let address = running.broker.local_addr();
    let mut inside: Vec<Raw> = (0..3).map(|_| Raw::connect(address)).collect();
    for raw in &mut inside {
        raw.call(12, &MetadataRequest::default());
    }
    assert!(Raw::connect(address).is_closed());
    drop(inside.pop());
    let patience = std::time::Instant::now() + crate::harness::PATIENCE;
    loop {
        // The slot is free once the broker has seen the client go.
        let mut raw = Raw::connect(address);
        raw.send(12, &MetadataRequest::default());
        if raw.receive_frame().is_some() {
            break;
        }
        assert!(std::time::Instant::now() < patience);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_never_stop_the_broker() {
    let running = Running::start_with(|config| config.auto_create_partitions = Some(1)).await;
    running.broker.create_topic("events", 1).await.unwrap();
    let address = running.broker.local_addr();
    let keys = prop_oneof![3 => 0i16..=75, 1 => any::<i16>()];
    let versions = prop_oneof![3 => 0i16..=18, 1 => any::<i16>()];
    let bodies = proptest::collection::vec(
        prop_oneof![Just(0u8), Just(1), Just(0xff), any::<u8>()],
        0..200,
    );
    let mut runner = TestRunner::new(Cases {
        cases: 1_500,
        failure_persistence: None,
        ..Cases::default()
    });
    runner
        .run(&(keys, versions, bodies), |(key, version, body)| {
            let mut raw = Raw::connect(address);
            raw.send_frame(&request(key, version, &body));
            raw.stream().shutdown(Shutdown::Write).unwrap();
            // An answer or a closed connection: both are fine, a hang is not.
            let _ = raw.receive_frame();
            Ok(())
        })
        .unwrap();
    assert_serves(&running);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_requests_never_stop_the_broker_nor_spoil_the_log() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let address = running.broker.local_addr();
    let good = {
        let mut body = BytesMut::new();
        let produce = produce_request("events", batch(-1, -1, -1, &["a", "bb", "ccc"]));
        kafka_protocol::protocol::Encodable::encode(&produce, &mut body, 9).unwrap();
        let mut frame = request(0, 9, &[0]);
        frame.extend_from_slice(&body);
        frame
    };
    let damage = proptest::collection::vec((8..good.len(), any::<u8>()), 1..4);
    let mut runner = TestRunner::new(Cases {
        cases: 1_000,
        failure_persistence: None,
        ..Cases::default()
    });
    runner
        .run(&damage, |damage| {
            let mut frame = good.clone();
            for (at, byte) in damage {
                frame[at] = byte;
            }
            let mut raw = Raw::connect(address);
            raw.send_frame(&frame);
            raw.stream().shutdown(Shutdown::Write).unwrap();
            let _ = raw.receive_frame();
            Ok(())
        })
        .unwrap();
    let (_, high) = running.watermarks("events")[0];
    let running = running.restart().await;
    assert_eq!(
        running.watermarks("events"),
        [(0, high)],
        "the log opens again as it was"
    );
    assert_eq!(running.read_all("events").await.len() as i64, high);
}

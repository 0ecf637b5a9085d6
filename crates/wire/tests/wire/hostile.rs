//! Bytes from nobody's client never end the server or another's session.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::raw::{Raw, packet, startup, tags};
use crate::toy::start;

/// Bytes of three kinds: any, a session with any bytes behind it, a session with messages of the right length.
fn assault() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = || vec(any::<u8>(), 0..200);
    let hello = || startup(&[("user", "root")]);
    let messages = vec(
        (
            prop::sample::select(b"QPBDCEHSpdcf".to_vec()),
            vec(any::<u8>(), 0..40),
        ),
        0..8,
    );
    prop_oneof![
        any_bytes(),
        any_bytes().prop_map(move |bytes| [hello(), bytes].concat()),
        messages.prop_map(move |messages| {
            let mut bytes = startup(&[("user", "root")]);
            for (tag, body) in messages {
                bytes.push(tag);
                bytes.extend(packet(&body));
            }
            bytes
        }),
    ]
}

#[test]
fn random_bytes_never_end_the_server() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let served = runtime.block_on(start());
    let (mut bystander, _) = runtime.block_on(Raw::session(served.address));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&assault(), |bytes| {
        runtime.block_on(async {
            Raw::open(served.address).await.provoke(&bytes).await;
            prop_assert_eq!(tags(&bystander_query(served.address).await), "TDCZ");
            Ok(())
        })
    });
    result.unwrap();
    assert_eq!(tags(&runtime.block_on(bystander.query("rows 1"))), "TDCZ");
    assert!(!served.server.is_finished());
}

async fn bystander_query(address: std::net::SocketAddr) -> Vec<crate::raw::Reply> {
    Raw::session(address).await.0.query("rows 1").await
}

#[tokio::test]
async fn a_message_that_lies_about_its_content_is_refused() {
    let served = start().await;
    for (tag, body) in [
        ('P', &b"\0rows 1\0\xff\xff"[..]),
        ('B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0"),
        ('E', b"no end"),
        ('Q', b"\xff\xfe\0"),
        ('?', b""),
    ] {
        let (mut raw, _) = Raw::session(served.address).await;
        raw.add(tag, body).send().await;
        let replies = raw.until_closed().await;
        assert_eq!(tags(&replies), "E", "{tag}");
        assert_eq!(
            replies[0].message(),
            "invalid message: the connection is closed"
        );
    }
}

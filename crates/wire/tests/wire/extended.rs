//! The extended protocol (`golden/wire.md` section 5).

use crate::raw::{Raw, tags};
use crate::toy::start;

#[tokio::test]
async fn the_full_flow_in_one_pipeline() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("", "rows 2", &[])
        .describe('S', "")
        .bind("", "", &[], 0);
    raw.describe('P', "").execute("", 0);
    let replies = raw.sync().await;
    assert_eq!(tags(&replies), "1tT2TDDCZ");
    assert_eq!(replies[1].body, [0, 0]);
    assert_eq!(replies[5].texts(), ["1", "row 1"]);
    assert_eq!(replies[7].text(), "SELECT 2");
}

#[tokio::test]
async fn several_statements_run_before_one_sync() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    for sql in ["tag INSERT 0 1", "tag FLUSH", "rows 1"] {
        raw.parse("", sql, &[])
            .bind("", "", &[], 0)
            .describe('P', "")
            .execute("", 0);
    }
    assert_eq!(tags(&raw.sync().await), "12nC12nC12TDCZ");
}

#[tokio::test]
async fn a_row_limit_suspends_a_named_portal_until_the_next_execute() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("s", "rows 5", &[])
        .bind("p", "s", &[], 1)
        .execute("p", 2)
        .execute("p", 2);
    assert_eq!(tags(&raw.sync().await), "12DDsDDsZ");
    // portals survive Sync
    let replies = raw.execute("p", 2).execute("p", 0).sync().await;
    assert_eq!(tags(&replies), "DCDDDDDCZ");
    assert_eq!(
        replies[0].values()[0].as_deref(),
        Some(&5_i32.to_be_bytes()[..])
    );
    assert_eq!(replies[1].text(), "SELECT 1");
    assert_eq!(replies[7].text(), "SELECT 5");
    assert_eq!(served.seen.ran.lock().unwrap().len(), 2);
    // a limit that is not reached
    assert_eq!(tags(&raw.execute("p", 6).sync().await), "DDDDDCZ");
}

#[tokio::test]
async fn an_unnamed_portal_is_gone_once_it_is_suspended() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("", "rows 3", &[])
        .bind("", "", &[], 0)
        .execute("", 1)
        .execute("", 1);
    let replies = raw.sync().await;
    assert_eq!(tags(&replies), "12DsEZ");
    assert_eq!(replies[4].message(), "unnamed portal not found");
}

#[tokio::test]
async fn errors_name_their_stage_and_skip_to_sync() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("", "fail", &[])
        .bind("", "", &[], 0)
        .execute("", 0);
    raw.add('Q', b"rows 1\0");
    let replies = raw.sync().await;
    assert_eq!(tags(&replies), "EZ");
    assert!(
        replies[0]
            .message()
            .starts_with("Failed to prepare the statement\n\nCaused by these")
    );
    raw.parse("", "fail late", &[])
        .bind("", "", &[], 0)
        .execute("", 0)
        .execute("", 0);
    let replies = raw.sync().await;
    assert_eq!(tags(&replies), "12DEZ");
    assert_eq!(
        replies[3].message(),
        "Failed to execute the statement\n\nCaused by:\n  Division by zero\n"
    );
    assert_eq!(tags(&raw.query("rows 1").await), "TDCZ");
}

#[tokio::test]
async fn names_are_kept_apart_and_checked() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let replies = raw
        .parse("s", "rows 1", &[])
        .parse("s", "rows 2", &[])
        .sync()
        .await;
    assert_eq!(tags(&replies), "1EZ");
    assert!(replies[1].message().contains("Duplicated statement name"));
    let replies = raw.bind("p", "x", &[], 0).sync().await;
    assert_eq!(replies[0].message(), "Prepare statement x not found");
    let replies = raw.execute("y", 0).sync().await;
    assert_eq!(replies[0].message(), "Portal y not found");
    let replies = raw.describe('S', "x").sync().await;
    assert_eq!(replies[0].message(), "Prepare statement x not found");
    // a close of nothing succeeds, a close of a statement takes its portals along
    raw.close('S', "x")
        .close('P', "y")
        .bind("p", "s", &[], 0)
        .close('S', "s")
        .execute("p", 0);
    let replies = raw.sync().await;
    assert_eq!(tags(&replies), "3323EZ");
    assert_eq!(replies[4].message(), "Portal p not found");
}

#[tokio::test]
async fn an_empty_statement_is_fine_and_two_are_not() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("", "", &[])
        .describe('S', "")
        .bind("", "", &[], 0)
        .describe('P', "")
        .execute("", 0);
    assert_eq!(tags(&raw.sync().await), "1tn2nIZ");
    let replies = raw.parse("", "rows 1; rows 2", &[]).sync().await;
    assert_eq!(
        replies[0].message(),
        "Failed to prepare the statement\n\nCaused by:\n  Only one statement is allowed in extended query mode\n"
    );
}

#[tokio::test]
async fn declared_types_are_taken_or_refused() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    let replies = raw.parse("", "pair", &[20]).describe('S', "").sync().await;
    assert_eq!(tags(&replies), "1tnZ");
    assert_eq!(replies[1].body, [0, 2, 0, 0, 0, 20, 0, 0, 4, 19]);
    let replies = raw.parse("", "pair", &[0]).describe('S', "").sync().await;
    assert_eq!(replies[1].body, [0, 2, 0, 0, 0, 23, 0, 0, 4, 19]);
    for oid in [114, 705, 1042, 2950] {
        let replies = raw.parse("", "pair", &[oid]).sync().await;
        assert!(
            replies[0]
                .message()
                .contains(&format!("Unsupported oid {oid}"))
        );
    }
}

#[tokio::test]
async fn values_are_decoded_at_bind() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("s", "pair", &[]);
    raw.bind("", "s", &[Some("-7"), None, Some("surplus")], 0)
        .execute("", 0);
    raw.bind_as("", "s", 1, &[Some(&[0, 0, 1, 0]), Some(b"text")], 0)
        .execute("", 0);
    let replies = raw.sync().await;
    assert_eq!(tags(&replies), "12C2CZ");
    assert_eq!(replies[2].text(), "[Integer(-7), Null]");
    assert_eq!(replies[4].text(), "[Integer(256), Varchar(\"text\")]");
    let replies = raw.bind("", "s", &[Some("x"), None], 0).sync().await;
    assert_eq!(tags(&replies), "EZ");
    assert_eq!(replies[0].message(), "invalid digit found in string");
    let replies = raw.bind("", "s", &[Some("1")], 0).sync().await;
    assert_eq!(
        replies[0].message(),
        "Bind has 1 values, the statement has 2 parameters"
    );
}

#[tokio::test]
async fn a_parameter_comes_back_in_both_formats() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    for (oid, text, binary) in [
        (16, "t", &[1][..]),
        (1082, "2000-01-02", &[0, 0, 0, 1]),
        (
            1114,
            "2000-01-01 00:00:01.500",
            &[0, 0, 0, 0, 0, 0x16, 0xe3, 0x60],
        ),
        (
            1186,
            "1 year 00:00:01",
            &[0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0, 0, 0, 0, 12],
        ),
        (
            1700,
            "-1.50",
            &[0, 2, 0, 0, 0x40, 0, 0, 2, 0, 1, 0x13, 0x88],
        ),
        (3802, r#"{"a": [1, 2]}"#, b"\x01{\"a\":[1,2]}"),
        (
            1007,
            "{1,NULL}",
            &[
                0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0,
                1, 255, 255, 255, 255,
            ],
        ),
    ] {
        raw.parse("", "echo", &[oid]);
        raw.bind("", "", &[Some(text)], 1).execute("", 0);
        raw.bind_as("", "", 1, &[Some(binary)], 0).execute("", 0);
        let replies = raw.sync().await;
        assert_eq!(tags(&replies), "12DC2DCZ", "{text}");
        assert_eq!(replies[2].values(), [Some(binary.to_vec())], "{text}");
        assert_eq!(replies[5].texts(), [text]);
    }
}

#[tokio::test]
async fn a_notice_of_commit_follows_its_tag() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("", "commit", &[])
        .bind("", "", &[], 0)
        .execute("", 0);
    assert_eq!(tags(&raw.sync().await), "12CNZ");
    raw.parse("", "notice x", &[])
        .bind("", "", &[], 0)
        .execute("", 0);
    assert_eq!(tags(&raw.sync().await), "12NCZ");
}

#[tokio::test]
async fn flush_sends_what_is_ready() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("", "rows 1", &[]).add('H', b"").send().await;
    assert_eq!(raw.reply().await.map(|reply| reply.tag), Some('1'));
    raw.bind("", "", &[], 0).execute("", 0);
    assert_eq!(tags(&raw.sync().await), "2DCZ");
}

#[tokio::test]
async fn copy_works_here_too_whatever_the_limit() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("", "copy", &[])
        .bind("", "", &[], 0)
        .execute("", 1);
    assert_eq!(tags(&raw.sync().await), "12HddcCZ");
}

#[tokio::test]
async fn a_map_has_no_binary_form() {
    let served = start().await;
    let (mut raw, _) = Raw::session(served.address).await;
    raw.parse("", "types", &[])
        .bind("", "", &[], 1)
        .execute("", 0);
    let replies = raw.sync().await;
    assert_eq!(tags(&replies), "12EZ");
    assert!(replies[2].message().contains("a map in the binary format"));
}

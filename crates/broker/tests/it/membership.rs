//! The group protocol step by step, by clients that do what a library would not: fall silent, answer late, come back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    OffsetCommitRequest, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::harness::{PATIENCE, Running};
use crate::raw::Raw;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group() -> GroupId {
    GroupId(text("group"))
}

/// A member of the group "group" on a connection of its own.
struct Member {
    raw: Raw,
    id: String,
    instance: Option<&'static str>,
    session_ms: i32,
    protocols: Vec<&'static str>,
    generation: i32,
}

impl Member {
    fn new(running: &Running) -> Self {
        Self {
            raw: Raw::connect(running.broker.local_addr()),
            id: String::new(),
            instance: None,
            session_ms: 30_000,
            protocols: vec!["range"],
            generation: -1,
        }
    }

    fn join_request(&self) -> JoinGroupRequest {
        let protocols = self.protocols.iter().map(|name| {
            JoinGroupRequestProtocol::default()
                .with_name(text(name))
                .with_metadata(Bytes::from_static(b"topics"))
        });
        JoinGroupRequest::default()
            .with_group_id(group())
            .with_session_timeout_ms(self.session_ms)
            .with_rebalance_timeout_ms(60_000)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.map(text))
            .with_protocol_type(text("consumer"))
            .with_protocols(protocols.collect())
    }

    fn send_join(&mut self) {
        let request = self.join_request();
        self.raw.send(9, &request);
    }

    fn receive_join(&mut self) -> JoinGroupResponse {
        let response = self.raw.receive::<JoinGroupRequest>(9);
        self.id = response.member_id.to_string();
        self.generation = response.generation_id;
        response
    }

    /// Takes an id if need be and joins.
    fn join(&mut self) -> JoinGroupResponse {
        self.send_join();
        let mut response = self.receive_join();
        if response.error_code == ResponseError::MemberIdRequired.code() {
            assert!(!self.id.is_empty());
            self.send_join();
            response = self.receive_join();
        }
        response
    }

    fn send_sync(&mut self, assignments: &[(&str, &'static str)]) {
        let assignments = assignments.iter().map(|(id, what)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(id))
                .with_assignment(Bytes::from_static(what.as_bytes()))
        });
        let request = SyncGroupRequest::default()
            .with_group_id(group())
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.map(text))
            .with_assignments(assignments.collect());
        self.raw.send(4, &request);
    }

    fn receive_sync(&mut self) -> Result<String, ResponseError> {
        let response = self.raw.receive::<SyncGroupRequest>(4);
        let assignment = String::from_utf8(response.assignment.to_vec()).unwrap();
        ResponseError::try_from_code(response.error_code).map_or(Ok(assignment), Err)
    }

    fn heartbeat(&mut self) -> Result<(), ResponseError> {
        let request = HeartbeatRequest::default()
            .with_group_id(group())
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.map(text));
        ResponseError::try_from_code(self.raw.call(4, &request).error_code).map_or(Ok(()), Err)
    }

    fn commit(&mut self, offset: i64) -> Result<(), ResponseError> {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text("events")))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group())
            .with_generation_id_or_member_epoch(self.generation)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.map(text))
            .with_topics(vec![topic]);
        let response = self.raw.call(8, &request);
        ResponseError::try_from_code(response.topics[0].partitions[0].error_code)
            .map_or(Ok(()), Err)
    }

    fn leave(&mut self) -> i16 {
        let member = MemberIdentity::default()
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.map(text));
        let request = LeaveGroupRequest::default()
            .with_group_id(group())
            .with_members(vec![member]);
        self.raw.call(5, &request).members[0].error_code
    }

    /// Beats until the answer is `wanted`.
    fn beat_until(&mut self, wanted: Result<(), ResponseError>) {
        let patience = Instant::now() + PATIENCE;
        while self.heartbeat() != wanted {
            assert!(Instant::now() < patience, "never {wanted:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A leader and a follower that are assigned "a" and "b".
fn stable_pair(running: &Running, change: impl Fn(&mut Member)) -> (Member, Member) {
    let (mut leader, mut follower) = (Member::new(running), Member::new(running));
    change(&mut leader);
    assert_eq!(leader.join().leader.as_str(), leader.id);
    leader.send_sync(&[]);
    leader.receive_sync().unwrap();

    follower.send_join();
    if follower.receive_join().error_code == ResponseError::MemberIdRequired.code() {
        follower.send_join();
    }
    leader.beat_until(Err(ResponseError::RebalanceInProgress));
    leader.send_join();
    let joined = leader.receive_join();
    assert_eq!(joined.members.len(), 2);
    let followed = follower.receive_join();
    assert_eq!((followed.error_code, followed.members.len()), (0, 0));
    assert_eq!(
        (followed.generation_id, followed.leader),
        (joined.generation_id, joined.leader)
    );
    follower.send_sync(&[]);
    let assignments = [(leader.id.clone(), "a"), (follower.id.clone(), "b")];
    leader.send_sync(
        &assignments
            .each_ref()
            .map(|(id, what)| (id.as_str(), *what)),
    );
    assert_eq!(leader.receive_sync().unwrap(), "a");
    assert_eq!(follower.receive_sync().unwrap(), "b");
    (leader, follower)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_member_is_removed_and_the_others_join_anew() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let (mut leader, mut follower) = stable_pair(&running, |leader| leader.session_ms = 1_000);
    assert_eq!(follower.commit(5), Ok(()));
    // The leader says nothing any more; the follower's own session is long.
    follower.beat_until(Err(ResponseError::RebalanceInProgress));
    follower.send_join();
    let joined = follower.receive_join();
    assert_eq!(
        (joined.leader.as_str(), joined.members.len()),
        (follower.id.as_str(), 1)
    );
    assert_eq!(leader.heartbeat(), Err(ResponseError::UnknownMemberId));
    assert_eq!(leader.commit(9), Err(ResponseError::UnknownMemberId));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_current_generation_is_heard() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let (mut leader, mut follower) = stable_pair(&running, |_| {});
    leader.generation -= 1;
    assert_eq!(leader.heartbeat(), Err(ResponseError::IllegalGeneration));
    assert_eq!(leader.commit(1), Err(ResponseError::IllegalGeneration));
    leader.send_sync(&[]);
    assert_eq!(leader.receive_sync(), Err(ResponseError::IllegalGeneration));
    leader.generation += 1;
    assert_eq!(leader.heartbeat(), Ok(()));
    // A client that is not a member may not commit for a group that has members.
    let mut stranger = Member::new(&running);
    assert_eq!(stranger.commit(1), Err(ResponseError::UnknownMemberId));
    assert_eq!(follower.leave(), 0);
    assert_eq!(follower.leave(), ResponseError::UnknownMemberId.code());
    leader.beat_until(Err(ResponseError::RebalanceInProgress));
    assert_eq!(leader.leave(), 0);
    assert_eq!(stranger.commit(1), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_comes_too_late_is_left_out() {
    let running = Running::start().await;
    let (mut leader, mut follower) = stable_pair(&running, |_| {});
    let mut third = Member::new(&running);
    third.send_join();
    third.receive_join();
    third.send_join();
    leader.beat_until(Err(ResponseError::RebalanceInProgress));
    leader.send_join();
    // The follower leaves instead of joining: the others need not wait for it.
    assert_eq!(follower.leave(), 0);
    assert_eq!(leader.receive_join().members.len(), 2);
    assert_eq!(third.receive_join().error_code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_never_assigns_does_not_hold_the_group() {
    let running = Running::start().await;
    let (mut leader, mut follower) = stable_pair(&running, |leader| leader.session_ms = 1_000);
    let mut third = Member::new(&running);
    third.send_join();
    third.receive_join();
    third.send_join();
    for member in [&mut leader, &mut follower] {
        member.beat_until(Err(ResponseError::RebalanceInProgress));
        member.send_join();
    }
    for member in [&mut leader, &mut follower, &mut third] {
        assert_eq!(member.receive_join().error_code, 0);
    }
    follower.send_sync(&[]);
    third.send_sync(&[]);
    // The leader is silent: its session ends, and the waiting members are told to join again.
    assert_eq!(
        follower.receive_sync(),
        Err(ResponseError::RebalanceInProgress)
    );
    assert_eq!(
        third.receive_sync(),
        Err(ResponseError::RebalanceInProgress)
    );
    follower.send_join();
    third.send_join();
    assert_eq!(follower.receive_join().error_code, 0);
    assert_eq!(third.receive_join().error_code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_member_comes_back_without_disturbing_the_group() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let (mut leader, mut follower) = stable_pair(&running, |leader| leader.instance = Some("one"));
    let generation = follower.generation;
    let mut returned = Member::new(&running);
    returned.instance = Some("one");
    let joined = returned.join();
    assert_eq!((joined.error_code, joined.generation_id), (0, generation));
    assert!(
        joined.skip_assignment,
        "it leads, but the assignments stand"
    );
    assert_ne!(returned.id, leader.id);
    returned.send_sync(&[]);
    assert_eq!(returned.receive_sync().unwrap(), "a", "its old assignment");
    assert_eq!(
        follower.heartbeat(),
        Ok(()),
        "the other member noticed nothing"
    );
    assert_eq!(leader.heartbeat(), Err(ResponseError::FencedInstanceId));
    assert_eq!(leader.commit(1), Err(ResponseError::FencedInstanceId));
    assert_eq!(returned.commit(1), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_must_have_a_strategy_in_common() {
    let running = Running::start().await;
    let (mut first, mut second) = (Member::new(&running), Member::new(&running));
    first.protocols = vec!["range", "sticky"];
    second.protocols = vec!["roundrobin"];
    first.join();
    assert_eq!(
        second.join().error_code,
        ResponseError::InconsistentGroupProtocol.code()
    );
    second.protocols = vec!["sticky", "roundrobin"];
    second.send_join();
    second.receive_join();
    second.send_join();
    first.beat_until(Err(ResponseError::RebalanceInProgress));
    first.send_join();
    assert_eq!(
        first.receive_join().protocol_name.unwrap().as_str(),
        "sticky"
    );
    assert_eq!(
        second.receive_join().protocol_name.unwrap().as_str(),
        "sticky"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_members_are_refused() {
    let running = Running::start().await;
    let mut member = Member::new(&running);
    member.session_ms = 1;
    assert_eq!(
        member.join().error_code,
        ResponseError::InvalidSessionTimeout.code()
    );
    let mut member = Member::new(&running);
    member.id = "made-up".to_owned();
    assert_eq!(
        member.join().error_code,
        ResponseError::UnknownMemberId.code()
    );
    let mut member = Member::new(&running);
    member.protocols.clear();
    assert_eq!(
        member.join().error_code,
        ResponseError::InconsistentGroupProtocol.code()
    );
    assert_eq!(
        Member::new(&running).heartbeat(),
        Err(ResponseError::UnknownMemberId)
    );
}

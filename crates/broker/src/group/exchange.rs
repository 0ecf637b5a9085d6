//! What a group and its members say to one another.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

/// What a member says when it joins.
#[derive(Debug, Clone)]
pub struct Join {
    /// Empty for a new member.
    pub member_id: String,
    /// Name of a static member: one that keeps its place when it comes back.
    pub instance: Option<String>,
    /// Name of the client.
    pub client_id: String,
    /// Address of the client.
    pub client_host: String,
    /// Silence after which the member is removed.
    pub session: Duration,
    /// Time that the member has to join again when the group changes.
    pub rebalance: Duration,
    /// Kind of the group, `consumer` mostly.
    pub protocol_type: String,
    /// Assignment strategies that the member knows, with its subscription for each, best first.
    pub protocols: Vec<(String, Bytes)>,
    /// The client can take an id first and join with it.
    pub takes_id_first: bool,
    /// The client understands a leader that must not assign.
    pub can_skip_assignment: bool,
}

/// Answer to a join.
#[derive(Debug, Clone, Default)]
pub struct Joined {
    /// Why the member is not in the group.
    pub error: Option<ResponseError>,
    /// Round that the group is in, -1 with an error.
    pub generation: i32,
    /// Kind of the group.
    pub protocol_type: Option<String>,
    /// Strategy that all members know.
    pub protocol: Option<String>,
    /// Id of the member that assigns.
    pub leader: String,
    /// The member's own id.
    pub member_id: String,
    /// For the leader: all members with their subscriptions.
    pub members: Vec<JoinedMember>,
    /// For the leader: the assignments stand.
    pub skip_assignment: bool,
}

/// A member as the leader sees it.
#[derive(Debug, Clone)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// Its static name.
    pub instance: Option<String>,
    /// Its subscription.
    pub metadata: Bytes,
}

/// What a member says when it asks for its assignment.
#[derive(Debug, Clone)]
pub struct Sync {
    /// Its id.
    pub member_id: String,
    /// Its static name.
    pub instance: Option<String>,
    /// Round that it has joined.
    pub generation: i32,
    /// Kind of the group, from clients that say it.
    pub protocol_type: Option<String>,
    /// Strategy in use, from clients that say it.
    pub protocol: Option<String>,
    /// From the leader: assignments by member id.
    pub assignments: HashMap<String, Bytes>,
}

/// Answer to a sync.
pub type Synced = Result<Assigned, ResponseError>;

/// What a member shall do.
#[derive(Debug, Clone)]
pub struct Assigned {
    /// Kind of the group.
    pub protocol_type: Option<String>,
    /// Strategy in use.
    pub protocol: Option<String>,
    /// The leader's words for this member.
    pub assignment: Bytes,
}

/// An answer now, or when the group has got further.
#[derive(Debug)]
pub enum Answer<T> {
    /// Now.
    Now(T),
    /// Later. If the sender is dropped, the member has asked anew elsewhere.
    Later(oneshot::Receiver<T>),
}

/// A member as an administrator sees it.
#[derive(Debug, Clone)]
pub struct MemberView {
    /// Its id.
    pub id: String,
    /// Its static name.
    pub instance: Option<String>,
    /// Name of the client.
    pub client_id: String,
    /// Address of the client.
    pub client_host: String,
    /// Its subscription for the strategy in use.
    pub metadata: Bytes,
    /// What it was assigned.
    pub assignment: Bytes,
}

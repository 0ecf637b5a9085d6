//! One consumer group: who is in it, and how its members come to agree (Kafka's classic protocol).
//!
//! ```text
//! Empty ─ a member joins ─▶ Joining ─ all are back, or time is up ─▶ Syncing ─ the leader sends assignments ─▶ Stable
//!                              ▲  a member joins, leaves, falls silent, or changes its subscription  │              │
//!                              └─────────────────────────────────────────────────────────────────────┴──────────────┘
//! ```
//!
//! The machine does no I/O and has no timers of its own: every call takes the time, [`Group::tick`] does what is due.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

/// Most members of a group, those that are only about to join included.
const MAX_MEMBERS: usize = 1_000;

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

#[derive(Debug)]
struct Member {
    id: String,
    instance: Option<String>,
    client_id: String,
    client_host: String,
    session: Duration,
    rebalance: Duration,
    protocols: Vec<(String, Bytes)>,
    assignment: Bytes,
    expires: Instant,
    joining: Option<oneshot::Sender<Joined>>,
    syncing: Option<oneshot::Sender<Synced>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Empty,
    Joining {
        until: Instant,
        /// The first members of an empty group wait a moment for others, and no longer than this.
        first_until: Option<Instant>,
    },
    Syncing {
        until: Instant,
    },
    Stable,
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

/// A consumer group with members.
#[derive(Debug)]
pub struct Group {
    phase: Phase,
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    members: Vec<Member>,
    /// Ids that were given out and not used yet, with the time they lapse.
    promised: HashMap<String, Instant>,
    initial_delay: Duration,
}

fn refuse(error: ResponseError, member_id: String) -> Answer<Joined> {
    Answer::Now(Joined {
        error: Some(error),
        generation: -1,
        member_id,
        ..Joined::default()
    })
}

impl Group {
    /// A group without members; the first ones wait `initial_delay` for one another.
    pub fn new(initial_delay: Duration) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: Vec::new(),
            promised: HashMap::new(),
            initial_delay,
        }
    }

    /// Whether nobody is in it or about to be.
    pub fn is_abandoned(&self) -> bool {
        self.members.is_empty() && self.promised.is_empty()
    }

    /// Whether it has members.
    pub fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    /// Kafka's name of the state.
    pub fn state(&self) -> &'static str {
        match self.phase {
            Phase::Empty => "Empty",
            Phase::Joining { .. } => "PreparingRebalance",
            Phase::Syncing { .. } => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }

    /// Kind of the group, empty if it has never had a member.
    pub fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    /// Strategy in use, empty unless the group is stable.
    pub fn protocol(&self) -> &str {
        self.protocol
            .as_deref()
            .filter(|_| self.phase == Phase::Stable)
            .unwrap_or_default()
    }

    /// The members. Subscriptions and assignments are there when the group is stable.
    pub fn members(&self) -> Vec<MemberView> {
        let stable = self.phase == Phase::Stable;
        let view = |member: &Member| MemberView {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable {
                self.metadata_of(member)
            } else {
                Bytes::new()
            },
            assignment: if stable {
                member.assignment.clone()
            } else {
                Bytes::new()
            },
        };
        self.members.iter().map(view).collect()
    }

    fn metadata_of(&self, member: &Member) -> Bytes {
        let chosen = |(name, _): &&(String, Bytes)| Some(name) == self.protocol.as_ref();
        member
            .protocols
            .iter()
            .find(chosen)
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    /// A member wants in, or says again that it is here.
    pub fn join(&mut self, join: Join, now: Instant) -> Answer<Joined> {
        if !self.agrees(&join) {
            return refuse(ResponseError::InconsistentGroupProtocol, join.member_id);
        }
        if join.member_id.is_empty() {
            return self.join_new(join, now);
        }
        if self.promised.remove(&join.member_id).is_some() {
            return self.add(join.member_id.clone(), join, now);
        }
        let at = match self.find(&join.member_id, join.instance.as_deref()) {
            Ok(at) => at,
            Err(error) => return refuse(error, join.member_id),
        };
        let same = self.members[at].protocols == join.protocols;
        let leads = self.leader.as_ref() == Some(&join.member_id);
        match self.phase {
            Phase::Syncing { .. } if same => Answer::Now(self.joined(at, leads)),
            Phase::Stable if same && !leads => Answer::Now(self.joined(at, false)),
            _ => {
                let waiting = self.update(at, join, now);
                self.rebalance(now);
                self.complete_if_all_joined(now);
                Answer::Later(waiting)
            }
        }
    }

    fn join_new(&mut self, join: Join, now: Instant) -> Answer<Joined> {
        if let Some(instance) = &join.instance {
            if let Some(at) = self
                .members
                .iter()
                .position(|member| member.instance.as_ref() == Some(instance))
            {
                return self.return_static(at, join, now);
            }
            let id = format!("{instance}-{}", Uuid::new_v4());
            return self.add(id, join, now);
        }
        let client: String = join.client_id.chars().take(64).collect();
        let id = format!("{client}-{}", Uuid::new_v4());
        if !join.takes_id_first {
            return self.add(id, join, now);
        }
        if self.is_full() {
            return refuse(ResponseError::GroupMaxSizeReached, String::new());
        }
        self.promised.insert(id.clone(), now + join.session);
        refuse(ResponseError::MemberIdRequired, id)
    }

    /// A static member came back under a new id: it takes its old place, and what the old id says from now on is refused.
    fn return_static(&mut self, at: usize, join: Join, now: Instant) -> Answer<Joined> {
        let id = format!(
            "{}-{}",
            join.instance.as_deref().unwrap_or_default(),
            Uuid::new_v4()
        );
        let old = std::mem::replace(&mut self.members[at].id, id.clone());
        if let Some(waiting) = self.members[at].joining.take() {
            let _ = waiting.send(Joined {
                error: Some(ResponseError::FencedInstanceId),
                generation: -1,
                member_id: old.clone(),
                ..Joined::default()
            });
        }
        if let Some(waiting) = self.members[at].syncing.take() {
            let _ = waiting.send(Err(ResponseError::FencedInstanceId));
        }
        let leads = self.leader.as_ref() == Some(&old);
        if leads {
            self.leader = Some(id);
        }
        let same = self.members[at].protocols == join.protocols;
        if self.phase == Phase::Stable && same {
            let can_skip = join.can_skip_assignment;
            drop(self.update(at, join, now));
            self.members[at].joining = None;
            let mut joined = self.joined(at, leads && can_skip);
            joined.skip_assignment = leads && can_skip;
            if leads && !can_skip {
                // An old client that believes it leads would assign anew; the old id makes it follow.
                joined.leader = old;
            }
            return Answer::Now(joined);
        }
        let waiting = self.update(at, join, now);
        self.rebalance(now);
        self.complete_if_all_joined(now);
        Answer::Later(waiting)
    }

    /// Number of members, and of those that are about to be.
    pub fn size(&self) -> usize {
        self.members.len() + self.promised.len()
    }

    fn is_full(&self) -> bool {
        self.size() >= MAX_MEMBERS
    }

    /// Whether a strategy remains that all members know.
    fn agrees(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        let others = || {
            self.members.iter().filter(|member| {
                member.id != join.member_id
                    && (join.instance.is_none() || member.instance != join.instance)
            })
        };
        if others().next().is_none() {
            return true;
        }
        let known_to_all = |name: &String| {
            others().all(|member| member.protocols.iter().any(|(other, _)| other == name))
        };
        self.protocol_type.as_ref() == Some(&join.protocol_type)
            && join.protocols.iter().any(|(name, _)| known_to_all(name))
    }

    fn add(&mut self, id: String, join: Join, now: Instant) -> Answer<Joined> {
        if self.is_full() {
            return refuse(ResponseError::GroupMaxSizeReached, String::new());
        }
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        self.members.push(Member {
            id,
            instance: None,
            client_id: String::new(),
            client_host: String::new(),
            session: join.session,
            rebalance: join.rebalance,
            protocols: Vec::new(),
            assignment: Bytes::new(),
            expires: now,
            joining: None,
            syncing: None,
        });
        let waiting = self.update(self.members.len() - 1, join, now);
        self.rebalance(now);
        if let Phase::Joining {
            until,
            first_until: Some(latest),
        } = &mut self.phase
        {
            *until = (now + self.initial_delay).min(*latest);
        }
        self.complete_if_all_joined(now);
        Answer::Later(waiting)
    }

    fn update(&mut self, at: usize, join: Join, now: Instant) -> oneshot::Receiver<Joined> {
        let (answer, waiting) = oneshot::channel();
        let member = &mut self.members[at];
        member.instance = join.instance.or(member.instance.take());
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        member.session = join.session;
        member.rebalance = join.rebalance;
        member.protocols = join.protocols;
        member.expires = now + join.session;
        member.joining = Some(answer);
        waiting
    }

    fn longest_rebalance(&self) -> Duration {
        self.members
            .iter()
            .map(|member| member.rebalance)
            .max()
            .unwrap_or_default()
    }

    /// Asks all members to join again.
    fn rebalance(&mut self, now: Instant) {
        let until = now + self.longest_rebalance();
        match self.phase {
            Phase::Joining { .. } => {}
            Phase::Empty => {
                let first = (now + self.initial_delay).min(until);
                self.phase = Phase::Joining {
                    until: first,
                    first_until: Some(until),
                };
            }
            Phase::Syncing { .. } | Phase::Stable => {
                for member in &mut self.members {
                    member.assignment = Bytes::new();
                    if let Some(waiting) = member.syncing.take() {
                        member.expires = now + member.session;
                        let _ = waiting.send(Err(ResponseError::RebalanceInProgress));
                    }
                }
                self.phase = Phase::Joining {
                    until,
                    first_until: None,
                };
            }
        }
    }

    fn complete_if_all_joined(&mut self, now: Instant) {
        let waiting = matches!(
            self.phase,
            Phase::Joining {
                first_until: None,
                ..
            }
        );
        if waiting
            && self.promised.is_empty()
            && self.members.iter().all(|member| member.joining.is_some())
        {
            self.complete_join(now);
        }
    }

    /// Ends the joining: a new generation of those who came, and of static members, who keep their place while away.
    fn complete_join(&mut self, now: Instant) {
        self.members
            .retain(|member| member.joining.is_some() || member.instance.is_some());
        if self.members.is_empty() {
            return self.empty();
        }
        let leads =
            |member: &&Member| member.joining.is_some() && Some(&member.id) == self.leader.as_ref();
        let leader = self
            .members
            .iter()
            .find(leads)
            .or_else(|| self.members.iter().find(|member| member.joining.is_some()));
        let Some(leader) = leader.map(|member| member.id.clone()) else {
            // Only static members, all away: wait until they come back or their sessions end.
            self.phase = Phase::Joining {
                until: now + self.longest_rebalance(),
                first_until: None,
            };
            return;
        };
        self.leader = Some(leader);
        self.next_generation();
        self.protocol = self.elect_protocol();
        self.phase = Phase::Syncing {
            until: now + self.longest_rebalance(),
        };
        for at in 0..self.members.len() {
            let leads = Some(&self.members[at].id) == self.leader.as_ref();
            let joined = self.joined(at, leads);
            let member = &mut self.members[at];
            member.assignment = Bytes::new();
            if let Some(waiting) = member.joining.take() {
                member.expires = now + member.session;
                let _ = waiting.send(joined);
            }
        }
    }

    fn next_generation(&mut self) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
    }

    fn empty(&mut self) {
        self.phase = Phase::Empty;
        self.leader = None;
        self.protocol = None;
        self.next_generation();
    }

    /// The strategy that all members know and most of them like best.
    fn elect_protocol(&self) -> Option<String> {
        let known_to_all = |name: &str| {
            self.members
                .iter()
                .all(|member| member.protocols.iter().any(|(other, _)| other == name))
        };
        let mut votes: Vec<(&str, usize)> = Vec::new();
        for member in &self.members {
            let Some((vote, _)) = member.protocols.iter().find(|(name, _)| known_to_all(name))
            else {
                continue;
            };
            match votes.iter_mut().find(|(name, _)| name == vote) {
                Some((_, count)) => *count += 1,
                None => votes.push((vote, 1)),
            }
        }
        // On a tie the one that was voted for first.
        votes
            .into_iter()
            .rev()
            .max_by_key(|(_, count)| *count)
            .map(|(name, _)| name.to_owned())
    }

    fn joined(&self, at: usize, with_members: bool) -> Joined {
        let members = self
            .members
            .iter()
            .filter(|_| with_members)
            .map(|member| JoinedMember {
                member_id: member.id.clone(),
                instance: member.instance.clone(),
                metadata: self.metadata_of(member),
            });
        Joined {
            error: None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: self.members[at].id.clone(),
            members: members.collect(),
            skip_assignment: false,
        }
    }

    /// Finds a member by its id; a static member must also have the id that its name has now.
    fn find(&self, member_id: &str, instance: Option<&str>) -> Result<usize, ResponseError> {
        if let Some(instance) = instance {
            let at = self
                .members
                .iter()
                .position(|member| member.instance.as_deref() == Some(instance));
            return match at {
                None => Err(ResponseError::UnknownMemberId),
                Some(at) if self.members[at].id != member_id => {
                    Err(ResponseError::FencedInstanceId)
                }
                Some(at) => Ok(at),
            };
        }
        self.members
            .iter()
            .position(|member| member.id == member_id)
            .ok_or(ResponseError::UnknownMemberId)
    }

    fn find_current(
        &mut self,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<&mut Member, ResponseError> {
        let at = self.find(member_id, instance)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        let member = &mut self.members[at];
        member.expires = now + member.session;
        Ok(member)
    }

    /// A member asks for its assignment; the leader brings everyone's.
    pub fn sync(&mut self, sync: Sync, now: Instant) -> Answer<Synced> {
        if let Err(error) = self.find_current(
            &sync.member_id,
            sync.instance.as_deref(),
            sync.generation,
            now,
        ) {
            return Answer::Now(Err(error));
        }
        let differs = |said: &Option<String>, is: &Option<String>| said.is_some() && said != is;
        if differs(&sync.protocol_type, &self.protocol_type)
            || differs(&sync.protocol, &self.protocol)
        {
            return Answer::Now(Err(ResponseError::InconsistentGroupProtocol));
        }
        match self.phase {
            Phase::Empty => Answer::Now(Err(ResponseError::UnknownMemberId)),
            Phase::Joining { .. } => Answer::Now(Err(ResponseError::RebalanceInProgress)),
            Phase::Stable => Answer::Now(Ok(self.assigned(&sync.member_id))),
            Phase::Syncing { .. } => {
                let (answer, waiting) = oneshot::channel();
                if let Some(member) = self
                    .members
                    .iter_mut()
                    .find(|member| member.id == sync.member_id)
                {
                    member.syncing = Some(answer);
                }
                if self.leader.as_ref() == Some(&sync.member_id) {
                    self.assign(sync.assignments, now);
                }
                Answer::Later(waiting)
            }
        }
    }

    fn assign(&mut self, mut assignments: HashMap<String, Bytes>, now: Instant) {
        for member in &mut self.members {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
        }
        self.phase = Phase::Stable;
        for at in 0..self.members.len() {
            if let Some(waiting) = self.members[at].syncing.take() {
                self.members[at].expires = now + self.members[at].session;
                let id = self.members[at].id.clone();
                let _ = waiting.send(Ok(self.assigned(&id)));
            }
        }
    }

    fn assigned(&self, member_id: &str) -> Assigned {
        let member = self.members.iter().find(|member| member.id == member_id);
        Assigned {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member
                .map(|member| member.assignment.clone())
                .unwrap_or_default(),
        }
    }

    /// A member is alive; it learns whether it must join again.
    pub fn heartbeat(
        &mut self,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.find_current(member_id, instance, generation, now)?;
        match self.phase {
            Phase::Joining { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Whether this member may commit offsets.
    pub fn may_commit(
        &mut self,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if generation < 0 && member_id.is_empty() && instance.is_none() {
            return if self.has_members() {
                Err(ResponseError::UnknownMemberId)
            } else {
                Ok(())
            };
        }
        self.find_current(member_id, instance, generation, now)?;
        match self.phase {
            Phase::Syncing { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// A member goes. A static one may be named by its instance alone.
    pub fn leave(
        &mut self,
        member_id: &str,
        instance: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if self.promised.remove(member_id).is_some() {
            self.complete_if_all_joined(now);
            return Ok(());
        }
        let at = match (member_id, instance) {
            ("", Some(instance)) => self
                .members
                .iter()
                .position(|member| member.instance.as_deref() == Some(instance))
                .ok_or(ResponseError::UnknownMemberId)?,
            _ => self.find(member_id, instance)?,
        };
        self.remove(at);
        self.members_removed(now);
        Ok(())
    }

    fn remove(&mut self, at: usize) {
        let member = self.members.remove(at);
        if let Some(waiting) = member.joining {
            let error = Some(ResponseError::UnknownMemberId);
            let _ = waiting.send(Joined {
                error,
                generation: -1,
                member_id: member.id,
                ..Joined::default()
            });
        }
        if let Some(waiting) = member.syncing {
            let _ = waiting.send(Err(ResponseError::UnknownMemberId));
        }
    }

    fn members_removed(&mut self, now: Instant) {
        if self.members.is_empty() {
            return self.empty();
        }
        self.rebalance(now);
        self.complete_if_all_joined(now);
    }

    /// Does what is due and tells when to look again.
    pub fn tick(&mut self, now: Instant) -> Option<Instant> {
        let promised = self.promised.len();
        self.promised.retain(|_, lapses| *lapses > now);
        let silent = |member: &Member| {
            member.joining.is_none() && member.syncing.is_none() && member.expires <= now
        };
        let mut removed = 0;
        while let Some(at) = self.members.iter().position(silent) {
            self.remove(at);
            removed += 1;
        }
        if removed > 0 {
            self.members_removed(now);
        } else if self.promised.len() < promised {
            self.complete_if_all_joined(now);
        }
        match self.phase {
            Phase::Joining { until, .. } if until <= now => self.complete_join(now),
            Phase::Syncing { until } if until <= now => {
                while let Some(at) = self
                    .members
                    .iter()
                    .position(|member| member.syncing.is_none())
                {
                    self.remove(at);
                }
                self.members_removed(now);
            }
            _ => {}
        }
        self.next_due()
    }

    fn next_due(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Joining { until, .. } | Phase::Syncing { until } => Some(until),
            Phase::Empty | Phase::Stable => None,
        };
        let quiet = self
            .members
            .iter()
            .filter(|member| member.joining.is_none() && member.syncing.is_none());
        quiet
            .map(|member| member.expires)
            .chain(self.promised.values().copied())
            .chain(phase)
            .min()
    }
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

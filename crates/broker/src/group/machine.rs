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

use crate::group::exchange::{Answer, Assigned, Joined, MemberView, Sync, Synced};

/// A member, from its first join until it leaves or falls silent.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) instance: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) session: Duration,
    pub(super) rebalance: Duration,
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) assignment: Bytes,
    /// When its session ends, unless it waits for an answer.
    pub(super) expires: Instant,
    /// Where the answer to its join goes.
    pub(super) joining: Option<oneshot::Sender<Joined>>,
    /// Where its assignment goes.
    pub(super) syncing: Option<oneshot::Sender<Synced>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
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

/// A consumer group with members.
#[derive(Debug)]
pub struct Group {
    pub(super) phase: Phase,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(super) members: Vec<Member>,
    /// Ids that were given out and not used yet, with the time they lapse.
    pub(super) promised: HashMap<String, Instant>,
    pub(super) initial_delay: Duration,
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

    pub(super) fn metadata_of(&self, member: &Member) -> Bytes {
        let chosen = |(name, _): &&(String, Bytes)| Some(name) == self.protocol.as_ref();
        member
            .protocols
            .iter()
            .find(chosen)
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    /// Number of members, and of those that are about to be.
    pub fn size(&self) -> usize {
        self.members.len() + self.promised.len()
    }

    pub(super) fn longest_rebalance(&self) -> Duration {
        self.members
            .iter()
            .map(|member| member.rebalance)
            .max()
            .unwrap_or_default()
    }

    pub(super) fn next_generation(&mut self) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
    }

    pub(super) fn empty(&mut self) {
        self.phase = Phase::Empty;
        self.leader = None;
        self.protocol = None;
        self.next_generation();
    }

    /// Finds a member by its id; a static member must also have the id that its name has now.
    pub(super) fn find(
        &self,
        member_id: &str,
        instance: Option<&str>,
    ) -> Result<usize, ResponseError> {
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

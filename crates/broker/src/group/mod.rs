//! Consumer groups: [`machine`] and `joining` hold a group's members together, [`exchange`] is what they say, [`offsets`] keeps
//! what a group has committed.
//!
//! Members are not kept across a restart: they are told that they are unknown and join again. Offsets are.

pub mod exchange;
mod joining;
pub mod machine;
pub mod offsets;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Config;
use crate::group::exchange::{Answer, Join, Joined, MemberView, Sync, Synced};
use crate::group::machine::Group;
use crate::group::offsets::{Committed, Offsets, Positions};

/// Most groups, with members or with offsets.
const MAX_GROUPS: usize = 10_000;
/// Most members of all groups together.
const MAX_MEMBERS: usize = 2_000;
/// Most bytes that a member's subscriptions may have.
const MAX_SUBSCRIPTION: usize = 256 << 10;
/// Longest session timeout (Kafka's `group.max.session.timeout.ms`).
const MAX_SESSION: Duration = Duration::from_secs(1_800);

/// All groups.
#[derive(Debug)]
pub struct Groups {
    state: Mutex<State>,
    initial_delay: Duration,
    min_session: Duration,
    /// Wakes the timer when something may be due earlier.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// Groups that have members, or have promised an id to one.
    groups: BTreeMap<String, Group>,
    offsets: Offsets,
}

/// A group as an administrator sees it.
#[derive(Debug, Clone)]
pub struct GroupView {
    /// Its name.
    pub id: String,
    /// Kafka's name of its state.
    pub state: &'static str,
    /// Its kind, `consumer` mostly.
    pub protocol_type: String,
    /// Its assignment strategy.
    pub protocol: String,
    /// Its members.
    pub members: Vec<MemberView>,
}

impl Groups {
    /// Opens the committed offsets in `dir`.
    pub fn open(dir: &Path, config: &Config) -> io::Result<Self> {
        Ok(Self {
            state: Mutex::new(State {
                groups: BTreeMap::new(),
                offsets: Offsets::open(dir)?,
            }),
            initial_delay: config.group_initial_delay,
            min_session: config.group_min_session,
            changed: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A member joins a group, which is made if need be.
    pub fn join(&self, group: &str, join: Join) -> Answer<Joined> {
        let refuse = |error, member_id| {
            Answer::Now(Joined {
                error: Some(error),
                generation: -1,
                member_id,
                ..Joined::default()
            })
        };
        if group.is_empty() {
            return refuse(ResponseError::InvalidGroupId, join.member_id);
        }
        if join.session < self.min_session || join.session > MAX_SESSION {
            return refuse(ResponseError::InvalidSessionTimeout, join.member_id);
        }
        let subscription: usize = join
            .protocols
            .iter()
            .map(|(name, metadata)| name.len() + metadata.len())
            .sum();
        if subscription > MAX_SUBSCRIPTION {
            return refuse(ResponseError::InvalidRequest, join.member_id);
        }
        let mut state = self.state();
        let members: usize = state.groups.values().map(Group::size).sum();
        if join.member_id.is_empty() && members >= MAX_MEMBERS {
            return refuse(ResponseError::GroupMaxSizeReached, join.member_id);
        }
        if !state.groups.contains_key(group) {
            if !join.member_id.is_empty() {
                return refuse(ResponseError::UnknownMemberId, join.member_id);
            }
            if state.groups.len() >= MAX_GROUPS {
                return refuse(ResponseError::GroupMaxSizeReached, join.member_id);
            }
            state
                .groups
                .insert(group.to_owned(), Group::new(self.initial_delay));
        }
        let answer = match state.groups.get_mut(group) {
            Some(group) => group.join(join, Instant::now()),
            None => return refuse(ResponseError::CoordinatorNotAvailable, join.member_id),
        };
        state.drop_if_abandoned(group);
        drop(state);
        self.changed.notify_one();
        answer
    }

    /// A member asks for its assignment.
    pub fn sync(&self, group: &str, sync: Sync) -> Answer<Synced> {
        let mut state = self.state();
        let Some(group) = state.groups.get_mut(group) else {
            return Answer::Now(Err(ResponseError::UnknownMemberId));
        };
        let answer = group.sync(sync, Instant::now());
        drop(state);
        self.changed.notify_one();
        answer
    }

    /// A member is alive.
    pub fn heartbeat(
        &self,
        group: &str,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        let mut state = self.state();
        let group = state
            .groups
            .get_mut(group)
            .ok_or(ResponseError::UnknownMemberId)?;
        group.heartbeat(member_id, instance, generation, Instant::now())
    }

    /// A member leaves.
    pub fn leave(
        &self,
        group: &str,
        member_id: &str,
        instance: Option<&str>,
    ) -> Result<(), ResponseError> {
        let mut state = self.state();
        let members = state
            .groups
            .get_mut(group)
            .ok_or(ResponseError::UnknownMemberId)?;
        let left = members.leave(member_id, instance, Instant::now());
        state.drop_if_abandoned(group);
        drop(state);
        self.changed.notify_one();
        left
    }

    /// Keeps the positions of a group for a member, or for a client that manages without membership. Blocks.
    pub fn commit(
        &self,
        group: &str,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
        offsets: Vec<(String, i32, Committed)>,
    ) -> Result<(), ResponseError> {
        if group.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let mut state = self.state();
        match state.groups.get_mut(group) {
            Some(members) => members.may_commit(member_id, instance, generation, Instant::now())?,
            None if generation >= 0 => return Err(ResponseError::IllegalGeneration),
            None => {}
        }
        if state.offsets.of(group).is_none() && state.offsets.groups().count() >= MAX_GROUPS {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        state.offsets.commit(group, offsets).map_err(|error| {
            tracing::error!(group, %error, "cannot keep group offsets");
            ResponseError::KafkaStorageError
        })
    }

    /// The positions of a group.
    pub fn positions(&self, group: &str) -> Positions {
        self.state().offsets.of(group).cloned().unwrap_or_default()
    }

    /// Forgets positions of a group that has no members. Blocks.
    pub fn forget(&self, group: &str, offsets: Vec<(String, i32)>) -> Result<(), ResponseError> {
        let mut state = self.state();
        if state.groups.get(group).is_some_and(Group::has_members) {
            return Err(ResponseError::NonEmptyGroup);
        }
        if state.offsets.of(group).is_none() {
            return Err(ResponseError::GroupIdNotFound);
        }
        state
            .offsets
            .forget(group, offsets)
            .map_err(|_| ResponseError::KafkaStorageError)
    }

    /// Deletes a group that has no members, with its positions. Blocks.
    pub fn delete(&self, group: &str) -> Result<(), ResponseError> {
        let mut state = self.state();
        if state.groups.get(group).is_some_and(Group::has_members) {
            return Err(ResponseError::NonEmptyGroup);
        }
        if state.offsets.of(group).is_none() && !state.groups.contains_key(group) {
            return Err(ResponseError::GroupIdNotFound);
        }
        state
            .offsets
            .forget_group(group)
            .map_err(|_| ResponseError::KafkaStorageError)?;
        state.groups.remove(group);
        Ok(())
    }

    /// Forgets all positions in a topic that is gone. Blocks.
    pub fn topic_deleted(&self, topic: &str) {
        if let Err(error) = self.state().offsets.forget_topic(topic) {
            tracing::error!(topic, %error, "cannot forget the deleted topic's group offsets");
        }
    }

    /// All groups, without their members.
    pub fn list(&self) -> Vec<GroupView> {
        let state = self.state();
        let names: BTreeSet<&String> = state.groups.keys().chain(state.offsets.groups()).collect();
        names
            .into_iter()
            .map(|name| GroupView {
                members: Vec::new(),
                ..state.view(name)
            })
            .collect()
    }

    /// One group; `None` if there is no such group.
    pub fn describe(&self, group: &str) -> Option<GroupView> {
        let state = self.state();
        let known = state.groups.contains_key(group) || state.offsets.of(group).is_some();
        known.then(|| state.view(group))
    }

    /// Brings commits to disk. Blocks.
    pub fn flush(&self) -> io::Result<()> {
        let file = self.state().offsets.take_unflushed();
        file.map_or(Ok(()), |file| file.sync_data())
    }

    /// Removes silent members and ends rebalances when their time is up, until it is dropped.
    pub async fn keep_time(&self) {
        loop {
            let next = self.state().tick(Instant::now());
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

impl State {
    fn view(&self, id: &str) -> GroupView {
        match self.groups.get(id).filter(|group| group.has_members()) {
            Some(group) => GroupView {
                id: id.to_owned(),
                state: group.state(),
                protocol_type: group.protocol_type().to_owned(),
                protocol: group.protocol().to_owned(),
                members: group.members(),
            },
            // Only consumers commit offsets, whether they are members or not.
            None => GroupView {
                id: id.to_owned(),
                state: "Empty",
                protocol_type: "consumer".to_owned(),
                protocol: String::new(),
                members: Vec::new(),
            },
        }
    }

    fn drop_if_abandoned(&mut self, group: &str) {
        if self.groups.get(group).is_some_and(Group::is_abandoned) {
            self.groups.remove(group);
        }
    }

    fn tick(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        self.groups.retain(|_, group| {
            let due = group.tick(now);
            next = next.into_iter().chain(due).min();
            !group.is_abandoned()
        });
        next
    }
}

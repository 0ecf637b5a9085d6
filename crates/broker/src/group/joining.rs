//! How members get into a group, and how a round of joining ends: with a new generation, a leader and a strategy.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use crate::group::exchange::{Answer, Join, Joined, JoinedMember};
use crate::group::machine::{Group, Member, Phase};

/// Most members of a group, those that are only about to join included.
const MAX_MEMBERS: usize = 1_000;

fn refuse(error: ResponseError, member_id: String) -> Answer<Joined> {
    Answer::Now(Joined {
        error: Some(error),
        generation: -1,
        member_id,
        ..Joined::default()
    })
}

impl Group {
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

    /// Asks all members to join again.
    pub(super) fn rebalance(&mut self, now: Instant) {
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

    pub(super) fn complete_if_all_joined(&mut self, now: Instant) {
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
    pub(super) fn complete_join(&mut self, now: Instant) {
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
}

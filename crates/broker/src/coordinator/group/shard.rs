//! The group coordinator's state for one partition of `__consumer_offsets`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

use super::classic_group::ClassicGroup;
use super::config::GroupConfig;
use super::messages::{Blob, GroupReply, GroupRequest, MemberProtocol, Text};
use super::offset_store::OffsetStore;
use super::records::{GroupRecord, StoredGroup, storage_error};
use crate::coordinator::shard::{Append, CoordinatorShard, Effects, Ticket};
use crate::coordinator::timers::Timers;

/// A group, by the protocol its members speak. Consumer (KIP-848), share and streams groups become further variants.
#[derive(Clone, Debug)]
pub enum Group {
    Classic(ClassicGroup),
}

impl Group {
    /// The type in ListGroups.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Classic(_) => "classic",
        }
    }

    #[must_use]
    pub fn as_classic(&self) -> Option<&ClassicGroup> {
        match self {
            Self::Classic(group) => Some(group),
        }
    }

    pub fn as_classic_mut(&mut self) -> Option<&mut ClassicGroup> {
        match self {
            Self::Classic(group) => Some(group),
        }
    }
}

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKey {
    /// A member's session, or a new member's JoinGroup.
    Heartbeat(Text, Text),
    /// The end of a group's join phase.
    Join(Text),
    /// Members have this long to sync.
    Sync(Text),
    /// Look for expired offsets.
    OffsetsRetentionCheck,
}

/// What follows when an append is replicated, or failed.
#[derive(Clone, Debug)]
pub enum Then {
    Nothing,
    Reply {
        ticket: Ticket,
        reply: GroupReply,
    },
    /// The leader's assignment is stored: tell the members.
    Assigned {
        group_id: Text,
        generation: i32,
        assignments: BTreeMap<Text, Blob>,
    },
    /// A static member's new member id is stored: let it in.
    StaticMemberReplaced(Box<ReplacedMember>),
}

/// A static member that came back with a new member id, and what undoes it.
#[derive(Clone, Debug)]
pub struct ReplacedMember {
    pub group_id: Text,
    pub instance_id: Text,
    pub old_member_id: Text,
    pub new_member_id: Text,
    /// Who led before.
    pub leader: Option<Text>,
    pub old_protocols: Vec<MemberProtocol>,
    /// Rebalance and session timeout.
    pub old_timeouts_ms: (i32, i32),
    pub supports_skipping_assignment: bool,
}

pub(super) type Fx = Effects<GroupShard>;

/// The groups and offsets of one partition.
#[derive(Debug)]
#[doc(alias = "GroupCoordinatorShard")]
pub struct GroupShard {
    pub(super) config: Arc<GroupConfig>,
    pub(super) groups: BTreeMap<Text, Group>,
    pub(super) offsets: OffsetStore,
    pub(super) timers: Timers<TimerKey>,
    pub(super) random: Random,
    /// Wall clock of the latest input: what a group made by a replayed offset is dated with.
    pub(super) now_ms: i64,
}

impl GroupShard {
    #[must_use]
    pub fn new(config: Arc<GroupConfig>, random: Random) -> Self {
        Self {
            config,
            groups: BTreeMap::new(),
            offsets: OffsetStore::default(),
            timers: Timers::default(),
            random,
            now_ms: 0,
        }
    }

    pub(super) fn classic(&self, group_id: &str) -> Option<&ClassicGroup> {
        self.groups.get(group_id).and_then(Group::as_classic)
    }

    pub(super) fn classic_mut(&mut self, group_id: &str) -> Option<&mut ClassicGroup> {
        self.groups.get_mut(group_id).and_then(Group::as_classic_mut)
    }

    /// Appends records that change what is stored; `then` when they are replicated.
    pub(super) fn append(&self, fx: &mut Fx, records: Vec<GroupRecord>, then: Then) {
        fx.appends.push(Append { records, replay: true, then });
    }

    /// Appends a group's record; the group has the change already.
    pub(super) fn append_group(&self, fx: &mut Fx, record: GroupRecord, then: Then) {
        fx.appends.push(Append { records: vec![record], replay: false, then });
    }

    fn replay_group(&mut self, group_id: Text, stored: Option<StoredGroup>) {
        match stored {
            Some(stored) => {
                let group = stored.into_group(group_id.clone());
                self.groups.insert(group_id, Group::Classic(group));
            }
            None => {
                self.groups.remove(&group_id);
            }
        }
    }

    /// What a log stores of this group, to compare shards with.
    #[must_use]
    pub fn stored(&self, group_id: &str) -> Option<StoredGroup> {
        self.classic(group_id).map(StoredGroup::of)
    }
}

impl CoordinatorShard for GroupShard {
    type Record = GroupRecord;
    type Request = GroupRequest;
    type Reply = GroupReply;
    type Then = Then;

    fn replay(&mut self, offset: i64, producer_id: Option<i64>, record: GroupRecord) {
        match record {
            GroupRecord::Group { group_id, stored } => self.replay_group(group_id, stored),
            GroupRecord::Offset { group_id, topic, partition, stored: Some(mut stored) } => {
                stored.record_offset = offset;
                if !self.groups.contains_key(&group_id) {
                    // Offsets of a group nobody joined: a consumer that assigns its partitions itself.
                    let group = ClassicGroup::new(group_id.clone(), self.now_ms);
                    self.groups.insert(group_id.clone(), Group::Classic(group));
                }
                self.offsets.put(producer_id, group_id, topic, partition, stored);
            }
            GroupRecord::Offset { group_id, topic, partition, stored: None } => {
                self.offsets.remove(&group_id, &topic, partition);
            }
        }
    }

    fn replay_end_transaction(&mut self, producer_id: i64, committed: bool) {
        self.offsets.end_transaction(producer_id, committed);
    }

    fn loaded(&mut self, now: Now, fx: &mut Fx) {
        self.now_ms = now.wall_ms;
        let groups: Vec<Text> = self.groups.keys().cloned().collect();
        for group_id in groups {
            let Some(group) = self.classic(&group_id) else { continue };
            let sessions: Vec<(Text, i32)> =
                group.members().map(|member| (member.member_id.clone(), member.session_timeout_ms)).collect();
            let over_capacity = sessions.len() > self.max_group_size();
            for (member_id, timeout_ms) in sessions {
                self.arm_heartbeat(now, &group_id, &member_id, timeout_ms);
            }
            if over_capacity {
                self.prepare_rebalance(now, &group_id, "the group, just loaded, is over its capacity", fx);
            }
        }
        self.arm_retention_check(now);
    }

    fn unloaded(&mut self, fx: &mut Fx) {
        use super::messages::{JoinReply, SyncReply};
        for group in self.groups.values_mut().filter_map(Group::as_classic_mut) {
            for member in group.members_mut() {
                if let Some(ticket) = member.awaiting_join.take() {
                    let reply = JoinReply::error(member.member_id.clone(), ErrorCode::NotCoordinator);
                    fx.reply(ticket, GroupReply::Join(reply));
                }
                if let Some(ticket) = member.awaiting_sync.take() {
                    fx.reply(ticket, GroupReply::Sync(SyncReply::error(ErrorCode::NotCoordinator)));
                }
            }
        }
    }

    fn request(&mut self, now: Now, ticket: Ticket, request: GroupRequest, fx: &mut Fx) {
        self.now_ms = now.wall_ms;
        match request {
            GroupRequest::Join(request) => self.join(now, ticket, request, fx),
            GroupRequest::Sync(request) => self.sync(ticket, request, fx),
            GroupRequest::Heartbeat(request) => {
                let error = self.heartbeat(now, &request);
                fx.reply(ticket, GroupReply::Heartbeat(error));
            }
            GroupRequest::Leave(request) => {
                let reply = self.leave(now, request, fx);
                fx.reply(ticket, GroupReply::Leave(reply));
            }
            GroupRequest::OffsetCommit(request) => self.commit_offsets(now, ticket, request, fx),
            GroupRequest::OffsetFetch(request) => {
                let reply = GroupReply::OffsetFetch(self.fetch_offsets(request));
                self.append(fx, Vec::new(), Then::Reply { ticket, reply });
            }
            GroupRequest::OffsetDelete(request) => self.delete_offsets(ticket, request, fx),
            GroupRequest::DeleteGroups(group_ids) => self.delete_groups(ticket, group_ids, fx),
            GroupRequest::TopicsDeleted(topics) => self.topics_deleted(ticket, &topics, fx),
        }
    }

    fn completed(&mut self, now: Now, then: Then, result: Result<(), ErrorCode>, fx: &mut Fx) {
        match then {
            Then::Nothing => {
                if let Err(error) = result {
                    // Nothing rests on these: a group that emptied, or tombstones that the next check writes again.
                    tracing::warn!(?error, "a record of the group coordinator was not stored");
                }
            }
            Then::Reply { ticket, reply } => {
                let reply = match result {
                    Ok(()) => reply,
                    Err(error) => reply.failed(storage_error(error)),
                };
                fx.reply(ticket, reply);
            }
            Then::Assigned { group_id, generation, assignments } => {
                self.assigned(now, &group_id, generation, assignments, result, fx);
            }
            Then::StaticMemberReplaced(replaced) => self.static_member_replaced(now, *replaced, result, fx),
        }
    }

    fn tick(&mut self, now: Now, fx: &mut Fx) {
        self.now_ms = now.wall_ms;
        while let Some(key) = self.timers.pop_due(now.mono_ms()) {
            match key {
                TimerKey::Heartbeat(group_id, member_id) => self.heartbeat_expired(now, &group_id, &member_id, fx),
                TimerKey::Join(group_id) => self.join_phase_expired(now, &group_id, fx),
                TimerKey::Sync(group_id) => self.sync_expired(now, &group_id, fx),
                TimerKey::OffsetsRetentionCheck => {
                    self.expire_offsets(now, fx);
                    self.arm_retention_check(now);
                }
            }
        }
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        self.timers.next()
    }
}

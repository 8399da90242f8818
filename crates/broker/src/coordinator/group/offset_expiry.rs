//! Offsets and groups that are too old, and those of topics that are gone.

use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

use super::classic_group::{ClassicGroup, GroupState};
use super::messages::{GroupReply, Text};
use super::records::{GroupRecord, StoredOffset};
use super::shard::{Fx, GroupShard, Then, TimerKey};
use crate::coordinator::shard::Ticket;

/// Most tombstones in one batch: they need not be stored together, and a batch must fit `max.message.bytes`.
const TOMBSTONES_PER_BATCH: usize = 1_000;

impl GroupShard {
    pub(super) fn arm_retention_check(&mut self, now: Now) {
        let interval_ms = self.config.offsets_retention_check_interval_ms.max(1) as u64;
        self.timers.arm(TimerKey::OffsetsRetentionCheck, now.mono_ms() + interval_ms);
    }

    /// Drops the offsets whose time is over, and groups that have neither members nor offsets left.
    pub(super) fn expire_offsets(&mut self, now: Now, fx: &mut Fx) {
        let mut tombstones = Vec::new();
        for (group_id, group) in self.groups.iter().filter_map(|(id, group)| Some((id, group.as_classic()?))) {
            let expired = self.expired_offsets(group, now.wall_ms);
            let kept = self.offsets.partitions(group_id).len() - expired.len();
            tombstones.extend(
                expired.into_iter().map(|(topic, p)| GroupRecord::offset_tombstone(group_id.clone(), topic, p)),
            );
            let unused = group.is(GroupState::Empty) && group.pending_join_count() == 0;
            if unused && kept == 0 && !self.offsets.has_open_transaction(group_id) {
                tombstones.push(GroupRecord::group_tombstone(group_id.clone()));
            }
        }
        self.append_tombstones(tombstones, fx);
    }

    fn append_tombstones(&self, mut tombstones: Vec<GroupRecord>, fx: &mut Fx) {
        while !tombstones.is_empty() {
            let rest = tombstones.split_off(tombstones.len().min(TOMBSTONES_PER_BATCH));
            self.append(fx, std::mem::replace(&mut tombstones, rest), Then::Nothing);
        }
    }

    fn expired_offsets(&self, group: &ClassicGroup, now_ms: i64) -> Vec<(Text, i32)> {
        let retention_ms = self.config.offsets_retention_ms();
        let is_over = |stored: &StoredOffset| match (group.retention_base_ms(stored), stored.expire_timestamp_ms) {
            (None, _) => false,
            (Some(_), Some(expire_ms)) => now_ms >= expire_ms,
            (Some(base_ms), None) => now_ms.saturating_sub(base_ms) >= retention_ms,
        };
        let mut expired = Vec::new();
        for (topic, partitions) in self.offsets.of_group(&group.id) {
            if group.is_subscribed_to(topic) {
                continue;
            }
            let over = partitions
                .iter()
                .filter(|(p, stored)| is_over(stored) && !self.offsets.is_pending(&group.id, topic, **p));
            expired.extend(over.map(|(partition, _)| (topic.clone(), *partition)));
        }
        expired
    }

    /// Drops all groups' offsets of topics that were deleted.
    pub(super) fn topics_deleted(&mut self, ticket: Ticket, topics: &[Text], fx: &mut Fx) {
        let mut tombstones = Vec::new();
        for group_id in self.offsets.groups() {
            for (topic, partition) in self.offsets.partitions(&group_id) {
                if topics.contains(&topic) {
                    tombstones.push(GroupRecord::offset_tombstone(group_id.clone(), topic, partition));
                }
            }
        }
        self.append_tombstones(tombstones, fx);
        fx.reply(ticket, GroupReply::TopicsDeleted(ErrorCode::None));
    }
}

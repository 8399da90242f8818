//! OffsetCommit, OffsetFetch and OffsetDelete.

use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

use super::classic_group::{ClassicGroup, GroupState};
use super::messages::{
    CommitPartition, CommitTopic, FetchTopic, FetchedPartition, FetchedTopic, GroupReply, OffsetCommitRequest,
    OffsetDeleteReply, OffsetDeleteRequest, OffsetFetchReply, OffsetFetchRequest, Text,
};
use super::records::{GroupRecord, StoredOffset};
use super::shard::{Fx, GroupShard, Then};
use crate::coordinator::shard::Ticket;

impl GroupShard {
    pub(super) fn commit_offsets(&mut self, now: Now, ticket: Ticket, mut request: OffsetCommitRequest, fx: &mut Fx) {
        if let Err(error) = self.check_commit(&request) {
            return fx.reply(ticket, GroupReply::OffsetCommit(request.answer(error)));
        }
        let group_id = request.group_id.clone();
        if self
            .classic(&group_id)
            .is_some_and(|g| matches!(g.state(), GroupState::Stable | GroupState::PreparingRebalance))
        {
            // A commit is as good as a heartbeat.
            self.renew_session(now, &group_id, &request.member_id);
        }
        let expire_timestamp_ms = request.retention_ms.map(|ms| now.wall_ms.saturating_add(ms));
        let max_metadata = self.config.offset_metadata_max_bytes.max(0) as usize;
        let mut records = Vec::new();
        for topic in &mut request.topics {
            for partition in topic.partitions.iter_mut().filter(|p| p.error == ErrorCode::None) {
                if is_too_large(partition.metadata.as_deref().unwrap_or(""), max_metadata) {
                    partition.error = ErrorCode::OffsetMetadataTooLarge;
                }
            }
            let good = topic.partitions.iter().filter(|p| p.error == ErrorCode::None);
            records.extend(good.map(|p| commit_record(&group_id, topic, p, now.wall_ms, expire_timestamp_ms)));
        }
        let reply = GroupReply::OffsetCommit(request.answer(ErrorCode::None));
        self.append(fx, records, Then::Reply { ticket, reply });
    }

    /// Whether the sender may commit for the group.
    fn check_commit(&self, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        let Some(group) = self.classic(&request.group_id) else {
            // Without a generation it comes from a consumer that assigns its partitions itself, or a tool; the group is made by
            // the offsets.
            return match request.generation {
                ..0 => Ok(()),
                _ if request.knows_group_id_not_found => Err(ErrorCode::GroupIdNotFound),
                _ => Err(ErrorCode::IllegalGeneration),
            };
        };
        if request.generation < 0 && group.is(GroupState::Empty) {
            return Ok(());
        }
        if request.generation < 0 && request.member_id.is_empty() && request.instance_id.is_none() {
            // Not while members consume.
            return Err(ErrorCode::UnknownMemberId);
        }
        group.validate_member(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != group.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if group.is(GroupState::CompletingRebalance) {
            // A member of this generation that has not synced yet: what it consumed belongs to the last one.
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    pub(super) fn fetch_offsets(&self, request: OffsetFetchRequest) -> OffsetFetchReply {
        let group_id = request.group_id;
        let unstable = |topic: &str, p: i32| request.require_stable && self.offsets.is_pending(&group_id, topic, p);
        let fetch = |topic: &str, p: i32| match self.offsets.get(&group_id, topic, p) {
            _ if unstable(topic, p) => FetchedPartition::without_offset(p, ErrorCode::UnstableOffsetCommit),
            Some(stored) => fetched(p, stored),
            None => FetchedPartition::without_offset(p, ErrorCode::None),
        };
        let topics = match request.topics {
            Some(topics) => {
                let topic = |FetchTopic { name, topic_id, partitions }: FetchTopic| FetchedTopic {
                    partitions: partitions.into_iter().map(|p| fetch(&name, p)).collect(),
                    name,
                    topic_id,
                };
                topics.into_iter().map(topic).collect()
            }
            None => {
                let topic =
                    |(name, partitions): (&Text, &std::collections::BTreeMap<i32, StoredOffset>)| FetchedTopic {
                        name: name.clone(),
                        topic_id: ottla_base::ids::Uuid::ZERO,
                        partitions: partitions.keys().map(|p| fetch(name, *p)).collect(),
                    };
                self.offsets.of_group(&group_id).map(topic).collect()
            }
        };
        OffsetFetchReply { group_id, error: ErrorCode::None, topics }
    }

    pub(super) fn delete_offsets(&mut self, ticket: Ticket, request: OffsetDeleteRequest, fx: &mut Fx) {
        let refused = match self.classic(&request.group_id) {
            _ if request.group_id.is_empty() => Some(ErrorCode::InvalidGroupId),
            None => Some(ErrorCode::GroupIdNotFound),
            Some(group) if !group.is(GroupState::Empty) && !group.uses_consumer_protocol() => {
                Some(ErrorCode::NonEmptyGroup)
            }
            Some(_) => None,
        };
        if let Some(error) = refused {
            return fx.reply(ticket, GroupReply::OffsetDelete(OffsetDeleteReply { error, topics: Vec::new() }));
        }
        let mut records = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for (topic, partitions) in request.topics {
            let subscribed = self.classic(&request.group_id).is_some_and(|group| group.is_subscribed_to(&topic));
            let error = if subscribed { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
            for partition in partitions.iter().filter(|_| !subscribed) {
                let (group_id, p) = (&request.group_id, *partition);
                if self.offsets.get(group_id, &topic, p).is_some() || self.offsets.is_pending(group_id, &topic, p) {
                    records.push(GroupRecord::offset_tombstone(group_id.clone(), topic.clone(), p));
                }
            }
            topics.push((topic, partitions.into_iter().map(|p| (p, error)).collect()));
        }
        let reply = GroupReply::OffsetDelete(OffsetDeleteReply { error: ErrorCode::None, topics });
        self.append(fx, records, Then::Reply { ticket, reply });
    }
}

/// Kafka counts UTF-16 units, of which there are never more than bytes.
fn is_too_large(metadata: &str, max: usize) -> bool {
    metadata.len() > max && metadata.encode_utf16().count() > max
}

fn commit_record(
    group_id: &Text,
    topic: &CommitTopic,
    partition: &CommitPartition,
    now_ms: i64,
    expire_timestamp_ms: Option<i64>,
) -> GroupRecord {
    let stored = StoredOffset {
        offset: partition.offset,
        leader_epoch: partition.leader_epoch,
        metadata: partition.metadata.clone().unwrap_or_else(|| "".into()),
        commit_timestamp_ms: now_ms,
        expire_timestamp_ms,
        topic_id: topic.topic_id,
        record_offset: -1,
    };
    GroupRecord::Offset {
        group_id: group_id.clone(),
        topic: topic.name.clone(),
        partition: partition.partition,
        stored: Some(stored),
    }
}

fn fetched(partition: i32, stored: &StoredOffset) -> FetchedPartition {
    FetchedPartition {
        partition,
        offset: stored.offset,
        leader_epoch: stored.leader_epoch,
        metadata: stored.metadata.clone(),
        error: ErrorCode::None,
    }
}

impl ClassicGroup {
    /// From when on the retention of an offset counts; `None` while it is kept whatever its age.
    pub(super) fn retention_base_ms(&self, offset: &StoredOffset) -> Option<i64> {
        if self.protocol_type.is_none() {
            // Only ever stored offsets.
            return Some(offset.commit_timestamp_ms);
        }
        match self.state() {
            // Since the last member left.
            GroupState::Empty => Some(self.state_since_ms.unwrap_or(offset.commit_timestamp_ms)),
            GroupState::Stable if self.uses_consumer_protocol() && self.subscribed_topics.is_some() => {
                Some(offset.commit_timestamp_ms)
            }
            _ => None,
        }
    }
}

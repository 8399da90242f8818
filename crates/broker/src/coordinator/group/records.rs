//! The records of `__consumer_offsets`.
//!
//! A key begins with its kind in two bytes: 0 and 1 are a committed offset, 2 is a group; others belong to protocols that we
//! don't serve, and are passed over. A value begins with its version. We write what 3.9 writes: offsets in version 3 (1 where
//! the client said how long to keep them), groups in version 3.

use std::collections::BTreeMap;

use ottla_base::ids::Uuid;
use ottla_protocol::messages::group_metadata_key::GroupMetadataKey;
use ottla_protocol::messages::group_metadata_value::{GroupMetadataValue, MemberMetadata};
use ottla_protocol::messages::offset_commit_key::OffsetCommitKey;
use ottla_protocol::messages::offset_commit_value::OffsetCommitValue;
use ottla_protocol::{ErrorCode, Message, Reader};

use super::classic_group::ClassicGroup;
use super::classic_member::ClassicMember;
use super::messages::{Blob, MemberProtocol, Text};
use crate::coordinator::log::BadRecord;
use crate::coordinator::shard::CoordinatorRecord;

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const GROUP_VALUE_VERSION: i16 = 3;
const OFFSET_VALUE_VERSION: i16 = 3;
const EXPIRING_OFFSET_VALUE_VERSION: i16 = 1;

/// A record of `__consumer_offsets`; `stored: None` is a tombstone.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupRecord {
    Group { group_id: Text, stored: Option<StoredGroup> },
    Offset { group_id: Text, topic: Text, partition: i32, stored: Option<StoredOffset> },
}

/// A group as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredGroup {
    pub protocol_type: Option<Text>,
    pub generation: i32,
    pub protocol: Option<Text>,
    pub leader: Option<Text>,
    /// -1 where unknown.
    pub state_since_ms: i64,
    pub members: Vec<StoredMember>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StoredMember {
    pub member_id: Text,
    pub instance_id: Option<Text>,
    pub client_id: Text,
    pub client_host: Text,
    /// -1 in records of very old brokers.
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// Its metadata for the group's protocol.
    pub subscription: Blob,
    pub assignment: Blob,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq)]
#[doc(alias = "OffsetAndMetadata")]
pub struct StoredOffset {
    pub offset: i64,
    /// -1 where unknown.
    pub leader_epoch: i32,
    pub metadata: Text,
    pub commit_timestamp_ms: i64,
    /// Set where the client said how long to keep it.
    pub expire_timestamp_ms: Option<i64>,
    /// Zero where unknown.
    pub topic_id: Uuid,
    /// Offset of its record, -1 before it has one: of a plain and a transactional commit the later one counts.
    pub record_offset: i64,
}

impl StoredGroup {
    #[must_use]
    pub fn of(group: &ClassicGroup) -> Self {
        Self::with(group, |member| member.assignment.clone())
    }

    fn with(group: &ClassicGroup, assignment: impl Fn(&ClassicMember) -> Blob) -> Self {
        let protocol = group.protocol_name.clone();
        let member = |member: &ClassicMember| StoredMember {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: protocol.as_deref().and_then(|p| member.metadata(p)).cloned().unwrap_or_default(),
            assignment: assignment(member),
        };
        Self {
            protocol_type: group.protocol_type.clone(),
            generation: group.generation,
            protocol: protocol.clone(),
            leader: group.leader.clone(),
            state_since_ms: group.state_since_ms.unwrap_or(-1),
            members: group.members().map(member).collect(),
        }
    }

    /// The group as it is after loading: Stable with its members, or Empty.
    #[must_use]
    pub fn into_group(self, group_id: Text) -> ClassicGroup {
        let mut group = ClassicGroup::new(group_id, self.state_since_ms);
        let protocol_type = self.protocol_type.unwrap_or_else(|| "".into());
        let protocol = self.protocol.clone().unwrap_or_else(|| "".into());
        group.leader = self.leader;
        for member in self.members {
            group.add(ClassicMember {
                member_id: member.member_id,
                instance_id: member.instance_id,
                client_id: member.client_id,
                client_host: member.client_host,
                session_timeout_ms: member.session_timeout_ms,
                rebalance_timeout_ms: match member.rebalance_timeout_ms {
                    -1 => member.session_timeout_ms,
                    known => known,
                },
                protocol_type: protocol_type.clone(),
                protocols: vec![MemberProtocol { name: protocol.clone(), metadata: member.subscription }],
                assignment: member.assignment,
                awaiting_join: None,
                awaiting_sync: None,
                is_new: false,
            });
        }
        group.generation = self.generation;
        group.protocol_type = (!protocol_type.is_empty()).then_some(protocol_type);
        group.protocol_name = self.protocol;
        group.state_since_ms = (self.state_since_ms != -1).then_some(self.state_since_ms);
        group.set_loaded_state();
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    fn to_message(&self) -> GroupMetadataValue<'_> {
        let member = |member: &'_ StoredMember| MemberMetadata {
            member_id: member.member_id.to_string().into(),
            group_instance_id: member.instance_id.as_ref().map(|id| id.to_string().into()),
            client_id: member.client_id.to_string().into(),
            client_host: member.client_host.to_string().into(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.subscription.to_vec().into(),
            assignment: member.assignment.to_vec().into(),
        };
        GroupMetadataValue {
            protocol_type: self.protocol_type.as_deref().unwrap_or("").into(),
            generation: self.generation,
            protocol: self.protocol.as_deref().map(Into::into),
            leader: self.leader.as_deref().map(Into::into),
            current_state_timestamp: self.state_since_ms,
            members: self.members.iter().map(member).collect(),
        }
    }

    fn of_message(value: GroupMetadataValue<'_>) -> Self {
        let member = |member: MemberMetadata<'_>| StoredMember {
            member_id: member.member_id.into(),
            instance_id: member.group_instance_id.map(Into::into),
            client_id: member.client_id.into(),
            client_host: member.client_host.into(),
            rebalance_timeout_ms: member.rebalance_timeout,
            session_timeout_ms: member.session_timeout,
            subscription: member.subscription.into(),
            assignment: member.assignment.into(),
        };
        Self {
            protocol_type: (!value.protocol_type.is_empty()).then(|| value.protocol_type.into()),
            generation: value.generation,
            protocol: value.protocol.map(Into::into),
            leader: value.leader.map(Into::into),
            state_since_ms: value.current_state_timestamp,
            members: value.members.into_iter().map(member).collect(),
        }
    }
}

impl StoredOffset {
    fn to_message(&self) -> (i16, OffsetCommitValue<'_>) {
        let value = OffsetCommitValue {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: (&*self.metadata).into(),
            commit_timestamp: self.commit_timestamp_ms,
            expire_timestamp: self.expire_timestamp_ms.unwrap_or(-1),
            topic_id: Uuid::ZERO,
        };
        let version =
            if self.expire_timestamp_ms.is_some() { EXPIRING_OFFSET_VALUE_VERSION } else { OFFSET_VALUE_VERSION };
        (version, value)
    }

    fn of_message(value: OffsetCommitValue<'_>) -> Self {
        Self {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.into(),
            commit_timestamp_ms: value.commit_timestamp,
            expire_timestamp_ms: (value.expire_timestamp != -1).then_some(value.expire_timestamp),
            topic_id: value.topic_id,
            record_offset: -1,
        }
    }
}

impl GroupRecord {
    /// The group as it is.
    #[must_use]
    pub fn of(group: &ClassicGroup) -> Self {
        Self::Group { group_id: group.id.clone(), stored: Some(StoredGroup::of(group)) }
    }

    /// The group as it will be with these assignments.
    #[must_use]
    pub fn with_assignments(group: &ClassicGroup, assignments: &BTreeMap<Text, Blob>) -> Self {
        let stored = StoredGroup::with(group, |member| assignments.get(&member.member_id).cloned().unwrap_or_default());
        Self::Group { group_id: group.id.clone(), stored: Some(stored) }
    }

    #[must_use]
    pub fn group_tombstone(group_id: Text) -> Self {
        Self::Group { group_id, stored: None }
    }

    #[must_use]
    pub fn offset_tombstone(group_id: Text, topic: Text, partition: i32) -> Self {
        Self::Offset { group_id, topic, partition, stored: None }
    }
}

/// The record key's or value's bytes. Its strings came in by requests, whose strings are no longer than a record's can be.
fn bytes<'a>(version: i16, message: &impl Message<'a>, kind: Option<i16>) -> Vec<u8> {
    let body = message.to_bytes(version).expect("strings of requests fit into records");
    let mut bytes = Vec::with_capacity(body.len() + 2);
    bytes.extend_from_slice(&kind.unwrap_or(version).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

impl CoordinatorRecord for GroupRecord {
    fn key(&self) -> Vec<u8> {
        match self {
            Self::Group { group_id, .. } => {
                bytes(0, &GroupMetadataKey { group: (&**group_id).into() }, Some(GROUP_KEY))
            }
            Self::Offset { group_id, topic, partition, .. } => {
                let key =
                    OffsetCommitKey { group: (&**group_id).into(), topic: (&**topic).into(), partition: *partition };
                bytes(0, &key, Some(OFFSET_KEY))
            }
        }
    }

    fn value(&self) -> Option<Vec<u8>> {
        match self {
            Self::Group { stored, .. } => {
                stored.as_ref().map(|group| bytes(GROUP_VALUE_VERSION, &group.to_message(), None))
            }
            Self::Offset { stored, .. } => stored.as_ref().map(|offset| {
                let (version, value) = offset.to_message();
                bytes(version, &value, None)
            }),
        }
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self>, BadRecord> {
        let bad = |error: ottla_protocol::DecodeError| BadRecord(error.to_string());
        let mut key = Reader::new(key);
        match key.i16().map_err(bad)? {
            0 | OFFSET_KEY => {
                let key = OffsetCommitKey::decode(&mut key, 0).map_err(bad)?;
                let stored = match value.map(Reader::new) {
                    Some(mut value) => {
                        let version = value.i16().map_err(bad)?;
                        let value = OffsetCommitValue::decode(&mut value, version).map_err(bad)?;
                        Some(StoredOffset::of_message(value))
                    }
                    None => None,
                };
                let (group_id, topic) = (key.group.into(), key.topic.into());
                Ok(Some(Self::Offset { group_id, topic, partition: key.partition, stored }))
            }
            GROUP_KEY => {
                let key = GroupMetadataKey::decode(&mut key, 0).map_err(bad)?;
                let stored = match value.map(Reader::new) {
                    Some(mut value) => {
                        let version = value.i16().map_err(bad)?;
                        let value = GroupMetadataValue::decode(&mut value, version).map_err(bad)?;
                        Some(StoredGroup::of_message(value))
                    }
                    None => None,
                };
                Ok(Some(Self::Group { group_id: key.group.into(), stored }))
            }
            _ => Ok(None),
        }
    }
}

/// What a client is told when its records could not be stored: codes that it knows what to do about.
#[doc(alias = "appendGroupMetadataErrorToResponseError")]
#[must_use]
pub fn storage_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}

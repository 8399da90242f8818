//! Requests and replies of the group coordinator, free of protocol versions: handlers translate.

use std::sync::Arc;

use ottla_base::ids::Uuid;
use ottla_protocol::ErrorCode;

pub type Text = Arc<str>;
pub type Blob = Arc<[u8]>;

/// A request that one shard can decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRequest {
    Join(JoinRequest),
    Sync(SyncRequest),
    Heartbeat(HeartbeatRequest),
    Leave(LeaveRequest),
    OffsetCommit(OffsetCommitRequest),
    OffsetFetch(OffsetFetchRequest),
    OffsetDelete(OffsetDeleteRequest),
    /// The groups of this shard to delete.
    DeleteGroups(Vec<Text>),
    /// Topics that are gone: their offsets go too.
    TopicsDeleted(Vec<Text>),
}

/// The answer to the [`GroupRequest`] of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupReply {
    Join(JoinReply),
    Sync(SyncReply),
    Heartbeat(ErrorCode),
    Leave(LeaveReply),
    OffsetCommit(Vec<CommittedTopic>),
    OffsetFetch(OffsetFetchReply),
    OffsetDelete(OffsetDeleteReply),
    DeleteGroups(Vec<(Text, ErrorCode)>),
    TopicsDeleted(ErrorCode),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    pub group_id: Text,
    /// Empty on the first try.
    pub member_id: Text,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance_id: Option<Text>,
    pub client_id: Text,
    pub client_host: Text,
    /// `consumer`, `connect`, …
    pub protocol_type: Text,
    /// In the member's order of preference, without repetition.
    pub protocols: Vec<MemberProtocol>,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    /// Why the client says it joins (KIP-800).
    pub reason: Option<Text>,
    /// Whether a new dynamic member is sent back for a second try with its id (KIP-394: version 4 and up).
    pub requires_known_member_id: bool,
    /// Whether a returning static leader can be told to skip the assignment (KIP-814: version 9 and up).
    pub supports_skipping_assignment: bool,
}

/// An assignment protocol that a member supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberProtocol {
    pub name: Text,
    pub metadata: Blob,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinReply {
    pub error: ErrorCode,
    /// -1 with an error.
    pub generation: i32,
    pub protocol_type: Option<Text>,
    pub protocol_name: Option<Text>,
    /// Empty with an error.
    pub leader: Text,
    pub skip_assignment: bool,
    pub member_id: Text,
    /// All members, for the leader only.
    pub members: Vec<JoinedMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    pub member_id: Text,
    pub instance_id: Option<Text>,
    pub metadata: Blob,
}

impl JoinReply {
    #[must_use]
    pub fn error(member_id: impl Into<Text>, error: ErrorCode) -> Self {
        Self {
            error,
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: "".into(),
            skip_assignment: false,
            member_id: member_id.into(),
            members: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRequest {
    pub group_id: Text,
    pub generation: i32,
    pub member_id: Text,
    pub instance_id: Option<Text>,
    pub protocol_type: Option<Text>,
    pub protocol_name: Option<Text>,
    /// By member id; only the leader's count.
    pub assignments: Vec<(Text, Blob)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncReply {
    pub error: ErrorCode,
    pub protocol_type: Option<Text>,
    pub protocol_name: Option<Text>,
    pub assignment: Blob,
}

impl SyncReply {
    #[must_use]
    pub fn error(error: ErrorCode) -> Self {
        Self { error, protocol_type: None, protocol_name: None, assignment: Blob::default() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatRequest {
    pub group_id: Text,
    pub generation: i32,
    pub member_id: Text,
    pub instance_id: Option<Text>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveRequest {
    pub group_id: Text,
    pub members: Vec<LeavingMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavingMember {
    /// Empty when an administrator removes a static member.
    pub member_id: Text,
    pub instance_id: Option<Text>,
    pub reason: Option<Text>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveReply {
    /// Of the whole request.
    pub error: ErrorCode,
    pub members: Vec<LeftMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMember {
    pub member_id: Text,
    pub instance_id: Option<Text>,
    pub error: ErrorCode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommitRequest {
    pub group_id: Text,
    /// Empty from a consumer that manages its partitions itself.
    pub member_id: Text,
    pub instance_id: Option<Text>,
    /// -1 from a consumer that manages its partitions itself.
    pub generation: i32,
    /// How long the offsets shall be kept (versions 2 to 4).
    pub retention_ms: Option<i64>,
    /// Which error a generation of an unknown group gets: GROUP_ID_NOT_FOUND from version 9, ILLEGAL_GENERATION before.
    pub knows_group_id_not_found: bool,
    pub topics: Vec<CommitTopic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitTopic {
    pub name: Text,
    /// Zero where unknown.
    pub topic_id: Uuid,
    pub partitions: Vec<CommitPartition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPartition {
    pub partition: i32,
    pub offset: i64,
    /// -1 where unknown.
    pub leader_epoch: i32,
    pub metadata: Option<Text>,
    /// Set by the handler for partitions that don't exist; those are answered, not committed.
    pub error: ErrorCode,
}

/// A topic's partitions with the outcome of each, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedTopic {
    pub name: Text,
    pub topic_id: Uuid,
    pub partitions: Vec<(i32, ErrorCode)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetFetchRequest {
    pub group_id: Text,
    /// Of a member of a KIP-848 group; of no meaning to a classic one.
    pub member_id: Option<Text>,
    pub member_epoch: i32,
    /// `None` for all that have offsets.
    pub topics: Option<Vec<FetchTopic>>,
    /// Whether offsets of open transactions are told by UNSTABLE_OFFSET_COMMIT (KIP-447).
    pub require_stable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    pub name: Text,
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetFetchReply {
    pub group_id: Text,
    pub error: ErrorCode,
    pub topics: Vec<FetchedTopic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedTopic {
    pub name: Text,
    pub topic_id: Uuid,
    pub partitions: Vec<FetchedPartition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedPartition {
    pub partition: i32,
    /// -1 where none is committed.
    pub offset: i64,
    /// -1 where unknown.
    pub leader_epoch: i32,
    pub metadata: Text,
    pub error: ErrorCode,
}

impl FetchedPartition {
    #[must_use]
    pub fn without_offset(partition: i32, error: ErrorCode) -> Self {
        Self { partition, offset: -1, leader_epoch: -1, metadata: "".into(), error }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetDeleteRequest {
    pub group_id: Text,
    pub topics: Vec<(Text, Vec<i32>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetDeleteReply {
    /// Of the whole request.
    pub error: ErrorCode,
    pub topics: Vec<(Text, Vec<(i32, ErrorCode)>)>,
}

/// A line of ListGroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    pub group_id: Text,
    pub protocol_type: Text,
    pub state: &'static str,
    pub kind: &'static str,
}

/// A group as DescribeGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    pub error: ErrorCode,
    pub error_message: Option<String>,
    pub group_id: Text,
    pub state: &'static str,
    pub protocol_type: Text,
    pub protocol_data: Text,
    pub members: Vec<DescribedMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    pub member_id: Text,
    pub instance_id: Option<Text>,
    pub client_id: Text,
    pub client_host: Text,
    pub metadata: Blob,
    pub assignment: Blob,
}

impl OffsetCommitRequest {
    /// The answer when all partitions that could be committed get this error.
    #[must_use]
    pub fn answer(&self, error: ErrorCode) -> Vec<CommittedTopic> {
        let outcome = |p: &CommitPartition| (p.partition, if p.error == ErrorCode::None { error } else { p.error });
        let topic = |topic: &CommitTopic| CommittedTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: topic.partitions.iter().map(outcome).collect(),
        };
        self.topics.iter().map(topic).collect()
    }
}

impl GroupRequest {
    /// The answer when the whole request meets this error.
    #[must_use]
    pub fn failed(&self, error: ErrorCode) -> GroupReply {
        match self {
            Self::Join(request) => GroupReply::Join(JoinReply::error(request.member_id.clone(), error)),
            Self::Sync(_) => GroupReply::Sync(SyncReply::error(error)),
            Self::Heartbeat(_) => GroupReply::Heartbeat(error),
            Self::Leave(_) => GroupReply::Leave(LeaveReply { error, members: Vec::new() }),
            Self::OffsetCommit(request) => GroupReply::OffsetCommit(request.answer(error)),
            Self::OffsetFetch(request) => {
                let group_id = request.group_id.clone();
                GroupReply::OffsetFetch(OffsetFetchReply { group_id, error, topics: Vec::new() })
            }
            Self::OffsetDelete(_) => GroupReply::OffsetDelete(OffsetDeleteReply { error, topics: Vec::new() }),
            Self::DeleteGroups(ids) => GroupReply::DeleteGroups(ids.iter().map(|id| (id.clone(), error)).collect()),
            Self::TopicsDeleted(_) => GroupReply::TopicsDeleted(error),
        }
    }
}

impl GroupReply {
    /// This answer, had the records it rests on not been stored.
    #[must_use]
    pub fn failed(self, error: ErrorCode) -> Self {
        let or_error = |kept: ErrorCode| if kept == ErrorCode::None { error } else { kept };
        match self {
            Self::Join(reply) => Self::Join(JoinReply::error(reply.member_id, error)),
            Self::Sync(_) => Self::Sync(SyncReply::error(error)),
            Self::Heartbeat(_) => Self::Heartbeat(error),
            Self::Leave(_) => Self::Leave(LeaveReply { error, members: Vec::new() }),
            Self::OffsetCommit(mut topics) => {
                topics.iter_mut().flat_map(|topic| &mut topic.partitions).for_each(|p| p.1 = or_error(p.1));
                Self::OffsetCommit(topics)
            }
            Self::OffsetFetch(reply) => {
                let error = match error {
                    // Consumers before 3.9 don't try again on this one; the other sends them to look for the coordinator.
                    ErrorCode::CoordinatorNotAvailable => ErrorCode::NotCoordinator,
                    other => other,
                };
                Self::OffsetFetch(OffsetFetchReply { group_id: reply.group_id, error, topics: Vec::new() })
            }
            Self::OffsetDelete(_) => Self::OffsetDelete(OffsetDeleteReply { error, topics: Vec::new() }),
            Self::DeleteGroups(mut groups) => {
                groups.iter_mut().for_each(|group| group.1 = or_error(group.1));
                Self::DeleteGroups(groups)
            }
            Self::TopicsDeleted(_) => Self::TopicsDeleted(error),
        }
    }
}

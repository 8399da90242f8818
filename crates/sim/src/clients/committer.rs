//! Commits offsets for a group without members, and asks what it has committed.

use ottla_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_commit_response::OffsetCommitResponse;
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::offset_fetch_response::OffsetFetchResponse;
use ottla_protocol::{ErrorCode, Message};

use super::{Call, Client, Context, Outcome, version};
use crate::model::Check;
use crate::model::commits::Key;
use crate::model::topics::NAMES;

/// The topic of which offsets are committed.
pub const TOPIC: &str = NAMES[0].0;

#[derive(Clone, Debug)]
enum Doing {
    Find,
    Commit(i64),
    Fetch,
}

/// A client that commits.
#[derive(Debug)]
pub struct Committer {
    key: Key,
    found: bool,
    doing: Option<Doing>,
    /// Commits that were acknowledged.
    pub acked: u64,
}

impl Committer {
    #[must_use]
    pub fn new(group: &str, partition: i32) -> Self {
        Self { key: (group.to_owned(), TOPIC, partition), found: false, doing: None, acked: 0 }
    }
}

/// A commit of the key's next offset.
pub(super) fn commit(cx: &mut Context<'_>, key: &Key, member: &str, generation: i32) -> (Call, i64) {
    let offset = cx.model.commits.next(key);
    let (group, topic, partition) = key;
    let partition = OffsetCommitRequestPartition {
        partition_index: *partition,
        committed_offset: offset,
        committed_leader_epoch: -1,
        committed_metadata: Some(format!("m{offset}").into()),
        ..OffsetCommitRequestPartition::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: (*topic).into(),
        partitions: vec![partition],
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: group.as_str().into(),
        generation_id_or_member_epoch: generation,
        member_id: member.into(),
        retention_time_ms: -1,
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    };
    let version = version(cx.random, 2, 9);
    (Call::new(&request, version), offset)
}

/// The error of the only partition.
pub(super) fn commit_error(body: &[u8], version: i16) -> Result<i16, String> {
    let response = OffsetCommitResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
    let answer = response.topics.first().and_then(|topic| topic.partitions.first());
    answer.map(|answer| answer.error_code).ok_or_else(|| "an answer to a commit without its partition".to_owned())
}

/// A fetch of the key's committed offset.
pub(super) fn fetch(cx: &mut Context<'_>, key: &Key) -> Call {
    let (group, topic, partition) = key;
    let version = version(cx.random, 1, 9);
    let mut request = OffsetFetchRequest::default();
    if version >= 8 {
        let topic = OffsetFetchRequestTopics {
            name: (*topic).into(),
            partition_indexes: vec![*partition],
            ..OffsetFetchRequestTopics::default()
        };
        let group = OffsetFetchRequestGroup {
            group_id: group.as_str().into(),
            member_epoch: -1,
            topics: Some(vec![topic]),
            ..OffsetFetchRequestGroup::default()
        };
        request.groups = vec![group];
    } else {
        request.group_id = group.as_str().into();
        request.topics =
            Some(vec![OffsetFetchRequestTopic { name: (*topic).into(), partition_indexes: vec![*partition] }]);
    }
    Call::new(&request, version)
}

/// Compares what was told; false when the coordinator is not there.
pub(super) fn fetched(cx: &mut Context<'_>, key: &Key, body: &[u8], version: i16) -> Result<bool, String> {
    let response = OffsetFetchResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
    let answer = if version >= 8 {
        let group = response.groups.first().ok_or("an answer without its group")?;
        let partition = group.topics.first().and_then(|topic| topic.partitions.first());
        partition.map(|p| (group.error_code.max(p.error_code), p.committed_offset, p.metadata.clone()))
    } else {
        let partition = response.topics.first().and_then(|topic| topic.partitions.first());
        partition.map(|p| (response.error_code.max(p.error_code), p.committed_offset, p.metadata.clone()))
    };
    let Some((0, offset, metadata)) = answer else { return Ok(false) };
    let expected = if offset == -1 { String::new() } else { format!("m{offset}") };
    if metadata.as_deref().unwrap_or_default() != expected {
        return Err(format!("{key:?} has offset {offset} with metadata {metadata:?}"));
    }
    cx.model.commits.fetched(key, offset)?;
    Ok(true)
}

impl Client for Committer {
    fn call(&mut self, cx: &mut Context<'_>) -> Option<Call> {
        let (_, topic, partition) = &self.key;
        let topic = cx.model.topics.get(topic);
        if topic.partitions.len() <= *partition as usize || topic.id.is_none() {
            return None;
        }
        if !self.found {
            self.doing = Some(Doing::Find);
            let request =
                FindCoordinatorRequest { key: self.key.0.as_str().into(), ..FindCoordinatorRequest::default() };
            let version = version(cx.random, 0, 3);
            return Some(Call::new(&request, version));
        }
        if cx.random.chance(300_000) {
            self.doing = Some(Doing::Fetch);
            return Some(fetch(cx, &self.key));
        }
        let (call, offset) = commit(cx, &self.key, "", -1);
        self.doing = Some(Doing::Commit(offset));
        Some(call)
    }

    fn outcome(&mut self, cx: &mut Context<'_>, outcome: Outcome<'_>) -> Check {
        let doing = self.doing.take();
        let (body, version) = match outcome {
            Outcome::Body(body, version) => (body, version),
            Outcome::Lost => return Ok(()),
            Outcome::Refused => return Err(format!("the broker closed a group's connection: {doing:?}")),
        };
        match doing {
            Some(Doing::Commit(offset)) => match ErrorCode::from_code(commit_error(body, version)?) {
                ErrorCode::None => {
                    self.acked += 1;
                    cx.model.commits.acked(&self.key, offset);
                }
                ErrorCode::NotCoordinator
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::UnknownTopicOrPartition
                | ErrorCode::UnknownServerError
                | ErrorCode::KafkaStorageError => self.found = false,
                other => return Err(format!("a commit of {:?} was answered by {other:?}", self.key)),
            },
            Some(Doing::Fetch) => {
                self.found = fetched(cx, &self.key, body, version)?;
            }
            Some(Doing::Find) => self.found = true,
            None => {}
        }
        Ok(())
    }
}

//! CreatePartitions: more partitions for topics that are there.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ottla_keeper::ops::{KeeperOp, KeeperReply, KeeperResult};
use ottla_protocol::messages::create_partitions_request::CreatePartitionsRequest;
use ottla_protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};
use ottla_protocol::{DecodeError, ErrorCode, Message};

use super::assignment::{Start, assign_replicas};
use super::create_topics::MAX_NEW_PARTITIONS;
use super::{AdminStep, MAX_ZNODE_BYTES, Refusal, Waiting};
use crate::control_plane::ControlPlane;
use crate::lifecycle::{get, is_fenced};
use crate::reply::Responder;
use crate::znodes::{self, ReplicaAssignment, TopicAssignment};

/// One topic of the request.
#[derive(Debug)]
struct Extension {
    name: String,
    count: i32,
    manual: Option<Vec<Vec<i32>>>,
    refusal: Option<Refusal>,
    /// What is being written.
    planned: Option<TopicAssignment>,
}

/// A CreatePartitions under way.
#[derive(Debug)]
pub(crate) struct CreatePartitions {
    responder: Responder,
    timeout_ms: i32,
    validate_only: bool,
    topics: Vec<Extension>,
}

impl CreatePartitions {
    pub fn decode(version: i16, body: &[u8], responder: Responder) -> Result<Self, (DecodeError, Responder)> {
        let request = match CreatePartitionsRequest::from_bytes(body, version) {
            Ok(request) => request,
            Err(error) => return Err((error, responder)),
        };
        let topics = request.topics.iter().map(|topic| Extension {
            name: topic.name.to_string(),
            count: topic.count,
            manual: topic.assignments.as_ref().map(|list| list.iter().map(|a| a.broker_ids.clone()).collect()),
            refusal: None,
            planned: None,
        });
        let topics = topics.collect();
        Ok(Self { topics, timeout_ms: request.timeout_ms, validate_only: request.validate_only, responder })
    }

    pub fn refuse(mut self, refusal: Refusal) {
        for topic in &mut self.topics {
            topic.refusal = Some(refusal.clone());
        }
        self.send();
    }

    fn send(self) {
        let result = |topic: &Extension| {
            let (code, message) = topic.refusal.clone().unzip();
            CreatePartitionsTopicResult {
                name: Cow::Owned(topic.name.clone()),
                error_code: code.unwrap_or_default() as i16,
                error_message: message.map(Cow::Owned),
            }
        };
        let results = self.topics.iter().map(result).collect();
        self.responder.send(&CreatePartitionsResponse { throttle_time_ms: 0, results });
    }
}

impl ControlPlane {
    pub(crate) fn create_partitions(&mut self, mut request: CreatePartitions) {
        if !self.controller.is_active() {
            return request.refuse((ErrorCode::NotController, "This broker is not the controller.".to_owned()));
        }
        let mut count: BTreeMap<String, u32> = BTreeMap::new();
        for topic in &request.topics {
            *count.entry(topic.name.clone()).or_default() += 1;
        }
        for topic in &mut request.topics {
            let known = self.controller.context.topics.get(topic.name.as_str());
            topic.refusal = if count[&topic.name] > 1 {
                Some((ErrorCode::InvalidRequest, "Duplicate topic in request.".to_owned()))
            } else if known.is_none_or(|known| known.is_deleting) {
                Some((ErrorCode::UnknownTopicOrPartition, format!("The topic '{}' does not exist.", topic.name)))
            } else {
                None
            };
        }
        self.read_assignments(request);
    }

    fn read_assignments(&mut self, request: CreatePartitions) {
        let open = request.topics.iter().filter(|topic| topic.refusal.is_none() && topic.planned.is_none());
        let ops: Vec<KeeperOp> = open.map(|topic| get(znodes::topic(&topic.name), false)).collect();
        if ops.is_empty() {
            let timeout_ms = if request.validate_only { 0 } else { request.timeout_ms };
            return self.wait(timeout_ms, Waiting::CreatePartitions(request));
        }
        self.admin_keeper(ops, AdminStep::ExtendTopics(request));
    }

    pub(crate) fn on_assignments_read(&mut self, mut request: CreatePartitions, results: &[KeeperResult]) {
        let mut ops = Vec::new();
        let open = request.topics.iter_mut().filter(|topic| topic.refusal.is_none() && topic.planned.is_none());
        for (topic, result) in open.zip(results) {
            match self.extend(topic, result) {
                Ok((planned, version)) => {
                    let (path, data) = (znodes::topic(&topic.name), Some(planned.encode()));
                    ops.push(KeeperOp::Multi(vec![self.check_epoch(), KeeperOp::SetData { path, data, version }]));
                    topic.planned = Some(planned);
                }
                Err(refusal) => topic.refusal = Some(refusal),
            }
        }
        if request.validate_only || ops.is_empty() {
            return self.wait(0, Waiting::CreatePartitions(request));
        }
        self.admin_keeper(ops, AdminStep::TopicsExtended(request));
    }

    fn extend(&self, topic: &Extension, read: &KeeperResult) -> Result<(TopicAssignment, i32), Refusal> {
        let Ok(KeeperReply::Data { data, stat }) = read else {
            return Err((ErrorCode::UnknownTopicOrPartition, format!("The topic '{}' does not exist.", topic.name)));
        };
        let mut assignment = TopicAssignment::decode(data.as_deref().unwrap_or_default())
            .map_err(|error| (ErrorCode::UnknownServerError, error.to_string()))?;
        let before = assignment.partitions.len() as i32;
        if assignment.partitions.values().any(|p| !p.adding.is_empty() || !p.removing.is_empty()) {
            let message = format!("A partition reassignment is in progress for the topic '{}'.", topic.name);
            return Err((ErrorCode::ReassignmentInProgress, message));
        }
        let more = topic.count - before;
        if more <= 0 {
            let message = if more == 0 {
                format!("Topic already has {before} partitions.")
            } else {
                format!("Topic currently has {before} partitions, which is higher than the requested {}.", topic.count)
            };
            return Err((ErrorCode::InvalidPartitions, message));
        }
        if i64::from(more) > MAX_NEW_PARTITIONS {
            let message = format!("Excessively large number of partitions per request: {more}");
            return Err((ErrorCode::PolicyViolation, message));
        }
        let added = self.new_replicas(topic, &assignment, before, more)?;
        for (index, replicas) in (before..).zip(added) {
            assignment.partitions.insert(index, ReplicaAssignment { replicas, ..ReplicaAssignment::default() });
        }
        if assignment.encode().len() > MAX_ZNODE_BYTES {
            let message = format!("Topic '{}' would be too large for the keeper.", topic.name);
            return Err((ErrorCode::PolicyViolation, message));
        }
        Ok((assignment, stat.version))
    }

    /// As many replicas as the first partition has, going on where the topic's assignment began.
    fn new_replicas(
        &self,
        topic: &Extension,
        there: &TopicAssignment,
        before: i32,
        more: i32,
    ) -> Result<Vec<Vec<i32>>, Refusal> {
        let first = there.partitions.values().next().map_or(&[][..], |p| p.replicas.as_slice());
        let refuse = |message: String| Err((ErrorCode::InvalidReplicaAssignment, message));
        if let Some(manual) = &topic.manual {
            if manual.len() != more as usize {
                let message =
                    format!("Increasing the number of partitions by {more} but {} assignments provided.", manual.len());
                return refuse(message);
            }
            for (index, replicas) in (before..).zip(manual) {
                self.check_replicas(index, replicas)?;
                if replicas.len() != first.len() {
                    return refuse(format!(
                        "Inconsistent replication factor: partition {index} has {} replicas, the topic has {}.",
                        replicas.len(),
                        first.len()
                    ));
                }
            }
            return Ok(manual.clone());
        }
        let brokers = self.live_brokers();
        if first.is_empty() || first.len() > brokers.len() {
            let message =
                format!("Replication factor: {} larger than available brokers: {}.", first.len(), brokers.len());
            return Err((ErrorCode::InvalidReplicationFactor, message));
        }
        let broker = brokers.iter().position(|broker| broker.id >= first[0]).unwrap_or(0);
        Ok(assign_replicas(&brokers, more, first.len(), Start { broker, shift: broker, partition: before }))
    }

    pub(crate) fn on_assignments_written(
        &mut self,
        mut request: CreatePartitions,
        results: &[KeeperResult],
        retried: bool,
    ) {
        let open = request.topics.iter_mut().filter(|topic| topic.refusal.is_none() && topic.planned.is_some());
        for (topic, result) in open.zip(results) {
            match result {
                Ok(_) => {}
                Err(error) if is_fenced(error) => {
                    topic.refusal = Some((ErrorCode::NotController, "Another broker is the controller.".to_owned()));
                }
                // Our own write, sent twice; the controller will find it. If it was somebody else's, the wait will tell.
                Err(error) if error.is_bad_version() && retried => {}
                Err(error) => {
                    topic.refusal = Some((
                        ErrorCode::UnknownServerError,
                        format!("The topic changed meanwhile, try again: {error:?}"),
                    ));
                }
            }
        }
        let timeout_ms = request.timeout_ms;
        self.wait(timeout_ms, Waiting::CreatePartitions(request));
    }

    pub(super) fn partitions_are_created(&self, request: &CreatePartitions) -> bool {
        request.topics.iter().all(|topic| topic.refusal.is_some() || self.is_extended(topic))
    }

    fn is_extended(&self, topic: &Extension) -> bool {
        let known = self.controller.context.topics.get(topic.name.as_str());
        known.is_some_and(|known| known.partitions.len() as i32 >= topic.count) && self.is_served_here(&topic.name)
    }

    pub(super) fn answer_create_partitions(&self, mut request: CreatePartitions) {
        let validate_only = request.validate_only;
        for topic in request.topics.iter_mut().filter(|topic| topic.refusal.is_none()) {
            if !validate_only && !self.is_extended(topic) {
                topic.refusal = Some((ErrorCode::RequestTimedOut, ErrorCode::RequestTimedOut.message().to_owned()));
            }
        }
        request.send();
    }
}

//! CreateTopics, and topics that other parts of the broker need.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ottla_base::ids::Uuid;
use ottla_keeper::ops::{KeeperError, KeeperOp, KeeperReply, KeeperResult};
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use ottla_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use ottla_protocol::{DecodeError, ErrorCode, Message};

use super::assignment::{BrokerRack, Start, assign_replicas};
use super::describe_configs::topic_entries;
use super::{AdminStep, MAX_ZNODE_BYTES, Refusal, Waiting, topic_name};
use crate::config::{ConfigMap, topic_config};
use crate::control::LocalDone;
use crate::control_plane::ControlPlane;
use crate::coordinator::internal_topics::{CONSUMER_OFFSETS, TRANSACTION_STATE};
use crate::lifecycle::{create, data_of, get};
use crate::reply::Responder;
use crate::znodes::{self, ReplicaAssignment, TopicAssignment};

/// Most partitions that one request may ask for, as in Kafka 4 (`MAX_PARTITIONS_PER_BATCH`): each costs znodes and files.
pub(super) const MAX_NEW_PARTITIONS: i64 = 10_000;
/// How long another part of this broker waits for a topic that it asked for.
const LOCAL_TIMEOUT_MS: i32 = 30_000;

/// Who asked.
#[derive(Debug)]
enum Asker {
    Client { responder: Responder, validate_only: bool },
    Local(Option<LocalDone>),
}

/// What was asked for one topic.
#[derive(Debug, Default)]
struct Wish {
    name: String,
    partitions: i32,
    replication_factor: i16,
    /// Replicas of each partition, when the client chose them.
    manual: Vec<(i32, Vec<i32>)>,
    configs: Vec<(String, Option<String>)>,
}

/// How a topic is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Fresh,
    /// Settings of a topic of old are in the way: they are replaced.
    OverOldConfig,
    /// A write was sent twice: is the topic there ours?
    Check,
}

/// A topic of the request and what has become of it.
#[derive(Debug)]
struct Outcome {
    name: String,
    result: Result<NewTopic, Refusal>,
}

#[derive(Debug)]
struct NewTopic {
    assignment: TopicAssignment,
    configs: ConfigMap,
}

/// A CreateTopics under way.
#[derive(Debug)]
pub(crate) struct CreateTopics {
    asker: Asker,
    timeout_ms: i32,
    wishes: Vec<Wish>,
    outcomes: Vec<Outcome>,
    pending: Vec<(usize, Attempt)>,
}

impl CreateTopics {
    pub fn decode(version: i16, body: &[u8], responder: Responder) -> Result<Self, (DecodeError, Responder)> {
        match CreateTopicsRequest::from_bytes(body, version) {
            Err(error) => Err((error, responder)),
            Ok(request) => Ok(Self {
                wishes: request.topics.iter().map(Wish::from_request).collect(),
                timeout_ms: request.timeout_ms,
                asker: Asker::Client { responder, validate_only: request.validate_only },
                outcomes: Vec::new(),
                pending: Vec::new(),
            }),
        }
    }

    fn validate_only(&self) -> bool {
        matches!(self.asker, Asker::Client { validate_only: true, .. })
    }

    /// The same error for every topic.
    pub fn refuse(self, refusal: Refusal) {
        let names: Vec<String> = if self.outcomes.is_empty() {
            self.wishes.iter().map(|wish| wish.name.clone()).collect()
        } else {
            self.outcomes.iter().map(|outcome| outcome.name.clone()).collect()
        };
        match self.asker {
            Asker::Local(Some(done)) => (done.0)(Err(refusal.0)),
            Asker::Local(None) => {}
            Asker::Client { responder, .. } => {
                let topics = names.iter().map(|name| refused(name, &refusal)).collect();
                responder.send(&CreateTopicsResponse { throttle_time_ms: 0, topics });
            }
        }
    }
}

impl Wish {
    fn from_request(topic: &CreatableTopic<'_>) -> Self {
        let config = |c: &ottla_protocol::messages::create_topics_request::CreatableTopicConfig<'_>| {
            (c.name.to_string(), c.value.as_deref().map(str::to_owned))
        };
        Self {
            name: topic.name.to_string(),
            partitions: topic.num_partitions,
            replication_factor: topic.replication_factor,
            manual: topic.assignments.iter().map(|a| (a.partition_index, a.broker_ids.clone())).collect(),
            configs: topic.configs.iter().map(config).collect(),
        }
    }
}

fn refused<'a>(name: &'a str, (code, message): &'a Refusal) -> CreatableTopicResult<'a> {
    CreatableTopicResult {
        name: Cow::Borrowed(name),
        error_code: *code as i16,
        error_message: Some(Cow::Borrowed(message)),
        ..CreatableTopicResult::default()
    }
}

impl ControlPlane {
    pub(crate) fn create_topics(&mut self, mut request: CreateTopics) {
        if !self.controller.is_active() {
            return request.refuse((ErrorCode::NotController, "This broker is not the controller.".to_owned()));
        }
        let wishes = std::mem::take(&mut request.wishes);
        let mut count = BTreeMap::new();
        for wish in &wishes {
            *count.entry(wish.name.clone()).or_insert(0) += 1;
        }
        let mut accepted: BTreeSet<String> = BTreeSet::new();
        let mut partitions_left = MAX_NEW_PARTITIONS;
        for wish in wishes {
            if count[&wish.name] > 1 {
                if accepted.insert(wish.name.clone()) {
                    let refusal = (ErrorCode::InvalidRequest, "Found multiple entries for this topic.".to_owned());
                    request.outcomes.push(Outcome { name: wish.name, result: Err(refusal) });
                }
                continue;
            }
            let result = self.plan_topic(&wish, &accepted, &mut partitions_left);
            if result.is_ok() {
                accepted.insert(wish.name.clone());
                request.pending.push((request.outcomes.len(), Attempt::Fresh));
            }
            request.outcomes.push(Outcome { name: wish.name, result });
        }
        if request.validate_only() {
            return self.answer_create_topics(request);
        }
        self.write_topics(request);
    }

    pub(super) fn live_brokers(&self) -> Vec<BrokerRack> {
        let brokers = self.controller.context.brokers.iter();
        brokers.map(|(id, broker)| BrokerRack { id: *id, rack: broker.registration.rack.clone() }).collect()
    }

    fn plan_topic(&mut self, wish: &Wish, others: &BTreeSet<String>, left: &mut i64) -> Result<NewTopic, Refusal> {
        self.check_name(&wish.name, others)?;
        let nulls: Vec<&str> =
            wish.configs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
        if !nulls.is_empty() {
            let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
            return Err((ErrorCode::InvalidConfig, message));
        }
        let configs: ConfigMap = wish.configs.iter().filter_map(|(n, v)| Some((n.clone(), v.clone()?))).collect();
        let partitions = if wish.manual.is_empty() { self.assign(wish)? } else { self.check_manual(wish)? };
        *left -= partitions.len() as i64;
        if *left < 0 {
            let message = format!("Excessively large number of partitions per request: more than {MAX_NEW_PARTITIONS}");
            return Err((ErrorCode::PolicyViolation, message));
        }
        topic_config::validate(&configs, &self.shared.broker().layers)
            .map_err(|error| (ErrorCode::InvalidConfig, error.to_string()))?;
        let replicas = |replicas| ReplicaAssignment { replicas, ..ReplicaAssignment::default() };
        let partitions = partitions.into_iter().map(|(index, ids)| (index, replicas(ids))).collect();
        let assignment = TopicAssignment { id: Some(self.new_uuid()), partitions };
        if assignment.encode().len().max(znodes::encode_config(&configs).len()) > MAX_ZNODE_BYTES {
            let message = format!("Topic '{}' with its settings is too large for the keeper.", wish.name);
            return Err((ErrorCode::PolicyViolation, message));
        }
        Ok(NewTopic { assignment, configs })
    }

    fn check_name(&self, name: &str, others: &BTreeSet<String>) -> Result<(), Refusal> {
        if let Some(problem) = topic_name::problem_with(name) {
            return Err((ErrorCode::InvalidTopicException, problem));
        }
        if name == topic_name::CLUSTER_METADATA {
            let message = format!("Creation of internal topic {name} is prohibited.");
            return Err((ErrorCode::InvalidRequest, message));
        }
        let topics = &self.controller.context.topics;
        if let Some(topic) = topics.get(name) {
            let state = if topic.is_deleting { "is marked for deletion" } else { "already exists" };
            return Err((ErrorCode::TopicAlreadyExists, format!("Topic '{name}' {state}.")));
        }
        let there = topics.keys().map(|other| &**other).chain(others.iter().map(String::as_str));
        let colliding: Vec<&str> = if name.contains(['.', '_']) {
            there.filter(|other| topic_name::collides(name, other)).collect()
        } else {
            Vec::new()
        };
        if colliding.is_empty() {
            return Ok(());
        }
        let message = format!("Topic '{name}' collides with existing topics: {}", colliding.join(", "));
        Err((ErrorCode::InvalidTopicException, message))
    }

    fn assign(&mut self, wish: &Wish) -> Result<BTreeMap<i32, Vec<i32>>, Refusal> {
        let config = self.shared.broker();
        let count = if wish.partitions == -1 { config.num_partitions } else { wish.partitions };
        let factor = match wish.replication_factor {
            -1 => config.default_replication_factor,
            factor => i32::from(factor),
        };
        if count <= 0 {
            return Err((ErrorCode::InvalidPartitions, "Number of partitions must be larger than 0.".to_owned()));
        }
        if i64::from(count) > MAX_NEW_PARTITIONS {
            let message = format!("Excessively large number of partitions per request: {count}");
            return Err((ErrorCode::PolicyViolation, message));
        }
        let brokers = self.live_brokers();
        let factor = match usize::try_from(factor) {
            Err(_) | Ok(0) => {
                return Err((
                    ErrorCode::InvalidReplicationFactor,
                    "Replication factor must be larger than 0.".to_owned(),
                ));
            }
            Ok(factor) if factor > brokers.len() => {
                let message = format!("Replication factor: {factor} larger than available brokers: {}.", brokers.len());
                return Err((ErrorCode::InvalidReplicationFactor, message));
            }
            Ok(factor) => factor,
        };
        let start = Start::random(&mut self.random, brokers.len());
        Ok((0..).zip(assign_replicas(&brokers, count, factor, start)).collect())
    }

    fn check_manual(&self, wish: &Wish) -> Result<BTreeMap<i32, Vec<i32>>, Refusal> {
        if wish.partitions != -1 || wish.replication_factor != -1 {
            let message = "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time.";
            return Err((ErrorCode::InvalidRequest, message.to_owned()));
        }
        let refuse = |message: String| Err((ErrorCode::InvalidReplicaAssignment, message));
        let assignment: BTreeMap<i32, Vec<i32>> = wish.manual.iter().cloned().collect();
        if assignment.len() != wish.manual.len() || !assignment.keys().copied().eq(0..wish.manual.len() as i32) {
            return refuse("Partitions must be assigned once each, and be consecutive numbers from 0.".to_owned());
        }
        let factor = assignment.values().next().map_or(0, Vec::len);
        for (index, replicas) in &assignment {
            self.check_replicas(*index, replicas)?;
            if replicas.len() != factor {
                return refuse("All partitions should have the same number of replicas.".to_owned());
            }
        }
        Ok(assignment)
    }

    /// Replicas that an administrator chose: some, none twice, all alive.
    pub(super) fn check_replicas(&self, partition: i32, replicas: &[i32]) -> Result<(), Refusal> {
        let refuse = |message: String| Err((ErrorCode::InvalidReplicaAssignment, message));
        if replicas.is_empty() {
            return refuse(format!("Partition {partition} has no replicas."));
        }
        if replicas.iter().collect::<BTreeSet<_>>().len() != replicas.len() {
            return refuse(format!(
                "Duplicate brokers not allowed in replica assignment: {replicas:?} for partition id {partition}."
            ));
        }
        let unknown: Vec<String> = replicas
            .iter()
            .filter(|id| !self.controller.context.brokers.contains_key(id))
            .map(i32::to_string)
            .collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            refuse(format!("Unknown broker(s) in replica assignment: {}.", unknown.join(", ")))
        }
    }

    fn write_topics(&mut self, request: CreateTopics) {
        let mut ops = Vec::new();
        for (index, attempt) in &request.pending {
            let Outcome { name, result: Ok(topic) } = &request.outcomes[*index] else { continue };
            let (config_path, config) = (znodes::topic_config(name), Some(znodes::encode_config(&topic.configs)));
            let write_config = match attempt {
                Attempt::Fresh => create(config_path, config),
                Attempt::OverOldConfig => KeeperOp::SetData { path: config_path, data: config, version: -1 },
                Attempt::Check => {
                    ops.push(get(znodes::topic(name), false));
                    continue;
                }
            };
            let write_topic = create(znodes::topic(name), Some(topic.assignment.encode()));
            ops.push(KeeperOp::Multi(vec![self.check_epoch(), write_config, write_topic]));
        }
        if ops.is_empty() {
            return self.answer_create_topics(request);
        }
        self.admin_keeper(ops, AdminStep::CreateTopics(request));
    }

    pub(crate) fn on_topics_written(&mut self, mut request: CreateTopics, results: &[KeeperResult], retried: bool) {
        let written = std::mem::take(&mut request.pending);
        for ((index, attempt), result) in written.into_iter().zip(results) {
            let Outcome { name, result: Ok(topic) } = &request.outcomes[index] else { continue };
            let refusal = match (result, attempt) {
                (Ok(KeeperReply::Multi(_)), _) => None,
                (Ok(_), Attempt::Check) => {
                    let there = data_of(result).and_then(|data| TopicAssignment::decode(data).ok());
                    let is_ours = there.is_some_and(|there| there.id == topic.assignment.id);
                    (!is_ours).then(|| (ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")))
                }
                (Err(KeeperError::Multi { index: 1, .. }), Attempt::Fresh) if !retried => {
                    request.pending.push((index, Attempt::OverOldConfig));
                    continue;
                }
                (Err(error), Attempt::Fresh | Attempt::OverOldConfig) if retried && error.is_node_exists() => {
                    request.pending.push((index, Attempt::Check));
                    continue;
                }
                // Only the settings had been there.
                (Err(error), Attempt::Check) if error.is_no_node() => {
                    request.pending.push((index, Attempt::OverOldConfig));
                    continue;
                }
                (Err(error), _) if crate::lifecycle::is_fenced(error) => {
                    Some((ErrorCode::NotController, "Another broker is the controller.".to_owned()))
                }
                (Err(error), _) if error.is_node_exists() => {
                    Some((ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")))
                }
                (other, _) => {
                    tracing::error!("topic {name} cannot be created: {other:?}");
                    Some((ErrorCode::UnknownServerError, format!("The keeper refused it: {other:?}")))
                }
            };
            match refusal {
                Some(refusal) => request.outcomes[index].result = Err(refusal),
                None => {
                    let (name, configs) = (name.clone(), topic.configs.clone());
                    self.set_topic_config(&name, configs);
                }
            }
        }
        if !request.pending.is_empty() {
            return self.write_topics(request);
        }
        let timeout_ms = request.timeout_ms;
        self.wait(timeout_ms, Waiting::CreateTopics(request));
    }

    pub(super) fn topics_are_created(&self, request: &CreateTopics) -> bool {
        let wanted = |outcome: &Outcome| match (&outcome.result, &request.asker) {
            (Ok(_), _) | (Err((ErrorCode::TopicAlreadyExists, _)), Asker::Local(_)) => {
                self.is_served_here(&outcome.name)
            }
            _ => true,
        };
        request.outcomes.iter().all(wanted)
    }

    pub(super) fn answer_create_topics(&mut self, request: CreateTopics) {
        let CreateTopics { asker, outcomes, .. } = request;
        match asker {
            Asker::Local(None) => {}
            Asker::Local(Some(done)) => {
                let fault = |outcome: &Outcome| match &outcome.result {
                    Ok(_) | Err((ErrorCode::TopicAlreadyExists, _)) => {
                        (!self.is_served_here(&outcome.name)).then_some(ErrorCode::RequestTimedOut)
                    }
                    Err((code, _)) => Some(*code),
                };
                (done.0)(outcomes.iter().find_map(fault).map_or(Ok(()), Err));
            }
            Asker::Client { responder, validate_only } => {
                let timed_out = (ErrorCode::RequestTimedOut, ErrorCode::RequestTimedOut.message().to_owned());
                let version = responder.api_version();
                let topics = outcomes.iter().map(|outcome| match &outcome.result {
                    Err(refusal) => refused(&outcome.name, refusal),
                    Ok(_) if !validate_only && !self.is_served_here(&outcome.name) => {
                        refused(&outcome.name, &timed_out)
                    }
                    Ok(topic) => self.created(&outcome.name, topic, version, validate_only),
                });
                responder.send(&CreateTopicsResponse { throttle_time_ms: 0, topics: topics.collect() });
            }
        }
    }

    fn created<'a>(
        &self,
        name: &'a str,
        topic: &NewTopic,
        version: i16,
        validate_only: bool,
    ) -> CreatableTopicResult<'a> {
        let base =
            CreatableTopicResult { name: Cow::Borrowed(name), error_message: None, ..CreatableTopicResult::default() };
        if version < 5 {
            return base;
        }
        let config = self.shared.broker();
        let configs = topic_entries(&topic.configs, &config.layers).into_iter().map(|entry| CreatableTopicConfigs {
            name: Cow::Borrowed(entry.name),
            value: entry.value.map(Cow::Owned),
            read_only: false,
            config_source: entry.source,
            is_sensitive: false,
        });
        let replicas = topic.assignment.partitions.values().next().map_or(0, |p| p.replicas.len());
        CreatableTopicResult {
            topic_id: if validate_only { Uuid::ZERO } else { topic.assignment.id.unwrap_or_default() },
            num_partitions: topic.assignment.partitions.len() as i32,
            replication_factor: replicas as i16,
            configs: Some(configs.collect()),
            ..base
        }
    }

    /// Topics for clients that asked for their metadata, and for coordinators.
    #[doc(alias = "AutoTopicCreationManager")]
    pub(crate) fn create_topics_locally(&mut self, names: Vec<String>, done: Option<LocalDone>) {
        let wishes = names.into_iter().map(|name| self.local_wish(name)).collect();
        let (outcomes, pending) = (Vec::new(), Vec::new());
        let asker = Asker::Local(done);
        self.create_topics(CreateTopics { asker, timeout_ms: LOCAL_TIMEOUT_MS, wishes, outcomes, pending });
    }

    /// Internal topics have settings of their own, and no more replicas than there are brokers, so that one broker suffices.
    fn local_wish(&self, name: String) -> Wish {
        let config = self.shared.broker();
        let alive = i16::try_from(self.controller.context.brokers.len()).unwrap_or(i16::MAX);
        let pairs = |pairs: &[(&str, String)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), Some(v.clone()))).collect();
        let manual = Vec::new();
        match name.as_str() {
            CONSUMER_OFFSETS => Wish {
                partitions: config.offsets_topic_num_partitions,
                replication_factor: config.offsets_topic_replication_factor.min(alive),
                configs: pairs(&[
                    ("cleanup.policy", "compact".to_owned()),
                    ("compression.type", "producer".to_owned()),
                    ("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
                ]),
                manual,
                name,
            },
            TRANSACTION_STATE => Wish {
                partitions: config.transaction_state_log_num_partitions,
                replication_factor: config.transaction_state_log_replication_factor.min(alive),
                configs: pairs(&[
                    ("cleanup.policy", "compact".to_owned()),
                    ("compression.type", "uncompressed".to_owned()),
                    ("min.insync.replicas", config.transaction_state_log_min_isr.to_string()),
                    ("segment.bytes", config.transaction_state_log_segment_bytes.to_string()),
                    ("unclean.leader.election.enable", "false".to_owned()),
                ]),
                manual,
                name,
            },
            _ => Wish { partitions: -1, replication_factor: -1, configs: Vec::new(), manual, name },
        }
    }
}

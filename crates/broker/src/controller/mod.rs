//! The controller: the one broker that chooses leaders and tells all others.
//!
//! Events (watches, answers of brokers, wishes of administrators) are worked on one after the other; while one waits for the
//! keeper, the others wait in the queue. Every write is a multi that first checks `/controller_epoch`, so that a controller
//! that has been replaced changes nothing.

mod context;
mod deletion;
mod election;
mod membership;
mod partitions;
mod requests;

use std::collections::{BTreeMap, VecDeque};

use ottla_base::ids::TopicPartition;
use ottla_keeper::ops::KeeperResult;
use ottla_protocol::messages::leader_and_isr_response::LeaderAndIsrResponse;
use ottla_protocol::messages::stop_replica_response::StopReplicaResponse;
use ottla_protocol::{ApiKey, ErrorCode, Message};

pub(crate) use context::{Context, ElectionType, NO_LEADER, Partition, Topic};
use deletion::Deletions;
use partitions::WriteJob;
use requests::{Channel, RequestBatch};

use crate::control::{ControlOutput, Tag};
use crate::control_plane::ControlPlane;

/// Wait before an unanswered request is sent again.
const SEND_RETRY_MS: u64 = 100;

/// Something that the controller has to look at.
#[doc(alias = "ControllerEvent")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    BrokerChange,
    BrokerModified(i32),
    TopicChange,
    PartitionChange(String),
    TopicDeletion,
    PreferredElection,
    /// An administrator wants these partitions to get a leader.
    ElectLeaders {
        kind: ElectionType,
        partitions: Vec<TopicPartition>,
    },
    LogDirEvents,
    /// Partitions without a leader may get one: of one topic, or all.
    ElectOffline(Option<String>),
    /// A broker can't serve these replicas: their log directory failed.
    ReplicasOffline {
        broker: i32,
        partitions: Vec<TopicPartition>,
    },
    /// A broker has deleted these replicas.
    ReplicasDeleted {
        broker: i32,
        partitions: Vec<TopicPartition>,
    },
}

/// What was under way when a batch of the controller finished.
#[derive(Debug)]
pub(crate) enum ControllerStep {
    /// `/controller` and `/controller_epoch` were read.
    Candidacy,
    EpochCreated,
    /// `/controller` was read because it changed.
    StillController,
    Elected {
        epoch: i32,
    },
    /// The children of the roots, read by a new controller.
    Roots,
    Contents {
        brokers: Vec<String>,
        topics: Vec<String>,
    },
    States {
        partitions: Vec<TopicPartition>,
    },
    TopicIdsWritten {
        topics: Vec<String>,
    },
    BrokerList,
    Brokers {
        ids: Vec<String>,
    },
    TopicList,
    Topics {
        topics: Vec<String>,
    },
    Written(WriteJob),
    DeletionList,
    TopicsDeleted {
        topics: Vec<String>,
        attempt: u32,
    },
    PreferredList,
    LogDirEventList,
    LogDirEvents {
        names: Vec<String>,
    },
}

/// How far this broker is from being the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Role {
    /// Without a session, or not asked yet.
    #[default]
    None,
    /// Another broker is.
    Follower,
    Candidate,
    /// Elected, and reading what there is.
    Loading,
    Active,
}

#[derive(Debug, Default)]
pub(crate) struct Controller {
    /// Counts what this broker was and is: results that were asked for in an earlier term mean nothing.
    term: u64,
    role: Role,
    /// Who is, as far as known.
    active_id: Option<i32>,
    pub context: Context,
    events: VecDeque<Event>,
    /// An event waits for the keeper.
    busy: bool,
    channels: BTreeMap<i32, Channel>,
    deletions: Deletions,
}

impl Controller {
    pub fn is_active(&self) -> bool {
        self.role == Role::Active
    }

    /// Adds an event, unless the same one waits already. Nothing for those who are not the controller.
    pub fn enqueue(&mut self, event: Event) {
        if matches!(self.role, Role::Loading | Role::Active) && !self.events.contains(&event) {
            self.events.push_back(event);
        }
    }

    /// The broker has answered all that it was told, an UpdateMetadata among it.
    pub fn has_told(&self, broker: i32) -> bool {
        self.is_active()
            && !self.busy
            && self.events.is_empty()
            && self.channels.get(&broker).is_some_and(|channel| channel.told && channel.queue.is_empty())
    }

    /// The broker has answered all that it was told so far.
    pub fn is_up_to_date(&self, broker: i32) -> bool {
        self.channels.get(&broker).is_some_and(|channel| channel.told && channel.queue.is_empty())
    }
}

impl ControlPlane {
    /// Works on waiting events until one needs the keeper.
    pub(crate) fn run_controller_events(&mut self) {
        while self.controller.is_active() && !self.controller.busy {
            let Some(event) = self.controller.events.pop_front() else { return };
            self.controller.busy = true;
            self.on_event(event);
        }
    }

    /// The event that was worked on is done with.
    pub(crate) fn event_done(&mut self) {
        self.controller.busy = false;
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::BrokerChange | Event::BrokerModified(_) => self.read_broker_list(),
            Event::TopicChange => self.read_topic_list(),
            Event::PartitionChange(topic) => self.read_topics(vec![topic]),
            Event::TopicDeletion => self.read_deletion_list(),
            Event::PreferredElection => self.read_preferred_list(),
            Event::ElectLeaders { kind, partitions } => self.elect(kind, &partitions),
            Event::LogDirEvents => self.read_log_dir_events(),
            Event::ElectOffline(topic) => self.elect_offline(topic.as_deref()),
            Event::ReplicasOffline { broker, partitions } => self.on_replicas_offline(broker, partitions),
            Event::ReplicasDeleted { broker, partitions } => self.on_replicas_deleted(broker, &partitions),
        }
    }

    pub(crate) fn on_controller_step(&mut self, term: u64, step: ControllerStep, results: Vec<KeeperResult>) {
        if term != self.controller.term {
            return;
        }
        match step {
            ControllerStep::Candidacy => self.on_candidacy(&results),
            ControllerStep::EpochCreated => self.look_for_controller(),
            ControllerStep::Elected { epoch } => self.on_elected(epoch, &results[0]),
            ControllerStep::StillController => self.on_still_controller(&results[0]),
            ControllerStep::Roots => self.on_controller_roots(&results),
            ControllerStep::Contents { brokers, topics } => self.on_contents(&brokers, &topics, &results),
            ControllerStep::States { partitions } => self.on_states(&partitions, &results),
            ControllerStep::TopicIdsWritten { topics } => self.on_topic_ids_written(topics, &results),
            ControllerStep::BrokerList => self.on_broker_list(&results[0]),
            ControllerStep::Brokers { ids } => self.on_brokers(&ids, &results),
            ControllerStep::TopicList => self.on_topic_list(&results[0]),
            ControllerStep::Topics { topics } => self.on_topics(&topics, &results),
            ControllerStep::Written(job) => self.on_written(job, &results),
            ControllerStep::DeletionList => self.on_deletion_list(&results[0]),
            ControllerStep::TopicsDeleted { topics, attempt } => self.on_topics_deleted(&topics, attempt, &results),
            ControllerStep::PreferredList => self.on_preferred_list(&results[0]),
            ControllerStep::LogDirEventList => self.on_log_dir_event_list(&results[0]),
            ControllerStep::LogDirEvents { names } => self.on_log_dir_events(&names, &results),
        }
    }

    /// Sends what was gathered, as far as the brokers are not busy with earlier requests.
    pub(crate) fn send_batch(&mut self, batch: RequestBatch) {
        let listener = self.shared.broker().inter_broker_listener_name.clone();
        let id = self.broker_id();
        let controller = &mut self.controller;
        batch.send(&controller.context, id, &listener, &mut controller.channels);
        self.send_queued();
    }

    fn send_queued(&mut self) {
        let now_ms = self.now.mono_ms();
        for (broker_id, channel) in &mut self.controller.channels {
            if channel.in_flight.is_some() || channel.retry_at_ms.is_some_and(|at| at > now_ms) {
                continue;
            }
            let Some(next) = channel.queue.front() else { continue };
            let tag = self.batches.next_tag();
            channel.in_flight = Some(tag);
            channel.retry_at_ms = None;
            self.out.push(ControlOutput::Send {
                tag,
                broker_id: *broker_id,
                endpoint: channel.endpoint.clone(),
                api_key: next.api_key,
                api_version: next.version,
                request: next.frame(),
            });
        }
    }

    pub(crate) fn on_broker_reply(&mut self, tag: Tag, api_key: ApiKey, version: i16, body: Option<&[u8]>) {
        let now_ms = self.now.mono_ms();
        let mut channels = self.controller.channels.iter_mut();
        let Some((broker, channel)) = channels.find(|(_, channel)| channel.in_flight == Some(tag)) else { return };
        let broker = *broker;
        channel.in_flight = None;
        let Some(body) = body else {
            channel.retry_at_ms = Some(now_ms + SEND_RETRY_MS);
            return;
        };
        channel.told |= api_key == ApiKey::UpdateMetadata;
        let Some(answered) = channel.queue.pop_front() else { return };
        match api_key {
            ApiKey::LeaderAndIsr => self.on_leader_and_isr_response(broker, version, body),
            ApiKey::StopReplica => self.on_stop_replica_response(broker, version, body, answered.deleting),
            _ => {}
        }
        self.send_queued();
    }

    /// Replicas whose log directory failed are offline from now on.
    fn on_leader_and_isr_response(&mut self, broker: i32, version: i16, body: &[u8]) {
        let response = match LeaderAndIsrResponse::from_bytes(body, version) {
            Ok(response) => response,
            Err(error) => return tracing::error!("the answer of broker {broker} cannot be read: {error}"),
        };
        if response.error_code != 0 {
            tracing::warn!(broker, error_code = response.error_code, "LeaderAndIsr was refused");
        }
        let mut partitions = Vec::new();
        for topic in &response.topics {
            let known = self.controller.context.topics.iter().find(|(_, known)| known.id == topic.topic_id);
            let Some((name, _)) = known else { continue };
            let failed = topic.partition_errors.iter().filter(|p| p.error_code == ErrorCode::KafkaStorageError as i16);
            partitions.extend(failed.map(|p| TopicPartition::new(name.clone(), p.partition_index)));
        }
        if !partitions.is_empty() {
            self.controller.enqueue(Event::ReplicasOffline { broker, partitions });
        }
    }

    fn on_stop_replica_response(&mut self, broker: i32, version: i16, body: &[u8], asked: Vec<TopicPartition>) {
        let response = match StopReplicaResponse::from_bytes(body, version) {
            Ok(response) => response,
            Err(error) => return tracing::error!("the answer of broker {broker} cannot be read: {error}"),
        };
        if response.error_code != 0 {
            return tracing::warn!(broker, error_code = response.error_code, "StopReplica was refused");
        }
        let failed = |partition: &TopicPartition| {
            let of_it = |e: &&_| is_about(e, partition);
            response.partition_errors.iter().find(of_it).is_some_and(|e| e.error_code != 0)
        };
        let partitions: Vec<TopicPartition> = asked.into_iter().filter(|partition| !failed(partition)).collect();
        if !partitions.is_empty() {
            self.controller.enqueue(Event::ReplicasDeleted { broker, partitions });
        }
    }

    pub(crate) fn tick_controller(&mut self) {
        let now_ms = self.now.mono_ms();
        if self.controller.channels.values().any(|channel| channel.retry_at_ms.is_some_and(|at| at <= now_ms)) {
            self.send_queued();
        }
    }
}

fn is_about(
    error: &ottla_protocol::messages::stop_replica_response::StopReplicaPartitionError<'_>,
    partition: &TopicPartition,
) -> bool {
    *error.topic_name == *partition.topic && error.partition_index == partition.partition
}

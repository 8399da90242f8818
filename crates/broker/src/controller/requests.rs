//! What the controller tells the brokers: requests gathered per broker, and sent one at a time to each.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ottla_base::ids::TopicPartition;
use ottla_protocol::messages::leader_and_isr_request::{
    LeaderAndIsrLiveLeader, LeaderAndIsrPartitionState, LeaderAndIsrRequest, LeaderAndIsrTopicState,
};
use ottla_protocol::messages::stop_replica_request::{
    StopReplicaPartitionState, StopReplicaRequest, StopReplicaTopicState,
};
use ottla_protocol::messages::update_metadata_request::{
    UpdateMetadataBroker, UpdateMetadataEndpoint, UpdateMetadataPartitionState, UpdateMetadataRequest,
    UpdateMetadataTopicState,
};
use ottla_protocol::{ApiKey, Frame, Request, Segment, request_frame};

use super::context::Context;
use crate::control::Tag;

/// The versions that brokers of inter-broker protocol 3.4 to 3.9 speak.
const LEADER_AND_ISR_VERSION: i16 = 7;
const UPDATE_METADATA_VERSION: i16 = 8;
const STOP_REPLICA_VERSION: i16 = 4;

/// In UpdateMetadata: the topic is being deleted.
const LEADER_DURING_DELETE: i32 = -2;
/// In UpdateMetadata: what is not named is gone. Brokers of 3.9.2 mind it from KRaft controllers only.
const FULL_UPDATE: i8 = 2;
/// In StopReplica: the topic is being deleted, whatever the epoch.
const EPOCH_DURING_DELETE: i32 = -2;

/// What one change of the cluster makes known, gathered so that each broker gets one request of each kind.
#[doc(alias = "ControllerBrokerRequestBatch")]
#[derive(Debug, Default)]
pub(crate) struct RequestBatch {
    /// Whether the partition is new, by broker.
    leader_and_isr: BTreeMap<i32, BTreeMap<TopicPartition, bool>>,
    update_metadata: BTreeSet<i32>,
    updated: BTreeSet<TopicPartition>,
    deleted: BTreeSet<TopicPartition>,
    stop_replica: BTreeMap<i32, BTreeSet<TopicPartition>>,
    /// The metadata names every partition there is: brokers forget all others.
    is_full: bool,
}

impl RequestBatch {
    /// A batch whose metadata names every partition there is.
    pub fn full() -> Self {
        Self { is_full: true, ..Self::default() }
    }

    /// The replicas get to know the partition's state, and all brokers its leader.
    pub fn leader_and_isr(&mut self, context: &Context, partition: &TopicPartition, is_new: bool) {
        let Some(known) = context.partition(partition) else { return };
        for broker in &known.assignment.replicas {
            if context.brokers.contains_key(broker) {
                self.leader_and_isr_to(*broker, partition, is_new);
            }
        }
        self.update_metadata(context, Some(partition));
    }

    /// One replica gets to know the partition's state.
    pub fn leader_and_isr_to(&mut self, broker: i32, partition: &TopicPartition, is_new: bool) {
        let new = self.leader_and_isr.entry(broker).or_default().entry(partition.clone()).or_insert(false);
        *new |= is_new;
    }

    /// All brokers get to know who is alive, and the partition's leader.
    pub fn update_metadata(&mut self, context: &Context, partition: Option<&TopicPartition>) {
        self.update_metadata.extend(context.brokers.keys());
        self.updated.extend(partition.cloned());
    }

    /// All brokers forget the partition, and the broker deletes its replica.
    pub fn delete_replica(&mut self, context: &Context, broker: i32, partition: &TopicPartition) {
        self.update_metadata(context, None);
        self.deleted.insert(partition.clone());
        if context.brokers.contains_key(&broker) {
            self.stop_replica.entry(broker).or_default().insert(partition.clone());
        }
    }

    /// Encodes all that was gathered into the brokers' queues.
    pub fn send(self, context: &Context, controller_id: i32, listener: &str, channels: &mut BTreeMap<i32, Channel>) {
        for (broker, partitions) in &self.leader_and_isr {
            if let Some(channel) = channels.get_mut(broker) {
                let request = leader_and_isr(context, controller_id, channel.epoch, listener, partitions);
                channel.enqueue(&request, LEADER_AND_ISR_VERSION, controller_id, Vec::new());
            }
        }
        if !self.update_metadata.is_empty() {
            let mut request = update_metadata(context, controller_id, &self.updated, &self.deleted);
            if self.is_full {
                request.type_ = FULL_UPDATE;
            }
            for broker in &self.update_metadata {
                if let Some(channel) = channels.get_mut(broker) {
                    request.broker_epoch = channel.epoch;
                    channel.enqueue(&request, UPDATE_METADATA_VERSION, controller_id, Vec::new());
                }
            }
        }
        for (broker, partitions) in &self.stop_replica {
            if let Some(channel) = channels.get_mut(broker) {
                let request = stop_replica(context, controller_id, channel.epoch, partitions);
                channel.enqueue(&request, STOP_REPLICA_VERSION, controller_id, partitions.iter().cloned().collect());
            }
        }
    }
}

fn leader_and_isr<'a>(
    context: &'a Context,
    controller_id: i32,
    broker_epoch: i64,
    listener: &str,
    partitions: &'a BTreeMap<TopicPartition, bool>,
) -> LeaderAndIsrRequest<'a> {
    let mut topics: Vec<LeaderAndIsrTopicState<'_>> = Vec::new();
    let mut leaders = BTreeSet::new();
    for (partition, is_new) in partitions {
        let Some(topic) = context.topics.get(&partition.topic) else { continue };
        let Some(known) = topic.partitions.get(&partition.partition) else { continue };
        let Some((state, version)) = &known.state else { continue };
        leaders.insert(state.leader);
        if topics.last().is_none_or(|last| *last.topic_name != *partition.topic) {
            topics.push(LeaderAndIsrTopicState {
                topic_name: Cow::Borrowed(&partition.topic),
                topic_id: topic.id,
                partition_states: Vec::new(),
            });
        }
        let Some(last) = topics.last_mut() else { continue };
        last.partition_states.push(LeaderAndIsrPartitionState {
            partition_index: partition.partition,
            controller_epoch: state.controller_epoch,
            leader: state.leader,
            leader_epoch: state.leader_epoch,
            isr: state.isr.clone(),
            partition_epoch: *version,
            replicas: known.assignment.replicas.clone(),
            adding_replicas: known.assignment.adding.clone(),
            removing_replicas: known.assignment.removing.clone(),
            is_new: *is_new,
            leader_recovery_state: state.leader_recovery_state,
            ..LeaderAndIsrPartitionState::default()
        });
    }
    let live_leader = |id: &i32| {
        let endpoint = context.brokers.get(id)?.registration.endpoint(listener)?;
        Some(LeaderAndIsrLiveLeader {
            broker_id: *id,
            host_name: Cow::Owned(endpoint.host.clone()),
            port: i32::from(endpoint.port),
        })
    };
    LeaderAndIsrRequest {
        controller_id,
        controller_epoch: context.epoch,
        broker_epoch,
        topic_states: topics,
        live_leaders: leaders.iter().filter_map(live_leader).collect(),
        ..LeaderAndIsrRequest::default()
    }
}

fn update_metadata<'a>(
    context: &'a Context,
    controller_id: i32,
    updated: &'a BTreeSet<TopicPartition>,
    deleted: &'a BTreeSet<TopicPartition>,
) -> UpdateMetadataRequest<'a> {
    let mut topics: Vec<UpdateMetadataTopicState<'_>> = Vec::new();
    let all = updated.iter().map(|p| (p, false)).chain(deleted.iter().map(|p| (p, true)));
    for (partition, is_deleted) in all {
        let Some(topic) = context.topics.get(&partition.topic) else { continue };
        let Some(known) = topic.partitions.get(&partition.partition) else { continue };
        let (state, version) = match &known.state {
            Some((state, version)) => (state.clone(), *version),
            None if is_deleted => Default::default(),
            None => continue,
        };
        if topics.last().is_none_or(|last| *last.topic_name != *partition.topic) {
            topics.push(UpdateMetadataTopicState {
                topic_name: Cow::Borrowed(&partition.topic),
                topic_id: topic.id,
                partition_states: Vec::new(),
            });
        }
        let Some(last) = topics.last_mut() else { continue };
        let replicas = &known.assignment.replicas;
        last.partition_states.push(UpdateMetadataPartitionState {
            partition_index: partition.partition,
            controller_epoch: state.controller_epoch,
            leader: if is_deleted { LEADER_DURING_DELETE } else { state.leader },
            leader_epoch: state.leader_epoch,
            isr: state.isr,
            zk_version: version,
            replicas: replicas.clone(),
            offline_replicas: replicas.iter().copied().filter(|id| !context.is_online(*id, partition)).collect(),
            ..UpdateMetadataPartitionState::default()
        });
    }
    let brokers = context.brokers.iter().map(|(id, broker)| UpdateMetadataBroker {
        id: *id,
        endpoints: broker.registration.endpoints.iter().map(endpoint).collect(),
        rack: broker.registration.rack.as_deref().map(Cow::Borrowed),
        ..UpdateMetadataBroker::default()
    });
    UpdateMetadataRequest {
        controller_id,
        controller_epoch: context.epoch,
        topic_states: topics,
        live_brokers: brokers.collect(),
        ..UpdateMetadataRequest::default()
    }
}

fn endpoint(endpoint: &crate::config::Endpoint) -> UpdateMetadataEndpoint<'_> {
    let security_protocol = match endpoint.security_protocol.as_str() {
        "SSL" => 1,
        "SASL_PLAINTEXT" => 2,
        "SASL_SSL" => 3,
        _ => 0,
    };
    UpdateMetadataEndpoint {
        port: i32::from(endpoint.port),
        host: Cow::Borrowed(&endpoint.host),
        listener: Cow::Borrowed(&endpoint.listener),
        security_protocol,
    }
}

fn stop_replica<'a>(
    context: &Context,
    controller_id: i32,
    broker_epoch: i64,
    partitions: &'a BTreeSet<TopicPartition>,
) -> StopReplicaRequest<'a> {
    let mut topics: Vec<StopReplicaTopicState<'_>> = Vec::new();
    for partition in partitions {
        if topics.last().is_none_or(|last| *last.topic_name != *partition.topic) {
            topics.push(StopReplicaTopicState {
                topic_name: Cow::Borrowed(&partition.topic),
                partition_states: Vec::new(),
            });
        }
        if let Some(last) = topics.last_mut() {
            last.partition_states.push(StopReplicaPartitionState {
                partition_index: partition.partition,
                leader_epoch: EPOCH_DURING_DELETE,
                delete_partition: true,
            });
        }
    }
    StopReplicaRequest {
        controller_id,
        controller_epoch: context.epoch,
        broker_epoch,
        topic_states: topics,
        ..StopReplicaRequest::default()
    }
}

/// A request on its way to a broker.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub api_key: ApiKey,
    pub version: i16,
    bytes: Vec<u8>,
    /// Those of a StopReplica.
    pub deleting: Vec<TopicPartition>,
}

impl Outgoing {
    pub fn frame(&self) -> Frame {
        Frame { segments: vec![Segment::Bytes(self.bytes.clone())] }
    }
}

/// The way to one broker: one request under way, the others wait; an unanswered one is sent again for as long as the broker
/// is registered.
#[doc(alias = "RequestSendThread")]
#[derive(Debug)]
pub(crate) struct Channel {
    pub epoch: i64,
    pub endpoint: (String, u16),
    pub queue: VecDeque<Outgoing>,
    pub in_flight: Option<Tag>,
    /// When to try again, by the clock that never goes back.
    pub retry_at_ms: Option<u64>,
    /// Has answered an UpdateMetadata.
    pub told: bool,
    next_correlation_id: i32,
}

impl Channel {
    pub fn new(epoch: i64, endpoint: (String, u16)) -> Self {
        Self {
            epoch,
            endpoint,
            queue: VecDeque::new(),
            in_flight: None,
            retry_at_ms: None,
            told: false,
            next_correlation_id: 0,
        }
    }

    fn enqueue<'a, M: Request<'a>>(
        &mut self,
        request: &M,
        version: i16,
        controller_id: i32,
        deleting: Vec<TopicPartition>,
    ) {
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1) & i32::MAX;
        let client_id = controller_id.to_string();
        let frame = request_frame(self.next_correlation_id, Some(&client_id), request, version);
        match frame.map_err(std::io::Error::from).and_then(Frame::into_bytes) {
            Ok(bytes) => self.queue.push_back(Outgoing { api_key: M::KEY, version, bytes, deleting }),
            Err(error) => tracing::error!("a request to a broker cannot be sent: {error}"),
        }
    }
}

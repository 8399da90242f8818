//! A broker on a simulated disk whose controller and clients are the test.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::ids::Uuid;
use ottla_base::random::Random;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use ottla_broker::broker::{Broker, BrokerParts};
use ottla_broker::config::{BrokerConfig, ConfigMap, SharedConfig};
use ottla_broker::control::{ControlInbox, ControlInput, LocalRequest};
use ottla_broker::reply::{Reply, ReplySink};
use ottla_broker::request::ConnectionInfo;
use ottla_protocol::batch_builder::{BatchOptions, RecordBatchBuilder};
use ottla_protocol::compression::{Compression, Compressor};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::messages::leader_and_isr_request::{
    LeaderAndIsrPartitionState, LeaderAndIsrRequest, LeaderAndIsrTopicState,
};
use ottla_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_protocol::messages::update_metadata_request::{
    UpdateMetadataBroker, UpdateMetadataEndpoint, UpdateMetadataPartitionState, UpdateMetadataRequest,
    UpdateMetadataTopicState,
};
use ottla_protocol::{Frame, Message, Records, Request, request_frame, response_head};
use ottla_storage::LogManager;
use ottla_storage::config::ManagerConfig;
use parking_lot::Mutex;

pub const BROKER_ID: i32 = 1;
pub const BROKER_EPOCH: i64 = 100;
pub const CLUSTER_ID: &str = "3Iru2JS2RmCM0cj7ptU48Q";

/// A partition as index, leader, leader epoch, ISR, replicas.
pub type Led = (i32, i32, i32, Vec<i32>, Vec<i32>);

/// Keeps what the broker asks of the control plane.
#[derive(Debug, Default)]
pub struct Inbox(pub Mutex<Vec<ControlInput>>);

impl ControlInbox for Inbox {
    fn submit(&self, input: ControlInput) {
        self.0.lock().push(input);
    }
}

/// Where a late answer arrives.
#[derive(Clone, Debug, Default)]
pub struct LateReply(Arc<Mutex<Option<Reply>>>);

impl ReplySink for LateReply {
    fn reply(self: Box<Self>, reply: Reply) {
        let before = self.0.lock().replace(reply);
        assert!(before.is_none(), "a request is answered once");
    }
}

/// What came of a request.
#[derive(Debug)]
pub enum Answer {
    /// The response's body and its version.
    Body(Vec<u8>, i16),
    Waits(LateReply, i16),
    Nothing,
    /// With the reason.
    Closed(#[allow(dead_code, reason = "shown when a test fails")] String),
}

impl Answer {
    fn of<'a, Q: Request<'a>>(reply: Reply, version: i16, late: &LateReply) -> Self {
        match reply {
            Reply::Now(frame) => Self::Body(body::<Q>(frame, version), version),
            Reply::Later => Self::Waits(late.clone(), version),
            Reply::None => Self::Nothing,
            Reply::Close(why) => Self::Closed(why),
        }
    }

    /// The response.
    pub fn get<'a, R: Message<'a>>(&'a self) -> R {
        match self {
            Self::Body(bytes, version) => R::from_bytes(bytes, *version).expect("a readable response"),
            other => panic!("no answer yet: {other:?}"),
        }
    }

    /// The late answer to a request of type `Q`, if it has come.
    pub fn late<'a, Q: Request<'a>>(&self) -> Option<Answer> {
        let Self::Waits(late, version) = self else { panic!("the answer did not have to wait: {self:?}") };
        let reply = late.0.lock().take()?;
        Some(Self::of::<Q>(reply, *version, late))
    }
}

fn body<'a, Q: Request<'a>>(frame: Frame, version: i16) -> Vec<u8> {
    let bytes = frame.into_bytes().expect("a readable file");
    let size = u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"));
    assert_eq!(size as usize, bytes.len() - 4);
    let (correlation_id, rest) = response_head(&bytes[4..], Q::KEY, version).expect("a response header");
    assert_eq!(correlation_id, 7);
    rest.rest().to_vec()
}

pub struct Harness {
    pub broker: Arc<Broker>,
    pub inbox: Arc<Inbox>,
    pub disk: SimDisk,
    pub now: Now,
    pub connection: ConnectionInfo,
    pub client_id: &'static str,
}

impl Harness {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// A broker with these settings.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let map: ConfigMap = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let config = BrokerConfig::from_map(map).expect("valid settings");
        let disk = SimDisk::new(1);
        let dirs = [PathBuf::from("/a"), PathBuf::from("/b")];
        let logs = LogManager::open(Arc::new(disk.clone()), &dirs, ManagerConfig::default()).expect("a log manager");
        let inbox = Arc::new(Inbox::default());
        let broker = Broker::new(BrokerParts {
            config: Arc::new(SharedConfig::new(config)),
            logs: Arc::new(logs),
            metadata: Arc::default(),
            control: inbox.clone(),
            random: Random::new(1),
        });
        broker.set_identity(CLUSTER_ID, BROKER_ID);
        broker.set_broker_epoch(BROKER_EPOCH);
        let connection = ConnectionInfo {
            id: 1,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            listener: Arc::from("PLAINTEXT"),
            principal: Arc::from("User:ANONYMOUS"),
            client_software: None,
        };
        let now = Now { mono_us: 5_000_000, wall_ms: 1_760_000_000_000 };
        Self { broker, inbox, disk, now, connection, client_id: "test" }
    }

    /// Another connection to the same broker, for another thread.
    pub fn connect(&self) -> Self {
        Self {
            broker: self.broker.clone(),
            inbox: self.inbox.clone(),
            disk: self.disk.clone(),
            now: self.now,
            connection: self.connection.clone(),
            client_id: self.client_id,
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.broker.tick(self.now);
    }

    pub fn ask<'a, Q: Request<'a>>(&mut self, version: i16, request: &Q) -> Answer {
        let frame = request_frame(7, Some(self.client_id), request, version).expect("an encodable request");
        let bytes = frame.into_bytes().expect("bytes");
        let late = LateReply::default();
        let reply = self.raw(&mut bytes[4..].to_vec(), &late);
        Answer::of::<Q>(reply, version, &late)
    }

    /// Hands in a frame without its size.
    pub fn raw(&mut self, frame: &mut [u8], late: &LateReply) -> Reply {
        let sink = late.clone();
        let mut make_sink = move || Box::new(sink.clone()) as Box<dyn ReplySink>;
        self.broker.handle(self.now, frame, &mut self.connection, &mut make_sink)
    }

    /// Makes this broker the leader of a topic's partitions, with itself as the only replica.
    pub fn topic(&mut self, name: &str, partitions: i32) -> Uuid {
        let id = topic_id(name);
        let states: Vec<_> =
            (0..partitions).map(|index| (index, BROKER_ID, 0, vec![BROKER_ID], vec![BROKER_ID])).collect();
        self.lead(name, id, &states);
        id
    }

    /// LeaderAndIsr and UpdateMetadata for partitions given as index, leader, leader epoch, ISR, replicas.
    pub fn lead(&mut self, name: &str, id: Uuid, states: &[Led]) -> Vec<i16> {
        self.update_metadata(name, id, states);
        let partition_states = states.iter().map(|(index, leader, epoch, isr, replicas)| LeaderAndIsrPartitionState {
            partition_index: *index,
            controller_epoch: 1,
            leader: *leader,
            leader_epoch: *epoch,
            isr: isr.clone(),
            partition_epoch: *epoch,
            replicas: replicas.clone(),
            is_new: true,
            ..Default::default()
        });
        let topic = LeaderAndIsrTopicState {
            topic_name: name.to_owned().into(),
            topic_id: id,
            partition_states: partition_states.collect(),
        };
        let request = LeaderAndIsrRequest {
            controller_id: BROKER_ID,
            controller_epoch: 1,
            broker_epoch: BROKER_EPOCH,
            topic_states: vec![topic],
            ..Default::default()
        };
        let answer = self.ask(7, &request);
        let response: ottla_protocol::messages::leader_and_isr_response::LeaderAndIsrResponse<'_> = answer.get();
        assert_eq!(response.error_code, 0);
        response.topics.iter().flat_map(|topic| &topic.partition_errors).map(|error| error.error_code).collect()
    }

    pub fn update_metadata(&mut self, name: &str, id: Uuid, states: &[Led]) {
        let partition_states =
            states.iter().map(|(index, leader, epoch, isr, replicas)| UpdateMetadataPartitionState {
                partition_index: *index,
                controller_epoch: 1,
                leader: *leader,
                leader_epoch: *epoch,
                isr: isr.clone(),
                zk_version: *epoch,
                replicas: replicas.clone(),
                ..Default::default()
            });
        let topic = UpdateMetadataTopicState {
            topic_name: name.to_owned().into(),
            topic_id: id,
            partition_states: partition_states.collect(),
        };
        let brokers = [(BROKER_ID, 9092), (2, 9093)].map(|(id, port)| UpdateMetadataBroker {
            id,
            endpoints: vec![UpdateMetadataEndpoint {
                port,
                host: "localhost".into(),
                listener: "PLAINTEXT".into(),
                security_protocol: 0,
            }],
            rack: None,
            ..Default::default()
        });
        let request = UpdateMetadataRequest {
            controller_id: BROKER_ID,
            controller_epoch: 1,
            broker_epoch: BROKER_EPOCH,
            topic_states: vec![topic],
            live_brokers: brokers.to_vec(),
            ..Default::default()
        };
        let answer = self.ask(8, &request);
        let response: ottla_protocol::messages::update_metadata_response::UpdateMetadataResponse = answer.get();
        assert_eq!(response.error_code, 0);
    }

    /// The topics that the broker wants made, with the callbacks run by the caller.
    pub fn wanted_topics(&self) -> Vec<(Vec<String>, Option<ottla_broker::control::LocalDone>)> {
        let inputs = std::mem::take(&mut *self.inbox.0.lock());
        inputs
            .into_iter()
            .filter_map(|input| match input {
                ControlInput::Local(LocalRequest::CreateTopics { names, done }) => Some((names, done)),
                _ => None,
            })
            .collect()
    }
}

/// The id that [`Harness::topic`] gives.
pub fn topic_id(name: &str) -> Uuid {
    let mut bytes = [1; 16];
    for (at, byte) in name.bytes().enumerate() {
        bytes[at % 16] ^= byte;
    }
    Uuid(bytes)
}

/// One batch of values, timestamps `first_ms`, `first_ms + 1`, ….
pub fn batch(values: &[&str], first_ms: i64) -> Vec<u8> {
    batch_with(BatchOptions::default(), values, first_ms)
}

pub fn batch_with(options: BatchOptions, values: &[&str], first_ms: i64) -> Vec<u8> {
    let compressor = Compressor::new(Compression::None, None);
    let mut builder = RecordBatchBuilder::new(options, compressor);
    for (at, value) in values.iter().enumerate() {
        builder.append(first_ms + at as i64, None, Some(value.as_bytes()), &[]);
    }
    builder.finish().expect("a batch")
}

pub fn produce_request<'a>(topic: &'a str, acks: i16, partitions: &[(i32, &'a [u8])]) -> ProduceRequest<'a> {
    let partition_data = partitions
        .iter()
        .map(|&(index, records)| PartitionProduceData { index, records: Some(Records::from(records)) });
    let topic =
        TopicProduceData { name: topic.into(), topic_id: topic_id(topic), partition_data: partition_data.collect() };
    ProduceRequest { acks, timeout_ms: 1_000, topic_data: vec![topic], ..Default::default() }
}

/// A fetch of partitions given as index and offset.
pub fn fetch_request<'a>(topic: &'a str, partitions: &[(i32, i64)]) -> FetchRequest<'a> {
    let partitions = partitions.iter().map(|&(partition, fetch_offset)| FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    });
    let topic = FetchTopic { topic: topic.into(), topic_id: topic_id(topic), partitions: partitions.collect() };
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: 0,
        topics: vec![topic],
        ..Default::default()
    }
}

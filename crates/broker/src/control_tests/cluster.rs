//! Control planes of some brokers around one [`FakeKeeper`], with everything between them in queues that a seed empties.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use ottla_base::ids::TopicPartition;
use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_keeper::ops::{KeeperError, KeeperEvent, KeeperOp};
use ottla_protocol::messages::leader_and_isr_request::LeaderAndIsrRequest;
use ottla_protocol::messages::leader_and_isr_response::LeaderAndIsrResponse;
use ottla_protocol::messages::stop_replica_request::StopReplicaRequest;
use ottla_protocol::messages::stop_replica_response::StopReplicaResponse;
use ottla_protocol::messages::update_metadata_request::UpdateMetadataRequest;
use ottla_protocol::messages::update_metadata_response::UpdateMetadataResponse;
use ottla_protocol::{ApiKey, Frame, Message, Request, RequestHead, response_head};

use super::fake_keeper::FakeKeeper;
use crate::config::{BrokerConfig, ConfigMap, SharedConfig};
use crate::control::{ControlInput, ControlOutput, ControlRequest, Tag};
use crate::control_plane::{ControlPlane, ControlPlaneConfig, StoredIdentity};
use crate::reply::{Reply, ReplySink, Responder};

/// What a broker was told, and what it said of itself.
#[derive(Debug, Default)]
pub struct Told {
    /// Leader and leader epoch of each partition in the metadata.
    pub metadata: BTreeMap<TopicPartition, (i32, i32)>,
    pub live_brokers: Vec<i32>,
    /// Leader epoch of each replica here.
    pub replicas: BTreeMap<TopicPartition, i32>,
    /// Of the last controller.
    pub controller_epoch: i32,
    pub identity: Option<(String, i32)>,
    pub broker_epoch: i64,
    pub ready: u32,
    pub fatal: Option<String>,
    pub stopped: bool,
    pub config_changes: Vec<String>,
}

pub struct TestBroker {
    pub plane: ControlPlane,
    pub shared: Arc<SharedConfig>,
    pub told: Told,
    pub session: i64,
    to_keeper: VecDeque<(Tag, KeeperOp)>,
    from_keeper: VecDeque<ControlInput>,
    sends: VecDeque<(Tag, i32, ApiKey, i16, Frame)>,
    replies: VecDeque<ControlInput>,
    wants_session: bool,
    /// Requests to it get no answer.
    pub unreachable: bool,
}

/// The answer to a client, once it is there.
#[derive(Clone, Default)]
pub struct Answer(Arc<Mutex<Option<Reply>>>);

impl ReplySink for Answer {
    fn reply(self: Box<Self>, reply: Reply) {
        *self.0.lock().expect("a lock") = Some(reply);
    }
}

impl Answer {
    /// The body, decoded by `with`; panics when there is no answer yet.
    pub fn read<T>(&self, key: ApiKey, version: i16, with: impl FnOnce(&[u8]) -> T) -> T {
        let reply = self.0.lock().expect("a lock").take().expect("an answer");
        let Reply::Now(frame) = reply else { panic!("no frame: {reply:?}") };
        let bytes = frame.into_bytes().expect("bytes");
        let (_, body) = response_head(&bytes[4..], key, version).expect("a header");
        with(&bytes[bytes.len() - body.remaining()..])
    }

    pub fn is_there(&self) -> bool {
        self.0.lock().expect("a lock").is_some()
    }
}

pub struct Cluster {
    pub keeper: FakeKeeper,
    pub brokers: BTreeMap<i32, TestBroker>,
    pub random: Random,
    pub now: Now,
}

impl Cluster {
    pub fn new(seed: u64) -> Self {
        let now = Now { mono_us: 1_000_000, wall_ms: 1_700_000_000_000 };
        Self { keeper: FakeKeeper::default(), brokers: BTreeMap::new(), random: Random::new(seed), now }
    }

    /// One broker, started.
    pub fn of_one(seed: u64) -> Self {
        let mut cluster = Self::new(seed);
        cluster.start(1, "");
        cluster.settle();
        cluster
    }

    pub fn start(&mut self, id: i32, settings: &str) {
        self.start_as(id, &format!("broker.id={id}\n{settings}"), StoredIdentity::default());
    }

    /// `key` is the id under which the test knows the broker.
    pub fn start_as(&mut self, key: i32, settings: &str, stored: StoredIdentity) {
        let port = 9000 + key;
        let text = format!("listeners=PLAINTEXT://h:{port}\n{settings}");
        let properties = crate::config::parse_properties(&text).expect("properties");
        let file: ConfigMap = properties.into_iter().map(|p| (p.key, p.value)).collect();
        let config = BrokerConfig::from_map(file).expect("valid settings");
        let advertised = config.advertised_listeners.clone();
        let shared = Arc::new(SharedConfig::new(config));
        let seed = self.random.next_u64();
        let plane = ControlPlane::new(ControlPlaneConfig { shared: shared.clone(), advertised, stored, seed });
        let broker = TestBroker {
            plane,
            shared,
            told: Told::default(),
            session: 0,
            to_keeper: VecDeque::new(),
            from_keeper: VecDeque::new(),
            sends: VecDeque::new(),
            replies: VecDeque::new(),
            wants_session: true,
            unreachable: false,
        };
        self.brokers.insert(key, broker);
    }

    /// The process is gone; its session lives on in the keeper.
    pub fn kill(&mut self, id: i32) -> i64 {
        self.brokers.remove(&id).expect("a broker").session
    }

    pub fn expire(&mut self, session: i64) {
        self.keeper.expire(session);
        self.deliver_watches();
    }

    /// The session of a living broker runs out.
    pub fn expire_session_of(&mut self, id: i32) {
        let broker = self.brokers.get_mut(&id).expect("a broker");
        broker.to_keeper.clear();
        broker.from_keeper.clear();
        broker.from_keeper.push_back(ControlInput::Keeper(KeeperEvent::Expired));
        let session = std::mem::take(&mut broker.session);
        self.expire(session);
    }

    /// The connection breaks: some operations under way happen, none is answered; then it is back.
    pub fn break_connection(&mut self, id: i32) {
        let broker = self.brokers.get_mut(&id).expect("a broker");
        let under_way: Vec<(Tag, KeeperOp)> = broker.to_keeper.drain(..).collect();
        let (session, now) = (broker.session, self.now.wall_ms);
        let happen = if under_way.is_empty() { 0 } else { self.random.index(under_way.len() + 1) };
        for (_, op) in under_way.iter().take(happen) {
            let _ = self.keeper.apply(session, op, now);
        }
        let broker = self.brokers.get_mut(&id).expect("a broker");
        let mut inputs = VecDeque::new();
        // Answers that were on their way are lost; watches are set again, and fire again, by the client.
        for input in broker.from_keeper.drain(..) {
            inputs.push_back(match input {
                ControlInput::KeeperReply { tag, .. } => lost(tag),
                other => other,
            });
        }
        inputs.extend(under_way.into_iter().map(|(tag, _)| lost(tag)));
        inputs.push_back(ControlInput::Keeper(KeeperEvent::Disconnected));
        inputs.push_back(ControlInput::Keeper(KeeperEvent::Connected { session_id: session, resumed: true }));
        broker.from_keeper = inputs;
        self.deliver_watches();
    }

    fn deliver_watches(&mut self) {
        for (session, event) in std::mem::take(&mut self.keeper.fired) {
            if let Some(broker) = self.brokers.values_mut().find(|broker| broker.session == session) {
                broker.from_keeper.push_back(ControlInput::Keeper(event));
            }
        }
    }

    /// Hands one input to a broker and puts what it leads to into the queues.
    pub fn input(&mut self, id: i32, input: ControlInput) {
        let Some(broker) = self.brokers.get_mut(&id) else { return };
        let mut out = Vec::new();
        broker.plane.step(self.now, input, &mut out);
        for output in out {
            match output {
                ControlOutput::Keeper { tag, op } => broker.to_keeper.push_back((tag, op)),
                ControlOutput::Send { tag, broker_id, api_key, api_version, request, .. } => {
                    broker.sends.push_back((tag, broker_id, api_key, api_version, request));
                }
                ControlOutput::NewKeeperSession => broker.wants_session = true,
                ControlOutput::Identity { cluster_id, broker_id } => {
                    broker.told.identity = Some((cluster_id, broker_id))
                }
                ControlOutput::Registered { broker_epoch } => broker.told.broker_epoch = broker_epoch,
                ControlOutput::TopicConfigChanged { topic } => broker.told.config_changes.push(topic),
                ControlOutput::BrokerConfigChanged => broker.told.config_changes.push("broker".to_owned()),
                ControlOutput::Ready => broker.told.ready += 1,
                ControlOutput::Fatal(text) => broker.told.fatal = Some(text),
                ControlOutput::Stopped => broker.told.stopped = true,
            }
        }
    }

    /// One thing that can happen happens; false when nothing can.
    pub fn happen(&mut self) -> bool {
        self.deliver_watches();
        let mut choices: Vec<(i32, u8)> = Vec::new();
        for (id, broker) in &self.brokers {
            let open = [
                broker.wants_session,
                !broker.to_keeper.is_empty(),
                !broker.from_keeper.is_empty(),
                !broker.sends.is_empty(),
                !broker.replies.is_empty(),
            ];
            choices.extend((0..).zip(open).filter(|(_, open)| *open).map(|(kind, _)| (*id, kind)));
        }
        if choices.is_empty() {
            return false;
        }
        let (id, kind) = choices[self.random.index(choices.len())];
        self.now.mono_us += 100;
        let now_ms = self.now.wall_ms;
        let broker = self.brokers.get_mut(&id).expect("a broker");
        match kind {
            0 => {
                broker.wants_session = false;
                broker.session = self.keeper.new_session();
                let event = KeeperEvent::Connected { session_id: broker.session, resumed: false };
                broker.from_keeper.push_back(ControlInput::Keeper(event));
            }
            1 => {
                let (tag, op) = broker.to_keeper.pop_front().expect("an operation");
                let result = self.keeper.apply(broker.session, &op, now_ms);
                // A watch is told before the answer to what fired it.
                self.deliver_watches();
                let broker = self.brokers.get_mut(&id).expect("a broker");
                broker.from_keeper.push_back(ControlInput::KeeperReply { tag, result });
            }
            2 => {
                let input = broker.from_keeper.pop_front().expect("an input");
                self.input(id, input);
            }
            3 => {
                let (tag, to, api_key, api_version, frame) = broker.sends.pop_front().expect("a request");
                let body = self.receive(to, frame);
                let reply = ControlInput::BrokerReply { tag, api_key, api_version, body };
                self.brokers.get_mut(&id).expect("a broker").replies.push_back(reply);
            }
            _ => {
                let input = broker.replies.pop_front().expect("a reply");
                self.input(id, input);
            }
        }
        true
    }

    /// What a broker's data part does with a controller's request.
    fn receive(&mut self, to: i32, frame: Frame) -> Option<Vec<u8>> {
        let broker = self.brokers.get_mut(&to).filter(|broker| !broker.unreachable)?;
        let bytes = frame.into_bytes().expect("bytes");
        let head = RequestHead::decode(&bytes[4..]).expect("a request");
        let version = head.version;
        let body = match head.api_key {
            ApiKey::LeaderAndIsr => {
                let request: LeaderAndIsrRequest<'_> = head.decode_body().expect("a body");
                let error_code = broker.told.fence(request.controller_epoch, request.broker_epoch);
                if error_code == 0 {
                    broker.told.lead(&request);
                }
                LeaderAndIsrResponse { error_code, ..LeaderAndIsrResponse::default() }.to_bytes(version)
            }
            ApiKey::UpdateMetadata => {
                let request: UpdateMetadataRequest<'_> = head.decode_body().expect("a body");
                let error_code = broker.told.fence(request.controller_epoch, request.broker_epoch);
                if error_code == 0 {
                    broker.told.learn(&request);
                    self.input(to, ControlInput::Local(crate::control::LocalRequest::MetadataChanged));
                }
                UpdateMetadataResponse { error_code }.to_bytes(version)
            }
            ApiKey::StopReplica => {
                let request: StopReplicaRequest<'_> = head.decode_body().expect("a body");
                let error_code = broker.told.fence(request.controller_epoch, request.broker_epoch);
                if error_code == 0 {
                    for topic in &request.topic_states {
                        for partition in &topic.partition_states {
                            assert!(partition.delete_partition);
                            let id = TopicPartition::new(&*topic.topic_name, partition.partition_index);
                            broker.told.replicas.remove(&id);
                        }
                    }
                }
                StopReplicaResponse { error_code, ..StopReplicaResponse::default() }.to_bytes(version)
            }
            key => panic!("the controller does not send {key:?}"),
        };
        Some(body.expect("a response"))
    }

    /// Lets time pass.
    pub fn tick(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        for id in self.brokers.keys().copied().collect::<Vec<_>>() {
            self.input(id, ControlInput::Tick);
        }
    }

    /// Until nothing happens any more, not even with two seconds of time.
    pub fn settle(&mut self) {
        for _ in 0..20 {
            let steps = (0..2_000_000).take_while(|_| self.happen()).count();
            assert!(steps < 2_000_000, "it goes on for ever");
            self.tick(100);
        }
        while self.happen() {}
    }

    pub fn some_steps(&mut self, most: usize) {
        for _ in 0..self.random.index(most + 1) {
            self.happen();
        }
    }

    /// Sends a client's request; the answer comes when it comes.
    pub fn request<'a, M: Request<'a>>(&mut self, id: i32, version: i16, request: &M) -> Answer {
        let answer = Answer::default();
        let sink: Box<dyn ReplySink> = Box::new(answer.clone());
        let responder = Responder { sink, api_key: M::KEY, api_version: version, correlation_id: 1 };
        let request = ControlRequest {
            api_key: M::KEY,
            api_version: version,
            body: request.to_bytes(version).expect("a body"),
            client_id: "test".to_owned(),
            principal: "User:ANONYMOUS".into(),
            listener: "PLAINTEXT".into(),
        };
        self.input(id, ControlInput::Request { request, responder });
        answer
    }

    /// The broker that `/controller` names.
    pub fn controller(&self) -> i32 {
        crate::znodes::decode_controller(self.keeper.text(crate::znodes::CONTROLLER).as_bytes()).expect("a controller")
    }
}

fn lost(tag: Tag) -> ControlInput {
    ControlInput::KeeperReply { tag, result: Err(KeeperError::ConnectionLoss) }
}

impl Told {
    /// The error of a request from an old controller or to an old life of this broker.
    fn fence(&mut self, controller_epoch: i32, broker_epoch: i64) -> i16 {
        if controller_epoch < self.controller_epoch {
            return 11;
        }
        if broker_epoch < self.broker_epoch {
            return 77;
        }
        self.controller_epoch = controller_epoch;
        0
    }

    fn lead(&mut self, request: &LeaderAndIsrRequest<'_>) {
        for topic in &request.topic_states {
            for partition in &topic.partition_states {
                let id = TopicPartition::new(&*topic.topic_name, partition.partition_index);
                let before = self.replicas.insert(id.clone(), partition.leader_epoch).unwrap_or(-1);
                assert!(before <= partition.leader_epoch, "the epoch of {id} goes back");
            }
        }
    }

    fn learn(&mut self, request: &UpdateMetadataRequest<'_>) {
        self.live_brokers = request.live_brokers.iter().map(|broker| broker.id).collect();
        if request.type_ == 2 {
            self.metadata.clear();
        }
        for topic in &request.topic_states {
            for partition in &topic.partition_states {
                let id = TopicPartition::new(&*topic.topic_name, partition.partition_index);
                if partition.leader == -2 {
                    self.metadata.remove(&id);
                } else {
                    self.metadata.insert(id, (partition.leader, partition.leader_epoch));
                }
            }
        }
    }
}

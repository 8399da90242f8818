//! Drives the broker's control plane: one thread that feeds the step machine and carries out what it wants.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use ottla_base::time::Now;
use ottla_broker::broker::Broker;
use ottla_broker::config::BrokerConfig;
use ottla_broker::control::{ControlInbox, ControlInput, ControlOutput, Tag};
use ottla_broker::reply::{Reply, ReplySink};
use ottla_broker::request::ConnectionInfo;
use ottla_client::keeper_client::{KeeperClient, KeeperClientConfig};
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperOp};
use ottla_protocol::{ApiKey, Frame};
use ottla_storage::meta_properties::MetaProperties;

use crate::broker_link::{BrokerLinks, Outgoing, body_of};
use crate::clock::Clock;
use crate::gate::Gate;
use crate::keeper_node::StartError;
use crate::progress::{NodeState, Progress};
use crate::runtime::Cores;

/// The control plane is told of time at least this often.
const TICK: Duration = Duration::from_millis(100);
/// How long a goodbye to the keeper may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often making the chroot looks whether the node is to stop, while no keeper answers.
const CHROOT_LOOK: Duration = Duration::from_millis(500);

/// The queue into the control plane. The connections' requests are bounded by their number; the rest are answers to
/// what the control plane itself asked.
#[derive(Debug)]
pub(crate) struct Inbox(pub(crate) Sender<ControlInput>);

impl ControlInbox for Inbox {
    fn submit(&self, input: ControlInput) {
        // Nobody listens any more once the node has stopped.
        let _ = self.0.send(input);
    }
}

/// One step of the control plane.
pub(crate) type Step = Box<dyn FnMut(Now, ControlInput, &mut Vec<ControlOutput>) + Send>;

/// The driver's thread, before it runs.
pub(crate) struct ControlDriver {
    pub(crate) step: Step,
    pub(crate) queue: Receiver<ControlInput>,
    pub(crate) inbox: Arc<dyn ControlInbox>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) cores: Arc<Cores>,
    pub(crate) clock: Clock,
    pub(crate) keeper: KeeperClientConfig,
    pub(crate) links: BrokerLinks,
    pub(crate) inter_broker_listener: Arc<str>,
    pub(crate) progress: Arc<Progress>,
    /// Lets others connect: run once, when the broker is registered and so the controller may call.
    pub(crate) open_listeners: Option<Box<dyn FnOnce() -> Result<(), StartError> + Send>>,
    /// Called with the settings when dynamic ones changed them.
    pub(crate) on_broker_config: Box<dyn Fn(&BrokerConfig) + Send>,
}

impl ControlDriver {
    /// Runs until the control plane has stopped or failed.
    pub(crate) fn run(mut self) {
        self.make_chroot();
        let mut session = self.new_session();
        let mut outputs = Vec::new();
        let mut tick_at = Instant::now();
        loop {
            let wait = tick_at.saturating_duration_since(Instant::now());
            // Looked at first: a queue that is never empty must not stop the time.
            let received = if wait.is_zero() { Err(RecvTimeoutError::Timeout) } else { self.queue.recv_timeout(wait) };
            let input = match received {
                Ok(input) => input,
                Err(RecvTimeoutError::Timeout) => {
                    tick_at = Instant::now() + TICK;
                    ControlInput::Tick
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            (self.step)(self.clock.now(), input, &mut outputs);
            let mut over = false;
            for output in outputs.drain(..) {
                over |= self.carry_out(output, &mut session);
            }
            if over {
                break;
            }
        }
        self.cores.block_on(async move { session.close(CLOSE_TIMEOUT).await });
        self.progress.control_ended();
    }

    fn broker(&self) -> &Arc<Broker> {
        self.gate.broker()
    }

    /// Makes the chroot of `zookeeper.connect`, as Kafka does at its start; through a session of its own, which sees the
    /// whole tree. What goes wrong here, the control plane's first operation meets again and reports.
    fn make_chroot(&self) {
        let mut config = self.keeper.clone();
        let chroot = std::mem::take(&mut config.servers.chroot);
        if chroot.is_empty() {
            return;
        }
        let progress = Arc::clone(&self.progress);
        self.cores.block_on(async move {
            let client = KeeperClient::spawn(config, |_| {});
            while client.wait_connected(CHROOT_LOOK).await.is_err() {
                if progress.state() != NodeState::Starting || progress.is_stop_asked() {
                    return;
                }
            }
            for (end, _) in chroot.match_indices('/').skip(1).chain([(chroot.len(), "")]) {
                let path = chroot[..end].to_owned();
                let op = KeeperOp::Create { path, data: None, acl: AclEntry::open(), mode: CreateMode::Persistent };
                match client.call(op).await {
                    Err(error) if !error.is_node_exists() => {
                        tracing::warn!(?error, chroot = &chroot[..end], "cannot make the chroot of zookeeper.connect");
                        break;
                    }
                    _ => {}
                }
            }
            client.close(CLOSE_TIMEOUT).await;
        });
    }

    fn new_session(&self) -> KeeperClient {
        let inbox = Arc::clone(&self.inbox);
        let _runtime = self.cores.enter();
        KeeperClient::spawn(self.keeper.clone(), move |event| inbox.submit(ControlInput::Keeper(event)))
    }

    /// True when this was the end.
    fn carry_out(&mut self, output: ControlOutput, session: &mut KeeperClient) -> bool {
        match output {
            ControlOutput::Keeper { tag, op } => self.ask_keeper(session, tag, op),
            ControlOutput::Send { tag, broker_id, endpoint, api_key, api_version, request } => {
                if broker_id == self.broker().shared.broker_id() {
                    self.send_to_self(tag, api_key, api_version, request);
                } else {
                    self.links.send(broker_id, Outgoing { tag, endpoint, api_key, api_version, request });
                }
            }
            ControlOutput::NewKeeperSession => *session = self.new_session(),
            ControlOutput::Identity { cluster_id, broker_id } => {
                self.broker().set_identity(&cluster_id, broker_id);
                self.write_meta_properties(&cluster_id, broker_id);
            }
            ControlOutput::Registered { broker_epoch } => {
                self.broker().set_broker_epoch(broker_epoch);
                if let Some(open) = self.open_listeners.take()
                    && let Err(error) = open()
                {
                    self.progress.fail(error.to_string());
                    return true;
                }
            }
            ControlOutput::TopicConfigChanged { topic } => self.broker().topic_config_changed(&topic),
            ControlOutput::BrokerConfigChanged => {
                self.broker().broker_config_changed();
                (self.on_broker_config)(&self.broker().config());
            }
            ControlOutput::Ready => {
                self.gate.open();
                self.progress.ready();
            }
            ControlOutput::Fatal(why) => {
                self.progress.fail(why);
                return true;
            }
            ControlOutput::Stopped => return true,
        }
        false
    }

    fn ask_keeper(&self, session: &KeeperClient, tag: Tag, op: KeeperOp) {
        let inbox = Arc::clone(&self.inbox);
        session.submit(op, Box::new(move |result| inbox.submit(ControlInput::KeeperReply { tag, result })));
    }

    /// The controller tells its own broker by the same frames as the others.
    fn send_to_self(&self, tag: Tag, api_key: ApiKey, api_version: i16, request: Frame) {
        let answer = |reply| broker_reply(tag, api_key, api_version, reply);
        let Ok(mut bytes) = request.into_bytes() else {
            return self.inbox.submit(answer(Reply::None));
        };
        let mut connection = ConnectionInfo {
            id: 0,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            listener: Arc::clone(&self.inter_broker_listener),
            principal: "User:ANONYMOUS".into(),
            client_software: None,
        };
        let mut make_sink = || -> Box<dyn ReplySink> {
            Box::new(ToInbox { inbox: Arc::clone(&self.inbox), tag, api_key, api_version })
        };
        let frame = bytes.get_mut(4..).unwrap_or_default();
        match self.broker().handle(self.clock.now(), frame, &mut connection, &mut make_sink) {
            Reply::Later => {}
            reply => self.inbox.submit(answer(reply)),
        }
    }

    /// Marks the log directories that have no owner yet.
    fn write_meta_properties(&self, cluster_id: &str, broker_id: i32) {
        let meta = MetaProperties::v0(cluster_id, broker_id);
        for dir in self.broker().replicas.logs().live_dirs() {
            // A failure takes the directory offline and is logged there.
            let _ = dir.guard("write meta.properties", || {
                let disk = dir.disk().as_ref();
                match MetaProperties::read(disk, dir.path())? {
                    Some(there) if there.cluster_id.is_some() && there.broker_id.is_some() => Ok(()),
                    _ => meta.write(disk, dir.path()),
                }
            });
        }
    }
}

/// A late answer of the own broker.
struct ToInbox {
    inbox: Arc<dyn ControlInbox>,
    tag: Tag,
    api_key: ApiKey,
    api_version: i16,
}

impl ReplySink for ToInbox {
    fn reply(self: Box<Self>, reply: Reply) {
        let Self { inbox, tag, api_key, api_version } = *self;
        inbox.submit(broker_reply(tag, api_key, api_version, reply));
    }
}

/// A broker's answer as the control plane wants it.
fn broker_reply(tag: Tag, api_key: ApiKey, api_version: i16, reply: Reply) -> ControlInput {
    let body = match reply {
        Reply::Now(frame) => frame
            .into_bytes()
            .ok()
            .and_then(|bytes| bytes.get(4..).and_then(|answer| body_of(answer, api_key, api_version).ok())),
        Reply::Later | Reply::None | Reply::Close(_) => None,
    };
    ControlInput::BrokerReply { tag, api_key, api_version, body }
}

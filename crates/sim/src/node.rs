//! One node: the broker, its control plane and its keeper, wired as `server` wires them, without threads. Every act of a
//! thread over there is a function here.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ottla_base::disk::Disk;
use ottla_base::random::Random;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use ottla_broker::broker::{Broker, BrokerParts};
use ottla_broker::config::{BrokerConfig, SharedConfig};
use ottla_broker::control::{ControlInbox, ControlInput, ControlOutput, ControlPlane, ControlPlaneConfig, Tag};
use ottla_broker::control_plane::StoredIdentity;
use ottla_broker::metadata_cache::MetadataCache;
use ottla_broker::reply::{Reply, ReplySink};
use ottla_broker::request::ConnectionInfo;
use ottla_protocol::{ApiKey, Frame, response_head};
use ottla_storage::LogManager;
use ottla_storage::config::ManagerConfig;
use ottla_storage::meta_properties::{self, MetaProperties};
use parking_lot::Mutex;

use crate::keeper_link::{Heard, KeeperLink};
use crate::keeper_process::KeeperProcess;
use crate::plan::Plan;

/// Time between two ticks of the control plane and of the broker's timers.
const TICK_MS: u64 = 100;

/// The queue into the control plane.
#[derive(Debug, Default)]
struct Inbox(Mutex<VecDeque<ControlInput>>);

impl ControlInbox for Inbox {
    fn submit(&self, input: ControlInput) {
        self.0.lock().push_back(input);
    }
}

/// Where a late answer arrives.
#[derive(Clone, Debug, Default)]
pub struct Late(Arc<Mutex<Option<Reply>>>);

impl Late {
    /// The answer, once it has come.
    #[must_use]
    pub fn take(&self) -> Option<Reply> {
        self.0.lock().take()
    }

    #[must_use]
    pub fn has_come(&self) -> bool {
        self.0.lock().is_some()
    }
}

impl ReplySink for Late {
    fn reply(self: Box<Self>, reply: Reply) {
        let before = self.0.lock().replace(reply);
        assert!(before.is_none(), "a request is answered once");
    }
}

/// Work that comes again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    Retention,
    RecoveryPoints,
    LogStarts,
    HighWatermarks,
    ProducerExpiry,
    Deletions,
    Flush,
    Loads,
    Cleaning,
    KeeperPurge,
    ControlTick,
    BrokerTick,
}

/// How a node came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    Stopped,
    Failed(String),
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    pub broker: Arc<Broker>,
    pub keeper: KeeperProcess,
    plane: ControlPlane,
    inbox: Arc<Inbox>,
    link: KeeperLink,
    session_timeout_ms: u32,
    tasks: BTreeMap<Task, (u64, u64)>,
    cleaner_secret: [u64; 2],
    listener: Arc<str>,
    /// Serves clients.
    pub ready: bool,
    pub over: Option<Over>,
}

impl Node {
    /// Starts on what the disk has. An error is what `ottla start` would print.
    pub fn boot(disk: &SimDisk, plan: &Plan, random: &mut Random, now: Now) -> Result<Self, String> {
        let shared_disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let config = BrokerConfig::from_map(plan.settings.clone()).map_err(|e| e.to_string())?;
        let manager_config = ManagerConfig {
            producer_id_expiration_ms: i64::from(config.producer_id_expiration_ms),
            cleaner_dedupe_buffer_bytes: config.log_cleaner_dedupe_buffer_size as usize,
            ..ManagerConfig::default()
        };
        let logs =
            LogManager::open(Arc::clone(&shared_disk), &plan.log_dirs, manager_config).map_err(|e| e.to_string())?;
        let logs = Arc::new(logs);
        let stored =
            meta_properties::identify(disk, &plan.log_dirs, None, config.broker_id).map_err(|e| e.to_string())?;
        let mut keeper =
            KeeperProcess::start(shared_disk, plan.keeper_storage.clone(), plan.keeper.clone(), random.fork(), now)?;
        if let Some(id) = stored.broker_id {
            let path = format!("/brokers/ids/{id}");
            let owner = keeper.server.db().tree().get(&path).map(|node| node.stat().ephemeral_owner);
            if let Some(owner) = owner.filter(|owner| *owner != 0) {
                keeper.end_session(now, owner);
            }
        }
        let shared = Arc::new(SharedConfig::new(config.clone()));
        logs.load(&|topic| Arc::new(shared.log_config(topic)), now).map_err(|e| e.to_string())?;
        let inbox = Arc::new(Inbox::default());
        let broker = Broker::new(BrokerParts {
            config: Arc::clone(&shared),
            logs,
            metadata: Arc::new(MetadataCache::default()),
            control: Arc::clone(&inbox) as Arc<dyn ControlInbox>,
            random: random.fork(),
        });
        let plane = ControlPlane::new(ControlPlaneConfig {
            shared,
            advertised: config.advertised_listeners.clone(),
            stored: StoredIdentity { cluster_id: stored.cluster_id, broker_id: stored.broker_id },
            seed: random.next_u64(),
        });
        let session_timeout_ms = config.zookeeper_session_timeout_ms as u32;
        Ok(Self {
            broker,
            keeper,
            plane,
            inbox,
            link: KeeperLink::new(session_timeout_ms),
            session_timeout_ms,
            tasks: tasks(&config, now),
            cleaner_secret: [random.next_u64(), random.next_u64()],
            listener: config.inter_broker_listener_name.as_str().into(),
            ready: false,
            over: None,
        })
    }

    /// Tasks whose time has come.
    #[must_use]
    pub fn due(&self, now: Now) -> Vec<Task> {
        let deadline = self.broker.next_deadline_ms().unwrap_or(u64::MAX);
        let is_due =
            |task: Task, due: u64| due.min(if task == Task::BrokerTick { deadline } else { due }) <= now.mono_ms();
        self.tasks.iter().filter(|(task, (due, _))| is_due(**task, *due)).map(|(task, _)| *task).collect()
    }

    /// When the next task is due, in milliseconds of the clock that never goes back.
    #[must_use]
    pub fn next_due_ms(&self) -> u64 {
        let tasks = self.tasks.values().map(|(due, _)| *due);
        let others =
            [self.broker.next_deadline_ms(), Some(self.keeper.server.next_tick_ms()), self.link.next_ping_ms()];
        tasks.chain(others.into_iter().flatten()).min().unwrap_or(u64::MAX)
    }

    /// Runs a task and plans its next run.
    pub fn run(&mut self, task: Task, now: Now) {
        let logs = self.broker.replicas.logs();
        let mut again = false;
        match task {
            Task::Retention => drop(logs.run_retention(now)),
            Task::RecoveryPoints => logs.checkpoint_recovery_points(),
            Task::LogStarts => logs.checkpoint_log_start_offsets(),
            Task::HighWatermarks => logs.checkpoint_high_watermarks(),
            Task::ProducerExpiry => logs.remove_expired_producers(now),
            Task::Deletions => drop(logs.run_deletions(now)),
            Task::Flush => {
                logs.flush_sealed(now);
                logs.flush_dirty(now);
            }
            Task::Loads => again = self.broker.run_loads(now),
            Task::Cleaning => again = logs.clean_one(self.cleaner_secret, now).is_some(),
            Task::KeeperPurge => self.keeper.purge(),
            Task::ControlTick => self.control(now, ControlInput::Tick),
            Task::BrokerTick => self.broker.tick(now),
        }
        if let Some((due, every)) = self.tasks.get_mut(&task) {
            *due = if again { now.mono_ms() } else { now.mono_ms() + *every };
        }
    }

    /// The control plane has something to take in.
    #[must_use]
    pub fn has_control_input(&self) -> bool {
        !self.inbox.0.lock().is_empty()
    }

    /// The control plane takes in what has waited longest.
    pub fn run_control(&mut self, now: Now) {
        let input = self.inbox.0.lock().pop_front();
        if let Some(input) = input {
            self.control(now, input);
        }
    }

    fn control(&mut self, now: Now, input: ControlInput) {
        if self.over.is_some() {
            return;
        }
        let mut outputs = Vec::new();
        self.plane.step(now, input, &mut outputs);
        for output in outputs {
            self.carry_out(now, output);
        }
    }

    /// Begins an orderly stop.
    pub fn shut_down(&mut self, now: Now) {
        self.control(now, ControlInput::Shutdown);
    }

    /// The rest of an orderly stop, after the control plane has left.
    pub fn close(&mut self, now: Now) {
        let epoch = self.broker.shared.broker_epoch();
        self.broker.replicas.logs().close(epoch, now);
    }

    #[must_use]
    pub fn link_ready(&self, now: Now) -> bool {
        self.link.is_ready(&self.keeper, now)
    }

    /// The broker's own keeper session sends and receives.
    pub fn run_link(&mut self, now: Now) {
        let heard = self.link.run(&mut self.keeper, now);
        self.hear(heard);
    }

    /// The broker's connection to the keeper breaks.
    pub fn cut_link(&mut self, now: Now) {
        let heard = self.link.cut(&mut self.keeper, now);
        self.hear(heard);
    }

    fn hear(&mut self, heard: Vec<Heard>) {
        for heard in heard {
            self.inbox.submit(match heard {
                Heard::Event(event) => ControlInput::Keeper(event),
                Heard::Reply(tag, result) => ControlInput::KeeperReply { tag: Tag(tag), result },
            });
        }
    }

    fn carry_out(&mut self, now: Now, output: ControlOutput) {
        match output {
            ControlOutput::Keeper { tag, op } => self.link.submit(tag.0, op),
            ControlOutput::Send { tag, broker_id, api_key, api_version, request, .. } => {
                assert_eq!(broker_id, self.broker.shared.broker_id(), "there is no other broker");
                self.send_to_self(now, tag, api_key, api_version, request);
            }
            ControlOutput::NewKeeperSession => {
                let heard = self.link.cut(&mut self.keeper, now);
                drop(heard); // of the session that is over
                self.link = KeeperLink::new(self.session_timeout_ms);
            }
            ControlOutput::Identity { cluster_id, broker_id } => {
                self.broker.set_identity(&cluster_id, broker_id);
                self.write_meta_properties(&cluster_id, broker_id);
            }
            ControlOutput::Registered { broker_epoch } => self.broker.set_broker_epoch(broker_epoch),
            ControlOutput::TopicConfigChanged { topic } => self.broker.topic_config_changed(&topic),
            ControlOutput::BrokerConfigChanged => self.broker.broker_config_changed(),
            ControlOutput::Ready => self.ready = true,
            ControlOutput::Fatal(why) => self.over = Some(Over::Failed(why)),
            ControlOutput::Stopped => self.over = Some(Over::Stopped),
        }
    }

    fn send_to_self(&self, now: Now, tag: Tag, api_key: ApiKey, api_version: i16, request: Frame) {
        let answer = |reply| broker_reply(tag, api_key, api_version, reply);
        let mut bytes = request.into_bytes().expect("a request has no pieces of files");
        let mut connection = connection(0, &self.listener);
        let inbox: Arc<dyn ControlInbox> = Arc::clone(&self.inbox) as Arc<dyn ControlInbox>;
        let mut make_sink =
            || -> Box<dyn ReplySink> { Box::new(ToInbox { inbox: Arc::clone(&inbox), tag, api_key, api_version }) };
        match self.broker.handle(now, &mut bytes[4..], &mut connection, &mut make_sink) {
            Reply::Later => {}
            reply => self.inbox.submit(answer(reply)),
        }
    }

    fn write_meta_properties(&self, cluster_id: &str, broker_id: i32) {
        let meta = MetaProperties::v0(cluster_id, broker_id);
        for dir in self.broker.replicas.logs().live_dirs() {
            // A failure takes the directory offline.
            let _ = dir.guard("write meta.properties", || {
                let disk = dir.disk().as_ref();
                match MetaProperties::read(disk, dir.path())? {
                    Some(there) if there.cluster_id.is_some() && there.broker_id.is_some() => Ok(()),
                    _ => meta.write(disk, dir.path()),
                }
            });
        }
    }

    /// A client's request, without its size.
    pub fn handle(&self, now: Now, frame: &mut [u8], connection: &mut ConnectionInfo, late: &Late) -> Reply {
        let mut make_sink = || Box::new(late.clone()) as Box<dyn ReplySink>;
        self.broker.handle(now, frame, connection, &mut make_sink)
    }
}

/// A client's connection.
#[must_use]
pub fn connection(id: u64, listener: &str) -> ConnectionInfo {
    ConnectionInfo {
        id,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        listener: listener.into(),
        principal: "User:ANONYMOUS".into(),
        client_software: None,
    }
}

/// Tasks with the time of their next run and the time between two, as the server's `log_tasks` has them.
fn tasks(config: &BrokerConfig, now: Now) -> BTreeMap<Task, (u64, u64)> {
    let ms = |value: i64| u64::try_from(value).map_or(1 << 50, |ms| ms.max(1));
    let now = now.mono_ms();
    let initial = ms(config.log_initial_task_delay_ms);
    let plain = |every: u64| (now + every, every);
    let delayed = |every: u64| (now + initial, every);
    BTreeMap::from([
        (Task::Retention, delayed(ms(config.log_retention_check_interval_ms))),
        (Task::RecoveryPoints, delayed(ms(i64::from(config.log_flush_offset_checkpoint_interval_ms)))),
        (Task::LogStarts, delayed(ms(i64::from(config.log_flush_start_offset_checkpoint_interval_ms)))),
        (Task::HighWatermarks, plain(ms(config.replica_high_watermark_checkpoint_interval_ms))),
        (Task::ProducerExpiry, plain(ms(i64::from(config.producer_id_expiration_check_interval_ms)))),
        (Task::Deletions, plain(1_000)),
        (Task::Flush, plain(1_000)),
        (Task::Loads, plain(100)),
        (Task::Cleaning, plain(ms(config.log_cleaner_backoff_ms))),
        (Task::KeeperPurge, plain(20_000)),
        (Task::ControlTick, plain(TICK_MS)),
        (Task::BrokerTick, plain(TICK_MS)),
    ])
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
        self.inbox.submit(broker_reply(self.tag, self.api_key, self.api_version, reply));
    }
}

/// A broker's answer as the control plane wants it.
fn broker_reply(tag: Tag, api_key: ApiKey, api_version: i16, reply: Reply) -> ControlInput {
    let body = match reply {
        Reply::Now(frame) => frame.into_bytes().ok().and_then(|bytes| {
            let (_, body) = response_head(bytes.get(4..)?, api_key, api_version).ok()?;
            Some(body.rest().to_vec())
        }),
        Reply::Later | Reply::None | Reply::Close(_) => None,
    };
    ControlInput::BrokerReply { tag, api_key, api_version, body }
}

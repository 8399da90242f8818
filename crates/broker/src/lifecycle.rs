//! From a keeper session to a registered broker, and back out of the cluster in good order.

use std::collections::BTreeMap;

use ottla_keeper::ops::{AclEntry, CreateMode, KeeperError, KeeperOp, KeeperReply, KeeperResult};
use ottla_keeper::proto::ErrorCode as KeeperCode;

use crate::config::{ConfigMap, Endpoint};
use crate::control::ControlOutput;
use crate::control_plane::{ControlPlane, StoredIdentity, Then};
use crate::znodes::{self, BrokerRegistration};

/// Notifications about settings are deleted when they are this old (`ZkNodeChangeNotificationListener`).
const CHANGE_EXPIRATION_MS: i64 = 15 * 60 * 1_000;
/// How often a registration that is in the way is looked at again.
const REGISTRATION_RETRY_MS: u64 = 500;

/// What was under way when a batch of the lifecycle finished.
#[derive(Debug)]
pub(crate) enum LifecycleStep {
    Roots,
    ClusterIdCreated {
        id: String,
    },
    BrokerIdGenerated,
    /// Settings of brokers, children of `/config/topics` and of `/config/changes`.
    Configs,
    TopicConfigs {
        topics: Vec<String>,
    },
    ConfigChanges,
    ConfigChangesRead {
        sequences: Vec<u64>,
    },
    ChangedConfigs {
        paths: Vec<String>,
    },
    Registration,
    RegistrationOwner,
}

/// Where the broker stands in its cluster.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    stored: StoredIdentity,
    advertised: Vec<Endpoint>,
    /// 0 without a session.
    pub session_id: i64,
    pub broker_id: Option<i32>,
    cluster_id: Option<String>,
    /// `None` while not registered.
    pub broker_epoch: Option<i64>,
    /// When another registration under our id was first seen, and when to look again.
    blocked: Option<(u64, u64)>,
    /// Since when, by the clock that never goes back.
    is_ready: bool,
    /// A controller has told us of the cluster since we registered.
    pub told_of_cluster: bool,
    pub stopping: bool,
    /// The last notification about settings that was seen, and when each was made.
    last_change: Option<u64>,
    change_times: BTreeMap<u64, i64>,
    cluster_config: ConfigMap,
    broker_config: ConfigMap,
}

impl Lifecycle {
    pub fn new(stored: StoredIdentity, advertised: Vec<Endpoint>) -> Self {
        Self {
            stored,
            advertised,
            session_id: 0,
            broker_id: None,
            cluster_id: None,
            broker_epoch: None,
            blocked: None,
            is_ready: false,
            told_of_cluster: false,
            stopping: false,
            last_change: None,
            change_times: BTreeMap::new(),
            cluster_config: ConfigMap::new(),
            broker_config: ConfigMap::new(),
        }
    }

    pub fn session_lost(&mut self) {
        self.session_id = 0;
        self.broker_epoch = None;
        self.blocked = None;
        self.told_of_cluster = false;
    }
}

/// A persistent znode that everybody may use.
pub(crate) fn create(path: impl Into<String>, data: Option<Vec<u8>>) -> KeeperOp {
    KeeperOp::Create { path: path.into(), data, acl: AclEntry::open(), mode: CreateMode::Persistent }
}

pub(crate) fn get(path: impl Into<String>, watch: bool) -> KeeperOp {
    KeeperOp::GetData { path: path.into(), watch }
}

pub(crate) fn children(path: impl Into<String>, watch: bool) -> KeeperOp {
    KeeperOp::GetChildren { path: path.into(), watch }
}

/// The data of a result of GetData; nothing for a missing znode or another failure.
pub(crate) fn data_of(result: &KeeperResult) -> Option<&[u8]> {
    match result {
        Ok(KeeperReply::Data { data, .. }) => Some(data.as_deref().unwrap_or_default()),
        _ => None,
    }
}

/// The children in a result of GetChildren; none for a missing znode or another failure.
pub(crate) fn children_of(result: &KeeperResult) -> &[String] {
    match result {
        Ok(KeeperReply::Children { children, .. }) => children,
        _ => &[],
    }
}

/// The number behind a sequential znode's prefix.
fn sequence_of(name: &str) -> Option<u64> {
    name.strip_prefix("config_change_")?.parse().ok()
}

impl ControlPlane {
    pub(crate) fn start_session(&mut self) {
        let mut ops: Vec<KeeperOp> = znodes::PERSISTENT_ROOTS.iter().map(|path| create(*path, None)).collect();
        ops.push(get(znodes::CLUSTER_ID, false));
        self.keeper(ops, Then::Lifecycle(LifecycleStep::Roots));
    }

    pub(crate) fn on_lifecycle_step(&mut self, step: LifecycleStep, results: Vec<KeeperResult>, retried: bool) {
        match step {
            LifecycleStep::Roots => self.on_roots(&results),
            LifecycleStep::ClusterIdCreated { id } => match &results[0] {
                Ok(_) => self.check_cluster_id(id),
                // Another broker was quicker, or we were, on a connection that broke.
                Err(_) => self.start_session(),
            },
            LifecycleStep::BrokerIdGenerated => self.on_broker_id_generated(&results[0]),
            LifecycleStep::Configs => self.on_configs(&results),
            LifecycleStep::TopicConfigs { topics } => {
                for (topic, result) in topics.iter().zip(&results) {
                    self.take_topic_config(topic, result);
                }
                self.register();
            }
            LifecycleStep::ConfigChanges => self.on_config_changes(&results[0]),
            LifecycleStep::ConfigChangesRead { sequences } => self.on_config_changes_read(&sequences, &results),
            LifecycleStep::ChangedConfigs { paths } => self.on_changed_configs(&paths, &results),
            LifecycleStep::Registration => self.on_registration(&results[0], retried),
            LifecycleStep::RegistrationOwner => self.on_registration_owner(&results[0]),
        }
    }

    fn on_roots(&mut self, results: &[KeeperResult]) {
        let refused = results.iter().zip(znodes::PERSISTENT_ROOTS).find_map(|(result, path)| match result {
            Err(error) if !error.is_node_exists() => Some((path, error)),
            _ => None,
        });
        if let Some((path, error)) = refused {
            return self.fatal(format!(
                "the keeper refused to create {path}: {error:?}; create the chroot of zookeeper.connect, or allow this broker to write there"
            ));
        }
        let Some(result) = results.last() else { return };
        match data_of(result).map(znodes::decode_cluster_id) {
            Some(Ok(id)) => self.check_cluster_id(id),
            Some(Err(error)) => self.fatal(format!("{error}; repair {} in the keeper", znodes::CLUSTER_ID)),
            None => match self.lifecycle.stored.cluster_id.clone() {
                Some(stored) => self.fatal(format!(
                    "the log directories belong to cluster {stored}, but the keeper knows no cluster: check zookeeper.connect and the \
                     keeper's data directory, or remove meta.properties from the log directories to join a new cluster"
                )),
                None => {
                    let id = self.new_uuid().to_string();
                    let op = create(znodes::CLUSTER_ID, Some(znodes::encode_cluster_id(&id)));
                    self.keeper(vec![op], Then::Lifecycle(LifecycleStep::ClusterIdCreated { id }));
                }
            },
        }
    }

    /// A broker never joins another cluster than the one its logs are of (`InconsistentClusterIdException`).
    fn check_cluster_id(&mut self, id: String) {
        if let Some(stored) = self.lifecycle.stored.cluster_id.as_ref().filter(|stored| **stored != id) {
            return self.fatal(format!(
                "the log directories belong to cluster {stored}, the keeper to cluster {id}: check zookeeper.connect and log.dirs, or remove \
                 meta.properties from the log directories to join the keeper's cluster"
            ));
        }
        self.lifecycle.cluster_id = Some(id);
        if self.lifecycle.broker_id.is_some() {
            return self.read_configs();
        }
        let (configured, stored) = (self.shared.broker().broker_id, self.lifecycle.stored.broker_id);
        match (configured, stored) {
            (Some(configured), Some(stored)) if configured != stored => self.fatal(format!(
                "broker.id is {configured}, but the log directories belong to broker {stored}: set broker.id={stored}, or remove \
                 meta.properties from the log directories to give them to broker {configured}"
            )),
            (Some(id), _) | (None, Some(id)) => self.set_broker_id(id),
            (None, None) => {
                let op = KeeperOp::SetData {
                    path: znodes::BROKER_SEQUENCE_ID.to_owned(),
                    data: Some(Vec::new()),
                    version: -1,
                };
                self.keeper(vec![op], Then::Lifecycle(LifecycleStep::BrokerIdGenerated));
            }
        }
    }

    /// The version of `/brokers/seqid` counts the ids that were given out.
    fn on_broker_id_generated(&mut self, result: &KeeperResult) {
        match result {
            Ok(KeeperReply::Stat(stat)) => {
                self.set_broker_id(self.shared.broker().reserved_broker_max_id + stat.version)
            }
            other => self.fatal(format!("no broker id could be generated: {other:?}; set broker.id")),
        }
    }

    fn set_broker_id(&mut self, id: i32) {
        self.lifecycle.broker_id = Some(id);
        let cluster_id = self.lifecycle.cluster_id.clone().unwrap_or_default();
        self.out.push(ControlOutput::Identity { cluster_id, broker_id: id });
        self.read_configs();
    }

    /// This broker's id; known to everything that runs after the registration.
    pub(crate) fn broker_id(&self) -> i32 {
        self.lifecycle.broker_id.unwrap_or(-1)
    }

    fn read_configs(&mut self) {
        let own = self.broker_id().to_string();
        let ops = vec![
            children(znodes::CONFIG_CHANGES, true),
            get(znodes::broker_config(znodes::DEFAULT_ENTITY), false),
            get(znodes::broker_config(&own), false),
            children(znodes::CONFIG_TOPICS, false),
        ];
        self.keeper(ops, Then::Lifecycle(LifecycleStep::Configs));
    }

    fn on_configs(&mut self, results: &[KeeperResult]) {
        self.lifecycle.last_change = children_of(&results[0]).iter().filter_map(|name| sequence_of(name)).max();
        self.take_broker_config(znodes::DEFAULT_ENTITY, &results[1]);
        let own = self.broker_id().to_string();
        self.take_broker_config(&own, &results[2]);
        let topics = children_of(&results[3]).to_vec();
        let ops = topics.iter().map(|topic| get(znodes::topic_config(topic), false)).collect();
        self.keeper(ops, Then::Lifecycle(LifecycleStep::TopicConfigs { topics }));
    }

    pub(crate) fn take_topic_config(&mut self, topic: &str, result: &KeeperResult) {
        match data_of(result).map_or_else(|| Ok(ConfigMap::new()), znodes::decode_config) {
            Ok(config) => self.set_topic_config(topic, config),
            Err(error) => tracing::error!("{} is ignored: {error}", znodes::topic_config(topic)),
        }
    }

    pub(crate) fn set_topic_config(&mut self, topic: &str, config: ConfigMap) {
        let uncleanly = |p: &Self| p.shared.log_config(topic).unclean_leader_election;
        let before = uncleanly(self);
        if self.shared.set_topic(topic, config) {
            self.out.push(ControlOutput::TopicConfigChanged { topic: topic.to_owned() });
            if !before && uncleanly(self) {
                self.controller.enqueue(crate::controller::Event::ElectOffline(Some(topic.to_owned())));
            }
        }
    }

    fn take_broker_config(&mut self, entity: &str, result: &KeeperResult) {
        match data_of(result).map_or_else(|| Ok(ConfigMap::new()), znodes::decode_config) {
            Ok(config) => self.set_broker_config(entity, config),
            Err(error) => tracing::error!("{} is ignored: {error}", znodes::broker_config(entity)),
        }
    }

    pub(crate) fn set_broker_config(&mut self, entity: &str, config: ConfigMap) {
        let layer = if entity == znodes::DEFAULT_ENTITY {
            &mut self.lifecycle.cluster_config
        } else {
            &mut self.lifecycle.broker_config
        };
        if *layer == config {
            return;
        }
        *layer = config;
        let (cluster, broker) = (self.lifecycle.cluster_config.clone(), self.lifecycle.broker_config.clone());
        let before = self.shared.broker();
        let (changed, problems) = before.with_dynamic(cluster, broker);
        for problem in problems {
            tracing::error!("a dynamic setting of {} is ignored: {problem}", znodes::broker_config(entity));
        }
        let now_unclean = !before.unclean_leader_election_enable && changed.unclean_leader_election_enable;
        self.shared.set_broker(changed);
        self.out.push(ControlOutput::BrokerConfigChanged);
        if now_unclean {
            self.controller.enqueue(crate::controller::Event::ElectOffline(None));
        }
    }

    pub(crate) fn read_config_changes(&mut self) {
        self.keeper(vec![children(znodes::CONFIG_CHANGES, true)], Then::Lifecycle(LifecycleStep::ConfigChanges));
    }

    fn on_config_changes(&mut self, result: &KeeperResult) {
        let last = self.lifecycle.last_change;
        let mut fresh: Vec<(u64, &String)> = children_of(result)
            .iter()
            .filter_map(|name| Some((sequence_of(name)?, name)))
            .filter(|(sequence, _)| last.is_none_or(|last| *sequence > last))
            .collect();
        fresh.sort_unstable();
        let Some((newest, _)) = fresh.last() else { return };
        self.lifecycle.last_change = Some(*newest);
        let ops = fresh.iter().map(|(_, name)| get(format!("{}/{name}", znodes::CONFIG_CHANGES), false)).collect();
        let sequences = fresh.iter().map(|(sequence, _)| *sequence).collect();
        self.keeper(ops, Then::Lifecycle(LifecycleStep::ConfigChangesRead { sequences }));
        self.purge_config_changes();
    }

    /// Deletes the notifications that every broker has had ample time to see. Any broker may.
    fn purge_config_changes(&mut self) {
        let before = self.now.wall_ms - CHANGE_EXPIRATION_MS;
        let old: Vec<u64> = self
            .lifecycle
            .change_times
            .iter()
            .filter(|(_, made)| **made < before)
            .map(|(sequence, _)| *sequence)
            .collect();
        for sequence in &old {
            self.lifecycle.change_times.remove(sequence);
        }
        let delete = |sequence| KeeperOp::Delete {
            path: format!("{}{sequence:010}", znodes::config_change_prefix()),
            version: -1,
        };
        self.keeper(old.into_iter().map(delete).collect(), Then::Nothing);
    }

    fn on_config_changes_read(&mut self, sequences: &[u64], results: &[KeeperResult]) {
        let mut paths = Vec::new();
        for (sequence, result) in sequences.iter().zip(results) {
            if let Ok(KeeperReply::Data { stat, .. }) = result {
                self.lifecycle.change_times.insert(*sequence, stat.ctime);
            }
            match data_of(result).map(znodes::decode_config_change) {
                Some(Ok(path)) if !paths.contains(&path) && self.concerns_us(&path) => paths.push(path),
                Some(Err(error)) => tracing::error!("change of settings {sequence} is ignored: {error}"),
                _ => {}
            }
        }
        let ops = paths.iter().map(|path| get(format!("/config/{path}"), false)).collect();
        self.keeper(ops, Then::Lifecycle(LifecycleStep::ChangedConfigs { paths }));
    }

    fn concerns_us(&self, entity_path: &str) -> bool {
        match entity_path.split_once('/') {
            Some(("topics", _)) => true,
            Some(("brokers", entity)) => entity == znodes::DEFAULT_ENTITY || entity == self.broker_id().to_string(),
            _ => false,
        }
    }

    fn on_changed_configs(&mut self, paths: &[String], results: &[KeeperResult]) {
        for (path, result) in paths.iter().zip(results) {
            match path.split_once('/') {
                Some(("topics", topic)) => self.take_topic_config(topic, result),
                Some(("brokers", entity)) => self.take_broker_config(entity, result),
                _ => {}
            }
        }
    }

    fn registration(&self) -> Vec<u8> {
        let registration = BrokerRegistration {
            endpoints: self.lifecycle.advertised.clone(),
            rack: self.shared.broker().broker_rack.clone(),
            jmx_port: -1,
            timestamp_ms: self.now.wall_ms,
        };
        registration.encode()
    }

    fn create_registration(&self) -> KeeperOp {
        KeeperOp::Create {
            path: znodes::broker_id(self.broker_id()),
            data: Some(self.registration()),
            acl: AclEntry::open(),
            mode: CreateMode::Ephemeral,
        }
    }

    fn register(&mut self) {
        let op = self.create_registration();
        self.keeper(vec![op], Then::Lifecycle(LifecycleStep::Registration));
    }

    fn on_registration(&mut self, result: &KeeperResult, retried: bool) {
        let created = match result {
            Ok(KeeperReply::Multi(replies)) => replies.last(),
            Ok(reply) => Some(reply),
            Err(_) => None,
        };
        match (created, result) {
            (Some(KeeperReply::Created { stat, .. }), _) => self.registered(stat.czxid),
            (_, Err(error)) if error.is_node_exists() || error.is_bad_version() || error.is_no_node() || retried => {
                let path = znodes::broker_id(self.broker_id());
                self.keeper(vec![get(path, false)], Then::Lifecycle(LifecycleStep::RegistrationOwner));
            }
            (_, other) => self.fatal(format!("the keeper refused the registration of this broker: {other:?}")),
        }
    }

    /// Somebody is registered under our id. A registration of the very addresses that we have bound is one of our earlier
    /// lives, whose session has not run out yet: it is taken over, where Kafka would refuse to start.
    fn on_registration_owner(&mut self, result: &KeeperResult) {
        let Ok(KeeperReply::Data { data, stat }) = result else { return self.register() };
        if stat.ephemeral_owner == self.lifecycle.session_id {
            return self.registered(stat.czxid);
        }
        let registered = BrokerRegistration::decode(data.as_deref().unwrap_or_default());
        if registered.is_ok_and(|registered| registered.endpoints == self.lifecycle.advertised) {
            let path = znodes::broker_id(self.broker_id());
            let replace = vec![KeeperOp::Delete { path, version: stat.version }, self.create_registration()];
            return self.keeper(vec![KeeperOp::Multi(replace)], Then::Lifecycle(LifecycleStep::Registration));
        }
        let now = self.now.mono_ms();
        let (since, _) = self.lifecycle.blocked.unwrap_or((now, now));
        // The keeper may take its time to notice that a session is over.
        let patience_ms = u64::from(self.shared.broker().zookeeper_session_timeout_ms.unsigned_abs()) * 2;
        if now.saturating_sub(since) > patience_ms {
            let id = self.broker_id();
            return self.fatal(format!(
                "another broker with id {id} is registered in the keeper: stop it, or give this one another broker.id"
            ));
        }
        self.lifecycle.blocked = Some((since, now + REGISTRATION_RETRY_MS));
    }

    pub(crate) fn tick_lifecycle(&mut self) {
        if let Some((since, again)) = self.lifecycle.blocked
            && self.now.mono_ms() >= again
        {
            self.lifecycle.blocked = Some((since, u64::MAX));
            self.register();
        }
    }

    fn registered(&mut self, broker_epoch: i64) {
        self.lifecycle.blocked = None;
        self.lifecycle.broker_epoch = Some(broker_epoch);
        tracing::info!(broker_id = self.broker_id(), broker_epoch, "registered");
        self.out.push(ControlOutput::Registered { broker_epoch });
        self.look_for_controller();
    }

    /// Clients are served from when this broker knows what it leads.
    pub(crate) fn become_ready(&mut self) {
        let told = if self.controller.is_active() {
            self.controller.has_told(self.broker_id())
        } else {
            self.lifecycle.told_of_cluster
        };
        if !self.lifecycle.is_ready && self.lifecycle.broker_epoch.is_some() && told {
            self.lifecycle.is_ready = true;
            self.out.push(ControlOutput::Ready);
        }
    }

    /// Hands leadership over where there is somebody to take it, then is done: the driver closes the keeper session, which takes
    /// the registration and the controllership away.
    pub(crate) fn on_shutdown(&mut self) {
        if std::mem::replace(&mut self.lifecycle.stopping, true) {
            return;
        }
        self.resign("this broker stops");
        self.out.push(ControlOutput::Stopped);
    }

    /// Tells the controller that replicas of this broker are gone; it asks which ones by LeaderAndIsr.
    pub(crate) fn announce_failed_log_dir(&mut self, directory: &str) {
        tracing::error!("log directory {directory} is offline");
        let op = KeeperOp::Create {
            path: format!("{}/log_dir_event_", znodes::LOG_DIR_EVENTS),
            data: Some(znodes::encode_log_dir_event(self.broker_id())),
            acl: AclEntry::open(),
            mode: CreateMode::PersistentSequential,
        };
        self.keeper(vec![op], Then::Nothing);
    }
}

/// True when a multi failed at its first operation, the check of the controller's epoch.
pub(crate) fn is_fenced(error: &KeeperError) -> bool {
    matches!(error, KeeperError::Multi { index: 0, code: KeeperCode::BadVersion | KeeperCode::NoNode })
}

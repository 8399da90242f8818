//! Becoming the controller, taking over, and giving it up.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperError, KeeperOp, KeeperReply, KeeperResult};

use super::context::LiveBroker;
use super::requests::{Channel, RequestBatch};
use super::{Context, Controller, ControllerStep, Event, Role};
use crate::control_plane::{ControlPlane, Then};
use crate::lifecycle::{children, children_of, create, data_of, get};
use crate::znodes::{self, BrokerRegistration, PartitionState, TopicAssignment};

impl ControlPlane {
    /// Sends keeper operations of the controller; the step is left out when this broker has resigned meanwhile.
    pub(crate) fn controller_keeper(&mut self, ops: Vec<KeeperOp>, step: ControllerStep) {
        let term = self.controller.term;
        self.keeper(ops, Then::Controller { term, step });
    }

    /// Looks who the controller is, and stands for it when there is none.
    #[doc(alias = "elect")]
    pub(crate) fn look_for_controller(&mut self) {
        if self.lifecycle.broker_epoch.is_none() || self.lifecycle.stopping || self.controller.role == Role::Candidate {
            return;
        }
        self.controller.role = Role::Candidate;
        let ops = vec![get(znodes::CONTROLLER, true), get(znodes::CONTROLLER_EPOCH, false)];
        self.controller_keeper(ops, ControllerStep::Candidacy);
    }

    pub(crate) fn on_candidacy(&mut self, results: &[KeeperResult]) {
        self.controller.role = Role::None;
        let (epoch, version) = match &results[1] {
            Ok(KeeperReply::Data { data, stat }) => {
                match znodes::decode_controller_epoch(data.as_deref().unwrap_or_default()) {
                    Ok(epoch) => (epoch, stat.version),
                    Err(error) => {
                        return self.fatal(format!("{error}; repair {} in the keeper", znodes::CONTROLLER_EPOCH));
                    }
                }
            }
            _ => {
                let op = create(znodes::CONTROLLER_EPOCH, Some(b"0".to_vec()));
                return self.controller_keeper(vec![op], ControllerStep::EpochCreated);
            }
        };
        let mut ops = Vec::new();
        if let Ok(KeeperReply::Data { data, stat }) = &results[0] {
            let id = znodes::decode_controller(data.as_deref().unwrap_or_default()).ok();
            if id != Some(self.broker_id()) {
                self.controller.role = Role::Follower;
                self.controller.active_id = id;
                return;
            }
            // An earlier life of this broker, whose session has not run out yet (the registration says that it is over), or an
            // election of ours whose outcome was lost on the way.
            ops.push(KeeperOp::Delete { path: znodes::CONTROLLER.to_owned(), version: stat.version });
        }
        let epoch = epoch + 1;
        ops.push(KeeperOp::Create {
            path: znodes::CONTROLLER.to_owned(),
            data: Some(znodes::encode_controller(self.broker_id(), self.now.wall_ms)),
            acl: AclEntry::open(),
            mode: CreateMode::Ephemeral,
        });
        ops.push(KeeperOp::SetData {
            path: znodes::CONTROLLER_EPOCH.to_owned(),
            data: Some(epoch.to_string().into_bytes()),
            version,
        });
        self.controller.role = Role::Candidate;
        self.controller_keeper(vec![KeeperOp::Multi(ops)], ControllerStep::Elected { epoch });
    }

    pub(crate) fn on_elected(&mut self, epoch: i32, result: &KeeperResult) {
        self.controller.role = Role::None;
        let version = match result {
            Ok(KeeperReply::Multi(replies)) => match replies.last() {
                Some(KeeperReply::Stat(stat)) => stat.version,
                other => return tracing::error!("a surprising answer to the election: {other:?}"),
            },
            Err(KeeperError::Code(_) | KeeperError::Multi { .. }) => return self.look_for_controller(),
            other => return tracing::error!("the election failed: {other:?}"),
        };
        tracing::info!(broker_id = self.broker_id(), epoch, "this broker is the controller");
        let context = Context { epoch, epoch_version: version, ..Context::default() };
        self.controller = Controller {
            term: self.controller.term + 1,
            role: Role::Loading,
            active_id: Some(self.broker_id()),
            context,
            busy: true,
            ..Controller::default()
        };
        let ops = vec![
            children(znodes::BROKER_IDS, true),
            children(znodes::TOPICS, true),
            KeeperOp::Exists { path: znodes::PREFERRED_REPLICA_ELECTION.to_owned(), watch: true },
            get(znodes::FEATURE, false),
            get(znodes::CONTROLLER, true),
        ];
        self.controller_keeper(ops, ControllerStep::Roots);
    }

    pub(crate) fn on_controller_changed(&mut self) {
        match self.controller.role {
            // Perhaps it was our own taking over that the watch saw.
            Role::Loading | Role::Active => {
                self.controller_keeper(vec![get(znodes::CONTROLLER, true)], ControllerStep::StillController);
            }
            Role::Candidate => {}
            Role::None | Role::Follower => self.look_for_controller(),
        }
    }

    pub(crate) fn on_still_controller(&mut self, result: &KeeperResult) {
        let owner = match result {
            Ok(KeeperReply::Data { stat, .. }) => Some(stat.ephemeral_owner),
            _ => None,
        };
        if owner != Some(self.lifecycle.session_id) {
            self.resign("/controller is gone");
            self.look_for_controller();
        }
    }

    /// Gives up all that only the controller knows. What is under way finds itself out of date.
    pub(crate) fn resign(&mut self, why: &str) {
        if matches!(self.controller.role, Role::Loading | Role::Active) {
            tracing::info!(broker_id = self.broker_id(), "this broker is the controller no more: {why}");
        }
        self.controller = Controller { term: self.controller.term + 1, ..Controller::default() };
    }

    /// A write found another controller's epoch: this one has been replaced.
    pub(crate) fn on_fenced(&mut self) {
        self.resign("another controller has a higher epoch");
        self.look_for_controller();
    }

    pub(crate) fn on_controller_roots(&mut self, results: &[KeeperResult]) {
        let (brokers, topics) = (children_of(&results[0]).to_vec(), children_of(&results[1]).to_vec());
        if matches!(&results[2], Ok(KeeperReply::Stat(_))) {
            self.controller.enqueue(Event::PreferredElection);
        }
        if data_of(&results[3]).is_none() {
            self.keeper(vec![create(znodes::FEATURE, Some(znodes::encode_feature()))], Then::Nothing);
        }
        let ops = brokers.iter().map(|id| get(format!("{}/{id}", znodes::BROKER_IDS), true));
        let ops = ops.chain(topics.iter().map(|topic| get(znodes::topic(topic), true)));
        self.controller_keeper(ops.collect(), ControllerStep::Contents { brokers, topics });
    }

    pub(crate) fn on_contents(&mut self, brokers: &[String], topics: &[String], results: &[KeeperResult]) {
        let (broker_results, topic_results) = results.split_at(brokers.len());
        for (id, broker) in live_brokers(brokers, broker_results) {
            self.add_live_broker(id, broker);
        }
        let mut partitions = Vec::new();
        for (topic, result) in topics.iter().zip(topic_results) {
            partitions.extend(self.take_topic(topic, result));
        }
        let ops = partitions.iter().map(|partition| get(znodes::partition_state(partition), false)).collect();
        self.controller_keeper(ops, ControllerStep::States { partitions });
    }

    /// Takes in a topic as read; gives its new partitions. A topic without an id gets one.
    pub(crate) fn take_topic(&mut self, topic: &str, result: &KeeperResult) -> Vec<TopicPartition> {
        let Ok(KeeperReply::Data { data, stat }) = result else { return Vec::new() };
        let mut assignment = match TopicAssignment::decode(data.as_deref().unwrap_or_default()) {
            Ok(assignment) => assignment,
            Err(error) => {
                tracing::error!("{} is ignored: {error}", znodes::topic(topic));
                return Vec::new();
            }
        };
        let name: Arc<str> = Arc::from(topic);
        let id = match assignment.id {
            Some(id) => id,
            None => {
                let id = self.new_uuid();
                assignment.id = Some(id);
                let write = KeeperOp::SetData {
                    path: znodes::topic(topic),
                    data: Some(assignment.encode()),
                    version: stat.version,
                };
                let topics = vec![topic.to_owned()];
                let op = KeeperOp::Multi(vec![self.check_epoch(), write]);
                self.controller_keeper(vec![op], ControllerStep::TopicIdsWritten { topics });
                id
            }
        };
        self.controller.context.set_assignment(&name, id, &assignment)
    }

    pub(crate) fn on_topic_ids_written(&mut self, topics: Vec<String>, results: &[KeeperResult]) {
        for (topic, result) in topics.into_iter().zip(results) {
            if let Err(error) = result {
                tracing::warn!("no id could be given to topic {topic}: {error:?}");
                self.controller.enqueue(Event::PartitionChange(topic));
            }
        }
    }

    /// The first operation of every multi of the controller.
    pub(crate) fn check_epoch(&self) -> KeeperOp {
        KeeperOp::Check { path: znodes::CONTROLLER_EPOCH.to_owned(), version: self.controller.context.epoch_version }
    }

    pub(crate) fn on_states(&mut self, partitions: &[TopicPartition], results: &[KeeperResult]) {
        for (partition, result) in partitions.iter().zip(results) {
            self.take_state(partition, result);
        }
        self.controller.role = Role::Active;
        // The earlier controller may have deleted topics without everybody hearing of it.
        let mut batch = RequestBatch::full();
        let context = &self.controller.context;
        batch.update_metadata(context, None);
        // Those that need an election are told twice: they may have had one before it comes to that.
        for (partition, _) in context.partitions().filter(|(_, known)| known.state.is_some()) {
            batch.leader_and_isr(context, &partition, false);
        }
        self.send_batch(batch);
        for event in [Event::ElectOffline(None), Event::TopicDeletion, Event::LogDirEvents] {
            self.controller.enqueue(event);
        }
        // Followers that went away while there was no controller are taken out of their ISR, and leaders are chosen.
        self.event_done();
    }

    /// Takes in a partition's state as read; one that is missing stays without.
    pub(crate) fn take_state(&mut self, partition: &TopicPartition, result: &KeeperResult) {
        let Ok(KeeperReply::Data { data, stat }) = result else { return };
        let state = PartitionState::decode(data.as_deref().unwrap_or_default());
        let Some(known) = self.controller.context.partition_mut(partition) else { return };
        match state {
            Ok(state) => known.state = Some((state, stat.version)),
            Err(error) => {
                known.is_unreadable = true;
                tracing::error!("{} is ignored: {error}", znodes::partition_state(partition));
            }
        }
    }

    pub(crate) fn add_live_broker(&mut self, id: i32, broker: LiveBroker) {
        let listener = self.shared.broker().inter_broker_listener_name.clone();
        let endpoint = broker.registration.endpoint(&listener).map(|e| (e.host.clone(), e.port));
        match endpoint {
            Some(endpoint) => {
                self.controller.channels.insert(id, Channel::new(broker.epoch, endpoint));
            }
            None => tracing::error!("broker {id} has no listener {listener}: it cannot be told anything"),
        }
        self.controller.context.brokers.insert(id, broker);
    }
}

/// The brokers whose registration was read and understood.
pub(crate) fn live_brokers(ids: &[String], results: &[KeeperResult]) -> BTreeMap<i32, LiveBroker> {
    let mut brokers = BTreeMap::new();
    for (id, result) in ids.iter().zip(results) {
        let Ok(KeeperReply::Data { data, stat }) = result else { continue };
        let registration = BrokerRegistration::decode(data.as_deref().unwrap_or_default());
        match (id.parse(), registration) {
            (Ok(id), Ok(registration)) => {
                brokers.insert(id, LiveBroker { registration, epoch: stat.czxid });
            }
            (_, Err(error)) => tracing::error!("broker {id} is ignored: {error}"),
            (Err(_), _) => tracing::error!("{}/{id} is ignored: it is no broker id", znodes::BROKER_IDS),
        }
    }
    brokers
}

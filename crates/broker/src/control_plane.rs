//! The step machine behind [`crate::control`]: takes inputs apart and hands them to lifecycle, controller and
//! administration, which are all `impl ControlPlane` in their own files.

use std::sync::Arc;

use ottla_base::ids::Uuid;
use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_keeper::ops::{KeeperError, KeeperEvent, KeeperOp};

use crate::admin::{Admin, AdminStep};
use crate::config::{Endpoint, SharedConfig};
use crate::control::{ControlInput, ControlOutput, LocalRequest};
use crate::controller::{Controller, ControllerStep, Event};
use crate::keeper_batches::{Finished, KeeperBatches};
use crate::lifecycle::{Lifecycle, LifecycleStep};
use crate::producer_ids::ProducerIds;
use crate::znodes;

/// What the `meta.properties` of the log directories say; nothing in new ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredIdentity {
    pub cluster_id: Option<String>,
    pub broker_id: Option<i32>,
}

/// What a control plane starts from.
#[derive(Debug)]
pub struct ControlPlaneConfig {
    pub shared: Arc<SharedConfig>,
    /// `advertised.listeners` with every host and port filled in.
    pub advertised: Vec<Endpoint>,
    pub stored: StoredIdentity,
    /// For cluster and topic ids, and the first broker of an assignment.
    pub seed: u64,
}

/// What follows a batch of keeper operations.
#[derive(Debug)]
pub(crate) enum Then {
    Lifecycle(LifecycleStep),
    Controller { term: u64, step: ControllerStep },
    Admin(AdminStep),
    ProducerIds,
    Nothing,
}

/// The broker's life in the cluster. See [`crate::control`].
#[derive(Debug)]
pub struct ControlPlane {
    pub(crate) shared: Arc<SharedConfig>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) controller: Controller,
    pub(crate) admin: Admin,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) batches: KeeperBatches<Then>,
    pub(crate) random: Random,
    /// The time of the input that is being worked on.
    pub(crate) now: Now,
    /// What that input has led to so far.
    pub(crate) out: Vec<ControlOutput>,
}

impl ControlPlane {
    #[must_use]
    pub fn new(config: ControlPlaneConfig) -> Self {
        Self {
            lifecycle: Lifecycle::new(config.stored, config.advertised),
            controller: Controller::default(),
            admin: Admin::default(),
            producer_ids: ProducerIds::default(),
            batches: KeeperBatches::default(),
            random: Random::new(config.seed),
            now: Now::default(),
            out: Vec::new(),
            shared: config.shared,
        }
    }

    /// Takes in one input; what it leads to is added to `out`.
    pub fn step(&mut self, now: Now, input: ControlInput, out: &mut Vec<ControlOutput>) {
        self.now = now;
        match input {
            ControlInput::Keeper(event) => self.on_keeper_event(event),
            ControlInput::KeeperReply { tag, result } => {
                // Nothing follows an expired session's results: the event of the expiry clears them all away.
                let expired = result == Err(KeeperError::SessionExpired);
                if !expired && let Some(finished) = self.batches.result(tag, result) {
                    self.on_batch(finished);
                }
            }
            ControlInput::BrokerReply { tag, api_key, api_version, body } => {
                self.on_broker_reply(tag, api_key, api_version, body.as_deref());
            }
            ControlInput::Request { request, responder } => self.on_admin_request(&request, responder),
            ControlInput::Local(request) => self.on_local_request(request),
            ControlInput::Tick => self.on_tick(),
            ControlInput::Shutdown => self.on_shutdown(),
        }
        self.run_controller_events();
        self.answer_waiting_requests();
        self.become_ready();
        out.append(&mut self.out);
    }

    /// Sends keeper operations, all at once; `then` follows when all results are in. Without operations it follows at once.
    pub(crate) fn keeper(&mut self, ops: Vec<KeeperOp>, then: Then) {
        if ops.is_empty() {
            self.on_batch(Finished { results: Vec::new(), retried: false, then });
        } else {
            self.batches.submit(ops, then, &mut self.out);
        }
    }

    pub(crate) fn fatal(&mut self, text: String) {
        tracing::error!("{text}");
        self.out.push(ControlOutput::Fatal(text));
    }

    pub(crate) fn new_uuid(&mut self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            self.random.fill(&mut bytes);
            let id = Uuid::from_random(bytes);
            // Kafka does so too: ids are typed on command lines.
            if !id.to_string().starts_with('-') {
                return id;
            }
        }
    }

    fn on_batch(&mut self, finished: Finished<Then>) {
        let Finished { results, retried, then } = finished;
        match then {
            Then::Lifecycle(step) => self.on_lifecycle_step(step, results, retried),
            Then::Controller { term, step } => self.on_controller_step(term, step, results),
            Then::Admin(step) => self.on_admin_step(step, results, retried),
            Then::ProducerIds => self.on_producer_id_results(results),
            Then::Nothing => {}
        }
    }

    fn on_keeper_event(&mut self, event: KeeperEvent) {
        match event {
            KeeperEvent::Connected { session_id, resumed } => {
                if !resumed && self.lifecycle.session_id != 0 && self.lifecycle.session_id != session_id {
                    self.end_session();
                }
                self.lifecycle.session_id = session_id;
                self.batches.connected(&mut self.out);
                if !resumed {
                    self.start_session();
                }
            }
            KeeperEvent::Disconnected => self.batches.disconnected(),
            KeeperEvent::Expired => self.on_session_expired(),
            KeeperEvent::NodeCreated { path }
            | KeeperEvent::NodeDeleted { path }
            | KeeperEvent::NodeDataChanged { path }
            | KeeperEvent::NodeChildrenChanged { path } => self.on_watch(&path),
        }
    }

    /// A one-shot watch fired; whoever it belongs to reads again and sets it again.
    fn on_watch(&mut self, path: &str) {
        let event = match path {
            znodes::CONFIG_CHANGES => return self.read_config_changes(),
            znodes::CONTROLLER => return self.on_controller_changed(),
            znodes::BROKER_IDS => Event::BrokerChange,
            znodes::TOPICS => Event::TopicChange,
            znodes::DELETE_TOPICS => Event::TopicDeletion,
            znodes::LOG_DIR_EVENTS => Event::LogDirEvents,
            znodes::PREFERRED_REPLICA_ELECTION => Event::PreferredElection,
            _ => {
                if let Some(id) = path.strip_prefix("/brokers/ids/").and_then(|id| id.parse().ok()) {
                    Event::BrokerModified(id)
                } else if let Some(topic) = path.strip_prefix("/brokers/topics/").filter(|name| !name.contains('/')) {
                    Event::PartitionChange(topic.to_owned())
                } else {
                    return;
                }
            }
        };
        self.controller.enqueue(event);
    }

    fn on_session_expired(&mut self) {
        tracing::warn!("the keeper session expired: registering anew");
        self.end_session();
        if !self.lifecycle.stopping {
            self.out.push(ControlOutput::NewKeeperSession);
        }
    }

    /// Gives up all that belongs to the session: the registration, the controllership, and whatever was under way.
    fn end_session(&mut self) {
        self.lifecycle.session_lost();
        self.resign("its keeper session is over");
        for then in self.batches.expired() {
            if let Then::Admin(step) = then {
                step.abandon();
            }
        }
        self.producer_ids.session_lost();
        self.fail_waiting_producers();
    }

    fn on_local_request(&mut self, request: LocalRequest) {
        match request {
            LocalRequest::CreateTopics { names, done } => self.create_topics_locally(names, done),
            LocalRequest::MetadataChanged => self.lifecycle.told_of_cluster = true,
            LocalRequest::LogDirFailed { directory } => self.announce_failed_log_dir(&directory),
        }
    }

    fn on_tick(&mut self) {
        self.tick_lifecycle();
        self.tick_controller();
    }
}

//! What administrators ask for: topics, partitions and settings. Each request becomes keeper operations; those of topics are
//! answered when the controller has brought about what was asked.

mod alter_configs;
mod assignment;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_configs;
mod elect_leaders;
mod list_config_resources;
mod list_partition_reassignments;
mod topic_name;

use ottla_keeper::ops::KeeperResult;
use ottla_protocol::{ApiKey, ErrorCode};

use alter_configs::AlterConfigs;
use create_partitions::CreatePartitions;
use create_topics::CreateTopics;
use delete_topics::DeleteTopics;
use describe_configs::DescribeConfigs;
use elect_leaders::ElectLeaders;
use list_config_resources::ListConfigResources;

use crate::control::ControlRequest;
use crate::control_plane::{ControlPlane, Then};
use crate::reply::Responder;

/// Largest contents of a znode that a request may lead to. ZooKeeper closes the connection of whoever sends it more than 1 MB
/// (`jute.maxbuffer`), and a topic and its settings are written together.
const MAX_ZNODE_BYTES: usize = 450 << 10;
/// Most resources in one request about settings: each is read from the keeper.
const MAX_RESOURCES: usize = 10_000;

/// An error for one topic or resource of a request: the code and the words with it.
pub(crate) type Refusal = (ErrorCode, String);

/// A request that waits for keeper operations.
#[derive(Debug)]
pub(crate) enum AdminStep {
    CreateTopics(CreateTopics),
    DeleteTopics(DeleteTopics),
    /// The assignments were read.
    ExtendTopics(CreatePartitions),
    /// The assignments were written.
    TopicsExtended(CreatePartitions),
    DescribeConfigs(DescribeConfigs),
    /// The settings were read.
    AlterConfigs(AlterConfigs),
    /// The settings were written.
    ConfigsAltered(AlterConfigs),
    ListConfigResources(ListConfigResources),
}

impl AdminStep {
    /// The keeper session is over: nobody knows what of it has happened. The client asks again, whoever is controller then.
    pub fn abandon(self) {
        let refusal = || (ErrorCode::NotController, "The broker lost its keeper session.".to_owned());
        match self {
            Self::CreateTopics(request) => request.refuse(refusal()),
            Self::DeleteTopics(request) => request.refuse(refusal()),
            Self::ExtendTopics(request) | Self::TopicsExtended(request) => request.refuse(refusal()),
            Self::DescribeConfigs(request) => request.refuse(refusal()),
            Self::AlterConfigs(request) | Self::ConfigsAltered(request) => request.refuse(refusal()),
            Self::ListConfigResources(request) => request.refuse(refusal()),
        }
    }
}

/// A request that waits for the controller to bring about what was written.
#[derive(Debug)]
enum Waiting {
    CreateTopics(CreateTopics),
    DeleteTopics(DeleteTopics),
    CreatePartitions(CreatePartitions),
    ElectLeaders(ElectLeaders),
}

impl Waiting {
    fn refuse(self, refusal: Refusal) {
        match self {
            Self::CreateTopics(request) => request.refuse(refusal),
            Self::DeleteTopics(request) => request.refuse(refusal),
            Self::CreatePartitions(request) => request.refuse(refusal),
            Self::ElectLeaders(request) => request.refuse(refusal),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Admin {
    /// With the time, by the clock that never goes back, at which each is answered in any case.
    waiting: Vec<(u64, Waiting)>,
}

impl ControlPlane {
    /// Decodes a request that a handler passed on, and begins with it. One that can't be read closes its connection.
    pub(crate) fn on_admin_request(&mut self, request: &ControlRequest, responder: Responder) {
        let (version, body) = (request.api_version, request.body.as_slice());
        let begun = match request.api_key {
            ApiKey::CreateTopics => CreateTopics::decode(version, body, responder).map(|r| self.create_topics(r)),
            ApiKey::DeleteTopics => DeleteTopics::decode(version, body, responder).map(|r| self.delete_topics(r)),
            ApiKey::CreatePartitions => {
                CreatePartitions::decode(version, body, responder).map(|r| self.create_partitions(r))
            }
            ApiKey::ElectLeaders => ElectLeaders::decode(version, body, responder).map(|r| self.elect_leaders(r)),
            ApiKey::ListPartitionReassignments => self.list_partition_reassignments(version, body, responder),
            ApiKey::DescribeConfigs => {
                DescribeConfigs::decode(version, body, responder).map(|r| self.describe_configs(r))
            }
            ApiKey::AlterConfigs => AlterConfigs::decode_full(version, body, responder).map(|r| self.alter_configs(r)),
            ApiKey::IncrementalAlterConfigs => {
                AlterConfigs::decode_incremental(version, body, responder).map(|r| self.alter_configs(r))
            }
            ApiKey::ListConfigResources => {
                ListConfigResources::decode(version, body, responder).map(|r| self.list_config_resources(r))
            }
            ApiKey::InitProducerId => return self.init_producer_id(body, responder),
            key => return responder.close(format!("{key:?} is no request to the control plane")),
        };
        if let Err((error, responder)) = begun {
            responder.close(error.to_string());
        }
    }

    pub(crate) fn admin_keeper(&mut self, ops: Vec<ottla_keeper::ops::KeeperOp>, step: AdminStep) {
        self.keeper(ops, Then::Admin(step));
    }

    pub(crate) fn on_admin_step(&mut self, step: AdminStep, results: Vec<KeeperResult>, retried: bool) {
        match step {
            AdminStep::CreateTopics(request) => self.on_topics_written(request, &results, retried),
            AdminStep::DeleteTopics(request) => self.on_deletions_written(request, &results),
            AdminStep::ExtendTopics(request) => self.on_assignments_read(request, &results),
            AdminStep::TopicsExtended(request) => self.on_assignments_written(request, &results, retried),
            AdminStep::DescribeConfigs(request) => self.on_described_configs_read(request, &results),
            AdminStep::AlterConfigs(request) => self.on_altered_configs_read(request, &results),
            AdminStep::ConfigsAltered(request) => self.on_altered_configs_written(request, &results, retried),
            AdminStep::ListConfigResources(request) => request.answer(&results),
        }
    }

    /// Lets a request wait until the controller has done its part, or for `timeout_ms`.
    fn wait(&mut self, timeout_ms: i32, waiting: Waiting) {
        let deadline = self.now.mono_ms() + u64::try_from(timeout_ms).unwrap_or(0);
        self.admin.waiting.push((deadline, waiting));
    }

    /// Answers the requests whose wish has come true, or whose time is over.
    pub(crate) fn answer_waiting_requests(&mut self) {
        if !self.controller.is_active() {
            // The next controller finds what was written, and brings it about.
            for (_, waiting) in self.admin.waiting.drain(..) {
                waiting.refuse((ErrorCode::NotController, "This broker is the controller no more.".to_owned()));
            }
        }
        let now_ms = self.now.mono_ms();
        let mut index = 0;
        while index < self.admin.waiting.len() {
            let (deadline, waiting) = &self.admin.waiting[index];
            let is_done = match waiting {
                Waiting::CreateTopics(request) => self.topics_are_created(request),
                Waiting::DeleteTopics(request) => self.topics_are_deleted(request),
                Waiting::CreatePartitions(request) => self.partitions_are_created(request),
                Waiting::ElectLeaders(request) => self.leaders_are_elected(request),
            };
            if !is_done && *deadline > now_ms {
                index += 1;
                continue;
            }
            match self.admin.waiting.swap_remove(index).1 {
                Waiting::CreateTopics(request) => self.answer_create_topics(request),
                Waiting::DeleteTopics(request) => self.answer_delete_topics(request),
                Waiting::CreatePartitions(request) => self.answer_create_partitions(request),
                Waiting::ElectLeaders(request) => self.answer_elect_leaders(request),
            }
        }
    }

    /// Every partition of the topic has a leader, and this broker's clients can know it.
    fn is_served_here(&self, topic: &str) -> bool {
        self.controller.is_active()
            && self.controller.context.is_served(topic)
            && self.controller.is_up_to_date(self.broker_id())
    }
}

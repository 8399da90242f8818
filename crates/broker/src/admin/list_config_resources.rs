//! ListConfigResources (KIP-1142): what has settings, by type.

use std::borrow::Cow;

use ottla_keeper::ops::KeeperResult;
use ottla_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use ottla_protocol::messages::list_config_resources_response::{ConfigResource, ListConfigResourcesResponse};
use ottla_protocol::{DecodeError, ErrorCode, Message};

use super::describe_configs::resource_type;
use super::{AdminStep, Refusal};
use crate::control_plane::ControlPlane;
use crate::lifecycle::{children, children_of};
use crate::reply::Responder;
use crate::znodes;

/// The types that a resource can have, in Kafka's order.
const ALL: [i8; 5] = [
    resource_type::TOPIC,
    resource_type::BROKER,
    resource_type::BROKER_LOGGER,
    resource_type::CLIENT_METRICS,
    resource_type::GROUP,
];

/// A ListConfigResources under way.
#[derive(Debug)]
pub(crate) struct ListConfigResources {
    responder: Responder,
    types: Vec<i8>,
}

impl ListConfigResources {
    pub fn decode(version: i16, body: &[u8], responder: Responder) -> Result<Self, (DecodeError, Responder)> {
        match ListConfigResourcesRequest::from_bytes(body, version) {
            Err(error) => Err((error, responder)),
            // Version 0 knew of client metrics alone.
            Ok(_) if version == 0 => Ok(Self { responder, types: vec![resource_type::CLIENT_METRICS] }),
            Ok(request) if request.resource_types.is_empty() => Ok(Self { responder, types: ALL.to_vec() }),
            Ok(request) => Ok(Self { responder, types: request.resource_types }),
        }
    }

    pub fn refuse(self, (code, _): Refusal) {
        let error_code = code as i16;
        self.responder.send(&ListConfigResourcesResponse { error_code, ..ListConfigResourcesResponse::default() });
    }

    /// Client metrics and groups have no settings here.
    pub fn answer(self, results: &[KeeperResult]) {
        let (topics, brokers) = (children_of(&results[0]), children_of(&results[1]));
        let mut config_resources = Vec::new();
        for kind in ALL.into_iter().filter(|kind| self.types.contains(kind)) {
            let names = match kind {
                resource_type::TOPIC => topics,
                resource_type::BROKER | resource_type::BROKER_LOGGER => brokers,
                _ => &[],
            };
            let resource =
                |name: &'_ String| ConfigResource { resource_name: Cow::Owned(name.clone()), resource_type: kind };
            config_resources.extend(names.iter().map(resource));
        }
        self.responder.send(&ListConfigResourcesResponse { throttle_time_ms: 0, error_code: 0, config_resources });
    }
}

impl ControlPlane {
    pub(crate) fn list_config_resources(&mut self, request: ListConfigResources) {
        if request.types.iter().any(|kind| !ALL.contains(kind)) {
            return request.refuse((ErrorCode::UnsupportedVersion, String::new()));
        }
        let ops = vec![children(znodes::TOPICS, false), children(znodes::BROKER_IDS, false)];
        self.admin_keeper(ops, AdminStep::ListConfigResources(request));
    }
}

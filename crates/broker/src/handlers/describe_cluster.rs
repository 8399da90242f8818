//! DescribeCluster 0–2 (KIP-700, KIP-919, KIP-1073): brokers and controller. A ZooKeeper-mode broker knows brokers alone, and
//! no fenced ones.

use ottla_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use ottla_protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use ottla_protocol::{ApiKey, ErrorCode, Str};

use super::authorized_operations as operations;
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::DescribeCluster, versions: (0, 2), facing: Facing::Client, handle };

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: DescribeClusterRequest = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    if context.api_version >= 1 && request.endpoint_type != BROKERS {
        return context.reply(&wrong_endpoint(request.endpoint_type));
    }
    let image = broker.shared.metadata.image();
    let brokers = image.brokers.values().filter_map(|node| {
        let endpoint = node.endpoint(&context.connection.listener)?;
        Some(DescribeClusterBroker {
            broker_id: node.id,
            host: Str::Borrowed(&endpoint.host),
            port: endpoint.port,
            rack: node.rack.as_deref().map(Str::Borrowed),
            is_fenced: false,
        })
    });
    let with_operations = request.include_cluster_authorized_operations;
    let response = DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: Str::Borrowed(broker.shared.cluster_id()),
        controller_id: image.controller_id.unwrap_or(-1),
        brokers: brokers.collect(),
        cluster_authorized_operations: if with_operations { operations::CLUSTER } else { operations::UNKNOWN },
        ..Default::default()
    };
    context.reply(&response)
}

fn wrong_endpoint(asked: i8) -> DescribeClusterResponse<'static> {
    let (error, message) = match asked {
        CONTROLLERS => (
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER".into(),
        ),
        _ => (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {asked}")),
    };
    DescribeClusterResponse {
        error_code: error.code(),
        error_message: Some(Str::Owned(message)),
        endpoint_type: BROKERS,
        ..Default::default()
    }
}

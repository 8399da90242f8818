//! FindCoordinator 0–6: which broker coordinates a group. Since 1 other kinds of keys; since 4 several keys (KIP-699).
//!
//! The first question makes `__consumer_offsets`; until it has a leader the answer is `COORDINATOR_NOT_AVAILABLE`, at which
//! clients ask again. Transactions are not served yet: for a transactional id it is `UNSUPPORTED_VERSION` with a message, so that
//! its producer ends at once and does not ask for ever. Share groups are refused with `INVALID_REQUEST`, as a broker refuses
//! them that doesn't have them.

use std::sync::Arc;

use ottla_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use ottla_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use ottla_protocol::{ApiKey, ErrorCode};

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::internal_topics::CONSUMER_OFFSETS;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::FindCoordinator, versions: (0, 6), facing: Facing::Client, handle };

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

const NO_TRANSACTIONS: &str = "This broker does not serve transactions yet.";

/// Where a coordinator is.
struct Node {
    id: i32,
    host: Arc<str>,
    port: i32,
}

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: FindCoordinatorRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let find = |key: &str| find(broker, &context.connection.listener, request.key_type, key);
    if context.api_version < 4 {
        let found = find(&request.key);
        return context.reply(&of_one(&found));
    }
    let found: Vec<Result<Node, ErrorCode>> = request.coordinator_keys.iter().map(|key| find(key)).collect();
    let coordinators = request.coordinator_keys.iter().zip(&found).map(|(key, found)| {
        let (error, node_id, host, port) = parts(found);
        Coordinator {
            key: key.as_ref().into(),
            node_id,
            host: host.into(),
            port,
            error_code: error.code(),
            error_message: Some(explain(request.key_type, error).into()),
        }
    });
    context.reply(&FindCoordinatorResponse { coordinators: coordinators.collect(), ..Default::default() })
}

fn find(broker: &Broker, listener: &str, key_type: i8, key: &str) -> Result<Node, ErrorCode> {
    match key_type {
        GROUP => {}
        TRANSACTION => return Err(ErrorCode::UnsupportedVersion),
        _ => return Err(ErrorCode::InvalidRequest),
    }
    let image = broker.metadata().image();
    if image.topic(CONSUMER_OFFSETS).is_none() {
        broker.groups.create_topic(&*broker.shared.control);
        return Err(ErrorCode::CoordinatorNotAvailable);
    }
    let leader = image.partition(CONSUMER_OFFSETS, broker.groups.partition_for(key)).map(|partition| partition.leader);
    let endpoint = leader.and_then(|id| Some((id, image.endpoint(id, listener)?)));
    let (id, endpoint) = endpoint.ok_or(ErrorCode::CoordinatorNotAvailable)?;
    Ok(Node { id, host: endpoint.host.clone(), port: endpoint.port })
}

/// Kafka explains nothing here but a kind of key that doesn't exist.
fn explain(key_type: i8, error: ErrorCode) -> &'static str {
    match key_type {
        TRANSACTION => NO_TRANSACTIONS,
        GROUP..=SHARE => "",
        _ => error.message(),
    }
}

fn parts(found: &Result<Node, ErrorCode>) -> (ErrorCode, i32, &str, i32) {
    match found {
        Ok(node) => (ErrorCode::None, node.id, &node.host, node.port),
        Err(error) => (*error, -1, "", -1),
    }
}

fn of_one(found: &Result<Node, ErrorCode>) -> FindCoordinatorResponse<'_> {
    let (error, node_id, host, port) = parts(found);
    let message = match error {
        ErrorCode::None => "NONE",
        ErrorCode::UnsupportedVersion => NO_TRANSACTIONS,
        _ => error.message(),
    };
    FindCoordinatorResponse {
        error_code: error.code(),
        error_message: Some(message.into()),
        node_id,
        host: host.into(),
        port,
        ..Default::default()
    }
}

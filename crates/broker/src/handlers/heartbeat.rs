//! Heartbeat 0–4: a member of a classic group is alive; the answer tells it of a rebalance. Since 3 with the instance id
//! of static members. While the group is being loaded the answer is that all is well.

use ottla_protocol::ApiKey;
use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;
use ottla_protocol::messages::heartbeat_response::HeartbeatResponse;

use super::group_answers::{Answer, another_kind, run};
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::group::messages::{self, GroupReply, GroupRequest};
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::Heartbeat, versions: (0, 4), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: HeartbeatRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let heartbeat = messages::HeartbeatRequest {
        group_id: request.group_id.as_ref().into(),
        generation: request.generation_id,
        member_id: request.member_id.into(),
        instance_id: request.group_instance_id.map(Into::into),
    };
    run::<Heartbeat>(broker, context, &request.group_id, GroupRequest::Heartbeat(heartbeat))
}

struct Heartbeat;

impl Answer for Heartbeat {
    type Response<'a> = HeartbeatResponse;

    fn response(reply: &GroupReply, _version: i16) -> HeartbeatResponse {
        let GroupReply::Heartbeat(error) = reply else { another_kind(reply) };
        HeartbeatResponse { throttle_time_ms: 0, error_code: error.code() }
    }
}

//! SyncGroup 0–5: the leader hands in the assignment, everybody gets theirs.
//!
//! Since 3 with the instance id of static members; since 5 with protocol type and name, which must be there.

use ottla_protocol::messages::sync_group_request::SyncGroupRequest;
use ottla_protocol::messages::sync_group_response::SyncGroupResponse;
use ottla_protocol::{ApiKey, ErrorCode};

use super::group_answers::{Answer, another_kind, blob, nullable_text, run};
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::group::messages::{GroupReply, GroupRequest, SyncRequest};
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::SyncGroup, versions: (0, 5), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: SyncGroupRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if context.api_version >= 5 && !names_protocol {
        let error_code = ErrorCode::InconsistentGroupProtocol.code();
        return context.reply(&SyncGroupResponse { error_code, ..Default::default() });
    }
    let sync = SyncRequest {
        group_id: request.group_id.as_ref().into(),
        generation: request.generation_id,
        member_id: request.member_id.into(),
        instance_id: request.group_instance_id.map(Into::into),
        protocol_type: request.protocol_type.map(Into::into),
        protocol_name: request.protocol_name.map(Into::into),
        assignments: request.assignments.into_iter().map(|a| (a.member_id.into(), a.assignment.into())).collect(),
    };
    run::<Sync>(broker, context, &request.group_id, GroupRequest::Sync(sync))
}

struct Sync;

impl Answer for Sync {
    type Response<'a> = SyncGroupResponse<'a>;

    fn response(reply: &GroupReply, _version: i16) -> SyncGroupResponse<'_> {
        let GroupReply::Sync(reply) = reply else { another_kind(reply) };
        SyncGroupResponse {
            throttle_time_ms: 0,
            error_code: reply.error.code(),
            protocol_type: nullable_text(&reply.protocol_type),
            protocol_name: nullable_text(&reply.protocol_name),
            assignment: blob(&reply.assignment),
        }
    }
}

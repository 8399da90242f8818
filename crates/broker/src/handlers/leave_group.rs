//! LeaveGroup 0–5: members leave, or an administrator removes static ones.
//!
//! Up to 2 one member, whose error is the answer's; since 3 several, with an error each; 5 says why (KIP-800).

use ottla_protocol::messages::leave_group_request::LeaveGroupRequest;
use ottla_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use ottla_protocol::{ApiKey, ErrorCode};

use super::group_answers::{Answer, another_kind, nullable_text, run, text};
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::group::messages::{GroupReply, GroupRequest, LeaveRequest, LeavingMember};
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::LeaveGroup, versions: (0, 5), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: LeaveGroupRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let members = if context.api_version < 3 {
        vec![LeavingMember { member_id: request.member_id.into(), instance_id: None, reason: None }]
    } else {
        let leaving = request.members.into_iter().map(|member| LeavingMember {
            member_id: member.member_id.into(),
            instance_id: member.group_instance_id.map(Into::into),
            reason: member.reason.map(Into::into),
        });
        leaving.collect()
    };
    let leave = LeaveRequest { group_id: request.group_id.as_ref().into(), members };
    run::<Leave>(broker, context, &request.group_id, GroupRequest::Leave(leave))
}

struct Leave;

impl Answer for Leave {
    type Response<'a> = LeaveGroupResponse<'a>;

    fn response(reply: &GroupReply, version: i16) -> LeaveGroupResponse<'_> {
        let GroupReply::Leave(reply) = reply else { another_kind(reply) };
        if version < 3 {
            let of_member = reply.members.first().map_or(ErrorCode::None, |member| member.error);
            let error = if reply.error == ErrorCode::None { of_member } else { reply.error };
            return LeaveGroupResponse { error_code: error.code(), ..Default::default() };
        }
        let members = reply.members.iter().map(|member| MemberResponse {
            member_id: text(&member.member_id),
            group_instance_id: nullable_text(&member.instance_id),
            error_code: member.error.code(),
        });
        LeaveGroupResponse { throttle_time_ms: 0, error_code: reply.error.code(), members: members.collect() }
    }
}

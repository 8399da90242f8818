//! JoinGroup 0–9: a member joins, or joins again; the answer waits for the rebalance.
//!
//! 0 has no rebalance timeout: its session timeout counts. Since 4 a new member is given an id first and comes again
//! (KIP-394); since 5 members can be static (KIP-345); 8 says why (KIP-800); 9 can tell a leader to skip the assignment
//! (KIP-814).

use ottla_protocol::ApiKey;
use ottla_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use ottla_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};

use super::group_answers::{Answer, another_kind, blob, nullable_text, run, text};
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::group::messages::{GroupReply, GroupRequest, JoinRequest, JoinedMember, MemberProtocol};
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::JoinGroup, versions: (0, 9), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: JoinGroupRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let version = context.api_version;
    let join = JoinRequest {
        group_id: request.group_id.as_ref().into(),
        member_id: request.member_id.into(),
        instance_id: request.group_instance_id.map(Into::into),
        client_id: context.client_id().into(),
        client_host: context.client_host().into(),
        protocol_type: request.protocol_type.into(),
        protocols: distinct(request.protocols),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: if version == 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms },
        reason: request.reason.map(Into::into),
        requires_known_member_id: version >= 4,
        supports_skipping_assignment: version >= 9,
    };
    run::<Join>(broker, context, &request.group_id, GroupRequest::Join(join))
}

/// A protocol that is named twice counts once.
fn distinct(protocols: Vec<JoinGroupRequestProtocol<'_>>) -> Vec<MemberProtocol> {
    let mut seen = std::collections::BTreeSet::new();
    let mut all = Vec::with_capacity(protocols.len());
    for protocol in protocols {
        let protocol = MemberProtocol { name: protocol.name.into(), metadata: protocol.metadata.into() };
        if seen.insert(protocol.name.clone()) {
            all.push(protocol);
        }
    }
    all
}

struct Join;

impl Answer for Join {
    type Response<'a> = JoinGroupResponse<'a>;

    fn response(reply: &GroupReply, version: i16) -> JoinGroupResponse<'_> {
        let GroupReply::Join(reply) = reply else { another_kind(reply) };
        let no_protocol = (version < 7).then(|| "".into());
        JoinGroupResponse {
            throttle_time_ms: 0,
            error_code: reply.error.code(),
            generation_id: reply.generation,
            protocol_type: nullable_text(&reply.protocol_type),
            protocol_name: nullable_text(&reply.protocol_name).or(no_protocol),
            leader: text(&reply.leader),
            skip_assignment: reply.skip_assignment,
            member_id: text(&reply.member_id),
            members: reply.members.iter().map(member).collect(),
        }
    }
}

fn member(member: &JoinedMember) -> JoinGroupResponseMember<'_> {
    JoinGroupResponseMember {
        member_id: text(&member.member_id),
        group_instance_id: nullable_text(&member.instance_id),
        metadata: blob(&member.metadata),
    }
}

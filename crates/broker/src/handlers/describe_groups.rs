//! DescribeGroups 0–6: members of classic groups, with metadata and assignments. Since 3 with what the client may do; since 4
//! with instance ids; since 6 a group that isn't there is an error (KIP-1043), before it is `Dead`.

use std::collections::BTreeSet;

use ottla_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use ottla_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use ottla_protocol::{ApiKey, ErrorCode};

use super::authorized_operations as operations;
use super::group_answers::{blob, nullable_text, text};
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::group::messages;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::DescribeGroups, versions: (0, 6), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: DescribeGroupsRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let version = context.api_version;
    let describe = |group_id: &ottla_protocol::Str<'_>| {
        let mut group = broker.groups.describe_group(&group_id.as_ref().into());
        if version < 6 && group.error == ErrorCode::GroupIdNotFound {
            group.error = ErrorCode::None;
            group.error_message = None;
        }
        group
    };
    // Once each: a group's answer can be far larger than its name.
    let mut seen = BTreeSet::new();
    let asked = request.groups.iter().filter(|&group_id| seen.insert(&**group_id));
    let groups: Vec<messages::DescribedGroup> = asked.map(describe).collect();
    let groups = groups.iter().map(|group| DescribedGroup {
        error_code: group.error.code(),
        error_message: group.error_message.as_deref().filter(|_| version >= 6).map(Into::into),
        group_id: text(&group.group_id),
        group_state: group.state.into(),
        protocol_type: text(&group.protocol_type),
        protocol_data: text(&group.protocol_data),
        members: group.members.iter().map(member).collect(),
        authorized_operations: match group.error {
            ErrorCode::None if request.include_authorized_operations => operations::GROUP,
            _ => operations::UNKNOWN,
        },
    });
    context.reply(&DescribeGroupsResponse { throttle_time_ms: 0, groups: groups.collect() })
}

fn member(member: &messages::DescribedMember) -> DescribedGroupMember<'_> {
    DescribedGroupMember {
        member_id: text(&member.member_id),
        group_instance_id: nullable_text(&member.instance_id),
        client_id: text(&member.client_id),
        client_host: text(&member.client_host),
        member_metadata: blob(&member.metadata),
        member_assignment: blob(&member.assignment),
    }
}

//! ListGroups 0–5: the groups that this broker coordinates. Since 4 with states and a filter for them (KIP-518), since 5 with
//! types (KIP-848); both filters don't mind case, and a name that is none matches nothing.

use ottla_protocol::ApiKey;
use ottla_protocol::messages::list_groups_request::ListGroupsRequest;
use ottla_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};

use super::group_answers::text;
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::ListGroups, versions: (0, 5), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: ListGroupsRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let states: Vec<String> = request.states_filter.into_iter().map(Into::into).collect();
    let types: Vec<String> = request.types_filter.into_iter().map(Into::into).collect();
    match broker.groups.list_groups(&states, &types) {
        Ok(groups) => {
            let groups = groups.iter().map(|group| ListedGroup {
                group_id: text(&group.group_id),
                protocol_type: text(&group.protocol_type),
                group_state: group.state.into(),
                group_type: group.kind.into(),
            });
            context.reply(&ListGroupsResponse { groups: groups.collect(), ..Default::default() })
        }
        Err(error) => context.reply(&ListGroupsResponse { error_code: error.code(), ..Default::default() }),
    }
}

//! DeleteGroups 0–2: forgets groups without members, and their offsets. A group named twice is answered once.

use std::collections::BTreeSet;

use ottla_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use ottla_protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use ottla_protocol::{ApiKey, ErrorCode};

use super::group_answers::text;
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::group::messages::Text;
use crate::coordinator::runtime::Outcome;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::DeleteGroups, versions: (0, 2), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: DeleteGroupsRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let distinct: BTreeSet<Text> = request.groups_names.into_iter().map(Into::into).collect();
    let now = context.now;
    let outcome = broker.groups.delete_groups(now, distinct.into_iter().collect(), &mut || {
        let responder = context.responder();
        Box::new(move |results: Vec<(Text, ErrorCode)>| responder.send(&response(&results)))
    });
    match outcome {
        Outcome::Now(results) => context.reply(&response(&results)),
        Outcome::Later => Reply::Later,
    }
}

fn response(results: &[(Text, ErrorCode)]) -> DeleteGroupsResponse<'_> {
    let results = results
        .iter()
        .map(|(group_id, error)| DeletableGroupResult { group_id: text(group_id), error_code: error.code() });
    DeleteGroupsResponse { throttle_time_ms: 0, results: results.collect() }
}

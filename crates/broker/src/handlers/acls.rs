//! DescribeAcls, CreateAcls and DeleteAcls 1–3: what a broker without an authorizer answers, in the words of Kafka 4.3.1. Tools
//! that ask for ACLs learn from it that there are none to look after.

use ottla_protocol::messages::create_acls_request::CreateAclsRequest;
use ottla_protocol::messages::create_acls_response::{AclCreationResult, CreateAclsResponse};
use ottla_protocol::messages::delete_acls_request::DeleteAclsRequest;
use ottla_protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsResponse};
use ottla_protocol::messages::describe_acls_request::DescribeAclsRequest;
use ottla_protocol::messages::describe_acls_response::DescribeAclsResponse;
use ottla_protocol::{ApiKey, ErrorCode, Str};

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static DESCRIBE: Api =
    Api { key: ApiKey::DescribeAcls, versions: (1, 3), facing: Facing::Client, handle: describe };
pub static CREATE: Api = Api { key: ApiKey::CreateAcls, versions: (1, 3), facing: Facing::Client, handle: create };
pub static DELETE: Api = Api { key: ApiKey::DeleteAcls, versions: (1, 3), facing: Facing::Client, handle: delete };

const DISABLED: i16 = ErrorCode::SecurityDisabled as i16;

fn describe(_: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    if let Err(reply) = context.decode::<DescribeAclsRequest<'_>>(body) {
        return reply;
    }
    let error_message = Some(Str::Borrowed("No Authorizer is configured on the broker"));
    context.reply(&DescribeAclsResponse { error_code: DISABLED, error_message, ..DescribeAclsResponse::default() })
}

fn create(_: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: CreateAclsRequest = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let refusal = AclCreationResult { error_code: DISABLED, error_message: Some(Str::Borrowed(NO_AUTHORIZER)) };
    let results = vec![refusal; request.creations.len()];
    context.reply(&CreateAclsResponse { throttle_time_ms: 0, results })
}

fn delete(_: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: DeleteAclsRequest = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let refusal = DeleteAclsFilterResult {
        error_code: DISABLED,
        error_message: Some(Str::Borrowed(NO_AUTHORIZER)),
        ..DeleteAclsFilterResult::default()
    };
    let filter_results = vec![refusal; request.filters.len()];
    context.reply(&DeleteAclsResponse { throttle_time_ms: 0, filter_results })
}

const NO_AUTHORIZER: &str = "No Authorizer is configured.";

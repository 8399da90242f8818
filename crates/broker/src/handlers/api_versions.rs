//! ApiVersions 0–4 (KIP-35, KIP-511, KIP-584): what this broker serves, from the table of handlers.
//!
//! Answered in version 0 with `UNSUPPORTED_VERSION` when the client asks in a version that doesn't exist, so that it can try
//! again. Produce is announced from version 0 on although 0–2 are refused, because old librdkafka takes its absence for a
//! broker without that message format (KIP-896, as 4.3.1 does).

use std::sync::Arc;

use ottla_protocol::messages::api_versions_request::ApiVersionsRequest;
use ottla_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use ottla_protocol::{ApiKey, ErrorCode};

use crate::api::{APIS, Api, Facing};
use crate::broker::Broker;
use crate::reply::{Reply, encode_response};
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::ApiVersions, versions: (0, 4), facing: Facing::Client, handle };

fn handle(_broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: ApiVersionsRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    if context.api_version >= 3 {
        let (name, version) = (&*request.client_software_name, &*request.client_software_version);
        if !is_software_name(name) || !is_software_name(version) {
            return context.reply(&error_response(ErrorCode::InvalidRequest));
        }
        context.connection.client_software = Some(Arc::from(format!("{name} {version}")));
    }
    context.reply(&served())
}

/// The answer to a version that doesn't exist: the list, in version 0.
pub fn unsupported_version(_broker: &Broker, context: &mut RequestContext<'_>) -> Reply {
    let response = ApiVersionsResponse { error_code: ErrorCode::UnsupportedVersion.code(), ..served() };
    encode_response(context.api_key, 0, context.correlation_id, &response)
}

fn error_response(error: ErrorCode) -> ApiVersionsResponse<'static> {
    ApiVersionsResponse { error_code: error.code(), ..Default::default() }
}

fn served() -> ApiVersionsResponse<'static> {
    let api_keys = APIS.iter().map(|api| ApiVersion {
        api_key: api.key.code(),
        min_version: if api.key == ApiKey::Produce { 0 } else { api.versions.0 },
        max_version: api.versions.1,
    });
    // As 3.9.2 answers in ZooKeeper mode: the features of KRaft (`group.version`, `transaction.version`, …) are not there,
    // which makes clients of 4.x keep to the classic groups and transactions.
    ApiVersionsResponse { api_keys: api_keys.collect(), finalized_features_epoch: 0, ..Default::default() }
}

/// KIP-511: letters, digits, `-` and `.`, beginning and ending with a letter or digit.
fn is_software_name(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(name.chars().next())
        && edge(name.chars().last())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
}

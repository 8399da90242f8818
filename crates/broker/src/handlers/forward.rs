//! The way of a request that only the control plane can answer.

use crate::broker::Broker;
use crate::control::{ControlInput, ControlRequest};
use crate::reply::Reply;
use crate::request::RequestContext;

/// Passes the request on; the control plane decodes and answers it.
pub(super) fn to_control_plane(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request = ControlRequest {
        api_key: context.api_key,
        api_version: context.api_version,
        body: body.to_vec(),
        client_id: context.client_id().to_owned(),
        principal: context.connection.principal.clone(),
        listener: context.connection.listener.clone(),
    };
    let responder = context.responder();
    broker.shared.control.submit(ControlInput::Request { request, responder });
    Reply::Later
}

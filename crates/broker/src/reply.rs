//! How a handler answers.

use std::sync::Weak;

use ottla_protocol::{ApiKey, EncodeError, Frame, Response};

use crate::purgatory::DelayedOperation;

/// What became of a request.
#[derive(Debug)]
pub enum Reply {
    /// The whole answer: size prefix, response header and body.
    Now(Frame),
    /// The handler took the [`Responder`] and answers later; the connection's next request waits until then.
    Later,
    /// Nothing is answered (Produce with acks=0).
    None,
    /// The connection is closed, as Kafka does for a request it cannot answer; the text goes to the log.
    Close(String),
}

/// Where a late answer goes: made by the driver, once per request, and only when a handler asks for it.
pub trait ReplySink: Send {
    /// Hands the whole answer over. The connection may be gone by then; the answer is dropped in that case.
    fn reply(self: Box<Self>, reply: Reply);

    /// Names the operation that waits to make the answer: it is expired when the connection ends before.
    fn set_operation(&self, _operation: Weak<dyn DelayedOperation>) {}
}

/// The right and the duty to answer one request later.
pub struct Responder {
    pub(crate) sink: Box<dyn ReplySink>,
    pub(crate) api_key: ApiKey,
    pub(crate) api_version: i16,
    pub(crate) correlation_id: i32,
}

impl Responder {
    /// Encodes `response` for the request's version and sends it.
    pub fn send<'a>(self, response: &impl Response<'a>) {
        let reply = self.encode(response);
        self.deliver(reply);
    }

    /// Encodes `response` for the request's version: for those who let go of a lock before they send.
    pub(crate) fn encode<'a>(&self, response: &impl Response<'a>) -> Reply {
        encode_response(self.api_key, self.api_version, self.correlation_id, response)
    }

    pub(crate) fn deliver(self, reply: Reply) {
        self.sink.reply(reply);
    }

    /// Names the operation that waits to make the answer: it is expired when the connection ends before.
    pub(crate) fn set_operation(&self, operation: Weak<dyn DelayedOperation>) {
        self.sink.set_operation(operation);
    }

    /// The version in which the answer will be encoded.
    #[must_use]
    pub fn api_version(&self) -> i16 {
        self.api_version
    }

    /// Ends the request without an answer.
    pub fn close(self, why: String) {
        self.sink.reply(Reply::Close(why));
    }
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Responder({:?} v{} #{})", self.api_key, self.api_version, self.correlation_id)
    }
}

/// A whole answer frame; a response that its version can't carry is our own mistake, and closes the connection.
pub(crate) fn encode_response<'a>(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &impl Response<'a>,
) -> Reply {
    match ottla_protocol::response_frame(correlation_id, response, version) {
        Ok(frame) => Reply::Now(frame),
        Err(error) => close_unencodable(key, version, &error),
    }
}

#[cold]
fn close_unencodable(key: ApiKey, version: i16, error: &EncodeError) -> Reply {
    Reply::Close(format!("the answer to {key:?} version {version} cannot be encoded: {error}"))
}

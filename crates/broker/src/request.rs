//! A request as a handler sees it.

use std::net::IpAddr;
use std::sync::Arc;

use ottla_base::time::Now;
use ottla_protocol::{ApiKey, DecodeError, Reader, Request, Response};

use crate::reply::{Reply, ReplySink, Responder, encode_response};

/// What is known of a connection for as long as it lives.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Unique among the connections of this process.
    pub id: u64,
    pub peer: IpAddr,
    /// The listener's name, such as `PLAINTEXT`: decides which endpoint of each broker Metadata answers with.
    pub listener: Arc<str>,
    /// `User:ANONYMOUS` until authentication says otherwise.
    pub principal: Arc<str>,
    /// What the client's ApiVersions request said of itself (KIP-511), when it did.
    pub client_software: Option<Arc<str>>,
}

/// One request's surroundings: its header, its connection, the time, and the way to answer.
pub struct RequestContext<'a> {
    pub now: Now,
    pub connection: &'a mut ConnectionInfo,
    pub api_key: ApiKey,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<&'a str>,
    pub(crate) make_sink: &'a mut dyn FnMut() -> Box<dyn ReplySink>,
}

impl<'a> RequestContext<'a> {
    /// Reads the request's body; what can't be read closes the connection. Bytes behind it are let pass, as Kafka does.
    pub fn decode<'b, M: Request<'b>>(&self, body: &'b [u8]) -> Result<M, Reply> {
        M::decode(&mut Reader::new(body), self.api_version).map_err(|error| self.unreadable(&error))
    }

    #[cold]
    fn unreadable(&self, error: &DecodeError) -> Reply {
        Reply::Close(format!("{} version {} can't be read: {error}", self.api_key.name(), self.api_version))
    }

    /// Answers now.
    pub fn reply<'m>(&self, response: &impl Response<'m>) -> Reply {
        encode_response(self.api_key, self.api_version, self.correlation_id, response)
    }

    /// Takes the duty to answer later; the handler then returns [`Reply::Later`].
    pub fn responder(&mut self) -> Responder {
        Responder {
            sink: (self.make_sink)(),
            api_key: self.api_key,
            api_version: self.api_version,
            correlation_id: self.correlation_id,
        }
    }

    /// The client's id, or the empty string.
    #[must_use]
    pub fn client_id(&self) -> &'a str {
        self.client_id.unwrap_or("")
    }

    /// The peer's address as Kafka prints it in groups and logs: `/127.0.0.1`.
    #[must_use]
    pub fn client_host(&self) -> String {
        format!("/{}", self.connection.peer)
    }
}

//! The table of served APIs: dispatch and the ApiVersions answer both come from it, so no client is promised what fails.

use ottla_protocol::ApiKey;

use crate::broker::Broker;
use crate::handlers;
use crate::reply::Reply;
use crate::request::RequestContext;

/// Who may send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facing {
    /// Any client; listed by ApiVersions.
    Client,
    /// Other brokers and the controller of a ZooKeeper-mode cluster; listed too, as 3.9.2 does in that mode.
    Broker,
}

/// A served API. Each handler module has one as its `API`.
#[derive(Debug)]
pub struct Api {
    pub key: ApiKey,
    /// Lowest and highest version served; both over the whole range between.
    pub versions: (i16, i16),
    pub facing: Facing,
    /// `body` is the frame after the request header; Produce writes offsets into it in place.
    pub handle: fn(&Broker, &mut RequestContext<'_>, body: &mut [u8]) -> Reply,
}

/// Every served API, in the order of the keys.
pub static APIS: &[&Api] = &[&handlers::api_versions::API];

/// The served API with this key.
#[must_use]
pub fn find(key: ApiKey) -> Option<&'static Api> {
    APIS.iter().copied().find(|api| api.key == key)
}

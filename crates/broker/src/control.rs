//! The control plane: the broker's life in the cluster, as one step machine.
//!
//! It registers the broker in the keeper, takes part in the controller election, is the controller when it wins (watches
//! brokers and topics, chooses leaders from the ISR, writes partition state, tells the brokers by LeaderAndIsr,
//! UpdateMetadata and StopReplica) and carries out what administrators ask for. All it knows arrives as a
//! [`ControlInput`]; all it wants leaves as a [`ControlOutput`], or through the [`Responder`]
//! of a request.

use ottla_keeper::ops::{KeeperEvent, KeeperOp, KeeperResult};
use ottla_protocol::{ApiKey, Frame};

pub use crate::control_plane::{ControlPlane, ControlPlaneConfig, StoredIdentity};
use crate::reply::Responder;

/// Names an operation under way, so that its result finds its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// What can happen to the control plane.
#[derive(Debug)]
pub enum ControlInput {
    /// The keeper session came, went or expired, or a watch fired.
    Keeper(KeeperEvent),
    /// The result of a [`ControlOutput::Keeper`]; results come in the order of the operations.
    KeeperReply { tag: Tag, result: KeeperResult },
    /// The answer's body (after the response header) to a [`ControlOutput::Send`], or `None` when the broker can't be
    /// reached or closed the connection.
    BrokerReply { tag: Tag, api_key: ApiKey, api_version: i16, body: Option<Vec<u8>> },
    /// A request that only the control plane can answer, as its handler decoded it.
    Request { request: ControlRequest, responder: Responder },
    /// A wish of another part of this broker.
    Local(LocalRequest),
    /// Time has passed: at least every 100 ms.
    Tick,
    /// Leave the cluster in good order; ends with [`ControlOutput::Stopped`].
    Shutdown,
}

/// A client's request that needs the control plane: the frame's body and its version; the control plane decodes it.
#[derive(Debug)]
pub struct ControlRequest {
    pub api_key: ApiKey,
    pub api_version: i16,
    pub body: Vec<u8>,
    pub client_id: String,
    pub principal: std::sync::Arc<str>,
    pub listener: std::sync::Arc<str>,
}

/// A wish that another part of the broker has.
#[derive(Debug)]
pub enum LocalRequest {
    /// Create these topics with the default settings: a client asked for their metadata, or a coordinator needs its
    /// internal topic. `done` runs when they can be led, or with the reason why not.
    CreateTopics { names: Vec<String>, done: Option<LocalDone> },
    /// The local metadata cache took in an UpdateMetadata.
    MetadataChanged,
    /// A log directory failed; its partitions here need other leaders.
    LogDirFailed { directory: String },
}

/// Runs once with the outcome of a [`LocalRequest`], on the control plane's thread.
pub struct LocalDone(pub Box<dyn FnOnce(Result<(), ottla_protocol::ErrorCode>) + Send>);

impl std::fmt::Debug for LocalDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalDone")
    }
}

/// What the control plane wants done.
#[derive(Debug)]
pub enum ControlOutput {
    /// Submit to the keeper; operations are submitted, and answered, in this order.
    Keeper { tag: Tag, op: KeeperOp },
    /// Send a request to a broker, in this order per broker; the broker may be this one, and then the driver hands the frame to
    /// [`crate::broker::Broker::handle`] of this process. `endpoint` is host and port of the inter-broker listener.
    Send { tag: Tag, broker_id: i32, endpoint: (String, u16), api_key: ApiKey, api_version: i16, request: Frame },
    /// Open a new keeper session: the old one expired.
    NewKeeperSession,
    /// Who this broker is; comes once, before [`Self::Registered`]. The driver writes both into the `meta.properties` of
    /// every log directory that has none.
    Identity { cluster_id: String, broker_id: i32 },
    /// This broker is in the cluster under this epoch (the czxid of its registration); requests of a controller to an
    /// older one are stale. Comes again after a session was lost.
    Registered { broker_epoch: i64 },
    /// [`crate::config::SharedConfig`] has other settings for the topic: its open logs take them from there.
    TopicConfigChanged { topic: String },
    /// [`crate::config::SharedConfig`] has other settings for the broker: all that it feeds takes them from there.
    BrokerConfigChanged,
    /// Registered and told of its partitions: the broker serves clients from now on. Comes once.
    Ready,
    /// The process cannot go on; one line with the remedy.
    Fatal(String),
    /// The answer to [`ControlInput::Shutdown`].
    Stopped,
}

/// How other parts of the broker reach the control plane: a queue that the driver empties into the step machine.
pub trait ControlInbox: Send + Sync + std::fmt::Debug {
    fn submit(&self, input: ControlInput);
}

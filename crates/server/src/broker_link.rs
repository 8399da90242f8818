//! Requests of the control plane to other brokers: one connection per broker, one request at a time, in order.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ottla_broker::control::{ControlInbox, ControlInput, Tag};
use ottla_protocol::{ApiKey, Frame, response_head};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::runtime::Cores;

/// Longest answer of a broker to a request of the control plane.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// How long a connection may take to come about (`socket.connection.setup.timeout.ms` of Kafka's own clients).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) tag: Tag,
    pub(crate) endpoint: (String, u16),
    pub(crate) api_key: ApiKey,
    pub(crate) api_version: i16,
    pub(crate) request: Frame,
}

/// The connections to all other brokers.
#[doc(alias = "ControllerChannelManager")]
#[derive(Debug)]
pub(crate) struct BrokerLinks {
    cores: Arc<Cores>,
    inbox: Arc<dyn ControlInbox>,
    /// How long a broker may take to answer (`controller.socket.timeout.ms`).
    timeout: Duration,
    links: BTreeMap<i32, (mpsc::UnboundedSender<Outgoing>, AbortHandle)>,
}

impl BrokerLinks {
    pub(crate) fn new(cores: Arc<Cores>, inbox: Arc<dyn ControlInbox>, timeout: Duration) -> Self {
        Self { cores, inbox, timeout, links: BTreeMap::new() }
    }

    /// Sends after everything sent to the same broker before.
    pub(crate) fn send(&mut self, broker_id: i32, outgoing: Outgoing) {
        let (queue, _) = self.links.entry(broker_id).or_insert_with(|| {
            // Bounded by the control plane: it awaits its answers.
            let (sender, receiver) = mpsc::unbounded_channel();
            let task = self.cores.spawn(run(receiver, Arc::clone(&self.inbox), self.timeout));
            (sender, task)
        });
        if let Err(mpsc::error::SendError(lost)) = queue.send(outgoing) {
            fail(self.inbox.as_ref(), &lost);
        }
    }
}

impl Drop for BrokerLinks {
    fn drop(&mut self) {
        for (_, task) in self.links.values() {
            task.abort();
        }
    }
}

fn fail(inbox: &dyn ControlInbox, lost: &Outgoing) {
    let Outgoing { tag, api_key, api_version, .. } = *lost;
    inbox.submit(ControlInput::BrokerReply { tag, api_key, api_version, body: None });
}

async fn run(mut queue: mpsc::UnboundedReceiver<Outgoing>, inbox: Arc<dyn ControlInbox>, timeout: Duration) {
    let mut connection: Option<((String, u16), TcpStream)> = None;
    while let Some(outgoing) = queue.recv().await {
        if connection.as_ref().is_some_and(|(endpoint, _)| *endpoint != outgoing.endpoint) {
            connection = None;
        }
        let (tag, api_key, api_version) = (outgoing.tag, outgoing.api_key, outgoing.api_version);
        let endpoint = outgoing.endpoint.clone();
        let exchange = exchange(&mut connection, outgoing);
        let answer = match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        if let Err(error) = &answer {
            let (host, port) = endpoint;
            tracing::warn!(api = ?api_key, broker = %format_args!("{host}:{port}"), %error, "no answer from a broker");
            connection = None;
        }
        inbox.submit(ControlInput::BrokerReply { tag, api_key, api_version, body: answer.ok() });
    }
}

/// Sends one request and gives its answer's body.
async fn exchange(connection: &mut Option<((String, u16), TcpStream)>, outgoing: Outgoing) -> io::Result<Vec<u8>> {
    let Outgoing { endpoint, api_key, api_version, request, .. } = outgoing;
    let (_, stream) = match connection {
        Some(connection) => connection,
        None => {
            let connecting = TcpStream::connect((endpoint.0.as_str(), endpoint.1));
            let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await??;
            stream.set_nodelay(true)?;
            connection.insert((endpoint, stream))
        }
    };
    stream.write_all(&request.into_bytes()?).await?;
    let len = stream.read_i32().await?;
    let len = usize::try_from(len).ok().filter(|len| *len <= MAX_ANSWER_BYTES).ok_or(io::ErrorKind::InvalidData)?;
    let mut answer = Vec::new();
    if (&mut *stream).take(len as u64).read_to_end(&mut answer).await? < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    body_of(&answer, api_key, api_version)
}

/// The body of a whole answer (without its length).
pub(crate) fn body_of(answer: &[u8], api_key: ApiKey, api_version: i16) -> io::Result<Vec<u8>> {
    let (_, body) = response_head(answer, api_key, api_version).map_err(io::Error::other)?;
    Ok(body.rest().to_vec())
}

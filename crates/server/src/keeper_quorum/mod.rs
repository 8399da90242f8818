//! Connections between the servers of an ensemble: the election port and the quorum port. What the bytes mean is up to
//! [`ottla_keeper::ensemble`]; here they are moved.

mod connect;
mod exchange;
mod outgoing;
mod ports;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use ottla_base::limits::ELECTION_CONNECTIONS;
use ottla_keeper::config::QuorumPeerConfig;
use ottla_keeper::ensemble::{ElectionInput, Input, QuorumInput};
use ottla_keeper::zab::ConnId;
use ottla_keeper::zab::messages::{InitialMessage, ServerState};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::keeper_host::Shared;
use exchange::{Receiver, exchange};
pub(crate) use outgoing::Outgoing;
pub(crate) use ports::Ports;

/// After an error of the listening socket (out of descriptors), before it is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// For the word that this server leads from now on, after the word to another one that follows it.
const HANDOVER: Duration = Duration::from_millis(500);

/// One of the two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Election,
    Quorum,
}

/// How long other servers are waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    /// `cnxTimeout`
    election_connect: Duration,
    /// `connectToLearnerMasterLimit` ticks
    quorum_connect: Duration,
    /// `syncLimit` ticks: for whoever connects to the election port to say who it is.
    first_word: Duration,
    /// `initLimit` ticks: for whoever connects to the quorum port before there is a leader.
    until_leading: Duration,
}

impl Patience {
    pub fn new(config: &QuorumPeerConfig) -> Self {
        let ticks = |ticks: u32| Duration::from_millis(u64::from(config.tick_time_ms) * u64::from(ticks));
        Self {
            election_connect: Duration::from_millis(config.cnx_timeout_ms.into()),
            quorum_connect: ticks(config.connect_to_learner_master_limit),
            first_word: ticks(config.sync_limit),
            until_leading: ticks(config.init_limit),
        }
    }
}

/// Takes connections on both ports for ever. To be called within the runtime.
pub(crate) fn listen(shared: &Arc<Shared>, ports: Ports) {
    for (port, sockets) in [(Port::Election, ports.election), (Port::Quorum, ports.quorum)] {
        let room = Arc::new(Semaphore::new(ELECTION_CONNECTIONS));
        for socket in sockets {
            tokio::spawn(accept(Arc::clone(shared), port, socket, Arc::clone(&room)));
        }
    }
}

async fn accept(shared: Arc<Shared>, port: Port, socket: TcpListener, room: Arc<Semaphore>) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return shared.fail(&format!("it cannot listen: {error}")),
    };
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => match Arc::clone(&room).try_acquire_owned() {
                Ok(permit) if stream.set_nodelay(true).is_ok() => {
                    tokio::spawn(accepted(Arc::clone(&shared), port, stream, permit));
                }
                Ok(_) => {}
                Err(_) => tracing::warn!(%peer, "too many connections on the {port:?} port; closing the newest"),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept another server's connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accepted(shared: Arc<Shared>, port: Port, stream: TcpStream, _permit: OwnedSemaphorePermit) {
    match port {
        Port::Election => {
            let first_word = Some(shared.patience().first_word);
            serve(shared, port, stream, first_word, |conn| Input::Election(ElectionInput::Accepted { conn })).await;
        }
        Port::Quorum => {
            // Who learnt of the election's end before this server did is not sent away: that would cost another round.
            let mut role = shared.role();
            let elected = role.wait_for(|role| *role != ServerState::Looking);
            match tokio::time::timeout(shared.patience().until_leading, elected).await {
                Ok(Ok(_)) => {}
                _ => return,
            }
            // A leader that left the ensemble may have named this server, and told the other one first.
            let leads = role.wait_for(|role| *role == ServerState::Leading);
            if !matches!(tokio::time::timeout(HANDOVER, leads).await, Ok(Ok(_))) {
                return;
            }
            let Ok(peer) = stream.peer_addr() else { return };
            serve(shared, port, stream, None, |conn| Input::Quorum(QuorumInput::Accepted { conn, peer })).await;
        }
    }
}

/// Connects to server `sid` at the first of `addresses` that answers, and serves the connection to its end.
pub(crate) async fn connect_to(shared: Arc<Shared>, port: Port, sid: i64, addresses: Vec<(String, u16)>) {
    let limit = match port {
        Port::Election => shared.patience().election_connect,
        Port::Quorum => shared.patience().quorum_connect,
    };
    match connect::connect(&addresses, limit).await {
        Ok(stream) => {
            serve(shared, port, stream, None, |conn| match port {
                Port::Election => Input::Election(ElectionInput::Connected { conn, sid }),
                Port::Quorum => Input::Quorum(QuorumInput::Connected { conn, leader: sid }),
            })
            .await;
        }
        Err(error) => {
            tracing::debug!(?addresses, "cannot reach the {port:?} port of server {sid}: {error}");
            shared.step_ensemble(match port {
                Port::Election => Input::Election(ElectionInput::ConnectFailed { sid }),
                Port::Quorum => Input::Quorum(QuorumInput::ConnectFailed { leader: sid }),
            });
        }
    }
}

/// One connection, from its first word to its end.
struct Link {
    shared: Arc<Shared>,
    port: Port,
    conn: ConnId,
    /// What a stranger on the election port has said so far; `None` when it is known, or need not be.
    introduction: Option<Vec<u8>>,
}

impl Link {
    fn is_known(&mut self, bytes: &[u8]) -> bool {
        if let Some(said) = &mut self.introduction {
            said.extend_from_slice(bytes);
            if matches!(InitialMessage::decode(said), Ok(None)) {
                return false;
            }
            self.introduction = None;
        }
        true
    }
}

impl Receiver for Link {
    fn received(&mut self, bytes: &[u8]) -> bool {
        let conn = self.conn;
        self.shared.step_ensemble(match self.port {
            Port::Election => Input::Election(ElectionInput::Received { conn, bytes }),
            Port::Quorum => Input::Quorum(QuorumInput::Received { conn, bytes }),
        });
        self.is_known(bytes)
    }

    fn hungry(&mut self) {
        self.shared.step_ensemble(Input::Quorum(QuorumInput::SnapshotStep { conn: self.conn }));
    }
}

async fn serve<'a>(
    shared: Arc<Shared>,
    port: Port,
    stream: TcpStream,
    first_word: Option<Duration>,
    tell: impl FnOnce(ConnId) -> Input<'a>,
) {
    let (conn, outgoing) = shared.open_link(port, tell);
    let mut link = Link { shared, port, conn, introduction: first_word.map(|_| Vec::new()) };
    if let Err(error) = exchange(stream, &outgoing, &mut link, first_word).await {
        tracing::debug!("a connection on the {port:?} port was lost: {error}");
    }
    let gone = match port {
        Port::Election => Input::Election(ElectionInput::Disconnected { conn }),
        Port::Quorum => Input::Quorum(QuorumInput::Disconnected { conn }),
    };
    link.shared.close_link(port, conn, gone);
}

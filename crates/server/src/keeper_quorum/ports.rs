//! The two ports that other servers connect to.

use std::net::TcpListener;
use std::time::Duration;

use ottla_keeper::config::QuorumPeerConfig;

use crate::listener::{BindError, BindTo};

/// Between two tries to bind a port (`electionPortBindRetry`).
const RETRY: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted: far more than servers.
const BACKLOG: i32 = 128;

/// Listening sockets; several of each with several addresses.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    pub quorum: Vec<TcpListener>,
    pub election: Vec<TcpListener>,
}

impl Ports {
    /// Binds the ports of the server's own line, again and again while a former life or a name that isn't known yet
    /// keeps them (`electionPortBindRetry` times).
    pub fn bind(ensemble: &QuorumPeerConfig) -> Result<Self, BindError> {
        let mut tries = 0_u32;
        loop {
            match Self::try_bind(ensemble) {
                Ok(ports) => return Ok(ports),
                Err(error) => {
                    tries += 1;
                    if ensemble.election_port_bind_retry != 0 && tries >= ensemble.election_port_bind_retry {
                        return Err(error);
                    }
                    tracing::warn!("{error}; trying again");
                    std::thread::sleep(RETRY);
                }
            }
        }
    }

    fn try_bind(ensemble: &QuorumPeerConfig) -> Result<Self, BindError> {
        let mut ports = Self::default();
        for address in ensemble.own().map(|own| own.addresses.as_slice()).unwrap_or_default() {
            // `quorumListenOnAllIPs`: the name in the server's line may be one of a router's.
            let host = if ensemble.quorum_listen_on_all_ips { "" } else { address.host.as_str() };
            ports.quorum.push(bind(host, address.quorum_port)?);
            ports.election.push(bind(host, address.election_port)?);
        }
        Ok(ports)
    }
}

fn bind(host: &str, port: u16) -> Result<TcpListener, BindError> {
    let to = BindTo {
        host: host.to_owned(),
        port,
        send_buffer: None,
        receive_buffer: None,
        backlog: BACKLOG,
        setting: "this server's own server.N line (or quorumListenOnAllIPs)",
    };
    to.bind()
}

//! The election port (`QuorumCnxManager`, `FastLeaderElection.buildMsg`): one [`InitialMessage`] by whoever connects,
//! then framed [`Notification`]s in both directions.

use crate::jute::{Jute, JuteError, Reader};
use ottla_base::limits::{ELECTION_ADDRESSES_BYTES, ELECTION_MESSAGE_BYTES};
use std::fmt;

/// One election address.
const PROTOCOL_VERSION_V1: i64 = -65_536;
/// Several, with bars between them.
const PROTOCOL_VERSION_V2: i64 = -65_535;

/// Why bytes on the election port are not what they should be: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// Neither a server id nor a version of the protocol that is known.
    ProtocolVersion(i64),
    /// A length outside of what is sensible.
    Length(i32),
    /// An address that is not `host:port`, or not text.
    Address,
    /// A notification whose fields are cut short or out of range.
    Malformed,
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProtocolVersion(version) => write!(f, "got unrecognized protocol version {version}"),
            Self::Length(len) => write!(f, "unreasonable buffer length: {len}"),
            Self::Address => f.write_str("badly formed address"),
            Self::Malformed => f.write_str("malformed notification"),
        }
    }
}

impl std::error::Error for MessageError {}

impl From<JuteError> for MessageError {
    fn from(_: JuteError) -> Self {
        Self::Malformed
    }
}

/// The first words of whoever connects: who it is and where it takes elections.
#[doc(alias = "QuorumCnxManager.InitialMessage")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialMessage {
    pub sid: i64,
    /// Hosts and ports; empty from servers before 3.5. Several need `multiAddress.enabled`.
    pub election_addresses: Vec<(String, u16)>,
}

impl InitialMessage {
    /// Appends the encoding: the version of several addresses only when there are several, which is what servers
    /// without `multiAddress.enabled` understand.
    pub fn write(&self, out: &mut Vec<u8>) {
        let version = if self.election_addresses.len() > 1 { PROTOCOL_VERSION_V2 } else { PROTOCOL_VERSION_V1 };
        version.write(out);
        self.sid.write(out);
        let addresses: Vec<String> = self.election_addresses.iter().map(|(host, port)| address(host, *port)).collect();
        Some(addresses.join("|").as_str()).write(out);
    }

    /// Reads it from the front of what has arrived; `None` when more must arrive. Returns how many bytes it took.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, MessageError> {
        let mut reader = Reader::new(bytes);
        let Ok(version) = reader.long() else { return Ok(None) };
        if version >= 0 {
            return Ok(Some((Self { sid: version, election_addresses: Vec::new() }, 8)));
        }
        if version != PROTOCOL_VERSION_V1 && version != PROTOCOL_VERSION_V2 {
            return Err(MessageError::ProtocolVersion(version));
        }
        let (Ok(sid), Ok(len)) = (reader.long(), reader.int()) else { return Ok(None) };
        let text_len = usize::try_from(len).map_err(|_| MessageError::Length(len))?;
        if text_len == 0 || text_len > ELECTION_ADDRESSES_BYTES {
            return Err(MessageError::Length(len));
        }
        let Ok(text) = reader.take(text_len) else { return Ok(None) };
        let text = std::str::from_utf8(text).map_err(|_| MessageError::Address)?;
        let election_addresses = text.split('|').map(parse_address).collect::<Result<_, _>>()?;
        Ok(Some((Self { sid, election_addresses }, bytes.len() - reader.rest().len())))
    }
}

/// `host:port`, with brackets around an IPv6 address (`NetUtils.formatInetAddr`).
fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn parse_address(text: &str) -> Result<(String, u16), MessageError> {
    let (host, port) = text.rsplit_once(':').ok_or(MessageError::Address)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(MessageError::Address);
    }
    Ok((host.to_owned(), port.parse().map_err(|_| MessageError::Address)?))
}

/// What a server is doing; the number is the one on the wire.
#[doc(alias = "QuorumPeer.ServerState")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerState {
    Looking = 0,
    Following = 1,
    Leading = 2,
    Observing = 3,
}

impl ServerState {
    fn from_i32(value: i32) -> Option<Self> {
        [Self::Looking, Self::Following, Self::Leading, Self::Observing].into_iter().find(|s| *s as i32 == value)
    }
}

/// A vote, and what its sender is doing.
#[doc(alias = "FastLeaderElection.Notification")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub state: ServerState,
    /// Whom the sender wants, or has, as leader.
    pub leader: i64,
    /// The last transaction of that leader.
    pub zxid: i64,
    /// The election's round.
    pub election_epoch: i64,
    /// The epoch of that leader.
    pub peer_epoch: i64,
    /// 0x2 today. 0 (28 or 40 bytes) and 0x1 come from servers before 3.5.
    pub version: i32,
    /// The sender's configuration as its dynamic file has it; empty before version 0x2.
    pub config: Vec<u8>,
}

impl Notification {
    /// What we write.
    pub const VERSION: i32 = 2;

    /// Appends a frame: length and notification.
    pub fn write_frame(&self, out: &mut Vec<u8>) {
        ((44 + self.config.len()) as i32).write(out);
        (self.state as i32).write(out);
        self.leader.write(out);
        self.zxid.write(out);
        self.election_epoch.write(out);
        self.peer_epoch.write(out);
        Self::VERSION.write(out);
        Some(self.config.as_slice()).write(out);
    }

    /// Reads what a frame holds.
    pub fn decode(body: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader::new(body);
        let state = ServerState::from_i32(reader.int()?).ok_or(MessageError::Malformed)?;
        let (leader, zxid, election_epoch) = (reader.long()?, reader.long()?, reader.long()?);
        // The lengths that servers before 3.4.6 and before 3.5 send.
        let peer_epoch = if body.len() == 28 { zxid >> 32 } else { reader.long()? };
        let version = if body.len() <= 40 { 0 } else { reader.int()? };
        let config = if version > 1 { reader.buffer()?.ok_or(MessageError::Malformed)?.to_vec() } else { Vec::new() };
        Ok(Self { state, leader, zxid, election_epoch, peer_epoch, version, config })
    }
}

/// Frames of the election port.
#[derive(Clone, Copy, Debug)]
pub struct NotificationFrame;

impl NotificationFrame {
    /// The body of the first frame that has arrived whole, and how many bytes it took; `None` when more must arrive.
    pub fn split(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, MessageError> {
        let mut reader = Reader::new(bytes);
        let Ok(len) = reader.int() else { return Ok(None) };
        let body_len = usize::try_from(len).map_err(|_| MessageError::Length(len))?;
        if body_len == 0 || body_len > ELECTION_MESSAGE_BYTES {
            return Err(MessageError::Length(len));
        }
        Ok(reader.take(body_len).ok().map(|body| (body, 4 + body_len)))
    }
}

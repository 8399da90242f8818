//! The quorum port (`QuorumPacket` of `zookeeper.jute`, its payloads of `LearnerHandler` and `Learner`). Packets follow
//! each other without frames; only a snapshot stands between them as it is, after its `SNAP` packet.

use crate::jute::{Jute, JuteError, Reader};
use ottla_base::limits::{ARRAY_PREALLOCATION, QUORUM_PACKET_AUTH_IDS};
use std::sync::Arc;

/// The version of the conversation that both sides tell (`LearnerInfo.protocolVersion`, LEADERINFO).
pub const LEARNER_PROTOCOL_VERSION: i32 = 0x1_0000;

/// The string (with its length before it) that follows a snapshot on the wire.
pub const SNAPSHOT_SIGNATURE: &str = "BenWasHere";

/// The type of a packet.
#[doc(alias = "Leader.getPacketType")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketType {
    Request,
    Proposal,
    Ack,
    Commit,
    Ping,
    Revalidate,
    Sync,
    Inform,
    CommitAndActivate,
    NewLeader,
    FollowerInfo,
    UpToDate,
    Diff,
    Trunc,
    Snap,
    ObserverInfo,
    LeaderInfo,
    AckEpoch,
    InformAndActivate,
    /// Of a later version; receivers pass over it.
    Unknown(i32),
}

const TYPES: [(i32, PacketType); 19] = [
    (1, PacketType::Request),
    (2, PacketType::Proposal),
    (3, PacketType::Ack),
    (4, PacketType::Commit),
    (5, PacketType::Ping),
    (6, PacketType::Revalidate),
    (7, PacketType::Sync),
    (8, PacketType::Inform),
    (9, PacketType::CommitAndActivate),
    (10, PacketType::NewLeader),
    (11, PacketType::FollowerInfo),
    (12, PacketType::UpToDate),
    (13, PacketType::Diff),
    (14, PacketType::Trunc),
    (15, PacketType::Snap),
    (16, PacketType::ObserverInfo),
    (17, PacketType::LeaderInfo),
    (18, PacketType::AckEpoch),
    (19, PacketType::InformAndActivate),
];

impl PacketType {
    /// The type with this number.
    #[must_use]
    pub fn from_i32(number: i32) -> Self {
        TYPES.iter().find(|(n, _)| *n == number).map_or(Self::Unknown(number), |(_, kind)| *kind)
    }

    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Unknown(number) => number,
            kind => TYPES.iter().find(|(_, k)| *k == kind).map_or(0, |(number, _)| *number),
        }
    }
}

/// Whom a forwarded request was authenticated as.
#[doc(alias = "Id")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuthId {
    pub scheme: String,
    pub id: String,
}

/// Everything between a leader and its learners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumPacket {
    pub kind: PacketType,
    pub zxid: i64,
    pub data: Option<Arc<[u8]>>,
    /// `None` is null on the wire, which is not the same as no ids.
    pub auth: Option<Vec<AuthId>>,
}

impl QuorumPacket {
    /// A packet without data.
    #[must_use]
    pub fn new(kind: PacketType, zxid: i64) -> Self {
        Self { kind, zxid, data: None, auth: None }
    }

    /// A packet with data.
    #[must_use]
    pub fn with(kind: PacketType, zxid: i64, data: impl Into<Arc<[u8]>>) -> Self {
        Self { kind, zxid, data: Some(data.into()), auth: None }
    }

    /// The data, empty when there is none.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.data.as_deref().unwrap_or(&[])
    }

    /// Appends the encoding.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.kind.number().write(out);
        self.zxid.write(out);
        self.data.as_deref().write(out);
        match &self.auth {
            None => (-1).write(out),
            Some(ids) => {
                (ids.len() as i32).write(out);
                for id in ids {
                    id.scheme.as_str().write(out);
                    id.id.as_str().write(out);
                }
            }
        }
    }

    /// Reads a packet from the front of what has arrived, and how many bytes it took; `None` when more must arrive.
    /// Data longer than `max_data` bytes (`jute.maxbuffer` and a margin) is an error, before it is waited for.
    pub fn decode(bytes: &[u8], max_data: usize) -> Result<Option<(Self, usize)>, JuteError> {
        let mut reader = Reader::new(bytes);
        match Self::read(&mut reader, max_data) {
            Ok(packet) => Ok(Some((packet, bytes.len() - reader.rest().len()))),
            Err(JuteError::Truncated) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(reader: &mut Reader<'_>, max_data: usize) -> Result<Self, JuteError> {
        let kind = PacketType::from_i32(reader.int()?);
        let zxid = reader.long()?;
        let data = bounded(reader, max_data)?.map(Arc::from);
        let auth = match reader.int()? {
            -1 => None,
            count => {
                let ids = usize::try_from(count).map_err(|_| JuteError::BadLength(count))?;
                if ids > QUORUM_PACKET_AUTH_IDS {
                    return Err(JuteError::BadLength(count));
                }
                let mut auth = Vec::with_capacity(ids.min(ARRAY_PREALLOCATION));
                for _ in 0..ids {
                    auth.push(AuthId { scheme: text(reader, max_data)?, id: text(reader, max_data)? });
                }
                Some(auth)
            }
        };
        Ok(Self { kind, zxid, data, auth })
    }
}

/// A buffer whose length is checked before its bytes are there.
fn bounded<'a>(reader: &mut Reader<'a>, max: usize) -> Result<Option<&'a [u8]>, JuteError> {
    match reader.clone().int()? {
        len if usize::try_from(len).is_ok_and(|len| len > max) => Err(JuteError::BadLength(len)),
        _ => reader.buffer(),
    }
}

fn text(reader: &mut Reader<'_>, max: usize) -> Result<String, JuteError> {
    let bytes = bounded(reader, max)?.unwrap_or(&[]);
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| JuteError::NotUtf8)
}

/// The data of FOLLOWERINFO and OBSERVERINFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerInfo {
    pub sid: i64,
    /// [`LEARNER_PROTOCOL_VERSION`]; 1 from servers that don't tell.
    pub protocol_version: i32,
    /// Version of the configuration; 0 from servers that don't tell.
    pub config_version: i64,
}

impl LearnerInfo {
    /// Its 20 bytes.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(20);
        self.sid.write(&mut out);
        self.protocol_version.write(&mut out);
        self.config_version.write(&mut out);
        out
    }

    /// Reads the 8, 12 or 20 bytes that there are.
    pub fn decode(data: &[u8]) -> Result<Self, JuteError> {
        let mut reader = Reader::new(data);
        let sid = reader.long()?;
        let protocol_version = if reader.is_empty() { 1 } else { reader.int()? };
        let config_version = if reader.is_empty() { 0 } else { reader.long()? };
        Ok(Self { sid, protocol_version, config_version })
    }
}

/// The data of REQUEST: what a client of a learner asks for, to be decided by the leader.
#[doc(alias = "LearnerSyncRequest")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnerRequest {
    pub session_id: i64,
    pub cxid: i32,
    /// An [`crate::proto::OpCode`].
    pub op: i32,
    /// The request without its header.
    pub body: Arc<[u8]>,
    /// Whom the client was authenticated as.
    pub auth: Vec<AuthId>,
}

impl LearnerRequest {
    /// The packet to the leader. A request of nobody has null where the ids go, as ZooKeeper's own (session creation) has.
    #[must_use]
    pub fn to_packet(&self) -> QuorumPacket {
        let mut data = Vec::with_capacity(16 + self.body.len());
        self.session_id.write(&mut data);
        self.cxid.write(&mut data);
        self.op.write(&mut data);
        data.extend_from_slice(&self.body);
        let auth = (!self.auth.is_empty()).then(|| self.auth.clone());
        QuorumPacket { auth, ..QuorumPacket::with(PacketType::Request, -1, data) }
    }

    /// Reads it from a packet.
    pub fn from_packet(packet: &QuorumPacket) -> Result<Self, JuteError> {
        let mut reader = Reader::new(packet.data());
        Ok(Self {
            session_id: reader.long()?,
            cxid: reader.int()?,
            op: reader.int()?,
            body: reader.rest().into(),
            auth: packet.auth.clone().unwrap_or_default(),
        })
    }
}

/// Sessions that a learner heard of since the last PING, with their timeouts in milliseconds: the data of its answer.
#[doc(alias = "getTouchSnapshot")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched(pub Vec<(i64, i32)>);

impl Touched {
    /// Its bytes, 12 for each session.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() * 12);
        for (session_id, timeout_ms) in &self.0 {
            session_id.write(&mut out);
            timeout_ms.write(&mut out);
        }
        out
    }

    /// Reads as many as there are.
    pub fn decode(data: &[u8]) -> Result<Self, JuteError> {
        let mut reader = Reader::new(data);
        let mut sessions = Vec::with_capacity((data.len() / 12).min(ARRAY_PREALLOCATION));
        while !reader.is_empty() {
            sessions.push((reader.long()?, reader.int()?));
        }
        Ok(Self(sessions))
    }
}

/// REVALIDATE to the leader: session and timeout in milliseconds, for a client that moved here.
#[must_use]
pub fn session_validity_asked(session_id: i64, timeout_ms: i32) -> QuorumPacket {
    let mut data = session_id.to_bytes();
    timeout_ms.write(&mut data);
    QuorumPacket::with(PacketType::Revalidate, -1, data)
}

/// REVALIDATE to the learner: is the session still alive?
#[must_use]
pub fn session_validity(session_id: i64, valid: bool) -> QuorumPacket {
    let mut data = session_id.to_bytes();
    valid.write(&mut data);
    QuorumPacket::with(PacketType::Revalidate, -1, data)
}

/// The data of COMMITANDACTIVATE (whom the new configuration wants as leader) and of INFORMANDACTIVATE (that, and the
/// transaction).
pub fn activation(data: &[u8]) -> Result<(i64, &[u8]), JuteError> {
    let mut reader = Reader::new(data);
    Ok((reader.long()?, reader.rest()))
}

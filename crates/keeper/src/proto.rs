//! The records that clients and servers exchange (`zookeeper.jute`, modules `data` and `proto`), the operation codes
//! (`ZooDefs.OpCode`) and the error codes (`KeeperException.Code`). Every record encodes and decodes, so that server
//! and client share them.
//!
//! A frame is a 4-byte length and that many bytes: the first frame of a connection is a [`ConnectRequest`], answered by
//! a [`ConnectResponse`]; later ones are a [`RequestHeader`] and the request, answered by a [`ReplyHeader`] and, when
//! `err` is 0, the response. A [`ReplyHeader`] with xid [`xid::NOTIFICATION`] precedes a [`WatcherEvent`].

use crate::jute::{Jute, JuteError, Reader, record};

/// Reserved values of `xid`.
pub mod xid {
    /// A [`super::WatcherEvent`] follows.
    pub const NOTIFICATION: i32 = -1;
    pub const PING: i32 = -2;
    pub const AUTH: i32 = -4;
    pub const SET_WATCHES: i32 = -8;
}

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum $name { $($(#[$variant_meta])* $variant = $code),* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The value with this number; `None` when there is none.
            #[must_use]
            pub fn from_i32(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// Its number on the wire.
            #[must_use]
            pub fn code(self) -> i32 {
                self as i32
            }

            /// Its name in ZooKeeper.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

codes! {
    /// What a request asks for (`ZooDefs.OpCode`).
    OpCode {
        Notification = 0, "notification";
        Create = 1, "create";
        Delete = 2, "delete";
        Exists = 3, "exists";
        GetData = 4, "getData";
        SetData = 5, "setData";
        GetAcl = 6, "getACL";
        SetAcl = 7, "setACL";
        GetChildren = 8, "getChildren";
        Sync = 9, "sync";
        Ping = 11, "ping";
        GetChildren2 = 12, "getChildren2";
        Check = 13, "check";
        Multi = 14, "multi";
        Create2 = 15, "create2";
        Reconfig = 16, "reconfig";
        CheckWatches = 17, "checkWatches";
        RemoveWatches = 18, "removeWatches";
        CreateContainer = 19, "createContainer";
        /// Only the server itself asks for it.
        DeleteContainer = 20, "deleteContainer";
        CreateTtl = 21, "createTTL";
        MultiRead = 22, "multiRead";
        Auth = 100, "auth";
        SetWatches = 101, "setWatches";
        Sasl = 102, "sasl";
        GetEphemerals = 103, "getEphemerals";
        GetAllChildrenNumber = 104, "getAllChildrenNumber";
        SetWatches2 = 105, "setWatches2";
        AddWatch = 106, "addWatch";
        WhoAmI = 107, "whoAmI";
        /// A transaction type only: on the wire it is the connect frame, which has no header.
        CreateSession = -10, "createSession";
        CloseSession = -11, "closeSession";
        /// A transaction type only: a request that failed when it was prepared.
        Error = -1, "error";
    }
}

impl OpCode {
    /// Does a client change the tree with this, or end its session?
    #[must_use]
    pub fn is_change(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Create2
                | Self::CreateTtl
                | Self::CreateContainer
                | Self::Delete
                | Self::DeleteContainer
                | Self::SetData
                | Self::SetAcl
                | Self::Multi
                | Self::Reconfig
                | Self::CloseSession
        )
    }
}

codes! {
    /// Why a request failed (`KeeperException.Code`).
    ErrorCode {
        Ok = 0, "OK";
        SystemError = -1, "SYSTEMERROR";
        RuntimeInconsistency = -2, "RUNTIMEINCONSISTENCY";
        DataInconsistency = -3, "DATAINCONSISTENCY";
        ConnectionLoss = -4, "CONNECTIONLOSS";
        MarshallingError = -5, "MARSHALLINGERROR";
        Unimplemented = -6, "UNIMPLEMENTED";
        OperationTimeout = -7, "OPERATIONTIMEOUT";
        BadArguments = -8, "BADARGUMENTS";
        UnknownSession = -12, "UNKNOWNSESSION";
        NewConfigNoQuorum = -13, "NEWCONFIGNOQUORUM";
        ReconfigInProgress = -14, "RECONFIGINPROGRESS";
        ApiError = -100, "APIERROR";
        NoNode = -101, "NONODE";
        NoAuth = -102, "NOAUTH";
        BadVersion = -103, "BADVERSION";
        NoChildrenForEphemerals = -108, "NOCHILDRENFOREPHEMERALS";
        NodeExists = -110, "NODEEXISTS";
        NotEmpty = -111, "NOTEMPTY";
        SessionExpired = -112, "SESSIONEXPIRED";
        InvalidCallback = -113, "INVALIDCALLBACK";
        InvalidAcl = -114, "INVALIDACL";
        AuthFailed = -115, "AUTHFAILED";
        SessionMoved = -118, "SESSIONMOVED";
        NotReadOnly = -119, "NOTREADONLY";
        EphemeralOnLocalSession = -120, "EPHEMERALONLOCALSESSION";
        NoWatcher = -121, "NOWATCHER";
        RequestTimeout = -122, "REQUESTTIMEOUT";
        ReconfigDisabled = -123, "RECONFIGDISABLED";
        SessionClosedRequireSaslAuth = -124, "SESSIONCLOSEDREQUIRESASLAUTH";
        QuotaExceeded = -125, "QUOTAEXCEEDED";
        ThrottledOp = -127, "THROTTLEDOP";
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for ErrorCode {}

codes! {
    /// What a watch saw (`Watcher.Event.EventType`).
    EventType {
        /// The session's state changed; has no path.
        None = -1, "None";
        NodeCreated = 1, "NodeCreated";
        NodeDeleted = 2, "NodeDeleted";
        NodeDataChanged = 3, "NodeDataChanged";
        NodeChildrenChanged = 4, "NodeChildrenChanged";
        DataWatchRemoved = 5, "DataWatchRemoved";
        ChildWatchRemoved = 6, "ChildWatchRemoved";
        PersistentWatchRemoved = 7, "PersistentWatchRemoved";
    }
}

codes! {
    /// The session's state that an event tells (`Watcher.Event.KeeperState`).
    KeeperState {
        Disconnected = 0, "Disconnected";
        SyncConnected = 3, "SyncConnected";
        AuthFailed = 4, "AuthFailed";
        ConnectedReadOnly = 5, "ConnectedReadOnly";
        SaslAuthenticated = 6, "SaslAuthenticated";
        Expired = -112, "Expired";
        Closed = 7, "Closed";
    }
}

codes! {
    /// What kind of node to create: the `flags` of the create requests.
    CreateMode {
        Persistent = 0, "PERSISTENT";
        Ephemeral = 1, "EPHEMERAL";
        PersistentSequential = 2, "PERSISTENT_SEQUENTIAL";
        EphemeralSequential = 3, "EPHEMERAL_SEQUENTIAL";
        Container = 4, "CONTAINER";
        PersistentWithTtl = 5, "PERSISTENT_WITH_TTL";
        PersistentSequentialWithTtl = 6, "PERSISTENT_SEQUENTIAL_WITH_TTL";
    }
}

impl CreateMode {
    #[must_use]
    pub fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    #[must_use]
    pub fn is_sequential(self) -> bool {
        matches!(self, Self::PersistentSequential | Self::EphemeralSequential | Self::PersistentSequentialWithTtl)
    }

    #[must_use]
    pub fn is_ttl(self) -> bool {
        matches!(self, Self::PersistentWithTtl | Self::PersistentSequentialWithTtl)
    }
}

codes! {
    /// `mode` of [`AddWatchRequest`].
    AddWatchMode {
        Persistent = 0, "PERSISTENT";
        PersistentRecursive = 1, "PERSISTENT_RECURSIVE";
    }
}

codes! {
    /// `type` of [`RemoveWatchesRequest`] and [`CheckWatchesRequest`].
    WatcherType {
        Children = 1, "Children";
        Data = 2, "Data";
        Any = 3, "Any";
        Persistent = 4, "Persistent";
        PersistentRecursive = 5, "PersistentRecursive";
    }
}

/// The bits of [`Acl::perms`].
pub mod perms {
    pub const READ: i32 = 1;
    pub const WRITE: i32 = 2;
    pub const CREATE: i32 = 4;
    pub const DELETE: i32 = 8;
    pub const ADMIN: i32 = 16;
    pub const ALL: i32 = 31;
}

/// What a node tells of itself. Times are milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stat {
    /// Transaction that created it.
    pub czxid: i64,
    /// Transaction that last changed its data.
    pub mzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    /// Changes of its data.
    pub version: i32,
    /// Changes of its children.
    pub cversion: i32,
    /// Changes of its ACL.
    pub aversion: i32,
    /// Session of an ephemeral node; marks container and TTL nodes too (see `ephemeral_type`).
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    pub num_children: i32,
    /// Transaction that last changed its children.
    pub pzxid: i64,
}

impl Stat {
    /// Length of the encoding in bytes.
    pub const ENCODED_LEN: usize = 68;
}

impl Jute<'_> for Stat {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JuteError> {
        Ok(Self {
            czxid: reader.long()?,
            mzxid: reader.long()?,
            ctime: reader.long()?,
            mtime: reader.long()?,
            version: reader.int()?,
            cversion: reader.int()?,
            aversion: reader.int()?,
            ephemeral_owner: reader.long()?,
            data_length: reader.int()?,
            num_children: reader.int()?,
            pzxid: reader.long()?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        // One reservation: this record ends most answers.
        let mut bytes = [0u8; Self::ENCODED_LEN];
        bytes[0..8].copy_from_slice(&self.czxid.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.mzxid.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.ctime.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.mtime.to_be_bytes());
        bytes[32..36].copy_from_slice(&self.version.to_be_bytes());
        bytes[36..40].copy_from_slice(&self.cversion.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.aversion.to_be_bytes());
        bytes[44..52].copy_from_slice(&self.ephemeral_owner.to_be_bytes());
        bytes[52..56].copy_from_slice(&self.data_length.to_be_bytes());
        bytes[56..60].copy_from_slice(&self.num_children.to_be_bytes());
        bytes[60..68].copy_from_slice(&self.pzxid.to_be_bytes());
        out.extend_from_slice(&bytes);
    }
}

/// The first frame of a client. Clients before 3.4 leave `read_only` out.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConnectRequest<'a> {
    pub protocol_version: i32,
    /// A server that is behind this refuses the client.
    pub last_zxid_seen: i64,
    pub timeout_ms: i32,
    /// 0 for a new session.
    pub session_id: i64,
    pub passwd: Option<&'a [u8]>,
    /// `None`: the field is absent.
    pub read_only: Option<bool>,
}

impl<'a> Jute<'a> for ConnectRequest<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JuteError> {
        Ok(Self {
            protocol_version: reader.int()?,
            last_zxid_seen: reader.long()?,
            timeout_ms: reader.int()?,
            session_id: reader.long()?,
            passwd: reader.buffer()?,
            read_only: if reader.is_empty() { None } else { Some(reader.bool()?) },
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.protocol_version.write(out);
        self.last_zxid_seen.write(out);
        self.timeout_ms.write(out);
        self.session_id.write(out);
        self.passwd.write(out);
        if let Some(read_only) = self.read_only {
            read_only.write(out);
        }
    }
}

/// The answer to [`ConnectRequest`]: timeout 0 and session 0 mean that the session has expired. `read_only` is sent
/// only to clients that sent theirs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConnectResponse<'a> {
    pub protocol_version: i32,
    pub timeout_ms: i32,
    pub session_id: i64,
    pub passwd: Option<&'a [u8]>,
    pub read_only: Option<bool>,
}

impl<'a> Jute<'a> for ConnectResponse<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JuteError> {
        Ok(Self {
            protocol_version: reader.int()?,
            timeout_ms: reader.int()?,
            session_id: reader.long()?,
            passwd: reader.buffer()?,
            read_only: if reader.is_empty() { None } else { Some(reader.bool()?) },
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.protocol_version.write(out);
        self.timeout_ms.write(out);
        self.session_id.write(out);
        self.passwd.write(out);
        if let Some(read_only) = self.read_only {
            read_only.write(out);
        }
    }
}

record! {
    /// Who: a name within an authentication scheme (`world`, `auth`, `digest`, `ip`, …).
    #[derive(Copy, Hash, PartialOrd, Ord)]
    Id<'a> { scheme: &'a str, id: &'a str }
    /// Who may do what: `perms` are the bits of [`perms`].
    #[derive(Copy, Hash, PartialOrd, Ord)]
    Acl<'a> { perms: i32, id: Id<'a> }
    ClientInfo<'a> { auth_scheme: &'a str, user: &'a str }

    #[derive(Copy)]
    RequestHeader { xid: i32, op: i32 }
    #[derive(Copy)]
    ReplyHeader { xid: i32, zxid: i64, err: i32 }
    /// Precedes each part of a multi; type -1, done, err -1 ends it.
    #[derive(Copy)]
    MultiHeader { op: i32, done: bool, err: i32 }
    #[derive(Copy)]
    ErrorResponse { err: i32 }
    WatcherEvent<'a> { event_type: i32, state: i32, path: &'a str }

    /// create, create2 and createContainer. `flags` is a [`CreateMode`].
    CreateRequest<'a> { path: &'a str, data: Option<&'a [u8]>, acl: Vec<Acl<'a>>, flags: i32 }
    /// createTTL; `ttl` in milliseconds.
    CreateTtlRequest<'a> { path: &'a str, data: Option<&'a [u8]>, acl: Vec<Acl<'a>>, flags: i32, ttl: i64 }
    CreateResponse<'a> { path: &'a str }
    Create2Response<'a> { path: &'a str, stat: Stat }
    /// `version` -1 matches every version, here and in the other requests.
    DeleteRequest<'a> { path: &'a str, version: i32 }
    /// exists, getData, getChildren and getChildren2.
    PathWatchRequest<'a> { path: &'a str, watch: bool }
    /// getACL, sync, getEphemerals (a prefix) and getAllChildrenNumber.
    PathRequest<'a> { path: &'a str }
    /// exists, setData and setACL.
    #[derive(Copy)]
    StatResponse { stat: Stat }
    /// getData and reconfig.
    GetDataResponse<'a> { data: Option<&'a [u8]>, stat: Stat }
    SetDataRequest<'a> { path: &'a str, data: Option<&'a [u8]>, version: i32 }
    GetAclResponse<'a> { acl: Vec<Acl<'a>>, stat: Stat }
    SetAclRequest<'a> { path: &'a str, acl: Vec<Acl<'a>>, version: i32 }
    GetChildrenResponse<'a> { children: Vec<&'a str> }
    GetChildren2Response<'a> { children: Vec<&'a str>, stat: Stat }
    SyncResponse<'a> { path: &'a str }
    CheckVersionRequest<'a> { path: &'a str, version: i32 }
    ReconfigRequest<'a> {
        joining_servers: Option<&'a str>, leaving_servers: Option<&'a str>, new_members: Option<&'a str>,
        cur_config_id: i64,
    }
    /// checkWatches and removeWatches; `watcher_type` is a [`WatcherType`].
    WatchesRequest<'a> { path: &'a str, watcher_type: i32 }
    /// `mode` is an [`AddWatchMode`].
    AddWatchRequest<'a> { path: &'a str, mode: i32 }
    AuthPacket<'a> { auth_type: i32, scheme: &'a str, auth: Option<&'a [u8]> }
    /// Sent with xid -8 after a reconnect: what changed since `relative_zxid` fires at once, the rest is set again.
    SetWatches<'a> {
        relative_zxid: i64, data_watches: Vec<&'a str>, exist_watches: Vec<&'a str>, child_watches: Vec<&'a str>,
    }
    SetWatches2<'a> {
        relative_zxid: i64, data_watches: Vec<&'a str>, exist_watches: Vec<&'a str>, child_watches: Vec<&'a str>,
        persistent_watches: Vec<&'a str>, persistent_recursive_watches: Vec<&'a str>,
    }
    GetSaslRequest<'a> { token: Option<&'a [u8]> }
    SetSaslResponse<'a> { token: Option<&'a [u8]> }
    GetEphemeralsResponse<'a> { ephemerals: Vec<&'a str> }
    #[derive(Copy)]
    GetAllChildrenNumberResponse { total_number: i32 }
    WhoAmIResponse<'a> { client_info: Vec<ClientInfo<'a>> }
}

#[doc(alias = "MultiOperationRecord")]
#[doc(alias = "MultiResponse")]
/// What ends a multi.
pub const MULTI_END: MultiHeader = MultiHeader { op: -1, done: true, err: -1 };

/// The node that holds the ensemble's configuration (`ZooDefs.CONFIG_NODE`).
pub const CONFIG_NODE: &str = "/zookeeper/config";

/// `[31, world:anyone]`.
#[doc(alias = "OPEN_ACL_UNSAFE")]
pub const OPEN_ACL: Acl<'static> = Acl { perms: perms::ALL, id: Id { scheme: "world", id: "anyone" } };
/// `[1, world:anyone]`.
#[doc(alias = "READ_ACL_UNSAFE")]
pub const READ_ACL: Acl<'static> = Acl { perms: perms::READ, id: Id { scheme: "world", id: "anyone" } };
/// Everything for whoever creates the node, under each of his authentications.
pub const CREATOR_ALL_ACL: Acl<'static> = Acl { perms: perms::ALL, id: Id { scheme: "auth", id: "" } };

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<'a, T: Jute<'a> + PartialEq + std::fmt::Debug>(value: &T, bytes: &'a mut Vec<u8>) {
        value.write(bytes);
        let mut reader = Reader::new(bytes);
        assert_eq!(&T::read(&mut reader).expect("decodes"), value);
        assert!(reader.is_empty());
    }

    #[test]
    fn records_round_trip() {
        let stat = Stat { czxid: 1, version: -1, pzxid: i64::MAX, data_length: 7, ..Stat::default() };
        round_trip(&stat, &mut Vec::new());
        round_trip(&GetDataResponse { data: None, stat }, &mut Vec::new());
        round_trip(&CreateRequest { path: "/é", data: Some(b""), acl: vec![OPEN_ACL], flags: 3 }, &mut Vec::new());
        round_trip(&SetWatches2 { child_watches: vec!["/a", "/b"], ..Default::default() }, &mut Vec::new());
        round_trip(
            &ConnectRequest { passwd: Some(&[0; 16]), read_only: Some(true), ..Default::default() },
            &mut vec![],
        );
    }

    #[test]
    fn connect_of_an_old_client_has_no_read_only() {
        let old = ConnectRequest { timeout_ms: 4_000, passwd: Some(&[1; 16]), ..Default::default() };
        let bytes = old.to_bytes();
        assert_eq!(bytes.len(), 44);
        assert_eq!(ConnectRequest::read(&mut Reader::new(&bytes)), Ok(old));
    }

    #[test]
    fn codes_and_names() {
        assert_eq!(OpCode::from_i32(15), Some(OpCode::Create2));
        assert_eq!(OpCode::from_i32(10), None);
        assert!(ErrorCode::ALL.iter().all(|&e| ErrorCode::from_i32(e.code()) == Some(e)));
        assert_eq!(ErrorCode::NoNode.to_string(), "NONODE");
    }
}

//! What a user of the keeper asks and is told, free of any wire form: the seam between the broker's control plane (pure), the
//! keeper client (effects) and the simulator.

use crate::proto::{self, ErrorCode, Stat};

/// One operation on the tree. Paths are absolute, without the client's chroot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeeperOp {
    Create {
        path: String,
        data: Option<Vec<u8>>,
        acl: Vec<AclEntry>,
        mode: CreateMode,
    },
    Delete {
        path: String,
        version: i32,
    },
    /// `version` -1 matches any.
    SetData {
        path: String,
        data: Option<Vec<u8>>,
        version: i32,
    },
    GetData {
        path: String,
        watch: bool,
    },
    Exists {
        path: String,
        watch: bool,
    },
    GetChildren {
        path: String,
        watch: bool,
    },
    GetAcl {
        path: String,
    },
    SetAcl {
        path: String,
        acl: Vec<AclEntry>,
        version: i32,
    },
    /// Only inside [`KeeperOp::Multi`].
    Check {
        path: String,
        version: i32,
    },
    /// All or nothing.
    Multi(Vec<KeeperOp>),
    /// Reads after it see every write acknowledged before it.
    Sync {
        path: String,
    },
}

/// Who may do what: an entry of an access control list, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// Bits of [`proto::perms`].
    pub perms: i32,
    pub scheme: String,
    pub id: String,
}

impl AclEntry {
    /// Everybody may do everything.
    #[must_use]
    pub fn open() -> Vec<Self> {
        vec![Self::from(&proto::OPEN_ACL)]
    }
}

impl From<&proto::Acl<'_>> for AclEntry {
    fn from(acl: &proto::Acl<'_>) -> Self {
        Self { perms: acl.perms, scheme: acl.id.scheme.to_owned(), id: acl.id.id.to_owned() }
    }
}

/// The kind of a new znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateMode {
    Persistent,
    PersistentSequential,
    Ephemeral,
    EphemeralSequential,
    Container,
    PersistentWithTtl { ttl_ms: i64 },
    PersistentSequentialWithTtl { ttl_ms: i64 },
}

/// What an operation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeeperReply {
    /// The path as created (sequential modes append to it).
    Created {
        path: String,
        stat: Stat,
    },
    Deleted,
    Stat(Stat),
    Data {
        data: Option<Vec<u8>>,
        stat: Stat,
    },
    Children {
        children: Vec<String>,
        stat: Stat,
    },
    Acl {
        acl: Vec<AclEntry>,
        stat: Stat,
    },
    Checked,
    /// One for each operation of the multi, in its order.
    Multi(Vec<KeeperReply>),
    Synced,
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeeperError {
    /// The keeper refused it.
    Code(ErrorCode),
    /// A multi was refused: the first failing operation's index and code.
    Multi { index: usize, code: ErrorCode },
    /// The connection broke before the answer: the operation may have happened or not.
    ConnectionLoss,
    /// The session is over; no operation of it will happen any more.
    SessionExpired,
}

/// The outcome of a [`KeeperOp`].
pub type KeeperResult = Result<KeeperReply, KeeperError>;

/// What the session and its watches report. Watches set through [`KeeperOp`] are one-shot; the client sets them again itself
/// after a reconnect (SetWatches), not after they fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeeperEvent {
    /// A session is there: fresh (`resumed` false) or the old one on a new connection. `session_id` as in the ConnectResponse.
    Connected {
        session_id: i64,
        resumed: bool,
    },
    Disconnected,
    /// The session is over: its ephemerals are gone, a new session is needed.
    Expired,
    NodeCreated {
        path: String,
    },
    NodeDeleted {
        path: String,
    },
    NodeDataChanged {
        path: String,
    },
    NodeChildrenChanged {
        path: String,
    },
}

impl KeeperError {
    /// True when the node that was asked for does not exist.
    #[must_use]
    pub fn is_no_node(&self) -> bool {
        self.code() == Some(ErrorCode::NoNode)
    }

    /// True when the node to be created is already there.
    #[must_use]
    pub fn is_node_exists(&self) -> bool {
        self.code() == Some(ErrorCode::NodeExists)
    }

    /// True when a conditional write found another version.
    #[must_use]
    pub fn is_bad_version(&self) -> bool {
        self.code() == Some(ErrorCode::BadVersion)
    }

    /// The keeper's code, when it was the keeper who refused.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Code(code) | Self::Multi { code, .. } => Some(*code),
            Self::ConnectionLoss | Self::SessionExpired => None,
        }
    }
}

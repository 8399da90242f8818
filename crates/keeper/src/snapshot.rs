//! Snapshots as ZooKeeper writes them (`FileSnap`, `SerializeUtils`, `SnapStream`); see `docs/format.md`.
//!
//! File header (`ZKSN`, version 2, database id -1), sessions, ACL table, nodes from the root down, `/`; then three
//! parts, each sealed by the Adler-32 of everything before it and the string `/`: the whole above, the digest
//! (zxid, version, sum), the last zxid.

mod reader;
mod stream;
mod writer;

pub use reader::{ByteSource, FileSource, SnapshotInfo, read, read_file};
pub use stream::SnapshotReceiver;
pub use writer::SnapshotWriter;

use crate::acl::AclId;
use std::fmt;
use std::io;

/// "ZKSN"
pub const MAGIC: i32 = 0x5a4b_534e;
const VERSION: i32 = 2;
const DB_ID: i64 = -1;
/// Bytes of the part of a stat that is on disk.
const STAT_LEN: usize = 60;

/// Why a snapshot can't be read.
#[derive(Debug)]
pub enum SnapshotError {
    Io(io::Error),
    /// The file is not a whole, correct snapshot; the text says what is wrong.
    Invalid(String),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => write!(f, "{e}"),
            Self::Invalid(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<io::Error> for SnapshotError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

fn invalid<T>(what: impl Into<String>) -> Result<T, SnapshotError> {
    Err(SnapshotError::Invalid(what.into()))
}

fn acl_id(id: i64) -> Result<AclId, SnapshotError> {
    match AclId::from_long(id) {
        Some(id) => Ok(id),
        None => invalid(format!("ACL number {id} in the snapshot")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl;
    use crate::acl::AclList;
    use crate::database::Database;
    use crate::jute::Jute;
    use crate::proto::OPEN_ACL;

    fn sample() -> Database {
        let mut db = Database::new(false);
        let open = acl::encode(&[OPEN_ACL]);
        let list = AclList::from_encoded(&open);
        for i in 0..200 {
            let data = vec![b'x'; i];
            db.tree
                .create_node(&format!("/n{i}"), Some(&data), list, 0, -1, i as i64 + 1, 9, &mut ())
                .expect("created");
        }
        db.tree.create_node("/n1/e", None, list, 77, -1, 300, 9, &mut ()).expect("created");
        db.sessions.insert(77, 4_000);
        db.last_zxid = 300;
        db
    }

    fn write(db: &Database, step: usize) -> Vec<u8> {
        let mut writer = SnapshotWriter::new();
        let mut out = Vec::new();
        while !writer.step(db, step, &mut out) {}
        out
    }

    #[test]
    fn round_trips_in_any_portions() {
        let db = sample();
        let bytes = write(&db, 100);
        assert_eq!(bytes, write(&db, usize::MAX));
        let (read, info) = read(&bytes[..], 300, false).expect("reads");
        assert_eq!(read.tree.digest(), db.tree.digest());
        assert_eq!(read.tree.node_count(), db.tree.node_count());
        assert_eq!(read.sessions, db.sessions);
        assert_eq!((info.last_zxid, read.last_zxid()), (Some(300), 300));
        assert_eq!(read.tree.ephemerals(77).collect::<Vec<_>>(), ["/n1/e"]);
        assert_eq!(read.tree.get("/n1/e").expect("there").data(), None);
        assert_eq!(read.digest_mismatches(), 0);
        assert_eq!(write(&read, 1_000), bytes);
    }

    #[test]
    fn every_flaw_is_found() {
        let bytes = write(&sample(), usize::MAX);
        for at in (0..bytes.len()).step_by(97) {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            // The last parts are sealed too, the magic and version are checked, the database id is covered by the sum.
            assert!(read(&bad[..], 300, false).is_err(), "byte {at}");
            let whole_parts = [bytes.len(), bytes.len() - 21, bytes.len() - 21 - 33];
            if !whole_parts.contains(&at) {
                assert!(read(&bytes[..at], 300, false).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_snapshot_of_a_moving_tree_is_mended_by_the_log() {
        use crate::txn::{CreateTxn, DeleteTxn, TxnEntry, TxnHeader};
        let mut db = sample();
        let mut writer = SnapshotWriter::new();
        let mut bytes = Vec::new();
        let open = acl::encode(&[OPEN_ACL, crate::proto::READ_ACL]);
        let mut log: Vec<Vec<u8>> = Vec::new();
        let mut zxid = 300;
        while !writer.step(&db, 500, &mut bytes) {
            for (kind, path) in [(1, format!("/n1/x{zxid}")), (2, format!("/n{}", zxid - 200))] {
                zxid += 1;
                let header = TxnHeader { zxid, time: 10, txn_type: kind, ..Default::default() };
                let mut txn = header.to_bytes();
                if kind == 1 {
                    let acl = AclList::from_encoded(&open);
                    CreateTxn { path: &path, data: Some(b"d"), acl, ephemeral: false, parent_cversion: -1 }
                        .write(&mut txn);
                } else {
                    DeleteTxn { path: &path }.write(&mut txn);
                }
                db.apply(&TxnEntry::decode(&txn).expect("decodes"), &mut ());
                log.push(txn);
            }
        }
        let (mut read, _) = read(&bytes[..], 300, false).expect("reads");
        assert!(read.snapshot_digest.is_some());
        for txn in &log {
            read.apply(&TxnEntry::decode(txn).expect("decodes"), &mut ());
        }
        assert_eq!(read.tree.node_count(), db.tree.node_count());
        assert_eq!(read.last_zxid(), db.last_zxid());
        let acl = |db: &Database| db.tree.get("/n1/x300").expect("there").acl().to_vec();
        assert_eq!(acl(&read), acl(&db));
    }
}

//! Snapshots as ZooKeeper writes them (`FileSnap`, `SerializeUtils`, `SnapStream`); see `docs/format.md`.
//!
//! File header (`ZKSN`, version 2, database id -1), sessions, ACL table, nodes from the root down, `/`; then three
//! parts, each sealed by the Adler-32 of everything before it and the string `/`: the whole above, the digest
//! (zxid, version, sum), the last zxid.

mod stream;

pub use stream::SnapshotReceiver;

use crate::acl::{AclId, AclList};
use crate::compression;
use crate::data_tree::{DataTree, NodeId, NodeRef, TreeOptions};
use crate::database::{Database, ZxidDigest};
use crate::digest::{DIGEST_VERSION, StatPersisted};
use crate::jute::Jute;
use crate::txn_batch::write_checksum;
use crate::zab::messages::SNAPSHOT_SIGNATURE;
use ottla_base::checksum::adler32;
use ottla_base::disk::{Disk, DiskFile, OpenMode};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// "ZKSN"
pub const MAGIC: i32 = 0x5a4b_534e;
const VERSION: i32 = 2;
const DB_ID: i64 = -1;
/// Bytes of the part of a stat that is on disk.
const STAT_LEN: usize = 60;

/// Writes a snapshot in parts, while the database goes on changing between them. The tree has to stay the same one:
/// nodes come, change and go, but nothing else takes its place.
#[derive(Debug)]
pub struct SnapshotWriter {
    /// For another server rather than a file.
    for_learner: bool,
    checksum: u32,
    stage: Stage,
    /// The last transaction in the tree when the first node was written. A younger node may have the place in the slab of
    /// one that was noted as a child and is gone; the log makes it again.
    begun_zxid: i64,
    bytes: u64,
    /// Nodes whose children are being written.
    open: Vec<Level>,
    /// Of the node that was written last; the root's is empty.
    path: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Stage {
    Head,
    Nodes,
    Tail,
}

/// Children of a node as they were when it was written.
#[derive(Debug)]
struct Level {
    children: Vec<NodeId>,
    at: usize,
    path_len: usize,
}

impl Default for SnapshotWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl SnapshotWriter {
    #[must_use]
    pub fn new() -> Self {
        Self {
            for_learner: false,
            checksum: 1,
            stage: Stage::Head,
            begun_zxid: 0,
            bytes: 0,
            open: Vec::new(),
            path: Vec::new(),
        }
    }

    /// What a learner gets: no header, no seals, no digest, but a signature at the end ([`SnapshotReceiver`]). What
    /// changes meanwhile may be in it or not; the learner is told of all of it and applies it again.
    #[must_use]
    pub fn for_learner() -> Self {
        Self { for_learner: true, ..Self::new() }
    }

    /// Bytes given out so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends the next part, of about `max_bytes`; true when it was the last.
    pub fn step(&mut self, db: &Database, max_bytes: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let done = self.next_part(db, max_bytes, out);
        self.bytes += (out.len() - start) as u64;
        done
    }

    fn next_part(&mut self, db: &Database, max_bytes: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        if self.stage == Stage::Head {
            if !self.for_learner {
                MAGIC.write(out);
                VERSION.write(out);
                DB_ID.write(out);
            }
            write_head(db, out);
            self.begun_zxid = db.last_zxid();
            if let Some(root) = db.tree.get("/") {
                self.write_node(root, out);
            }
            self.stage = Stage::Nodes;
        }
        while self.stage == Stage::Nodes && out.len() - start < max_bytes {
            self.next_node(&db.tree, out);
        }
        if self.for_learner {
            let done = self.stage == Stage::Tail;
            if done {
                "/".write(out);
                SNAPSHOT_SIGNATURE.write(out);
            }
            return done;
        }
        if self.stage == Stage::Nodes {
            self.checksum = adler32(self.checksum, &out[start..]);
            return false;
        }
        let mut sealed = start;
        "/".write(out);
        self.seal(&mut sealed, out);
        let last = db.last_zxid();
        // A tree that came from elsewhere, and is ahead of its number, is not comparable here either.
        let now = ZxidDigest { zxid: last, version: DIGEST_VERSION, digest: db.tree.digest() };
        db.snapshot_digest.unwrap_or(now).write(out);
        self.seal(&mut sealed, out);
        last.write(out);
        self.seal(&mut sealed, out);
        true
    }

    /// The checksum of everything so far, and `/`; both belong to what the next one covers.
    fn seal(&mut self, sealed: &mut usize, out: &mut Vec<u8>) {
        self.checksum = adler32(self.checksum, &out[*sealed..]);
        *sealed = out.len();
        write_checksum(self.checksum, out);
        "/".write(out);
    }

    fn next_node(&mut self, tree: &DataTree, out: &mut Vec<u8>) {
        let Some(level) = self.open.last_mut() else {
            self.stage = Stage::Tail;
            return;
        };
        let Some(&id) = level.children.get(level.at) else {
            self.open.pop();
            return;
        };
        level.at += 1;
        let path_len = level.path_len;
        if let Some(node) = tree.node_at(id).filter(|node| node.czxid() <= self.begun_zxid) {
            self.path.truncate(path_len);
            self.path.push(b'/');
            self.path.extend_from_slice(node.name_bytes());
            self.write_node(node, out);
        }
    }

    /// Writes a node and notes its children.
    fn write_node(&mut self, node: NodeRef<'_>, out: &mut Vec<u8>) {
        // The root is called by the empty name; "/" ends the nodes.
        Some(&self.path[..]).write(out);
        node.data().write(out);
        node.acl_id().to_long().write(out);
        node.stat_persisted().write(out);
        if node.num_children() > 0 {
            self.open.push(Level { children: node.child_ids(), at: 0, path_len: self.path.len() });
        }
    }
}

fn write_head(db: &Database, out: &mut Vec<u8>) {
    (db.sessions.len() as i32).write(out);
    for (id, timeout_ms) in &db.sessions {
        id.write(out);
        timeout_ms.write(out);
    }
    let acls = db.tree.acls().entries();
    (acls.len() as i32).write(out);
    for (id, list) in acls {
        id.to_long().write(out);
        out.extend_from_slice(list);
    }
}

impl StatPersisted {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; STAT_LEN];
        bytes[0..8].copy_from_slice(&self.czxid.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.mzxid.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.ctime.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.mtime.to_be_bytes());
        bytes[32..36].copy_from_slice(&self.version.to_be_bytes());
        bytes[36..40].copy_from_slice(&self.cversion.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.aversion.to_be_bytes());
        bytes[44..52].copy_from_slice(&self.ephemeral_owner.to_be_bytes());
        bytes[52..60].copy_from_slice(&self.pzxid.to_be_bytes());
        out.extend_from_slice(&bytes);
    }
}

impl ZxidDigest {
    fn write(&self, out: &mut Vec<u8>) {
        self.zxid.write(out);
        self.version.write(out);
        self.digest.write(out);
    }
}

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

/// Bytes of a snapshot read at a time.
const READ_BYTES: usize = 1 << 20;

/// Where a snapshot's bytes come from.
pub trait ByteSource {
    /// Reads up to `bytes.len()` bytes; 0 at the end.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize>;
    /// Bytes left, when that is known: no length within may be greater.
    fn remaining(&self) -> usize;
}

/// A file from its beginning.
#[derive(Debug)]
pub struct FileSource {
    file: Arc<dyn DiskFile>,
    position: u64,
    len: u64,
}

impl FileSource {
    pub fn new(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let len = file.len()?;
        Ok(Self { file, position: 0, len })
    }
}

impl ByteSource for FileSource {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.position)?;
        self.position += read as u64;
        Ok(read)
    }

    fn remaining(&self) -> usize {
        self.len.saturating_sub(self.position) as usize
    }
}

/// Bytes in memory.
impl ByteSource for &[u8] {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.len());
        bytes[..len].copy_from_slice(&self[..len]);
        *self = &self[len..];
        Ok(len)
    }

    fn remaining(&self) -> usize {
        self.len()
    }
}

/// Reads jute values from a source, with the running checksum of what was read.
struct SnapshotReader<S> {
    source: S,
    buffer: Vec<u8>,
    at: usize,
    /// Up to here the checksum covers the buffer.
    summed: usize,
    checksum: u32,
}

impl<S: ByteSource> SnapshotReader<S> {
    fn new(source: S) -> Self {
        Self { source, buffer: Vec::new(), at: 0, summed: 0, checksum: 1 }
    }

    fn sum(&mut self) -> u32 {
        self.checksum = adler32(self.checksum, &self.buffer[self.summed..self.at]);
        self.summed = self.at;
        self.checksum
    }

    /// The next `len` bytes; `None` when the file has less.
    fn bytes(&mut self, len: usize) -> Result<Option<&[u8]>, SnapshotError> {
        if self.buffer.len() - self.at < len {
            if len > self.buffer.len() - self.at + self.source.remaining() {
                return Ok(None);
            }
            self.sum();
            self.buffer.drain(..self.at);
            (self.at, self.summed) = (0, 0);
            let filled = self.buffer.len();
            self.buffer.resize(len.max(READ_BYTES), 0);
            let read = self.source.read(&mut self.buffer[filled..])?;
            self.buffer.truncate(filled + read);
            if self.buffer.len() < len {
                return Ok(None);
            }
        }
        self.at += len;
        Ok(Some(&self.buffer[self.at - len..self.at]))
    }

    fn must(&mut self, len: usize) -> Result<&[u8], SnapshotError> {
        match self.bytes(len)? {
            Some(bytes) => Ok(bytes),
            None => invalid("the snapshot ends too early"),
        }
    }

    fn int(&mut self) -> Result<i32, SnapshotError> {
        let mut array = [0; 4];
        array.copy_from_slice(self.must(4)?);
        Ok(i32::from_be_bytes(array))
    }

    fn long(&mut self) -> Result<i64, SnapshotError> {
        let mut array = [0; 8];
        array.copy_from_slice(self.must(8)?);
        Ok(i64::from_be_bytes(array))
    }

    /// A buffer that ends where the next value begins; `None` is null.
    fn buffer(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        match self.int()? {
            -1 => Ok(None),
            len => match usize::try_from(len) {
                Ok(len) => Ok(Some(self.must(len)?.to_vec())),
                Err(_) => invalid(format!("a length of {len} in the snapshot")),
            },
        }
    }

    fn string(&mut self) -> Result<String, SnapshotError> {
        let bytes = self.buffer()?.unwrap_or_default();
        String::from_utf8(bytes).or_else(|_| invalid("a string in the snapshot is not UTF-8"))
    }

    fn count(&mut self) -> Result<usize, SnapshotError> {
        let count = self.int()?;
        usize::try_from(count).or_else(|_| invalid(format!("a count of {count} in the snapshot")))
    }

    fn check_seal(&mut self) -> Result<(), SnapshotError> {
        let expected = i64::from(self.sum());
        if self.long()? != expected {
            return invalid("the snapshot's checksum does not match its content");
        }
        if self.string()? != "/" {
            return invalid("the snapshot's checksum has no end mark");
        }
        Ok(())
    }

    fn acl_list(&mut self) -> Result<Vec<u8>, SnapshotError> {
        let mut list = Vec::new();
        let count = self.int()?;
        count.write(&mut list);
        for _ in 0..count.max(0) {
            self.int()?.write(&mut list);
            self.string()?.as_str().write(&mut list);
            self.string()?.as_str().write(&mut list);
        }
        Ok(list)
    }

    fn stat(&mut self) -> Result<StatPersisted, SnapshotError> {
        Ok(StatPersisted {
            czxid: self.long()?,
            mzxid: self.long()?,
            ctime: self.long()?,
            mtime: self.long()?,
            version: self.int()?,
            cversion: self.int()?,
            aversion: self.int()?,
            ephemeral_owner: self.long()?,
            pzxid: self.long()?,
        })
    }
}

/// What else a snapshot tells, beside the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SnapshotInfo {
    pub digest: Option<ZxidDigest>,
    /// Last transaction applied when it was finished.
    pub last_zxid: Option<i64>,
}

/// Reads a whole snapshot taken at `zxid` (as its name says) and checks every checksum in it.
pub fn read(
    source: impl ByteSource,
    zxid: i64,
    options: impl Into<TreeOptions>,
) -> Result<(Database, SnapshotInfo), SnapshotError> {
    let mut reader = SnapshotReader::new(source);
    let (magic, version, _db_id) = (reader.int()?, reader.int()?, reader.long()?);
    if magic != MAGIC {
        return invalid("not a ZooKeeper snapshot (no ZKSN at its beginning)");
    }
    if version != VERSION {
        return invalid(format!("snapshot version {version}, this server reads {VERSION}"));
    }
    let mut db = Database::with_tree(DataTree::empty(options.into()));
    for _ in 0..reader.count()? {
        let id = reader.long()?;
        let timeout_ms = reader.int()?;
        db.sessions.insert(id, timeout_ms);
    }
    for _ in 0..reader.count()? {
        let id = reader.long()?;
        let list = reader.acl_list()?;
        let id = acl_id(id)?;
        db.tree.acls_mut().insert(id, AclList::from_encoded(&list));
    }
    loop {
        let path = reader.string()?;
        if path == "/" {
            break;
        }
        let data = reader.buffer()?;
        let acl = acl_id(reader.long()?)?;
        let stat = reader.stat()?;
        db.tree.restore_node(&path, data.as_deref(), acl, stat).map_err(SnapshotError::Invalid)?;
    }
    db.tree.finish_restore().map_err(SnapshotError::Invalid)?;
    reader.check_seal()?;
    let mut info = SnapshotInfo::default();
    // Old snapshots end here, those of 3.6 after the digest.
    if reader.bytes(0)?.is_some() && !at_end(&mut reader)? {
        let (zxid, version) = (reader.long()?, reader.int()?);
        let digest = if version < 2 {
            let text = reader.string()?;
            i64::from_str_radix(&text, 16).unwrap_or(0)
        } else {
            reader.long()?
        };
        info.digest = Some(ZxidDigest { zxid, version, digest });
        reader.check_seal()?;
    }
    if !at_end(&mut reader)? {
        info.last_zxid = Some(reader.long()?);
        reader.check_seal()?;
    }
    db.last_zxid = zxid;
    // A digest older than the snapshot's name says nothing of it.
    db.snapshot_digest = info.digest.filter(|digest| digest.zxid > 0 && digest.zxid >= zxid);
    if let Some(promised) = db.snapshot_digest
        && promised.zxid == zxid
    {
        db.snapshot_digest = None;
        if promised.version == DIGEST_VERSION && promised.digest != db.tree.digest() {
            db.report_mismatch(zxid, promised.digest, db.tree.digest());
        }
    }
    Ok((db, info))
}

/// Reads the file of a snapshot, compressed when its name ends in `.gz`; see [`read`].
pub fn read_file(
    disk: &dyn Disk,
    path: &Path,
    zxid: i64,
    options: impl Into<TreeOptions>,
) -> Result<(Database, SnapshotInfo), SnapshotError> {
    match path.extension().and_then(|ext| ext.to_str()) {
        Some("gz") | Some("snappy") => read(&compression::read(path, &disk.read(path)?)?[..], zxid, options),
        _ => read(FileSource::new(disk.open(path, OpenMode::Read)?)?, zxid, options),
    }
}

fn at_end<S: ByteSource>(reader: &mut SnapshotReader<S>) -> Result<bool, SnapshotError> {
    let more = reader.bytes(1)?.is_some();
    if more {
        reader.at -= 1;
    }
    Ok(!more)
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

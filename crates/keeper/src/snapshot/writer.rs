//! Writing a snapshot, to a file or to another server.

use super::{DB_ID, MAGIC, STAT_LEN, VERSION};
use crate::data_tree::{DataTree, NodeId, NodeRef};
use crate::database::{Database, ZxidDigest};
use crate::digest::{DIGEST_VERSION, StatPersisted};
use crate::jute::Jute;
use crate::txn_batch::write_checksum;
use crate::zab::messages::SNAPSHOT_SIGNATURE;
use ottla_base::checksum::adler32;

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

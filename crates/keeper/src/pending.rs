//! Changes that were decided but not applied yet (`outstandingChanges`): the next decision must see them.

use crate::data_tree::DataTree;
use crate::digest::{ContentCrc, StatPersisted};
use crate::proto::ErrorCode;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// A node as it will be once everything decided is applied.
#[doc(alias = "ChangeRecord")]
#[derive(Clone, Debug)]
pub(crate) struct PendingNode {
    /// Last transaction that changes it; -1 when it is as the tree has it.
    pub zxid: i64,
    /// `None`: it will be gone.
    pub stat: Option<StatPersisted>,
    pub num_children: i32,
    pub acl: Arc<[u8]>,
    pub crc: ContentCrc,
    pub data_len: usize,
    /// Of the node as it was when this was asked for; 0 when there was none.
    pub digest: i64,
}

/// All pending changes, in the order of their transactions.
#[derive(Debug)]
pub(crate) struct PendingChanges {
    /// By the hashes of their paths.
    nodes: HashTable<(Box<str>, PendingNode)>,
    /// Transactions, and the hashes of the paths that they change.
    order: VecDeque<(i64, u64)>,
    hasher: FixedState,
    /// The tree's digest once all of them are applied.
    digest: i64,
}

/// What to put back when a multi fails half way.
#[derive(Debug)]
pub(crate) struct Savepoint {
    order_len: usize,
    digest: i64,
    before: Vec<(Box<str>, Option<PendingNode>)>,
}

impl Default for PendingChanges {
    fn default() -> Self {
        let hasher = FixedState::with_seed(0x6f74_746c_6101);
        Self { nodes: HashTable::new(), order: VecDeque::new(), hasher, digest: 0 }
    }
}

impl PendingChanges {
    fn pending(&self, path: &str) -> Option<&PendingNode> {
        self.nodes.find(self.hasher.hash_one(path), |(other, _)| **other == *path).map(|(_, node)| node)
    }

    /// The node at `path` as it will be; `NoNode` when there will be none.
    pub fn node(&self, tree: &DataTree, path: &str) -> Result<PendingNode, ErrorCode> {
        if let Some(node) = self.pending(path) {
            return if node.stat.is_some() { Ok(node.clone()) } else { Err(ErrorCode::NoNode) };
        }
        let node = tree.get(path).ok_or(ErrorCode::NoNode)?;
        let (stat, crc) = (node.stat_persisted(), node.content_crc(path));
        Ok(PendingNode {
            zxid: -1,
            stat: Some(stat),
            num_children: node.num_children() as i32,
            acl: Arc::clone(node.acl()),
            crc,
            data_len: node.data().map_or(0, <[u8]>::len),
            digest: crc.digest(path, &stat),
        })
    }

    /// True when there will be a node at `path`.
    pub fn exists(&self, tree: &DataTree, path: &str) -> bool {
        match self.pending(path) {
            Some(node) => node.stat.is_some(),
            None => tree.get(path).is_some(),
        }
    }

    /// The tree's digest once everything decided is applied.
    pub fn digest(&self, tree: &DataTree) -> i64 {
        if self.order.is_empty() { tree.digest() } else { self.digest }
    }

    /// Decides how the node at `path` will be; its `zxid` is the deciding transaction's.
    pub fn put(&mut self, tree: &DataTree, path: &str, mut node: PendingNode, undo: Option<&mut Savepoint>) {
        let after = node.stat.map_or(0, |stat| node.crc.digest(path, &stat));
        self.digest = self.digest(tree).wrapping_sub(node.digest).wrapping_add(after);
        node.digest = after;
        let hash = self.hasher.hash_one(path);
        self.order.push_back((node.zxid, hash));
        let old = self.replace(hash, path, node);
        if let Some(undo) = undo {
            undo.before.push((path.into(), old));
        }
    }

    fn replace(&mut self, hash: u64, path: &str, node: PendingNode) -> Option<PendingNode> {
        if let Some((_, known)) = self.nodes.find_mut(hash, |(other, _)| **other == *path) {
            return Some(std::mem::replace(known, node));
        }
        let hasher = &self.hasher;
        self.nodes.insert_unique(hash, (path.into(), node), |(path, _)| hasher.hash_one(&**path));
        None
    }

    /// Everything up to `zxid` was applied: the tree knows it now.
    pub fn applied(&mut self, zxid: i64) {
        while let Some(&(at, hash)) = self.order.front()
            && at <= zxid
        {
            self.order.pop_front();
            // Should two paths of a transaction have the same hash, both are here, and both go now.
            if let Ok(entry) = self.nodes.find_entry(hash, |(_, node)| node.zxid == at) {
                entry.remove();
            }
        }
    }

    pub fn savepoint(&self) -> Savepoint {
        Savepoint { order_len: self.order.len(), digest: self.digest, before: Vec::new() }
    }

    /// Takes back what was decided since the savepoint.
    pub fn roll_back(&mut self, mut savepoint: Savepoint) {
        self.order.truncate(savepoint.order_len);
        self.digest = savepoint.digest;
        while let Some((path, before)) = savepoint.before.pop() {
            match before {
                Some(node) => drop(self.replace(self.hasher.hash_one(&*path), &path, node)),
                None => {
                    let hash = self.hasher.hash_one(&*path);
                    if let Ok(entry) = self.nodes.find_entry(hash, |(other, _)| *other == path) {
                        entry.remove();
                    }
                }
            }
        }
    }

    /// Nodes with pending changes: path, and the owner or `None` for those that will be gone.
    pub fn owners(&self) -> impl Iterator<Item = (&str, Option<i64>)> {
        self.nodes.iter().map(|(path, node)| (path.as_ref(), node.stat.map(|stat| stat.ephemeral_owner)))
    }

    /// Forgets everything (a leader that lost its office).
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.order.clear();
    }
}

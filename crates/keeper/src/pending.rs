//! Changes that were decided but not applied yet (`outstandingChanges`): the next decision must see them.

use crate::data_tree::DataTree;
use crate::digest::{ContentCrc, StatPersisted};
use crate::proto::ErrorCode;
use ottla_base::hash::FixedMap;
use std::collections::VecDeque;
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
}

/// All pending changes, in the order of their transactions.
#[derive(Debug, Default)]
pub(crate) struct PendingChanges {
    nodes: FixedMap<Arc<str>, PendingNode>,
    order: VecDeque<(i64, Arc<str>)>,
    /// The tree's digest once all of them are applied.
    digest: i64,
}

/// What to put back when a multi fails half way.
#[derive(Debug)]
pub(crate) struct Savepoint {
    order_len: usize,
    digest: i64,
    before: Vec<(Arc<str>, Option<PendingNode>)>,
}

impl PendingChanges {
    /// The node at `path` as it will be; `NoNode` when there will be none.
    pub fn node(&self, tree: &DataTree, path: &str) -> Result<PendingNode, ErrorCode> {
        if let Some(node) = self.nodes.get(path) {
            return if node.stat.is_some() { Ok(node.clone()) } else { Err(ErrorCode::NoNode) };
        }
        let node = tree.get(path).ok_or(ErrorCode::NoNode)?;
        Ok(PendingNode {
            zxid: -1,
            stat: Some(node.stat_persisted()),
            num_children: node.num_children() as i32,
            acl: Arc::clone(node.acl()),
            crc: node.content_crc(path),
            data_len: node.data().map_or(0, <[u8]>::len),
        })
    }

    /// True when there will be a node at `path`.
    pub fn exists(&self, tree: &DataTree, path: &str) -> bool {
        match self.nodes.get(path) {
            Some(node) => node.stat.is_some(),
            None => tree.get(path).is_some(),
        }
    }

    /// The tree's digest once everything decided is applied.
    pub fn digest(&self, tree: &DataTree) -> i64 {
        if self.order.is_empty() { tree.digest() } else { self.digest }
    }

    fn node_digest(&self, tree: &DataTree, path: &str) -> i64 {
        match self.nodes.get(path) {
            Some(node) => node.stat.map_or(0, |stat| node.crc.digest(path, &stat)),
            None => tree.get(path).map_or(0, |node| node.content_crc(path).digest(path, &node.stat_persisted())),
        }
    }

    /// Decides how the node at `path` will be; its `zxid` is the deciding transaction's.
    pub fn put(&mut self, tree: &DataTree, path: &str, node: PendingNode, undo: Option<&mut Savepoint>) {
        let before = self.node_digest(tree, path);
        let after = node.stat.map_or(0, |stat| node.crc.digest(path, &stat));
        self.digest = self.digest(tree).wrapping_sub(before).wrapping_add(after);
        let zxid = node.zxid;
        let path: Arc<str> = match self.nodes.get_key_value(path) {
            Some((path, _)) => Arc::clone(path),
            None => path.into(),
        };
        let old = self.nodes.insert(Arc::clone(&path), node);
        if let Some(undo) = undo {
            undo.before.push((Arc::clone(&path), old));
        }
        self.order.push_back((zxid, path));
    }

    /// Everything up to `zxid` was applied: the tree knows it now.
    pub fn applied(&mut self, zxid: i64) {
        while let Some((at, _)) = self.order.front()
            && *at <= zxid
        {
            let Some((at, path)) = self.order.pop_front() else { break };
            if self.nodes.get(&*path).is_some_and(|node| node.zxid == at) {
                self.nodes.remove(&*path);
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
                Some(node) => drop(self.nodes.insert(path, node)),
                None => drop(self.nodes.remove(&*path)),
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

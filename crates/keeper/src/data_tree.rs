//! The tree of nodes (`DataTree`): a slab of nodes and a hash index on the full path, one heap block (path and data
//! together) per node. A node that was never changed after its creation and has no children takes 56 bytes, its block,
//! and 5 to 10 bytes of index; the rest of its stat is kept apart once it differs from what creation gave it.
//!
//! Only [`crate::database::Database::apply`] and what it calls change the tree in service, transaction by transaction.

mod node;
mod quotas;
#[cfg(test)]
mod tests;

use crate::acl::{AclCache, AclId, AclList};
use crate::digest::{ContentCrc, StatPersisted};
use crate::ephemeral_type::EphemeralType;
use crate::path;
use crate::proto::{ErrorCode, READ_ACL, Stat};
use crate::quota;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use node::{Extra, Node, block};
use ottla_base::hash::{FixedMap, FixedSet};
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Place of a node in the slab.
pub type NodeId = u32;
const ROOT: NodeId = 0;

/// A node, for reading.
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    tree: &'a DataTree,
    node: &'a Node,
}

impl<'a> NodeRef<'a> {
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.node.path()
    }

    #[must_use]
    pub(crate) fn path_bytes(&self) -> &'a [u8] {
        &self.node.block[..self.node.path_len()]
    }

    /// The transaction that created it.
    #[must_use]
    pub(crate) fn czxid(&self) -> i64 {
        self.node.czxid
    }

    #[must_use]
    pub(crate) fn child_ids(&self) -> &'a [NodeId] {
        self.node.children()
    }

    /// `None` is null, which is not the same as empty.
    #[must_use]
    pub fn data(&self) -> Option<&'a [u8]> {
        self.node.data()
    }

    #[must_use]
    pub fn stat(&self) -> Stat {
        let s = self.node.stat();
        let children = self.node.children().len() as i32;
        Stat {
            czxid: s.czxid,
            mzxid: s.mzxid,
            ctime: s.ctime,
            mtime: s.mtime,
            version: s.version,
            // On disk it counts creations; clients see creations and deletions (`DataNode.copyStat`).
            cversion: s.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: s.aversion,
            // Clients see only sessions here (`DataNode.getClientEphemeralOwner`).
            ephemeral_owner: match EphemeralType::of(s.ephemeral_owner, self.tree.extended_types) {
                EphemeralType::Normal => s.ephemeral_owner,
                _ => 0,
            },
            data_length: self.node.data().map_or(0, <[u8]>::len) as i32,
            num_children: children,
            pzxid: s.pzxid,
        }
    }

    /// The part of the stat that is on disk.
    #[must_use]
    pub fn stat_persisted(&self) -> StatPersisted {
        self.node.stat()
    }

    #[must_use]
    pub fn acl(&self) -> &'a Arc<[u8]> {
        self.tree.acls.list(self.node.acl)
    }

    #[must_use]
    pub fn acl_id(&self) -> AclId {
        self.node.acl
    }

    #[must_use]
    pub fn num_children(&self) -> usize {
        self.node.children().len()
    }

    /// Names of the children, in no order that means anything.
    pub fn children(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let (tree, skip) = (self.tree, if self.node.path_len() == 1 { 1 } else { self.node.path_len() + 1 });
        self.node.children().iter().map(move |&id| &tree.node(id).path()[skip..])
    }

    #[must_use]
    pub fn content_crc(&self) -> ContentCrc {
        self.node.crc
    }
}

/// Hears of changes while a transaction is applied, before the state that they lead to can be read.
pub trait ChangeSink {
    fn node_created(&mut self, path: &str, acl: &[u8], parent: &str, parent_acl: &[u8], zxid: i64);
    fn node_deleted(&mut self, path: &str, acl: &[u8], parent: &str, parent_acl: &[u8], zxid: i64);
    fn data_changed(&mut self, path: &str, acl: &[u8], zxid: i64);
}

/// Nobody listens: during recovery.
impl ChangeSink for () {
    fn node_created(&mut self, _: &str, _: &[u8], _: &str, _: &[u8], _: i64) {}
    fn node_deleted(&mut self, _: &str, _: &[u8], _: &str, _: &[u8], _: i64) {}
    fn data_changed(&mut self, _: &str, _: &[u8], _: i64) {}
}

/// All nodes, and what is known of them as a whole.
#[derive(Debug)]
pub struct DataTree {
    nodes: Vec<Option<Node>>,
    free: Vec<NodeId>,
    index: HashTable<NodeId>,
    hasher: FixedState,
    acls: AclCache,
    ephemerals: FixedMap<i64, BTreeSet<NodeId>>,
    ephemeral_count: usize,
    containers: BTreeSet<NodeId>,
    ttls: BTreeSet<NodeId>,
    quota_paths: FixedSet<Box<str>>,
    digest: i64,
    data_size: i64,
    /// The setting `extendedTypesEnabled`: TTL nodes exist.
    extended_types: bool,
}

impl Default for DataTree {
    fn default() -> Self {
        Self::new(false)
    }
}

impl DataTree {
    /// The tree of a new server: `/`, `/zookeeper`, `/zookeeper/quota` and `/zookeeper/config`.
    #[must_use]
    pub fn new(extended_types: bool) -> Self {
        let mut tree = Self::empty(extended_types);
        let none = StatPersisted::default();
        for path in ["/", "/zookeeper", quota::QUOTA_ROOT, "/zookeeper/config"] {
            tree.insert(path, Some(b""), AclId::OPEN, none);
        }
        tree.link(1, ROOT);
        tree.link(2, 1);
        tree.link(3, 1);
        let read = crate::acl::encode(&[READ_ACL]);
        let acl = tree.acls.intern(AclList::from_encoded(&read));
        if let Some(config) = tree.nodes[3].as_mut() {
            config.acl = acl;
            config.extra_mut().aversion = -1;
        }
        tree
    }

    /// No node at all: what a snapshot is read into.
    #[must_use]
    pub(crate) fn empty(extended_types: bool) -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: FixedState::with_seed(0x6f74_746c_6100),
            acls: AclCache::default(),
            ephemerals: FixedMap::default(),
            ephemeral_count: 0,
            containers: BTreeSet::new(),
            ttls: BTreeSet::new(),
            quota_paths: FixedSet::default(),
            digest: 0,
            data_size: 0,
            extended_types,
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes[id as usize].as_ref().expect("an id in use names a node")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id as usize].as_mut().expect("an id in use names a node")
    }

    fn hash(&self, path: &str) -> u64 {
        self.hasher.hash_one(path.as_bytes())
    }

    fn find(&self, path: &str) -> Option<NodeId> {
        let path = if path.is_empty() { "/" } else { path };
        let hash = self.hash(path);
        self.index
            .find(hash, |&id| {
                let node = self.node(id);
                &node.block[..node.path_len()] == path.as_bytes()
            })
            .copied()
    }

    /// The node at `path`; the empty path is the root's too.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<NodeRef<'_>> {
        self.find(path).map(|id| NodeRef { tree: self, node: self.node(id) })
    }

    /// The node in this place of the slab, if there is one now.
    #[must_use]
    pub(crate) fn node_at(&self, id: NodeId) -> Option<NodeRef<'_>> {
        self.nodes.get(id as usize)?.as_ref().map(|node| NodeRef { tree: self, node })
    }

    /// Number of nodes as ZooKeeper counts them: the root twice.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.index.len() + 1
    }

    #[must_use]
    pub fn ephemeral_count(&self) -> usize {
        self.ephemeral_count
    }

    /// Bytes of all paths and data.
    #[must_use]
    pub fn approximate_data_size(&self) -> i64 {
        self.data_size
    }

    /// Sum of the digests of all nodes.
    #[must_use]
    pub fn digest(&self) -> i64 {
        self.digest
    }

    #[must_use]
    pub fn acls(&self) -> &AclCache {
        &self.acls
    }

    #[must_use]
    pub fn extended_types(&self) -> bool {
        self.extended_types
    }

    /// Paths of the ephemeral nodes of a session.
    pub fn ephemerals(&self, session: i64) -> impl Iterator<Item = &str> {
        self.ephemerals.get(&session).into_iter().flatten().map(|&id| self.node(id).path())
    }

    /// Sessions that have ephemeral nodes, in order.
    #[must_use]
    pub fn sessions_with_ephemerals(&self) -> Vec<i64> {
        let mut sessions: Vec<i64> = self.ephemerals.keys().copied().collect();
        sessions.sort_unstable();
        sessions
    }

    /// Container and TTL nodes without children, which the clean-up looks at.
    pub fn cleanup_candidates(&self) -> impl Iterator<Item = NodeRef<'_>> {
        self.containers
            .iter()
            .chain(&self.ttls)
            .map(|&id| NodeRef { tree: self, node: self.node(id) })
            .filter(|node| node.num_children() == 0)
    }

    /// Number of nodes below `path`, at any depth.
    #[must_use]
    pub fn descendant_count(&self, path: &str) -> usize {
        if path == "/" || path.is_empty() {
            return self.index.len() - 1;
        }
        let Some(top) = self.find(path) else { return 0 };
        let mut open = vec![top];
        let mut count = 0;
        while let Some(id) = open.pop() {
            let children = self.node(id).children();
            count += children.len();
            open.extend_from_slice(children);
        }
        count
    }

    /// The nearest node at or above `path` that has a quota, other than the root.
    #[doc(alias = "getMaxPrefixWithQuota")]
    #[must_use]
    pub fn quota_path<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.quota_paths.is_empty() {
            return None;
        }
        let mut at = path;
        while at.len() > 1 {
            if self.quota_paths.contains(at) {
                return Some(at);
            }
            at = path::split(at)?.0;
        }
        None
    }

    /// Puts a node into slab and index, without its parent's knowledge.
    fn insert(&mut self, path: &str, data: Option<&[u8]>, acl: AclId, stat: StatPersisted) -> NodeId {
        let hash = self.hash(path);
        let (block, path_len) = block(path, data);
        let plain = stat == StatPersisted::created(stat.czxid, stat.ctime, 0);
        let extra = (!plain).then(|| {
            Box::new(Extra {
                mzxid: stat.mzxid,
                pzxid: stat.pzxid,
                mtime: stat.mtime,
                ephemeral_owner: stat.ephemeral_owner,
                version: stat.version,
                cversion: stat.cversion,
                aversion: stat.aversion,
                children: Vec::new(),
            })
        });
        let crc = ContentCrc::of(path, data.unwrap_or(&[]));
        self.data_size += block.len() as i64;
        let node = Node { block, path_len, czxid: stat.czxid, ctime: stat.ctime, extra, acl, slot: 0, crc };
        self.digest = self.digest.wrapping_add(node.digest());
        let id = match self.free.pop() {
            Some(id) => {
                self.nodes[id as usize] = Some(node);
                id
            }
            None => {
                self.nodes.push(Some(node));
                (self.nodes.len() - 1) as NodeId
            }
        };
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        let path_of = |id: NodeId| nodes[id as usize].as_ref().map_or(&[][..], |node| &node.block[..node.path_len()]);
        self.index.insert_unique(hash, id, |&id| hasher.hash_one(path_of(id)));
        self.remember_owner(id, stat.ephemeral_owner);
        id
    }

    /// Makes `child` a child of `parent`, whose stat stays as it is.
    fn link(&mut self, child: NodeId, parent: NodeId) {
        let children = &mut self.node_mut(parent).extra_mut().children;
        children.push(child);
        let slot = (children.len() - 1) as u32;
        self.node_mut(child).slot = slot;
    }

    fn remember_owner(&mut self, id: NodeId, owner: i64) {
        match EphemeralType::of(owner, self.extended_types) {
            EphemeralType::Void => {}
            EphemeralType::Container => drop(self.containers.insert(id)),
            EphemeralType::Ttl(_) => drop(self.ttls.insert(id)),
            EphemeralType::Normal => {
                self.ephemeral_count += usize::from(self.ephemerals.entry(owner).or_default().insert(id));
            }
        }
    }

    fn forget_owner(&mut self, id: NodeId, owner: i64) {
        match EphemeralType::of(owner, self.extended_types) {
            EphemeralType::Void => {}
            EphemeralType::Container => drop(self.containers.remove(&id)),
            EphemeralType::Ttl(_) => drop(self.ttls.remove(&id)),
            EphemeralType::Normal => {
                if let Some(nodes) = self.ephemerals.get_mut(&owner) {
                    self.ephemeral_count -= usize::from(nodes.remove(&id));
                    if nodes.is_empty() {
                        self.ephemerals.remove(&owner);
                    }
                }
            }
        }
    }

    /// Changes a node in `change` and keeps the digest right.
    fn change(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) {
        let node = self.nodes[id as usize].as_mut().expect("an id in use names a node");
        let before = node.digest();
        change(node);
        self.digest = self.digest.wrapping_sub(before).wrapping_add(node.digest());
    }

    /// Creates a node. `parent_cversion` -1 counts the parent's version on (transactions of old servers). A node that
    /// is there already keeps everything but its ACL: it came with a snapshot that was taken while this happened.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn create_node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: AclList<'_>,
        owner: i64,
        parent_cversion: i32,
        zxid: i64,
        time: i64,
        sink: &mut dyn ChangeSink,
    ) -> Result<(), ErrorCode> {
        let (parent_path, name) = path::split(path).ok_or(ErrorCode::NoNode)?;
        let parent = self.find(parent_path).ok_or(ErrorCode::NoNode)?;
        let acl_id = self.acls.intern(acl);
        if let Some(existing) = self.find(path) {
            // The list it had may be unknown to the table (see `AclCache::none`), so its count is left alone.
            self.node_mut(existing).acl = acl_id;
            return Err(ErrorCode::NodeExists);
        }
        self.change(parent, |node| {
            let extra = node.extra_mut();
            let cversion = if parent_cversion == -1 { extra.cversion.wrapping_add(1) } else { parent_cversion };
            if cversion > extra.cversion {
                extra.cversion = cversion;
                extra.pzxid = zxid;
            }
        });
        let id = self.insert(path, data, acl_id, StatPersisted::created(zxid, time, owner));
        self.link(id, parent);
        self.count_quota_of_new_node(path, parent_path, name, data.map_or(0, <[u8]>::len));
        let parent_acl = Arc::clone(self.acls.list(self.node(parent).acl));
        sink.node_created(path, self.acls.list(acl_id), parent_path, &parent_acl, zxid);
        Ok(())
    }

    /// Deletes a node. It had no children when this was decided; those that it has came with a snapshot from a later
    /// time, and the log will create them again, so they go too.
    pub(crate) fn delete_node(&mut self, path: &str, zxid: i64, sink: &mut dyn ChangeSink) -> Result<(), ErrorCode> {
        let (parent_path, name) = path::split(path).ok_or(ErrorCode::NoNode)?;
        let parent = self.find(parent_path).ok_or(ErrorCode::NoNode)?;
        self.change(parent, |node| {
            if zxid > node.stat().pzxid {
                node.extra_mut().pzxid = zxid;
            }
        });
        let id = self.find(path).filter(|&id| id != ROOT).ok_or(ErrorCode::NoNode)?;
        self.remove_descendants(id);
        self.unlink(id, parent);
        let node = self.remove_from_index(id);
        let acl = Arc::clone(self.acls.list(node.acl));
        self.acls.remove_usage(node.acl);
        if name == quota::LIMITS
            && let Some(quota_path) = parent_path.strip_prefix(quota::QUOTA_ROOT)
        {
            self.quota_paths.remove(quota_path);
        }
        if let Some(quota_path) = self.quota_path(path) {
            self.add_to_quota(quota_path, -(node.data().map_or(0, <[u8]>::len) as i64), -1);
        }
        let parent_acl = Arc::clone(self.acls.list(self.node(parent).acl));
        sink.node_deleted(path, &acl, parent_path, &parent_acl, zxid);
        Ok(())
    }

    fn remove_descendants(&mut self, top: NodeId) {
        let mut open = self.node(top).children().to_vec();
        if open.is_empty() {
            return;
        }
        self.node_mut(top).extra_mut().children.clear();
        while let Some(id) = open.pop() {
            let node = self.remove_from_index(id);
            open.extend_from_slice(node.children());
            self.acls.remove_usage(node.acl);
        }
    }

    /// Takes a node out of its parent's children.
    fn unlink(&mut self, id: NodeId, parent: NodeId) {
        let slot = self.node(id).slot as usize;
        let children = &mut self.node_mut(parent).extra_mut().children;
        children.swap_remove(slot);
        // Children come and go in masses; don't keep the room of the greatest mass.
        if children.capacity() > 64 && children.len() * 4 < children.capacity() {
            children.shrink_to(children.len() * 2);
        }
        if let Some(&moved) = children.get(slot) {
            self.node_mut(moved).slot = slot as u32;
        }
    }

    fn remove_from_index(&mut self, id: NodeId) -> Node {
        let hash = self.hash(self.node(id).path());
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        let node = self.nodes[id as usize].take().expect("an id in use names a node");
        self.free.push(id);
        self.digest = self.digest.wrapping_sub(node.digest());
        self.data_size -= node.block.len() as i64;
        self.forget_owner(id, node.stat().ephemeral_owner);
        node
    }

    /// Replaces a node's data; `version` is the new one.
    pub(crate) fn set_data(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
        zxid: i64,
        time: i64,
        sink: &mut dyn ChangeSink,
    ) -> Result<(), ErrorCode> {
        let id = self.find(path).ok_or(ErrorCode::NoNode)?;
        let path = if path.is_empty() { "/" } else { path };
        let old_len = self.node(id).block.len() as i64;
        self.change(id, |node| {
            node.replace_data(path, data);
            let extra = node.extra_mut();
            (extra.mtime, extra.mzxid, extra.version) = (time, zxid, version);
        });
        let diff = self.node(id).block.len() as i64 - old_len;
        self.data_size += diff;
        if let Some(quota_path) = self.quota_path(path) {
            self.add_to_quota(quota_path, diff, 0);
        }
        sink.data_changed(path, self.acls.list(self.node(id).acl), zxid);
        Ok(())
    }

    /// Replaces a node's ACL; `version` is the new one.
    pub(crate) fn set_acl(&mut self, path: &str, acl: AclList<'_>, version: i32) -> Result<(), ErrorCode> {
        let id = self.find(path).ok_or(ErrorCode::NoNode)?;
        self.acls.remove_usage(self.node(id).acl);
        let acl = self.acls.intern(acl);
        self.change(id, |node| {
            node.acl = acl;
            node.extra_mut().aversion = version;
        });
        Ok(())
    }

    /// Moves a parent on as a creation does that was already in the snapshot (`setCversionPzxid`).
    pub(crate) fn set_cversion_pzxid(&mut self, path: &str, cversion: i32, zxid: i64) {
        let Some(id) = self.find(path) else { return };
        let current = self.node(id).stat().cversion;
        let cversion = if cversion == -1 { current.wrapping_add(1) } else { cversion };
        if cversion > current {
            self.change(id, |node| {
                let extra = node.extra_mut();
                (extra.cversion, extra.pzxid) = (cversion, zxid);
            });
        }
    }

    /// Puts a node of a snapshot in place, after its parent. An error names what is wrong with the file.
    pub(crate) fn restore_node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: AclId,
        stat: StatPersisted,
    ) -> Result<(), String> {
        let full = if path.is_empty() { "/" } else { path };
        if self.nodes.is_empty() != (full == "/") {
            return Err(format!("the root is not the first node (path {full})"));
        }
        let parent = match full {
            "/" => None,
            _ => {
                let parent = path::split(full).and_then(|(parent, _)| self.find(parent));
                Some(parent.ok_or_else(|| format!("no parent of {full} in the snapshot"))?)
            }
        };
        if self.find(full).is_some() {
            return Err(format!("{full} is in the snapshot twice"));
        }
        let id = self.insert(full, data, acl, stat);
        self.acls.add_usage(acl);
        if let Some(parent) = parent {
            self.link(id, parent);
        }
        Ok(())
    }

    /// Completes a tree read from a snapshot: the config node (as an old server has none), quotas, unused ACLs.
    pub(crate) fn finish_restore(&mut self) -> Result<(), String> {
        if self.nodes.is_empty() {
            return Err("the snapshot has no root".to_owned());
        }
        for path in ["/zookeeper", quota::QUOTA_ROOT] {
            if self.find(path).is_none() {
                return Err(format!("the snapshot has no {path}"));
            }
        }
        if self.find("/zookeeper/config").is_none() {
            let read = crate::acl::encode(&[READ_ACL]);
            let acl = self.acls.intern(AclList::from_encoded(&read));
            let stat = StatPersisted { aversion: -1, ..Default::default() };
            self.restore_node("/zookeeper/config", Some(b""), acl, stat)?;
        }
        let mut open: Vec<NodeId> = self.find(quota::QUOTA_ROOT).into_iter().collect();
        let mut quotas: Vec<String> = Vec::new();
        while let Some(id) = open.pop() {
            let node = self.node(id);
            open.extend_from_slice(node.children());
            if let Some((parent, quota::LIMITS)) = path::split(node.path()) {
                quotas.push(parent[quota::QUOTA_ROOT.len()..].to_owned());
            }
        }
        for quota_path in quotas {
            self.recount_quota(&quota_path);
            self.quota_paths.insert(quota_path.into());
        }
        self.acls.purge_unused();
        Ok(())
    }

    pub(crate) fn acls_mut(&mut self) -> &mut AclCache {
        &mut self.acls
    }
}

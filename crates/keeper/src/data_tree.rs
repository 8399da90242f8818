//! The tree of nodes (`DataTree`): a slab of nodes and a hash index on the full path, one heap block (path and data
//! together) per node. A node that was never changed after its creation and has no children takes 64 bytes, its block,
//! and 5 to 10 bytes of index; the rest of its stat is kept apart once it differs from what creation gave it.
//!
//! Only [`DataTree::apply`] and what it calls change the tree, each change in the way of one transaction.

use crate::acl::{AclCache, AclId, AclList};
use crate::digest::{ContentCrc, StatPersisted};
use crate::ephemeral_type::EphemeralType;
use crate::path;
use crate::proto::{ErrorCode, READ_ACL, Stat};
use crate::quota;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use ottla_base::hash::{FixedMap, FixedSet};
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Place of a node in the slab.
pub type NodeId = u32;
const ROOT: NodeId = 0;
const NONE: NodeId = u32::MAX;

/// What a node of its creation alone does not tell.
#[derive(Debug, Default)]
struct Extra {
    mzxid: i64,
    pzxid: i64,
    mtime: i64,
    ephemeral_owner: i64,
    version: i32,
    cversion: i32,
    aversion: i32,
    children: Vec<NodeId>,
}

#[derive(Debug)]
struct Node {
    /// Path, then data.
    block: Box<[u8]>,
    /// Length of the path; the highest bit tells that the data is null, which is not the same as empty.
    path_len: u32,
    hash: u32,
    czxid: i64,
    ctime: i64,
    extra: Option<Box<Extra>>,
    acl: AclId,
    parent: NodeId,
    /// Where the parent's list of children has this node.
    slot: u32,
    crc: ContentCrc,
}

const NULL_DATA: u32 = 1 << 31;

impl Node {
    fn path(&self) -> &str {
        // The block was built from a string of exactly this length.
        std::str::from_utf8(&self.block[..self.path_len()]).unwrap_or("")
    }

    fn path_len(&self) -> usize {
        (self.path_len & !NULL_DATA) as usize
    }

    fn data(&self) -> Option<&[u8]> {
        (self.path_len & NULL_DATA == 0).then(|| &self.block[self.path_len()..])
    }

    fn children(&self) -> &[NodeId] {
        self.extra.as_ref().map_or(&[], |extra| &extra.children)
    }

    fn stat(&self) -> StatPersisted {
        match &self.extra {
            None => StatPersisted::created(self.czxid, self.ctime, 0),
            Some(extra) => StatPersisted {
                czxid: self.czxid,
                mzxid: extra.mzxid,
                ctime: self.ctime,
                mtime: extra.mtime,
                version: extra.version,
                cversion: extra.cversion,
                aversion: extra.aversion,
                ephemeral_owner: extra.ephemeral_owner,
                pzxid: extra.pzxid,
            },
        }
    }

    fn extra_mut(&mut self) -> &mut Extra {
        let (czxid, ctime) = (self.czxid, self.ctime);
        self.extra
            .get_or_insert_with(|| Box::new(Extra { mzxid: czxid, pzxid: czxid, mtime: ctime, ..Default::default() }))
    }

    fn digest(&self) -> i64 {
        self.crc.digest(self.path(), &self.stat())
    }
}

fn block(path: &str, data: Option<&[u8]>) -> (Box<[u8]>, u32) {
    let data_bytes = data.unwrap_or(&[]);
    let mut block = Vec::with_capacity(path.len() + data_bytes.len());
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(data_bytes);
    (block.into_boxed_slice(), path.len() as u32 | if data.is_none() { NULL_DATA } else { 0 })
}

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
            tree.insert(path, Some(b""), AclId::OPEN, none, NONE);
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

    fn hash(&self, path: &str) -> u32 {
        let hash = self.hasher.hash_one(path.as_bytes());
        (hash ^ (hash >> 32)) as u32
    }

    fn find(&self, path: &str) -> Option<NodeId> {
        let path = if path.is_empty() { "/" } else { path };
        let hash = self.hash(path);
        self.index
            .find(spread(hash), |&id| {
                let node = self.node(id);
                node.hash == hash && &node.block[..node.path_len()] == path.as_bytes()
            })
            .copied()
    }

    /// The node at `path`; the empty path is the root's too.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<NodeRef<'_>> {
        self.find(path).map(|id| NodeRef { tree: self, node: self.node(id) })
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
    fn insert(&mut self, path: &str, data: Option<&[u8]>, acl: AclId, stat: StatPersisted, parent: NodeId) -> NodeId {
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
        let node =
            Node { block, path_len, hash, czxid: stat.czxid, ctime: stat.ctime, extra, acl, parent, slot: 0, crc };
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
        let nodes = &self.nodes;
        self.index
            .insert_unique(spread(hash), id, |&id| nodes[id as usize].as_ref().map_or(0, |node| spread(node.hash)));
        self.remember_owner(id, stat.ephemeral_owner);
        id
    }

    /// Makes `child` a child of `parent`, whose stat stays as it is.
    fn link(&mut self, child: NodeId, parent: NodeId) {
        let children = &mut self.node_mut(parent).extra_mut().children;
        children.push(child);
        let slot = (children.len() - 1) as u32;
        let node = self.node_mut(child);
        (node.parent, node.slot) = (parent, slot);
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
        let id = self.insert(path, data, acl_id, StatPersisted::created(zxid, time, owner), parent);
        self.link(id, parent);
        self.count_quota_of_new_node(path, parent_path, name, data.map_or(0, <[u8]>::len));
        let parent_acl = Arc::clone(self.acls.list(self.node(parent).acl));
        sink.node_created(path, self.acls.list(acl_id), parent_path, &parent_acl, zxid);
        Ok(())
    }

    fn count_quota_of_new_node(&mut self, path: &str, parent_path: &str, name: &str, data_len: usize) {
        if let Some(quota_path) = parent_path.strip_prefix(quota::QUOTA_ROOT) {
            if name == quota::LIMITS {
                self.quota_paths.insert(quota_path.into());
            }
            if name == quota::STATS {
                self.recount_quota(quota_path);
            }
        }
        if let Some(quota_path) = self.quota_path(path) {
            self.add_to_quota(quota_path, data_len as i64, 1);
        }
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
        self.unlink(id);
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
    fn unlink(&mut self, id: NodeId) {
        let node = self.node(id);
        let (parent, slot) = (node.parent, node.slot as usize);
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
        let hash = self.node(id).hash;
        if let Ok(entry) = self.index.find_entry(spread(hash), |&other| other == id) {
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

    /// Adds to the counters of a quota; they belong to no version.
    fn add_to_quota(&mut self, quota_path: &str, bytes: i64, count: i64) {
        let stats_path = format!("{}{quota_path}/{}", quota::QUOTA_ROOT, quota::STATS);
        let Some(id) = self.find(&stats_path) else { return };
        let mut stats = quota::QuotaStats::parse(self.node(id).data().unwrap_or(&[]));
        stats.bytes += bytes;
        stats.count += count;
        self.put_quota_stats(id, &stats_path, &stats);
    }

    /// Counts everything under a path whose quota is new.
    fn recount_quota(&mut self, quota_path: &str) {
        let (mut bytes, mut count) = (0i64, 0i64);
        let mut open: Vec<NodeId> = self.find(quota_path).into_iter().collect();
        while let Some(id) = open.pop() {
            let node = self.node(id);
            count += 1;
            bytes += node.data().map_or(0, <[u8]>::len) as i64;
            open.extend_from_slice(node.children());
        }
        let stats_path = format!("{}{quota_path}/{}", quota::QUOTA_ROOT, quota::STATS);
        if let Some(id) = self.find(&stats_path) {
            let stats = quota::QuotaStats { count, bytes, count_hard_limit: None, byte_hard_limit: None };
            self.put_quota_stats(id, &stats_path, &stats);
        }
    }

    fn put_quota_stats(&mut self, id: NodeId, path: &str, stats: &quota::QuotaStats) {
        let node = self.node_mut(id);
        let before = node.block.len() as i64;
        node.replace_data(path, Some(stats.to_text().as_bytes()));
        let diff = node.block.len() as i64 - before;
        self.data_size += diff;
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
            "/" => NONE,
            _ => path::split(full)
                .and_then(|(parent, _)| self.find(parent))
                .ok_or_else(|| format!("no parent of {full} in the snapshot"))?,
        };
        if self.find(full).is_some() {
            return Err(format!("{full} is in the snapshot twice"));
        }
        let id = self.insert(full, data, acl, stat, parent);
        self.acls.add_usage(acl);
        if parent != NONE {
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

impl Node {
    fn replace_data(&mut self, path: &str, data: Option<&[u8]>) {
        let same_len = self.block.len() - self.path_len() == data.map_or(0, <[u8]>::len);
        if same_len {
            let at = self.path_len();
            self.block[at..].copy_from_slice(data.unwrap_or(&[]));
            self.path_len = at as u32 | if data.is_none() { NULL_DATA } else { 0 };
        } else {
            (self.block, self.path_len) = block(path, data);
        }
        self.crc = ContentCrc::of(path, data.unwrap_or(&[]));
    }
}

/// The index wants 64 bits, of which it uses the lowest and the highest.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Vec<u8> {
        crate::acl::encode(&[crate::proto::OPEN_ACL])
    }

    fn create(tree: &mut DataTree, path: &str, data: &[u8], owner: i64, zxid: i64) -> Result<(), ErrorCode> {
        let acl = open();
        tree.create_node(path, Some(data), AclList::from_encoded(&acl), owner, -1, zxid, 1_000 + zxid, &mut ())
    }

    #[test]
    fn a_new_tree_is_zookeepers() {
        let tree = DataTree::new(false);
        assert_eq!((tree.node_count(), tree.approximate_data_size()), (5, 44));
        assert_eq!(tree.get("/").expect("root").children().collect::<Vec<_>>(), ["zookeeper"]);
        assert_eq!(tree.get("").expect("root").path(), "/");
        // The digest of an empty 3.9.5 server, from its first transaction.
        assert_eq!(tree.get("/zookeeper/config").expect("config").stat().aversion, -1);
    }

    #[test]
    fn nodes_come_and_go() {
        let mut tree = DataTree::new(false);
        let before = tree.digest();
        create(&mut tree, "/a", b"x", 0, 1).expect("created");
        create(&mut tree, "/a/b", b"yy", 7, 2).expect("created");
        create(&mut tree, "/a/c", b"", 0, 3).expect("created");
        assert_eq!(create(&mut tree, "/q/c", b"", 0, 4), Err(ErrorCode::NoNode));
        let a = tree.get("/a").expect("there");
        assert_eq!((a.stat().cversion, a.stat().num_children, a.stat().pzxid), (2, 2, 3));
        assert_eq!(tree.ephemerals(7).collect::<Vec<_>>(), ["/a/b"]);
        tree.delete_node("/a/b", 5, &mut ()).expect("deleted");
        assert_eq!(tree.ephemeral_count(), 0);
        let a = tree.get("/a").expect("there").stat();
        assert_eq!((a.cversion, a.num_children, a.pzxid), (3, 1, 5));
        assert_eq!(tree.descendant_count("/a"), 1);
        tree.delete_node("/a/c", 6, &mut ()).expect("deleted");
        tree.delete_node("/a", 7, &mut ()).expect("deleted");
        assert_eq!(tree.delete_node("/a", 8, &mut ()), Err(ErrorCode::NoNode));
        assert_ne!(tree.digest(), before, "the root has changed");
        assert_eq!(tree.approximate_data_size(), 44);
        assert_eq!(tree.acls().len(), 1);
    }

    #[test]
    fn children_from_a_later_time_go_with_their_parent() {
        let mut tree = DataTree::new(false);
        for (zxid, path) in ["/a", "/a/b", "/a/b/c", "/a/d"].iter().enumerate() {
            create(&mut tree, path, b"", 5, zxid as i64 + 1).expect("created");
        }
        tree.delete_node("/a", 9, &mut ()).expect("deleted");
        assert_eq!((tree.node_count(), tree.approximate_data_size(), tree.ephemeral_count()), (5, 44, 0));
        create(&mut tree, "/a", b"", 0, 10).expect("created");
        create(&mut tree, "/a/d", b"", 0, 11).expect("created");
        assert_eq!(tree.get("/a").expect("there").children().collect::<Vec<_>>(), ["d"]);
    }

    #[test]
    fn null_and_empty_data_differ() {
        let mut tree = DataTree::new(false);
        create(&mut tree, "/a", b"", 0, 1).expect("created");
        tree.set_data("/a", None, 1, 2, 5, &mut ()).expect("set");
        assert_eq!(tree.get("/a").expect("there").data(), None);
        tree.set_data("/a", Some(b""), 2, 3, 5, &mut ()).expect("set");
        assert_eq!(tree.get("/a").expect("there").data(), Some(&b""[..]));
    }

    #[test]
    fn quotas_count() {
        let mut tree = DataTree::new(false);
        create(&mut tree, "/a", b"123", 0, 1).expect("created");
        create(&mut tree, "/zookeeper/quota/a", b"", 0, 2).expect("created");
        create(&mut tree, "/zookeeper/quota/a/zookeeper_limits", b"count=5,bytes=-1", 0, 3).expect("created");
        create(&mut tree, "/zookeeper/quota/a/zookeeper_stats", b"", 0, 4).expect("created");
        create(&mut tree, "/a/b", b"4567", 0, 5).expect("created");
        tree.set_data("/a/b", Some(b"4"), 1, 6, 0, &mut ()).expect("set");
        let stats = tree.get("/zookeeper/quota/a/zookeeper_stats").expect("there");
        assert_eq!(stats.data(), Some(&b"count=2,bytes=4"[..]));
        assert_eq!(tree.quota_path("/a/b/c"), Some("/a"));
        assert_eq!(tree.quota_path("/ab"), None);
    }

    #[test]
    fn a_node_takes_64_bytes() {
        assert_eq!(size_of::<Option<Node>>(), 64);
    }
}

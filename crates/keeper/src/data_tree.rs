//! The tree of nodes (`DataTree`): a slab of nodes, the names and data in blocks of exact sizes, and for each node with
//! children a hash table of them. A node that was never changed after its creation and has no children takes 40 bytes, its
//! name and data, and 5 to 10 bytes in its parent's table; the rest of its stat is kept apart once it differs from what
//! creation gave it. A path is found name by name, and put together again when it is asked for.
//!
//! Only [`crate::database::Database::apply`] and what it calls change the tree in service, transaction by transaction.

mod blocks;
mod children;
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
use blocks::Blocks;
use children::NameHash;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use node::{Extra, Node, PLAIN};
use ottla_base::hash::{FixedMap, FixedSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Place of a node in the slab.
pub type NodeId = u32;
const ROOT: NodeId = 0;
static NO_CHILDREN: HashTable<NodeId> = HashTable::new();
/// A parent's table is made smaller only when it has room for more than this.
const SMALL_TABLE: usize = 64;

/// What a tree is made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeOptions {
    /// The setting `extendedTypesEnabled`: TTL nodes exist.
    pub extended_types: bool,
    /// Decides where names are in their tables. Clients choose the names: who knew the seed could have them all in one place,
    /// where each costs as much as there are. No answer depends on it.
    pub name_seed: u64,
}

impl From<bool> for TreeOptions {
    /// A tree that no stranger's names come to.
    fn from(extended_types: bool) -> Self {
        Self { extended_types, name_seed: 0 }
    }
}

/// A node, for reading.
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    tree: &'a DataTree,
    id: NodeId,
    node: &'a Node,
}

impl<'a> NodeRef<'a> {
    /// Its whole path, put together.
    #[must_use]
    pub fn path(&self) -> String {
        self.tree.path_of(self.id)
    }

    /// The last part of its path; empty for the root.
    #[must_use]
    pub(crate) fn name_bytes(&self) -> &'a [u8] {
        self.node.name(&self.tree.blocks)
    }

    /// The transaction that created it.
    #[must_use]
    pub(crate) fn czxid(&self) -> i64 {
        self.node.czxid
    }

    /// The children's places, in their order.
    pub(crate) fn child_ids(&self) -> Vec<NodeId> {
        children::in_order(self.tree.children(self.id), self.tree.nodes.len())
    }

    /// `None` is null, which is not the same as empty.
    #[must_use]
    pub fn data(&self) -> Option<&'a [u8]> {
        self.node.data(&self.tree.blocks)
    }

    #[must_use]
    pub fn stat(&self) -> Stat {
        let s = self.stat_persisted();
        let children = self.num_children() as i32;
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
            ephemeral_owner: match EphemeralType::of(s.ephemeral_owner, self.tree.options.extended_types) {
                EphemeralType::Normal => s.ephemeral_owner,
                _ => 0,
            },
            data_length: self.node.data_len() as i32,
            num_children: children,
            pzxid: s.pzxid,
        }
    }

    /// The part of the stat that is on disk.
    #[must_use]
    pub fn stat_persisted(&self) -> StatPersisted {
        self.node.stat(self.tree.extra(self.node))
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
        self.tree.children(self.id).len()
    }

    /// Names of the children, mostly in the order of their creation.
    pub fn children(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let tree = self.tree;
        self.child_ids().into_iter().map(move |id| tree.name(id))
    }

    /// Of its content; `path` is its own.
    #[must_use]
    pub fn content_crc(&self, path: &str) -> ContentCrc {
        self.tree.crc(self.id, path)
    }
}

/// Hears of changes while a transaction is applied, before the state that they lead to can be read; `len` is that of the data.
pub trait ChangeSink {
    fn node_created(&mut self, path: &str, len: usize, acl: &[u8], parent: &str, parent_acl: &[u8], zxid: i64);
    fn node_deleted(&mut self, path: &str, acl: &[u8], parent: &str, parent_acl: &[u8], zxid: i64);
    fn data_changed(&mut self, path: &str, len: usize, acl: &[u8], zxid: i64);
}

/// Nobody listens: during recovery.
impl ChangeSink for () {
    fn node_created(&mut self, _: &str, _: usize, _: &[u8], _: &str, _: &[u8], _: i64) {}
    fn node_deleted(&mut self, _: &str, _: &[u8], _: &str, _: &[u8], _: i64) {}
    fn data_changed(&mut self, _: &str, _: usize, _: &[u8], _: i64) {}
}

/// All nodes, and what is known of them as a whole.
#[derive(Debug)]
pub struct DataTree {
    nodes: Vec<Option<Node>>,
    free: Vec<NodeId>,
    extras: Vec<Extra>,
    free_extras: Vec<u32>,
    blocks: Blocks,
    hasher: NameHash,
    acls: AclCache,
    /// By session; their whole paths too, as they all are asked for together.
    ephemerals: FixedMap<i64, BTreeMap<NodeId, Box<str>>>,
    ephemeral_count: usize,
    containers: BTreeSet<NodeId>,
    ttls: BTreeSet<NodeId>,
    quota_paths: FixedSet<Box<str>>,
    digest: i64,
    data_size: i64,
    options: TreeOptions,
    /// The parent of the node that was restored last.
    restored: Option<(Box<str>, NodeId)>,
}

impl Default for DataTree {
    fn default() -> Self {
        Self::new(false)
    }
}

impl DataTree {
    /// The tree of a new server: `/`, `/zookeeper`, `/zookeeper/quota` and `/zookeeper/config`.
    #[must_use]
    pub fn new(options: impl Into<TreeOptions>) -> Self {
        let mut tree = Self::empty(options.into());
        let none = StatPersisted::default();
        let paths =
            [("/", ""), ("/zookeeper", "zookeeper"), (quota::QUOTA_ROOT, "quota"), ("/zookeeper/config", "config")];
        for ((path, name), parent) in paths.into_iter().zip([ROOT, ROOT, 1, 1]) {
            tree.insert(parent, path, name, Some(b""), AclId::OPEN, none);
        }
        let read = crate::acl::encode(&[READ_ACL]);
        let acl = tree.acls.intern(AclList::from_encoded(&read));
        tree.node_mut(3).acl = acl;
        tree.change(3, "/zookeeper/config", |config| config.aversion = -1);
        tree
    }

    /// No node at all: what a snapshot is read into.
    #[must_use]
    pub(crate) fn empty(options: TreeOptions) -> Self {
        let state = || FixedState::with_seed(options.name_seed);
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            extras: Vec::new(),
            free_extras: Vec::new(),
            blocks: Blocks::default(),
            hasher: NameHash::new(options.name_seed),
            acls: AclCache::with_hasher(state()),
            ephemerals: FixedMap::default(),
            ephemeral_count: 0,
            containers: BTreeSet::new(),
            ttls: BTreeSet::new(),
            quota_paths: FixedSet::with_hasher(state()),
            digest: 0,
            data_size: 0,
            options,
            restored: None,
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes[id as usize].as_ref().expect("an id in use names a node")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id as usize].as_mut().expect("an id in use names a node")
    }

    fn name(&self, id: NodeId) -> &str {
        // The block was built from a string of exactly this length.
        std::str::from_utf8(self.node(id).name(&self.blocks)).unwrap_or("")
    }

    fn extra(&self, node: &Node) -> Option<&Extra> {
        self.extras.get(node.extra as usize)
    }

    fn children(&self, id: NodeId) -> &HashTable<NodeId> {
        self.extra(self.node(id)).and_then(|extra| extra.children.as_deref()).unwrap_or(&NO_CHILDREN)
    }

    fn hash(&self, name: &[u8]) -> u64 {
        self.hasher.of(name)
    }

    fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let children = self.children(parent);
        children.find(self.hash(name), |&id| self.node(id).name(&self.blocks) == name).copied()
    }

    fn find(&self, path: &str) -> Option<NodeId> {
        if self.nodes.is_empty() {
            return None;
        }
        if matches!(path, "" | "/") {
            return Some(ROOT);
        }
        let names = path.strip_prefix('/')?.as_bytes().split(|&byte| byte == b'/');
        names.into_iter().try_fold(ROOT, |parent, name| self.child(parent, name))
    }

    fn path_of(&self, id: NodeId) -> String {
        let mut line = Vec::new();
        let mut at = id;
        while at != ROOT {
            line.push(at);
            at = self.node(at).parent;
        }
        let mut path = String::with_capacity(line.len() * 16);
        for &id in line.iter().rev() {
            path.push('/');
            path.push_str(self.name(id));
        }
        if path.is_empty() { "/".to_owned() } else { path }
    }

    /// Of a node's content. It is kept only for nodes that have changed; of the others it is asked for once in their life.
    fn crc(&self, id: NodeId, path: &str) -> ContentCrc {
        let node = self.node(id);
        self.extra(node).map_or_else(|| ContentCrc::of(path, node.data_bytes(&self.blocks)), |extra| extra.crc)
    }

    /// The node at `path`; the empty path is the root's too.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<NodeRef<'_>> {
        self.find(path).map(|id| NodeRef { tree: self, id, node: self.node(id) })
    }

    /// The node in this place of the slab, if there is one now.
    #[must_use]
    pub(crate) fn node_at(&self, id: NodeId) -> Option<NodeRef<'_>> {
        self.nodes.get(id as usize)?.as_ref().map(|node| NodeRef { tree: self, id, node })
    }

    /// Number of nodes as ZooKeeper counts them: the root twice.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len() - self.free.len() + 1
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
        self.options.extended_types
    }

    /// What it was made with.
    #[must_use]
    pub fn options(&self) -> TreeOptions {
        self.options
    }

    /// Paths of the ephemeral nodes of a session.
    pub fn ephemerals(&self, session: i64) -> impl Iterator<Item = &str> {
        self.ephemerals.get(&session).into_iter().flat_map(|nodes| nodes.values().map(|path| &**path))
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
            .map(|&id| NodeRef { tree: self, id, node: self.node(id) })
            .filter(|node| node.num_children() == 0)
    }

    /// Number of nodes below `path`, at any depth.
    #[must_use]
    pub fn descendant_count(&self, path: &str) -> usize {
        if path == "/" || path.is_empty() {
            return self.nodes.len() - self.free.len() - 1;
        }
        let Some(top) = self.find(path) else { return 0 };
        let mut open = vec![top];
        let mut count = 0;
        while let Some(id) = open.pop() {
            let children = self.children(id);
            count += children.len();
            open.extend(children);
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

    /// Puts a node into the slab and, unless it is the root, among its parent's children; the parent's stat stays as it is.
    fn insert(
        &mut self,
        parent: NodeId,
        path: &str,
        name: &str,
        data: Option<&[u8]>,
        acl: AclId,
        stat: StatPersisted,
    ) -> NodeId {
        let crc = ContentCrc::of(path, data.unwrap_or(&[]));
        self.digest = self.digest.wrapping_add(crc.digest(path, &stat));
        self.data_size += (path.len() + data.map_or(0, <[u8]>::len)) as i64;
        let mut node = Node::new(&mut self.blocks, parent, name, data, acl, &stat);
        if stat != StatPersisted::created(stat.czxid, stat.ctime, 0) {
            node.extra = self.insert_extra(Extra::of(&stat, crc));
        }
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
        if id != ROOT {
            self.link(id, parent, path, name);
        }
        self.remember_owner(id, path, stat.ephemeral_owner);
        id
    }

    fn insert_extra(&mut self, extra: Extra) -> u32 {
        match self.free_extras.pop() {
            Some(at) => {
                self.extras[at as usize] = extra;
                at
            }
            None => {
                self.extras.push(extra);
                (self.extras.len() - 1) as u32
            }
        }
    }

    /// Where a node's [`Extra`] is; it gets one if it has none. `path` is its own.
    fn extra_of(&mut self, id: NodeId, path: &str) -> usize {
        let node = self.node(id);
        if node.extra == PLAIN {
            let extra = Extra::of(&node.stat(None), self.crc(id, path));
            self.node_mut(id).extra = self.insert_extra(extra);
        }
        self.node(id).extra as usize
    }

    fn link(&mut self, child: NodeId, parent: NodeId, path: &str, name: &str) {
        let parent_path = path::split(path).map_or("/", |(parent, _)| parent);
        let at = self.extra_of(parent, parent_path);
        let hash = self.hash(name.as_bytes());
        let (nodes, blocks, hasher) = (&self.nodes, &self.blocks, &self.hasher);
        let children = self.extras[at].children.get_or_insert_default();
        children.insert_unique(hash, child, |&id| hash_of(nodes, blocks, hasher, id));
    }

    fn remember_owner(&mut self, id: NodeId, path: &str, owner: i64) {
        match EphemeralType::of(owner, self.options.extended_types) {
            EphemeralType::Void => {}
            EphemeralType::Container => drop(self.containers.insert(id)),
            EphemeralType::Ttl(_) => drop(self.ttls.insert(id)),
            EphemeralType::Normal => {
                let before = self.ephemerals.entry(owner).or_default().insert(id, path.into());
                self.ephemeral_count += usize::from(before.is_none());
            }
        }
    }

    fn forget_owner(&mut self, id: NodeId, owner: i64) {
        match EphemeralType::of(owner, self.options.extended_types) {
            EphemeralType::Void => {}
            EphemeralType::Container => drop(self.containers.remove(&id)),
            EphemeralType::Ttl(_) => drop(self.ttls.remove(&id)),
            EphemeralType::Normal => {
                if let Some(nodes) = self.ephemerals.get_mut(&owner) {
                    self.ephemeral_count -= usize::from(nodes.remove(&id).is_some());
                    if nodes.is_empty() {
                        self.ephemerals.remove(&owner);
                    }
                }
            }
        }
    }

    /// Changes a node's stat, or what is known of its content, in `change` and keeps the digest right.
    fn change(&mut self, id: NodeId, path: &str, change: impl FnOnce(&mut Extra)) {
        let at = self.extra_of(id, path);
        let extra = &mut self.extras[at];
        let node = self.nodes[id as usize].as_ref().expect("an id in use names a node");
        let before = extra.crc.digest(path, &node.stat(Some(extra)));
        change(extra);
        let after = extra.crc.digest(path, &node.stat(Some(extra)));
        self.digest = self.digest.wrapping_sub(before).wrapping_add(after);
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
        if let Some(existing) = self.child(parent, name.as_bytes()) {
            // The list it had may be unknown to the table (see `AclCache::none`), so its count is left alone.
            self.node_mut(existing).acl = acl_id;
            return Err(ErrorCode::NodeExists);
        }
        self.change(parent, parent_path, |extra| {
            let cversion = if parent_cversion == -1 { extra.cversion.wrapping_add(1) } else { parent_cversion };
            if cversion > extra.cversion {
                extra.cversion = cversion;
                extra.pzxid = zxid;
            }
        });
        self.insert(parent, path, name, data, acl_id, StatPersisted::created(zxid, time, owner));
        let len = data.map_or(0, <[u8]>::len);
        self.count_quota_of_new_node(path, parent_path, name, len);
        let parent_acl = Arc::clone(self.acls.list(self.node(parent).acl));
        sink.node_created(path, len, self.acls.list(acl_id), parent_path, &parent_acl, zxid);
        Ok(())
    }

    /// Deletes a node. It had no children when this was decided; those that it has came with a snapshot from a later
    /// time, and the log will create them again, so they go too.
    pub(crate) fn delete_node(&mut self, path: &str, zxid: i64, sink: &mut dyn ChangeSink) -> Result<(), ErrorCode> {
        let (parent_path, name) = path::split(path).ok_or(ErrorCode::NoNode)?;
        let parent = self.find(parent_path).ok_or(ErrorCode::NoNode)?;
        if self.extra(self.node(parent)).is_some_and(|extra| zxid > extra.pzxid) {
            self.change(parent, parent_path, |extra| extra.pzxid = zxid);
        }
        let id = self.child(parent, name.as_bytes()).ok_or(ErrorCode::NoNode)?;
        self.remove_descendants(id, path);
        self.unlink(id, parent, name);
        let node = self.remove(id, path);
        let acl = Arc::clone(self.acls.list(node.acl));
        self.acls.remove_usage(node.acl);
        if name == quota::LIMITS
            && let Some(quota_path) = parent_path.strip_prefix(quota::QUOTA_ROOT)
        {
            self.quota_paths.remove(quota_path);
        }
        if let Some(quota_path) = self.quota_path(path) {
            self.add_to_quota(quota_path, -(node.data_len() as i64), -1);
        }
        let parent_acl = Arc::clone(self.acls.list(self.node(parent).acl));
        sink.node_deleted(path, &acl, parent_path, &parent_acl, zxid);
        Ok(())
    }

    fn remove_descendants(&mut self, top: NodeId, path: &str) {
        let at = self.node(top).extra as usize;
        let Some(children) = self.extras.get_mut(at).and_then(|extra| extra.children.take()) else { return };
        let mut open: Vec<(NodeId, String)> = Vec::new();
        let note = |tree: &Self, open: &mut Vec<_>, children: &HashTable<NodeId>, path: &str| {
            // Their places are given to others in the order in which they become free.
            let ids = children::in_order(children, tree.nodes.len());
            open.extend(ids.into_iter().map(|id| (id, format!("{path}/{}", tree.name(id)))));
        };
        note(self, &mut open, &children, path);
        while let Some((id, path)) = open.pop() {
            note(self, &mut open, self.children(id), &path);
            let node = self.remove(id, &path);
            self.acls.remove_usage(node.acl);
        }
    }

    /// Takes a node out of its parent's children.
    fn unlink(&mut self, id: NodeId, parent: NodeId, name: &str) {
        let hash = self.hash(name.as_bytes());
        let (nodes, blocks, hasher) = (&self.nodes, &self.blocks, &self.hasher);
        let extra = nodes[parent as usize].as_ref().and_then(|parent| self.extras.get_mut(parent.extra as usize));
        let Some(extra) = extra else { return };
        let Some(children) = extra.children.as_mut() else { return };
        if let Ok(entry) = children.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        // Children come and go in masses; don't keep the room of the greatest mass.
        if children.is_empty() {
            extra.children = None;
        } else if children.capacity() > SMALL_TABLE && children.len() * 4 < children.capacity() {
            children.shrink_to(children.len() * 2, |&id| hash_of(nodes, blocks, hasher, id));
        }
    }

    /// Takes a node out of the slab that no parent knows any more. What is left of it tells its ACL and the length of its
    /// data.
    fn remove(&mut self, id: NodeId, path: &str) -> Node {
        let (stat, crc) = (self.node(id).stat(self.extra(self.node(id))), self.crc(id, path));
        let node = self.nodes[id as usize].take().expect("an id in use names a node");
        self.free.push(id);
        node.release(&mut self.blocks);
        if let Some(extra) = self.extras.get_mut(node.extra as usize) {
            extra.children = None;
            self.free_extras.push(node.extra);
        }
        self.digest = self.digest.wrapping_sub(crc.digest(path, &stat));
        self.data_size -= (path.len() + node.data_len()) as i64;
        self.forget_owner(id, stat.ephemeral_owner);
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
        let old_len = self.node(id).data_len();
        let crc = ContentCrc::of(path, data.unwrap_or(&[]));
        self.change(id, path, |extra| {
            (extra.mtime, extra.mzxid, extra.version, extra.crc) = (time, zxid, version, crc);
        });
        self.replace_data(id, data);
        let diff = self.node(id).data_len() as i64 - old_len as i64;
        self.data_size += diff;
        if let Some(quota_path) = self.quota_path(path) {
            self.add_to_quota(quota_path, diff, 0);
        }
        sink.data_changed(path, data.map_or(0, <[u8]>::len), self.acls.list(self.node(id).acl), zxid);
        Ok(())
    }

    /// What is known of the content is still of the old data.
    fn replace_data(&mut self, id: NodeId, data: Option<&[u8]>) {
        let node = self.nodes[id as usize].as_mut().expect("an id in use names a node");
        node.replace_data(&mut self.blocks, data);
    }

    /// Replaces a node's ACL; `version` is the new one.
    pub(crate) fn set_acl(&mut self, path: &str, acl: AclList<'_>, version: i32) -> Result<(), ErrorCode> {
        let id = self.find(path).ok_or(ErrorCode::NoNode)?;
        self.acls.remove_usage(self.node(id).acl);
        let acl = self.acls.intern(acl);
        self.node_mut(id).acl = acl;
        self.change(id, if path.is_empty() { "/" } else { path }, |extra| extra.aversion = version);
        Ok(())
    }

    /// Moves a parent on as a creation does that was already in the snapshot (`setCversionPzxid`).
    pub(crate) fn set_cversion_pzxid(&mut self, path: &str, cversion: i32, zxid: i64) {
        let Some(id) = self.find(path) else { return };
        let current = self.extra(self.node(id)).map_or(0, |extra| extra.cversion);
        let cversion = if cversion == -1 { current.wrapping_add(1) } else { cversion };
        if cversion > current {
            self.change(id, path, |extra| (extra.cversion, extra.pzxid) = (cversion, zxid));
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
        let (parent, name) = match full {
            "/" => (ROOT, ""),
            _ => {
                let (parent_path, name) = path::split(full).unwrap_or(("", full));
                let parent = self.restored_parent(parent_path);
                (parent.ok_or_else(|| format!("no parent of {full} in the snapshot"))?, name)
            }
        };
        if full != "/" && self.child(parent, name.as_bytes()).is_some() {
            return Err(format!("{full} is in the snapshot twice"));
        }
        self.insert(parent, full, name, data, acl, stat);
        self.acls.add_usage(acl);
        Ok(())
    }

    /// Most nodes of a snapshot have the parent of the one before.
    fn restored_parent(&mut self, path: &str) -> Option<NodeId> {
        if let Some((last, id)) = &self.restored
            && **last == *path
        {
            return Some(*id);
        }
        let id = self.find(path)?;
        self.restored = Some((path.into(), id));
        Some(id)
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
            open.extend(self.children(id));
            if self.name(id) == quota::LIMITS {
                let parent = self.path_of(self.node(id).parent);
                quotas.push(parent.strip_prefix(quota::QUOTA_ROOT).unwrap_or("").to_owned());
            }
        }
        for quota_path in quotas {
            self.recount_quota(&quota_path);
            self.quota_paths.insert(quota_path.into());
        }
        self.acls.purge_unused();
        self.restored = None;
        Ok(())
    }

    pub(crate) fn acls_mut(&mut self) -> &mut AclCache {
        &mut self.acls
    }
}

/// The hash of a node's name, by which its parent has it.
fn hash_of(nodes: &[Option<Node>], blocks: &Blocks, hasher: &NameHash, id: NodeId) -> u64 {
    hasher.of(nodes[id as usize].as_ref().map_or(&[][..], |node| node.name(blocks)))
}

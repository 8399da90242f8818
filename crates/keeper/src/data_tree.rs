//! The tree of nodes (`DataTree`): a slab of nodes, the names and data in blocks of exact sizes, and for each node with
//! children a hash table of them. A node that was never changed after its creation and has no children takes 40 bytes, its
//! name and data, and 5 to 10 bytes in its parent's table; the rest of its stat is kept apart once it differs from what
//! creation gave it. A path is found name by name, and put together again when it is asked for.
//!
//! Only [`crate::database::Database::apply`] and what it calls change the tree in service, transaction by transaction.

mod blocks;
mod changes;
mod children;
mod node;
mod node_ref;
mod places;
mod quotas;
mod restore;
#[cfg(test)]
mod tests;

use crate::acl::{AclCache, AclId, AclList};
use crate::digest::{ContentCrc, StatPersisted};
use crate::path;
use crate::proto::READ_ACL;
use crate::quota;
use blocks::Blocks;
pub use changes::ChangeSink;
use children::NameHash;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use node::{Extra, Node};
pub use node_ref::NodeRef;
use ottla_base::hash::{FixedMap, FixedSet};
use std::collections::{BTreeMap, BTreeSet};

/// Place of a node in the slab.
pub type NodeId = u32;
const ROOT: NodeId = 0;
static NO_CHILDREN: HashTable<NodeId> = HashTable::new();

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
}

//! A node, as whoever reads the tree sees it.

use super::node::Node;
use super::{DataTree, NodeId, children};
use crate::acl::AclId;
use crate::digest::{ContentCrc, StatPersisted};
use crate::ephemeral_type::EphemeralType;
use crate::proto::Stat;
use std::sync::Arc;

/// A node, for reading.
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    pub(super) tree: &'a DataTree,
    pub(super) id: NodeId,
    pub(super) node: &'a Node,
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

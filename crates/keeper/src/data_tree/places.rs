//! Nodes come into the slab and go from it: with their names in their parents' tables, their owners, and the sums over all
//! nodes kept right.

use super::blocks::Blocks;
use super::children::{self, NameHash};
use super::node::{Extra, Node, PLAIN};
use super::{DataTree, NodeId, ROOT};
use crate::acl::AclId;
use crate::digest::{ContentCrc, StatPersisted};
use crate::ephemeral_type::EphemeralType;
use crate::path;
use hashbrown::HashTable;

/// A parent's table is made smaller only when it has room for more than this.
const SMALL_TABLE: usize = 64;

impl DataTree {
    /// Puts a node into the slab and, unless it is the root, among its parent's children; the parent's stat stays as it is.
    pub(super) fn insert(
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

    pub(super) fn insert_extra(&mut self, extra: Extra) -> u32 {
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
    pub(super) fn extra_of(&mut self, id: NodeId, path: &str) -> usize {
        let node = self.node(id);
        if node.extra == PLAIN {
            let extra = Extra::of(&node.stat(None), self.crc(id, path));
            self.node_mut(id).extra = self.insert_extra(extra);
        }
        self.node(id).extra as usize
    }

    pub(super) fn link(&mut self, child: NodeId, parent: NodeId, path: &str, name: &str) {
        let parent_path = path::split(path).map_or("/", |(parent, _)| parent);
        let at = self.extra_of(parent, parent_path);
        let hash = self.hash(name.as_bytes());
        let (nodes, blocks, hasher) = (&self.nodes, &self.blocks, &self.hasher);
        let children = self.extras[at].children.get_or_insert_default();
        children.insert_unique(hash, child, |&id| hash_of(nodes, blocks, hasher, id));
    }

    pub(super) fn remember_owner(&mut self, id: NodeId, path: &str, owner: i64) {
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

    pub(super) fn forget_owner(&mut self, id: NodeId, owner: i64) {
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
    pub(super) fn change(&mut self, id: NodeId, path: &str, change: impl FnOnce(&mut Extra)) {
        let at = self.extra_of(id, path);
        let extra = &mut self.extras[at];
        let node = self.nodes[id as usize].as_ref().expect("an id in use names a node");
        let before = extra.crc.digest(path, &node.stat(Some(extra)));
        change(extra);
        let after = extra.crc.digest(path, &node.stat(Some(extra)));
        self.digest = self.digest.wrapping_sub(before).wrapping_add(after);
    }

    pub(super) fn remove_descendants(&mut self, top: NodeId, path: &str) {
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
    pub(super) fn unlink(&mut self, id: NodeId, parent: NodeId, name: &str) {
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
    pub(super) fn remove(&mut self, id: NodeId, path: &str) -> Node {
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

    /// What is known of the content is still of the old data.
    pub(super) fn replace_data(&mut self, id: NodeId, data: Option<&[u8]>) {
        let node = self.nodes[id as usize].as_mut().expect("an id in use names a node");
        node.replace_data(&mut self.blocks, data);
    }
}

/// The hash of a node's name, by which its parent has it.
fn hash_of(nodes: &[Option<Node>], blocks: &Blocks, hasher: &NameHash, id: NodeId) -> u64 {
    hasher.of(nodes[id as usize].as_ref().map_or(&[][..], |node| node.name(blocks)))
}

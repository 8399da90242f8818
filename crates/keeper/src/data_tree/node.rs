//! A node in the slab.

use super::NodeId;
use super::blocks::{Blocks, Place};
use crate::acl::AclId;
use crate::digest::{ContentCrc, StatPersisted};
use hashbrown::HashTable;

/// What a node of its creation alone does not tell.
#[derive(Debug)]
pub(super) struct Extra {
    pub(super) mzxid: i64,
    pub(super) pzxid: i64,
    pub(super) mtime: i64,
    pub(super) ephemeral_owner: i64,
    pub(super) version: i32,
    pub(super) cversion: i32,
    pub(super) aversion: i32,
    pub(super) crc: ContentCrc,
    /// By the hashes of their names; `None` while there was none.
    pub(super) children: Option<Box<HashTable<NodeId>>>,
}

impl Extra {
    pub(super) fn of(stat: &StatPersisted, crc: ContentCrc) -> Self {
        Self {
            mzxid: stat.mzxid,
            pzxid: stat.pzxid,
            mtime: stat.mtime,
            ephemeral_owner: stat.ephemeral_owner,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            crc,
            children: None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) czxid: i64,
    pub(super) ctime: i64,
    /// Where name and data are, one behind the other.
    place: Place,
    /// Length of the name; the highest bit tells that the data is null, which is not the same as empty.
    name_len: u32,
    data_len: u32,
    /// The root is its own.
    pub(super) parent: NodeId,
    /// Where the rest of the stat is; [`PLAIN`] when it is as creation left it.
    pub(super) extra: u32,
    pub(super) acl: AclId,
}

const NULL_DATA: u32 = 1 << 31;
/// There is nothing that creation does not tell.
pub(super) const PLAIN: u32 = u32::MAX;

impl Node {
    /// A node without an [`Extra`].
    pub(super) fn new(
        blocks: &mut Blocks,
        parent: NodeId,
        name: &str,
        data: Option<&[u8]>,
        acl: AclId,
        stat: &StatPersisted,
    ) -> Self {
        let bytes = data.unwrap_or(&[]);
        Self {
            czxid: stat.czxid,
            ctime: stat.ctime,
            place: blocks.insert(name.as_bytes(), bytes),
            name_len: name.len() as u32 | if data.is_none() { NULL_DATA } else { 0 },
            data_len: bytes.len() as u32,
            parent,
            extra: PLAIN,
            acl,
        }
    }

    fn name_len(&self) -> usize {
        (self.name_len & !NULL_DATA) as usize
    }

    fn block_len(&self) -> usize {
        self.name_len() + self.data_len()
    }

    pub(super) fn data_len(&self) -> usize {
        self.data_len as usize
    }

    pub(super) fn name<'a>(&self, blocks: &'a Blocks) -> &'a [u8] {
        &blocks.get(self.place, self.block_len())[..self.name_len()]
    }

    pub(super) fn data<'a>(&self, blocks: &'a Blocks) -> Option<&'a [u8]> {
        (self.name_len & NULL_DATA == 0).then(|| self.data_bytes(blocks))
    }

    /// The data; null is empty here.
    pub(super) fn data_bytes<'a>(&self, blocks: &'a Blocks) -> &'a [u8] {
        &blocks.get(self.place, self.block_len())[self.name_len()..]
    }

    pub(super) fn replace_data(&mut self, blocks: &mut Blocks, data: Option<&[u8]>) {
        let bytes = data.unwrap_or(&[]);
        let name_len = self.name_len();
        if bytes.len() == self.data_len() {
            blocks.get_mut(self.place, self.block_len())[name_len..].copy_from_slice(bytes);
        } else {
            let name = self.name(blocks).to_vec();
            let place = blocks.insert(&name, bytes);
            blocks.remove(self.place, self.block_len());
            self.place = place;
            self.data_len = bytes.len() as u32;
        }
        self.name_len = name_len as u32 | if data.is_none() { NULL_DATA } else { 0 };
    }

    /// Gives its block back; the node is not to be read any more.
    pub(super) fn release(&self, blocks: &mut Blocks) {
        blocks.remove(self.place, self.block_len());
    }

    pub(super) fn stat(&self, extra: Option<&Extra>) -> StatPersisted {
        match extra {
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
}

//! A node in the slab.

use super::NodeId;
use crate::acl::AclId;
use crate::digest::{ContentCrc, StatPersisted};

/// What a node of its creation alone does not tell.
#[derive(Debug, Default)]
pub(super) struct Extra {
    pub(super) mzxid: i64,
    pub(super) pzxid: i64,
    pub(super) mtime: i64,
    pub(super) ephemeral_owner: i64,
    pub(super) version: i32,
    pub(super) cversion: i32,
    pub(super) aversion: i32,
    pub(super) children: Vec<NodeId>,
}

#[derive(Debug)]
pub(super) struct Node {
    /// Path, then data.
    pub(super) block: Box<[u8]>,
    /// Length of the path; the highest bit tells that the data is null, which is not the same as empty.
    pub(super) path_len: u32,
    pub(super) czxid: i64,
    pub(super) ctime: i64,
    pub(super) extra: Option<Box<Extra>>,
    pub(super) acl: AclId,
    /// Where the parent's list of children has this node.
    pub(super) slot: u32,
    pub(super) crc: ContentCrc,
}

pub(super) const NULL_DATA: u32 = 1 << 31;

impl Node {
    pub(super) fn path(&self) -> &str {
        // The block was built from a string of exactly this length.
        std::str::from_utf8(&self.block[..self.path_len()]).unwrap_or("")
    }

    pub(super) fn path_len(&self) -> usize {
        (self.path_len & !NULL_DATA) as usize
    }

    pub(super) fn data(&self) -> Option<&[u8]> {
        (self.path_len & NULL_DATA == 0).then(|| &self.block[self.path_len()..])
    }

    pub(super) fn children(&self) -> &[NodeId] {
        self.extra.as_ref().map_or(&[], |extra| &extra.children)
    }

    pub(super) fn stat(&self) -> StatPersisted {
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

    pub(super) fn extra_mut(&mut self) -> &mut Extra {
        let (czxid, ctime) = (self.czxid, self.ctime);
        self.extra
            .get_or_insert_with(|| Box::new(Extra { mzxid: czxid, pzxid: czxid, mtime: ctime, ..Default::default() }))
    }

    pub(super) fn digest(&self) -> i64 {
        self.crc.digest(self.path(), &self.stat())
    }
}

pub(super) fn block(path: &str, data: Option<&[u8]>) -> (Box<[u8]>, u32) {
    let data_bytes = data.unwrap_or(&[]);
    let mut block = Vec::with_capacity(path.len() + data_bytes.len());
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(data_bytes);
    (block.into_boxed_slice(), path.len() as u32 | if data.is_none() { NULL_DATA } else { 0 })
}

impl Node {
    pub(super) fn replace_data(&mut self, path: &str, data: Option<&[u8]>) {
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

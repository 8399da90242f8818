//! What transactions do to the tree.

use super::DataTree;
use crate::acl::AclList;
use crate::digest::{ContentCrc, StatPersisted};
use crate::path;
use crate::proto::ErrorCode;
use crate::quota;
use std::sync::Arc;

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

impl DataTree {
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
}

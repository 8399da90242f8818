//! A tree as it comes out of a snapshot, node by node.

use super::{DataTree, NodeId, ROOT};
use crate::acl::{AclCache, AclId, AclList};
use crate::digest::StatPersisted;
use crate::path;
use crate::proto::READ_ACL;
use crate::quota;

impl DataTree {
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

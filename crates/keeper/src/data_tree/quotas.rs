//! The counters that quotas keep up to date.

use super::{DataTree, NodeId};
use crate::quota;

impl DataTree {
    pub(super) fn count_quota_of_new_node(&mut self, path: &str, parent_path: &str, name: &str, data_len: usize) {
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

    /// Adds to the counters of a quota; they belong to no version.
    pub(super) fn add_to_quota(&mut self, quota_path: &str, bytes: i64, count: i64) {
        let stats_path = format!("{}{quota_path}/{}", quota::QUOTA_ROOT, quota::STATS);
        let Some(id) = self.find(&stats_path) else { return };
        let mut stats = quota::QuotaStats::parse(self.node(id).data_bytes(&self.blocks));
        stats.bytes += bytes;
        stats.count += count;
        self.put_quota_stats(id, &stats);
    }

    /// Counts everything under a path whose quota is new.
    pub(super) fn recount_quota(&mut self, quota_path: &str) {
        let (mut bytes, mut count) = (0i64, 0i64);
        let mut open: Vec<NodeId> = self.find(quota_path).into_iter().collect();
        while let Some(id) = open.pop() {
            count += 1;
            bytes += self.node(id).data_len() as i64;
            open.extend(self.children(id));
        }
        let stats_path = format!("{}{quota_path}/{}", quota::QUOTA_ROOT, quota::STATS);
        if let Some(id) = self.find(&stats_path) {
            let stats = quota::QuotaStats { count, bytes, count_hard_limit: None, byte_hard_limit: None };
            self.put_quota_stats(id, &stats);
        }
    }

    fn put_quota_stats(&mut self, id: NodeId, stats: &quota::QuotaStats) {
        let before = self.node(id).data_len() as i64;
        // No digest covers what is below `/zookeeper`.
        self.replace_data(id, Some(stats.to_text().as_bytes()));
        self.data_size += self.node(id).data_len() as i64 - before;
    }
}

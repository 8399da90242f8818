//! The committed offsets of the groups, and those of transactions that are still open.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::hash::FixedMap;

use super::messages::Text;
use super::records::StoredOffset;

type ByTopic = BTreeMap<Text, BTreeMap<i32, StoredOffset>>;
type ByGroup = FixedMap<Text, ByTopic>;

/// Changed by replaying records alone.
#[derive(Clone, Debug, Default)]
#[doc(alias = "OffsetMetadataManager")]
pub struct OffsetStore {
    committed: ByGroup,
    /// By producer id; moved to `committed`, or dropped, when the transaction ends.
    pending: BTreeMap<i64, ByGroup>,
    /// The producers with pending offsets, by group.
    open_transactions: FixedMap<Text, BTreeSet<i64>>,
}

fn remove(offsets: &mut ByGroup, group_id: &Text, topic: &Text, partition: i32) {
    let Some(topics) = offsets.get_mut(group_id) else { return };
    let Some(partitions) = topics.get_mut(topic) else { return };
    partitions.remove(&partition);
    if partitions.is_empty() {
        topics.remove(topic);
    }
    if topics.is_empty() {
        offsets.remove(group_id);
    }
}

impl OffsetStore {
    pub fn put(&mut self, producer_id: Option<i64>, group_id: Text, topic: Text, partition: i32, offset: StoredOffset) {
        let offsets = match producer_id {
            None => &mut self.committed,
            Some(producer_id) => {
                self.open_transactions.entry(group_id.clone()).or_default().insert(producer_id);
                self.pending.entry(producer_id).or_default()
            }
        };
        offsets.entry(group_id).or_default().entry(topic).or_default().insert(partition, offset);
    }

    /// Forgets an offset, pending ones too.
    pub fn remove(&mut self, group_id: &Text, topic: &Text, partition: i32) {
        remove(&mut self.committed, group_id, topic, partition);
        for producer_id in self.open_transactions.get(group_id).into_iter().flatten() {
            if let Some(pending) = self.pending.get_mut(producer_id) {
                remove(pending, group_id, topic, partition);
            }
        }
    }

    /// Commits or drops the offsets of a producer's transaction.
    pub fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        for (group_id, open) in &mut self.open_transactions {
            if open.remove(&producer_id) {
                tracing::debug!(group = %group_id, producer_id, committed, "a transaction's offsets are decided");
            }
        }
        self.open_transactions.retain(|_, open| !open.is_empty());
        let Some(pending) = self.pending.remove(&producer_id) else { return };
        if !committed {
            return;
        }
        for (group_id, topics) in pending {
            for (topic, partitions) in topics {
                for (partition, offset) in partitions {
                    // A plain commit after this one wins, whichever of the two the cleaner removes.
                    let newer =
                        self.get(&group_id, &topic, partition).is_some_and(|o| o.record_offset > offset.record_offset);
                    if !newer {
                        self.put(None, group_id.clone(), topic.clone(), partition, offset);
                    }
                }
            }
        }
    }

    #[must_use]
    pub fn get(&self, group_id: &str, topic: &str, partition: i32) -> Option<&StoredOffset> {
        self.committed.get(group_id)?.get(topic)?.get(&partition)
    }

    /// Whether a transaction that is still open commits this offset.
    #[must_use]
    pub fn is_pending(&self, group_id: &str, topic: &str, partition: i32) -> bool {
        let pending = |producer_id: &i64| {
            let topics = self.pending.get(producer_id)?.get(group_id)?;
            topics.get(topic)?.get(&partition)
        };
        self.open_transactions.get(group_id).is_some_and(|open| open.iter().any(|id| pending(id).is_some()))
    }

    #[must_use]
    pub fn has_group(&self, group_id: &str) -> bool {
        self.committed.contains_key(group_id) || self.open_transactions.contains_key(group_id)
    }

    #[must_use]
    pub fn has_open_transaction(&self, group_id: &str) -> bool {
        self.open_transactions.contains_key(group_id)
    }

    /// The committed offsets of a group, by topic and partition.
    pub fn of_group(&self, group_id: &str) -> impl Iterator<Item = (&Text, &BTreeMap<i32, StoredOffset>)> {
        self.committed.get(group_id).into_iter().flatten()
    }

    /// Every partition that the group has a committed or pending offset for.
    #[must_use]
    pub fn partitions(&self, group_id: &str) -> BTreeSet<(Text, i32)> {
        let pending = self.pending.values().filter_map(|offsets| offsets.get(group_id));
        let topics = self.committed.get(group_id).into_iter().chain(pending).flatten();
        topics.flat_map(|(topic, partitions)| partitions.keys().map(|p| (topic.clone(), *p))).collect()
    }

    /// The groups that have committed or pending offsets.
    #[must_use]
    pub fn groups(&self) -> BTreeSet<Text> {
        self.committed.keys().chain(self.open_transactions.keys()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(offset: i64, record_offset: i64) -> StoredOffset {
        StoredOffset {
            offset,
            leader_epoch: -1,
            metadata: "".into(),
            commit_timestamp_ms: 0,
            expire_timestamp_ms: None,
            topic_id: ottla_base::ids::Uuid::ZERO,
            record_offset,
        }
    }

    #[test]
    fn a_transactions_offsets_count_when_it_commits() {
        let mut store = OffsetStore::default();
        let put = |store: &mut OffsetStore, producer, value, at| {
            store.put(producer, "g".into(), "t".into(), 0, offset(value, at))
        };
        put(&mut store, None, 1, 0);
        put(&mut store, Some(7), 2, 1);
        assert!(store.is_pending("g", "t", 0) && !store.is_pending("g", "t", 1));
        assert_eq!(store.get("g", "t", 0).map(|o| o.offset), Some(1));
        store.end_transaction(7, true);
        assert_eq!(store.get("g", "t", 0).map(|o| o.offset), Some(2));
        assert!(!store.has_open_transaction("g"));

        put(&mut store, Some(8), 3, 2);
        store.end_transaction(8, false);
        assert_eq!(store.get("g", "t", 0).map(|o| o.offset), Some(2));

        put(&mut store, Some(9), 4, 3);
        put(&mut store, None, 5, 4);
        store.end_transaction(9, true);
        assert_eq!(store.get("g", "t", 0).map(|o| o.offset), Some(5), "the later record counts");
    }

    #[test]
    fn a_tombstone_takes_pending_offsets_too() {
        let mut store = OffsetStore::default();
        store.put(Some(7), "g".into(), "t".into(), 0, offset(2, 1));
        assert_eq!(store.partitions("g").len(), 1);
        store.remove(&"g".into(), &"t".into(), 0);
        store.end_transaction(7, true);
        assert_eq!(store.get("g", "t", 0), None);
        assert!(!store.has_group("g"));
    }
}

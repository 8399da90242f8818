//! The timers of one shard.

use std::collections::{BTreeMap, BTreeSet};

/// Deadlines by key, in milliseconds of the clock that never goes back.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    by_key: BTreeMap<K, u64>,
    by_deadline: BTreeSet<(u64, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_deadline: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Sets the key's only deadline.
    pub fn arm(&mut self, key: K, deadline_ms: u64) {
        if let Some(old) = self.by_key.insert(key.clone(), deadline_ms) {
            self.by_deadline.remove(&(old, key.clone()));
        }
        self.by_deadline.insert((deadline_ms, key));
    }

    pub fn cancel(&mut self, key: &K) {
        if let Some((key, deadline)) = self.by_key.remove_entry(key) {
            self.by_deadline.remove(&(deadline, key));
        }
    }

    /// Takes out the first timer that is due at `now_ms`.
    pub fn pop_due(&mut self, now_ms: u64) -> Option<K> {
        if self.next()? > now_ms {
            return None;
        }
        let (_, key) = self.by_deadline.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    #[must_use]
    pub fn deadline(&self, key: &K) -> Option<u64> {
        self.by_key.get(key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_timers_come_in_order_and_once() {
        let mut timers = Timers::default();
        timers.arm("b", 20);
        timers.arm("a", 10);
        timers.arm("b", 15);
        timers.arm("c", 12);
        timers.cancel(&"c");
        assert_eq!(timers.next(), Some(10));
        assert_eq!(timers.pop_due(9), None);
        assert_eq!(timers.pop_due(30), Some("a"));
        assert_eq!(timers.pop_due(30), Some("b"));
        assert_eq!((timers.pop_due(30), timers.next(), timers.deadline(&"b")), (None, None, None));
    }
}

//! Offsets that groups committed.

use std::collections::BTreeMap;

use super::Check;

/// Group, topic and partition.
pub type Key = (String, &'static str, i32);

#[derive(Debug, Default)]
struct Committed {
    /// The last commit that was sent; commits are numbered from 1 and the number is the offset.
    sent: i64,
    /// The last that must be there; 0 for none.
    floor: i64,
}

/// What groups were told of their commits. One client commits for a key, one commit after the other.
#[derive(Debug, Default)]
pub struct Commits(BTreeMap<Key, Committed>);

impl Commits {
    /// The offset to commit next.
    pub fn next(&mut self, key: &Key) -> i64 {
        let committed = self.0.entry(key.clone()).or_default();
        committed.sent += 1;
        committed.sent
    }

    /// `offset` was acknowledged.
    pub fn acked(&mut self, key: &Key, offset: i64) {
        if let Some(committed) = self.0.get_mut(key) {
            committed.floor = committed.floor.max(offset);
        }
    }

    /// A fetch told `offset` (-1 for none).
    pub fn fetched(&mut self, key: &Key, offset: i64) -> Check {
        let Some(committed) = self.0.get_mut(key) else { return Ok(()) };
        if offset > committed.sent || offset < committed.floor && !(offset == -1 && committed.floor == 0) {
            return Err(format!(
                "{key:?} has committed offset {offset}; {} was acknowledged, {} was the last sent",
                committed.floor, committed.sent
            ));
        }
        committed.floor = committed.floor.max(offset);
        Ok(())
    }

    /// Acknowledged commits may be lost.
    pub fn lost(&mut self) {
        for committed in self.0.values_mut() {
            committed.floor = 0;
        }
    }
}

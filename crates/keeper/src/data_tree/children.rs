//! The tables in which parents have their children: by the hashes of their names, and what must not be seen of that.

use super::NodeId;
use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use hashbrown::HashTable;
use std::fmt;
use std::hash::Hasher;

/// So many numbers and fewer are sorted.
const FEW: usize = 4_096;
/// More are marked in a map of the whole slab, if that has not more than so many places for each of them.
const SPREAD: usize = 1_024;

/// The hash of names. All of its numbers come from the seed: with known ones there are names that collide under any seed.
pub(super) struct NameHash {
    first: u64,
    shared: SharedSeed,
}

impl NameHash {
    pub(super) fn new(seed: u64) -> Self {
        Self { first: seed.rotate_left(32) ^ 0x6f74_746c_6100, shared: SharedSeed::from_u64(seed) }
    }

    pub(super) fn of(&self, name: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.first, &self.shared);
        hasher.write(name);
        hasher.finish()
    }
}

impl fmt::Debug for NameHash {
    /// Keeps the seed for itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameHash")
    }
}

/// The children in the order of the slab of `places` nodes: mostly that of their creation, and that of the memory. Which one
/// follows which in the table would tell clients about the seed.
pub(super) fn in_order(children: &HashTable<NodeId>, places: usize) -> Vec<NodeId> {
    if children.len() <= FEW || places / children.len() > SPREAD {
        let mut ids: Vec<NodeId> = children.iter().copied().collect();
        ids.sort_unstable();
        return ids;
    }
    let mut marks = vec![0_u64; places.div_ceil(64)];
    for &id in children {
        marks[id as usize / 64] |= 1 << (id % 64);
    }
    let mut ids = Vec::with_capacity(children.len());
    for (word, &mark) in marks.iter().enumerate() {
        let mut left = mark;
        while left != 0 {
            ids.push((word * 64) as NodeId + left.trailing_zeros());
            left &= left - 1;
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_in_order_as_few_are() {
        for (count, places) in [(0, 5), (1, 5), (FEW, 10_000), (FEW + 1, 10_000), (FEW + 1, 64), (FEW + 1, 10_000_000)]
        {
            let places = places.max(2 * count + 2);
            let hash = NameHash::new(count as u64);
            let mut table = HashTable::new();
            let ids: Vec<NodeId> = (0..count as NodeId).map(|n| 2 * n + 1).collect();
            for &id in &ids {
                table.insert_unique(hash.of(&id.to_le_bytes()), id, |id| hash.of(&id.to_le_bytes()));
            }
            assert_eq!(in_order(&table, places), ids, "{count} of {places}");
        }
    }

    #[test]
    fn a_seed_is_not_told() {
        assert_eq!(format!("{:?}", NameHash::new(77)), "NameHash");
        assert_ne!(NameHash::new(1).of(b"name"), NameHash::new(2).of(b"name"));
    }
}

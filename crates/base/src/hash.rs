//! Maps with a fixed hasher: iteration order is part of a seed's result, so it must be the same in every run.

use foldhash::fast::FixedState;

/// A hash map whose iteration order depends on its history alone.
pub type FixedMap<K, V> = hashbrown::HashMap<K, V, FixedState>;
/// A hash set whose iteration order depends on its history alone.
pub type FixedSet<K> = hashbrown::HashSet<K, FixedState>;

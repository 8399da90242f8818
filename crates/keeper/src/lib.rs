//! The coordination service: jute, the tree, watches, sessions, its log and snapshots, and Zab.

//! The keeper against what real ZooKeeper servers said and wrote, and against crashes.

mod bad_input;
mod conversation;
mod crash;
mod data_directory;
mod support;

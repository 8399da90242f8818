//! What is in the log, and its bytes.

use crate::coordinator::group::records::GroupRecord;
use crate::coordinator::log::KeyValue;
use crate::coordinator::shard::CoordinatorRecord;

/// A record in one line.
pub fn show((key, value): &KeyValue) -> String {
    match GroupRecord::decode(key, value.as_deref()).expect("our own record") {
        Some(GroupRecord::Group { group_id, stored: Some(group) }) => {
            format!("{group_id} generation {} members {}", group.generation, group.members.len())
        }
        Some(GroupRecord::Group { group_id, stored: None }) => format!("{group_id} gone"),
        Some(GroupRecord::Offset { group_id, topic, partition, stored: Some(offset) }) => {
            format!("{group_id} {topic}:{partition}={}", offset.offset)
        }
        Some(GroupRecord::Offset { group_id, topic, partition, stored: None }) => {
            format!("{group_id} {topic}:{partition} gone")
        }
        None => "unknown".to_owned(),
    }
}

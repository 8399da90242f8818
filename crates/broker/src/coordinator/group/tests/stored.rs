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

/// Records of a real 3.9.2 in ZooKeeper mode, and one that 4.3.1 writes: a group, an empty one, offsets, one that expires.
const WRITTEN_BY_KAFKA: [(&[u8], &[u8], &str); 5] = [
    (
        b"\0\x02\0\x02sg",
        b"\0\x03\0\x08consumer\0\0\0\x01\0\x05range\0\x29inst-1ba89dc2-ae49-4aa3-ae9a-043c1bedfc31\0\0\x01\xa2\x02\x93\xa0;\
          \0\0\0\x01\0\x29inst-1ba89dc2-ae49-4aa3-ae9a-043c1bedfc31\0\x04inst\0\x05probe\0\x0a/127.0.0.1\0\0\x27\x10\
          \0\0\x27\x10\0\0\0\x0d\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x02as",
        "sg generation 1 members 1",
    ),
    (
        b"\0\x02\0\x02sg",
        b"\0\x03\0\x08consumer\0\0\0\x02\xff\xff\xff\xff\0\0\x01\xa2\x02\x93\xa0N\0\0\0\0",
        "sg generation 2 members 0",
    ),
    (
        b"\0\x01\0\x06simple\0\x01t\0\0\0\0",
        b"\0\x03\0\0\0\0\0\0\0\x02\xff\xff\xff\xff\0\x05hello\0\0\x01\xa2\x02\x95>O",
        "simple t:0=2",
    ),
    (
        b"\0\x01\0\x06simple\0\x01t\0\0\0\0",
        b"\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\x01\xa2\x02\x95?%\0\0\x01\xa2\x02\x96\xc5\xc5",
        "simple t:0=1",
    ),
    (
        b"\0\x01\0\x06simple\0\x01t\0\0\0\x01",
        b"\0\x04\xff\xff\xff\xff\xff\xff\xff\xfb\xff\xff\xff\xff\x01\0\0\x01\xa2\x02\x93\x9fi\x01\0\x10\xd9\x8c\xfd\
          \x79vBH\xce\xa0n\x95BT\x98q\x7f",
        "simple t:1=-5",
    ),
];

#[test]
fn records_are_kafkas_own() {
    for (key, value, shown) in WRITTEN_BY_KAFKA {
        let record = GroupRecord::decode(key, Some(value)).expect("Kafka's record").expect("a kind we know");
        assert_eq!(show(&(key.to_vec(), Some(value.to_vec()))), shown);
        assert_eq!(record.key(), key);
        if value[1] == 4 {
            continue; // newer than what we write
        }
        assert_eq!(record.value().as_deref(), Some(value), "{shown}");
    }
}

#[test]
fn old_versions_are_read() {
    // Group versions 0 and 1 without state timestamp, 0 without rebalance timeout and instance id.
    let group = b"\0\0\0\x08consumer\0\0\0\x07\0\x05range\0\x01m\0\0\0\x01\0\x01m\0\x01c\0\x02/h\0\0\x27\x10\0\0\0\x01s\0\0\0\x01a";
    let Ok(Some(GroupRecord::Group { stored: Some(stored), group_id })) =
        GroupRecord::decode(b"\0\x02\0\x01g", Some(group))
    else {
        panic!("version 0 of a group");
    };
    let group = stored.into_group(group_id);
    assert_eq!((group.generation, group.state_since_ms, group.subscribed_topics.is_none()), (7, None, true));
    assert_eq!(group.member("m").map(|m| (m.rebalance_timeout_ms, m.session_timeout_ms)), Some((10_000, 10_000)));
    // Offsets of version 0 and 2, under keys of version 0.
    for (value, offset) in [
        (&b"\0\0\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\x05"[..], 9),
        (b"\0\x02\0\0\0\0\0\0\0\x08\0\x01x\0\0\0\0\0\0\0\x05", 8),
    ] {
        let record = GroupRecord::decode(b"\0\0\0\x01g\0\x01t\0\0\0\x03", Some(value));
        let Ok(Some(GroupRecord::Offset { stored: Some(stored), partition: 3, .. })) = record else {
            panic!("{record:?}");
        };
        assert_eq!((stored.offset, stored.leader_epoch, stored.commit_timestamp_ms), (offset, -1, 5));
    }
}

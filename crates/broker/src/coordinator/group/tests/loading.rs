//! What a shard knows after loading.

use ottla_protocol::ErrorCode;

use super::bench::{Bench, check, check_with};
use crate::coordinator::group::config::GroupConfig;
use crate::coordinator::group::messages::*;
use crate::coordinator::log::KeyValue;

#[test]
fn groups_and_offsets_are_there_after_loading() {
    check(
        "
        > join a instance=i1 protocols=range,sticky
        > join b
        > wait 2
        b: join b.1 generation 1 range leader i1.1
        a: join i1.1 generation 1 range leader i1.1 of b.1,i1.1
        > sync i1 gen=1 instance=i1 assign=i1:x,b:y
        sync 'x'
        > commit b gen=1 t:0=5
        commit t:0 None
        > commit - group=simple u:7=9
        commit u:7 None
        > reload
        > list
        g Stable classic
        simple Empty classic
        > describe
        Stable consumer range, b.1 'y', i1.1 'x'
        > fetch
        fetch t:0=5
        > fetch group=simple
        fetch u:7=9
        > heartbeat b gen=1
        heartbeat None
        > sync i1 gen=1 instance=i1
        sync 'x'
        > forget t:0
        forget t:0 GroupSubscribedToTopic
        > wait 9999
        > heartbeat b gen=1
        heartbeat None
        > wait 1
        > describe
        PreparingRebalance consumer, b.1 'y'
        ",
    );
}

/// Sessions start anew with loading, so that a moved coordinator is no reason to rebalance.
#[test]
fn sessions_start_with_loading() {
    check(
        "
        > join a session=6000
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > wait 5999
        > reload
        > wait 5999
        > describe
        Stable consumer range, a.1 'x'
        > wait 1
        > describe
        Empty consumer
        ",
    );
}

#[test]
fn a_group_over_its_capacity_rebalances_after_loading() {
    let script = "
        > join a
        > join b
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1,b.1
        b: join b.1 generation 1 range leader a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > reload
        > describe
        ";
    check(&format!("{script}Stable consumer range, a.1 'x', b.1 ''"));
    let small = Bench::new(GroupConfig { group_max_size: 1, ..GroupConfig::default() }, 1);
    let mut large = Bench::new(GroupConfig { group_initial_rebalance_delay_ms: 1, ..GroupConfig::default() }, 1);
    for client in ["a", "b"] {
        large.request(client, GroupRequest::Join(super::random::join(client, "g", "".into(), None)));
    }
    large.wait(2);
    let replies = std::mem::take(&mut *large.late.lock());
    let Some((_, GroupReply::Join(leader))) = replies.first() else { panic!("{replies:?}") };
    large.request("a", GroupRequest::Sync(super::random::sync("g", &leader.member_id, 1)));
    small.log.0.lock().records = large.log.0.lock().records.clone();
    small.runtime.resign(small.now, 0, None);
    small.load();
    let state = small.runtime.read(0, |shard| shard.describe_group(&"g".into()).state);
    assert_eq!(state, Ok("PreparingRebalance"));
}

#[test]
fn requests_are_refused_until_everything_is_loaded() {
    let mut bench = Bench::new(GroupConfig::default(), 1);
    let commit = |n: i32| {
        GroupRequest::OffsetCommit(OffsetCommitRequest {
            group_id: "g".into(),
            member_id: "".into(),
            instance_id: None,
            generation: -1,
            retention_ms: None,
            knows_group_id_not_found: false,
            topics: vec![CommitTopic {
                name: "t".into(),
                topic_id: ottla_base::ids::Uuid::ZERO,
                partitions: vec![CommitPartition {
                    partition: n,
                    offset: n.into(),
                    leader_epoch: -1,
                    metadata: None,
                    error: ErrorCode::None,
                }],
            }],
        })
    };
    for n in 0..100 {
        bench.request("c", commit(n));
    }
    bench.runtime.resign(bench.now, 0, Some(0));
    assert_eq!(bench.runtime.partitions(), [0], "an older epoch's resignation is late news");
    bench.runtime.resign(bench.now, 0, Some(1));
    let error = |reply: Option<GroupReply>| match reply {
        Some(GroupReply::OffsetCommit(topics)) => topics[0].partitions[0].1,
        other => panic!("{other:?}"),
    };
    assert_eq!(error(bench.request("c", commit(0))), ErrorCode::NotCoordinator);
    bench.runtime.elect(bench.now, 0, 2);
    let mut chunks = 0;
    while {
        assert_eq!(error(bench.request("c", commit(0))), ErrorCode::CoordinatorLoadInProgress);
        bench.runtime.run_loads(bench.now)
    } {
        chunks += 1;
    }
    assert!(chunks > 5, "{chunks}: loading goes in pieces");
    assert_eq!(error(bench.request("c", commit(0))), ErrorCode::None);
    let mut count = 0;
    let _ =
        bench.runtime.read(0, |shard| shard.committed_offsets(&mut |_, _, p, o| count += i32::from(i64::from(p) == o)));
    assert_eq!(count, 100);
}

fn load_of(records: Vec<KeyValue>) -> Result<(), ErrorCode> {
    let bench = Bench::new(GroupConfig::default(), 1);
    bench.runtime.resign(bench.now, 0, None);
    bench.log.0.lock().records = records;
    bench.load();
    bench.runtime.read(0, |_| ())
}

#[test]
fn garbage_in_the_log_is_refused_and_unknown_kinds_are_passed_over() {
    let unknown_kinds = (3..20i16).map(|kind| (kind.to_be_bytes().to_vec(), Some(vec![0, 0, 1, 2, 3])));
    assert_eq!(load_of(unknown_kinds.collect()), Ok(()));
    let good_key = b"\0\x02\0\x01g".to_vec();
    assert_eq!(load_of(vec![(good_key.clone(), None)]), Ok(()));
    for (key, value) in [
        (vec![], None),
        (vec![0], None),
        (b"\0\x02\0\x05g".to_vec(), None),
        (b"\0\x01\0\x01g".to_vec(), None),
        (b"\0\x02\xff\xff".to_vec(), None),
        (good_key.clone(), Some(vec![])),
        (good_key.clone(), Some(b"\0\x09\0\0\0\0".to_vec())),
        (good_key.clone(), Some(b"\xff\xff\0\0\0\0".to_vec())),
        (good_key, Some(b"\0\x03\0\0\0\0\0\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\0\x7f\xff\xff\xff".to_vec())),
    ] {
        assert_eq!(load_of(vec![(key.clone(), value.clone())]), Err(ErrorCode::NotCoordinator), "{key:?} {value:?}");
    }
}

#[test]
fn what_was_committed_in_time_is_read_by_the_next_coordinator() {
    check_with(
        GroupConfig { group_initial_rebalance_delay_ms: 1, ..GroupConfig::default() },
        "
        > hold
        > commit - t:0=1
        > reload
        commit: commit t:0 NotCoordinator
        > fetch t:0
        > replicate
        fetch: fetch t:0=1
        ",
    );
}

//! Membership and offsets, case by case.

use super::bench::{check, check_with};
use crate::coordinator::group::config::GroupConfig;

#[test]
fn one_member_joins_commits_and_leaves() {
    check(
        "
        > join a
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > heartbeat a gen=1
        heartbeat None
        > sync a gen=1 assign=a:x
        sync 'x'
        > commit a gen=1 t:0=5 t:1=7
        commit t:0 None, t:1 None
        > fetch t:0 t:1 t:2
        fetch t:0=5 t:1=7 t:2=-1
        > fetch
        fetch t:0=5 t:1=7
        > leave a
        leave None
        > describe
        Empty consumer
        > fetch t:0
        fetch t:0=5
        > records
        g generation 1 members 1
        g t:0=5
        g t:1=7
        g generation 2 members 0
        ",
    );
}

/// KIP-394: the first answer is an id, and who doesn't come back with it is forgotten with the session.
#[test]
fn members_of_version_4_come_twice() {
    check(
        "
        > join a v4
        join MemberIdRequired a.1
        > describe
        Empty
        > join a v4
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > join b v4
        join MemberIdRequired b.1
        > heartbeat a gen=1
        heartbeat None
        > wait 10000
        > describe
        Empty consumer
        ",
    );
}

/// 3 s, and 3 s more as long as somebody came.
#[test]
fn the_initial_rebalance_waits_for_more_members() {
    check_with(
        GroupConfig::default(),
        "
        > join a
        > wait 2000
        > join b
        > wait 999
        > wait 1
        > join c
        > wait 2999
        > wait 1
        > wait 3000
        a: join a.1 generation 1 range leader a.1 of a.1,b.1,c.1
        b: join b.1 generation 1 range leader a.1
        c: join c.1 generation 1 range leader a.1
        ",
    );
}

#[test]
fn the_initial_rebalance_ends_with_the_rebalance_timeout() {
    check_with(
        GroupConfig::default(),
        "
        > join a rebalance=5000
        > wait 2900
        > join b rebalance=5000
        > wait 3000
        a: join a.1 generation 1 range leader a.1 of a.1,b.1
        b: join b.1 generation 1 range leader a.1
        > join c rebalance=5000
        > wait 100
        ",
    );
}

/// A follower that asks again is told the same; a leader that does wants a rebalance.
#[test]
fn all_members_rejoin_when_one_comes() {
    check(
        "
        > join a
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > join b
        > heartbeat a gen=1
        heartbeat RebalanceInProgress
        > sync a gen=1
        sync RebalanceInProgress
        > commit a gen=1 t:0=1
        commit t:0 None
        > join a
        join a.1 generation 2 range leader a.1 of a.1,b.1
        b: join b.1 generation 2 range leader a.1
        > sync b gen=2
        > describe
        CompletingRebalance consumer, a.1 'x', b.1 ''
        > heartbeat b gen=2
        heartbeat None
        > commit b gen=2 t:0=2
        commit t:0 RebalanceInProgress
        > sync a gen=2 assign=a:x,b:y
        sync 'x'
        b: sync 'y'
        > describe
        Stable consumer range, a.1 'x', b.1 'y'
        > join b
        join b.1 generation 2 range leader a.1
        > join a
        > heartbeat b gen=2
        heartbeat RebalanceInProgress
        ",
    );
}

#[test]
fn who_does_not_rejoin_in_time_is_out() {
    check(
        "
        > join a rebalance=5000 session=30000
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > join b rebalance=5000
        > wait 5000
        b: join b.1 generation 2 range leader b.1 of b.1
        > join a
        join UnknownMemberId a.1
        > join a id=-
        ",
    );
}

#[test]
fn sessions_end_without_heartbeats() {
    check(
        "
        > join a session=10000
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > wait 9000
        > heartbeat a gen=1
        heartbeat None
        > wait 9000
        > commit a gen=1 t:0=1
        commit t:0 None
        > wait 9999
        > describe
        Stable consumer range, a.1 'x'
        > wait 1
        > describe
        Empty consumer
        > heartbeat a gen=1
        heartbeat UnknownMemberId
        ",
    );
}

#[test]
fn a_session_does_not_end_while_we_make_the_member_wait() {
    check(
        "
        > join a session=6000 rebalance=100000
        > join b session=6000 rebalance=100000
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1,b.1
        b: join b.1 generation 1 range leader a.1
        > sync b gen=1
        > wait 5000
        > heartbeat a gen=1
        heartbeat None
        > wait 5000
        > sync a gen=1 assign=a:x,b:y
        sync 'x'
        b: sync 'y'
        > wait 5999
        > describe
        Stable consumer range, a.1 'x', b.1 'y'
        > wait 1
        > describe
        Empty consumer
        ",
    );
}

/// The client may be gone: 5 minutes are enough.
#[test]
fn a_new_member_that_waits_too_long_is_forgotten() {
    check(
        "
        > join a session=1000000 rebalance=1000000
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > join b rebalance=1000000
        > wait 300000
        b: join UnknownMemberId -
        > describe
        PreparingRebalance consumer, a.1 'x'
        ",
    );
}

#[test]
fn members_that_do_not_sync_are_out() {
    check(
        "
        > join a rebalance=5000 session=100000
        > join b rebalance=5000 session=100000
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1,b.1
        b: join b.1 generation 1 range leader a.1
        > sync a gen=1 assign=a:x,b:y
        sync 'x'
        > wait 5000
        > describe
        PreparingRebalance consumer, a.1 'x'
        > join a
        join a.1 generation 2 range leader a.1 of a.1
        ",
    );
}

#[test]
fn a_leader_that_fails_before_its_sync() {
    check(
        "
        > join a session=6000
        > join b session=60000
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1,b.1
        b: join b.1 generation 1 range leader a.1
        > sync b gen=1
        > wait 6000
        b: sync RebalanceInProgress
        > join b
        join b.1 generation 2 range leader b.1 of b.1
        > sync b gen=2 assign=b:all
        sync 'all'
        ",
    );
}

#[test]
fn protocols_are_voted_for() {
    check(
        "
        > join a protocols=range,roundrobin
        > join b protocols=roundrobin,range
        > join c protocols=roundrobin,sticky
        > wait 2
        a: join a.1 generation 1 roundrobin leader a.1 of a.1,b.1,c.1
        b: join b.1 generation 1 roundrobin leader a.1
        c: join c.1 generation 1 roundrobin leader a.1
        > join d protocols=sticky
        join InconsistentGroupProtocol -
        > join d type=connect protocols=roundrobin
        join InconsistentGroupProtocol -
        > join d protocols=
        join InconsistentGroupProtocol -
        > join e group=h type= protocols=range
        join InconsistentGroupProtocol -
        > join e group=h protocols=
        join InconsistentGroupProtocol -
        > list
        g CompletingRebalance classic
        ",
    );
}

#[test]
fn changed_protocols_rebalance() {
    check(
        "
        > join a protocols=range,roundrobin
        > join b protocols=range,roundrobin
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1,b.1
        b: join b.1 generation 1 range leader a.1
        > join b protocols=range,roundrobin
        join b.1 generation 1 range leader a.1
        > join b protocols=roundrobin
        > heartbeat a gen=1
        heartbeat RebalanceInProgress
        > join a protocols=range
        join InconsistentGroupProtocol a.1
        > join a protocols=roundrobin
        join a.1 generation 2 roundrobin leader a.1 of a.1,b.1
        b: join b.1 generation 2 roundrobin leader a.1
        > sync a gen=2 protocol=range
        sync InconsistentGroupProtocol
        > sync a gen=2 type=connect
        sync InconsistentGroupProtocol
        > sync a gen=2 type=consumer protocol=roundrobin assign=a:x,b:y
        sync 'x'
        ",
    );
}

#[test]
fn errors_of_wrong_ids_and_generations() {
    check(
        "
        > join a id=nobody
        join UnknownMemberId nobody
        > sync a gen=1
        sync UnknownMemberId
        > heartbeat a gen=1
        heartbeat UnknownMemberId
        > leave a
        leave UnknownMemberId
        > commit a gen=1 t:0=1
        commit t:0 IllegalGeneration
        > commit a gen=1 v9 t:0=1
        commit t:0 GroupIdNotFound
        > join a
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=0
        sync IllegalGeneration
        > sync a gen=1 assign=a:x
        sync 'x'
        > heartbeat a gen=2
        heartbeat IllegalGeneration
        > heartbeat nobody gen=1
        heartbeat UnknownMemberId
        > sync nobody gen=1
        sync UnknownMemberId
        > join nobody id=nobody
        join UnknownMemberId nobody
        > commit a gen=2 t:0=1
        commit t:0 IllegalGeneration
        > commit nobody gen=1 t:0=1
        commit t:0 UnknownMemberId
        > commit - t:0=1
        commit t:0 UnknownMemberId
        > commit a t:0=1
        commit t:0 IllegalGeneration
        > leave nobody a
        leave UnknownMemberId None
        > join a
        join UnknownMemberId a.1
        > sync a gen=1
        sync UnknownMemberId
        > join a group=
        join InvalidGroupId a.1
        > sync a group= gen=1
        sync InvalidGroupId
        > leave a group=
        leave InvalidGroupId
        > join b session=5999
        join InvalidSessionTimeout -
        > join b session=1800001
        join InvalidSessionTimeout -
        ",
    );
}

#[test]
fn simple_consumers_commit_without_joining() {
    check(
        "
        > commit - t:0=1/hello
        commit t:0 None
        > commit - t:0=2
        commit t:0 None
        > list
        g Empty classic
        > describe
        Empty
        > fetch t:0
        fetch t:0=2
        > join a
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > commit - t:0=3
        commit t:0 UnknownMemberId
        > leave a
        leave None
        > commit - t:0=4
        commit t:0 None
        > fetch
        fetch t:0=4
        ",
    );
}

/// In UTF-16 units, as Kafka counts.
#[test]
fn metadata_of_commits_has_a_bound() {
    check_with(
        GroupConfig { offset_metadata_max_bytes: 5, ..GroupConfig::default() },
        "
        > commit - t:0=1/12345 t:1=1/123456 t:2=1/äöüß
        commit t:0 None, t:1 OffsetMetadataTooLarge, t:2 None
        > fetch
        fetch t:0=1 t:2=1
        ",
    );
}

/// KIP-345; a leader of version 9 is told to skip the assignment (KIP-814), an older one who led before it.
#[test]
fn a_static_member_returns_without_a_rebalance() {
    check(
        "
        > join a instance=i1 v9
        > join b instance=i2 v9
        > wait 2
        a: join i1.1 generation 1 range leader i1.1 of i1.1,i2.1
        b: join i2.1 generation 1 range leader i1.1
        > sync i1 gen=1 instance=i1 assign=i1:x,i2:y
        sync 'x'
        > sync i2 gen=1 instance=i2
        sync 'y'
        > join b instance=i2 id=- v9
        join i2.2 generation 1 range leader i1.1
        > heartbeat i2.1 gen=1 instance=i2
        heartbeat FencedInstanceId
        > heartbeat i2.2 gen=1 instance=i2
        heartbeat None
        > sync i2.2 gen=1 instance=i2
        sync 'y'
        > join a instance=i1 id=- v9
        join i1.2 generation 1 range leader i1.2 of i1.2,i2.2 skip
        > sync i1.2 gen=1 instance=i1
        sync 'x'
        > join a instance=i1 id=-
        join i1.3 generation 1 range leader i1.2
        > commit i1.1 gen=1 instance=i1 t:0=1
        commit t:0 FencedInstanceId
        > commit i1.3 gen=1 instance=i1 t:0=1
        commit t:0 None
        > describe
        Stable consumer range, i1.3 'x', i2.2 'y'
        > records
        g generation 1 members 2
        g generation 1 members 2
        g generation 1 members 2
        g generation 1 members 2
        g t:0=1
        ",
    );
}

#[test]
fn a_static_member_that_changes_the_protocol_rebalances() {
    check(
        "
        > join a instance=i1 protocols=range,sticky
        > wait 2
        a: join i1.1 generation 1 range leader i1.1 of i1.1
        > sync i1 gen=1 instance=i1 assign=i1:x
        sync 'x'
        > join a instance=i1 id=- protocols=sticky,range
        join i1.2 generation 2 sticky leader i1.2 of i1.2
        ",
    );
}

/// Whoever waits under the old member id is fenced.
#[test]
fn a_static_member_returns_while_the_group_rebalances() {
    check(
        "
        > join a instance=i1
        > join b instance=i2
        > join c instance=i1 id=-
        a: join FencedInstanceId i1.1
        > wait 2
        c: join i1.2 generation 1 range leader i1.2 of i1.2,i2.1
        b: join i2.1 generation 1 range leader i1.2
        > sync i2 gen=1 instance=i2
        > join d instance=i2 id=-
        i2: sync FencedInstanceId
        > heartbeat i1 gen=1 instance=i1
        heartbeat RebalanceInProgress
        > join i1 id=i1 instance=i1
        join i1.2 generation 2 range leader i1.2 of i1.2,i2.2
        d: join i2.2 generation 2 range leader i1.2
        > sync i1 gen=2 instance=i1 assign=i1:x,i2:y
        sync 'x'
        ",
    );
}

/// They keep their place when they don't rejoin in time.
#[test]
fn static_members_stay_until_their_session_ends() {
    check(
        "
        > join a instance=i1 session=6000 rebalance=3000
        > wait 2
        a: join i1.1 generation 1 range leader i1.1 of i1.1
        > sync i1 gen=1 instance=i1 assign=i1:x
        sync 'x'
        > join b rebalance=3000
        > wait 3000
        b: join b.1 generation 2 range leader b.1 of b.1,i1.1
        > sync b gen=2 assign=b:y
        sync 'y'
        > wait 3000
        > describe
        PreparingRebalance consumer, b.1 'y'
        ",
    );
}

#[test]
fn administrators_remove_static_members() {
    check(
        "
        > join a instance=i1
        > join b instance=i2
        > wait 2
        a: join i1.1 generation 1 range leader i1.1 of i1.1,i2.1
        b: join i2.1 generation 1 range leader i1.1
        > leave instance=i1
        leave None
        > leave instance=i1
        leave UnknownMemberId
        > leave i1 instance=i2
        leave FencedInstanceId
        > leave i2 instance=i2
        leave None
        > describe
        Empty consumer
        ",
    );
}

#[test]
fn several_leave_at_once() {
    check(
        "
        > join a
        > join b
        > join c
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1,b.1,c.1
        b: join b.1 generation 1 range leader a.1
        c: join c.1 generation 1 range leader a.1
        > sync b gen=1
        > sync a gen=1 assign=a:x,b:y,c:z
        sync 'x'
        b: sync 'y'
        > leave a nobody c
        leave None UnknownMemberId None
        > join b
        join b.1 generation 2 range leader b.1 of b.1
        ",
    );
}

#[test]
fn groups_have_a_maximal_size() {
    check_with(
        GroupConfig { group_initial_rebalance_delay_ms: 1, group_max_size: 2, ..GroupConfig::default() },
        "
        > join a
        > join b
        > join c
        join GroupMaxSizeReached -
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1,b.1
        b: join b.1 generation 1 range leader a.1
        > join c
        join GroupMaxSizeReached -
        > sync a gen=1 assign=a:x,b:y
        sync 'x'
        > join c
        join GroupMaxSizeReached -
        > leave b
        leave None
        > join c
        > join a
        join a.1 generation 2 range leader a.1 of a.1,c.1
        c: join c.1 generation 2 range leader a.1
        ",
    );
}

#[test]
fn offsets_of_subscribed_topics_stay() {
    check(
        "
        > commit - u:0=1 t:0=2
        commit u:0 None, t:0 None
        > join a topics=t
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > commit a gen=1 t:1=3
        commit t:1 None
        > forget t:0 u:0 u:9
        forget t:0 GroupSubscribedToTopic, u:0 None, u:9 None
        > forget u:0
        forget u:0 None
        > fetch
        fetch t:0=2 t:1=3
        > leave a
        leave None
        > forget t:0
        forget t:0 None
        > fetch
        fetch t:1=3
        > forget t:0 group=other
        forget GroupIdNotFound
        > forget t:0 group=
        forget InvalidGroupId
        > records
        g u:0=1
        g t:0=2
        g generation 1 members 1
        g t:1=3
        g u:0 gone
        g generation 2 members 0
        g t:0 gone
        ",
    );
}

#[test]
fn offsets_of_other_protocols_stay_while_there_are_members() {
    check(
        "
        > join a type=connect
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > commit a gen=1 t:0=1
        commit t:0 None
        > forget t:0
        forget NonEmptyGroup
        > leave a
        leave None
        > forget t:0
        forget t:0 None
        > fetch
        fetch
        ",
    );
}

#[test]
fn groups_are_deleted_when_empty() {
    check(
        "
        > commit - t:0=1 t:1=2
        commit t:0 None, t:1 None
        > delete g h
        delete g None, h GroupIdNotFound
        > list
        > fetch t:0
        fetch t:0=-1
        > join a
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > delete g
        delete g NonEmptyGroup
        > leave a
        leave None
        > delete g
        delete g None
        > records
        g t:0=1
        g t:1=2
        g t:0 gone
        g t:1 gone
        g gone
        g generation 1 members 1
        g generation 2 members 0
        g gone
        ",
    );
}

#[test]
fn groups_are_listed_by_state_and_type() {
    check(
        "
        > commit - group=simple t:0=1
        commit t:0 None
        > join a
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > list
        g Stable classic
        simple Empty classic
        > list state:stable
        g Stable classic
        > list state:Empty type:Classic
        simple Empty classic
        > list type:consumer
        > list state:Nonsense
        > describe nobody
        Dead
        ",
    );
}

/// Of a live group only topics that nobody subscribes to; simple groups by the age of the commit.
#[test]
fn offsets_expire_after_the_last_member_left() {
    check_with(
        GroupConfig {
            offsets_retention_minutes: 0,
            offsets_retention_check_interval_ms: 10_000,
            group_initial_rebalance_delay_ms: 1,
            ..GroupConfig::default()
        },
        "
        > join a topics=t
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > sync a gen=1 assign=a:x
        sync 'x'
        > commit a gen=1 t:0=1 u:0=2
        commit t:0 None, u:0 None
        > commit - group=simple t:0=3
        commit t:0 None
        > wait 5000
        > heartbeat a gen=1
        heartbeat None
        > wait 5000
        > heartbeat a gen=1
        heartbeat None
        > fetch
        fetch t:0=1
        > fetch group=simple
        fetch
        > leave a
        leave None
        > wait 9000
        > fetch
        fetch t:0=1
        > wait 2000
        > fetch
        fetch
        > list
        > records
        g generation 1 members 1
        g t:0=1
        g u:0=2
        simple t:0=3
        g u:0 gone
        simple t:0 gone
        simple gone
        g generation 2 members 0
        g t:0 gone
        g gone
        ",
    );
}

#[test]
fn clients_may_say_how_long_offsets_are_kept() {
    check_with(
        GroupConfig { offsets_retention_check_interval_ms: 1_000, ..GroupConfig::default() },
        "
        > commit - retention=5000 t:0=1
        commit t:0 None
        > commit - t:1=1
        commit t:1 None
        > wait 4000
        > fetch
        fetch t:0=1 t:1=1
        > wait 1000
        > fetch
        fetch t:1=1
        ",
    );
}

#[test]
fn offsets_of_deleted_topics_go() {
    check(
        "
        > commit - t:0=1 u:0=2
        commit t:0 None, u:0 None
        > commit - group=h t:3=1
        commit t:3 None
        > topic-gone t
        topics deleted None
        > fetch
        fetch u:0=2
        > fetch group=h
        fetch
        > records
        g t:0=1
        g u:0=2
        h t:3=1
        g t:0 gone
        h t:3 gone
        ",
    );
}

#[test]
fn answers_wait_for_the_high_watermark() {
    check(
        "
        > join a
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > hold
        > sync a gen=1 assign=a:x
        > describe
        CompletingRebalance consumer, a.1 ''
        > replicate
        a: sync 'x'
        > hold
        > commit a gen=1 t:0=5
        > fetch t:0
        > replicate
        commit: commit t:0 None
        fetch: fetch t:0=5
        ",
    );
}

#[test]
fn what_is_not_replicated_in_time_fails() {
    check(
        "
        > join a session=60000
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > hold
        > sync a gen=1 assign=a:x
        > wait 5000
        a: sync CoordinatorNotAvailable
        > describe
        PreparingRebalance consumer, a.1 ''
        > commit a gen=1 t:0=2
        > fetch t:0
        > wait 5000
        commit: commit t:0 CoordinatorNotAvailable
        fetch: fetch NotCoordinator
        ",
    );
}

#[test]
fn what_cannot_be_appended_changes_nothing() {
    check(
        "
        > join a
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1
        > fail NotLeaderOrFollower
        > sync a gen=1 assign=a:x
        sync NotCoordinator
        > join a
        join a.1 generation 2 range leader a.1 of a.1
        > sync a gen=2 assign=a:x
        sync NotCoordinator
        > fail None
        > join a
        join a.1 generation 3 range leader a.1 of a.1
        > sync a gen=3 assign=a:x
        sync 'x'
        > fail NotEnoughReplicas
        > commit a gen=3 t:0=1
        commit t:0 CoordinatorNotAvailable
        > fail MessageTooLarge
        > commit a gen=3 t:0=1
        commit t:0 UnknownServerError
        > delete g
        delete g NonEmptyGroup
        > fail None
        > fetch t:0
        fetch t:0=-1
        > leave a
        leave None
        > fail KafkaStorageError
        > delete g
        delete g NotCoordinator
        > fail None
        > describe
        Empty consumer
        ",
    );
}

#[test]
fn a_static_member_whose_id_cannot_be_stored_is_put_back() {
    check(
        "
        > join a instance=i1
        > wait 2
        a: join i1.1 generation 1 range leader i1.1 of i1.1
        > sync i1 gen=1 instance=i1 assign=i1:x
        sync 'x'
        > fail NotEnoughReplicas
        > join b instance=i1 id=-
        join CoordinatorNotAvailable -
        > fail None
        > heartbeat i1.1 gen=1 instance=i1
        heartbeat None
        > describe
        Stable consumer range, i1.1 'x'
        ",
    );
}

#[test]
fn who_waits_is_told_when_the_coordinator_moves() {
    check(
        "
        > join a
        > join b
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1,b.1
        b: join b.1 generation 1 range leader a.1
        > sync b gen=1
        > join c
        b: sync RebalanceInProgress
        > hold
        > commit - group=h t:0=1
        > resign
        commit: commit t:0 NotCoordinator
        c: join NotCoordinator c.1
        > heartbeat a gen=1
        heartbeat NotCoordinator
        ",
    );
}

#[test]
fn a_retried_request_frees_the_one_before() {
    check(
        "
        > join a
        > join b
        > wait 2
        a: join a.1 generation 1 range leader a.1 of a.1,b.1
        b: join b.1 generation 1 range leader a.1
        > sync b gen=1
        > sync b gen=1
        b: sync RebalanceInProgress
        > sync a gen=1 assign=a:x,b:y
        sync 'x'
        b: sync 'y'
        > join a
        > join a
        a: join RebalanceInProgress a.1
        > join b
        join b.1 generation 2 range leader a.1
        a: join a.1 generation 2 range leader a.1 of a.1,b.1
        ",
    );
}

//! Registration, election, restart, expiry, other tools' znodes.

use ottla_base::ids::TopicPartition;

use super::cluster::Cluster;
use crate::control::ControlInput;
use crate::control_plane::StoredIdentity;
use crate::znodes;

pub fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition::new(topic, index)
}

/// A topic as another tool would make it.
pub fn write_topic(cluster: &mut Cluster, topic: &str, partitions: &str) {
    let data =
        format!("{{\"version\":2,\"partitions\":{partitions},\"adding_replicas\":{{}},\"removing_replicas\":{{}}}}");
    cluster.keeper.write(&znodes::topic(topic), &data);
    cluster.settle();
}

#[test]
fn one_broker_becomes_the_controller_of_a_new_cluster() {
    let cluster = Cluster::of_one(1);
    let told = &cluster.brokers[&1].told;
    assert_eq!((told.ready, told.fatal.clone()), (1, None));
    let (cluster_id, broker_id) = told.identity.clone().expect("an identity");
    assert_eq!((cluster_id.len(), broker_id), (22, 1));
    assert_eq!(cluster.keeper.text(znodes::CLUSTER_ID), format!("{{\"version\":\"1\",\"id\":\"{cluster_id}\"}}"));
    assert_eq!(cluster.keeper.text(znodes::CONTROLLER_EPOCH), "1");
    assert_eq!(cluster.controller(), 1);
    assert_eq!(told.broker_epoch, cluster.keeper.nodes["/brokers/ids/1"].stat.czxid);
    assert_eq!(told.live_brokers, [1]);
    assert_eq!(cluster.keeper.text(znodes::FEATURE), "{\"features\":{},\"version\":2,\"status\":1}");
}

#[test]
fn ids_are_generated_above_the_reserved_ones() {
    let mut cluster = Cluster::new(2);
    cluster.start_as(1, "", StoredIdentity::default());
    cluster.settle();
    assert_eq!(cluster.brokers[&1].told.identity.as_ref().expect("an identity").1, 1001);
    let (cluster_id, broker_id) = cluster.brokers[&1].told.identity.clone().expect("an identity");
    let session = cluster.kill(1);
    cluster.expire(session);
    let stored = StoredIdentity { cluster_id: Some(cluster_id), broker_id: Some(broker_id) };
    cluster.start_as(1, "", stored);
    cluster.settle();
    assert_eq!(cluster.brokers[&1].told.identity.as_ref().expect("an identity").1, 1001, "it is kept");
}

#[test]
fn the_directories_of_another_cluster_or_broker_are_refused() {
    let fatal = |settings: &str, stored: StoredIdentity| {
        let mut cluster = Cluster::of_one(3);
        cluster.start_as(2, settings, stored);
        cluster.settle();
        cluster.brokers[&2].told.fatal.clone().expect("a refusal")
    };
    let other = StoredIdentity { cluster_id: Some("3Iru2JS2RmCM0cj7ptU48Q".into()), broker_id: Some(2) };
    assert!(fatal("broker.id=2", other).contains("remove meta.properties"));
    let other = StoredIdentity { cluster_id: None, broker_id: Some(5) };
    assert!(fatal("broker.id=2", other).contains("set broker.id=5"));
    let mut empty = Cluster::new(4);
    empty.start_as(1, "", StoredIdentity { cluster_id: Some("3Iru2JS2RmCM0cj7ptU48Q".into()), broker_id: Some(1) });
    empty.settle();
    assert!(empty.brokers[&1].told.fatal.as_ref().is_some_and(|text| text.contains("knows no cluster")));
    assert!(!empty.keeper.nodes.contains_key(znodes::CLUSTER_ID));
}

#[test]
fn a_second_broker_with_the_same_id_is_refused_and_the_first_goes_on() {
    let mut cluster = Cluster::of_one(5);
    cluster.start_as(2, "broker.id=1\nzookeeper.session.timeout.ms=6000", StoredIdentity::default());
    cluster.settle();
    assert_eq!(cluster.brokers[&2].told.fatal, None, "the other one may be a session that has not run out yet");
    cluster.tick(12_000);
    cluster.settle();
    assert!(cluster.brokers[&2].told.fatal.as_ref().is_some_and(|text| text.contains("another broker with id 1")));
    assert_eq!(cluster.brokers[&1].told.ready, 1);
}

#[test]
fn after_kill_9_the_broker_takes_over_from_its_earlier_life_at_once() {
    let mut cluster = Cluster::of_one(6);
    write_topic(&mut cluster, "t", "{\"0\":[1],\"1\":[1]}");
    assert_eq!(cluster.brokers[&1].told.metadata.len(), 2);
    let identity = cluster.brokers[&1].told.identity.clone().expect("an identity");
    let old_session = cluster.kill(1);
    cluster.start_as(1, "", StoredIdentity { cluster_id: Some(identity.0), broker_id: Some(1) });
    cluster.settle();
    let told = &cluster.brokers[&1].told;
    assert_eq!((told.ready, told.fatal.clone()), (1, None));
    assert_eq!(cluster.keeper.text(znodes::CONTROLLER_EPOCH), "2");
    assert_eq!(told.replicas[&partition("t", 0)], 0, "the leader is the same: so is its epoch");
    cluster.expire(old_session);
    cluster.settle();
    assert_eq!(cluster.controller(), 1, "the old session owns nothing any more");
    assert_eq!(cluster.keeper.children(znodes::BROKER_IDS), ["1"]);
}

#[test]
fn an_expired_session_ends_the_controllership_and_a_new_one_begins() {
    let mut cluster = Cluster::of_one(7);
    write_topic(&mut cluster, "t", "{\"0\":[1]}");
    let epoch = cluster.brokers[&1].told.broker_epoch;
    cluster.expire_session_of(1);
    cluster.settle();
    let told = &cluster.brokers[&1].told;
    assert!(told.broker_epoch > epoch);
    assert_eq!((told.ready, cluster.controller()), (1, 1));
    assert_eq!(cluster.keeper.text(znodes::CONTROLLER_EPOCH), "2");
    write_topic(&mut cluster, "u", "{\"0\":[1]}");
    assert_eq!(cluster.brokers[&1].told.metadata[&partition("u", 0)], (1, 0));
}

#[test]
fn leadership_moves_when_a_broker_dies_and_the_isr_shrinks() {
    let mut cluster = Cluster::new(8);
    for id in 1..=3 {
        cluster.start(id, "");
        cluster.settle();
    }
    write_topic(&mut cluster, "t", "{\"0\":[2,3,1],\"1\":[2]}");
    let state = znodes::partition_state(&partition("t", 0));
    assert!(cluster.keeper.text(&state).ends_with("\"leader\":2,\"version\":1,\"leader_epoch\":0,\"isr\":[2,3,1]}"));
    let session = cluster.kill(2);
    cluster.settle();
    assert_eq!(cluster.brokers[&1].told.metadata[&partition("t", 0)], (2, 0), "nobody knows yet");
    cluster.expire(session);
    cluster.settle();
    assert!(cluster.keeper.text(&state).ends_with("\"leader\":3,\"version\":1,\"leader_epoch\":1,\"isr\":[3,1]}"));
    for id in [1, 3] {
        let told = &cluster.brokers[&id].told;
        assert_eq!(told.metadata[&partition("t", 0)], (3, 1));
        assert_eq!(told.metadata[&partition("t", 1)], (-1, 1), "its only replica is gone");
        assert_eq!(told.live_brokers, [1, 3]);
    }
    cluster.start(2, "");
    cluster.settle();
    assert_eq!(cluster.brokers[&1].told.metadata[&partition("t", 1)], (2, 2));
    assert_eq!(cluster.brokers[&2].told.metadata, cluster.brokers[&1].told.metadata);
}

#[test]
fn another_controller_takes_over_and_the_old_one_is_fenced() {
    let mut cluster = Cluster::new(9);
    for id in 1..=2 {
        cluster.start(id, "");
        cluster.settle();
    }
    write_topic(&mut cluster, "t", "{\"0\":[1,2]}");
    let session = cluster.kill(1);
    cluster.expire(session);
    cluster.settle();
    assert_eq!(cluster.controller(), 2);
    assert_eq!(cluster.brokers[&2].told.metadata[&partition("t", 0)], (2, 1));
    // Somebody deletes /controller, as administrators do to have it elected again.
    cluster
        .keeper
        .apply(0, &ottla_keeper::ops::KeeperOp::Delete { path: znodes::CONTROLLER.into(), version: -1 }, 0)
        .expect("deleted");
    cluster.settle();
    assert_eq!(cluster.keeper.text(znodes::CONTROLLER_EPOCH), "3");
    assert_eq!(cluster.brokers[&2].told.metadata[&partition("t", 0)], (2, 1));
}

#[test]
fn znodes_that_other_tools_have_spoilt_do_no_harm() {
    let mut cluster = Cluster::of_one(10);
    cluster.keeper.write("/brokers/topics/spoilt", "{");
    cluster.keeper.write("/config/topics/good", "[]");
    cluster.keeper.write("/brokers/ids/x", "{}");
    cluster.keeper.write("/brokers/ids/7", "nonsense");
    cluster.keeper.write("/config/changes/config_change_0000000099", "not json");
    cluster.keeper.write("/log_dir_event_notification/log_dir_event_0000000001", "?");
    cluster.keeper.write("/admin/preferred_replica_election", "?");
    write_topic(&mut cluster, "good", "{\"0\":[1]}");
    assert_eq!(cluster.brokers[&1].told.metadata[&partition("good", 0)], (1, 0));
    assert!(!cluster.keeper.nodes.contains_key("/admin/preferred_replica_election"));
    // A spoilt state is left alone, by a new controller too.
    cluster.keeper.write(&znodes::partition_state(&partition("good", 0)), "spoilt");
    cluster.expire_session_of(1);
    cluster.settle();
    assert_eq!(cluster.controller(), 1);
    assert_eq!(cluster.keeper.text(&znodes::partition_state(&partition("good", 0))), "spoilt");
}

#[test]
fn a_thousand_partitions_are_made_and_taken_over_in_few_round_trips() {
    let mut cluster = Cluster::of_one(11);
    let assignment: Vec<String> = (0..1_000).map(|index| format!("\"{index}\":[1]")).collect();
    let before = cluster.keeper.operations;
    write_topic(&mut cluster, "big", &format!("{{{}}}", assignment.join(",")));
    assert_eq!(cluster.brokers[&1].told.metadata.len(), 1_000);
    assert!(cluster.keeper.operations - before < 20, "{}", cluster.keeper.operations - before);
    let _old = cluster.kill(1);
    cluster.start(1, "");
    cluster.settle();
    assert_eq!(cluster.brokers[&1].told.replicas.len(), 1_000);
    assert_eq!(cluster.brokers[&1].told.ready, 1);
}

#[test]
fn replicas_on_a_failed_directory_lose_their_leadership() {
    let mut cluster = Cluster::new(12);
    for id in 1..=2 {
        cluster.start(id, "");
        cluster.settle();
    }
    write_topic(&mut cluster, "t", "{\"0\":[1,2]}");
    cluster.input(1, ControlInput::Local(crate::control::LocalRequest::LogDirFailed { directory: "/d".into() }));
    cluster.settle();
    assert!(cluster.keeper.children(znodes::LOG_DIR_EVENTS).is_empty(), "the notification was worked on");
}

#[test]
fn a_shutdown_ends() {
    let mut cluster = Cluster::of_one(13);
    cluster.input(1, ControlInput::Shutdown);
    assert!(cluster.brokers[&1].told.stopped);
    cluster.settle();
}

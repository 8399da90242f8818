//! Anything at any moment, from seeds: connections that break, sessions that expire, brokers that die, while topics come and
//! go. In the end everybody agrees with the keeper, and what was acknowledged is there.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::ids::TopicPartition;
use ottla_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use ottla_protocol::messages::create_topics_request::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_response::CreateTopicsResponse;
use ottla_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use ottla_protocol::messages::delete_topics_response::DeleteTopicsResponse;
use ottla_protocol::{ApiKey, Message};

use super::admin::topic;
use super::cluster::{Answer, Cluster};
use crate::znodes::{self, PartitionState, TopicAssignment};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What a client was promised about a topic.
#[derive(Default)]
struct Ledger {
    creations: Vec<(&'static str, Answer)>,
    deletions: Vec<(&'static str, Answer)>,
    /// Topics whose last acknowledged change made or deleted them; unknown ones are left out.
    known: BTreeMap<&'static str, bool>,
}

impl Ledger {
    /// Reads answers that have come. One change at a time is under way for each topic.
    fn read(&mut self) {
        self.creations.retain(|(name, answer)| {
            let there = answer.is_there();
            if there {
                let code = answer.read(ApiKey::CreateTopics, 7, |body| {
                    CreateTopicsResponse::from_bytes(body, 7).expect("a response").topics[0].error_code
                });
                if code == 0 {
                    self.known.insert(name, true);
                }
            }
            !there
        });
        self.deletions.retain(|(name, answer)| {
            let there = answer.is_there();
            if there {
                let code = answer.read(ApiKey::DeleteTopics, 5, |body| {
                    DeleteTopicsResponse::from_bytes(body, 5).expect("a response").responses[0].error_code
                });
                if code == 0 {
                    self.known.insert(name, false);
                }
            }
            !there
        });
    }

    fn is_busy(&self, name: &str) -> bool {
        self.creations.iter().chain(&self.deletions).any(|(other, _)| *other == name)
    }
}

fn run(seed: u64) {
    let mut cluster = Cluster::new(seed);
    let count = 1 + cluster.random.index(3) as i32;
    for id in 1..=count {
        cluster.start(id, "");
    }
    cluster.some_steps(200);
    let mut ledger = Ledger::default();
    for _ in 0..60 {
        let id = 1 + cluster.random.index(count as usize) as i32;
        let name = NAMES[cluster.random.index(NAMES.len())];
        match cluster.random.index(12) {
            0 => cluster.break_connection(id),
            1 if cluster.random.chance(300_000) && cluster.brokers[&id].session != 0 => cluster.expire_session_of(id),
            2 if cluster.random.chance(300_000) => {
                let session = cluster.kill(id);
                if cluster.random.chance(500_000) {
                    cluster.expire(session);
                }
                cluster.start(id, "");
            }
            3..=5 if !ledger.is_busy(name) => {
                ledger.known.remove(name);
                let replicas = 1 + cluster.random.index(count as usize) as i16;
                let topics = vec![topic(name, 2, replicas, &[("retention.ms", "5")])];
                let answer =
                    cluster.request(id, 7, &CreateTopicsRequest { topics, timeout_ms: 60_000, validate_only: false });
                ledger.creations.push((name, answer));
            }
            6..=7 if !ledger.is_busy(name) => {
                ledger.known.remove(name);
                let topic_names = vec![name.into()];
                let answer = cluster.request(
                    id,
                    5,
                    &DeleteTopicsRequest { topic_names, timeout_ms: 60_000, topics: Vec::new() },
                );
                ledger.deletions.push((name, answer));
            }
            8 if !ledger.is_busy(name) => {
                let topics = vec![CreatePartitionsTopic { name: name.into(), count: 3, assignments: None }];
                cluster.request(id, 3, &CreatePartitionsRequest { topics, timeout_ms: 60_000, validate_only: false });
            }
            9 => cluster.tick(100),
            _ => {}
        }
        cluster.some_steps(60);
        // The clients of brokers that died never hear of their request; nobody knows what became of it.
        ledger.read();
    }
    cluster.settle();
    ledger.read();
    check(&cluster, &ledger, seed);
}

fn check(cluster: &Cluster, ledger: &Ledger, seed: u64) {
    let keeper = &cluster.keeper;
    let alive: BTreeSet<i32> = cluster.brokers.keys().copied().collect();
    assert!(cluster.brokers.values().all(|broker| broker.told.fatal.is_none()), "seed {seed}");
    let registered: BTreeSet<i32> =
        keeper.children(znodes::BROKER_IDS).iter().map(|id| id.parse().expect("an id")).collect();
    assert_eq!(registered, alive, "seed {seed}");
    assert!(alive.contains(&cluster.controller()), "seed {seed}");
    assert!(keeper.children(znodes::DELETE_TOPICS).is_empty(), "seed {seed}: a deletion hangs");
    let mut expected: BTreeMap<TopicPartition, (i32, i32)> = BTreeMap::new();
    for name in keeper.children(znodes::TOPICS) {
        let assignment = TopicAssignment::decode(keeper.text(&znodes::topic(&name)).as_bytes()).expect("a topic");
        for (index, replicas) in &assignment.partitions {
            let id = TopicPartition::new(name.as_str(), *index);
            let state = PartitionState::decode(keeper.text(&znodes::partition_state(&id)).as_bytes()).expect("a state");
            assert!(alive.contains(&state.leader), "seed {seed}: {id} is led by {}", state.leader);
            assert!(state.isr.contains(&state.leader), "seed {seed}: {id}");
            expected.insert(id.clone(), (state.leader, state.leader_epoch));
            for broker in &replicas.replicas {
                let told = cluster.brokers[broker].told.replicas.get(&id);
                assert_eq!(told, Some(&state.leader_epoch), "seed {seed}: {id} on broker {broker}");
            }
        }
    }
    for (id, broker) in &cluster.brokers {
        assert_eq!(broker.told.metadata, expected, "seed {seed}: broker {id}");
        assert_eq!(broker.told.ready, 1, "seed {seed}: broker {id}");
        let more: Vec<_> = broker.told.replicas.keys().filter(|p| !expected.contains_key(*p)).collect();
        assert!(more.is_empty(), "seed {seed}: broker {id} has {more:?}");
    }
    for (name, exists) in &ledger.known {
        let there = keeper.nodes.contains_key(&znodes::topic(name));
        assert_eq!(there, *exists, "seed {seed}: topic {name}");
    }
}

#[test]
fn everybody_agrees_in_the_end() {
    for seed in 0..100 {
        run(seed);
    }
}

#[test]
fn one_seed_one_history() {
    let history = |seed| {
        let mut cluster = Cluster::new(seed);
        cluster.start(1, "");
        cluster.start(2, "");
        cluster.some_steps(100);
        cluster.break_connection(1);
        cluster.settle();
        let nodes = cluster.keeper.nodes.iter();
        nodes.map(|(path, node)| format!("{path} {:?} {:?}", node.stat, node.data)).collect::<Vec<_>>()
    };
    assert_eq!(history(5), history(5));
}

//! Random sequences of operations, from seeds: what is loaded must be what was there, and everybody gets an answer.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::ids::Uuid;
use ottla_base::random::Random;
use ottla_protocol::ErrorCode;

use super::bench::Bench;
use crate::coordinator::group::config::GroupConfig;
use crate::coordinator::group::messages::*;

pub fn join(client: &str, group: &str, member_id: Text, instance_id: Option<Text>) -> JoinRequest {
    let metadata: Blob = b"\0\0\0\0\0\x01\0\x01t"[..].into();
    JoinRequest {
        group_id: group.into(),
        member_id,
        instance_id,
        client_id: client.into(),
        client_host: "/127.0.0.1".into(),
        protocol_type: "consumer".into(),
        protocols: ["range", "sticky"]
            .map(|name| MemberProtocol { name: name.into(), metadata: metadata.clone() })
            .into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        reason: None,
        requires_known_member_id: false,
        supports_skipping_assignment: true,
    }
}

pub fn sync(group: &str, member_id: &Text, generation: i32) -> SyncRequest {
    SyncRequest {
        group_id: group.into(),
        generation,
        member_id: member_id.clone(),
        instance_id: None,
        protocol_type: None,
        protocol_name: None,
        assignments: vec![(member_id.clone(), member_id.as_bytes().into())],
    }
}

/// A client and what it knows of itself.
#[derive(Clone, Default)]
struct Client {
    member_id: Option<Text>,
    generation: i32,
    waits: bool,
    /// What a well-behaved client would do now, by the numbers of [`World::step`].
    next: Option<u64>,
}

const GROUPS: [&str; 3] = ["g", "h", "i"];

const JOIN: u64 = 0;
const SYNC: u64 = 6;

struct World {
    bench: Bench,
    random: Random,
    clients: BTreeMap<String, Client>,
    /// Requests that were sent and not answered.
    open: BTreeSet<String>,
    sent: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let config = GroupConfig {
            group_initial_rebalance_delay_ms: if random.chance(500_000) { 0 } else { 1_000 },
            group_max_size: 3 + random.below(6) as i32,
            offsets_retention_minutes: 1,
            offsets_retention_check_interval_ms: 10_000,
            ..GroupConfig::default()
        };
        let bench = Bench::new(config, seed);
        Self { bench, random, clients: BTreeMap::new(), open: BTreeSet::new(), sent: 0 }
    }

    fn send(&mut self, client: &str, request: GroupRequest) {
        self.sent += 1;
        let key = format!("{client}#{}", self.sent);
        match self.bench.request(&key, request) {
            Some(reply) => self.take(client, &reply),
            None => assert!(self.open.insert(key)),
        }
        self.take_late();
    }

    fn take_late(&mut self) {
        let late = std::mem::take(&mut *self.bench.late.lock());
        for (key, reply) in late {
            assert!(self.open.remove(&key), "{key} is answered twice");
            let client = key.split('#').next().unwrap_or("").to_owned();
            self.take(&client, &reply);
        }
    }

    fn take(&mut self, client: &str, reply: &GroupReply) {
        let Some(client) = self.clients.get_mut(client) else { return };
        client.waits = false;
        match reply {
            GroupReply::Join(reply) => match reply.error {
                ErrorCode::None => {
                    client.member_id = Some(reply.member_id.clone());
                    client.generation = reply.generation;
                    client.next = Some(SYNC);
                }
                ErrorCode::MemberIdRequired => client.member_id = Some(reply.member_id.clone()),
                ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => client.member_id = None,
                _ => {}
            },
            GroupReply::Heartbeat(ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId) => client.member_id = None,
            GroupReply::Heartbeat(ErrorCode::RebalanceInProgress) => client.next = Some(JOIN),
            GroupReply::Sync(reply) if reply.error != ErrorCode::None => client.next = Some(JOIN),
            _ => {}
        }
    }

    fn step(&mut self) {
        let group = GROUPS[self.random.index(GROUPS.len())];
        let name = format!("{group}{}", self.random.below(4));
        let client = self.clients.entry(name.clone()).or_default().clone();
        let member_id = client.member_id.clone().unwrap_or_else(|| "".into());
        // Clients with an even number are static.
        let instance_id: Option<Text> = (name.as_bytes()[1] % 2 == 0).then(|| format!("instance-{name}").into());
        let generation = client.generation;
        let well_behaved = client.next.filter(|_| self.random.chance(900_000));
        match well_behaved.unwrap_or_else(|| self.random.below(24)) {
            JOIN | 1 if !client.waits || self.random.chance(100_000) => {
                let mut request = join(&name, group, member_id, instance_id);
                request.requires_known_member_id = self.random.chance(500_000);
                if self.random.chance(200_000) {
                    request.protocols.remove(self.random.index(2));
                }
                let client = self.clients.entry(name.clone()).or_default();
                (client.waits, client.next) = (true, None);
                self.send(&name, GroupRequest::Join(request));
            }
            SYNC => {
                let mut request = sync(group, &member_id, generation);
                request.instance_id = instance_id;
                self.clients.entry(name.clone()).or_default().next = None;
                self.send(&name, GroupRequest::Sync(request));
            }
            7..=12 => {
                let request = HeartbeatRequest { group_id: group.into(), generation, member_id, instance_id };
                self.send(&name, GroupRequest::Heartbeat(request));
            }
            13 => {
                let leaving = LeavingMember { member_id, instance_id, reason: None };
                self.send(&name, GroupRequest::Leave(LeaveRequest { group_id: group.into(), members: vec![leaving] }));
            }
            14..=16 => self.commit(&name, group, member_id, instance_id, generation),
            17 => self.send(&name, GroupRequest::DeleteGroups(vec![group.into()])),
            18 => {
                let topics = vec![("u".into(), vec![0, 1, 2]), ("t".into(), vec![0])];
                self.send(&name, GroupRequest::OffsetDelete(OffsetDeleteRequest { group_id: group.into(), topics }));
            }
            19 => {
                let fails = [ErrorCode::NotEnoughReplicas, ErrorCode::NotLeaderOrFollower][self.random.index(2)];
                let failing = self.random.chance(300_000);
                self.bench.log.0.lock().fails = failing.then_some(fails);
            }
            20 => {
                let mut log = self.bench.log.0.lock();
                log.held_at = if log.held_at.is_some() { None } else { Some(log.records.len() as i64) };
            }
            _ => {
                let ms = self.random.below(2_000);
                self.bench.wait(ms);
                self.take_late();
            }
        }
    }

    fn commit(&mut self, client: &str, group: &str, member_id: Text, instance_id: Option<Text>, generation: i32) {
        let simple = self.random.chance(300_000);
        let offset = self.random.below(1_000) as i64;
        let partition = self.random.below(3) as i32;
        let topic = ["t", "u"][self.random.index(2)];
        let partitions =
            vec![CommitPartition { partition, offset, leader_epoch: 1, metadata: None, error: ErrorCode::None }];
        let request = OffsetCommitRequest {
            group_id: group.into(),
            member_id: if simple { "".into() } else { member_id },
            instance_id: instance_id.filter(|_| !simple),
            generation: if simple { -1 } else { generation },
            retention_ms: self.random.chance(100_000).then_some(3_000),
            knows_group_id_not_found: true,
            topics: vec![CommitTopic { name: topic.into(), topic_id: Uuid::ZERO, partitions }],
        };
        self.send(client, GroupRequest::OffsetCommit(request));
    }

    /// Loads the log into a coordinator of its own and compares.
    fn compare_with_loaded(&self) -> usize {
        let fresh = Bench::new(GroupConfig::default(), 0);
        fresh.runtime.resign(fresh.now, 0, None);
        fresh.log.0.lock().records = self.bench.log.0.lock().records.clone();
        fresh.load();
        let offsets = |bench: &Bench| {
            let mut all = BTreeSet::new();
            let visit = &mut |g: &str, t: &str, p: i32, o: i64| assert!(all.insert((g.to_owned(), t.to_owned(), p, o)));
            bench.runtime.read(0, |shard| shard.committed_offsets(visit)).expect("active");
            all
        };
        assert_eq!(offsets(&self.bench), offsets(&fresh));
        let mut compared = 0;
        for group in GROUPS {
            let stored = |bench: &Bench| bench.runtime.read(0, |shard| shard.stored(group)).expect("active");
            let state = self.bench.runtime.read(0, |shard| shard.describe_group(&group.into()).state);
            // All other states are soft, and so is a group that never had a generation.
            let (Some(mut live), "Stable") = (stored(&self.bench), state.expect("active")) else { continue };
            let mut loaded = stored(&fresh).expect("a stable group is stored");
            // The record is written just before the state begins.
            live.state_since_ms = 0;
            loaded.state_since_ms = 0;
            assert_eq!(live, loaded);
            compared += live.members.len();
        }
        compared
    }
}

#[test]
fn loading_gives_what_was_there() {
    let mut compared = 0;
    for seed in 0..60 {
        let mut world = World::new(seed);
        for step in 0..600 {
            world.step();
            // While an answer is held back, a group is ahead of, or behind, its record.
            let quiet = { world.bench.log.0.lock().held_at.is_none() };
            if step % 20 == 0 && quiet {
                world.bench.runtime.advance(world.bench.now, 0);
                world.take_late();
                compared += world.compare_with_loaded();
            }
        }
        // Left alone, every waiting request is answered: by time, or because the coordinator moves.
        world.bench.log.0.lock().held_at = None;
        world.bench.wait(1_000_000);
        world.bench.runtime.resign(world.bench.now, 0, None);
        world.take_late();
        assert!(world.open.is_empty(), "seed {seed}: never answered: {:?}", world.open);
    }
    assert!(compared > 500, "{compared} members in stable groups are too few to show anything");
}

#[test]
fn one_seed_one_log() {
    let log = |seed| {
        let mut world = World::new(seed);
        (0..300).for_each(|_| world.step());
        let log = world.bench.log.0.lock();
        log.records.clone()
    };
    assert_eq!(log(7), log(7));
    assert_ne!(log(7), log(8));
}

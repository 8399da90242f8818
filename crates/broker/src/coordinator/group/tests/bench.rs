//! One partition's coordinator over a log in memory, driven by text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use ottla_base::ids::{TopicPartition, Uuid};
use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_protocol::ErrorCode;
use parking_lot::Mutex;

use crate::coordinator::group::config::GroupConfig;
use crate::coordinator::group::messages::*;
use crate::coordinator::group::shard::GroupShard;
use crate::coordinator::log::{Appended, CoordinatorLog, KeyValue, LogEntry, LogOffsets};
use crate::coordinator::runtime::{Outcome, Runtime, RuntimeSettings};

/// A partition in memory.
#[derive(Debug, Default)]
pub struct MemoryLog(pub Mutex<MemoryPartition>);

#[derive(Debug, Default)]
pub struct MemoryPartition {
    pub records: Vec<KeyValue>,
    /// Followers that fetch nothing: the high watermark stays.
    pub held_at: Option<i64>,
    /// What appends fail with.
    pub fails: Option<ErrorCode>,
    pub led: bool,
}

impl MemoryPartition {
    fn high_watermark(&self) -> i64 {
        self.held_at.unwrap_or(self.records.len() as i64)
    }
}

impl CoordinatorLog for MemoryLog {
    fn append(&self, _: Now, _: &TopicPartition, records: &[KeyValue]) -> Result<Appended, ErrorCode> {
        let mut log = self.0.lock();
        if let Some(error) = log.fails {
            return Err(error);
        }
        let base_offset = log.records.len() as i64;
        log.records.extend_from_slice(records);
        Ok(Appended { base_offset, high_watermark: log.high_watermark() })
    }

    fn read(
        &self,
        _: &TopicPartition,
        offset: i64,
        max_bytes: usize,
        visit: &mut dyn FnMut(LogEntry<'_>),
    ) -> Result<i64, ErrorCode> {
        let log = self.0.lock();
        let (mut next, mut bytes) = (offset, 0);
        for (key, value) in &log.records[offset as usize..] {
            visit(LogEntry::Record { offset: next, producer_id: None, key, value: value.as_deref() });
            next += 1;
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            if bytes >= max_bytes {
                break;
            }
        }
        Ok(next)
    }

    fn partition_count(&self, _: &str) -> Option<i32> {
        Some(1)
    }

    fn offsets(&self, _: &TopicPartition) -> Option<LogOffsets> {
        let log = self.0.lock();
        let offsets = LogOffsets { start: 0, end: log.records.len() as i64, high_watermark: log.high_watermark() };
        log.led.then_some(offsets)
    }
}

pub const GROUP: &str = "g";

/// The coordinator under test, and what its clients were told.
pub struct Bench {
    pub log: Arc<MemoryLog>,
    pub runtime: Runtime<GroupShard>,
    pub now: Now,
    pub late: Arc<Mutex<Vec<(String, GroupReply)>>>,
    /// Short names of member ids: the client's name, and which of its ids it is.
    names: BTreeMap<Text, String>,
    /// Latest member id of each client.
    latest: BTreeMap<String, Text>,
}

impl Bench {
    pub fn new(config: GroupConfig, seed: u64) -> Self {
        let log = Arc::new(MemoryLog::default());
        log.0.lock().led = true;
        let settings = RuntimeSettings { write_timeout_ms: 5_000, load_chunk_bytes: 256 };
        let config = Arc::new(config);
        let make = Box::new(move |_| GroupShard::new(config.clone(), Random::new(seed)));
        let runtime = Runtime::new("__consumer_offsets", log.clone(), settings, make);
        let now = Now { mono_us: 1_000_000_000, wall_ms: 1_700_000_000_000 };
        let late = Arc::default();
        let bench = Self { log, runtime, now, late, names: BTreeMap::new(), latest: BTreeMap::new() };
        bench.load();
        bench
    }

    pub fn load(&self) {
        self.runtime.elect(self.now, 0, 1);
        while self.runtime.run_loads(self.now) {}
    }

    /// Runs a request on behalf of `who`; the answer, if it is there at once.
    pub fn request(&mut self, who: &str, request: GroupRequest) -> Option<GroupReply> {
        let late = self.late.clone();
        let outcome = self.runtime.request(self.now, 0, request, &mut || {
            let (late, who) = (late.clone(), who.to_owned());
            Box::new(move |reply| late.lock().push((who, reply)))
        });
        match outcome {
            Ok(Outcome::Now(reply)) => Some(reply),
            Ok(Outcome::Later) => None,
            Err((request, error)) => Some(request.failed(error)),
        }
    }

    /// Lets time pass, stopping at every timer.
    pub fn wait(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while let Some(deadline) = self.runtime.next_deadline_ms().filter(|deadline| *deadline <= end.mono_ms()) {
            self.now = self.now.plus_ms(deadline.saturating_sub(self.now.mono_ms()));
            self.runtime.tick(self.now);
        }
        self.now = end;
        self.runtime.tick(self.now);
    }

    fn name(&mut self, member_id: &Text) -> String {
        if let Some(name) = self.names.get(member_id) {
            return name.clone();
        }
        let Some(prefix) = member_id.len().checked_sub(37).map(|at| member_id[..at].to_owned()) else {
            return if member_id.is_empty() { "-".to_owned() } else { member_id.to_string() };
        };
        let name =
            format!("{prefix}.{}", self.names.values().filter(|n| n.starts_with(&format!("{prefix}."))).count() + 1);
        self.names.insert(member_id.clone(), name.clone());
        self.latest.insert(prefix, member_id.clone());
        name
    }

    /// The member id that a name in a script means: `a` the latest of a, `a.1` the first, `-` none.
    pub fn member_id(&self, name: &str) -> Text {
        if name == "-" {
            return "".into();
        }
        let exact = self.names.iter().find(|(_, n)| *n == name).map(|(id, _)| id.clone());
        exact.or_else(|| self.latest.get(name).cloned()).unwrap_or_else(|| name.into())
    }

    /// What a client is told, in one line.
    pub fn show(&mut self, reply: &GroupReply) -> String {
        match reply {
            GroupReply::Join(reply) if reply.error != ErrorCode::None => {
                let name = self.name(&reply.member_id);
                format!("join {:?} {name}", reply.error)
            }
            GroupReply::Join(reply) => {
                let (name, leader) = (self.name(&reply.member_id), self.name(&reply.leader));
                let protocol = reply.protocol_name.as_deref().unwrap_or("?").to_owned();
                let mut line = format!("join {name} generation {} {protocol} leader {leader}", reply.generation);
                if !reply.members.is_empty() {
                    let members: Vec<String> = reply.members.iter().map(|m| self.name(&m.member_id)).collect();
                    let _ = write!(line, " of {}", members.join(","));
                }
                if reply.skip_assignment {
                    line += " skip";
                }
                line
            }
            GroupReply::Sync(reply) if reply.error != ErrorCode::None => format!("sync {:?}", reply.error),
            GroupReply::Sync(reply) => format!("sync '{}'", String::from_utf8_lossy(&reply.assignment)),
            GroupReply::Heartbeat(error) => format!("heartbeat {error:?}"),
            GroupReply::Leave(reply) if reply.error != ErrorCode::None => format!("leave {:?}", reply.error),
            GroupReply::Leave(reply) => {
                let members: Vec<String> = reply.members.iter().map(|m| format!("{:?}", m.error)).collect();
                format!("leave {}", members.join(" "))
            }
            GroupReply::OffsetCommit(topics) => {
                let outcomes =
                    topics.iter().flat_map(|t| t.partitions.iter().map(|(p, e)| format!("{}:{p} {e:?}", t.name)));
                format!("commit {}", outcomes.collect::<Vec<_>>().join(", "))
            }
            GroupReply::OffsetFetch(reply) if reply.error != ErrorCode::None => format!("fetch {:?}", reply.error),
            GroupReply::OffsetFetch(reply) => {
                let partition = |topic: &str, p: &FetchedPartition| match p.error {
                    ErrorCode::None => format!("{topic}:{}={}", p.partition, p.offset),
                    error => format!("{topic}:{} {error:?}", p.partition),
                };
                let all = reply.topics.iter().flat_map(|t| t.partitions.iter().map(|p| partition(&t.name, p)));
                format!("fetch {}", all.collect::<Vec<_>>().join(" "))
            }
            GroupReply::OffsetDelete(reply) if reply.error != ErrorCode::None => format!("forget {:?}", reply.error),
            GroupReply::OffsetDelete(reply) => {
                let all = reply.topics.iter().flat_map(|(t, ps)| ps.iter().map(move |(p, e)| format!("{t}:{p} {e:?}")));
                format!("forget {}", all.collect::<Vec<_>>().join(", "))
            }
            GroupReply::DeleteGroups(groups) => {
                format!("delete {}", groups.iter().map(|(g, e)| format!("{g} {e:?}")).collect::<Vec<_>>().join(", "))
            }
            GroupReply::TopicsDeleted(error) => format!("topics deleted {error:?}"),
        }
    }

    /// Runs one command and shows all that came of it.
    fn run(&mut self, command: &str) -> Vec<String> {
        let mut words = command.split_whitespace();
        let verb = words.next().unwrap_or("");
        let words: Vec<&str> = words.collect();
        let value = |key: &str| words.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
        let plain: Vec<&str> = words.iter().copied().filter(|w| !w.contains('=')).collect();
        let who = plain.first().copied().unwrap_or("-").to_owned();
        let member_id = self.member_id(value("id").unwrap_or(&who));
        let generation = value("gen").map_or(-1, |g| g.parse().expect("a generation"));
        let instance_id = value("instance").map(Text::from);
        let group_id = Text::from(value("group").unwrap_or(GROUP));
        let request = match verb {
            "join" => GroupRequest::Join(JoinRequest {
                group_id,
                member_id: if value("id").is_none() && !self.latest.contains_key(&who) { "".into() } else { member_id },
                instance_id,
                client_id: who.as_str().into(),
                client_host: "/127.0.0.1".into(),
                protocol_type: value("type").unwrap_or("consumer").into(),
                protocols: protocols(value("protocols").unwrap_or("range"), value("topics").unwrap_or("t")),
                session_timeout_ms: value("session").map_or(10_000, |ms| ms.parse().expect("a number")),
                rebalance_timeout_ms: value("rebalance").map_or(60_000, |ms| ms.parse().expect("a number")),
                reason: None,
                requires_known_member_id: words.contains(&"v4"),
                supports_skipping_assignment: words.contains(&"v9"),
            }),
            "sync" => GroupRequest::Sync(SyncRequest {
                group_id,
                generation,
                member_id,
                instance_id,
                protocol_type: value("type").map(Text::from),
                protocol_name: value("protocol").map(Text::from),
                assignments: self.assignments(value("assign").unwrap_or("")),
            }),
            "heartbeat" => GroupRequest::Heartbeat(HeartbeatRequest { group_id, generation, member_id, instance_id }),
            "leave" => GroupRequest::Leave(LeaveRequest { group_id, members: self.leaving(&plain, instance_id) }),
            "commit" => GroupRequest::OffsetCommit(OffsetCommitRequest {
                group_id,
                member_id,
                instance_id,
                generation,
                retention_ms: value("retention").map(|ms| ms.parse().expect("a number")),
                knows_group_id_not_found: words.contains(&"v9"),
                topics: commits(&words),
            }),
            "fetch" => GroupRequest::OffsetFetch(OffsetFetchRequest {
                group_id,
                member_id: None,
                member_epoch: -1,
                topics: (!plain.is_empty()).then(|| plain.iter().map(|word| fetch_topic(word)).collect()),
                require_stable: false,
            }),
            "forget" => {
                let topics = plain.iter().map(|word| fetch_topic(word)).map(|t| (t.name, t.partitions)).collect();
                GroupRequest::OffsetDelete(OffsetDeleteRequest { group_id, topics })
            }
            "delete" => GroupRequest::DeleteGroups(plain.iter().map(|id| Text::from(*id)).collect()),
            "topic-gone" => GroupRequest::TopicsDeleted(plain.iter().map(|topic| Text::from(*topic)).collect()),
            _ => return self.run_other(verb, &words),
        };
        let who = if matches!(request, GroupRequest::Join(_) | GroupRequest::Sync(_)) { who } else { verb.to_owned() };
        let reply = self.request(&who, request);
        let mut lines: Vec<String> = reply.iter().map(|reply| self.show(reply)).collect();
        lines.extend(self.told());
        lines
    }

    fn run_other(&mut self, verb: &str, words: &[&str]) -> Vec<String> {
        match verb {
            "wait" => self.wait(words[0].parse().expect("milliseconds")),
            "hold" => {
                let mut log = self.log.0.lock();
                log.held_at = Some(log.records.len() as i64);
            }
            "replicate" => {
                self.log.0.lock().held_at = None;
                self.runtime.advance(self.now, 0);
            }
            "fail" => {
                let error = ErrorCode::ALL.iter().find(|code| format!("{code:?}") == words[0]);
                self.log.0.lock().fails = error.copied().filter(|code| *code != ErrorCode::None);
            }
            "resign" => self.runtime.resign(self.now, 0, None),
            "reload" => {
                self.runtime.resign(self.now, 0, None);
                self.load();
            }
            "records" => return self.log.0.lock().records.iter().map(super::stored::show).collect(),
            "describe" => {
                let id = Text::from(words.first().copied().unwrap_or(GROUP));
                let group = self.runtime.read(0, |shard| shard.describe_group(&id)).expect("active");
                let members: Vec<String> = group
                    .members
                    .iter()
                    .map(|m| format!("{} '{}'", self.name(&m.member_id), String::from_utf8_lossy(&m.assignment)))
                    .collect();
                let mut line = format!("{} {} {}", group.state, group.protocol_type, group.protocol_data);
                members.iter().for_each(|member| line += &format!(", {member}"));
                return vec![line.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ,", ",")];
            }
            "list" => {
                let mut groups = Vec::new();
                let filter = |prefix: &str| {
                    words.iter().filter_map(|w| w.strip_prefix(prefix)).map(str::to_owned).collect::<Vec<String>>()
                };
                let (states, types) = (filter("state:"), filter("type:"));
                self.runtime.read(0, |shard| shard.list_groups(&states, &types, &mut groups)).expect("active");
                return groups.iter().map(|g| format!("{} {} {}", g.group_id, g.state, g.kind)).collect();
            }
            other => panic!("no command {other}"),
        }
        self.told()
    }

    /// What clients that waited were told.
    fn told(&mut self) -> Vec<String> {
        let late = std::mem::take(&mut *self.late.lock());
        late.iter().map(|(who, reply)| format!("{who}: {}", self.show(reply))).collect()
    }

    fn assignments(&self, text: &str) -> Vec<(Text, Blob)> {
        let pairs = text.split(',').filter_map(|pair| pair.split_once(':'));
        pairs.map(|(name, assignment)| (self.member_id(name), assignment.as_bytes().into())).collect()
    }

    fn leaving(&self, plain: &[&str], instance_id: Option<Text>) -> Vec<LeavingMember> {
        if plain.is_empty() {
            return vec![LeavingMember { member_id: "".into(), instance_id, reason: None }];
        }
        let member = |name: &&str| LeavingMember {
            member_id: self.member_id(name),
            instance_id: instance_id.clone(),
            reason: None,
        };
        plain.iter().map(member).collect()
    }
}

fn protocols(names: &str, topics: &str) -> Vec<MemberProtocol> {
    let mut metadata = vec![0, 0];
    let topics: Vec<&str> = topics.split(',').filter(|topic| !topic.is_empty()).collect();
    metadata.extend_from_slice(&(topics.len() as i32).to_be_bytes());
    for topic in topics {
        metadata.extend_from_slice(&(topic.len() as i16).to_be_bytes());
        metadata.extend_from_slice(topic.as_bytes());
    }
    let names = names.split(',').filter(|name| !name.is_empty());
    names.map(|name| MemberProtocol { name: name.into(), metadata: metadata.as_slice().into() }).collect()
}

fn topic_partition(text: &str) -> (Text, i32) {
    let (topic, partition) = text.split_once(':').expect("topic:partition");
    (topic.into(), partition.parse().expect("a partition"))
}

fn fetch_topic(text: &str) -> FetchTopic {
    let (name, partition) = topic_partition(text);
    FetchTopic { name, topic_id: Uuid::ZERO, partitions: vec![partition] }
}

fn commits(words: &[&str]) -> Vec<CommitTopic> {
    let commits = words.iter().filter(|word| word.contains(':')).filter_map(|word| word.split_once('='));
    let topic = |(target, offset): (&str, &str)| {
        let (name, partition) = topic_partition(target);
        let (offset, metadata) = offset.split_once('/').map_or((offset, None), |(o, m)| (o, Some(Text::from(m))));
        let offset = offset.parse().expect("an offset");
        let error = ErrorCode::None;
        let partitions = vec![CommitPartition { partition, offset, leader_epoch: 3, metadata, error }];
        CommitTopic { name, topic_id: Uuid::ZERO, partitions }
    };
    commits.map(topic).collect()
}

/// Runs a script with the settings of a cluster of tests: next to no initial delay.
pub fn check(script: &str) {
    check_with(GroupConfig { group_initial_rebalance_delay_ms: 1, ..GroupConfig::default() }, script);
}

/// Runs a script: what it prints must be the script itself.
pub fn check_with(config: GroupConfig, script: &str) {
    let mut bench = Bench::new(config, 1);
    let mut expected = String::new();
    let mut actual = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let _ = writeln!(expected, "{line}");
        if let Some(command) = line.strip_prefix('>') {
            let _ = writeln!(actual, "{line}");
            for out in bench.run(command) {
                let _ = writeln!(actual, "{}", out.trim());
            }
        }
    }
    assert!(expected == actual, "expected:\n{expected}\ncame out:\n{actual}");
}

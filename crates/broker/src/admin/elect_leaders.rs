//! ElectLeaders: the preferred replica leads again, or any replica that is alive leads a partition that has lost its whole ISR.

use std::borrow::Cow;
use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_protocol::messages::elect_leaders_request::ElectLeadersRequest;
use ottla_protocol::messages::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};
use ottla_protocol::{DecodeError, ErrorCode, Message};

use super::{Refusal, Waiting};
use crate::control_plane::ControlPlane;
use crate::controller::{Context, ElectionType, Event, NO_LEADER};
use crate::reply::Responder;
use crate::topic::MAX_NAME_LENGTH;

/// Most partitions in one request: each has words in the answer. All partitions of a larger cluster can be asked for without
/// naming them.
const MAX_PARTITIONS: usize = 100_000;

/// One partition of the request.
#[derive(Debug)]
struct Election {
    partition: TopicPartition,
    /// `None` while it is under way, and when it has succeeded.
    refusal: Option<Refusal>,
}

/// An ElectLeaders under way.
#[derive(Debug)]
pub(crate) struct ElectLeaders {
    responder: Responder,
    version: i16,
    election_type: i8,
    timeout_ms: i32,
    /// No partition was named: all are meant, and those that need no election are not told.
    is_for_all: bool,
    /// More than [`MAX_PARTITIONS`] were named, and none was taken over.
    is_too_large: bool,
    topics: Vec<(String, Vec<Election>)>,
}

impl ElectLeaders {
    pub fn decode(version: i16, body: &[u8], responder: Responder) -> Result<Self, (DecodeError, Responder)> {
        let request = match ElectLeadersRequest::from_bytes(body, version) {
            Ok(request) => request,
            Err(error) => return Err((error, responder)),
        };
        let is_for_all = request.topic_partitions.is_none();
        let named = || request.topic_partitions.iter().flatten();
        // Before anything is made of each: a name may be many times as long as a partition's number.
        let is_too_large = named().map(|topic| topic.partitions.len()).sum::<usize>() > MAX_PARTITIONS;
        let topics = named().filter(|_| !is_too_large).map(|topic| {
            let name: Arc<str> = Arc::from(&*topic.topic);
            let election =
                |index: &i32| Election { partition: TopicPartition::new(name.clone(), *index), refusal: None };
            (topic.topic.to_string(), topic.partitions.iter().map(election).collect())
        });
        let (election_type, timeout_ms) = (request.election_type, request.timeout_ms);
        let topics = topics.collect();
        Ok(Self { topics, responder, version, election_type, timeout_ms, is_for_all, is_too_large })
    }

    fn elections(&mut self) -> impl Iterator<Item = &mut Election> {
        self.topics.iter_mut().flat_map(|(_, elections)| elections)
    }

    /// The whole request is refused; version 0 can say it of each partition alone.
    pub fn refuse(mut self, refusal: Refusal) {
        for election in self.elections() {
            election.refusal = Some(refusal.clone());
        }
        self.send(refusal.0);
    }

    fn send(self, code: ErrorCode) {
        let result = |(topic, elections): &(String, Vec<Election>)| ReplicaElectionResult {
            topic: Cow::Owned(topic.clone()),
            partition_result: elections.iter().map(partition_result).collect(),
        };
        self.responder.send(&ElectLeadersResponse {
            throttle_time_ms: 0,
            error_code: if self.version >= 1 { code as i16 } else { 0 },
            replica_election_results: self.topics.iter().map(result).collect(),
        });
    }
}

fn partition_result(election: &Election) -> PartitionResult<'static> {
    let (code, message) = election.refusal.clone().unzip();
    PartitionResult {
        partition_id: election.partition.partition,
        error_code: code.unwrap_or_default() as i16,
        error_message: message.map(Cow::Owned),
    }
}

impl ControlPlane {
    pub(crate) fn elect_leaders(&mut self, mut request: ElectLeaders) {
        if !self.controller.is_active() {
            return request.refuse((ErrorCode::NotController, "This broker is not the controller.".to_owned()));
        }
        let Some(kind) = ElectionType::of(request.election_type) else {
            let message = format!("Unknown election type {}", request.election_type);
            return request.refuse((ErrorCode::InvalidRequest, message));
        };
        if request.is_too_large {
            return request.refuse((ErrorCode::InvalidRequest, String::new()));
        }
        let context = &self.controller.context;
        if request.is_for_all {
            request.topics = all_elections(context);
        }
        for election in request.elections() {
            election.refusal = refusal(context, kind, &election.partition);
        }
        if request.is_for_all {
            let is_needed =
                |e: &Election| e.refusal.as_ref().is_none_or(|(code, _)| *code != ErrorCode::ElectionNotNeeded);
            request.topics.iter_mut().for_each(|(_, elections)| elections.retain(is_needed));
        }
        let open = request.elections().filter(|e| e.refusal.is_none()).map(|e| e.partition.clone());
        let partitions: Vec<TopicPartition> = open.collect();
        if partitions.is_empty() {
            return request.send(ErrorCode::None);
        }
        self.controller.enqueue(Event::ElectLeaders { kind, partitions });
        let timeout_ms = request.timeout_ms;
        self.wait(timeout_ms, Waiting::ElectLeaders(request));
    }

    /// No partition can be elected any more.
    pub(super) fn leaders_are_elected(&self, request: &ElectLeaders) -> bool {
        let Some(kind) = ElectionType::of(request.election_type) else { return true };
        let mut open = request.topics.iter().flat_map(|(_, elections)| elections).filter(|e| e.refusal.is_none());
        open.all(|e| refusal(&self.controller.context, kind, &e.partition).is_some())
            && self.controller.is_up_to_date(self.broker_id())
    }

    /// When everything has come true, or the time is over.
    pub(super) fn answer_elect_leaders(&self, mut request: ElectLeaders) {
        if let Some(kind) = ElectionType::of(request.election_type) {
            for election in request.elections().filter(|election| election.refusal.is_none()) {
                election.refusal = match refusal(&self.controller.context, kind, &election.partition) {
                    Some((ErrorCode::ElectionNotNeeded, _)) => None,
                    Some(other) => Some(other),
                    None => Some((ErrorCode::RequestTimedOut, ErrorCode::RequestTimedOut.message().to_owned())),
                };
            }
        }
        request.send(ErrorCode::None);
    }
}

/// Every partition, by topic, as if it had been named.
fn all_elections(context: &Context) -> Vec<(String, Vec<Election>)> {
    let topics = context.topics.iter().filter(|(_, topic)| !topic.is_deleting);
    let elections = topics.map(|(name, topic)| {
        let indexes = topic.partitions.keys();
        let elections =
            indexes.map(|index| Election { partition: TopicPartition::new(name.clone(), *index), refusal: None });
        (name.to_string(), elections.collect())
    });
    elections.collect()
}

/// Why there is nothing to elect; `None` where there is.
fn refusal(context: &Context, kind: ElectionType, partition: &TopicPartition) -> Option<Refusal> {
    let topic = context.topics.get(&partition.topic).filter(|topic| !topic.is_deleting);
    let Some(topic) = topic else {
        let code = ErrorCode::UnknownTopicOrPartition;
        // Told of each partition: what can be no topic's name is not repeated.
        let message = match partition.topic.len() > MAX_NAME_LENGTH {
            true => code.message().to_owned(),
            false => format!("No such topic as {}", partition.topic),
        };
        return Some((code, message));
    };
    let Some(known) = topic.partitions.get(&partition.partition) else {
        return Some((ErrorCode::UnknownTopicOrPartition, format!("No such partition as {partition}")));
    };
    let leader = known.state.as_ref().map_or(NO_LEADER, |(state, _)| state.leader);
    let is_led = context.has_leader(partition) && (kind == ElectionType::Unclean || known.is_led_by_preferred(leader));
    let code = if is_led {
        ErrorCode::ElectionNotNeeded
    } else if context.next_elected(kind, partition).is_some() {
        return None;
    } else if kind == ElectionType::Preferred {
        ErrorCode::PreferredLeaderNotAvailable
    } else {
        ErrorCode::EligibleLeadersNotAvailable
    };
    Some((code, code.message().to_owned()))
}

//! Looks at a whole node: when it is back, everything that must be there is read through its own protocol; when it dies, it
//! is noted what must be there.

use std::net::IpAddr;

use ottla_base::ids::TopicPartition;
use ottla_base::time::Now;
use ottla_broker::reply::Reply;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::messages::fetch_response::FetchResponse;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ottla_protocol::messages::list_offsets_response::ListOffsetsResponse;
use ottla_protocol::messages::metadata_request::MetadataRequest;
use ottla_protocol::messages::metadata_response::MetadataResponse;
use ottla_protocol::messages::produce_response::ProduceResponse;
use ottla_protocol::{ErrorCode, Message, Request, response_head};

use crate::clients::Call;
use crate::model::topics::State;
use crate::model::{Check, Death, Model};
use crate::node::{Late, Node, connection};
use crate::trace::Trace;

/// Compares topics and the content of all partitions with what is known.
pub fn all(node: &Node, model: &mut Model, now: Now, trace: &mut Trace) -> Check {
    check_topics(node, model, now, trace)?;
    let topics = model.topics.present();
    for (name, partitions) in topics {
        for index in 0..partitions as i32 {
            check_partition(node, model, name, index, now, trace).map_err(|e| format!("{name}-{index}: {e}"))?;
        }
    }
    Ok(())
}

/// Asks the node and wants an answer at once.
fn ask<'a, Q: Request<'a>>(node: &Node, now: Now, request: &Q, version: i16) -> Result<Vec<u8>, String> {
    let mut call = Call::new(request, version);
    let mut connection = connection(1, "PLAINTEXT");
    connection.peer = IpAddr::from([127, 0, 0, 2]);
    let name = call.key.name();
    match node.handle(now, &mut call.frame, &mut connection, &Late::default()) {
        Reply::Now(frame) => {
            let bytes = frame.into_bytes().map_err(|e| format!("the answer to {name} can't be read: {e}"))?;
            let (_, body) = response_head(&bytes[4..], call.key, version).map_err(|e| e.to_string())?;
            Ok(body.rest().to_vec())
        }
        other => Err(format!("{name} was not answered at once: {other:?}")),
    }
}

fn check_topics(node: &Node, model: &mut Model, now: Now, trace: &mut Trace) -> Check {
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let body = ask(node, now, &request, 12)?;
    trace.add(format_args!("topics"), &body);
    let response = MetadataResponse::from_bytes(&body, 12).map_err(|e| e.to_string())?;
    for (name, topic) in &model.topics.0 {
        let answer = response.topics.iter().find(|answer| answer.name.as_deref() == Some(name));
        match (topic.state, answer) {
            (State::Present, None) => return Err(format!("topic {name} is gone")),
            (State::Absent, Some(_)) => return Err(format!("topic {name} is back after its deletion")),
            (State::Present, Some(answer)) => {
                if topic.id.is_some_and(|id| id != answer.topic_id) {
                    return Err(format!("topic {name} has id {}, it had {:?}", answer.topic_id, topic.id));
                }
                if answer.partitions.len() < topic.partitions.len() {
                    let (now, before) = (answer.partitions.len(), topic.partitions.len());
                    return Err(format!("topic {name} has {now} partitions, it had {before}"));
                }
                if let Some(partition) = answer.partitions.iter().find(|p| p.error_code != 0 || p.leader_id < 0) {
                    return Err(format!("{name}-{} has no leader: {partition:?}", partition.partition_index));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_partition(
    node: &Node,
    model: &mut Model,
    name: &'static str,
    index: i32,
    now: Now,
    trace: &mut Trace,
) -> Check {
    let start = offset_at(node, now, name, index, -2)?;
    let end = offset_at(node, now, name, index, -1)?;
    let mut chunks = Vec::new();
    let mut position = start;
    while position < end {
        let partition = FetchPartition {
            partition: index,
            fetch_offset: position,
            partition_max_bytes: 4_000,
            current_leader_epoch: -1,
            ..FetchPartition::default()
        };
        let topic = FetchTopic { topic: name.into(), partitions: vec![partition], ..FetchTopic::default() };
        let request =
            FetchRequest { max_bytes: 1 << 20, session_epoch: -1, topics: vec![topic], ..FetchRequest::default() };
        let body = ask(node, now, &request, 11)?;
        let response = FetchResponse::from_bytes(&body, 11).map_err(|e| e.to_string())?;
        let answer = response.responses.first().and_then(|topic| topic.partitions.first());
        let answer = answer.ok_or("a fetch was answered without its partition")?;
        if answer.error_code != 0 {
            return Err(format!("a fetch at {position} failed: {:?}", ErrorCode::from_code(answer.error_code)));
        }
        let bytes = answer.records.as_ref().and_then(|records| records.as_bytes()).unwrap_or_default().to_vec();
        let last = ottla_protocol::BatchIter::new(&bytes).flatten().last();
        // At the end of a compacted log there may be nothing any more.
        let Some(next) = last.map(|batch| batch.next_offset()) else { break };
        position = next;
        chunks.push(bytes);
    }
    for chunk in &chunks {
        trace.add(format_args!("{name}-{index} from {start} to {end}"), chunk);
    }
    model.topics.get(name).partitions[index as usize].back(start, end, &chunks)
}

fn offset_at(node: &Node, now: Now, name: &str, index: i32, timestamp: i64) -> Result<i64, String> {
    let partition = ListOffsetsPartition {
        partition_index: index,
        timestamp,
        current_leader_epoch: -1,
        ..ListOffsetsPartition::default()
    };
    let topic = ListOffsetsTopic { name: name.into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    let body = ask(node, now, &request, 5)?;
    let response = ListOffsetsResponse::from_bytes(&body, 5).map_err(|e| e.to_string())?;
    let answer = response.topics.first().and_then(|topic| topic.partitions.first());
    let answer = answer.ok_or("offsets were answered without their partition")?;
    match ErrorCode::from_code(answer.error_code) {
        ErrorCode::None => Ok(answer.offset),
        other => Err(format!("the offset at {timestamp} can't be had: {other:?}")),
    }
}

/// Notes what must be there after such a death.
pub fn note_death(node: &Node, model: &mut Model, death: Death) {
    model.deaths += 1;
    let may_lose = model.may_lose(death);
    let logs = node.broker.replicas.logs();
    for (name, topic) in &mut model.topics.0 {
        for (index, partition) in topic.partitions.iter_mut().enumerate() {
            let log = logs.get_log(&TopicPartition::new(*name, index as i32));
            let flushed = log.map_or(0, |log| log.lock().recovery_point());
            partition.died(flushed, may_lose);
        }
    }
    if may_lose {
        model.losses += 1;
        model.commits.lost();
    }
}

/// Notes a death before the node was there.
pub fn note_death_at_start(model: &mut Model, death: Death) {
    if model.may_lose(death) {
        model.losses += 1;
        model.commits.lost();
        for partition in model.topics.0.values_mut().flat_map(|topic| &mut topic.partitions) {
            partition.died_again();
        }
    }
}

/// A produce request to a directory that was offline already is not acknowledged.
pub fn refused_by_storage(body: &[u8], version: i16) -> Check {
    let response = ProduceResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
    let mut answers = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    match answers.find(|answer| answer.error_code == 0) {
        Some(answer) => Err(format!("a failed directory acknowledged offset {}", answer.base_offset)),
        None => Ok(()),
    }
}

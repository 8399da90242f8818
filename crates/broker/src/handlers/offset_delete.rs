//! OffsetDelete 0 (KIP-496): forgets a group's offsets of topics that its members don't subscribe to.

use ottla_protocol::messages::offset_delete_request::OffsetDeleteRequest;
use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::{ApiKey, ErrorCode};

use super::group_answers::{another_kind, text};
use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::coordinator::group::messages::{self, GroupReply, GroupRequest, Text};
use crate::coordinator::runtime::Outcome;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::OffsetDelete, versions: (0, 0), facing: Facing::Client, handle };

/// Partitions of a topic, with what became of each.
type Outcomes = Vec<(Text, Vec<(i32, ErrorCode)>)>;

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: OffsetDeleteRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let (mut known, mut unknown) = (Vec::new(), Outcomes::new());
    for topic in request.topics {
        let name: Text = topic.name.into();
        let image = broker.metadata().image();
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        let (there, missing): (Vec<i32>, Vec<i32>) = indexes.partition(|p| image.partition(&name, *p).is_some());
        if !there.is_empty() {
            known.push((name.clone(), there));
        }
        if !missing.is_empty() {
            unknown.push((name, missing.into_iter().map(|p| (p, ErrorCode::UnknownTopicOrPartition)).collect()));
        }
    }
    let delete = messages::OffsetDeleteRequest { group_id: request.group_id.as_ref().into(), topics: known };
    let now = context.now;
    let outcome = broker.groups.request(now, &request.group_id, GroupRequest::OffsetDelete(delete), &mut || {
        let (responder, unknown) = (context.responder(), unknown.clone());
        Box::new(move |reply: GroupReply| responder.send(&response(&reply, &unknown)))
    });
    match outcome {
        Outcome::Now(reply) => context.reply(&response(&reply, &unknown)),
        Outcome::Later => Reply::Later,
    }
}

fn response<'a>(reply: &'a GroupReply, unknown: &'a Outcomes) -> OffsetDeleteResponse<'a> {
    let GroupReply::OffsetDelete(reply) = reply else { another_kind(reply) };
    if reply.error != ErrorCode::None {
        return OffsetDeleteResponse { error_code: reply.error.code(), ..Default::default() };
    }
    let mut topics: Vec<OffsetDeleteResponseTopic<'_>> = Vec::new();
    for (name, partitions) in unknown.iter().chain(&reply.topics) {
        let partitions = partitions.iter().map(|(partition_index, error)| OffsetDeleteResponsePartition {
            partition_index: *partition_index,
            error_code: error.code(),
        });
        match topics.iter_mut().find(|topic| topic.name == **name) {
            Some(topic) => topic.partitions.extend(partitions),
            None => topics.push(OffsetDeleteResponseTopic { name: text(name), partitions: partitions.collect() }),
        }
    }
    OffsetDeleteResponse { error_code: 0, throttle_time_ms: 0, topics }
}

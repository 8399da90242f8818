//! ListOffsets 1–11: offsets by time, and the special ones.
//!
//! Since 4 with leader epochs. Earliest (-2) and latest (-1) always, the largest timestamp (-3) since 7, the earliest local
//! one (-4) since 8, the latest tiered one (-5) since 9, the earliest not yet uploaded one (-6) since 11. There is no tiered
//! storage here, so the last two find nothing. A time or special value that the version doesn't know is
//! `UNSUPPORTED_VERSION`; a partition named twice is `INVALID_REQUEST`.

use std::collections::BTreeMap;

use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use ottla_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::{ApiKey, ErrorCode, Str};
use ottla_storage::ReadBound;

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::partition::{NO_EPOCH, TimeLookup};
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::ListOffsets, versions: (1, 11), facing: Facing::Client, handle };

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

const CONSUMER: i32 = -1;
/// A consumer that may ask any replica, for diagnosis.
const DEBUG_CONSUMER: i32 = -2;
const READ_COMMITTED: i8 = 1;

/// What was found: timestamp, offset, leader epoch; -1 where there is none.
type Found = (i64, i64, i32);
const NOTHING: Found = (-1, -1, NO_EPOCH);

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: ListOffsetsRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let bound = match (request.replica_id, request.isolation_level) {
        (CONSUMER, READ_COMMITTED) => ReadBound::LastStable,
        (CONSUMER, _) => ReadBound::HighWatermark,
        _ => ReadBound::LogEnd,
    };
    let only_leader = request.replica_id != DEBUG_CONSUMER;
    let mut times_named: BTreeMap<(&str, i32), u32> = BTreeMap::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            *times_named.entry((&topic.name, partition.partition_index)).or_default() += 1;
        }
    }
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let result = match times_named.get(&(&*topic.name, asked.partition_index)) {
                Some(2..) => Err(ErrorCode::InvalidRequest),
                _ => look_up(broker, context.api_version, &topic.name, asked, bound, only_leader),
            };
            respond(asked, result)
        });
        ListOffsetsTopicResponse { name: Str::Borrowed(&topic.name), partitions: partitions.collect() }
    });
    let topics = topics.collect();
    context.reply(&ListOffsetsResponse { topics, ..Default::default() })
}

fn respond(asked: &ListOffsetsPartition, result: Result<Found, ErrorCode>) -> ListOffsetsPartitionResponse {
    let (error, (timestamp, offset, leader_epoch)) = match result {
        Ok(found) => (ErrorCode::None, found),
        Err(error) => (error, NOTHING),
    };
    ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        error_code: error.code(),
        timestamp,
        offset,
        leader_epoch,
        ..Default::default()
    }
}

/// The first version that knows a special timestamp.
fn since(timestamp: i64) -> i16 {
    match timestamp {
        LATEST | EARLIEST | 0.. => 1,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => i16::MAX,
    }
}

fn look_up(
    broker: &Broker,
    version: i16,
    topic: &str,
    asked: &ListOffsetsPartition,
    bound: ReadBound,
    only_leader: bool,
) -> Result<Found, ErrorCode> {
    if version < since(asked.timestamp) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let partition = broker.replicas.partition_or_error(topic, asked.partition_index)?;
    let epoch = asked.current_leader_epoch;
    let by_time = |lookup| {
        let found = partition.offset_for_time(lookup, epoch, bound, only_leader)?;
        Ok(found.map_or(NOTHING, |found| (found.timestamp, found.offset, found.leader_epoch.unwrap_or(NO_EPOCH))))
    };
    match asked.timestamp {
        LATEST => {
            let (offset, leader_epoch) = partition.latest_offset(epoch, bound, only_leader)?;
            Ok((-1, offset, leader_epoch))
        }
        EARLIEST | EARLIEST_LOCAL => {
            let (offset, leader_epoch) = partition.earliest_offset(epoch, only_leader)?;
            Ok((-1, offset, leader_epoch.unwrap_or(NO_EPOCH)))
        }
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => {
            partition.earliest_offset(epoch, only_leader)?;
            Ok(NOTHING)
        }
        MAX_TIMESTAMP => by_time(TimeLookup::Largest),
        timestamp => by_time(TimeLookup::AtLeast(timestamp)),
    }
}

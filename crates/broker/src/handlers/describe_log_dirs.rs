//! DescribeLogDirs 0–5 (KIP-113, KIP-827): the log directories, their space and the logs in them. No directory is ever
//! cordoned (5).

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use ottla_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_protocol::{ApiKey, ErrorCode, Str};
use ottla_storage::log_manager::LogDirInfo;

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::DescribeLogDirs, versions: (0, 5), facing: Facing::Client, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: DescribeLogDirsRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let asked: Option<BTreeSet<(&str, i32)>> = request.topics.as_ref().map(|topics| {
        topics.iter().flat_map(|asked| asked.partitions.iter().map(|&partition| (&*asked.topic, partition))).collect()
    });
    let is_asked_for =
        |topic: &str, partition: i32| asked.as_ref().is_none_or(|asked| asked.contains(&(topic, partition)));
    let dirs = broker.replicas.logs().describe_log_dirs();
    let results = dirs.iter().map(|dir| describe(dir, &is_asked_for)).collect();
    context.reply(&DescribeLogDirsResponse { results, ..Default::default() })
}

fn describe<'a>(dir: &'a LogDirInfo, is_asked_for: &dyn Fn(&str, i32) -> bool) -> DescribeLogDirsResult<'a> {
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in dir.logs.iter().filter(|log| is_asked_for(&log.topic_partition.topic, log.topic_partition.partition)) {
        topics.entry(&log.topic_partition.topic).or_default().push(DescribeLogDirsPartition {
            partition_index: log.topic_partition.partition,
            partition_size: log.size as i64,
            offset_lag: log.offset_lag,
            is_future_key: log.is_future,
        });
    }
    let topics =
        topics.into_iter().map(|(name, partitions)| DescribeLogDirsTopic { name: Str::Borrowed(name), partitions });
    let error = if dir.error.is_some() { ErrorCode::KafkaStorageError } else { ErrorCode::None };
    DescribeLogDirsResult {
        error_code: error.code(),
        log_dir: dir.path.to_string_lossy(),
        topics: topics.collect(),
        total_bytes: dir.total_bytes,
        usable_bytes: dir.usable_bytes,
        is_cordoned: false,
    }
}

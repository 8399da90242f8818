//! What the logs hold: offsets by time, deletion of records, sizes of directories.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use ottla_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse, ListOffsetsRequest,
    ListOffsetsResponse,
};
use ottla_protocol::{ErrorCode, Str};

use super::Admin;
use crate::cluster::Backoff;
use crate::error::{ClientError, Result, check};

/// Which offset to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    Earliest,
    /// The next one to be written (or the last stable one).
    Latest,
    /// The first record at or after this time, ms since 1970.
    Timestamp(i64),
    /// The record with the largest timestamp (KIP-734).
    MaxTimestamp,
    /// The first one on the broker's own disk (KIP-405).
    EarliestLocal,
    /// The last one in tiered storage (KIP-1005).
    LatestTiered,
    /// The first one that tiered storage does not have yet (KIP-1023).
    EarliestPendingUpload,
}

impl OffsetSpec {
    fn wire(self) -> i64 {
        match self {
            Self::Timestamp(ms) => ms,
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::EarliestLocal => -4,
            Self::LatestTiered => -5,
            Self::EarliestPendingUpload => -6,
        }
    }

    /// The first version of ListOffsets that knows it.
    fn since(self) -> i16 {
        match self {
            Self::MaxTimestamp => 7,
            Self::EarliestLocal => 8,
            Self::LatestTiered => 9,
            Self::EarliestPendingUpload => 11,
            _ => 1,
        }
    }
}

/// An offset that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// `None`: there is no such record.
    pub offset: Option<i64>,
    /// -1 when it was not asked for by time.
    pub timestamp: i64,
    /// -1 for none.
    pub leader_epoch: i32,
}

/// A directory with logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    pub path: String,
    pub error: ErrorCode,
    pub replicas: Vec<LogDirReplica>,
    /// Bytes of the volume; `None` before 3.3.
    pub total_bytes: Option<i64>,
    pub usable_bytes: Option<i64>,
}

/// A log in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirReplica {
    pub partition: TopicPartition,
    pub size: i64,
    pub offset_lag: i64,
    /// Being moved here from another directory.
    pub is_future: bool,
}

type PerPartition<T> = BTreeMap<TopicPartition, Result<T>>;

impl Admin {
    /// Looks an offset up in each partition; asks again where the leader has moved.
    pub async fn list_offsets(
        &self,
        wanted: &BTreeMap<TopicPartition, OffsetSpec>,
        read_committed: bool,
    ) -> Result<PerPartition<ListedOffset>> {
        let mut results = PerPartition::new();
        let mut left = wanted.clone();
        let mut tries = Backoff::new(self.cluster.config().retry_backoff);
        let deadline = tokio::time::Instant::now() + self.cluster.config().api_timeout;
        loop {
            let (by_leader, without) = self.by_leader(left.iter().map(|(p, spec)| (p.clone(), *spec))).await?;
            results.extend(without.into_iter().map(|(partition, e)| (partition, Err(e))));
            for (leader, topics) in by_leader {
                match self.list_offsets_of(leader, &topics, read_committed).await {
                    Ok(found) => results.extend(found),
                    Err(e) => results.extend(all(&topics).map(|partition| (partition, Err(e.clone())))),
                }
            }
            let again = |partition: &TopicPartition| matches!(results.get(partition), Some(Err(e)) if e.is_retriable());
            left.retain(|partition, _| again(partition));
            // What does not exist now is not going to: one more look is for a topic that was just created.
            let hopeless = |p: &TopicPartition| {
                let code = results.get(p).and_then(|r| r.as_ref().err()).and_then(ClientError::code);
                code == Some(ErrorCode::UnknownTopicOrPartition) && tries.count > 0
            };
            left.retain(|partition, _| !hopeless(partition));
            if left.is_empty() || tokio::time::Instant::now() >= deadline {
                return Ok(results);
            }
            for partition in left.keys() {
                self.cluster.forget(&partition.topic);
            }
            tries.pause().await;
        }
    }

    async fn list_offsets_of(
        &self,
        leader: i32,
        topics: &BTreeMap<Arc<str>, Vec<(i32, OffsetSpec)>>,
        read_committed: bool,
    ) -> Result<PerPartition<ListedOffset>> {
        let connection = self.cluster.node(leader).await?;
        let version = connection.version_up_to::<ListOffsetsRequest<'_>>(i16::MAX)?;
        if topics.values().flatten().any(|(_, spec)| version < spec.since()) {
            let what = "this way to look for an offset".to_owned();
            return Err(ClientError::Unsupported { broker: connection.broker().to_owned(), what });
        }
        let topic = |(name, partitions): (&Arc<str>, &Vec<(i32, OffsetSpec)>)| ListOffsetsTopic {
            name: Str::Owned(name.to_string()),
            partitions: partitions
                .iter()
                .map(|&(partition_index, spec)| ListOffsetsPartition {
                    partition_index,
                    timestamp: spec.wire(),
                    ..Default::default()
                })
                .collect(),
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: if version >= 2 { i8::from(read_committed) } else { 0 },
            topics: topics.iter().map(topic).collect(),
            // Version 10 may have to look into tiered storage.
            timeout_ms: if version >= 10 { self.timeout_ms() } else { 0 },
        };
        let frame = connection.call_version(&request, version).await?;
        let answer: ListOffsetsResponse<'_> = frame.decode()?;
        let mut results = PerPartition::new();
        for topic in &answer.topics {
            for p in &topic.partitions {
                let partition = TopicPartition::new(topic.name.as_ref(), p.partition_index);
                let result = check(p.error_code, None, || partition.to_string());
                let offset = (p.offset >= 0).then_some(p.offset);
                let listed = ListedOffset { offset, timestamp: p.timestamp, leader_epoch: p.leader_epoch };
                results.insert(partition, result.map(|()| listed));
            }
        }
        Ok(results)
    }

    /// Deletes all records before an offset (-1: all there are); gives the first offset that is left.
    pub async fn delete_records(&self, before: &BTreeMap<TopicPartition, i64>) -> Result<PerPartition<i64>> {
        let (by_leader, without) = self.by_leader(before.iter().map(|(p, offset)| (p.clone(), *offset))).await?;
        let mut results: PerPartition<i64> = without.into_iter().map(|(partition, e)| (partition, Err(e))).collect();
        for (leader, topics) in by_leader {
            let connection = self.cluster.node(leader).await?;
            let topic = |(name, partitions): (&Arc<str>, &Vec<(i32, i64)>)| DeleteRecordsTopic {
                name: Str::Owned(name.to_string()),
                partitions: partitions
                    .iter()
                    .map(|&(partition_index, offset)| DeleteRecordsPartition { partition_index, offset })
                    .collect(),
            };
            let request =
                DeleteRecordsRequest { topics: topics.iter().map(topic).collect(), timeout_ms: self.timeout_ms() };
            let frame = connection.call(&request).await?;
            let answer: DeleteRecordsResponse<'_> = frame.decode()?;
            for topic in &answer.topics {
                for p in &topic.partitions {
                    let partition = TopicPartition::new(topic.name.as_ref(), p.partition_index);
                    let result = check(p.error_code, None, || partition.to_string());
                    results.insert(partition, result.map(|()| p.low_watermark));
                }
            }
        }
        Ok(results)
    }

    /// The directories of one broker: all logs, or those of some topics (`(topic, partitions)`).
    pub async fn describe_log_dirs(&self, broker: i32, topics: Option<&[(String, Vec<i32>)]>) -> Result<Vec<LogDir>> {
        let connection = self.cluster.node(broker).await?;
        let topics = topics.map(|topics| {
            let topic = |(topic, partitions): &(String, Vec<i32>)| DescribableLogDirTopic {
                topic: Str::Owned(topic.clone()),
                partitions: partitions.clone(),
            };
            topics.iter().map(topic).collect()
        });
        let frame = connection.call(&DescribeLogDirsRequest { topics }).await?;
        let answer: DescribeLogDirsResponse<'_> = frame.decode()?;
        check(answer.error_code, None, || format!("log directories of broker {broker}"))?;
        let known = |bytes: i64| (bytes >= 0).then_some(bytes);
        let dirs = answer.results.iter().map(|dir| {
            let mut replicas = Vec::new();
            for topic in &dir.topics {
                replicas.extend(topic.partitions.iter().map(|p| LogDirReplica {
                    partition: TopicPartition::new(topic.name.as_ref(), p.partition_index),
                    size: p.partition_size,
                    offset_lag: p.offset_lag,
                    is_future: p.is_future_key,
                }));
            }
            LogDir {
                path: dir.log_dir.to_string(),
                error: ErrorCode::from_code(dir.error_code),
                replicas,
                total_bytes: known(dir.total_bytes),
                usable_bytes: known(dir.usable_bytes),
            }
        });
        Ok(dirs.collect())
    }
}

fn all<T>(topics: &BTreeMap<Arc<str>, Vec<(i32, T)>>) -> impl Iterator<Item = TopicPartition> {
    topics.iter().flat_map(|(topic, items)| items.iter().map(|(p, _)| TopicPartition::new(topic.clone(), *p)))
}

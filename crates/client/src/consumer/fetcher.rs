//! Fetch requests: one under way to each leader, with incremental sessions (KIP-227).

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::{ErrorCode, Records, Str};

use super::fetched::{Buffer, Fetched, next_offset};
use crate::config::ConsumerConfig;
use crate::connection::{Connection, PendingAnswer, ResponseFrame};
use crate::error::{ClientError, Result};

/// The highest version that names topics and does not carry their ids.
const FETCH_BY_NAME: i16 = 12;
/// The first version with sessions.
const FETCH_SESSIONS: i16 = 7;

/// A broker that we fetch from.
pub(super) struct FetchNode {
    pub(super) connection: Connection,
    session_id: i32,
    epoch: i32,
    /// What the broker's session holds: the offsets it was told last.
    session: BTreeMap<TopicPartition, i64>,
    pub(super) in_flight: Option<InFlight>,
}

/// A request under way.
pub(super) struct InFlight {
    pub(super) answer: PendingAnswer,
    /// The offsets asked for: an answer for another position is not taken.
    pub(super) asked: BTreeMap<TopicPartition, i64>,
    pub(super) since: tokio::time::Instant,
}

/// What an answer says of one partition.
pub(super) enum Outcome {
    /// Whole batches, or none.
    Records(Fetched),
    /// There is nothing new.
    Nothing,
    Refused(ErrorCode),
    /// Fetch from this broker instead (KIP-392).
    Follow(i32),
    Failed(ClientError),
}

impl FetchNode {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, session_id: 0, epoch: 0, session: BTreeMap::new(), in_flight: None }
    }

    /// Begins a new session with the next request.
    fn reset_session(&mut self) {
        (self.session_id, self.epoch) = (0, 0);
        self.session.clear();
    }

    /// Asks for what comes at these positions.
    pub(super) fn fetch(&mut self, config: &ConsumerConfig, wanted: BTreeMap<TopicPartition, i64>) -> Result<()> {
        let version = self.connection.version_up_to::<FetchRequest<'_>>(FETCH_BY_NAME)?;
        let has_sessions = version >= FETCH_SESSIONS;
        let is_incremental = has_sessions && self.session_id != 0;
        let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
        for (partition, &fetch_offset) in &wanted {
            if is_incremental && self.session.get(partition) == Some(&fetch_offset) {
                continue;
            }
            topics.entry(&partition.topic).or_default().push(FetchPartition {
                partition: partition.partition,
                fetch_offset,
                partition_max_bytes: config.max_partition_fetch_bytes,
                ..Default::default()
            });
        }
        let mut forgotten: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        if is_incremental {
            for partition in self.session.keys().filter(|partition| !wanted.contains_key(*partition)) {
                forgotten.entry(&partition.topic).or_default().push(partition.partition);
            }
        }
        let topic = |(topic, partitions)| FetchTopic { topic: Str::Borrowed(topic), partitions, ..Default::default() };
        let forget =
            |(topic, partitions)| ForgottenTopic { topic: Str::Borrowed(topic), partitions, ..Default::default() };
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms: i32::try_from(config.fetch_max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: config.fetch_min_bytes,
            max_bytes: config.fetch_max_bytes,
            isolation_level: i8::from(config.read_committed),
            session_id: if has_sessions { self.session_id } else { 0 },
            session_epoch: if has_sessions { self.epoch } else { -1 },
            topics: topics.into_iter().map(topic).collect(),
            forgotten_topics_data: forgotten.into_iter().map(forget).collect(),
            rack_id: if version >= 11 { Str::Borrowed(&config.client_rack) } else { Str::default() },
            ..Default::default()
        };
        let answer = self.connection.send_version(&request, version)?;
        drop(request);
        if has_sessions {
            self.session.clone_from(&wanted);
        }
        self.in_flight = Some(InFlight { answer, asked: wanted, since: tokio::time::Instant::now() });
        Ok(())
    }

    /// Reads an answer to the request that `asked`; partitions of which it says nothing are left out.
    pub(super) fn read(
        &mut self,
        config: &ConsumerConfig,
        asked: &BTreeMap<TopicPartition, i64>,
        frame: ResponseFrame,
    ) -> Result<Vec<(TopicPartition, Outcome)>> {
        let mut found = Vec::new();
        {
            let answer: FetchResponse<'_> = frame.decode()?;
            let code = ErrorCode::from_code(answer.error_code);
            match code {
                ErrorCode::None => {}
                ErrorCode::FetchSessionIdNotFound | ErrorCode::InvalidFetchSessionEpoch => {
                    self.reset_session();
                    return Ok(Vec::new());
                }
                code => {
                    self.reset_session();
                    let what = format!("fetch from {}", self.connection.broker());
                    return Err(ClientError::Refused { code, message: None, what });
                }
            }
            if answer.session_id == 0 {
                self.reset_session();
            } else {
                self.epoch = if self.session_id == answer.session_id { next_epoch(self.epoch) } else { 1 };
                self.session_id = answer.session_id;
            }
            let base = frame.as_bytes().as_ptr() as usize;
            for topic in answer.responses {
                let name: Arc<str> = topic.topic.as_ref().into();
                for data in topic.partitions {
                    let partition = TopicPartition::new(name.clone(), data.partition_index);
                    let Some(&from) = asked.get(&partition) else { continue };
                    let code = ErrorCode::from_code(data.error_code);
                    let part = if !code.is_none() {
                        Part::Refused(code)
                    } else if data.preferred_read_replica >= 0 {
                        Part::Follow(data.preferred_read_replica)
                    } else {
                        let records = data.records.as_ref().and_then(Records::as_bytes).unwrap_or_default();
                        let at = (records.as_ptr() as usize).wrapping_sub(base);
                        let range = if records.is_empty() { (0, 0) } else { (at, at + records.len()) };
                        let aborted = data.aborted_transactions.filter(|_| config.read_committed).unwrap_or_default();
                        Part::Records {
                            range,
                            high_watermark: data.high_watermark,
                            log_start: data.log_start_offset,
                            aborted,
                        }
                    };
                    found.push((partition, from, part));
                }
            }
        }
        let buffer = Arc::new(Buffer { bytes: frame.into_bytes(), connection: self.connection.clone() });
        let outcomes = found.into_iter().map(|(partition, from, part)| {
            let outcome = part.outcome(&partition, from, &buffer, config);
            (partition, outcome)
        });
        Ok(outcomes.collect())
    }
}

/// The epoch after 2^31-1 is 1: 0 begins a session.
fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

/// What an answer says of one partition, no longer borrowing from it.
enum Part {
    Records {
        range: (usize, usize),
        high_watermark: i64,
        log_start: i64,
        aborted: Vec<ottla_protocol::messages::fetch_response::AbortedTransaction>,
    },
    Refused(ErrorCode),
    Follow(i32),
}

impl Part {
    fn outcome(self, partition: &TopicPartition, from: i64, buffer: &Arc<Buffer>, config: &ConsumerConfig) -> Outcome {
        let (range, high_watermark, log_start_offset, mut aborted) = match self {
            Self::Refused(code) => return Outcome::Refused(code),
            Self::Follow(broker) => return Outcome::Follow(broker),
            Self::Records { range, high_watermark, log_start, aborted } => (range, high_watermark, log_start, aborted),
        };
        let bytes = &buffer.bytes[range.0..range.1];
        let next = match next_offset(bytes) {
            Ok(Some(next)) => next.max(from),
            Ok(None) if bytes.is_empty() => return Outcome::Nothing,
            Ok(None) => {
                let max = config.max_partition_fetch_bytes;
                let text =
                    format!("{partition}: the batch at offset {from} is larger than max.partition.fetch.bytes={max}");
                return Outcome::Failed(ClientError::Protocol(text));
            }
            Err(e) => return Outcome::Failed(ClientError::Protocol(format!("{partition} at offset {from}: {e}"))),
        };
        aborted.sort_by_key(|transaction| transaction.first_offset);
        Outcome::Records(Fetched {
            partition: partition.clone(),
            high_watermark,
            log_start_offset,
            next_offset: next,
            from,
            buffer: buffer.clone(),
            range,
            aborted,
            check_crcs: config.check_crcs,
        })
    }
}

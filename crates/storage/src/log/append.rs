//! Appending: the leader's path sets offsets in place and writes once; the follower's takes batches as they are.

use ottla_base::time::Now;

use super::{Log, storage};
use crate::batch::{self, BatchHeader};
use crate::config::Codec;
use crate::error::{AppendError, RecordError};

/// Who appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A producer.
    Client,
    /// The group or transaction coordinator of this broker.
    Coordinator,
    /// A leader, to its follower's log.
    Replication,
}

/// How to append as leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendOptions {
    pub origin: AppendOrigin,
    /// Partitions of the coordinator's own topics take any number of batches; a producer's request has one.
    pub leader_epoch: i32,
}

/// What an append did.
#[doc(alias = "LogAppendInfo")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendInfo {
    pub first_offset: i64,
    pub last_offset: i64,
    /// Largest timestamp of the records.
    pub max_timestamp: i64,
    /// The broker's time, when the topic wants it; else -1.
    pub log_append_time: i64,
    pub log_start_offset: i64,
    pub record_count: i64,
    /// Bytes appended.
    pub bytes: usize,
    pub source_codec: Codec,
    /// The batch is in the log since an earlier try; nothing was appended, the offsets are the first try's.
    pub duplicate: bool,
    pub record_errors: Vec<RecordError>,
}

impl Log {
    /// Checks `records` (one or more batches, all of the bytes), gives them offsets in place and writes them.
    ///
    /// `flush.messages` is obeyed before this returns.
    pub fn append_as_leader(
        &mut self,
        records: &mut [u8],
        options: AppendOptions,
        now: Now,
    ) -> Result<AppendInfo, AppendError> {
        self.log_dir().check()?;
        let header = BatchHeader::parse(records).map_err(|e| AppendError::CorruptMessage(e.0))?;
        let first_offset = self.log_end_offset;
        batch::set_offset_and_epoch(records, first_offset, options.leader_epoch);
        self.guard("append", |log| {
            if log.active().size() as usize + records.len() > log.config.segment_bytes as usize {
                log.roll(now, None)?;
            }
            let config = log.config.clone();
            log.active_mut().append(records, &config)
        })
        .map_err(storage)?;
        self.log_end_offset += i64::from(header.last_offset_delta) + 1;
        Ok(AppendInfo {
            first_offset,
            last_offset: self.log_end_offset - 1,
            max_timestamp: header.max_timestamp,
            log_append_time: -1,
            log_start_offset: self.log_start_offset,
            record_count: i64::from(header.last_offset_delta) + 1,
            bytes: records.len(),
            source_codec: Codec::None,
            duplicate: false,
            record_errors: Vec::new(),
        })
    }

    /// Appends a leader's batches as they are; their offsets must continue the log.
    pub fn append_as_follower(&mut self, records: &[u8], now: Now) -> Result<AppendInfo, AppendError> {
        let mut copy = records.to_vec();
        let options = AppendOptions { origin: AppendOrigin::Replication, leader_epoch: 0 };
        self.append_as_leader(&mut copy, options, now)
    }
}

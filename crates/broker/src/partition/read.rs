//! What readers ask of a partition: records, offsets by time and name, epochs, producers.

use ottla_base::time::Now;
use ottla_protocol::ErrorCode;
use ottla_storage::log::{ActiveProducer, EpochEndOffset, OffsetAtTimestamp};
use ottla_storage::{LogRead, ReadBound, ReadError, SharedLog};

use super::Partition;
use super::state::{Role, State};

/// What a reader wants.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest {
    pub offset: i64,
    pub max_bytes: usize,
    pub bound: ReadBound,
    /// Give the first batch even when it is larger than `max_bytes`.
    pub min_one_message: bool,
    /// The leader epoch that the reader knows, or -1.
    pub current_leader_epoch: i32,
    /// The epoch of the last record that the reader has, or -1.
    pub last_fetched_epoch: i32,
    /// Only the leader may answer.
    pub only_leader: bool,
}

/// What a reader gets.
#[derive(Debug)]
pub enum ReadOutcome {
    Data(LogRead),
    /// The reader's log has parted from this one: the end of the last epoch that both know.
    Diverging {
        epoch: i32,
        end_offset: i64,
        high_watermark: i64,
        last_stable_offset: i64,
        log_start_offset: i64,
    },
}

/// How a timestamp is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLookup {
    /// The first record that is not older.
    AtLeast(i64),
    /// The first record with the largest timestamp.
    Largest,
}

impl Partition {
    /// Reads records. The log's error is the reader's answer.
    pub(crate) fn read(&self, request: &ReadRequest) -> Result<ReadOutcome, ErrorCode> {
        let state = self.state.read();
        let log = self.local_log(&state, request.current_leader_epoch, request.only_leader)?;
        let mut log = log.lock();
        if request.last_fetched_epoch >= 0 {
            let Some(end) = log.end_offset_for_epoch(request.last_fetched_epoch) else {
                return Err(ErrorCode::OffsetOutOfRange);
            };
            if request.offset < log.log_start_offset() {
                return Err(ErrorCode::OffsetOutOfRange);
            }
            if end.epoch < request.last_fetched_epoch || end.end_offset < request.offset {
                return Ok(ReadOutcome::Diverging {
                    epoch: end.epoch,
                    end_offset: end.end_offset,
                    high_watermark: log.high_watermark(),
                    last_stable_offset: log.last_stable_offset(),
                    log_start_offset: log.log_start_offset(),
                });
            }
        }
        log.read(request.offset, request.max_bytes, request.bound, request.min_one_message)
            .map(ReadOutcome::Data)
            .map_err(|error| read_error_code(&error))
    }

    /// Where an epoch ends in this log (KIP-101); `None` when it doesn't know.
    pub(crate) fn end_offset_for_epoch(
        &self,
        current_leader_epoch: i32,
        epoch: i32,
        only_leader: bool,
    ) -> Result<Option<EpochEndOffset>, ErrorCode> {
        let state = self.state.read();
        let log = self.local_log(&state, current_leader_epoch, only_leader)?;
        let end = log.lock().end_offset_for_epoch(epoch);
        Ok(end)
    }

    /// The offset that a reader with this bound is told to be the latest, and the leader epoch. A leader that has not yet
    /// brought its high watermark to the start of its epoch can't say (`OFFSET_NOT_AVAILABLE`).
    pub(crate) fn latest_offset(
        &self,
        current_leader_epoch: i32,
        bound: ReadBound,
        only_leader: bool,
    ) -> Result<(i64, i32), ErrorCode> {
        let state = self.state.read();
        let log = self.local_log(&state, current_leader_epoch, only_leader)?;
        let log = log.lock();
        if state.high_watermark_lags(log.high_watermark(), bound) {
            return Err(ErrorCode::OffsetNotAvailable);
        }
        let offset = match bound {
            ReadBound::LogEnd => log.log_end_offset(),
            ReadBound::HighWatermark => log.high_watermark(),
            ReadBound::LastStable => log.last_stable_offset(),
        };
        Ok((offset, state.leader_epoch))
    }

    /// The first offset, and the epoch of the record there.
    pub(crate) fn earliest_offset(
        &self,
        current_leader_epoch: i32,
        only_leader: bool,
    ) -> Result<(i64, Option<i32>), ErrorCode> {
        let state = self.state.read();
        let log = self.local_log(&state, current_leader_epoch, only_leader)?;
        let log = log.lock();
        let earliest = log.earliest_offset();
        Ok((earliest.offset, earliest.leader_epoch))
    }

    /// Looks a record up by its timestamp; `None` when the reader may see none such.
    pub(crate) fn offset_for_time(
        &self,
        lookup: TimeLookup,
        current_leader_epoch: i32,
        bound: ReadBound,
        only_leader: bool,
    ) -> Result<Option<OffsetAtTimestamp>, ErrorCode> {
        let state = self.state.read();
        let log = self.local_log(&state, current_leader_epoch, only_leader)?;
        let mut log = log.lock();
        let found = match lookup {
            TimeLookup::AtLeast(timestamp) => log.offset_for_timestamp(timestamp),
            TimeLookup::Largest => log.max_timestamp_offset(),
        };
        let found = found.map_err(|error| read_error_code(&error))?;
        let last_readable = match bound {
            ReadBound::LogEnd => log.log_end_offset(),
            ReadBound::HighWatermark => log.high_watermark(),
            ReadBound::LastStable => log.last_stable_offset(),
        };
        let visible = found.filter(|found| found.offset < last_readable);
        if visible.is_none() && state.high_watermark_lags(log.high_watermark(), bound) {
            return Err(ErrorCode::OffsetNotAvailable);
        }
        Ok(visible)
    }

    /// Moves the log start on to `offset` (-1: the high watermark) as the leader; gives the offset and the low watermark.
    pub(crate) fn delete_records(
        &self,
        now: Now,
        offset: i64,
        alive: &dyn Fn(i32) -> bool,
    ) -> Result<(i64, i64), ErrorCode> {
        let outcome = {
            if self.is_offline() {
                return Err(ErrorCode::KafkaStorageError);
            }
            let state = self.state.read();
            let (Role::Leader(_), Some(log)) = (&state.role, &state.log) else {
                return Err(ErrorCode::NotLeaderOrFollower);
            };
            let mut log = log.lock();
            if !log.config().delete {
                return Err(ErrorCode::PolicyViolation);
            }
            let target = if offset == -1 { log.high_watermark() } else { offset };
            if target < 0 {
                return Err(ErrorCode::OffsetOutOfRange);
            }
            log.delete_records(target).map_err(|error| read_error_code(&error))?;
            (target, state.low_watermark(log.log_start_offset(), alive))
        };
        self.watchers.wake(now);
        Ok(outcome)
    }

    /// The smallest log start of the replicas that are alive.
    pub(crate) fn low_watermark(&self, alive: &dyn Fn(i32) -> bool) -> Result<i64, ErrorCode> {
        if self.is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let state = self.state.read();
        let (Role::Leader(_), Some(log)) = (&state.role, &state.log) else {
            return Err(ErrorCode::NotLeaderOrFollower);
        };
        let start = log.lock().log_start_offset();
        Ok(state.low_watermark(start, alive))
    }

    /// Producers with state in the log (KIP-664).
    pub(crate) fn active_producers(&self) -> Result<Vec<ActiveProducer>, ErrorCode> {
        let state = self.state.read();
        let log = self.local_log(&state, -1, false)?;
        let producers = log.lock().active_producers();
        Ok(producers)
    }

    /// The log, if the reader's leader epoch is the current one and this replica may answer.
    fn local_log<'s>(&self, state: &'s State, epoch: i32, only_leader: bool) -> Result<&'s SharedLog, ErrorCode> {
        if self.is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        if epoch >= 0 && epoch < state.leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if epoch >= 0 && epoch > state.leader_epoch {
            return Err(ErrorCode::UnknownLeaderEpoch);
        }
        match (&state.role, &state.log) {
            (Role::Leader(_), Some(log)) => Ok(log),
            (Role::Follower, Some(log)) if !only_leader => Ok(log),
            _ => Err(ErrorCode::NotLeaderOrFollower),
        }
    }
}

pub(crate) fn read_error_code(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Corrupt(_) => ErrorCode::CorruptMessage,
        ReadError::Storage(_) => ErrorCode::KafkaStorageError,
    }
}

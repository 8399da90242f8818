//! What outsiders may know and do about the log's producers.

use ottla_base::time::Now;

use super::Log;

/// A producer as `DescribeProducers` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// -1 when none is known.
    pub last_sequence: i32,
    pub last_timestamp: i64,
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, or -1.
    pub current_txn_start_offset: i64,
}

impl Log {
    /// All producers the log knows, by id.
    #[must_use]
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        let show = |e: crate::producer_state_manager::ProducerStateEntry| ActiveProducer {
            producer_id: e.producer_id,
            producer_epoch: e.producer_epoch,
            last_sequence: e.last_sequence(),
            last_timestamp: e.last_timestamp,
            coordinator_epoch: e.coordinator_epoch,
            current_txn_start_offset: e.current_txn_first_offset.unwrap_or(-1),
        };
        self.producers.entries().into_iter().map(show).collect()
    }

    /// Forgets idle producers; gives their number.
    pub fn remove_expired_producers(&mut self, now: Now) -> usize {
        self.producers.remove_expired(now.wall_ms)
    }
}

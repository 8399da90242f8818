//! What the broker counts: plain numbers, which the server prints.

use std::sync::atomic::{AtomicU64, Ordering};

use ottla_protocol::ApiKey;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Highest API key that has a counter of its own.
const API_KEYS: usize = 128;

/// The broker's counters, since the start of the process.
#[doc(alias = "BrokerTopicMetrics")]
#[derive(Debug)]
pub struct BrokerMetrics {
    requests: [Counter; API_KEYS],
    /// Requests that no handler could read or that no API serves; each ended its connection.
    pub refused_requests: Counter,
    /// Bytes of record batches appended for producers.
    pub produced_bytes: Counter,
    pub produced_records: Counter,
    /// Partitions of produce requests that were refused.
    pub failed_produces: Counter,
    /// Bytes of record batches handed to consumers.
    pub fetched_bytes: Counter,
    /// Bytes of record batches handed to followers.
    pub replicated_bytes: Counter,
    /// Partitions of fetch requests that were answered with an error.
    pub failed_fetches: Counter,
    /// Waiting requests whose time ran out.
    pub expired_requests: Counter,
}

impl Default for BrokerMetrics {
    fn default() -> Self {
        Self {
            requests: std::array::from_fn(|_| Counter::default()),
            refused_requests: Counter::default(),
            produced_bytes: Counter::default(),
            produced_records: Counter::default(),
            failed_produces: Counter::default(),
            fetched_bytes: Counter::default(),
            replicated_bytes: Counter::default(),
            failed_fetches: Counter::default(),
            expired_requests: Counter::default(),
        }
    }
}

impl BrokerMetrics {
    pub(crate) fn count_request(&self, key: ApiKey) {
        if let Some(counter) = self.requests.get(key.code() as usize) {
            counter.add(1);
        }
    }

    /// Requests of this API that reached its handler.
    #[must_use]
    pub fn requests(&self, key: ApiKey) -> u64 {
        self.requests.get(key.code() as usize).map_or(0, Counter::get)
    }
}

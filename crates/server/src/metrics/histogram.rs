//! Latencies in fixed buckets.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper ends of the buckets in microseconds; one more bucket takes the rest.
pub const BOUNDS_US: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 30_000_000,
];

/// Counts of durations.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// The content of one or several histograms at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Durations per bucket, not cumulative.
    pub buckets: [u64; BOUNDS_US.len() + 1],
    pub sum_us: u64,
    pub count: u64,
}

impl Histogram {
    /// Adds one duration in microseconds.
    #[inline]
    pub fn record(&self, us: u64) {
        let bucket = BOUNDS_US.iter().position(|&bound| us <= bound).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// All of `histograms` together.
    pub fn sum<'a>(histograms: impl Iterator<Item = &'a Self>) -> Snapshot {
        let mut sum = Snapshot::default();
        for histogram in histograms {
            for (total, bucket) in sum.buckets.iter_mut().zip(&histogram.buckets) {
                *total += bucket.load(Ordering::Relaxed);
            }
            sum.sum_us += histogram.sum_us.load(Ordering::Relaxed);
        }
        sum.count = sum.buckets.iter().sum();
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_their_bucket() {
        let histogram = Histogram::default();
        for us in [0, 50, 51, u64::MAX >> 1] {
            histogram.record(us);
        }
        let sum = Histogram::sum([&histogram].into_iter());
        assert_eq!((sum.buckets[0], sum.buckets[1], sum.buckets[BOUNDS_US.len()], sum.count), (2, 1, 1, 4));
    }
}

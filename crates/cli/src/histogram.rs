//! Counts of values in buckets whose width grows with the value: percentiles to within 1.6 %, in 30 KB at most.

/// Buckets within each power of two.
const STEPS: u64 = 64;

#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: u128,
    max: u64,
}

impl Histogram {
    /// Adds a value, `times` over.
    pub fn record(&mut self, value: u64, times: u64) {
        let bucket = Self::bucket(value);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += times;
        self.total += times;
        self.sum += u128::from(value) * u128::from(times);
        self.max = self.max.max(value);
    }

    fn bucket(value: u64) -> usize {
        if value < STEPS {
            return value as usize;
        }
        let power = u64::from(value.ilog2() - STEPS.ilog2());
        (power * STEPS + (value >> power)) as usize
    }

    /// The lowest value that falls into a bucket.
    fn floor(bucket: usize) -> u64 {
        let bucket = bucket as u64;
        if bucket < 2 * STEPS {
            return bucket;
        }
        let power = bucket / STEPS - 1;
        (bucket - power * STEPS) << power
    }

    pub fn mean(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.sum as f64 / self.total as f64 }
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value below which `share` (0 to 1) of all lie.
    pub fn percentile(&self, share: f64) -> u64 {
        let mut left = (self.total as f64 * share).ceil().max(1.0) as u64;
        for (bucket, &count) in self.counts.iter().enumerate() {
            if count >= left {
                return Self::floor(bucket).min(self.max);
            }
            left -= count;
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_close() {
        let mut histogram = Histogram::default();
        (1..=100_000).for_each(|value| histogram.record(value, 1));
        for share in [0.01, 0.5, 0.9, 0.99, 0.999] {
            let (found, exact) = (histogram.percentile(share) as f64, 100_000.0 * share);
            assert!((found - exact).abs() <= exact * 0.017, "{share}: {found} against {exact}");
        }
        assert_eq!((histogram.max(), histogram.mean()), (100_000, 50_000.5));
        assert_eq!(Histogram::default().percentile(0.5), 0);
    }

    #[test]
    fn buckets_follow_each_other() {
        for value in (0..5_000).chain([1 << 20, (1 << 40) + 12_345, u64::MAX]) {
            let bucket = Histogram::bucket(value);
            assert!(
                Histogram::floor(bucket) <= value && (bucket == 0 || Histogram::floor(bucket - 1) < value),
                "{value}"
            );
        }
    }
}

//! Quotas: limits and counters in nodes below `/zookeeper/quota` (`Quotas`, `StatsTrack`).

/// Where quotas live.
pub const QUOTA_ROOT: &str = "/zookeeper/quota";
/// Node with the limits of the path it is under.
pub const LIMITS: &str = "zookeeper_limits";
/// Node with the counters of the path it is under.
pub const STATS: &str = "zookeeper_stats";

/// The content of a limits or counters node: `count=1,bytes=2`, with the hard limits as
/// `count=1,bytes=2=;byteHardLimit=3;countHardLimit=4`. -1 is "no limit".
#[doc(alias = "StatsTrack")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaStats {
    pub count: i64,
    pub bytes: i64,
    pub count_hard_limit: Option<i64>,
    pub byte_hard_limit: Option<i64>,
}

impl QuotaStats {
    /// Reads the text; unknown keys and bad numbers count as absent.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut stats = Self { count: -1, bytes: -1, count_hard_limit: None, byte_hard_limit: None };
        for pair in String::from_utf8_lossy(text).split([',', ';']) {
            let mut parts = pair.split('=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            let value = value.parse().unwrap_or(-1);
            match key {
                "count" => stats.count = value,
                "bytes" => stats.bytes = value,
                "countHardLimit" => stats.count_hard_limit = Some(value),
                "byteHardLimit" => stats.byte_hard_limit = Some(value),
                _ => {}
            }
        }
        stats
    }

    /// The text as ZooKeeper writes it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.count, self.bytes);
        if self.byte_hard_limit.is_some() || self.count_hard_limit.is_some() {
            // Older servers stop reading here.
            text.push('=');
        }
        for (key, limit) in [("byteHardLimit", self.byte_hard_limit), ("countHardLimit", self.count_hard_limit)] {
            if let Some(limit) = limit {
                text.push_str(&format!(";{key}={limit}"));
            }
        }
        text
    }

    /// True when these counters, changed by so much, pass a hard limit of `limits`.
    #[must_use]
    pub fn exceeds(&self, limits: &Self, bytes_diff: i64, count_diff: i64) -> bool {
        let over = |limit: Option<i64>, value: i64, diff: i64| {
            diff != 0 && limit.is_some_and(|limit| limit > -1 && value + diff > limit)
        };
        over(limits.count_hard_limit, self.count, count_diff) || over(limits.byte_hard_limit, self.bytes, bytes_diff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["count=-1,bytes=-1", "count=3,bytes=40=;byteHardLimit=5;countHardLimit=4"] {
            assert_eq!(QuotaStats::parse(text.as_bytes()).to_text(), text);
        }
        assert_eq!(QuotaStats::parse(b"garbage==;count=x").count, -1);
    }

    #[test]
    fn only_hard_limits_stop() {
        let now = QuotaStats::parse(b"count=3,bytes=40");
        assert!(!now.exceeds(&QuotaStats::parse(b"count=1,bytes=1"), 5, 1));
        assert!(now.exceeds(&QuotaStats::parse(b"count=-1,bytes=-1=;countHardLimit=3"), 5, 1));
        assert!(!now.exceeds(&QuotaStats::parse(b"count=-1,bytes=-1=;countHardLimit=3"), 5, 0));
        assert!(now.exceeds(&QuotaStats::parse(b"count=-1,bytes=-1=;byteHardLimit=44"), 5, 0));
    }
}

//! What the server counts about itself (`ServerStats`), typed, for the four-letter words and for Prometheus.

/// Least, greatest and mean of some durations, in microseconds.
#[doc(alias = "AvgMinMaxCounter")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    pub min_us: u64,
    pub max_us: u64,
    pub total_us: u64,
    pub count: u64,
}

impl Latency {
    pub fn add(&mut self, us: u64) {
        self.min_us = if self.count == 0 { us } else { self.min_us.min(us) };
        self.max_us = self.max_us.max(us);
        self.total_us += us;
        self.count += 1;
    }

    /// Mean in milliseconds, 0 when there is nothing.
    #[must_use]
    pub fn avg_ms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.total_us as f64 / self.count as f64 / 1_000.0 }
    }

    /// As `srvr` shows it: least, mean (four decimals) and greatest in milliseconds.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}/{}/{}", self.min_us / 1_000, java_double(self.avg_ms()), self.max_us / 1_000)
    }
}

/// A number as Java prints it, with at most four decimals and at least one.
pub(crate) fn java_double(value: f64) -> String {
    format!("{:?}", (value * 10_000.0).round() / 10_000.0)
}

/// Counters since the start or the last `srst`.
#[derive(Clone, Debug, Default)]
pub struct ServerStats {
    pub packets_received: u64,
    pub packets_sent: u64,
    /// From a request's arrival to its answer, all kinds.
    pub latency: Latency,
    pub read_latency: Latency,
    pub update_latency: Latency,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    /// Connect frames, and those among them that took a session up again.
    pub connect_requests: u64,
    pub revalidations: u64,
    pub connections_rejected: u64,
    pub connection_drops: u64,
    pub sessions_expired: u64,
    pub large_requests_rejected: u64,
    pub snapshots: u64,
    pub commits: u64,
    pub watch_events: u64,
    pub throttled: u64,
    pub auth_failed: u64,
    pub unrecoverable_errors: u64,
    pub containers_deleted: u64,
}

impl ServerStats {
    /// `srst`: latencies and packets start from nothing.
    pub fn reset(&mut self) {
        self.packets_received = 0;
        self.packets_sent = 0;
        self.latency = Latency::default();
        self.read_latency = Latency::default();
        self.update_latency = Latency::default();
    }
}

/// The server's state in figures at one moment.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    pub znode_count: u64,
    pub watch_count: u64,
    pub ephemerals_count: u64,
    pub approximate_data_size: u64,
    pub num_alive_connections: u64,
    pub outstanding_requests: u64,
    pub global_sessions: u64,
    pub last_zxid: i64,
    pub uptime_ms: u64,
    pub digest_mismatches: u64,
    pub acl_lists: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_text() {
        let mut latency = Latency::default();
        assert_eq!(latency.to_text(), "0/0.0/0");
        for us in [1_000, 2_000, 4_000] {
            latency.add(us);
        }
        assert_eq!(latency.to_text(), "1/2.3333/4");
    }
}

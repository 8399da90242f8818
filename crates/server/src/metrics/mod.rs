//! What is counted, and how it is told to Prometheus. Names and meanings: `docs/metrics.md`.
//!
//! The hot path adds to counters of its own thread, without locks or allocation; a scrape adds the threads up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_protocol::ApiKey;
use parking_lot::Mutex;

mod exposition;
mod histogram;
mod process;

pub use exposition::{Exposition, Kind};
pub use histogram::Histogram;
pub use process::Process;

/// One more than the largest API key; requests of unknown APIs are counted under it.
const APIS: usize = 94;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Requests of one API. Times in microseconds.
#[derive(Debug, Default)]
pub struct RequestMetrics {
    /// From the last byte of the request to the last byte of its answer.
    pub total: Histogram,
    /// Spent in the handler.
    pub local_us: Counter,
    /// Waited for something else: the other replicas, data to fetch, the group.
    pub remote_us: Counter,
    pub request_bytes: Counter,
    pub response_bytes: Counter,
}

impl RequestMetrics {
    /// A request of so many bytes was answered by so many. Times in microseconds of the monotonic clock.
    pub(crate) fn answered(&self, started_us: u64, done_us: u64, request_bytes: usize, response_bytes: usize) {
        self.total.record(done_us.saturating_sub(started_us));
        self.request_bytes.add(request_bytes as u64);
        self.response_bytes.add(response_bytes as u64);
    }
}

/// What one network thread counts.
#[derive(Debug)]
pub struct CoreMetrics {
    requests: Box<[RequestMetrics]>,
    pub connections_opened: Counter,
    pub connections_closed: Counter,
    /// Requests that ended their connection: malformed, unknown, oversized.
    pub bad_requests: Counter,
    /// Connections closed because nothing happened on them.
    pub idle_closed: Counter,
}

impl Default for CoreMetrics {
    fn default() -> Self {
        Self {
            requests: (0..=APIS).map(|_| RequestMetrics::default()).collect(),
            connections_opened: Counter::default(),
            connections_closed: Counter::default(),
            bad_requests: Counter::default(),
            idle_closed: Counter::default(),
        }
    }
}

impl CoreMetrics {
    /// The counters of an API, by its key as it stands in the request.
    #[must_use]
    pub fn request(&self, api_key: i16) -> &RequestMetrics {
        let index = usize::try_from(api_key).map_or(APIS, |key| key.min(APIS));
        &self.requests[index]
    }
}

/// Something that has metrics to tell at a scrape.
pub trait Source: Send + Sync {
    fn collect(&self, out: &mut Exposition);
}

/// All metrics of a process.
#[derive(Default)]
pub struct Metrics {
    cores: Mutex<Vec<Arc<CoreMetrics>>>,
    sources: Mutex<Vec<Arc<dyn Source>>>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metrics({} cores, {} sources)", self.cores.lock().len(), self.sources.lock().len())
    }
}

impl Metrics {
    /// Counters for a new network thread.
    pub fn add_core(&self) -> Arc<CoreMetrics> {
        let core = Arc::new(CoreMetrics::default());
        self.cores.lock().push(Arc::clone(&core));
        core
    }

    /// Asks `source` at every scrape from now on.
    pub fn add_source(&self, source: Arc<dyn Source>) {
        self.sources.lock().push(source);
    }

    /// The text of a scrape.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = Exposition::default();
        self.requests(&mut out);
        self.connections(&mut out);
        let sources = self.sources.lock().clone();
        for source in sources {
            source.collect(&mut out);
        }
        out.finish()
    }

    fn requests(&self, out: &mut Exposition) {
        let cores = self.cores.lock().clone();
        for key in 0..=APIS {
            let of_key: Vec<_> = cores.iter().map(|core| &core.requests[key]).collect();
            let total = Histogram::sum(of_key.iter().map(|requests| &requests.total));
            if total.count == 0 {
                continue;
            }
            let api = i16::try_from(key).ok().and_then(ApiKey::from_i16);
            let name = api.map_or_else(|| "Unknown".to_owned(), |api| format!("{api:?}"));
            let labels = [("request", name.as_str())];
            let sum = |pick: fn(&RequestMetrics) -> &Counter| of_key.iter().map(|r| pick(r).get()).sum::<u64>();
            let ms = |us: u64| us as f64 / 1_000.0;
            let counter = Kind::Counter;
            out.sample(
                "kafka_network_requestmetrics_requests_total",
                counter,
                "Requests answered.",
                &labels,
                total.count as f64,
            );
            out.histogram(
                "kafka_network_requestmetrics_totaltimems",
                "Milliseconds from a request's last byte to its answer's last byte.",
                &labels,
                &total,
            );
            out.sample(
                "kafka_network_requestmetrics_localtimems_total",
                counter,
                "Milliseconds spent in handlers.",
                &labels,
                ms(sum(|r| &r.local_us)),
            );
            out.sample(
                "kafka_network_requestmetrics_remotetimems_total",
                counter,
                "Milliseconds spent waiting for replicas, data or group members.",
                &labels,
                ms(sum(|r| &r.remote_us)),
            );
            out.sample(
                "kafka_network_requestmetrics_requestbytes_total",
                counter,
                "Bytes of requests.",
                &labels,
                sum(|r| &r.request_bytes) as f64,
            );
            out.sample(
                "kafka_network_requestmetrics_responsebytes_total",
                counter,
                "Bytes of answers.",
                &labels,
                sum(|r| &r.response_bytes) as f64,
            );
        }
    }

    fn connections(&self, out: &mut Exposition) {
        let cores = self.cores.lock().clone();
        let mut processors = 0;
        for (id, core) in cores.iter().enumerate() {
            let id = id.to_string();
            let labels = [("processor", id.as_str())];
            let (opened, closed) = (core.connections_opened.get(), core.connections_closed.get());
            let open = opened.saturating_sub(closed) as f64;
            let counter = Kind::Counter;
            out.sample(
                "kafka_server_socketservermetrics_connection_count",
                Kind::Gauge,
                "Open connections.",
                &labels,
                open,
            );
            let name = "kafka_server_socketservermetrics_connection_creation_total";
            out.sample(name, counter, "Connections accepted.", &labels, opened as f64);
            let name = "kafka_server_socketservermetrics_connection_close_total";
            out.sample(name, counter, "Connections closed.", &labels, closed as f64);
            let name = "kafka_server_socketservermetrics_bad_requests_total";
            out.sample(name, counter, "Connections closed for a bad request.", &labels, core.bad_requests.get() as f64);
            let name = "kafka_server_socketservermetrics_idle_closed_total";
            out.sample(name, counter, "Connections closed for idleness.", &labels, core.idle_closed.get() as f64);
            processors += 1;
        }
        out.sample("kafka_network_processors", Kind::Gauge, "Network threads.", &[], f64::from(processors));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_adds_the_threads_up() {
        let metrics = Metrics::default();
        let (a, b) = (metrics.add_core(), metrics.add_core());
        a.request(0).total.record(300);
        b.request(0).total.record(70_000);
        b.request(0).request_bytes.add(17);
        b.request(-5).total.record(1);
        let text = metrics.render();
        assert!(text.contains("kafka_network_requestmetrics_requests_total{request=\"Produce\"} 2\n"), "{text}");
        assert!(text.contains("kafka_network_requestmetrics_requestbytes_total{request=\"Produce\"} 17\n"));
        assert!(text.contains("request=\"Unknown\""));
        assert!(text.contains("kafka_network_requestmetrics_totaltimems_bucket{request=\"Produce\",le=\"0.5\"} 1\n"));
        assert!(text.contains("kafka_network_requestmetrics_totaltimems_bucket{request=\"Produce\",le=\"+Inf\"} 2\n"));
        assert_eq!(text.matches("# TYPE kafka_network_requestmetrics_totaltimems histogram").count(), 1);
    }
}

//! The process itself, by the names that every Prometheus client library uses.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Exposition, Kind, Source};

/// Clock ticks per second in `/proc`: fixed at 100 for programs on every Linux.
const TICKS: f64 = 100.0;

/// CPU time, memory, descriptors and start time of this process.
#[derive(Debug)]
pub struct Process {
    started: f64,
}

impl Process {
    /// Notes the present moment as the start.
    #[must_use]
    pub fn started_now() -> Self {
        Self { started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() }
    }
}

impl Source for Process {
    fn collect(&self, out: &mut Exposition) {
        let gauge = Kind::Gauge;
        out.sample("process_start_time_seconds", gauge, "Start, seconds since 1970.", &[], self.started);
        if let Some(seconds) = cpu_seconds() {
            out.sample("process_cpu_seconds_total", Kind::Counter, "CPU time used, user and system.", &[], seconds);
        }
        if let Some((resident, threads)) = memory_and_threads() {
            out.sample("process_resident_memory_bytes", gauge, "Memory in RAM.", &[], resident);
            out.sample("process_threads", gauge, "Threads.", &[], threads);
        }
        if let Ok(fds) = fs::read_dir("/proc/self/fd") {
            out.sample("process_open_fds", gauge, "Open descriptors.", &[], fds.count() as f64);
        }
        if let Some(limit) = crate::descriptors::limit() {
            out.sample("process_max_fds", gauge, "Most descriptors allowed.", &[], limit as f64);
        }
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th fields after it.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

fn memory_and_threads() -> Option<(f64, f64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<f64>().ok()
    };
    Some((field("VmRSS:")? * 1_024.0, field("Threads:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_of_this_process() {
        let mut out = Exposition::default();
        Process::started_now().collect(&mut out);
        let text = out.finish();
        for name in
            ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds"]
        {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name} in {text}");
        }
    }
}

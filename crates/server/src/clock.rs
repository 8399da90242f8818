//! The one place that reads the clock for everything below.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ottla_base::time::Now;

/// Gives the time to the pure crates. Copies tell the same monotonic time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_us: self.mono_us(), wall_ms: wall.as_millis() as i64 }
    }

    /// Microseconds since the start: cheaper than [`Self::now`] where only a duration is wanted.
    #[must_use]
    pub fn mono_us(&self) -> u64 {
        self.origin.elapsed().as_micros() as u64
    }
}

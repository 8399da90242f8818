//! Time comes in as an argument: nothing below `server` reads a clock.

/// The moment at which an input arrives, read once by the driver (the server's clock, or the simulator's).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// Microseconds of a clock that never goes back; for timeouts and latencies.
    pub mono_us: u64,
    /// Milliseconds since 1970 of a clock that may jump; for timestamps that users see.
    pub wall_ms: i64,
}

impl Now {
    /// Milliseconds of the clock that never goes back.
    #[must_use]
    pub fn mono_ms(self) -> u64 {
        self.mono_us / 1_000
    }

    /// This moment moved on by `ms` milliseconds on both clocks.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self { mono_us: self.mono_us + ms * 1_000, wall_ms: self.wall_ms + ms as i64 }
    }
}

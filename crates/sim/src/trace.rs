//! What happened in a run, as a running hash, and as lines for those who want to read them.

use std::fmt;

/// FNV-1a over everything that a run produced; two runs of one seed must agree.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    events: u64,
    print: bool,
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

impl Trace {
    /// `print` writes every event to standard error.
    #[must_use]
    pub fn new(print: bool) -> Self {
        Self { hash: FNV_OFFSET, events: 0, print }
    }

    /// Adds an event and the bytes that came with it.
    pub fn add(&mut self, what: fmt::Arguments<'_>, bytes: &[u8]) {
        self.events += 1;
        if self.print {
            eprintln!("{:>7} {what} ({} bytes, {:016x})", self.events, bytes.len(), fnv(FNV_OFFSET, bytes));
        }
        struct Sink(u64);
        impl fmt::Write for Sink {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0 = fnv(self.0, text.as_bytes());
                Ok(())
            }
        }
        let mut sink = Sink(self.hash);
        // The sink takes everything.
        let _ = fmt::write(&mut sink, what);
        self.hash = fnv(sink.0, bytes);
    }

    /// The hash of all events so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Events so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }
}

fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
}

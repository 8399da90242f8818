//! Incremental fetch sessions (KIP-227).

/// The sessions of this broker.
#[derive(Debug)]
pub struct FetchSessionCache {
    slots: usize,
}

impl FetchSessionCache {
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self { slots }
    }

    /// Most sessions that are remembered at once.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }
}

//! What a coordinator's state machine is to the runtime.

use ottla_base::time::Now;
use ottla_protocol::ErrorCode;

use super::log::BadRecord;

/// Names a waiting request inside one shard, so that the state machine can answer it later without holding its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A record of an internal topic.
pub trait CoordinatorRecord: Sized {
    fn key(&self) -> Vec<u8>;
    /// `None` is a tombstone.
    fn value(&self) -> Option<Vec<u8>>;
    /// Reads what a log holds. `Ok(None)` is a record of a kind that this coordinator doesn't know, to be passed over.
    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self>, BadRecord>;
}

/// Records to append as one batch, and what to do after.
#[derive(Debug)]
pub struct Append<S: CoordinatorShard> {
    /// Without records it only waits until everything appended so far is replicated.
    pub records: Vec<S::Record>,
    /// Whether the records are replayed once appended. `false` where the shard holds the change already as soft state.
    pub replay: bool,
    /// Handed back to [`CoordinatorShard::completed`].
    pub then: S::Then,
}

/// What an operation wants done: answers that can go at once, and appends.
#[derive(Debug)]
pub struct Effects<S: CoordinatorShard> {
    pub replies: Vec<(Ticket, S::Reply)>,
    pub appends: Vec<Append<S>>,
}

impl<S: CoordinatorShard> Default for Effects<S> {
    fn default() -> Self {
        Self { replies: Vec::new(), appends: Vec::new() }
    }
}

impl<S: CoordinatorShard> Effects<S> {
    pub fn reply(&mut self, ticket: Ticket, reply: S::Reply) {
        self.replies.push((ticket, reply));
    }
}

/// The state of one partition of an internal topic, and the rules by which it changes.
///
/// Every ticket that comes in by [`request`](Self::request) is answered exactly once: at once, or by a later call.
pub trait CoordinatorShard: Sized {
    type Record: CoordinatorRecord + std::fmt::Debug;
    type Request;
    type Reply: std::fmt::Debug;
    /// What to do when an append is replicated, or failed.
    type Then: std::fmt::Debug;

    /// Takes in one stored record, when loading and after an append. `offset` is the record's, `producer_id` is set when the
    /// record is part of a transaction.
    fn replay(&mut self, offset: i64, producer_id: Option<i64>, record: Self::Record);

    /// Takes in the marker that ends a transaction.
    fn replay_end_transaction(&mut self, producer_id: i64, committed: bool);

    /// All stored records were replayed: arm the timers.
    fn loaded(&mut self, now: Now, fx: &mut Effects<Self>);

    /// This broker doesn't lead the partition any more: answer whoever waits.
    fn unloaded(&mut self, fx: &mut Effects<Self>);

    fn request(&mut self, now: Now, ticket: Ticket, request: Self::Request, fx: &mut Effects<Self>);

    /// An append's records are on all replicas of the ISR, or could not be appended or replicated in time.
    fn completed(&mut self, now: Now, then: Self::Then, result: Result<(), ErrorCode>, fx: &mut Effects<Self>);

    /// Runs the timers that are due.
    fn tick(&mut self, now: Now, fx: &mut Effects<Self>);

    /// When the next timer is due, in milliseconds of the clock that never goes back.
    fn next_deadline_ms(&self) -> Option<u64>;
}

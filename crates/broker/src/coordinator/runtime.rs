//! Runs shards over the partitions of one internal topic that this broker leads.
//!
//! A partition is *loading* until its log was replayed ([`Runtime::run_loads`], in chunks, on a thread that may take its
//! time), then *active* until this broker resigns. Each has one mutex; what is locked below it are partitions of the replica
//! manager, never another shard. Answers are handed over after the mutex is released.
//!
//! An append is acknowledged when the high watermark passes its end: with one replica within the call, otherwise when
//! [`Runtime::advance`] tells so; after the write timeout it fails.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering};

use ottla_base::hash::FixedMap;
use ottla_base::ids::TopicPartition;
use ottla_base::time::Now;
use ottla_protocol::ErrorCode;
use parking_lot::{Mutex, MutexGuard, RwLock};

use super::log::{Appended, CoordinatorLog, KeyValue, LogEntry};
use super::shard::{Append, CoordinatorRecord, CoordinatorShard, Effects, Ticket};

/// Takes the answer to a request that had to wait.
pub type Callback<R> = Box<dyn FnOnce(R) + Send>;

/// What became of a request.
#[derive(Debug)]
pub enum Outcome<R> {
    Now(R),
    /// The callback gets the answer.
    Later,
}

const LOADING: u8 = 0;
const ACTIVE: u8 = 1;
const FAILED: u8 = 2;
const CLOSED: u8 = 3;

struct Cell<S: CoordinatorShard> {
    partition: TopicPartition,
    leader_epoch: AtomicI32,
    /// When [`Runtime::tick`] has to look in, or `u64::MAX`; kept outside the mutex so that ticks cost nothing.
    deadline_ms: AtomicU64,
    /// Read before the mutex, so that a request to a partition that loads is refused and not held up.
    status: AtomicU8,
    inner: Mutex<Inner<S>>,
}

impl<S: CoordinatorShard> Cell<S> {
    /// False when the partition was closed meanwhile.
    fn leave_loading(&self, status: u8) -> bool {
        self.status.compare_exchange(LOADING, status, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// To be called before the mutex is released.
    fn note_deadline(&self, inner: &Inner<S>) {
        let late = inner.deferred.front().map(|deferred| deferred.deadline_ms);
        let deadline = inner.shard.next_deadline_ms().into_iter().chain(late).min();
        self.deadline_ms.store(deadline.unwrap_or(u64::MAX), Ordering::Release);
    }
}

struct Inner<S: CoordinatorShard> {
    shard: S,
    /// Where loading goes on; `None` before the first chunk.
    load_from: Option<i64>,
    /// End of what this shard appended.
    written: i64,
    /// What the high watermark is known to have reached.
    replicated: i64,
    /// Appended and not replicated yet, by offset.
    deferred: VecDeque<Deferred<S>>,
    waiting: FixedMap<Ticket, Callback<S::Reply>>,
    next_ticket: u64,
}

struct Deferred<S: CoordinatorShard> {
    end_offset: i64,
    deadline_ms: u64,
    then: S::Then,
}

/// Answers to hand over once the mutex is released.
struct Outbox<R> {
    /// The ticket whose answer the caller takes itself, and the answer.
    own: (Option<Ticket>, Option<R>),
    calls: Vec<(Callback<R>, R)>,
}

impl<R> Outbox<R> {
    fn new(own: Option<Ticket>) -> Self {
        Self { own: (own, None), calls: Vec::new() }
    }

    fn send(self) {
        for (callback, reply) in self.calls {
            callback(reply);
        }
    }
}

/// How a runtime behaves.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeSettings {
    /// How long an append may take to be replicated.
    pub write_timeout_ms: u64,
    /// About how many bytes one step of loading reads.
    pub load_chunk_bytes: usize,
}

/// The shards of one internal topic.
#[doc(alias = "CoordinatorRuntime")]
pub struct Runtime<S: CoordinatorShard> {
    topic: Arc<str>,
    log: Arc<dyn CoordinatorLog>,
    settings: RuntimeSettings,
    make_shard: Box<dyn Fn(i32) -> S + Send + Sync>,
    cells: RwLock<BTreeMap<i32, Arc<Cell<S>>>>,
    /// Not led here any more; who waits for them has not been told yet.
    closing: Mutex<Vec<Arc<Cell<S>>>>,
}

impl<S: CoordinatorShard> std::fmt::Debug for Runtime<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runtime({}, {} partitions)", self.topic, self.cells.read().len())
    }
}

impl<S: CoordinatorShard> Runtime<S> {
    /// `make_shard` makes the empty shard of a partition.
    pub fn new(
        topic: impl Into<Arc<str>>,
        log: Arc<dyn CoordinatorLog>,
        settings: RuntimeSettings,
        make_shard: Box<dyn Fn(i32) -> S + Send + Sync>,
    ) -> Self {
        Self { topic: topic.into(), log, settings, make_shard, cells: RwLock::default(), closing: Mutex::default() }
    }

    /// This broker leads the partition from now on: load it. An empty one, as of a topic just made, is active at once.
    #[doc(alias = "onElection")]
    pub fn elect(&self, now: Now, partition: i32, leader_epoch: i32) {
        if let Some(cell) = self.open_cell(partition, leader_epoch)
            && self.log.offsets(&cell.partition).is_some_and(|offsets| offsets.start == offsets.end)
        {
            self.load_step(now, &cell);
        }
    }

    /// The cell of a partition newly led here; `None` when it has one.
    fn open_cell(&self, partition: i32, leader_epoch: i32) -> Option<Arc<Cell<S>>> {
        let mut cells = self.cells.write();
        if let Some(cell) = cells.get(&partition)
            && cell.status.load(Ordering::Acquire) != FAILED
        {
            // Still the leader: what is loaded stays.
            cell.leader_epoch.fetch_max(leader_epoch, Ordering::AcqRel);
            return None;
        }
        tracing::info!(topic = %self.topic, partition, leader_epoch, "loading a coordinator's partition");
        let inner = Inner {
            shard: (self.make_shard)(partition),
            load_from: None,
            written: 0,
            replicated: 0,
            deferred: VecDeque::new(),
            waiting: FixedMap::default(),
            next_ticket: 0,
        };
        let cell = Arc::new(Cell {
            partition: TopicPartition::new(self.topic.clone(), partition),
            leader_epoch: AtomicI32::new(leader_epoch),
            deadline_ms: AtomicU64::new(u64::MAX),
            status: AtomicU8::new(LOADING),
            inner: Mutex::new(inner),
        });
        cells.insert(partition, cell.clone());
        Some(cell)
    }

    /// This broker doesn't lead the partition any more, since `leader_epoch`, or whatever the epoch (it is deleted).
    ///
    /// May be called from within an append of this very runtime, when the append finds that the disk failed: then whoever
    /// waits is told by the next [`tick`](Self::tick).
    #[doc(alias = "onResignation")]
    pub fn resign(&self, now: Now, partition: i32, leader_epoch: Option<i32>) {
        let cell = {
            let mut cells = self.cells.write();
            let Some(cell) = cells.get(&partition) else { return };
            if leader_epoch.is_some_and(|epoch| epoch < cell.leader_epoch.load(Ordering::Acquire)) {
                return;
            }
            cells.remove(&partition)
        };
        let Some(cell) = cell else { return };
        tracing::info!(topic = %self.topic, partition, "a coordinator's partition moved away");
        cell.status.store(CLOSED, Ordering::Release);
        self.closing.lock().push(cell);
        self.finish_closing(now);
    }

    /// Unloads shards that are not led here any more and not in use.
    fn finish_closing(&self, now: Now) {
        let closing = std::mem::take(&mut *self.closing.lock());
        for cell in closing {
            match cell.inner.try_lock() {
                Some(inner) => unload(inner, now),
                None => self.closing.lock().push(cell.clone()),
            }
        }
    }

    /// The partitions led here, loading or not.
    #[must_use]
    pub fn partitions(&self) -> Vec<i32> {
        self.cells.read().keys().copied().collect()
    }

    fn cell(&self, partition: i32) -> Result<Arc<Cell<S>>, ErrorCode> {
        let cell = self.cells.read().get(&partition).cloned().ok_or(ErrorCode::NotCoordinator)?;
        match cell.status.load(Ordering::Acquire) {
            ACTIVE => Ok(cell),
            LOADING => Err(ErrorCode::CoordinatorLoadInProgress),
            _ => Err(ErrorCode::NotCoordinator),
        }
    }

    /// Runs a request. `callback` is called, at once, if the answer has to wait. The request comes back where it can't run.
    pub fn request(
        &self,
        now: Now,
        partition: i32,
        request: S::Request,
        callback: &mut dyn FnMut() -> Callback<S::Reply>,
    ) -> Result<Outcome<S::Reply>, (S::Request, ErrorCode)> {
        let cell = match self.cell(partition) {
            Ok(cell) => cell,
            Err(error) => return Err((request, error)),
        };
        let mut inner = cell.inner.lock();
        if cell.status.load(Ordering::Acquire) != ACTIVE {
            return Err((request, ErrorCode::NotCoordinator));
        }
        let ticket = Ticket(inner.next_ticket);
        inner.next_ticket += 1;
        let mut outbox = Outbox::new(Some(ticket));
        let mut fx = Effects::default();
        inner.shard.request(now, ticket, request, &mut fx);
        self.settle(&cell, &mut inner, now, fx, &mut outbox);
        let outcome = match outbox.own.1.take() {
            Some(reply) => Outcome::Now(reply),
            None => {
                inner.waiting.insert(ticket, callback());
                Outcome::Later
            }
        };
        cell.note_deadline(&inner);
        drop(inner);
        outbox.send();
        Ok(outcome)
    }

    /// Looks into a shard. What it sees may not be replicated yet.
    pub fn read<T>(&self, partition: i32, look: impl FnOnce(&S) -> T) -> Result<T, ErrorCode> {
        let cell = self.cell(partition)?;
        let inner = cell.inner.lock();
        if cell.status.load(Ordering::Acquire) != ACTIVE {
            return Err(ErrorCode::NotCoordinator);
        }
        Ok(look(&inner.shard))
    }

    /// Runs timers that are due and fails appends that took too long.
    pub fn tick(&self, now: Now) {
        self.finish_closing(now);
        let is_due = |cell: &&Arc<Cell<S>>| cell.deadline_ms.load(Ordering::Acquire) <= now.mono_ms();
        let due: Vec<Arc<Cell<S>>> = self.cells.read().values().filter(is_due).cloned().collect();
        for cell in due {
            let mut outbox = Outbox::new(None);
            let mut inner = cell.inner.lock();
            if cell.status.load(Ordering::Acquire) == ACTIVE {
                self.run_due(&cell, &mut inner, now, &mut outbox);
            }
            cell.note_deadline(&inner);
            drop(inner);
            outbox.send();
        }
    }

    fn run_due(&self, cell: &Cell<S>, inner: &mut Inner<S>, now: Now, outbox: &mut Outbox<S::Reply>) {
        if inner.shard.next_deadline_ms().is_some_and(|deadline| deadline <= now.mono_ms()) {
            let mut fx = Effects::default();
            inner.shard.tick(now, &mut fx);
            self.settle(cell, inner, now, fx, outbox);
        }
        self.complete_replicated(cell, inner, now, outbox);
        self.fail_late(cell, inner, now, outbox);
    }

    /// The partition's high watermark moved: lets go what waited for it. Not to be called with a partition locked.
    pub fn advance(&self, now: Now, partition: i32) {
        let Ok(cell) = self.cell(partition) else { return };
        let mut outbox = Outbox::new(None);
        let mut inner = cell.inner.lock();
        if cell.status.load(Ordering::Acquire) == ACTIVE {
            self.complete_replicated(&cell, &mut inner, now, &mut outbox);
        }
        cell.note_deadline(&inner);
        drop(inner);
        outbox.send();
    }

    /// When [`tick`](Self::tick) has something to do next, in milliseconds of the clock that never goes back.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let cells = self.cells.read();
        let deadlines = cells.values().map(|cell| cell.deadline_ms.load(Ordering::Acquire));
        deadlines.min().filter(|deadline| *deadline != u64::MAX)
    }

    /// Carries out what a shard wants, until it wants nothing more.
    fn settle(
        &self,
        cell: &Cell<S>,
        inner: &mut Inner<S>,
        now: Now,
        mut fx: Effects<S>,
        outbox: &mut Outbox<S::Reply>,
    ) {
        loop {
            deliver(inner, std::mem::take(&mut fx.replies), outbox);
            let appends = std::mem::take(&mut fx.appends);
            if appends.is_empty() {
                return;
            }
            for append in appends {
                self.append(cell, inner, now, append, &mut fx);
            }
        }
    }

    fn append(&self, cell: &Cell<S>, inner: &mut Inner<S>, now: Now, append: Append<S>, fx: &mut Effects<S>) {
        let Append { records, replay, then } = append;
        if !records.is_empty() {
            let encoded: Vec<KeyValue> = records.iter().map(|record| (record.key(), record.value())).collect();
            let appended = match self.append_if_open(cell, now, &encoded) {
                Ok(appended) => appended,
                Err(error) => {
                    tracing::warn!(partition = %cell.partition, ?error, "a coordinator's records could not be appended");
                    return inner.shard.completed(now, then, Err(error), fx);
                }
            };
            let count = encoded.len() as i64;
            if replay {
                for (offset, record) in (appended.base_offset..).zip(records) {
                    inner.shard.replay(offset, None, record);
                }
            }
            inner.written = appended.base_offset + count;
            inner.replicated = inner.replicated.max(appended.high_watermark);
        }
        if inner.written <= inner.replicated {
            inner.shard.completed(now, then, Ok(()), fx);
        } else {
            let deadline_ms = now.mono_ms() + self.settings.write_timeout_ms;
            inner.deferred.push_back(Deferred { end_offset: inner.written, deadline_ms, then });
        }
    }

    fn append_if_open(&self, cell: &Cell<S>, now: Now, records: &[KeyValue]) -> Result<Appended, ErrorCode> {
        if cell.status.load(Ordering::Acquire) == CLOSED {
            // Elected again meanwhile, another shard may have loaded the log already: what we wrote now it would not know.
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        self.log.append(now, &cell.partition, records)
    }

    fn complete_replicated(&self, cell: &Cell<S>, inner: &mut Inner<S>, now: Now, outbox: &mut Outbox<S::Reply>) {
        if inner.deferred.is_empty() {
            return;
        }
        if let Some(offsets) = self.log.offsets(&cell.partition) {
            inner.replicated = inner.replicated.max(offsets.high_watermark);
        }
        while inner.deferred.front().is_some_and(|deferred| deferred.end_offset <= inner.replicated) {
            let Some(deferred) = inner.deferred.pop_front() else { return };
            let mut fx = Effects::default();
            inner.shard.completed(now, deferred.then, Ok(()), &mut fx);
            self.settle(cell, inner, now, fx, outbox);
        }
    }

    fn fail_late(&self, cell: &Cell<S>, inner: &mut Inner<S>, now: Now, outbox: &mut Outbox<S::Reply>) {
        // Deadlines are in the order of the appends.
        while inner.deferred.front().is_some_and(|deferred| deferred.deadline_ms <= now.mono_ms()) {
            let Some(deferred) = inner.deferred.pop_front() else { return };
            let mut fx = Effects::default();
            inner.shard.completed(now, deferred.then, Err(ErrorCode::RequestTimedOut), &mut fx);
            self.settle(cell, inner, now, fx, outbox);
        }
    }

    /// Loads one chunk of one partition. True while there is more to load. Reads from the disk: not for a network thread.
    pub fn run_loads(&self, now: Now) -> bool {
        let cells: Vec<Arc<Cell<S>>> = self.cells.read().values().cloned().collect();
        let mut loading = cells.iter().filter(|cell| cell.status.load(Ordering::Acquire) == LOADING);
        let Some(cell) = loading.next() else { return false };
        let more_cells = loading.next().is_some();
        let done = self.load_step(now, cell);
        more_cells || !done
    }

    /// Loads a chunk; true when that was the last, or loading failed.
    fn load_step(&self, now: Now, cell: &Cell<S>) -> bool {
        let mut outbox = Outbox::new(None);
        let mut inner = cell.inner.lock();
        let done = match self.load_chunk(cell, &mut inner) {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(partition = %cell.partition, ?error, "a coordinator's partition could not be loaded");
                cell.leave_loading(FAILED);
                return true;
            }
        };
        if done && cell.leave_loading(ACTIVE) {
            let mut fx = Effects::default();
            inner.shard.loaded(now, &mut fx);
            self.settle(cell, &mut inner, now, fx, &mut outbox);
            tracing::info!(partition = %cell.partition, end_offset = inner.written, "loaded a coordinator's partition");
        }
        cell.note_deadline(&inner);
        drop(inner);
        outbox.send();
        done
    }

    /// Replays the next piece of the log; true at its end.
    fn load_chunk(&self, cell: &Cell<S>, inner: &mut Inner<S>) -> Result<bool, ErrorCode> {
        let offsets = self.log.offsets(&cell.partition).ok_or(ErrorCode::NotLeaderOrFollower)?;
        // The cleaner or DeleteRecords may have moved the start past us.
        let from = inner.load_from.unwrap_or(offsets.start).max(offsets.start);
        let shard = &mut inner.shard;
        let mut bad = 0;
        let next = if from >= offsets.end {
            from
        } else {
            let mut visit = |entry: LogEntry<'_>| match entry {
                LogEntry::Record { offset, producer_id, key, value } => match S::Record::decode(key, value) {
                    Ok(Some(record)) => shard.replay(offset, producer_id, record),
                    Ok(None) => {
                        tracing::debug!(partition = %cell.partition, offset, "passed over a record of an unknown kind")
                    }
                    Err(error) => {
                        bad += 1;
                        tracing::error!(partition = %cell.partition, offset, %error, "a coordinator's record cannot be read");
                    }
                },
                LogEntry::EndTransaction { producer_id, committed, .. } => {
                    shard.replay_end_transaction(producer_id, committed);
                }
            };
            self.log.read(&cell.partition, from, self.settings.load_chunk_bytes, &mut visit)?
        };
        if bad > 0 {
            // Going on without them could hand out offsets that are older than what was acknowledged.
            return Err(ErrorCode::CorruptMessage);
        }
        inner.load_from = Some(next);
        inner.written = offsets.end;
        inner.replicated = offsets.high_watermark;
        if next <= from && from < offsets.end {
            // No progress: never loop on it.
            return Err(ErrorCode::CorruptMessage);
        }
        Ok(next >= offsets.end)
    }
}

/// Tells everybody who waits for a shard that it is not here any more.
fn unload<S: CoordinatorShard>(mut inner: MutexGuard<'_, Inner<S>>, now: Now) {
    let mut outbox = Outbox::new(None);
    let mut fx = Effects::default();
    for deferred in std::mem::take(&mut inner.deferred) {
        inner.shard.completed(now, deferred.then, Err(ErrorCode::NotCoordinator), &mut fx);
    }
    inner.shard.unloaded(&mut fx);
    // What it wanted to append is not ours to append any more; those who wait for it are told so.
    for append in std::mem::take(&mut fx.appends) {
        inner.shard.completed(now, append.then, Err(ErrorCode::NotCoordinator), &mut fx);
    }
    deliver(&mut inner, std::mem::take(&mut fx.replies), &mut outbox);
    drop(inner);
    outbox.send();
}

/// Sorts answers: the caller's own, and those that go to waiting requests.
fn deliver<S: CoordinatorShard>(inner: &mut Inner<S>, replies: Vec<(Ticket, S::Reply)>, outbox: &mut Outbox<S::Reply>) {
    for (ticket, reply) in replies {
        if outbox.own.0 == Some(ticket) {
            outbox.own.1 = Some(reply);
        } else if let Some(callback) = inner.waiting.remove(&ticket) {
            outbox.calls.push((callback, reply));
        }
    }
}

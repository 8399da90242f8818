//! Writing transactions: all that wait in one go, one sync for all of them, on a thread of its own or, when a sync is no
//! matter, where they come from.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Receiver;

use ottla_keeper::ensemble::{Entry, Job, JournalWriter, Written};
use ottla_keeper::storage::StorageError;
use ottla_keeper::txn_batch::TxnBatch;
use ottla_keeper::txn_log::TxnLog;

use super::Shared;

/// What the thread writes to.
pub(crate) enum Journal {
    Alone(TxnLog),
    Member(Box<JournalWriter>),
}

/// What the thread is given.
#[derive(Debug)]
pub(super) enum Work {
    Append(Arc<TxnBatch>),
    Roll,
    /// Of a server of an ensemble.
    Entry(Entry),
}

/// What the thread has done.
#[derive(Debug)]
pub(super) struct Done {
    pub durable: Durable,
    /// Transactions of one sync, and how long they and it took.
    pub transactions: usize,
    pub took_us: u64,
}

#[derive(Debug)]
pub(super) enum Durable {
    /// Everything up to this transaction.
    Alone {
        zxid: i64,
    },
    Member(Written),
}

/// A write and its sync are quick when they take no longer than waking up a thread and being woken up by it, in
/// microseconds.
const QUICK_US: u64 = 50;
/// A write that takes longer was no chance.
const SLOW_US: u64 = 1_000;
/// So many quick writes more than others say that the disk is quick.
const ENOUGH_QUICK: u32 = 32;
/// What a write is taken for that was neither quick nor slow.
const QUICK_ONES_LOST: u32 = 8;
/// Little is written by the connections' thread itself: so many works, each of one client's requests.
const LITTLE_WORKS: usize = 4;
/// And so many bytes.
const LITTLE_BYTES: usize = 4 << 10;

/// How quick writes were of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    quick: AtomicU32,
}

impl Pace {
    /// Only who has the journal calls this.
    fn note(&self, took_us: u64) {
        let quick = self.quick.load(Ordering::Relaxed);
        let quick = if took_us <= QUICK_US {
            (quick + 1).min(2 * ENOUGH_QUICK)
        } else if took_us <= SLOW_US {
            quick.saturating_sub(QUICK_ONES_LOST)
        } else {
            0
        };
        self.quick.store(quick, Ordering::Relaxed);
    }

    /// As if all writes had been quick, or none.
    #[cfg(test)]
    pub(super) fn believe(&self, quick: bool) {
        self.quick.store(if quick { 2 * ENOUGH_QUICK } else { 0 }, Ordering::Relaxed);
    }

    /// Will a write keep nobody waiting?
    pub(super) fn is_quick(&self) -> bool {
        self.quick.load(Ordering::Relaxed) >= ENOUGH_QUICK
    }
}

/// True for some transactions of a few clients of a server alone.
pub(super) fn is_little(works: &[Work]) -> bool {
    let bytes = |work: &Work| if let Work::Append(batch) = work { batch.bytes().len() } else { LITTLE_BYTES };
    (1..=LITTLE_WORKS).contains(&works.len()) && works.iter().map(bytes).sum::<usize>() < LITTLE_BYTES
}

/// Writes until the host stops or the log fails.
pub(super) fn run(queue: &Receiver<Vec<Work>>, shared: &Arc<Shared>) {
    while let Ok(first) = queue.recv() {
        let mut journal = shared.journal.lock();
        let mut taken = 1;
        let more = queue.try_iter().inspect(|_| taken += 1).flatten();
        if let Err(why) = carry_out(&mut journal, first.into_iter().chain(more), shared) {
            return shared.fail(&why);
        }
        shared.finished.fetch_add(taken, Ordering::Release);
    }
}

/// Carries everything out, and tells what is durable then. After a failure nothing is known of the unsynced bytes: it is
/// never tried again.
pub(super) fn carry_out(
    journal: &mut Journal,
    works: impl Iterator<Item = Work>,
    shared: &Arc<Shared>,
) -> Result<(), String> {
    match journal {
        Journal::Alone(log) => {
            let began_us = shared.clock.mono_us();
            let done = write(log, works, shared).map_err(|error| describe(&error, is_full(&error)))?;
            shared.pace.note(shared.clock.mono_us().saturating_sub(began_us));
            if let Some(done) = done {
                shared.post(done);
            }
            Ok(())
        }
        Journal::Member(writer) => carry_out_entries(writer, works.collect(), shared),
    }
}

/// Writes all that waits; tells what is durable now.
fn write(log: &mut TxnLog, works: impl Iterator<Item = Work>, shared: &Shared) -> io::Result<Option<Done>> {
    let mut last = None;
    let mut transactions = 0;
    for work in works {
        match work {
            Work::Append(batch) => {
                log.append(&batch)?;
                transactions += batch.len();
                last = batch.last_zxid().or(last);
            }
            Work::Roll => log.roll()?,
            // Only servers of an ensemble have entries.
            Work::Entry(_) => {}
        }
    }
    let Some(zxid) = last else { return Ok(None) };
    let began_us = shared.clock.mono_us();
    log.sync()?;
    let took_us = shared.clock.mono_us().saturating_sub(began_us);
    Ok(Some(Done { durable: Durable::Alone { zxid }, transactions, took_us }))
}

fn carry_out_entries(writer: &mut JournalWriter, works: Vec<Work>, shared: &Arc<Shared>) -> Result<(), String> {
    let entries: Vec<Entry> =
        works.into_iter().filter_map(|work| if let Work::Entry(entry) = work { Some(entry) } else { None }).collect();
    let replaces = |entry: &Entry| matches!(entry.job, Job::Truncate { .. } | Job::InstallSnapshot(_));
    // A snapshot of the tree as it was may not appear among the files as they will be.
    let exclusive = entries.iter().any(replaces).then(|| shared.naming.lock());
    if exclusive.is_some() {
        shared.generation.fetch_add(1, Ordering::AcqRel);
    }
    let transactions: usize =
        entries.iter().map(|entry| if let Job::Append(txns) = &entry.job { txns.len() } else { 0 }).sum();
    let began_us = shared.clock.mono_us();
    let written = writer
        .carry_out(entries)
        .map_err(|error| describe(&error, matches!(&error, StorageError::Io { error, .. } if is_full(error))))?;
    drop(exclusive);
    if let Some(written) = written {
        let took_us = shared.clock.mono_us().saturating_sub(began_us);
        shared.post(Done { durable: Durable::Member(written), transactions, took_us });
    }
    Ok(())
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::StorageFull
}

fn describe(error: &dyn fmt::Display, full: bool) -> String {
    let remedy = if full { "; make room there, and start it again" } else { "" };
    format!("its transaction log cannot be written: {error}{remedy}")
}

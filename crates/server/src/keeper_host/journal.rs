//! The thread that writes transactions: all that wait in one go, one sync for all of them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
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

/// Writes until the host stops or the log fails. After a failure nothing is known of the unsynced bytes: it is never
/// tried again.
pub(super) fn run(mut journal: Journal, queue: &Receiver<Vec<Work>>, shared: &Arc<Shared>) {
    while let Ok(first) = queue.recv() {
        let works = first.into_iter().chain(queue.try_iter().flatten());
        let done = match &mut journal {
            Journal::Alone(log) => match write(log, works, shared) {
                Ok(done) => {
                    if let Some(done) = done {
                        shared.post(done);
                    }
                    Ok(())
                }
                Err(error) => Err(describe(&error, is_full(&error))),
            },
            Journal::Member(writer) => carry_out(writer, works.collect(), shared),
        };
        if let Err(why) = done {
            return shared.fail(&why);
        }
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

fn carry_out(writer: &mut JournalWriter, works: Vec<Work>, shared: &Arc<Shared>) -> Result<(), String> {
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

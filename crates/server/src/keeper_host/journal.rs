//! The thread that writes transactions: all that wait in one go, one sync for all of them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use ottla_keeper::keeper_server::Input;
use ottla_keeper::txn_batch::TxnBatch;
use ottla_keeper::txn_log::TxnLog;

use super::Shared;

/// What the thread is given.
#[derive(Debug)]
pub(super) enum Work {
    Append(Arc<TxnBatch>),
    Roll,
}

/// Writes until the host stops or the log fails. After a failure nothing is known of the unsynced bytes: it is never
/// tried again.
pub(super) fn run(mut log: TxnLog, queue: &Receiver<Work>, shared: &Arc<Shared>) {
    while let Ok(first) = queue.recv() {
        match write(&mut log, first, queue) {
            Ok(Some(zxid)) => shared.step(Input::Persisted { zxid }),
            Ok(None) => {}
            Err(error) => return shared.fail("its transaction log cannot be written", &error),
        }
    }
}

/// Writes `first` and all that waits behind it; gives the last transaction that is durable now.
fn write(log: &mut TxnLog, first: Work, queue: &Receiver<Work>) -> io::Result<Option<i64>> {
    let mut last = None;
    let mut next = Some(first);
    while let Some(work) = next {
        match work {
            Work::Append(batch) => {
                log.append(&batch)?;
                last = batch.last_zxid().or(last);
            }
            Work::Roll => log.roll()?,
        }
        next = queue.try_recv().ok();
    }
    if last.is_some() {
        log.sync()?;
    }
    Ok(last)
}

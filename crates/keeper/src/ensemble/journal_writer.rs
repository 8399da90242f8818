//! Carries out what a server of an ensemble wants written, in order: shared by the real host and the simulator.

use super::{Entry, Job};
use crate::database::Database;
use crate::storage::{ACCEPTED_EPOCH, CURRENT_EPOCH, KeeperStorage, StorageError};
use crate::txn_batch::TxnBatch;
use crate::txn_log::TxnLog;
use crate::zab::{ConnId, Txn};

/// What [`JournalWriter::carry_out`] did.
#[derive(Debug)]
pub struct Written {
    /// Everything up to here is on disk.
    pub ticket: u64,
    /// The tree that takes the place of the machine's: installed, or read again.
    pub database: Option<Box<Database>>,
    /// What was read for learners.
    pub read: Vec<(ConnId, Vec<Txn>)>,
}

/// The files of a server of an ensemble, as one thread writes them.
#[derive(Debug)]
pub struct JournalWriter {
    storage: KeeperStorage,
    log: TxnLog,
}

impl JournalWriter {
    /// A writer whose next transaction starts a new file.
    #[must_use]
    pub fn new(storage: &KeeperStorage) -> Self {
        Self { storage: storage.clone(), log: storage.log() }
    }

    /// Does these jobs in order, with one sync for all transactions that follow each other; `None` when there are none.
    /// After an error nothing is known of what was not synced: the server must end.
    pub fn carry_out(&mut self, entries: impl IntoIterator<Item = Entry>) -> Result<Option<Written>, StorageError> {
        let mut written: Option<Written> = None;
        let mut batch = TxnBatch::default();
        let mut read = Vec::new();
        for Entry { ticket, job } in entries {
            let database = match job {
                Job::Append(txns) => {
                    txns.iter().for_each(|txn| batch.push(txn.zxid, &txn.data));
                    None
                }
                Job::ReadLog { conn, from } => {
                    self.write(&mut batch)?;
                    self.sync()?;
                    read.push((conn, self.storage.txns_from(from)));
                    None
                }
                other => {
                    self.write(&mut batch)?;
                    self.carry_out_one(other)?
                }
            };
            let database = database.or_else(|| written.take().and_then(|before| before.database));
            written = Some(Written { ticket, database, read: Vec::new() });
        }
        self.write(&mut batch)?;
        self.sync()?;
        Ok(written.map(|written| Written { read, ..written }))
    }

    /// Everything but appending. What was appended before is on disk first: an epoch says that this history is there.
    fn carry_out_one(&mut self, job: Job) -> Result<Option<Box<Database>>, StorageError> {
        self.sync()?;
        match job {
            Job::Append(_) | Job::ReadLog { .. } => {}
            Job::Roll => self.log.roll().map_err(|error| self.storage.log_failed(error))?,
            Job::AcceptedEpoch(epoch) => self.storage.write_epoch(ACCEPTED_EPOCH, epoch)?,
            Job::CurrentEpoch(epoch) => self.storage.write_epoch(CURRENT_EPOCH, epoch)?,
            Job::KeepConfigurations(texts) => self.storage.keep_configurations(&texts)?,
            Job::Truncate { zxid, reload } => {
                self.storage.truncate(zxid)?;
                self.log = self.storage.log();
                if reload {
                    return self.storage.reload(zxid).map(Some);
                }
            }
            Job::InstallSnapshot(database) => {
                self.storage.install(&database)?;
                self.log = self.storage.log();
                return Ok(Some(database));
            }
        }
        Ok(None)
    }

    fn write(&mut self, batch: &mut TxnBatch) -> Result<(), StorageError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.log.append(&std::mem::take(batch)).map_err(|error| self.storage.log_failed(error))
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.log.sync().map(drop).map_err(|error| self.storage.log_failed(error))
    }
}

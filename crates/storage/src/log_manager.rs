//! All logs of a broker, in its log directories.
//!
//! The work of background threads (retention, flushing, checkpoints, cleaning) is offered as plain functions; who calls
//! them, and when, is the server's to decide. No function holds the map of logs while it does I/O.

mod checkpoints;
mod cleaning;
mod describe;
mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_base::disk::{Disk, DiskLock, OpenMode};
use ottla_base::ids::{TopicPartition, Uuid};
use ottla_base::time::Now;
use parking_lot::{Mutex, RwLock};

use crate::checkpoint::Offsets;
use crate::config::{LogConfig, ManagerConfig};
use crate::error::StorageError;
use crate::log::SharedLog;
use crate::log_dir::{self, CLEAN_SHUTDOWN_FILE, LOCK_FILE, LogDir};
use crate::log_loader;

pub use describe::{LogDirInfo, LogSize};
pub use load::LoadTask;

/// Why the log directories can't be used at all.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has the directory.
    Locked(PathBuf),
    /// The same partition lies in two directories.
    Duplicate { topic_partition: TopicPartition, first: PathBuf, second: PathBuf },
    /// Not one directory works.
    AllOffline(StorageError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(dir) => {
                write!(f, "{} is locked by another process; stop that one, or point log.dirs elsewhere", dir.display())
            }
            Self::Duplicate { topic_partition, first, second } => write!(
                f,
                "{topic_partition} is in {} and in {}; remove the one that is out of date",
                first.display(),
                second.display()
            ),
            Self::AllOffline(e) => write!(f, "no log directory works: {e}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Settings of a topic, by its name.
pub type ConfigOf<'a> = &'a (dyn Fn(&str) -> Arc<LogConfig> + Sync);

/// A folder renamed to `-delete`.
#[derive(Debug)]
struct PendingDelete {
    due_ms: u64,
    dir: Arc<LogDir>,
    path: PathBuf,
}

pub struct LogManager {
    dirs: Vec<Arc<LogDir>>,
    locks: Mutex<Vec<Box<dyn DiskLock>>>,
    config: ManagerConfig,
    pub(crate) logs: RwLock<BTreeMap<TopicPartition, SharedLog>>,
    future_logs: RwLock<BTreeMap<TopicPartition, SharedLog>>,
    pending_deletes: Mutex<Vec<PendingDelete>>,
    /// One log is made at a time, so that the choice of directory and the map agree.
    creation: Mutex<()>,
    /// The cleaner's checkpoints of all directories.
    cleaned_up_to: Mutex<Offsets>,
    /// The checkpoints on disk name logs that are gone: one made under the same name must not inherit from them.
    stale_checkpoints: AtomicBool,
    /// Held from the look at the offsets to the end of the write: one that was overtaken by a deletion must not be written
    /// after the log was made again.
    checkpointing: Mutex<()>,
    /// Logs with damaged batches.
    uncleanable: Mutex<BTreeSet<TopicPartition>>,
}

impl fmt::Debug for LogManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogManager")
            .field("dirs", &self.dirs)
            .field("logs", &self.logs.read().len())
            .finish_non_exhaustive()
    }
}

impl LogManager {
    /// Makes and locks the directories. One that fails is offline; only a locked one, or none left, is an error.
    pub fn open(disk: Arc<dyn Disk>, dirs: &[PathBuf], config: ManagerConfig) -> Result<Self, OpenError> {
        let mut opened = Vec::new();
        let mut locks = Vec::new();
        let mut failure = None;
        for path in dirs {
            let dir = LogDir::new(path, disk.clone());
            match make_dir(disk.as_ref(), path).and_then(|()| disk.lock(&path.join(LOCK_FILE))) {
                Ok(lock) => locks.push(lock),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(OpenError::Locked(path.clone())),
                Err(e) => failure = Some(dir.fail("open the log directory", &e)),
            }
            opened.push(dir);
        }
        if let Some(e) = failure.filter(|_| opened.iter().all(|d| d.is_offline())) {
            return Err(OpenError::AllOffline(e));
        }
        Ok(Self {
            dirs: opened,
            locks: Mutex::new(locks),
            config,
            logs: RwLock::default(),
            future_logs: RwLock::default(),
            pending_deletes: Mutex::default(),
            creation: Mutex::new(()),
            cleaned_up_to: Mutex::default(),
            stale_checkpoints: AtomicBool::new(false),
            checkpointing: Mutex::new(()),
            uncleanable: Mutex::default(),
        })
    }

    #[must_use]
    pub fn config(&self) -> &ManagerConfig {
        &self.config
    }

    #[must_use]
    pub fn dirs(&self) -> &[Arc<LogDir>] {
        &self.dirs
    }

    /// The directories that work.
    pub fn live_dirs(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter().filter(|d| !d.is_offline())
    }

    #[must_use]
    pub fn get_log(&self, tp: &TopicPartition) -> Option<SharedLog> {
        self.logs.read().get(tp).cloned()
    }

    /// The replica of `tp` that moves to another directory.
    #[must_use]
    pub fn get_future_log(&self, tp: &TopicPartition) -> Option<SharedLog> {
        self.future_logs.read().get(tp).cloned()
    }

    /// All logs, by partition.
    #[must_use]
    pub fn all_logs(&self) -> Vec<(TopicPartition, SharedLog)> {
        self.logs.read().iter().map(|(tp, log)| (tp.clone(), log.clone())).collect()
    }

    /// The log of `tp`; made in the live directory with the fewest logs when missing.
    pub fn get_or_create_log(
        &self,
        tp: &TopicPartition,
        topic_id: Option<Uuid>,
        config: Arc<LogConfig>,
        now: Now,
    ) -> Result<SharedLog, StorageError> {
        let _one_at_a_time = self.creation.lock();
        if let Some(log) = self.get_log(tp) {
            return Ok(log);
        }
        if self.stale_checkpoints.swap(false, Ordering::Relaxed) {
            self.checkpoint_recovery_points();
            self.checkpoint_log_start_offsets();
            self.checkpoint_high_watermarks();
            for dir in self.live_dirs() {
                self.checkpoint_cleaner(dir);
            }
        }
        let dir = self.emptiest_dir()?;
        let log = dir.guard(&format!("make the log of {tp}"), || {
            let expiration_ms = self.config.producer_id_expiration_ms;
            log_loader::create(&dir, &log_dir::log_dir_name(tp), tp.clone(), topic_id, config, expiration_ms, now)
        })?;
        tracing::info!(partition = %tp, dir = %dir.path().display(), "made a log");
        let log = Arc::new(Mutex::new(log));
        self.logs.write().insert(tp.clone(), log.clone());
        Ok(log)
    }

    fn emptiest_dir(&self) -> Result<Arc<LogDir>, StorageError> {
        let mut live: Vec<(usize, &Arc<LogDir>)> = self.live_dirs().map(|d| (0, d)).collect();
        if live.len() > 1 {
            for (_, log) in self.all_logs() {
                let dir = log.lock().log_dir().clone();
                if let Some((count, _)) = live.iter_mut().find(|(_, d)| Arc::ptr_eq(d, &dir)) {
                    *count += 1;
                }
            }
        }
        match live.into_iter().min_by_key(|(count, _)| *count) {
            Some((_, dir)) => Ok(dir.clone()),
            None => {
                Err(self.dirs.iter().find_map(|d| d.check().err()).expect("no directory is live, so one is offline"))
            }
        }
    }

    /// Takes a log away: its folder is renamed now and removed after `file.delete.delay.ms`. `unique` is random. False
    /// when there is no such log.
    #[doc(alias = "asyncDelete")]
    pub fn delete_log(&self, tp: &TopicPartition, unique: Uuid, now: Now) -> Result<bool, StorageError> {
        let log = {
            let mut logs = self.logs.write();
            let Some(log) = logs.remove(tp) else { return Ok(false) };
            // Under the lock: whoever finds the log gone finds this, too.
            self.stale_checkpoints.store(true, Ordering::Relaxed);
            log
        };
        let mut log = log.lock();
        let renamed = log.rename_folder(&log_dir::delete_dir_name(tp, unique));
        log.close_for_good();
        // Once it is closed, a cleaning that is under way adds nothing here any more.
        self.cleaned_up_to.lock().remove(tp);
        self.uncleanable.lock().remove(tp);
        renamed?;
        let delay_ms = u64::try_from(log.config().file_delete_delay_ms).unwrap_or(0);
        let due_ms = now.mono_ms().saturating_add(delay_ms);
        let (dir, path) = (log.log_dir().clone(), log.folder_path());
        self.pending_deletes.lock().push(PendingDelete { due_ms, dir, path });
        tracing::info!(partition = %tp, "took the log away; its files go later");
        Ok(true)
    }

    /// Removes folders and segments whose deletion is due; gives their number.
    pub fn run_deletions(&self, now: Now) -> usize {
        let due: Vec<PendingDelete> = {
            let mut pending = self.pending_deletes.lock();
            let (due, later) = std::mem::take(&mut *pending).into_iter().partition(|p| p.due_ms <= now.mono_ms());
            *pending = later;
            due
        };
        let mut count = 0;
        for delete in due {
            let removed =
                delete.dir.guard("remove a deleted log", || match delete.dir.disk().remove_dir_all(&delete.path) {
                    Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                    other => other,
                });
            count += usize::from(removed.is_ok());
        }
        for (_, log) in self.all_logs() {
            count += log.lock().run_deletions(now).unwrap_or(0);
        }
        count
    }

    /// Gives all logs of `topic` new settings.
    pub fn update_config(&self, topic: &str, config: &Arc<LogConfig>) {
        for map in [&self.logs, &self.future_logs] {
            // The map is let go first: whoever holds a log's mutex may be waiting for the map.
            let of_topic = |map: &BTreeMap<TopicPartition, SharedLog>| -> Vec<SharedLog> {
                map.iter().filter(|(tp, _)| &*tp.topic == topic).map(|(_, log)| log.clone()).collect()
            };
            let logs = of_topic(&map.read());
            for log in logs {
                log.lock().set_config(config.clone());
            }
        }
    }

    /// Drops what retention no longer keeps, in all logs that the cleaner doesn't own; gives the number of segments.
    pub fn run_retention(&self, now: Now) -> usize {
        let mut dropped = 0;
        for (_, log) in self.all_logs() {
            dropped += log.lock().run_retention(now).unwrap_or(0);
        }
        dropped
    }

    /// Forgets idle producers in all logs.
    pub fn remove_expired_producers(&self, now: Now) {
        for (_, log) in self.all_logs() {
            log.lock().remove_expired_producers(now);
        }
    }

    /// Syncs the logs whose `flush.ms` has passed since their last flush.
    #[doc(alias = "flushDirtyLogs")]
    pub fn flush_dirty(&self, now: Now) {
        for (_, log) in self.all_logs() {
            let due = {
                let log = log.lock();
                now.wall_ms.saturating_sub(log.last_flush_ms()) >= log.config().flush_ms
            };
            if due {
                let _ = flush_log(&log, now); // the directory is offline then, and says so to everyone
            }
        }
    }

    /// Syncs segments that were sealed since the last call, as Kafka does after each roll: what a restart after a kill has
    /// to check then is one segment per log. Call it about once a second.
    pub fn flush_sealed(&self, now: Now) {
        for (_, log) in self.all_logs() {
            let job = log.lock().start_flush_sealed();
            if let Ok(Some(job)) = job
                && job.run().is_ok()
            {
                log.lock().finish_flush(&job, now);
            }
        }
    }

    /// Truncates logs and writes the recovery points down before anything is appended again: an old one would vouch for
    /// offsets that are about to be written anew. Logs that don't exist are left out.
    pub fn truncate_to(&self, targets: &[(TopicPartition, i64)], now: Now) -> Result<(), StorageError> {
        let mut truncated = false;
        for (tp, offset) in targets {
            if let Some(log) = self.get_log(tp) {
                truncated |= log.lock().truncate_to(*offset, now)?;
            }
        }
        if truncated {
            self.checkpoint_recovery_points();
        }
        Ok(())
    }

    /// Drops a log's records, to go on at `offset`; the recovery points are written down as in [`Self::truncate_to`].
    pub fn truncate_fully_and_start_at(&self, tp: &TopicPartition, offset: i64, now: Now) -> Result<(), StorageError> {
        if let Some(log) = self.get_log(tp) {
            log.lock().truncate_fully_and_start_at(offset, None, now)?;
            self.checkpoint_recovery_points();
        }
        Ok(())
    }

    /// A clean stop: syncs and closes all logs, writes the checkpoints and the marker. `broker_epoch` goes into the marker.
    pub fn close(&self, broker_epoch: i64, now: Now) {
        self.close_with(broker_epoch, now, |logs, close| logs.iter().for_each(close));
    }

    /// [`Self::close`] by a caller with threads: `close_all` calls the function for every log, in any order. Closing is
    /// waiting for the disk, and many waits at once take hardly longer than one.
    pub fn close_with(
        &self,
        broker_epoch: i64,
        now: Now,
        close_all: impl FnOnce(&[SharedLog], &(dyn Fn(&SharedLog) + Sync)),
    ) {
        let logs: Vec<SharedLog> = self.logs.read().values().cloned().collect();
        close_all(&logs, &|log| {
            let _ = log.lock().close(now); // the directory is offline then, and gets no marker
        });
        self.checkpoint_recovery_points();
        self.checkpoint_log_start_offsets();
        self.checkpoint_high_watermarks();
        for dir in self.live_dirs() {
            let _ = dir.guard("write the clean shutdown marker", || {
                let file = dir.disk().open(&dir.path().join(CLEAN_SHUTDOWN_FILE), OpenMode::Truncate)?;
                file.write_all_at(format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}").as_bytes(), 0)?;
                file.sync_data()?;
                dir.disk().sync_dir(dir.path())
            });
        }
        self.locks.lock().clear();
    }
}

/// Makes a log directory, and durable what is in it: a process that was killed may have left names (`meta.properties`, the
/// directory itself) that nobody synced, and what we see and build upon must not vanish with the power.
fn make_dir(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let is_new = !disk.exists(path)?;
    disk.create_dir_all(path)?;
    let above = path.ancestors().skip(1).take(if is_new { usize::MAX } else { 1 });
    for dir in above {
        // Those above need not be ours to read.
        let _ = disk.sync_dir(dir);
    }
    disk.sync_dir(path)
}

/// Syncs everything appended to `log` so far, without holding its mutex while the disk works.
pub fn flush_log(log: &SharedLog, now: Now) -> Result<(), StorageError> {
    let Some(job) = log.lock().start_flush()? else { return Ok(()) };
    job.run()?;
    log.lock().finish_flush(&job, now);
    Ok(())
}

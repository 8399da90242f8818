//! Opening the logs that the directories hold.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_base::ids::TopicPartition;
use ottla_base::time::Now;
use parking_lot::Mutex;

use super::{ConfigOf, LogManager, OpenError, PendingDelete};
use crate::checkpoint::{self, CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, Offsets, RECOVERY_POINT_FILE};
use crate::folder::remove_if_there;
use crate::log_dir::{CLEAN_SHUTDOWN_FILE, LogDir, LogDirName, SUSPECT_FILE};
use crate::log_loader::{self, LoadHints};

/// One log to open, found in a directory. Independent of the others, so threads may share them out.
#[derive(Debug)]
pub struct LoadTask {
    dir: Arc<LogDir>,
    name: String,
    topic_partition: TopicPartition,
    is_future: bool,
    hints: LoadHints,
}

impl LogManager {
    /// Opens all logs, one after the other.
    pub fn load(&self, config_of: ConfigOf<'_>, now: Now) -> Result<(), OpenError> {
        for task in self.plan_load(now)? {
            self.run_load(&task, config_of, now);
        }
        self.finish_load()
    }

    /// Lists the logs to open. From here on a stop counts as unclean until [`Self::close`].
    pub fn plan_load(&self, now: Now) -> Result<Vec<LoadTask>, OpenError> {
        let mut tasks = Vec::new();
        for dir in self.live_dirs() {
            let found = dir.guard("list the log directory", || self.plan_dir(dir, now));
            tasks.extend(found.unwrap_or_default());
        }
        let mut seen: BTreeMap<&TopicPartition, &LoadTask> = BTreeMap::new();
        for task in tasks.iter().filter(|t| !t.is_future) {
            if let Some(other) = seen.insert(&task.topic_partition, task) {
                return Err(OpenError::Duplicate {
                    topic_partition: task.topic_partition.clone(),
                    first: other.dir.path().to_owned(),
                    second: task.dir.path().to_owned(),
                });
            }
        }
        Ok(tasks)
    }

    fn plan_dir(&self, dir: &Arc<LogDir>, now: Now) -> io::Result<Vec<LoadTask>> {
        let disk = dir.disk().as_ref();
        let marker = dir.path().join(CLEAN_SHUTDOWN_FILE);
        let clean = disk.exists(&marker)?;
        if clean {
            remove_if_there(disk, &marker)?;
            disk.sync_dir(dir.path())?;
        }
        let suspect = disk.exists(&dir.path().join(SUSPECT_FILE))?;
        let read = |file: &str| checkpoint::read_offsets(disk, &dir.path().join(file));
        let (recovery, starts, watermarks) =
            (read(RECOVERY_POINT_FILE)?, read(LOG_START_FILE)?, read(HIGH_WATERMARK_FILE)?);
        let cleaned = read(CLEANER_FILE)?;
        let mut tasks = Vec::new();
        for entry in disk.list(dir.path())?.into_iter().filter(|e| e.is_dir) {
            let (topic_partition, is_future) = match LogDirName::parse(&entry.name) {
                Some(LogDirName::Current(tp)) => (tp, false),
                Some(LogDirName::Future(tp)) => (tp, true),
                Some(LogDirName::Deleted(_)) => {
                    let path = dir.path().join(&entry.name);
                    self.pending_deletes.lock().push(PendingDelete { due_ms: now.mono_ms(), dir: dir.clone(), path });
                    continue;
                }
                Some(LogDirName::Stray(tp)) => {
                    tracing::warn!(partition = %tp, folder = entry.name, "a stray log is left alone; remove it when done");
                    continue;
                }
                None => {
                    tracing::warn!(dir = %dir.path().display(), folder = entry.name, "not a log's folder; ignoring it");
                    continue;
                }
            };
            let of = |offsets: &Offsets| offsets.get(&topic_partition).copied().unwrap_or(0);
            let hints = LoadHints {
                recovery_point: of(&recovery),
                log_start_offset: of(&starts),
                high_watermark: of(&watermarks),
                clean: clean && !suspect,
                compacted: cleaned.contains_key(&topic_partition),
                suspect,
            };
            tasks.push(LoadTask { dir: dir.clone(), name: entry.name, topic_partition, is_future, hints });
        }
        let found: BTreeSet<&TopicPartition> = tasks.iter().map(|task| &task.topic_partition).collect();
        let mut named = recovery.keys().chain(starts.keys()).chain(watermarks.keys()).chain(cleaned.keys());
        if named.any(|tp| !found.contains(tp)) {
            self.stale_checkpoints.store(true, Ordering::Relaxed);
        }
        self.cleaned_up_to
            .lock()
            .extend(cleaned.iter().filter(|(tp, _)| found.contains(tp)).map(|(tp, at)| (tp.clone(), *at)));
        Ok(tasks)
    }

    /// Opens one log; a failure takes its directory offline.
    pub fn run_load(&self, task: &LoadTask, config_of: ConfigOf<'_>, now: Now) {
        let config = config_of(&task.topic_partition.topic);
        let expiration_ms = self.config.producer_id_expiration_ms;
        let loaded = task.dir.guard(&format!("load {}", task.name), || {
            log_loader::load(
                &task.dir,
                &task.name,
                task.topic_partition.clone(),
                config,
                task.hints,
                expiration_ms,
                now,
            )
        });
        if let Ok(log) = loaded {
            let map = if task.is_future { &self.future_logs } else { &self.logs };
            map.write().insert(task.topic_partition.clone(), Arc::new(Mutex::new(log)));
        }
    }

    /// After all tasks ran: an error when no directory is left.
    pub fn finish_load(&self) -> Result<(), OpenError> {
        for dir in self.live_dirs() {
            let marker = dir.path().join(SUSPECT_FILE);
            let _ = dir.guard("remove the failure's marker", || remove_if_there(dir.disk().as_ref(), &marker));
        }
        match self.dirs.iter().find_map(|d| d.check().err()) {
            Some(e) if self.live_dirs().next().is_none() => Err(OpenError::AllOffline(e)),
            _ => Ok(()),
        }
    }
}

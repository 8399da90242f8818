//! The files in which a log directory tells how far its logs are.

use std::sync::Arc;

use super::LogManager;
use crate::checkpoint::{self, CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, Offsets, RECOVERY_POINT_FILE};
use crate::log::Log;
use crate::log_dir::LogDir;

impl LogManager {
    fn checkpoint(&self, file: &str, offset: impl Fn(&Log) -> Option<i64>) {
        let _one_at_a_time = self.checkpointing.lock();
        let logs = self.all_logs();
        for dir in self.live_dirs() {
            let mut offsets = Offsets::new();
            for (tp, log) in &logs {
                let log = log.lock();
                if Arc::ptr_eq(log.log_dir(), dir)
                    && let Some(offset) = offset(&log)
                {
                    offsets.insert(tp.clone(), offset);
                }
            }
            let path = dir.path().join(file);
            let _ =
                dir.guard(&format!("write {file}"), || checkpoint::write_offsets(dir.disk().as_ref(), &path, &offsets));
        }
    }

    /// Writes `recovery-point-offset-checkpoint`.
    pub fn checkpoint_recovery_points(&self) {
        self.checkpoint(RECOVERY_POINT_FILE, |log| Some(log.recovery_point()));
    }

    /// Writes `log-start-offset-checkpoint`: of the logs whose start isn't that of their first segment anyway.
    pub fn checkpoint_log_start_offsets(&self) {
        self.checkpoint(LOG_START_FILE, |log| {
            Some(log.log_start_offset()).filter(|&start| start > log.first_base_offset())
        });
    }

    /// Writes `replication-offset-checkpoint`.
    pub fn checkpoint_high_watermarks(&self) {
        self.checkpoint(HIGH_WATERMARK_FILE, |log| Some(log.high_watermark()));
    }

    /// Writes the directory's `cleaner-offset-checkpoint`.
    pub(super) fn checkpoint_cleaner(&self, dir: &Arc<LogDir>) {
        let _one_at_a_time = self.checkpointing.lock();
        let mut offsets = Offsets::new();
        let cleaned = self.cleaned_up_to.lock().clone();
        for (tp, log) in self.all_logs() {
            if let Some(&offset) = cleaned.get(&tp)
                && Arc::ptr_eq(log.lock().log_dir(), dir)
            {
                offsets.insert(tp, offset);
            }
        }
        let path = dir.path().join(CLEANER_FILE);
        let _ = dir.guard("write the cleaner's checkpoint", || {
            checkpoint::write_offsets(dir.disk().as_ref(), &path, &offsets)
        });
    }
}

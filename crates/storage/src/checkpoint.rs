//! Checkpoint files: small text files, replaced in one step.
//!
//! Line 1 the version (0), line 2 the number of entries, then one entry a line. Offset checkpoints
//! (`recovery-point-offset-checkpoint`, `replication-offset-checkpoint`, `log-start-offset-checkpoint`,
//! `cleaner-offset-checkpoint`) have `<topic> <partition> <offset>`; `leader-epoch-checkpoint` has `<epoch> <start offset>`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use ottla_base::disk::Disk;
use ottla_base::ids::TopicPartition;

use crate::error::Corrupt;

pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
pub const HIGH_WATERMARK_FILE: &str = "replication-offset-checkpoint";
pub const LOG_START_FILE: &str = "log-start-offset-checkpoint";
pub const CLEANER_FILE: &str = "cleaner-offset-checkpoint";
pub const LEADER_EPOCH_FILE: &str = "leader-epoch-checkpoint";

const VERSION: i64 = 0;

pub type Offsets = BTreeMap<TopicPartition, i64>;

/// The text of a checkpoint with these entry lines.
fn frame(count: usize, lines: &str) -> String {
    format!("{VERSION}\n{count}\n{lines}")
}

/// The entry lines of a checkpoint; checks version and count.
fn entry_lines(bytes: &[u8]) -> Result<Vec<&str>, Corrupt> {
    let text = std::str::from_utf8(bytes).map_err(|_| Corrupt("not text".into()))?;
    let mut lines = text.lines();
    let version = lines.next().ok_or_else(|| Corrupt("empty".into()))?;
    if version.trim().parse() != Ok(VERSION) {
        return Err(Corrupt(format!("version \"{version}\" is unknown")));
    }
    let count = lines.next().and_then(|l| l.trim().parse::<usize>().ok());
    let count = count.ok_or_else(|| Corrupt("the number of entries is missing".into()))?;
    let entries: Vec<&str> = lines.filter(|l| !l.trim().is_empty()).collect();
    if entries.len() != count {
        return Err(Corrupt(format!("{count} entries are announced, {} are there", entries.len())));
    }
    Ok(entries)
}

#[must_use]
pub fn encode_offsets(offsets: &Offsets) -> String {
    let mut lines = String::new();
    for (tp, offset) in offsets {
        let _ = writeln!(lines, "{} {} {offset}", tp.topic, tp.partition);
    }
    frame(offsets.len(), &lines)
}

pub fn decode_offsets(bytes: &[u8]) -> Result<Offsets, Corrupt> {
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let (topic, partition, offset) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        words.next().is_none().then(|| (TopicPartition::new(topic, partition), offset))
    };
    let lines = entry_lines(bytes)?;
    lines.into_iter().map(|line| parse(line).ok_or_else(|| Corrupt(format!("bad entry \"{line}\"")))).collect()
}

/// Replaces an offset checkpoint, durably.
pub fn write_offsets(disk: &dyn Disk, path: &Path, offsets: &Offsets) -> io::Result<()> {
    disk.write_atomic(path, encode_offsets(offsets).as_bytes())
}

/// An offset checkpoint; a missing file has no entries, and neither has a damaged one, which is reported: all they spare
/// is work.
pub fn read_offsets(disk: &dyn Disk, path: &Path) -> io::Result<Offsets> {
    match disk.read(path) {
        Ok(bytes) => Ok(decode_offsets(&bytes).unwrap_or_else(|error| {
            tracing::error!(path = %path.display(), %error, "a checkpoint is damaged; going on without it");
            Offsets::new()
        })),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Offsets::new()),
        Err(e) => Err(e),
    }
}

/// A leader epoch and the first offset written under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    pub epoch: i32,
    pub start_offset: i64,
}

#[must_use]
pub fn encode_epochs(entries: &[EpochEntry]) -> String {
    let mut lines = String::new();
    for entry in entries {
        let _ = writeln!(lines, "{} {}", entry.epoch, entry.start_offset);
    }
    frame(entries.len(), &lines)
}

pub fn decode_epochs(bytes: &[u8]) -> Result<Vec<EpochEntry>, Corrupt> {
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let (epoch, start_offset) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        words.next().is_none().then_some(EpochEntry { epoch, start_offset })
    };
    let lines = entry_lines(bytes)?;
    lines.into_iter().map(|line| parse(line).ok_or_else(|| Corrupt(format!("bad entry \"{line}\"")))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_as_kafka_writes_them() {
        let text = b"0\n2\nt 0 3\nt 1 0\n";
        let offsets = decode_offsets(text).expect("good");
        assert_eq!(offsets.get(&TopicPartition::new("t", 0)), Some(&3));
        assert_eq!(encode_offsets(&offsets).as_bytes(), text);
    }

    #[test]
    fn bad_text_is_refused() {
        for bad in ["", "1\n0\n", "0\n", "0\nx\n", "0\n1\n", "0\n1\nt 0\n", "0\n1\nt 0 1 2\n", "0\n0\nt 0 1\n", "\u{1}"]
        {
            assert!(decode_offsets(bad.as_bytes()).is_err(), "{bad:?}");
            assert!(decode_epochs(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(decode_offsets(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn epochs() {
        let entries = [EpochEntry { epoch: 0, start_offset: 0 }, EpochEntry { epoch: 4, start_offset: 17 }];
        assert_eq!(decode_epochs(encode_epochs(&entries).as_bytes()), Ok(entries.to_vec()));
        assert_eq!(encode_epochs(&entries), "0\n2\n0 0\n4 17\n");
    }
}

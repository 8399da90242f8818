//! `partition.metadata`: the topic id of a log (KIP-516). Text: `version: 0`, `topic_id: <id>`.

use std::io;

use ottla_base::disk::OpenMode;
use ottla_base::ids::Uuid;

use crate::error::Corrupt;
use crate::folder::Folder;

#[doc(alias = "PartitionMetadataFile")]
pub const PARTITION_METADATA_FILE: &str = "partition.metadata";

#[must_use]
pub fn encode(id: Uuid) -> String {
    format!("version: 0\ntopic_id: {id}")
}

pub fn decode(bytes: &[u8]) -> Result<Uuid, Corrupt> {
    let text = std::str::from_utf8(bytes).map_err(|_| Corrupt("not text".into()))?;
    let value =
        |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.trim_start().strip_prefix(':')).map(str::trim);
    match value("version") {
        Some("0") => {}
        other => return Err(Corrupt(format!("version {other:?} is unknown"))),
    }
    let id = value("topic_id").and_then(Uuid::parse).ok_or_else(|| Corrupt("no topic id".into()))?;
    if id.is_zero() { Err(Corrupt("the topic id is zero".into())) } else { Ok(id) }
}

/// Makes the file without waiting for the disk: the log's first sync makes it durable, together with all other files of a
/// new log. Until then a crash of the machine may leave a damaged file.
pub(crate) fn create(folder: &Folder, id: Uuid) -> io::Result<()> {
    let tmp = folder.file(PARTITION_METADATA_FILE).with_extension("metadata.tmp");
    folder.disk().open(&tmp, OpenMode::Truncate)?.write_all_at(encode(id).as_bytes(), 0)?;
    folder.disk().rename(&tmp, &folder.file(PARTITION_METADATA_FILE))
}

/// Replaces the file, durably.
pub fn write(folder: &Folder, id: Uuid) -> io::Result<()> {
    folder.disk().write_atomic(&folder.file(PARTITION_METADATA_FILE), encode(id).as_bytes())
}

/// The log's topic id; `None` without the file.
pub fn read(folder: &Folder) -> io::Result<Option<Uuid>> {
    match folder.disk().read(&folder.file(PARTITION_METADATA_FILE)) {
        Ok(bytes) => Ok(Some(decode(&bytes)?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

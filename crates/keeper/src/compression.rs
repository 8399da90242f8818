//! Compressed snapshots (`snapshot.compression.method`): `snapshot.<zxid>.gz`.

use crate::snapshot::SnapshotError;
use flate2::read::MultiGzDecoder;
use ottla_base::limits::KEEPER_SNAPSHOT_BYTES;
use std::io::Read;
use std::path::Path;

/// The content of a compressed snapshot.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, SnapshotError> {
    if path.extension().is_none_or(|ext| ext != "gz") {
        let what = "snappy-compressed snapshots can't be read; start ZooKeeper on it once with \
                    snapshot.compression.method empty or gz";
        return Err(SnapshotError::Invalid(what.to_owned()));
    }
    let mut content = Vec::new();
    match MultiGzDecoder::new(bytes).take(KEEPER_SNAPSHOT_BYTES).read_to_end(&mut content) {
        Ok(_) => Ok(content),
        Err(error) => Err(SnapshotError::Invalid(format!("gzip: {error}"))),
    }
}

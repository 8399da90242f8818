//! `<offset>.snapshot`: the producers of a log as of an offset. Only each producer's last batch is kept.
//!
//! Big-endian: version (int16, 1), CRC-32C of what follows it (uint32), count (int32), and per producer 46 bytes: id (int64),
//! epoch (int16), last sequence (int32), last offset (int64), offset delta (int32), timestamp (int64), coordinator epoch
//! (int32), first offset of the open transaction or -1 (int64).

use ottla_base::checksum::crc32c;

use crate::error::Corrupt;
use crate::producer_state_manager::{BatchMetadata, ProducerStateEntry};

const VERSION: i16 = 1;
/// First byte that the checksum covers.
const CRC_FROM: usize = 6;
const HEADER_LEN: usize = 10;
const ENTRY_LEN: usize = 46;

#[must_use]
pub fn encode(entries: &[ProducerStateEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_LEN + ENTRY_LEN * entries.len());
    out.extend(VERSION.to_be_bytes());
    out.extend([0; 4]);
    out.extend((entries.len() as i32).to_be_bytes());
    for entry in entries {
        let none =
            BatchMetadata { last_sequence: -1, last_offset: -1, offset_delta: 0, timestamp: entry.last_timestamp };
        let last = entry.last_batch().unwrap_or(&none);
        out.extend(entry.producer_id.to_be_bytes());
        out.extend(entry.producer_epoch.to_be_bytes());
        out.extend(last.last_sequence.to_be_bytes());
        out.extend(last.last_offset.to_be_bytes());
        out.extend(last.offset_delta.to_be_bytes());
        out.extend(entry.last_timestamp.to_be_bytes());
        out.extend(entry.coordinator_epoch.to_be_bytes());
        out.extend(entry.current_txn_first_offset.unwrap_or(-1).to_be_bytes());
    }
    let crc = crc32c(&out[CRC_FROM..]);
    out[2..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    out
}

/// Reads a whole file.
pub fn decode(bytes: &[u8]) -> Result<Vec<ProducerStateEntry>, Corrupt> {
    let Some((header, body)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(Corrupt(format!("{} bytes are less than a header", bytes.len())));
    };
    let version = i16::from_be_bytes([header[0], header[1]]);
    if version != VERSION {
        return Err(Corrupt(format!("version {version} is unknown")));
    }
    let stored = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
    let computed = crc32c(&bytes[CRC_FROM..]);
    if stored != computed {
        return Err(Corrupt(format!("checksum {stored:08x} is stored, {computed:08x} computed")));
    }
    let count = i32::from_be_bytes([header[6], header[7], header[8], header[9]]);
    if i64::from(count) * ENTRY_LEN as i64 != body.len() as i64 {
        return Err(Corrupt(format!("{count} producers in {} bytes", body.len())));
    }
    body.chunks_exact(ENTRY_LEN).map(|entry| decode_entry(entry).ok_or_else(|| Corrupt("short entry".into()))).collect()
}

fn decode_entry(b: &[u8]) -> Option<ProducerStateEntry> {
    let int = |at: usize| -> Option<i32> { Some(i32::from_be_bytes(*b.get(at..)?.first_chunk()?)) };
    let long = |at: usize| -> Option<i64> { Some(i64::from_be_bytes(*b.get(at..)?.first_chunk()?)) };
    let mut entry = ProducerStateEntry::new(long(0)?);
    entry.producer_epoch = i16::from_be_bytes(*b.get(8..)?.first_chunk()?);
    let (last_sequence, last_offset, offset_delta, timestamp) = (int(10)?, long(14)?, int(22)?, long(26)?);
    entry.last_timestamp = timestamp;
    entry.coordinator_epoch = int(34)?;
    entry.current_txn_first_offset = Some(long(38)?).filter(|&offset| offset >= 0);
    if last_offset >= 0 {
        entry.push_batch(BatchMetadata { last_sequence, last_offset, offset_delta: offset_delta.max(0), timestamp });
    }
    Some(entry)
}

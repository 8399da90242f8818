//! Entry points for fuzzing: every reader of bytes from the disk, and recovery of a folder made of them. None may panic,
//! whatever the bytes.

use std::path::Path;
use std::sync::Arc;

use ottla_base::disk::{Disk, OpenMode};
use ottla_base::ids::TopicPartition;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;

use crate::config::LogConfig;
use crate::log::ReadBound;
use crate::log_dir::LogDir;
use crate::log_loader::{self, LoadHints};
use crate::{checkpoint, dump, meta_properties, partition_metadata, producer_snapshot};

const NOW: Now = Now { mono_us: 1, wall_ms: 1_700_000_000_000 };

/// Offset, time and transaction index.
pub fn fuzz_index(data: &[u8]) {
    let _ = dump::dump_offset_index(data, 0, Some(data));
    let _ = dump::dump_time_index(data, 0);
    let _ = dump::dump_transaction_index(data);
}

/// Producer snapshot; a good one is written again as it was.
pub fn fuzz_snapshot(data: &[u8]) {
    if let Ok(entries) = producer_snapshot::decode(data) {
        let again = producer_snapshot::decode(&producer_snapshot::encode(&entries));
        assert_eq!(again.as_ref(), Ok(&entries));
    }
}

/// Checkpoints and the other text files.
pub fn fuzz_checkpoint(data: &[u8]) {
    if let Ok(offsets) = checkpoint::decode_offsets(data) {
        assert_eq!(checkpoint::decode_offsets(checkpoint::encode_offsets(&offsets).as_bytes()), Ok(offsets));
    }
    let _ = checkpoint::decode_epochs(data);
    let _ = partition_metadata::decode(data);
    let _ = meta_properties::MetaProperties::decode(data);
}

/// A `.log` file as the dump tool reads it.
pub fn fuzz_log_dump(data: &[u8]) {
    for _ in dump::LogDump::new(data, true) {}
}

/// Recovery of a folder whose files hold `data`: the first byte says how it is cut into log, indexes and epochs, and
/// whether the stop was clean. What was opened can be read, and opens again with the same end.
pub fn fuzz_recovery(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let disk = SimDisk::new(1);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let cut = data.len() * usize::from(how & 7) / 8;
    let (log, rest) = data.split_at(data.len() - cut);
    let names = [
        "00000000000000000000.log",
        "00000000000000000000.index",
        "00000000000000000000.timeindex",
        "00000000000000000000.txnindex",
        "leader-epoch-checkpoint",
        "00000000000000000003.snapshot",
    ];
    if shared.create_dir_all(Path::new("/d/t-0")).is_err() {
        return;
    }
    for (i, name) in names.iter().enumerate() {
        let bytes = if i == 0 { log } else { rest };
        if i > 0 && how & (8 << (i % 4)) == 0 {
            continue;
        }
        let file = shared.open(&Path::new("/d/t-0").join(name), OpenMode::Create);
        let _ = file.and_then(|file| file.write_all_at(bytes, 0));
    }
    let hints = LoadHints { clean: how & 0x80 != 0, recovery_point: i64::from(how & 3), ..LoadHints::default() };
    let config = Arc::new(LogConfig { index_interval_bytes: 100, ..LogConfig::default() });
    let open = |hints| {
        let dir = LogDir::new("/d", shared.clone());
        log_loader::load(&dir, "t-0", TopicPartition::new("t", 0), config.clone(), hints, 1_000, NOW)
    };
    let Ok(mut opened) = open(hints) else { return };
    let end = opened.log_end_offset();
    let mut offset = opened.log_start_offset();
    for _ in 0..100 {
        match opened.read(offset, 1_000, ReadBound::LogEnd, true) {
            Ok(read) if read.records.is_some() => offset += 1,
            _ => break,
        }
    }
    let _ = opened.offset_for_timestamp(1_700_000_000_000);
    drop(opened);
    if !hints.clean {
        disk.kill();
        if let Ok(again) = open(hints) {
            assert_eq!(again.log_end_offset(), end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{batch, idempotent, marker, transactional};
    use ottla_base::random::Random;

    /// Good bytes with a few changes find more than noise does.
    #[test]
    fn no_bytes_make_them_panic() {
        let mut random = Random::new(3);
        let mut parts =
            [batch(&["a", "b"]), idempotent(1, 0, 0, &["c"]), transactional(2, 0, 0, &["d"]), marker(2, 0, false)];
        for (i, part) in parts.iter_mut().enumerate() {
            crate::batch::set_offset_and_epoch(part, 2 * i as i64, 0);
        }
        let log = parts.concat();
        let snapshot = producer_snapshot::encode(&[crate::producer_state_manager::ProducerStateEntry::new(4)]);
        for round in 0..6_000 {
            let mut data = match round % 4 {
                0 => log.clone(),
                1 => snapshot.clone(),
                2 => b"0\n1\nt 0 5\n".to_vec(),
                _ => vec![0; random.index(200)],
            };
            for _ in 0..random.index(5) {
                if !data.is_empty() {
                    let at = random.index(data.len());
                    data[at] = random.next_u64() as u8;
                }
            }
            data.truncate(data.len() - random.index(data.len() + 1) * usize::from(random.chance(300_000)));
            fuzz_index(&data);
            fuzz_snapshot(&data);
            fuzz_checkpoint(&data);
            fuzz_log_dump(&data);
            data.insert(0, random.next_u64() as u8);
            fuzz_recovery(&data);
        }
    }
}

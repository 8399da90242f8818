//! Entry points for fuzzing: each takes any bytes and must come back, without a panic and within bounded memory.

use crate::batch_iter::BatchIter;
use crate::batch_validation::{Checks, Origin, only_batch, validate};
use crate::compression::{Compression, decompress};
use crate::control_record::EndTransaction;
use crate::frame::{RequestHead, response_head};
use crate::message::Message;
use crate::reader::Reader;
use crate::record_batch::{RecordBatch, RecordBatchMut, TimestampType, seal};
use crate::{ApiKey, messages};

/// Most bytes that the content of fuzzed compressed bytes may have.
const CONTENT_LIMIT: usize = 1 << 20;

/// An entry point.
pub type Target = fn(&[u8]);

/// Every entry point with its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("messages", fuzz_messages),
    ("frames", fuzz_frames),
    ("batches", fuzz_batches),
    ("records", fuzz_records),
    ("decompress", fuzz_decompress),
];

/// Every message, in the version that the first byte chooses. What could be read can be written (unless a string is
/// too long) and is read again as the same.
pub fn fuzz_messages(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    macro_rules! check {
        ($message:ident) => {
            let versions = messages::$message::VERSIONS;
            let version = versions.start() + i16::from(choice) % (versions.end() - versions.start() + 1);
            let message = messages::$message::decode(&mut Reader::new(bytes), version);
            if let Some(written) = message.ok().and_then(|message| message.to_bytes(version).ok()) {
                let again =
                    messages::$message::from_bytes(&written, version).and_then(|again| Ok(again.to_bytes(version)));
                assert_eq!(again, Ok(Ok(written.clone())), "{} {version}", stringify!($message));
            }
        };
    }
    crate::for_every_message!(check);
}

/// Headers of requests and responses.
pub fn fuzz_frames(data: &[u8]) {
    if let Ok(head) = RequestHead::decode(data) {
        let _ = head.decode_body::<messages::ApiVersionsRequest>();
        let _ = head.decode_body::<messages::ProduceRequest>();
        let _ = head.decode_body::<messages::FetchRequest>();
    }
    for key in [ApiKey::ApiVersions, ApiKey::Fetch] {
        let _ = response_head(data, key, *key.versions().end());
    }
}

/// Runs of batches: as a leader checks them, and as a reader goes through them.
pub fn fuzz_batches(data: &[u8]) {
    let mut batches = BatchIter::new(data);
    for batch in (&mut batches).flatten() {
        check_batch(&batch);
    }
    assert!(batches.position() + batches.truncated().len() <= data.len());
    if let Ok(batch) = only_batch(data) {
        check_batch(&batch);
    }
}

/// One batch with `data` as its header from the attributes on and its records; length and checksum are made right, so
/// that more is reached than by chance.
pub fn fuzz_records(data: &[u8]) {
    let mut bytes = vec![0; 21];
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().max(crate::record_batch::HEADER_BYTES), 0);
    let length = (bytes.len() - crate::record_batch::LOG_OVERHEAD) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = crate::record_batch::MAGIC as u8;
    seal(&mut bytes);
    let batch = RecordBatch::new(&bytes).expect("its front is right");
    check_batch(&batch);
    let mut batch = RecordBatchMut::new(&mut bytes).expect("its front is right");
    batch.set_base_offset(i64::MAX);
    batch.set_max_timestamp(TimestampType::LogAppendTime, 1);
    assert!(batch.as_batch().is_crc_valid());
    check_batch(&batch.as_batch());
}

/// Goes through a batch in every way there is.
fn check_batch(batch: &RecordBatch<'_>) {
    let mut valid = false;
    for origin in [Origin::Client, Origin::Coordinator, Origin::Replication] {
        let checks = Checks { origin, max_batch_bytes: usize::MAX, records: true, allow_zstd: true };
        valid |= validate(batch, &checks).is_ok();
    }
    let Ok(open) = batch.open() else {
        assert!(!valid, "a batch that can't be opened passed its checks");
        return;
    };
    let mut sound = 0;
    for record in &open {
        let Ok(record) = record else {
            assert!(!valid, "a batch with a bad record passed its checks");
            return;
        };
        sound += 1;
        assert_eq!(record.headers.into_iter().count(), record.headers.len());
        let _ = EndTransaction::from_record(&record);
    }
    assert!(sound == batch.count().max(0));
    let _ = (batch.last_sequence(), batch.next_offset(), batch.delete_horizon_ms());
    let _ = format!("{:?}", batch.header());
}

/// Every decompression.
pub fn fuzz_decompress(data: &[u8]) {
    for compression in Compression::ALL {
        if let Ok(content) = decompress(compression, data, CONTENT_LIMIT) {
            assert!(content.len() <= CONTENT_LIMIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_base::random::Random;

    use super::*;
    use crate::batch_builder::{BatchOptions, RecordBatchBuilder};
    use crate::compression::Compressor;

    /// Random bytes, in which small numbers are common so that lengths are often possible.
    fn noise(random: &mut Random, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        random.fill(&mut bytes);
        for byte in &mut bytes {
            if random.chance(600_000) {
                *byte &= 0x07;
            }
        }
        bytes
    }

    #[test]
    fn noise_is_survived() {
        let mut random = Random::new(11);
        for round in 0..400 {
            let len = random.index(200);
            let data = noise(&mut random, len);
            for (name, target) in TARGETS {
                if *name != "messages" || round < 100 {
                    target(&data);
                }
            }
        }
    }

    #[test]
    fn damaged_batches_are_survived() {
        let mut random = Random::new(12);
        for compression in Compression::ALL {
            let mut builder = RecordBatchBuilder::new(BatchOptions::default(), Compressor::new(compression, None));
            for i in 0..20u8 {
                builder.append(i64::from(i), Some(&[i; 3]), Some(&[i / 4; 30]), &[]);
            }
            let sound = builder.finish().expect("finishes");
            fuzz_batches(&sound);
            for _ in 0..2_000 {
                let mut bytes = sound.clone();
                let at = random.index(bytes.len());
                bytes[at] = random.next_u64() as u8;
                fuzz_batches(&bytes);
                fuzz_records(&bytes[21..]);
                fuzz_decompress(&bytes[61..]);
            }
        }
    }
}

//! A `.log` file: its batches and, on request, its records.

use std::io::{BufWriter, Write};

use ottla_protocol::control_record::{EndTransaction, TransactionResult};
use ottla_protocol::{BatchHeader, BatchIter, Compression, Record, RecordBatch, TimestampType};

use super::{Options, offsets};

/// How keys and values are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Decoder {
    Text,
    Offsets,
    Transactions,
}

/// A number that may be missing, as Java prints it.
pub fn optional(value: Option<i64>) -> String {
    value.map_or_else(|| "OptionalLong.empty".to_owned(), |value| format!("OptionalLong[{value}]"))
}

/// Prints the batches; true when something is wrong.
pub fn dump(name: &str, base: i64, bytes: &[u8], options: &Options) -> bool {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let result = dump_to(&mut out, name, base, bytes, options);
    // Nobody reads on (`| head`): there is nothing left to say.
    let _ = out.flush();
    result.unwrap_or(false)
}

fn dump_to(out: &mut impl Write, name: &str, base: i64, bytes: &[u8], options: &Options) -> std::io::Result<bool> {
    let mut wrong = false;
    writeln!(out, "Log starting offset: {base}")?;
    let mut batches = BatchIter::new(bytes);
    loop {
        let position = batches.position();
        if position >= options.max_bytes {
            return Ok(wrong);
        }
        match batches.next() {
            Some(Ok(batch)) => wrong |= print_batch(out, &batch, position, options)?,
            Some(Err(error)) => {
                writeln!(out, "Found an invalid batch at position {position} of {name}: {error}")?;
                return Ok(true);
            }
            None => break,
        }
    }
    let rest = bytes.len() - batches.position();
    // Blocks reserved ahead read as zeros.
    if rest > 0 && bytes[batches.position()..].iter().any(|byte| *byte != 0) {
        writeln!(out, "Found {rest} invalid bytes at the end of {name}")?;
        wrong = true;
    }
    Ok(wrong)
}

fn print_batch(
    out: &mut impl Write,
    batch: &RecordBatch<'_>,
    position: usize,
    options: &Options,
) -> std::io::Result<bool> {
    let header = batch.header();
    let valid = batch.is_crc_valid();
    writeln!(
        out,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {} position: {position} {} size: {} \
         magic: {} compresscodec: {} crc: {} isvalid: {valid}",
        header.base_offset(),
        header.last_offset(),
        header.count(),
        header.base_sequence(),
        header.last_sequence(),
        header.producer_id(),
        header.producer_epoch(),
        header.leader_epoch(),
        header.is_transactional(),
        header.is_control(),
        optional(header.delete_horizon_ms()),
        timestamp(&header, header.max_timestamp()),
        header.size(),
        header.magic(),
        header.compression().map_or("unknown", codec_name),
        header.crc(),
    )?;
    if !options.deep {
        return Ok(!valid);
    }
    if !valid {
        return Ok(true);
    }
    let opened = match batch.open() {
        Ok(opened) => opened,
        Err(error) => {
            writeln!(out, "| {error}")?;
            return Ok(true);
        }
    };
    for record in &opened {
        match record {
            Ok(record) => print_record(out, &header, &record, options)?,
            Err(error) => {
                writeln!(out, "| {error}")?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn codec_name(codec: Compression) -> &'static str {
    match codec {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}

fn timestamp(header: &BatchHeader<'_>, timestamp: i64) -> String {
    match header.timestamp_type() {
        TimestampType::CreateTime => format!("CreateTime: {timestamp}"),
        TimestampType::LogAppendTime => format!("LogAppendTime: {timestamp}"),
    }
}

fn print_record(
    out: &mut impl Write,
    header: &BatchHeader<'_>,
    record: &Record<'_>,
    options: &Options,
) -> std::io::Result<()> {
    let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
    write!(out, "| ")?;
    let mut lead = "";
    if !options.skip_metadata {
        write!(
            out,
            "offset: {} {} keySize: {} valueSize: {}",
            record.offset,
            timestamp(header, record.timestamp),
            size(record.key),
            size(record.value)
        )?;
        let sequence = match header.base_sequence() {
            // Without a producer id there is none; Java prints the offset within the batch counted from -1's successor.
            base if base < 0 => (record.offset - header.base_offset()) as i32,
            base => base.wrapping_add((record.offset - header.base_offset()) as i32) & i32::MAX,
        };
        let keys: Vec<&str> = record.headers.into_iter().map(|h| h.key).collect();
        write!(out, " sequence: {sequence} headerKeys: [{}]", keys.join(","))?;
        lead = " ";
    }
    if header.is_control() {
        if let Ok(Some(marker)) = EndTransaction::from_record(record) {
            let kind = if marker.result == TransactionResult::Commit { "COMMIT" } else { "ABORT" };
            write!(out, "{lead}endTxnMarker: {kind} coordinatorEpoch: {}", marker.coordinator_epoch)?;
        }
    } else if options.print_data {
        let (key, value) = offsets::decode(options.decoder, record);
        if let Some(key) = key {
            write!(out, "{lead}key: {key}")?;
            lead = " ";
        }
        if let Some(value) = value {
            write!(out, "{lead}payload: {value}")?;
        }
    }
    writeln!(out)
}

//! `kafka-dump-log.sh`: what is in the files of a log directory. Works on the files alone; the broker may run.

mod offsets;
mod segment;

use std::path::Path;

use clap::{Arg, ArgMatches, Command};
use ottla_storage::dump::{self, FileKind};

use crate::common::{flag, number, option, text};
use crate::tool::{Failure, Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "dump-log",
    scripts: &["kafka-dump-log"],
    classes: &["DumpLogSegments"],
    about: "Print segments, indexes, snapshots and checkpoints",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    let class = |name: &'static str| Arg::new(name).long(name).value_name("CLASS").num_args(0..=1).hide(true);
    command
        .arg(
            option("files", "FILE,…", "The files: .log, .index, .timeindex, .txnindex, .snapshot, checkpoints")
                .required(true),
        )
        .arg(flag("print-data-log", "Print keys and values; implies --deep-iteration"))
        .arg(flag("deep-iteration", "Look at each record, not at batches alone"))
        .arg(flag("skip-record-metadata", "With --print-data-log: only keys and values"))
        .arg(option("max-bytes", "BYTES", "Stop after so many bytes of a .log file"))
        .arg(option("max-message-size", "BYTES", "Without effect").hide(true))
        .arg(flag("offsets-decoder", "Read the records as those of __consumer_offsets"))
        .arg(flag("transaction-log-decoder", "Read the records as those of __transaction_state"))
        .arg(flag("index-sanity-check", "Only check that an index makes sense by itself"))
        .arg(flag("verify-index-only", "Only check an index against its log"))
        .arg(class("key-decoder-class"))
        .arg(class("value-decoder-class"))
}

/// What is to be shown of a log.
struct Options {
    deep: bool,
    print_data: bool,
    skip_metadata: bool,
    max_bytes: usize,
    decoder: segment::Decoder,
    sanity_only: bool,
    verify_only: bool,
}

fn run(matches: &ArgMatches) -> Outcome {
    let decoder = match (matches.get_flag("offsets-decoder"), matches.get_flag("transaction-log-decoder")) {
        (true, false) => segment::Decoder::Offsets,
        (false, true) => segment::Decoder::Transactions,
        (false, false) => segment::Decoder::Text,
        _ => return Err(Failure::Usage("choose one decoder".into())),
    };
    let print_data = matches.get_flag("print-data-log") || decoder != segment::Decoder::Text;
    let options = Options {
        deep: print_data || matches.get_flag("deep-iteration"),
        print_data,
        skip_metadata: matches.get_flag("skip-record-metadata"),
        max_bytes: number(matches, "max-bytes")?.unwrap_or(usize::MAX),
        decoder,
        sanity_only: matches.get_flag("index-sanity-check"),
        verify_only: matches.get_flag("verify-index-only"),
    };
    let mut problems = false;
    for file in text(matches, "files").unwrap_or_default().split(',').map(str::trim).filter(|file| !file.is_empty()) {
        println!("Dumping {file}");
        problems |= dump_file(Path::new(file), &options)?;
    }
    if problems { Err(Failure::Silent(1)) } else { Ok(()) }
}

/// Prints a file; true when something is wrong with it.
fn dump_file(file: &Path, options: &Options) -> Result<bool, Failure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(kind) = FileKind::of(&name) else {
        eprintln!("Ignoring unknown file {}", file.display());
        return Ok(false);
    };
    let bytes = std::fs::read(file).map_err(|e| Failure::Failed(format!("{}: {e}", file.display())))?;
    let base = || {
        dump::base_offset_of(&name).ok_or_else(|| {
            Failure::Failed(format!("{name}: the name must begin with the 20 digits of the first offset"))
        })
    };
    let broken = |problem: String| Failure::Failed(format!("{}: {problem}", file.display()));
    match kind {
        FileKind::Log => return Ok(segment::dump(&name, base()?, &bytes, options)),
        FileKind::OffsetIndex => return Ok(offset_index(file, base()?, &bytes, options)),
        FileKind::TimeIndex => return Ok(time_index(file, base()?, &bytes, options)),
        FileKind::TransactionIndex => {
            let dumped = dump::dump_transaction_index(&bytes);
            for txn in &dumped.entries {
                println!(
                    "version: 0 producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
                    txn.producer_id, txn.first_offset, txn.last_offset, txn.last_stable_offset
                );
            }
            return Ok(complain(&dumped.problems));
        }
        FileKind::ProducerSnapshot => snapshot(&bytes).map_err(broken)?,
        FileKind::OffsetCheckpoint => {
            for (partition, offset) in dump::dump_offset_checkpoint(&bytes).map_err(broken)? {
                println!("partition: {partition} offset: {offset}");
            }
        }
        FileKind::LeaderEpochs => {
            for entry in dump::dump_leader_epochs(&bytes).map_err(broken)? {
                println!("leaderEpoch: {} startOffset: {}", entry.epoch, entry.start_offset);
            }
        }
        FileKind::PartitionMetadata => print!("{}", String::from_utf8_lossy(&bytes)),
    }
    Ok(false)
}

fn complain(problems: &[String]) -> bool {
    problems.iter().for_each(|problem| println!("{problem}"));
    !problems.is_empty()
}

fn offset_index(file: &Path, base: i64, bytes: &[u8], options: &Options) -> bool {
    let log = std::fs::read(file.with_extension("log")).ok();
    let dumped = dump::dump_offset_index(bytes, base, if options.sanity_only { None } else { log.as_deref() });
    if options.sanity_only && dumped.problems.is_empty() {
        println!("{} passed sanity check.", file.display());
    } else if !options.verify_only {
        dumped.entries.iter().for_each(|(offset, position)| println!("offset: {offset} position: {position}"));
    }
    complain(&dumped.problems)
}

fn time_index(file: &Path, base: i64, bytes: &[u8], options: &Options) -> bool {
    let dumped = dump::dump_time_index(bytes, base);
    if options.sanity_only && dumped.problems.is_empty() {
        println!("{} passed sanity check.", file.display());
    } else if !options.verify_only {
        dumped.entries.iter().for_each(|(timestamp, offset)| println!("timestamp: {timestamp} offset: {offset}"));
    }
    complain(&dumped.problems)
}

fn snapshot(bytes: &[u8]) -> Result<(), String> {
    for entry in dump::dump_snapshot(bytes)? {
        print!(
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {} ",
            entry.producer_id,
            entry.producer_epoch,
            entry.coordinator_epoch,
            segment::optional(entry.current_txn_first_offset),
            entry.last_timestamp
        );
        if let Some(batch) = entry.last_batch() {
            print!(
                "firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                batch.first_sequence(),
                batch.last_sequence,
                batch.last_offset,
                batch.offset_delta,
                batch.timestamp
            );
        }
        println!();
    }
    Ok(())
}

//! `zkTxnLogToolkit.sh`: prints, checks, repairs and cuts a keeper's transaction log. Works on the file alone.

mod frames;
mod recover;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use ottla_keeper::formatter::entry_text;
use ottla_keeper::txn;

use crate::common::{flag, text};
use crate::output::Out;
use crate::time::java_short_date;
use crate::tool::{Failure, Outcome, Tool};
use frames::{End, Frame, Frames};

pub const TOOL: Tool = Tool {
    name: "zk-txn-log",
    scripts: &["zkTxnLogToolkit"],
    classes: &["TxnLogToolkit", "LogFormatter"],
    about: "Print, check, repair or cut a keeper's transaction log",
    flags,
    run,
};

/// ZooKeeper's exit code for something that can't be done at all.
const INVALID: u8 = 2;

const HELP: &str = "\
Without a flag the log is printed. Times are UTC. The exit code is 1 when something in the log is wrong.

--recover writes FILE.fixed: transactions with a wrong checksum are kept with a right one (each is asked for, unless --yes),
and a transaction that was not written whole, as a crash leaves it, is left out with all that is behind it. FILE itself stays as it
is, unless --in-place puts FILE.fixed in its place and keeps it as FILE.bak; stop the keeper before. A keeper needs no repair after
a crash: it leaves a torn end out by itself. A wrong checksum is decay of the disk: copy the data of another server rather.

--chop --zxid ZXID writes FILE.choppedZXID, which ends with that transaction.";

fn flags(command: Command) -> Command {
    let letter = |name: &'static str, letter, help| flag(name, help).short(letter);
    command
        .arg(letter("dump", 'd', "Print all transactions (default)"))
        .arg(flag("check", "Print only what is wrong, and a summary"))
        .arg(letter("recover", 'r', "Write a repaired copy, FILE.fixed"))
        .arg(flag("in-place", "With --recover: put the copy in the file's place, and keep the file as FILE.bak"))
        .arg(letter("verbose", 'v', "With --recover: print all transactions, not only those with a wrong checksum"))
        .arg(letter("yes", 'y', "With --recover: repair without asking"))
        .arg(letter("chop", 'c', "Write a copy that ends with the transaction of --zxid"))
        .arg(
            Arg::new("zxid")
                .long("zxid")
                .short('z')
                .value_name("ZXID")
                .action(ArgAction::Set)
                .help("The last transaction to keep; decimal, or hexadecimal with 0x"),
        )
        .arg(Arg::new("file").value_name("FILE").required(true).help("A log.… in a keeper's version-2"))
        .after_help(HELP)
}

fn run(matches: &ArgMatches) -> Outcome {
    let file = PathBuf::from(text(matches, "file").unwrap_or_default());
    let on = |name| matches.get_flag(name);
    if on("in-place") && !on("recover") {
        return Err(Failure::Usage("--in-place goes with --recover".into()));
    }
    match (on("chop"), text(matches, "zxid")) {
        (true, Some(zxid)) => return recover::chop(&file, decode_zxid(zxid)?),
        (true, None) | (false, Some(_)) => return Err(Failure::Usage("--chop and --zxid go together".into())),
        (false, None) => {}
    }
    if on("recover") {
        recover::recover(&file, on("verbose"), on("yes"), on("in-place"))
    } else {
        dump(&file, on("check"))
    }
}

/// As Java's `Long.decode`: decimal, `0x…`, `#…`, or octal with a zero at its beginning.
fn decode_zxid(text: &str) -> Result<i64, Failure> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).or_else(|| text.strip_prefix('#'));
    let octal = text.strip_prefix('0').filter(|digits| !digits.is_empty());
    let zxid = match (hex, octal) {
        (Some(hex), _) => i64::from_str_radix(hex, 16),
        (None, Some(octal)) => i64::from_str_radix(octal, 8),
        (None, None) => text.parse(),
    };
    match zxid {
        Ok(zxid) if zxid >= 0 => Ok(zxid),
        _ => Err(Failure::Usage(format!("--zxid {text}: this must be a zxid such as 17 or 0x100000011"))),
    }
}

/// Opens a log and prints the line about its header.
fn open(file: &Path, out: &mut Out) -> Result<Frames<BufReader<File>>, Failure> {
    let opened = File::open(file).and_then(|f| if f.metadata()?.is_dir() { Err(is_a_directory()) } else { Ok(f) });
    let opened =
        opened.map_err(|e| Failure::Failed(format!("File doesn't exist or not readable: {}: {e}", file.display())))?;
    let frames =
        Frames::open(BufReader::new(opened)).map_err(|e| Failure::Failed(format!("{}: {e}", file.display())))?;
    let Some(frames) = frames else {
        eprintln!(
            "Invalid magic number for {}: this is no transaction log; those are called log.<zxid>",
            file.file_name().unwrap_or_default().to_string_lossy()
        );
        return Err(Failure::Silent(INVALID));
    };
    out.line(&format!(
        "ZooKeeper Transactional Log File with dbid {} txnlog format version {}",
        frames.db_id, frames.version
    ))?;
    Ok(frames)
}

fn is_a_directory() -> std::io::Error {
    std::io::ErrorKind::IsADirectory.into()
}

/// A transaction as the toolkit prints it, with a line feed at its end.
fn shown(bytes: &[u8]) -> String {
    match entry_text(bytes, java_short_date) {
        Ok(text) if text.ends_with('\n') => text,
        Ok(text) => text + "\n",
        Err(error) => format!("a transaction of {} bytes that can't be read: {error}\n", bytes.len()),
    }
}

/// Prints the log, or with `check` only what is wrong with it.
fn dump(file: &Path, check: bool) -> Outcome {
    let mut out = Out::new();
    let mut frames = open(file, &mut out)?;
    let mut summary = Summary::default();
    let end = loop {
        match frames.next().map_err(|e| Failure::Failed(format!("{}: {e}", file.display())))? {
            Ok(frame) => {
                print_frame(&frame, check, &mut out)?;
                summary.add(&frame);
            }
            Err(end) => break end,
        }
    };
    if let End::Torn { remains, .. } = &end
        && !remains.is_empty()
    {
        out.text(&format!("CRC ERROR - {}", shown(remains)))?;
    }
    if !matches!(end, End::Torn { .. }) {
        out.line(&format!("EOF reached after {} txns.", summary.txns))?;
    }
    if check && summary.txns > 0 {
        out.line(&format!("zxids 0x{:x} to 0x{:x}", summary.first_zxid, summary.last_zxid))?;
    }
    out.flush()?;
    summary.verdict(file, &end)
}

fn print_frame(frame: &Frame, check: bool, out: &mut Out) -> Outcome {
    let text = shown(&frame.bytes);
    if !frame.has_good_checksum() {
        out.text(&format!("CRC ERROR - {text}"))?;
    }
    if check { Ok(()) } else { out.text(&text) }
}

/// What a log holds.
#[derive(Debug, Default)]
struct Summary {
    txns: u64,
    wrong: u64,
    first_zxid: i64,
    last_zxid: i64,
}

impl Summary {
    fn add(&mut self, frame: &Frame) {
        let zxid = txn::zxid_of(&frame.bytes).unwrap_or(self.last_zxid);
        if self.txns == 0 {
            self.first_zxid = zxid;
        }
        self.last_zxid = zxid;
        self.txns += 1;
        self.wrong += u64::from(!frame.has_good_checksum());
    }

    /// An error that names the remedy, when something is wrong.
    fn verdict(&self, file: &Path, end: &End) -> Outcome {
        let file = file.display();
        let mut problems = Vec::new();
        if self.wrong > 0 {
            problems.push(format!("{} transaction(s) have a wrong checksum.", self.wrong));
        }
        match end {
            End::Clean => {}
            End::Cut { at } => problems.push(format!("The file ends within the transaction at byte {at}.")),
            End::Torn { at, .. } => problems.push(format!("Last transaction was partial. It begins at byte {at}.")),
            End::Length { at, len } => problems.push(format!("A transaction of {len} bytes can't be, at byte {at}.")),
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "{} `ottla zk-txn-log --recover {file}` writes what is good to {file}.fixed",
            problems.join(" ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zxids_as_java_decodes_them() {
        for (text, zxid) in [("17", 17), ("0x11", 17), ("#11", 17), ("021", 17), ("0", 0)] {
            assert_eq!(decode_zxid(text).ok(), Some(zxid), "{text}");
        }
        for bad in ["", "x", "-1", "0x", "1g"] {
            assert!(decode_zxid(bad).is_err(), "{bad}");
        }
    }
}

//! Repaired and shortened copies of a log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufWriter, Write};
use std::path::{Path, PathBuf};

use ottla_keeper::txn;

use super::frames::{End, Frame};
use super::{INVALID, open, shown};
use crate::output::Out;
use crate::tool::{Failure, Outcome};

/// `file` with something at its end.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A copy that is being written; it is removed again unless it is finished.
struct Copy {
    path: PathBuf,
    out: Option<BufWriter<File>>,
}

impl Copy {
    fn begin(path: PathBuf) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => Failure::Failed(format!(
                "Recovery file {} already exists or not writable; look at it, then move it away",
                path.display()
            )),
            _ => Failure::Failed(format!("{}: {e}", path.display())),
        })?;
        Ok(Self { path, out: Some(BufWriter::new(file)) })
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome {
        let written = self.out.as_mut().map_or(Ok(()), |out| out.write_all(bytes));
        written.map_err(|e| Failure::Failed(format!("{}: {e}", self.path.display())))
    }

    /// Everything is on disk afterwards.
    fn finish(&mut self) -> Outcome {
        let synced = (|| -> io::Result<()> {
            if let Some(mut out) = self.out.take() {
                out.flush()?;
                out.get_ref().sync_all()?;
            }
            sync_directory_of(&self.path)
        })();
        synced.map_err(|e| Failure::Failed(format!("{}: {e}", self.path.display())))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.out.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn sync_directory_of(file: &Path) -> io::Result<()> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

/// Writes FILE.fixed; with `in_place` it takes the file's place.
pub fn recover(file: &Path, verbose: bool, yes: bool, in_place: bool) -> Outcome {
    let _lock = in_place.then(|| lock(file)).transpose()?;
    let backup = beside(file, ".bak");
    if in_place && backup.exists() {
        return Err(Failure::Failed(format!("{} is there already; move it away first", backup.display())));
    }
    let mut out = Out::new();
    let mut frames = open(file, &mut out)?;
    let mut copy = Copy::begin(beside(file, ".fixed"))?;
    copy.write(&frames.header)?;
    let (mut txns, mut fixed) = (0u64, 0u64);
    let end = loop {
        let frame = match frames.next().map_err(|e| Failure::Failed(format!("{}: {e}", file.display())))? {
            Ok(frame) => frame,
            Err(end) => break end,
        };
        let keep_wrong = !frame.has_good_checksum() && !repair(&frame, yes, &mut out)?;
        fixed += u64::from(!frame.has_good_checksum() && !keep_wrong);
        if verbose {
            out.text(&shown(&frame.bytes))?;
        }
        copy.write(&if keep_wrong { frame.unchanged() } else { frame.repaired() })?;
        txns += 1;
    };
    copy.finish()?;
    if let End::Cut { at } | End::Torn { at, .. } | End::Length { at, .. } = end {
        out.line(&format!("Last transaction was partial. It is left out, from byte {at} on."))?;
    }
    out.line(&format!("EOF reached after {txns} txns."))?;
    out.line(&format!("Recovery file {} has been written with {fixed} fixed CRC error(s)", copy.path.display()))?;
    if in_place {
        replace(file, &backup, &copy.path)?;
        out.line(&format!("It is now {}; what was there is {}", file.display(), backup.display()))?;
    }
    out.flush()
}

/// True when a transaction with a wrong checksum is to have a right one. It is never left out: without it the log would be
/// another history.
fn repair(frame: &Frame, yes: bool, out: &mut Out) -> Result<bool, Failure> {
    if txn::TxnEntry::decode(&frame.bytes).is_err() {
        return Err(Failure::Failed(format!(
            "CRC ERROR - {}It can't be repaired; copy the data of another server, or --chop before it",
            shown(&frame.bytes)
        )));
    }
    if yes {
        out.text(&format!("CRC FIXED - {}", shown(&frame.bytes)))?;
        return Ok(true);
    }
    out.text(&format!("CRC ERROR - {}", shown(&frame.bytes)))?;
    loop {
        out.text("Would you like to fix it (Yes/No/Abort) ? ")?;
        out.flush()?;
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer)?;
        match answer.trim().chars().next().map(|c| c.to_ascii_uppercase()) {
            Some('Y') => return Ok(true),
            Some('N') => return Ok(false),
            Some('A') => {
                return Err(Failure::Failed("Recovery aborted. Nothing was written.".into()));
            }
            _ if read == 0 => {
                return Err(Failure::Failed("Nobody answers; --yes repairs without asking".into()));
            }
            _ => {}
        }
    }
}

/// Keeps a keeper from starting meanwhile, and finds out whether one runs: its lock is in its dataDir.
fn lock(file: &Path) -> Result<Option<Box<dyn ottla_base::disk::DiskLock>>, Failure> {
    use ottla_base::disk::Disk;
    let absolute = std::path::absolute(file)?;
    let Some(data_dir) = absolute.parent().and_then(Path::parent) else { return Ok(None) };
    let lock = data_dir.join(".lock");
    if !lock.exists() {
        return Ok(None);
    }
    match ottla_server::real_disk::RealDisk.lock(&lock) {
        Ok(lock) => Ok(Some(lock)),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(Failure::Failed(format!(
            "a keeper is running on {}; stop it before its log is repaired in place",
            data_dir.display()
        ))),
        Err(e) => Err(Failure::Failed(format!("{}: {e}", lock.display()))),
    }
}

fn replace(file: &Path, backup: &Path, fixed: &Path) -> Outcome {
    let moved =
        fs::hard_link(file, backup).and_then(|()| fs::rename(fixed, file)).and_then(|()| sync_directory_of(file));
    moved.map_err(|e| Failure::Failed(format!("{}: {e}; {} is good", file.display(), fixed.display())))
}

/// Writes FILE.chopped<zxid>, which ends with the transaction `zxid`.
#[doc(alias = "LogChopper")]
pub fn chop(file: &Path, zxid: i64) -> Outcome {
    let mut out = Out::new();
    let mut frames = open(file, &mut out)?;
    let mut copy = Copy::begin(beside(file, &format!(".chopped{zxid}")))?;
    copy.write(&frames.header)?;
    let (mut txns, mut last) = (0u64, None);
    let failed = |what: String| {
        eprintln!("{what}");
        Err(Failure::Silent(INVALID))
    };
    loop {
        let frame = match frames.next().map_err(|e| Failure::Failed(format!("{}: {e}", file.display())))? {
            Ok(frame) => frame,
            Err(_) => {
                out.line(&format!("EOF reached after {txns} txns."))?;
                out.flush()?;
                return failed(format!(
                    "Failed to chop {}: nothing in it is later than zxid 0x{zxid:x}",
                    file.display()
                ));
            }
        };
        let this = match txn::zxid_of(&frame.bytes) {
            Ok(this) if frame.has_good_checksum() => this,
            _ => return failed(format!("CRC doesn't match after {txns} txns; --recover repairs what can be")),
        };
        if let Some(gap) = last.and_then(|last| gap(last, this)) {
            out.line(&gap)?;
        }
        if this > zxid {
            if last != Some(zxid) {
                out.flush()?;
                return failed(format!("This log does not contain zxid {zxid:x}"));
            }
            break;
        }
        copy.write(&frame.repaired())?;
        txns += 1;
        last = Some(this);
    }
    copy.finish()?;
    out.line(&format!("Chopping at {zxid:x} new log has {txns} records"))?;
    out.flush()
}

/// Something is missing between two transactions.
fn gap(last: i64, this: i64) -> Option<String> {
    let (epoch, counter) = (|zxid: i64| zxid >> 32, |zxid: i64| zxid & 0xffff_ffff);
    if this == last + 1 || this == last {
        None
    } else if epoch(this) == epoch(last) {
        Some(format!("There is intra-epoch gap between {last:x} and {this:x}"))
    } else {
        (counter(this) != 1).then(|| format!("There is inter-epoch gap between {last:x} and {this:x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps() {
        assert_eq!(gap(5, 6), None);
        assert_eq!(gap(0x1_0000_0005, 0x2_0000_0001), None);
        assert!(gap(5, 7).is_some_and(|text| text.contains("intra-epoch")));
        assert!(gap(0x1_0000_0005, 0x2_0000_0002).is_some_and(|text| text.contains("inter-epoch")));
    }
}

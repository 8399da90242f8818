//! The frames of a transaction log as they are, right or wrong: checksum, length, transaction, end mark.

use std::io::{self, Read};

use ottla_base::checksum::adler32;
use ottla_base::limits::KEEPER_TXN_BYTES;
use ottla_keeper::txn_log::{HEADER_LEN, MAGIC};

const FRAME_LEN: usize = 12;
const END_OF_RECORD: u8 = b'B';

/// A transaction with its end mark.
#[derive(Debug)]
pub struct Frame {
    pub checksum: i64,
    pub bytes: Vec<u8>,
}

impl Frame {
    pub fn has_good_checksum(&self) -> bool {
        self.checksum == i64::from(adler32(1, &self.bytes))
    }

    /// As a log holds it, with the right checksum.
    pub fn repaired(&self) -> Vec<u8> {
        self.encoded(i64::from(adler32(1, &self.bytes)))
    }

    /// As it was read.
    pub fn unchanged(&self) -> Vec<u8> {
        self.encoded(self.checksum)
    }

    fn encoded(&self, checksum: i64) -> Vec<u8> {
        let mut out = checksum.to_be_bytes().to_vec();
        out.extend_from_slice(&(self.bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.bytes);
        out.push(END_OF_RECORD);
        out
    }
}

/// Why there is no further frame; `at` is where the next one would begin, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The end of the file, or the zeros that were written ahead.
    Clean,
    /// The file ends within a transaction.
    Cut { at: u64 },
    /// A transaction without its end mark: what remains of one that was not written whole.
    Torn { at: u64, remains: Vec<u8> },
    /// A length that no transaction has.
    Length { at: u64, len: i32 },
}

/// Reads frames one by one.
#[derive(Debug)]
pub struct Frames<R> {
    source: R,
    position: u64,
    pub header: [u8; HEADER_LEN as usize],
    pub version: i32,
    pub db_id: i64,
}

impl<R: Read> Frames<R> {
    /// Reads the header; `None` when it is not that of a log.
    pub fn open(mut source: R) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER_LEN as usize];
        if read_up_to(&mut source, &mut header)? < header.len() {
            return Ok(None);
        }
        let int = |at: usize| header[at..at + 4].iter().fold(0i32, |n, &b| n << 8 | i32::from(b));
        let db_id = header[8..].iter().fold(0i64, |n, &b| n << 8 | i64::from(b));
        Ok((int(0) == MAGIC).then_some(Self { source, position: HEADER_LEN, version: int(4), db_id, header }))
    }

    /// The next frame, or why there is none.
    pub fn next(&mut self) -> io::Result<Result<Frame, End>> {
        let at = self.position;
        let mut head = [0; FRAME_LEN];
        let read = read_up_to(&mut self.source, &mut head)?;
        if read < FRAME_LEN {
            let zeros = head[..read].iter().all(|&b| b == 0);
            return Ok(Err(if zeros { End::Clean } else { End::Cut { at } }));
        }
        let checksum = head[..8].iter().fold(0i64, |n, &b| n << 8 | i64::from(b));
        let len = head[8..].iter().fold(0i32, |n, &b| n << 8 | i32::from(b));
        if len == 0 {
            return Ok(Err(End::Clean));
        }
        let Some(whole) = usize::try_from(len).ok().filter(|len| *len <= KEEPER_TXN_BYTES) else {
            return Ok(Err(End::Length { at, len }));
        };
        // Grows with what is there: the length may lie.
        let mut bytes = Vec::new();
        Read::by_ref(&mut self.source).take(whole as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() <= whole {
            return Ok(Err(End::Cut { at }));
        }
        if bytes.pop() != Some(END_OF_RECORD) {
            return Ok(Err(End::Torn { at, remains: bytes }));
        }
        self.position += (FRAME_LEN + whole + 1) as u64;
        Ok(Ok(Frame { checksum, bytes }))
    }
}

fn read_up_to(source: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match source.read(&mut bytes[read..]) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(txns: &[&[u8]]) -> Vec<u8> {
        let mut log = MAGIC.to_be_bytes().to_vec();
        log.extend_from_slice(&[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
        for txn in txns {
            log.extend_from_slice(&Frame { checksum: 0, bytes: txn.to_vec() }.repaired());
        }
        log
    }

    fn read(bytes: &[u8]) -> (usize, usize, End) {
        let mut frames = Frames::open(bytes).expect("no I/O").expect("a log");
        let (mut good, mut wrong) = (0, 0);
        loop {
            match frames.next().expect("no I/O") {
                Ok(frame) if frame.has_good_checksum() => good += 1,
                Ok(_) => wrong += 1,
                Err(end) => return (good, wrong, end),
            }
        }
    }

    #[test]
    fn whole_cut_and_torn() {
        let whole = log(&[b"first", b"second"]);
        assert_eq!(read(&whole), (2, 0, End::Clean));
        let padded = [whole.clone(), vec![0; 100]].concat();
        assert_eq!(read(&padded), (2, 0, End::Clean));
        let second_at = 16 + 12 + 5 + 1;
        // The checksum begins with four zeros, which may as well have been written ahead.
        for cut in second_at + 5..whole.len() {
            assert_eq!(read(&whole[..cut]), (1, 0, End::Cut { at: second_at as u64 }), "cut at {cut}");
        }
        let mut torn = padded.clone();
        torn[whole.len() - 4..whole.len()].fill(0);
        assert_eq!(read(&torn), (1, 0, End::Torn { at: second_at as u64, remains: b"sec\0\0\0".to_vec() }));
        let mut flipped = whole.clone();
        flipped[16 + 12] ^= 1;
        assert_eq!(read(&flipped), (1, 1, End::Clean));
        let mut long = whole;
        long[second_at + 8] = 0x80;
        assert!(matches!(read(&long), (1, 0, End::Length { len, .. }) if len < 0));
    }

    #[test]
    fn something_else() {
        assert!(Frames::open(&b"ZKSN0000000000000000"[..]).is_ok_and(|frames| frames.is_none()));
        assert!(Frames::open(&b"ZK"[..]).is_ok_and(|frames| frames.is_none()));
    }
}

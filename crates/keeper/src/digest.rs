//! The digest of a tree (`DigestCalculator`, `AdHash`), version 2: the wrapping sum of every node's CRC-32 over path,
//! data and stat. Servers compare it after each transaction, so it must be ZooKeeper's to the bit.

use crc_fast::{CrcAlgorithm, Digest};

/// Version that the records carry.
pub const DIGEST_VERSION: i32 = 2;

/// The persisted part of a node's stat, in its order on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StatPersisted {
    pub czxid: i64,
    pub mzxid: i64,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    pub cversion: i32,
    pub aversion: i32,
    pub ephemeral_owner: i64,
    pub pzxid: i64,
}

impl StatPersisted {
    /// Of a node created now (`DataTree.createStat`).
    #[must_use]
    pub fn created(zxid: i64, time: i64, ephemeral_owner: i64) -> Self {
        Self {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ephemeral_owner,
            version: 0,
            cversion: 0,
            aversion: 0,
        }
    }
}

/// The CRC of a node's path and data, from which its digest follows by adding the stat. 0 stands for the nodes below
/// `/zookeeper`, which differ between servers and are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentCrc(u32);

impl ContentCrc {
    /// Of a node that the digest leaves out.
    pub const EXCLUDED: Self = Self(0);

    /// Of a node at `path` (`/` for the root) with `data`.
    #[must_use]
    pub fn of(path: &str, data: &[u8]) -> Self {
        if path.starts_with("/zookeeper/") {
            return Self::EXCLUDED;
        }
        let path = if path == "/" { "" } else { path };
        Self(update(update(!0, path.as_bytes()), data))
    }

    /// The node's digest: a 32-bit CRC, 0 when left out.
    #[must_use]
    pub fn digest(self, path: &str, stat: &StatPersisted) -> i64 {
        if self == Self::EXCLUDED && path.starts_with("/zookeeper/") {
            return 0;
        }
        let mut bytes = [0u8; 60];
        bytes[0..8].copy_from_slice(&stat.czxid.to_be_bytes());
        bytes[8..16].copy_from_slice(&stat.mzxid.to_be_bytes());
        bytes[16..24].copy_from_slice(&stat.pzxid.to_be_bytes());
        bytes[24..32].copy_from_slice(&stat.ctime.to_be_bytes());
        bytes[32..40].copy_from_slice(&stat.mtime.to_be_bytes());
        bytes[40..44].copy_from_slice(&stat.version.to_be_bytes());
        bytes[44..48].copy_from_slice(&stat.cversion.to_be_bytes());
        bytes[48..52].copy_from_slice(&stat.aversion.to_be_bytes());
        bytes[52..60].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
        i64::from(!update(self.0, &bytes))
    }
}

/// From so many bytes on, vector instructions make good for the way to them.
const LONG: usize = 512;
/// What a byte does to the CRC when 0 to 7 more follow in the same step.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][i] = crc;
        i += 1;
    }
    let mut step = 1;
    while step < 8 {
        let mut i = 0;
        while i < 256 {
            let before = tables[step - 1][i];
            tables[step][i] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            i += 1;
        }
        step += 1;
    }
    tables
}

/// Continues a CRC-32 (IEEE) whose state is not inverted. Nodes are small: eight bytes a step by table are done before a
/// library has chosen its instructions.
fn update(state: u32, bytes: &[u8]) -> u32 {
    if bytes.len() >= LONG {
        let mut crc = Digest::new_with_init_state(CrcAlgorithm::Crc32IsoHdlc, u64::from(state));
        crc.update(bytes);
        return crc.get_state() as u32;
    }
    let (steps, rest) = bytes.as_chunks::<8>();
    let mut crc = state;
    for step in steps {
        let [a, b, c, d, e, f, g, h] = *step;
        let [i, j, k, l] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
        let of = |table: usize, byte: u8| TABLES[table][usize::from(byte)];
        crc = of(7, i) ^ of(6, j) ^ of(5, k) ^ of(4, l) ^ of(3, e) ^ of(2, f) ^ of(1, g) ^ of(0, h);
    }
    for &byte in rest {
        crc = (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_are_the_same_crc() {
        let bytes: Vec<u8> = (0..2_000u32).map(|i| (i * 7 % 253) as u8).collect();
        for len in [0, 1, 7, 8, 9, 60, 511, 512, 513, 2_000] {
            assert_eq!(!update(!0, &bytes[..len]), ottla_base::checksum::crc32(&bytes[..len]), "{len} bytes");
        }
        assert_eq!(update(update(!0, &bytes[..600]), &bytes[600..]), update(!0, &bytes));
    }

    #[test]
    fn parts_give_the_crc_of_the_whole() {
        let stat = StatPersisted { czxid: 1, mzxid: 2, pzxid: 3, ctime: 4, mtime: 5, version: 6, ..Default::default() };
        let mut whole = b"/abhello".to_vec();
        for long in [1i64, 2, 3, 4, 5] {
            whole.extend(long.to_be_bytes());
        }
        for int in [6i32, 0, 0] {
            whole.extend(int.to_be_bytes());
        }
        whole.extend(0i64.to_be_bytes());
        let expected = i64::from(ottla_base::checksum::crc32(&whole));
        assert_eq!(ContentCrc::of("/ab", b"hello").digest("/ab", &stat), expected);
        assert_eq!(ContentCrc::of("/zookeeper/x", b"").digest("/zookeeper/x", &stat), 0);
        assert_ne!(ContentCrc::of("/zookeeper", b"").digest("/zookeeper", &stat), 0);
    }
}

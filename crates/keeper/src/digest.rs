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
        let mut crc = Digest::new(CrcAlgorithm::Crc32IsoHdlc);
        if path != "/" {
            crc.update(path.as_bytes());
        }
        crc.update(data);
        Self(crc.get_state() as u32)
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
        let mut crc = Digest::new_with_init_state(CrcAlgorithm::Crc32IsoHdlc, u64::from(self.0));
        crc.update(&bytes);
        crc.finalize() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

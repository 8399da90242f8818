//! The checksums of Kafka's and ZooKeeper's formats.

/// CRC-32C (Castagnoli) of `bytes`: the checksum of record batches v2 and of producer snapshots.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// CRC-32 (IEEE) of `bytes`: used by the old message formats and gzip.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, bytes) as u32
}

/// Adler-32 of `bytes`, continued from `seed` (1 for a fresh one): the checksum of ZooKeeper's transaction log and
/// snapshots (RFC 1950).
#[must_use]
pub fn adler32(seed: u32, bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    // The most whole lanes whose sums cannot overflow 32 bits between two reductions (5,552 bytes at most).
    const BLOCK: usize = 173 * LANES;
    // Bytes that are summed side by side, which the compiler does with vectors.
    const LANES: usize = 32;
    let (mut a, mut b) = (seed & 0xffff, seed >> 16);
    for block in bytes.chunks(BLOCK) {
        let (lanes, rest) = block.as_chunks::<LANES>();
        for lane in lanes {
            let (mut sum, mut weighted) = (0u32, 0u32);
            for (i, &byte) in lane.iter().enumerate() {
                sum += u32::from(byte);
                weighted += (LANES - i) as u32 * u32::from(byte);
            }
            b += LANES as u32 * a + weighted;
            a += sum;
        }
        for &byte in rest {
            a += u32::from(byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_check_values() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(1, b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn adler_continues_from_a_seed() {
        let bytes: Vec<u8> = (0..20_000u32).map(|i| (i % 251) as u8).collect();
        let (head, tail) = bytes.split_at(7_001);
        assert_eq!(adler32(adler32(1, head), tail), adler32(1, &bytes));
    }
}

//! Variable-length integers as Kafka writes them: base 128, least significant group first; the signed forms zigzag.

/// Why a varint could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarintError {
    /// The bytes end inside the number.
    Truncated,
    /// The number has more groups than its type can hold.
    TooLong,
}

/// Reads an unsigned varint of at most 32 bits from the front of `bytes`; gives it and its length in bytes.
pub fn read_u32(bytes: &[u8]) -> Result<(u32, usize), VarintError> {
    let mut value = 0u32;
    for (i, &byte) in bytes.iter().take(5).enumerate() {
        if i == 4 && byte > 0x0f {
            return Err(VarintError::TooLong);
        }
        value |= u32::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((value, i + 1));
        }
    }
    Err(if bytes.len() < 5 { VarintError::Truncated } else { VarintError::TooLong })
}

/// Reads an unsigned varint of at most 64 bits from the front of `bytes`; gives it and its length in bytes.
pub fn read_u64(bytes: &[u8]) -> Result<(u64, usize), VarintError> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        if i == 9 && byte > 0x01 {
            return Err(VarintError::TooLong);
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((value, i + 1));
        }
    }
    Err(if bytes.len() < 10 { VarintError::Truncated } else { VarintError::TooLong })
}

/// Reads a zigzag varint of at most 32 bits.
pub fn read_i32(bytes: &[u8]) -> Result<(i32, usize), VarintError> {
    let (raw, len) = read_u32(bytes)?;
    Ok((((raw >> 1) as i32) ^ -((raw & 1) as i32), len))
}

/// Reads a zigzag varint of at most 64 bits.
pub fn read_i64(bytes: &[u8]) -> Result<(i64, usize), VarintError> {
    let (raw, len) = read_u64(bytes)?;
    Ok((((raw >> 1) as i64) ^ -((raw & 1) as i64), len))
}

/// Appends an unsigned varint.
pub fn write_u32(out: &mut Vec<u8>, value: u32) {
    write_u64(out, u64::from(value));
}

/// Appends an unsigned varint.
pub fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a zigzag varint.
pub fn write_i32(out: &mut Vec<u8>, value: i32) {
    write_u32(out, ((value << 1) ^ (value >> 31)) as u32);
}

/// Appends a zigzag varint.
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    write_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Length in bytes of `value` as an unsigned varint.
#[must_use]
pub fn len_u64(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Length in bytes of `value` as a zigzag varint.
#[must_use]
pub fn len_i64(value: i64) -> usize {
    len_u64(((value << 1) ^ (value >> 63)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_lengths() {
        for value in
            [0i64, 1, -1, 63, -64, 64, 8_191, -8_192, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN]
        {
            let mut out = Vec::new();
            write_i64(&mut out, value);
            assert_eq!(read_i64(&out), Ok((value, out.len())));
            assert_eq!(len_i64(value), out.len());
            if let Ok(small) = i32::try_from(value) {
                let mut out = Vec::new();
                write_i32(&mut out, small);
                assert_eq!(read_i32(&out), Ok((small, out.len())));
            }
        }
    }

    #[test]
    fn bad_input_is_named() {
        assert_eq!(read_u32(&[]), Err(VarintError::Truncated));
        assert_eq!(read_u32(&[0x80; 4]), Err(VarintError::Truncated));
        assert_eq!(read_u32(&[0x80; 5]), Err(VarintError::TooLong));
        assert_eq!(read_u32(&[0xff, 0xff, 0xff, 0xff, 0x10]), Err(VarintError::TooLong));
        assert_eq!(read_u64(&[0xff; 10]), Err(VarintError::TooLong));
        assert_eq!(read_u32(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok((u32::MAX, 5)));
    }
}

//! A walk over the records of a batch body that looks at as little as safety needs, and allocates nothing. It is part of
//! every append, so it is written for speed: most varints here have one or two bytes.
//!
//! Record: length (varint), attributes (1 byte), timestamp delta (varlong), offset delta (varint), key length and key,
//! value length and value, number of headers, and per header key length, key, value length, value.

use ottla_base::varint;

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkError(pub &'static str);

/// What the walk keeps of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkedRecord {
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub has_key: bool,
}

#[derive(Clone, Debug)]
pub struct RecordWalk<'a> {
    rest: &'a [u8],
}

const SHORT: WalkError = WalkError("it ends before its fields do");

#[inline]
fn take_varint(bytes: &mut &[u8]) -> Result<i32, WalkError> {
    if let [first, rest @ ..] = *bytes
        && *first < 0x80
    {
        *bytes = rest;
        let raw = u32::from(*first);
        return Ok((raw >> 1) as i32 ^ -((raw & 1) as i32));
    }
    let (value, len) = varint::read_i32(bytes).map_err(|_| WalkError("a varint in it can't be read"))?;
    *bytes = &bytes[len..];
    Ok(value)
}

#[inline]
fn take_varlong(bytes: &mut &[u8]) -> Result<i64, WalkError> {
    if let [first, rest @ ..] = *bytes
        && *first < 0x80
    {
        *bytes = rest;
        let raw = u64::from(*first);
        return Ok((raw >> 1) as i64 ^ -((raw & 1) as i64));
    }
    let (value, len) = varint::read_i64(bytes).map_err(|_| WalkError("a varint in it can't be read"))?;
    *bytes = &bytes[len..];
    Ok(value)
}

/// Skips a length and that many bytes; false for null.
#[inline]
fn skip_bytes(bytes: &mut &[u8]) -> Result<bool, WalkError> {
    let Ok(len) = usize::try_from(take_varint(bytes)?) else { return Ok(false) };
    *bytes = bytes.get(len..).ok_or(SHORT)?;
    Ok(true)
}

impl<'a> RecordWalk<'a> {
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// The next record; `None` at the end.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<WalkedRecord>, WalkError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let len = usize::try_from(take_varint(&mut self.rest)?).map_err(|_| WalkError("its length is negative"))?;
        let (mut record, rest) = self.rest.split_at_checked(len).ok_or(WalkError("it is longer than its batch"))?;
        record = record.get(1..).ok_or(SHORT)?; // attributes, unused by the format
        let timestamp_delta = take_varlong(&mut record)?;
        let offset_delta = take_varint(&mut record)?;
        let has_key = skip_bytes(&mut record)?;
        skip_bytes(&mut record)?;
        let headers = take_varint(&mut record)?;
        if headers < 0 {
            return Err(WalkError("its number of headers is negative"));
        }
        for _ in 0..headers {
            if !skip_bytes(&mut record)? {
                return Err(WalkError("a header has no key"));
            }
            skip_bytes(&mut record)?;
        }
        if !record.is_empty() {
            return Err(WalkError("it is longer than its fields"));
        }
        self.rest = rest;
        Ok(Some(WalkedRecord { timestamp_delta, offset_delta, has_key }))
    }
}

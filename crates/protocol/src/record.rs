//! Records inside a batch of magic 2.
//!
//! A record is its length, then attributes (unused), timestamp and offset as differences from the batch's, key, value
//! and headers; all numbers are zigzag varints (KIP-98).

use ottla_base::varint;

use crate::record_batch::BatchError;

/// A record, borrowing from its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub offset: i64,
    /// Milliseconds since 1970, or -1 for none.
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// A header of a record.
#[doc(alias = "RecordHeader")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub key: &'a str,
    pub value: Option<&'a [u8]>,
}

/// The headers of a record, checked when the record was read; iterating gives them in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl Headers<'_> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> HeaderIter<'a> {
        HeaderIter { left: self.count, cursor: Cursor { bytes: self.bytes } }
    }
}

/// Iterates over [`Headers`].
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    left: u32,
    cursor: Cursor<'a>,
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.cursor.header().ok()
    }
}

/// A record as it stands in its batch: differences not resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRecord<'a> {
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// Position in the bytes of records.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    pub bytes: &'a [u8],
}

const TRUNCATED: BatchError = BatchError::InvalidRecord("a record ends before its fields do");
const BAD_VARINT: BatchError = BatchError::InvalidRecord("a record has a bad varint");

impl<'a> Cursor<'a> {
    #[inline]
    fn varint(&mut self) -> Result<i32, BatchError> {
        // Most lengths and differences fit one byte.
        if let Some((&byte, rest)) = self.bytes.split_first()
            && byte < 0x80
        {
            self.bytes = rest;
            return Ok(i32::from(byte >> 1) ^ -i32::from(byte & 1));
        }
        let (value, len) = varint::read_i32(self.bytes).map_err(|_| BAD_VARINT)?;
        self.bytes = &self.bytes[len..];
        Ok(value)
    }

    #[inline]
    fn varlong(&mut self) -> Result<i64, BatchError> {
        let (value, len) = varint::read_i64(self.bytes).map_err(|_| BAD_VARINT)?;
        self.bytes = &self.bytes[len..];
        Ok(value)
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], BatchError> {
        match self.bytes.split_at_checked(len) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => Err(TRUNCATED),
        }
    }

    /// A length and bytes; any negative length is null, as in Kafka.
    #[inline]
    fn blob(&mut self) -> Result<Option<&'a [u8]>, BatchError> {
        match self.varint()? {
            len @ 0.. => self.take(len as usize).map(Some),
            _ => Ok(None),
        }
    }

    fn header(&mut self) -> Result<Header<'a>, BatchError> {
        let key = self.blob()?.ok_or(BatchError::InvalidRecord("a header has no key"))?;
        let key = std::str::from_utf8(key).map_err(|_| BatchError::InvalidRecord("a header's key is not UTF-8"))?;
        Ok(Header { key, value: self.blob()? })
    }

    fn headers(&mut self) -> Result<Headers<'a>, BatchError> {
        let count = self.varint()?;
        let Ok(count) = u32::try_from(count) else {
            return Err(BatchError::InvalidRecord("a record has a negative number of headers"));
        };
        let bytes = self.bytes;
        for _ in 0..count {
            self.header()?;
        }
        Ok(Headers { count, bytes: &bytes[..bytes.len() - self.bytes.len()] })
    }

    /// The next record, checked to its last byte.
    pub fn record(&mut self) -> Result<RawRecord<'a>, BatchError> {
        let len = self.varint()?;
        let Ok(len) = usize::try_from(len) else {
            return Err(BatchError::InvalidRecord("a record has a negative length"));
        };
        let mut inside = Cursor { bytes: self.take(len)? };
        inside.take(1)?;
        let record = RawRecord {
            timestamp_delta: inside.varlong()?,
            offset_delta: inside.varint()?,
            key: inside.blob()?,
            value: inside.blob()?,
            headers: inside.headers()?,
        };
        if inside.bytes.is_empty() {
            Ok(record)
        } else {
            Err(BatchError::InvalidRecord("a record is longer than its fields"))
        }
    }
}

/// Iterates over the records of a batch. Ends after the first error, and after as many records as the batch says it
/// has: bytes after those, or too few, are an error too.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    pub(crate) cursor: Cursor<'a>,
    pub(crate) left: u32,
    pub(crate) base_offset: i64,
    pub(crate) base_timestamp: i64,
    /// The timestamp of every record, where the log's time replaces the producer's.
    pub(crate) append_time: Option<i64>,
}

impl<'a> RecordIter<'a> {
    fn read(&mut self) -> Result<Record<'a>, BatchError> {
        let raw = self.cursor.record()?;
        Ok(Record {
            offset: self.base_offset.wrapping_add(i64::from(raw.offset_delta)),
            timestamp: self.append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(raw.timestamp_delta)),
            key: raw.key,
            value: raw.value,
            headers: raw.headers,
        })
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let rest = std::mem::take(&mut self.cursor.bytes);
            return (!rest.is_empty()).then_some(Err(BatchError::InvalidRecord("bytes follow the last record")));
        }
        self.left -= 1;
        let record = self.read();
        if record.is_err() {
            self.left = 0;
            self.cursor.bytes = &[];
        }
        Some(record)
    }
}

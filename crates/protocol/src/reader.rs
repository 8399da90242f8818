//! Reading the primitive types of the protocol from a frame, without copying.
//!
//! Nothing here trusts a length: a string, array or tagged field that claims more than the frame holds is an error
//! before anything is allocated for it.

use std::borrow::Cow;

use ottla_base::ids::Uuid;
use ottla_base::limits;
use ottla_base::varint::{self, VarintError};

use crate::error::{DecodeError, DecodeErrorKind};
use crate::types::{Blob, Records, Str};

/// A position in a frame. Errors leave it anywhere.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether the message being read is of a flexible version (KIP-482): compact lengths, tagged fields.
    pub(crate) flexible: bool,
    message: &'static str,
    /// Memory taken by the elements of arrays so far.
    element_bytes: usize,
}

type Result<T> = std::result::Result<T, DecodeError>;

/// The tagged fields at the end of a struct, while they are being read.
pub(crate) struct Tags {
    left: u32,
    previous: Option<u32>,
    end: usize,
}

impl<'a> Reader<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, flexible: false, message: "frame", element_bytes: 0 }
    }

    /// Bytes read so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The bytes not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// An error when bytes are left.
    pub fn finish(&self) -> Result<()> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.error(DecodeErrorKind::TrailingBytes)) }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { kind, message: self.message, offset: self.at }
    }

    /// Starts a message: what follows is read by the rules of `version`.
    pub(crate) fn begin(
        &mut self,
        message: &'static str,
        version: i16,
        range: (i16, i16),
        flexible: i16,
    ) -> Result<()> {
        self.message = message;
        self.flexible = version >= flexible;
        if version < range.0 || version > range.1 {
            return Err(self.error(DecodeErrorKind::UnsupportedVersion));
        }
        Ok(())
    }

    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        match self.bytes[self.at..].get(..len) {
            Some(bytes) => {
                self.at += len;
                Ok(bytes)
            }
            None => Err(self.error(DecodeErrorKind::Truncated)),
        }
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.bytes[self.at..].first_chunk::<N>() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.error(DecodeErrorKind::Truncated)),
        }
    }

    #[inline]
    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.fixed::<1>()?[0] != 0)
    }

    #[inline]
    pub fn i8(&mut self) -> Result<i8> {
        self.fixed().map(i8::from_be_bytes)
    }

    #[inline]
    pub fn i16(&mut self) -> Result<i16> {
        self.fixed().map(i16::from_be_bytes)
    }

    #[inline]
    pub fn i32(&mut self) -> Result<i32> {
        self.fixed().map(i32::from_be_bytes)
    }

    #[inline]
    pub fn i64(&mut self) -> Result<i64> {
        self.fixed().map(i64::from_be_bytes)
    }

    #[inline]
    pub fn u16(&mut self) -> Result<u16> {
        self.fixed().map(u16::from_be_bytes)
    }

    #[inline]
    pub fn u32(&mut self) -> Result<u32> {
        self.fixed().map(u32::from_be_bytes)
    }

    #[inline]
    pub fn f64(&mut self) -> Result<f64> {
        self.fixed().map(f64::from_be_bytes)
    }

    #[inline]
    pub fn uuid(&mut self) -> Result<Uuid> {
        self.fixed().map(Uuid)
    }

    /// An unsigned varint.
    #[inline]
    pub fn varint(&mut self) -> Result<u32> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u32::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u32> {
        match varint::read_u32(self.rest()) {
            Ok((value, len)) => {
                self.at += len;
                Ok(value)
            }
            Err(VarintError::Truncated) => Err(self.error(DecodeErrorKind::Truncated)),
            Err(VarintError::TooLong) => Err(self.error(DecodeErrorKind::VarintTooLong)),
        }
    }

    /// The compact form of a length: one more than it, 0 for null.
    #[inline]
    fn compact_len(&mut self) -> Result<Option<usize>> {
        Ok(self.varint()?.checked_sub(1).map(|len| len as usize))
    }

    fn checked_len(&self, len: i64) -> Result<Option<usize>> {
        match len {
            -1 => Ok(None),
            0.. if len as u64 <= self.remaining() as u64 => Ok(Some(len as usize)),
            _ => Err(self.error(DecodeErrorKind::BadLength)),
        }
    }

    #[inline]
    fn string_len(&mut self) -> Result<Option<usize>> {
        if self.flexible {
            self.compact_len()
        } else {
            let len = self.i16()?;
            self.checked_len(i64::from(len))
        }
    }

    #[inline]
    fn long_len(&mut self) -> Result<Option<usize>> {
        if self.flexible {
            self.compact_len()
        } else {
            let len = self.i32()?;
            self.checked_len(i64::from(len))
        }
    }

    fn text(&mut self, len: usize) -> Result<Str<'a>> {
        if len > i16::MAX as usize {
            // The compact form could say more, but Kafka keeps the old bound for strings.
            return Err(self.error(DecodeErrorKind::BadLength));
        }
        let bytes = self.take(len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => Err(self.error(DecodeErrorKind::NotUtf8)),
        }
    }

    pub fn nullable_string(&mut self) -> Result<Option<Str<'a>>> {
        match self.string_len()? {
            Some(len) => self.text(len).map(Some),
            None => Ok(None),
        }
    }

    pub fn string(&mut self) -> Result<Str<'a>> {
        match self.string_len()? {
            Some(len) => self.text(len),
            None => Err(self.error(DecodeErrorKind::UnexpectedNull)),
        }
    }

    /// A string with a two-byte length, whatever the version.
    pub fn legacy_nullable_string(&mut self) -> Result<Option<Str<'a>>> {
        let flexible = std::mem::replace(&mut self.flexible, false);
        let text = self.nullable_string();
        self.flexible = flexible;
        text
    }

    pub fn nullable_bytes(&mut self) -> Result<Option<Blob<'a>>> {
        match self.long_len()? {
            Some(len) => self.take(len).map(|bytes| Some(Cow::Borrowed(bytes))),
            None => Ok(None),
        }
    }

    pub fn bytes(&mut self) -> Result<Blob<'a>> {
        match self.long_len()? {
            Some(len) => self.take(len).map(Cow::Borrowed),
            None => Err(self.error(DecodeErrorKind::UnexpectedNull)),
        }
    }

    /// Records as they are, or null.
    pub fn records(&mut self) -> Result<Option<Records<'a>>> {
        Ok(self.nullable_bytes()?.map(Records::Bytes))
    }

    /// An array's length. Every element has at least one byte, so a count above the bytes left is a lie.
    fn array_len(&mut self) -> Result<Option<usize>> {
        match self.long_len()? {
            Some(len) if len > self.remaining() => Err(self.error(DecodeErrorKind::BadLength)),
            len => Ok(len),
        }
    }

    fn elements<T>(&mut self, len: usize, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.element_bytes = self.element_bytes.saturating_add(len.saturating_mul(size_of::<T>()));
        if self.element_bytes > limits::MESSAGE_ELEMENT_BYTES {
            return Err(self.error(DecodeErrorKind::BadLength));
        }
        let mut elements = Vec::with_capacity(len.min(limits::ARRAY_PREALLOCATION));
        for _ in 0..len {
            elements.push(read(self)?);
        }
        Ok(elements)
    }

    pub(crate) fn array<T>(&mut self, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        match self.array_len()? {
            Some(len) => self.elements(len, read),
            None => Err(self.error(DecodeErrorKind::UnexpectedNull)),
        }
    }

    pub(crate) fn nullable_array<T>(&mut self, read: impl Fn(&mut Self) -> Result<T>) -> Result<Option<Vec<T>>> {
        match self.array_len()? {
            Some(len) => self.elements(len, read).map(Some),
            None => Ok(None),
        }
    }

    /// The byte before a nullable struct: negative for null.
    pub(crate) fn is_present(&mut self) -> Result<bool> {
        Ok(self.i8()? >= 0)
    }

    /// Starts the tagged fields at the end of a struct: none of them in a version that is not flexible.
    pub(crate) fn tags(&mut self) -> Result<Tags> {
        let left = if self.flexible { self.varint()? } else { 0 };
        Ok(Tags { left, previous: None, end: self.at })
    }

    /// The next tag, its bytes coming next; `None` after the last. Checks that the one before was read to its end.
    pub(crate) fn next_tag(&mut self, tags: &mut Tags) -> Result<Option<u32>> {
        if tags.previous.is_some() && self.at != tags.end {
            return Err(self.error(DecodeErrorKind::BadTaggedField));
        }
        if tags.left == 0 {
            return Ok(None);
        }
        tags.left -= 1;
        let tag = self.varint()?;
        if tags.previous.is_some_and(|previous| previous >= tag) {
            return Err(self.error(DecodeErrorKind::BadTaggedField));
        }
        let len = self.varint()? as usize;
        if len > self.remaining() {
            return Err(self.error(DecodeErrorKind::BadLength));
        }
        tags.previous = Some(tag);
        tags.end = self.at + len;
        Ok(Some(tag))
    }

    /// Passes over the current tagged field, which this version doesn't know.
    pub(crate) fn skip_tag(&mut self, tags: &Tags) {
        self.at = tags.end;
    }

    /// Passes over all tagged fields of a struct that knows none.
    pub(crate) fn skip_tags(&mut self) -> Result<()> {
        if self.flexible {
            let mut tags = self.tags()?;
            while self.next_tag(&mut tags)?.is_some() {
                self.skip_tag(&tags);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::messages::{FetchResponse, MetadataRequest, SaslHandshakeRequest};

    fn kind_of<'a, M: Message<'a>>(bytes: &'a [u8], version: i16) -> DecodeErrorKind {
        M::from_bytes(bytes, version).expect_err("bad bytes").kind
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        use DecodeErrorKind::{BadLength, NotUtf8, Truncated, UnexpectedNull, VarintTooLong};
        // Two billion topics in eight bytes.
        assert_eq!(kind_of::<MetadataRequest<'_>>(&[0x7f, 0xff, 0xff, 0xff, 0, 1, 2, 3], 1), BadLength);
        assert_eq!(kind_of::<MetadataRequest<'_>>(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0], 9), BadLength);
        assert_eq!(kind_of::<MetadataRequest<'_>>(&[0xff, 0xff, 0xff, 0xfe], 1), BadLength);
        assert_eq!(kind_of::<MetadataRequest<'_>>(&[0x80; 6], 9), VarintTooLong);
        assert_eq!(kind_of::<SaslHandshakeRequest<'_>>(&[0, 5, b'P', b'L'], 0), BadLength);
        assert_eq!(kind_of::<SaslHandshakeRequest<'_>>(&[0xff, 0xff], 0), UnexpectedNull);
        assert_eq!(kind_of::<SaslHandshakeRequest<'_>>(&[0x80, 0], 0), BadLength);
        assert_eq!(kind_of::<SaslHandshakeRequest<'_>>(&[0, 2, 0xc3, 0x28], 0), NotUtf8);
        assert_eq!(kind_of::<SaslHandshakeRequest<'_>>(&[0], 0), Truncated);
    }

    #[test]
    fn small_elements_do_not_become_a_memory_full() {
        // Topics without a name: two bytes each on the wire.
        let many = |count: usize| [&(count as u32).to_be_bytes()[..], &vec![0; 2 * count]].concat();
        assert!(MetadataRequest::from_bytes(&many(100_000), 0).is_ok());
        assert_eq!(kind_of::<MetadataRequest<'_>>(&many(20_000_000), 0), DecodeErrorKind::BadLength);
    }

    #[test]
    fn tagged_fields_out_of_place_are_refused() {
        // No topics, three flags, then tagged fields.
        let with = |tags: &[u8]| [&[1, 0, 0, 0][..], tags].concat();
        assert!(MetadataRequest::from_bytes(&with(&[2, 5, 1, 9, 6, 0]), 9).is_ok());
        let bad = |tags: &[u8]| kind_of::<MetadataRequest<'_>>(&with(tags), 9);
        assert_eq!(bad(&[2, 5, 0, 5, 0]), DecodeErrorKind::BadTaggedField);
        assert_eq!(bad(&[2, 6, 0, 5, 0]), DecodeErrorKind::BadTaggedField);
        assert_eq!(bad(&[1, 5, 9, 1]), DecodeErrorKind::BadLength);
        // The broker list of a fetch response in one byte more than it takes.
        let sound = FetchResponse::default().to_bytes(16).expect("writes");
        let (body, _) = sound.split_at(sound.len() - 1);
        assert!(FetchResponse::from_bytes(&[body, &[1, 0, 1, 1]].concat(), 16).is_ok());
        let long = [body, &[1, 0, 2, 1, 0]].concat();
        assert_eq!(kind_of::<FetchResponse<'_>>(&long, 16), DecodeErrorKind::BadTaggedField);
    }

    #[test]
    fn errors_name_message_and_place() {
        let error = MetadataRequest::from_bytes(&[0, 0, 0, 1, 0, 9, 0], 0).expect_err("bad bytes");
        assert_eq!(
            error.to_string(),
            "MetadataRequest: a length is negative or larger than the bytes left (at byte 6)"
        );
        let error = MetadataRequest::from_bytes(&[], 99).expect_err("bad version");
        assert_eq!(error.kind, DecodeErrorKind::UnsupportedVersion);
    }
}

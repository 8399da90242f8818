//! Writing the primitive types of the protocol into the segments of a frame.

use ottla_base::disk::FileSlice;
use ottla_base::ids::Uuid;
use ottla_base::varint;

use crate::error::{EncodeError, EncodeErrorKind};
use crate::frame::{Frame, Segment};
use crate::types::Records;

/// Bytes of this length and more become a segment of their own: they are copied once, and the buffer before them does
/// not have to grow (and be copied) for them.
const OWN_SEGMENT_BYTES: usize = 64 << 10;

/// Collects a message. What can't be written is remembered and told at the message's end, so that the writing of a
/// field is a plain call.
#[derive(Debug, Default)]
pub struct Writer {
    done: Vec<Segment>,
    bytes: Vec<u8>,
    pub(crate) flexible: bool,
    message: &'static str,
    version: i16,
    tag_depth: u32,
    error: Option<EncodeError>,
    /// Leave out what the version can't carry instead of failing.
    lenient: bool,
}

/// The tagged fields at the end of a struct, while they are being written.
pub(crate) struct TagsWriter {
    /// Where the count stands.
    count_at: usize,
    /// Where the current field's bytes begin: its one-byte length is just before.
    field_at: usize,
}

impl Writer {
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::with_capacity(256), ..Self::default() }
    }

    /// A writer for responses: a handler fills in all it knows, and an answer in an old version leaves out the rest. In a request
    /// that would change its meaning; an old client has never known what is left out of its answer.
    pub(crate) fn for_response() -> Self {
        Self { lenient: true, ..Self::new() }
    }

    /// A writer whose buffer has room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), ..Self::default() }
    }

    /// Bytes written so far, those of file slices included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.done.iter().map(Segment::len).sum::<usize>() + self.bytes.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written, as it is (no size before it).
    #[must_use]
    pub fn into_frame(mut self) -> Frame {
        if !self.bytes.is_empty() {
            self.done.push(Segment::Bytes(self.bytes));
        }
        Frame { segments: self.done }
    }

    /// Overwrites the first four bytes.
    pub(crate) fn patch_size(&mut self, size: i32) {
        let first = match self.done.first_mut() {
            Some(Segment::Bytes(bytes)) => bytes,
            _ => &mut self.bytes,
        };
        first[..4].copy_from_slice(&size.to_be_bytes());
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, kind: EncodeErrorKind, field: &'static str) {
        self.error.get_or_insert(EncodeError { kind, message: self.message, field, version: self.version });
    }

    /// Starts a message: what follows is written by the rules of `version`.
    pub(crate) fn begin(
        &mut self,
        message: &'static str,
        version: i16,
        range: (i16, i16),
        flexible: i16,
    ) -> Result<(), EncodeError> {
        self.message = message;
        self.version = version;
        self.flexible = version >= flexible;
        self.error = None;
        if version < range.0 || version > range.1 {
            return Err(EncodeError { kind: EncodeErrorKind::UnsupportedVersion, message, field: "", version });
        }
        Ok(())
    }

    /// Ends a message, telling the first thing that could not be written.
    pub(crate) fn end(&mut self) -> Result<(), EncodeError> {
        self.error.take().map_or(Ok(()), Err)
    }

    /// Notes that `field` is set although the version can't carry it.
    #[cold]
    pub(crate) fn unsupported(&mut self, field: &'static str) {
        if !self.lenient {
            self.fail(EncodeErrorKind::UnsupportedField, field);
        }
    }

    /// Notes that `field` is null although the version has no null for it.
    #[cold]
    pub(crate) fn null_field(&mut self, field: &'static str) {
        self.fail(EncodeErrorKind::NullField, field);
    }

    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.bytes.push(value as u8);
    }

    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    pub fn uuid(&mut self, value: &Uuid) {
        self.bytes.extend_from_slice(&value.0);
    }

    /// An unsigned varint.
    #[inline]
    pub fn varint(&mut self, value: u32) {
        varint::write_u32(&mut self.bytes, value);
    }

    /// A length of up to 32 bits; null is -1, or 0 in the compact form.
    fn long_len(&mut self, len: Option<usize>) {
        match len {
            Some(len) if len >= i32::MAX as usize => self.fail(EncodeErrorKind::TooLong, ""),
            Some(len) if self.flexible => self.varint(len as u32 + 1),
            Some(len) => self.i32(len as i32),
            None if self.flexible => self.varint(0),
            None => self.i32(-1),
        }
    }

    fn string_len(&mut self, len: Option<usize>) {
        match len {
            // The compact form could say more, but Kafka keeps the old bound for strings.
            Some(len) if len > i16::MAX as usize => self.fail(EncodeErrorKind::TooLong, ""),
            Some(len) if self.flexible => self.varint(len as u32 + 1),
            Some(len) => self.i16(len as i16),
            None if self.flexible => self.varint(0),
            None => self.i16(-1),
        }
    }

    pub fn string(&mut self, value: &str) {
        self.string_len(Some(value.len()));
        self.bytes.extend_from_slice(value.as_bytes());
    }

    pub fn nullable_string(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.string(value),
            None => self.string_len(None),
        }
    }

    /// A string with a two-byte length, whatever the version.
    pub fn legacy_nullable_string(&mut self, value: Option<&str>) {
        let flexible = std::mem::replace(&mut self.flexible, false);
        self.nullable_string(value);
        self.flexible = flexible;
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.long_len(Some(value.len()));
        self.raw(value);
    }

    pub fn nullable_bytes(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.bytes(value),
            None => self.long_len(None),
        }
    }

    /// Bytes without a length before them.
    pub fn raw(&mut self, value: &[u8]) {
        if value.len() >= OWN_SEGMENT_BYTES && self.tag_depth == 0 {
            self.push_segment(Segment::Bytes(value.to_vec()));
        } else {
            self.bytes.extend_from_slice(value);
        }
    }

    fn push_segment(&mut self, segment: Segment) {
        let before = std::mem::take(&mut self.bytes);
        if !before.is_empty() {
            self.done.push(Segment::Bytes(before));
        }
        self.done.push(segment);
    }

    fn file(&mut self, slice: &FileSlice) {
        self.long_len(Some(slice.len));
        self.push_segment(Segment::File(slice.clone()));
    }

    pub fn records(&mut self, value: Option<&Records<'_>>) {
        match value {
            Some(Records::Bytes(bytes)) => self.bytes(bytes),
            Some(Records::File(slice)) => self.file(slice),
            None => self.long_len(None),
        }
    }

    pub fn array_len(&mut self, len: usize) {
        self.long_len(Some(len));
    }

    pub fn nullable_array_len(&mut self, len: Option<usize>) {
        self.long_len(len);
    }

    /// Starts the tagged fields of a struct of a flexible version.
    pub(crate) fn tags(&mut self) -> TagsWriter {
        self.bytes.push(0);
        TagsWriter { count_at: self.bytes.len() - 1, field_at: 0 }
    }

    /// Starts one tagged field.
    pub(crate) fn tag(&mut self, tags: &mut TagsWriter, tag: u32) {
        self.bytes[tags.count_at] += 1;
        self.varint(tag);
        self.bytes.push(0);
        tags.field_at = self.bytes.len();
        self.tag_depth += 1;
    }

    /// Ends one tagged field: its length goes before it, moving it when one byte is not enough.
    pub(crate) fn end_tag(&mut self, tags: &TagsWriter) {
        self.tag_depth -= 1;
        let len = self.bytes.len() - tags.field_at;
        if len < 0x80 {
            self.bytes[tags.field_at - 1] = len as u8;
        } else {
            let mut prefix = Vec::with_capacity(5);
            varint::write_u32(&mut prefix, len as u32);
            self.bytes.splice(tags.field_at - 1..tags.field_at, prefix);
        }
    }

    /// The empty set of tagged fields, if the version is flexible.
    #[inline]
    pub(crate) fn no_tags(&mut self) {
        if self.flexible {
            self.bytes.push(0);
        }
    }
}

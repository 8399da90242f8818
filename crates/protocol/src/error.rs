//! What can go wrong between bytes and messages.

use std::error::Error;
use std::fmt;
use std::io;

/// Why bytes are not the message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The bytes end inside a field.
    Truncated,
    /// A varint is longer than its type allows.
    VarintTooLong,
    /// A length is negative, larger than the bytes that are left, or an array would take more memory than it may.
    BadLength,
    /// Null where the version has no null.
    UnexpectedNull,
    /// A string is not UTF-8.
    NotUtf8,
    /// Tagged fields are out of order, twice there, or of another length than they say.
    BadTaggedField,
    /// The message has no such version.
    UnsupportedVersion,
    /// Bytes are left after the end of the message.
    TrailingBytes,
    /// No API has this key.
    UnknownApiKey,
}

/// Bytes that are not the message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    pub kind: DecodeErrorKind,
    /// Name of the message that was being read.
    pub message: &'static str,
    /// Where in the frame, in bytes.
    pub offset: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            DecodeErrorKind::Truncated => "the bytes end inside a field",
            DecodeErrorKind::VarintTooLong => "a varint is too long",
            DecodeErrorKind::BadLength => "a length is negative or larger than the bytes left",
            DecodeErrorKind::UnexpectedNull => "null where this version has none",
            DecodeErrorKind::NotUtf8 => "a string is not UTF-8",
            DecodeErrorKind::BadTaggedField => "tagged fields are out of order or of a wrong length",
            DecodeErrorKind::UnsupportedVersion => "no such version",
            DecodeErrorKind::TrailingBytes => "bytes are left over",
            DecodeErrorKind::UnknownApiKey => "no such API",
        };
        write!(f, "{}: {what} (at byte {})", self.message, self.offset)
    }
}

impl Error for DecodeError {}

/// Why a message can't be written in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeErrorKind {
    /// A field is set that this version can't carry, and that must not be dropped.
    UnsupportedField,
    /// A field is null that this version can't have null.
    NullField,
    /// A string, array or the whole frame is longer than its length field can say.
    TooLong,
    /// The message has no such version.
    UnsupportedVersion,
}

/// A message that can't be written in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    pub kind: EncodeErrorKind,
    pub message: &'static str,
    /// `Struct.field` where one is to blame, or empty.
    pub field: &'static str,
    pub version: i16,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, field, version, .. } = self;
        match self.kind {
            EncodeErrorKind::UnsupportedField => write!(f, "{message} version {version} can't carry {field}"),
            EncodeErrorKind::NullField => write!(f, "{message} version {version}: {field} can't be null"),
            EncodeErrorKind::TooLong => write!(f, "{message} version {version}: something is too long"),
            EncodeErrorKind::UnsupportedVersion => write!(f, "{message} has no version {version}"),
        }
    }
}

impl Error for EncodeError {}

impl From<DecodeError> for io::Error {
    fn from(error: DecodeError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl From<EncodeError> for io::Error {
    fn from(error: EncodeError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

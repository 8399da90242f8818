//! The types of fields that are not plain numbers.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use ottla_base::disk::FileSlice;

/// Text, borrowed from the frame it was read from or owned.
pub type Str<'a> = Cow<'a, str>;
/// Bytes, borrowed from the frame they were read from or owned.
pub type Blob<'a> = Cow<'a, [u8]>;

/// Record batches: bytes, or a piece of a log file that is sent without being read.
#[derive(Clone)]
pub enum Records<'a> {
    Bytes(Blob<'a>),
    File(FileSlice),
}

impl<'a> Records<'a> {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(slice) => slice.len,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are here and not in a file.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::File(_) => None,
        }
    }

    /// The bytes, read from the file if they are there.
    pub fn read(self) -> io::Result<Blob<'a>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(slice) => slice.read().map(Cow::Owned),
        }
    }

    #[must_use]
    pub fn into_owned(self) -> Records<'static> {
        match self {
            Self::Bytes(bytes) => Records::Bytes(Cow::Owned(bytes.into_owned())),
            Self::File(slice) => Records::File(slice),
        }
    }
}

impl<'a> From<&'a [u8]> for Records<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Records<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(bytes))
    }
}

impl From<FileSlice> for Records<'_> {
    fn from(slice: FileSlice) -> Self {
        Self::File(slice)
    }
}

/// Bytes are equal by content, slices when they are the same piece of the same open file.
impl PartialEq for Records<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::File(a), Self::File(b)) => {
                a.position == b.position && a.len == b.len && Arc::ptr_eq(&a.file, &b.file)
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Records({} bytes)", bytes.len()),
            Self::File(slice) => write!(f, "Records({} bytes at {} of {:?})", slice.len, slice.position, slice.file),
        }
    }
}

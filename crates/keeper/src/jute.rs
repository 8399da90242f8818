//! Jute, ZooKeeper's record encoding: big-endian integers, strings and buffers with a 4-byte length (-1 is null),
//! vectors with a 4-byte count (-1 is null), records as their fields in order.
//!
//! Decoding borrows from the frame. Nothing is reserved on the word of a length that the frame can't hold.

use ottla_base::limits::ARRAY_PREALLOCATION;
use std::fmt;

/// Why bytes are not the record they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JuteError {
    /// The bytes end inside a field, or a length points past their end.
    Truncated,
    /// A length below -1.
    BadLength(i32),
    /// A string that is not UTF-8.
    NotUtf8,
    /// A value outside the closed set that this place allows (an unknown operation in a multi, say).
    BadValue(i32),
}

impl fmt::Display for JuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the record ends too early"),
            Self::BadLength(len) => write!(f, "unreasonable length = {len}"),
            Self::NotUtf8 => f.write_str("a string is not UTF-8"),
            Self::BadValue(value) => write!(f, "unexpected value {value}"),
        }
    }
}

impl std::error::Error for JuteError {}

/// Reads jute values from the front of a slice.
#[doc(alias = "BinaryInputArchive")]
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// True when everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], JuteError> {
        let (head, tail) = self.bytes.split_at_checked(len).ok_or(JuteError::Truncated)?;
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], JuteError> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(JuteError::Truncated)?;
        self.bytes = tail;
        Ok(*head)
    }

    pub fn byte(&mut self) -> Result<u8, JuteError> {
        Ok(self.array::<1>()?[0])
    }

    pub fn int(&mut self) -> Result<i32, JuteError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn long(&mut self) -> Result<i64, JuteError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub fn bool(&mut self) -> Result<bool, JuteError> {
        Ok(self.byte()? != 0)
    }

    /// A buffer; `None` is null, which is not the same as empty.
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, JuteError> {
        match self.int()? {
            -1 => Ok(None),
            len => self.take(usize::try_from(len).map_err(|_| JuteError::BadLength(len))?).map(Some),
        }
    }

    /// A string; `None` is null.
    pub fn string(&mut self) -> Result<Option<&'a str>, JuteError> {
        match self.buffer()? {
            None => Ok(None),
            Some(bytes) => std::str::from_utf8(bytes).map(Some).map_err(|_| JuteError::NotUtf8),
        }
    }

    /// The count that starts a vector; null counts as empty. A count that the rest can't hold is an error, as each
    /// element takes at least a byte.
    pub fn vector_len(&mut self) -> Result<usize, JuteError> {
        match self.int()? {
            -1 => Ok(0),
            count => {
                let count = usize::try_from(count).map_err(|_| JuteError::BadLength(count))?;
                if count > self.bytes.len() { Err(JuteError::Truncated) } else { Ok(count) }
            }
        }
    }

    /// A whole record.
    pub fn record<T: Jute<'a>>(&mut self) -> Result<T, JuteError> {
        T::read(self)
    }
}

/// A value with a jute encoding.
pub trait Jute<'a>: Sized {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JuteError>;
    fn write(&self, out: &mut Vec<u8>);

    /// The encoding alone.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

impl Jute<'_> for i32 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JuteError> {
        reader.int()
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Jute<'_> for i64 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JuteError> {
        reader.long()
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Jute<'_> for bool {
    fn read(reader: &mut Reader<'_>) -> Result<Self, JuteError> {
        reader.bool()
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl<'a> Jute<'a> for Option<&'a [u8]> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JuteError> {
        reader.buffer()
    }
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            None => (-1).write(out),
            Some(bytes) => {
                (bytes.len() as i32).write(out);
                out.extend_from_slice(bytes);
            }
        }
    }
}

impl<'a> Jute<'a> for Option<&'a str> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JuteError> {
        reader.string()
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.map(str::as_bytes).write(out);
    }
}

/// A string that is never null for us: null is read as empty, which no path, scheme or id may be.
impl<'a> Jute<'a> for &'a str {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JuteError> {
        Ok(reader.string()?.unwrap_or(""))
    }
    fn write(&self, out: &mut Vec<u8>) {
        Some(self.as_bytes()).write(out);
    }
}

impl<'a, T: Jute<'a>> Jute<'a> for Vec<T> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JuteError> {
        let count = reader.vector_len()?;
        let mut items = Vec::with_capacity(count.min(ARRAY_PREALLOCATION));
        for _ in 0..count {
            items.push(T::read(reader)?);
        }
        Ok(items)
    }
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as i32).write(out);
        for item in self {
            item.write(out);
        }
    }
}

/// Declares a record: a struct whose encoding is its fields in order.
macro_rules! record {
    ($($(#[$meta:meta])* $name:ident $(<$lt:lifetime>)? { $($(#[$field_meta:meta])* $field:ident : $type:ty),* $(,)? })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Default)]
        pub struct $name $(<$lt>)? { $($(#[$field_meta])* pub $field: $type),* }

        record!(@impl $name [$($lt)?] $($field: $type),*);
    )* };
    (@impl $name:ident [] $($field:ident : $type:ty),*) => {
        impl<'de> $crate::jute::Jute<'de> for $name {
            fn read(reader: &mut $crate::jute::Reader<'de>) -> Result<Self, $crate::jute::JuteError> {
                Ok(Self { $($field: <$type>::read(reader)?),* })
            }
            fn write(&self, out: &mut Vec<u8>) {
                $(self.$field.write(out);)*
            }
        }
    };
    (@impl $name:ident [$lt:lifetime] $($field:ident : $type:ty),*) => {
        impl<$lt> $crate::jute::Jute<$lt> for $name<$lt> {
            fn read(reader: &mut $crate::jute::Reader<$lt>) -> Result<Self, $crate::jute::JuteError> {
                Ok(Self { $($field: <$type>::read(reader)?),* })
            }
            fn write(&self, out: &mut Vec<u8>) {
                $(self.$field.write(out);)*
            }
        }
    };
}
pub(crate) use record;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_differ() {
        for value in [None, Some(&b""[..]), Some(&b"x"[..])] {
            let bytes = value.to_bytes();
            assert_eq!(Reader::new(&bytes).buffer(), Ok(value));
        }
        assert_eq!(None::<&[u8]>.to_bytes(), [0xff; 4]);
    }

    #[test]
    fn lying_lengths_are_refused() {
        assert_eq!(Reader::new(&[0, 0, 0, 2, 1]).buffer(), Err(JuteError::Truncated));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xfe]).buffer(), Err(JuteError::BadLength(-2)));
        assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0, 0]).record::<Vec<&str>>(), Err(JuteError::Truncated));
        assert_eq!(Reader::new(&[0, 0, 0, 1, 0xff]).string(), Err(JuteError::NotUtf8));
        assert_eq!(Reader::new(&[0, 0]).int(), Err(JuteError::Truncated));
    }
}

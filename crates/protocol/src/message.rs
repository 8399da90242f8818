//! What every message can do.

use std::fmt;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::reader::Reader;
use crate::writer::Writer;

/// A message of the protocol, borrowing strings and bytes from the frame it was read from.
pub trait Message<'a>: Sized + Clone + Default + PartialEq + fmt::Debug {
    const NAME: &'static str;
    /// The versions it has.
    const VERSIONS: RangeInclusive<i16>;
    /// The first flexible version (KIP-482); `i16::MAX` when there is none.
    const FIRST_FLEXIBLE: i16;

    /// Reads a message of `version`. Bytes may be left after it: see [`Reader::finish`].
    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError>;

    /// Writes the message in `version`. An error when a field is set that this version can't carry and that may not be
    /// dropped; part of the message is in the writer then.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// Reads a message that takes all of `bytes`.
    fn from_bytes(bytes: &'a [u8], version: i16) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let message = Self::decode(&mut r, version)?;
        r.finish()?;
        Ok(message)
    }

    /// The message alone, for those that hold no piece of a file. Records in files are left out: see
    /// [`Writer::into_frame`] for them.
    fn to_bytes(&self, version: i16) -> Result<Vec<u8>, EncodeError> {
        let mut w = Writer::new();
        self.encode(&mut w, version)?;
        Ok(w.into_frame().into_memory_bytes())
    }

    /// The message with its version in two bytes before it: how records of the internal topics and the consumer
    /// protocol are kept.
    #[doc(alias = "toVersionPrefixedBytes")]
    fn to_versioned_bytes(&self, version: i16) -> Result<Vec<u8>, EncodeError> {
        let mut w = Writer::new();
        w.i16(version);
        self.encode(&mut w, version)?;
        Ok(w.into_frame().into_memory_bytes())
    }
}

/// Reads what [`Message::to_versioned_bytes`] wrote, in any version there is. Bytes may be left over, as Kafka allows.
pub fn from_versioned_bytes<'a, M: Message<'a>>(bytes: &'a [u8]) -> Result<M, DecodeError> {
    let mut r = Reader::new(bytes);
    let version = r.i16()?;
    M::decode(&mut r, version)
}

/// A request.
pub trait Request<'a>: Message<'a> {
    const KEY: ApiKey;
    type Response<'r>: Response<'r>;
}

/// A response.
pub trait Response<'a>: Message<'a> {
    const KEY: ApiKey;
}

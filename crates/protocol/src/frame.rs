//! Frames: a size in four bytes, a header, a message.

use std::io;

use ottla_base::disk::FileSlice;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
use crate::message::{Message, Request, Response};
use crate::messages::{RequestHeader, ResponseHeader};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// A piece of what is sent.
#[derive(Clone, Debug)]
pub enum Segment {
    Bytes(Vec<u8>),
    File(FileSlice),
}

impl Segment {
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
}

/// What is sent, in the order it is sent. The first four bytes are the size of the rest.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub segments: Vec<Segment>,
}

impl Frame {
    /// Length in bytes, file slices and the size at the front included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.iter().map(Segment::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes, those of files read.
    pub fn into_bytes(mut self) -> io::Result<Vec<u8>> {
        if let [Segment::Bytes(_)] = self.segments[..] {
            return Ok(self.take_first_bytes());
        }
        let mut out = Vec::with_capacity(self.len());
        for segment in self.segments {
            match segment {
                Segment::Bytes(bytes) => out.extend_from_slice(&bytes),
                Segment::File(slice) => out.extend_from_slice(&slice.read()?),
            }
        }
        Ok(out)
    }

    /// All bytes that are in memory, file slices left out.
    pub(crate) fn into_memory_bytes(mut self) -> Vec<u8> {
        if self.segments.len() == 1 {
            return self.take_first_bytes();
        }
        let mut out = Vec::with_capacity(self.len());
        for segment in self.segments {
            if let Segment::Bytes(bytes) = segment {
                out.extend_from_slice(&bytes);
            }
        }
        out
    }

    fn take_first_bytes(&mut self) -> Vec<u8> {
        match self.segments.pop() {
            Some(Segment::Bytes(bytes)) => bytes,
            _ => Vec::new(),
        }
    }
}

/// The start of a request: what it is, and where its body begins.
#[derive(Clone, Debug)]
pub struct RequestHead<'a> {
    pub api_key: ApiKey,
    pub version: i16,
    pub correlation_id: i32,
    pub client_id: Option<Str<'a>>,
    /// Stands at the first byte of the body.
    pub body: Reader<'a>,
}

impl<'a> RequestHead<'a> {
    /// Reads the header of a request from a frame without its size. An unknown API is an error; an unknown version of
    /// a known one is not, because `ApiVersions` answers those.
    pub fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let mut body = Reader::new(frame);
        let (key, version) = {
            let mut ahead = Reader::new(frame);
            (ahead.i16()?, ahead.i16()?)
        };
        let api_key = ApiKey::from_i16(key).ok_or_else(|| body.error(DecodeErrorKind::UnknownApiKey))?;
        let header = RequestHeader::decode(&mut body, api_key.request_header_version(version))?;
        Ok(Self { api_key, version, correlation_id: header.correlation_id, client_id: header.client_id, body })
    }

    /// Reads the body, which must take the rest of the frame.
    pub fn decode_body<M: Request<'a>>(&self) -> Result<M, DecodeError> {
        let mut body = self.body.clone();
        let message = M::decode(&mut body, self.version)?;
        body.finish()?;
        Ok(message)
    }
}

/// Ends a frame: puts its size into the first four bytes.
fn finish(mut w: Writer, message: &'static str, version: i16) -> Result<Frame, EncodeError> {
    let too_long = EncodeError { kind: EncodeErrorKind::TooLong, message, field: "", version };
    let size = i32::try_from(w.len() - 4).map_err(|_| too_long)?;
    w.patch_size(size);
    Ok(w.into_frame())
}

/// A whole response with its size and header.
pub fn response_frame<'a, M: Response<'a>>(correlation_id: i32, body: &M, version: i16) -> Result<Frame, EncodeError> {
    let mut w = Writer::new();
    w.i32(0);
    ResponseHeader { correlation_id }.encode(&mut w, M::KEY.response_header_version(version))?;
    body.encode(&mut w, version)?;
    finish(w, M::NAME, version)
}

/// A whole request with its size and header.
pub fn request_frame<'a, M: Request<'a>>(
    correlation_id: i32,
    client_id: Option<&str>,
    body: &M,
    version: i16,
) -> Result<Frame, EncodeError> {
    let mut w = Writer::new();
    w.i32(0);
    let header = RequestHeader {
        request_api_key: M::KEY.code(),
        request_api_version: version,
        correlation_id,
        client_id: client_id.map(Str::Borrowed),
    };
    header.encode(&mut w, M::KEY.request_header_version(version))?;
    body.encode(&mut w, version)?;
    finish(w, M::NAME, version)
}

/// Reads the header of a response to a request of `api_key` and `version` from a frame without its size. Gives the
/// correlation id and the reader at the body.
pub fn response_head(frame: &[u8], api_key: ApiKey, version: i16) -> Result<(i32, Reader<'_>), DecodeError> {
    let mut body = Reader::new(frame);
    let header = ResponseHeader::decode(&mut body, api_key.response_header_version(version))?;
    Ok((header.correlation_id, body))
}

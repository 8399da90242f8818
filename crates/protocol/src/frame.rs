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
    let mut w = Writer::for_response();
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

#[cfg(test)]
mod tests {
    use std::os::fd::BorrowedFd;
    use std::sync::Arc;

    use ottla_base::disk::DiskFile;

    use super::*;
    use crate::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
    use crate::messages::{ControlledShutdownRequest, MetadataRequest, OffsetCommitRequest, ProduceResponse};
    use crate::types::Records;

    /// A file of the bytes 0, 1, 2, … .
    #[derive(Debug)]
    struct Counting;

    impl DiskFile for Counting {
        fn len(&self) -> io::Result<u64> {
            Ok(256)
        }
        fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
            let len = bytes.len().min(256 - position as usize);
            for (i, byte) in bytes[..len].iter_mut().enumerate() {
                *byte = (position as usize + i) as u8;
            }
            Ok(len)
        }
        fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn set_len(&self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }
        fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn fd(&self) -> Option<BorrowedFd<'_>> {
            None
        }
    }

    fn slice(position: u64, len: usize) -> Option<Records<'static>> {
        Some(Records::File(FileSlice { file: Arc::new(Counting), position, len }))
    }

    #[test]
    fn a_response_carries_pieces_of_files() {
        let partition =
            |partition_index, records| PartitionData { partition_index, records, ..PartitionData::default() };
        let partitions = vec![partition(0, slice(10, 5)), partition(1, None), partition(2, slice(100, 3))];
        let topic = FetchableTopicResponse { partitions, ..FetchableTopicResponse::default() };
        let body = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
        for version in [4, 12, 18] {
            let frame = response_frame(9, &body, version).expect("writes");
            assert_eq!(frame.segments.iter().filter(|s| matches!(s, Segment::File(_))).count(), 2);
            let len = frame.len();
            let bytes = frame.into_bytes().expect("reads");
            assert_eq!((bytes.len(), &bytes[..4]), (len, &(len as i32 - 4).to_be_bytes()[..]));
            let (id, mut r) = response_head(&bytes[4..], ApiKey::Fetch, version).expect("a header");
            let back = FetchResponse::decode(&mut r, version).expect("a response");
            r.finish().expect("all of it");
            let records: Vec<_> = back.responses[0].partitions.iter().map(|p| p.records.clone()).collect();
            let bytes = |bytes: &'static [u8]| Some(Records::from(bytes));
            assert_eq!(records, [bytes(&[10, 11, 12, 13, 14]), None, bytes(&[100, 101, 102])]);
            assert_eq!(id, 9);
        }
        let past_the_end = FetchableTopicResponse {
            partitions: vec![partition(0, slice(250, 10))],
            ..FetchableTopicResponse::default()
        };
        let body = FetchResponse { responses: vec![past_the_end], ..FetchResponse::default() };
        assert!(response_frame(9, &body, 4).expect("writes").into_bytes().is_err());
    }

    #[test]
    fn what_a_version_cannot_carry_is_told() {
        let commit = OffsetCommitRequest { group_instance_id: Some("i".into()), ..OffsetCommitRequest::default() };
        let error = commit.to_bytes(6).expect_err("no instance ids yet");
        assert_eq!(
            error.to_string(),
            "OffsetCommitRequest version 6 can't carry OffsetCommitRequest.group_instance_id"
        );
        assert!(commit.to_bytes(7).is_ok());
        let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
        assert_eq!(all.to_bytes(0).expect_err("no null yet").kind, EncodeErrorKind::NullField);
        assert!(all.to_bytes(1).is_ok());
        // What may be dropped is.
        let response = ProduceResponse { throttle_time_ms: 5, ..ProduceResponse::default() };
        assert_eq!(response.to_bytes(0).map(|bytes| bytes.len()), Ok(4));
        let long = MetadataRequest { topics: Some(vec![Default::default()]), ..MetadataRequest::default() };
        let mut long = long;
        long.topics.as_mut().expect("some")[0].name = Some("x".repeat(40_000).into());
        assert_eq!(long.to_bytes(12).expect_err("too long").kind, EncodeErrorKind::TooLong);
    }

    #[test]
    fn headers_follow_the_version() {
        let request = ControlledShutdownRequest { broker_id: 3, ..ControlledShutdownRequest::default() };
        for (version, len) in [(0, 4 + 8 + 4), (1, 4 + 8 + 3 + 4), (3, 4 + 8 + 3 + 1 + 4 + 8 + 1)] {
            let bytes =
                request_frame(1, Some("c"), &request, version).expect("writes").into_bytes().expect("in memory");
            assert_eq!(bytes.len(), len, "version {version}");
            let head = RequestHead::decode(&bytes[4..]).expect("a head");
            assert_eq!(head.client_id.as_deref(), Some(if version > 0 { "c" } else { "" }));
            assert_eq!(head.decode_body::<ControlledShutdownRequest>(), Ok(request.clone()));
        }
        assert_eq!(
            RequestHead::decode(&[0x7f, 0, 0, 0, 0, 0, 0, 0]).expect_err("no such API").kind,
            DecodeErrorKind::UnknownApiKey
        );
        // A version of `ApiVersions` that nobody knows still has a header that can be read.
        let head = RequestHead::decode(&[0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0]).expect("a head");
        assert_eq!((head.version, head.correlation_id), (99, 7));
    }
}

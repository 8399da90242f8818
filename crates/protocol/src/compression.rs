//! The four compressions of record batches, in the framings that Kafka's clients write and read.
//!
//! - gzip: RFC 1952, any number of members.
//! - snappy: written in blocks of 32 KiB behind the header of the Java library's `SnappyOutputStream`; read in that form
//!   or as one bare block (librdkafka).
//! - lz4: the frame format with independent 64 KiB blocks and no checksum of the content, as `Lz4BlockOutputStream`.
//! - zstd: any number of frames.

use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};

use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

/// How the records of a batch are compressed.
#[doc(alias = "CompressionType")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Compression {
    #[default]
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

impl Compression {
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The compression of this number in a batch's attributes.
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// Name in configurations (`compression.type`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The compression of a name in a configuration; `uncompressed` is the topic setting's word for none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "uncompressed" {
            return Some(Self::None);
        }
        Self::ALL.into_iter().find(|compression| compression.name() == name)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why bytes could not be compressed or decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionError {
    /// The bytes are not what the compression says they are.
    Corrupt(Compression),
    /// The content is larger than allowed.
    TooLarge { limit: usize },
}

impl fmt::Display for CompressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(compression) => write!(f, "the bytes are not valid {compression}"),
            Self::TooLarge { limit } => write!(f, "the content is larger than {limit} bytes"),
        }
    }
}

impl Error for CompressionError {}

/// First bytes of a snappy stream as the Java library writes it: magic, version 1, readable since version 1.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// Bytes of content in one block, the Java library's default.
const XERIAL_BLOCK: usize = 32 << 10;

/// Compresses batches one after the other, keeping what is costly to set up.
pub struct Compressor {
    compression: Compression,
    /// gzip: 1 to 9; zstd: -131072 to 22; `None`: the default, 6 and 3. lz4 and snappy have one level.
    level: Option<i32>,
    zstd: Option<zstd::bulk::Compressor<'static>>,
    snappy: snap::raw::Encoder,
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").field("compression", &self.compression).field("level", &self.level).finish()
    }
}

impl Compressor {
    #[must_use]
    pub fn new(compression: Compression, level: Option<i32>) -> Self {
        Self { compression, level, zstd: None, snappy: snap::raw::Encoder::new() }
    }

    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    #[must_use]
    pub fn level(&self) -> Option<i32> {
        self.level
    }

    /// Appends `content` to `out`, compressed.
    pub fn compress(&mut self, content: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
        let result = match self.compression {
            Compression::None => {
                out.extend_from_slice(content);
                Ok(())
            }
            Compression::Gzip => self.gzip(content, out),
            Compression::Snappy => self.snappy(content, out),
            Compression::Lz4 => lz4(content, out),
            Compression::Zstd => self.zstd(content, out),
        };
        // Writing into memory fails only when the content is larger than the format can hold.
        result.map_err(|_| CompressionError::TooLarge { limit: i32::MAX as usize })
    }

    fn gzip(&self, content: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let level = self
            .level
            .map_or(flate2::Compression::default(), |level| flate2::Compression::new(level.clamp(0, 9) as u32));
        let mut encoder = GzEncoder::new(out, level);
        encoder.write_all(content)?;
        encoder.finish().map(drop)
    }

    fn snappy(&mut self, content: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        out.extend_from_slice(&XERIAL_HEADER);
        for block in content.chunks(XERIAL_BLOCK) {
            let at = out.len();
            out.resize(at + 4 + snap::raw::max_compress_len(block.len()), 0);
            let len = self.snappy.compress(block, &mut out[at + 4..])?;
            out[at..at + 4].copy_from_slice(&(len as u32).to_be_bytes());
            out.truncate(at + 4 + len);
        }
        Ok(())
    }

    fn zstd(&mut self, content: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let level = self.level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
        let compressor = match &mut self.zstd {
            Some(compressor) => compressor,
            none => none.insert(zstd::bulk::Compressor::new(level)?),
        };
        let at = out.len();
        out.resize(at + zstd::zstd_safe::compress_bound(content.len()), 0);
        let len = compressor.compress_to_buffer(content, &mut out[at..])?;
        out.truncate(at + len);
        Ok(())
    }
}

fn lz4(content: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let info = FrameInfo::new()
        .block_mode(BlockMode::Independent)
        .block_size(BlockSize::Max64KB)
        .block_checksums(false)
        .content_checksum(false);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(content)?;
    encoder.finish()?;
    Ok(())
}

/// The content of `bytes`, which may be `limit` bytes at most.
pub fn decompress(compression: Compression, bytes: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let corrupt = |_| CompressionError::Corrupt(compression);
    match compression {
        Compression::None if bytes.len() > limit => Err(CompressionError::TooLarge { limit }),
        Compression::None => Ok(bytes.to_vec()),
        Compression::Gzip => read_all(compression, flate2::bufread::MultiGzDecoder::new(bytes), bytes.len(), limit),
        Compression::Snappy => decompress_snappy(bytes, limit),
        Compression::Lz4 => read_all(compression, FrameDecoder::new(bytes), bytes.len(), limit),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(corrupt)?;
            read_all(compression, decoder, bytes.len(), limit)
        }
    }
}

/// Reads a decoder to its end, and no further than `limit`.
fn read_all(
    compression: Compression,
    decoder: impl Read,
    compressed_len: usize,
    limit: usize,
) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::with_capacity(compressed_len.saturating_mul(3).min(limit).min(1 << 20));
    let allowed = limit as u64 + 1;
    decoder.take(allowed).read_to_end(&mut out).map_err(|_| CompressionError::Corrupt(compression))?;
    if out.len() > limit { Err(CompressionError::TooLarge { limit }) } else { Ok(out) }
}

/// Appends one bare snappy block's content to `out`. A block says how long its content is; that is believed only as far
/// as snappy can expand its bytes at all (three bytes copy 64 at most).
fn snappy_block(block: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), CompressionError> {
    const CORRUPT: CompressionError = CompressionError::Corrupt(Compression::Snappy);
    let len = snap::raw::decompress_len(block).map_err(|_| CORRUPT)?;
    if len > limit - out.len() {
        return Err(CompressionError::TooLarge { limit });
    }
    if len > block.len().saturating_mul(64) {
        return Err(CORRUPT);
    }
    let at = out.len();
    out.resize(at + len, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[at..]).map_err(|_| CORRUPT)?;
    if written == len { Ok(()) } else { Err(CORRUPT) }
}

fn decompress_snappy(mut bytes: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    const CORRUPT: CompressionError = CompressionError::Corrupt(Compression::Snappy);
    let mut out = Vec::new();
    if !bytes.starts_with(&XERIAL_MAGIC) {
        snappy_block(bytes, &mut out, limit)?;
        return Ok(out);
    }
    while !bytes.is_empty() {
        // Streams may stand one after the other, each with its header.
        if bytes.starts_with(&XERIAL_MAGIC) {
            bytes = bytes.get(XERIAL_HEADER.len()..).ok_or(CORRUPT)?;
            continue;
        }
        let (len, rest) = bytes.split_first_chunk::<4>().ok_or(CORRUPT)?;
        let len = u32::from_be_bytes(*len) as usize;
        let block = rest.get(..len).ok_or(CORRUPT)?;
        snappy_block(block, &mut out, limit)?;
        bytes = &rest[len..];
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Vec<u8>> {
        let text: Vec<u8> = (0..200_000u32).flat_map(|i| (i / 7).to_string().into_bytes()).collect();
        let mut random = ottla_base::random::Random::new(5);
        let mut noise = vec![0; 100_000];
        random.fill(&mut noise);
        vec![Vec::new(), b"a".to_vec(), vec![7; 300_000], text, noise]
    }

    #[test]
    fn what_is_compressed_comes_back() {
        for compression in Compression::ALL {
            for sample in samples() {
                let mut out = b"before".to_vec();
                Compressor::new(compression, None).compress(&sample, &mut out).expect("compresses");
                let back = decompress(compression, &out[6..], sample.len()).expect("decompresses");
                assert!(back == sample, "{compression}");
            }
        }
    }

    #[test]
    fn levels_are_taken() {
        let sample = &samples()[3];
        for (compression, levels) in [(Compression::Gzip, [1, 9]), (Compression::Zstd, [-5, 19])] {
            let sizes = levels.map(|level| {
                let mut out = Vec::new();
                Compressor::new(compression, Some(level)).compress(sample, &mut out).expect("compresses");
                assert!(decompress(compression, &out, usize::MAX / 2).expect("decompresses") == *sample);
                out.len()
            });
            assert!(sizes[0] > sizes[1], "{compression}: {sizes:?}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = vec![0; 10 << 20];
        for compression in Compression::ALL {
            let mut out = Vec::new();
            Compressor::new(compression, None).compress(&bomb, &mut out).expect("compresses");
            let limit = 1 << 20;
            assert_eq!(decompress(compression, &out, limit), Err(CompressionError::TooLarge { limit }));
        }
    }

    #[test]
    fn cut_bytes_are_corrupt() {
        let sample = &samples()[3][..5_000];
        for compression in &Compression::ALL[1..] {
            let mut out = Vec::new();
            Compressor::new(*compression, None).compress(sample, &mut out).expect("compresses");
            for len in 0..out.len() {
                // Some decoders take a stream that ends early as short; the records in it then say so.
                if let Ok(back) = decompress(*compression, &out[..len], 1 << 20) {
                    assert!(sample.starts_with(&back) && back.len() <= sample.len(), "{compression} cut at {len}");
                }
            }
        }
    }

    #[test]
    fn snappy_is_read_bare_and_framed() {
        let bare = snap::raw::Encoder::new().compress_vec(b"hello, snappy").expect("compresses");
        assert_eq!(decompress(Compression::Snappy, &bare, 100).expect("reads"), b"hello, snappy");
        // 4 GiB claimed in five bytes.
        assert!(decompress(Compression::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f], 256 << 20).is_err());
        assert!(decompress(Compression::Snappy, &[0xff, 0xff, 0xff, 0x7f], 256 << 20).is_err());
    }
}

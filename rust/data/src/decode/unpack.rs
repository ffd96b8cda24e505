//! Compressed text files: recognised by their first bytes, whatever they are called, and unpacked whole.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;
use crate::source::{ByteSource, MemorySource};

/// A compression that is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Packing {
    /// Bytes that tell a compression.
    pub(super) const MAGIC: u64 = 6;

    /// What a file's first bytes say.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let known: [(&[u8], Self); 4] = [
            (b"\x1f\x8b", Self::Gzip),
            (b"\x28\xb5\x2f\xfd", Self::Zstd),
            (b"BZh", Self::Bzip2),
            (b"\xfd7zXZ\x00", Self::Xz),
        ];
        known.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, packing)| *packing)
    }

    pub(super) fn reader(self, packed: &[u8]) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
            Self::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(packed)),
            Self::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(packed)),
        })
    }

    /// What unpacks a packed reader while it is read.
    pub(super) fn unpacking(
        self,
        packed: impl Read + Send + 'static,
    ) -> std::io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(packed)?),
            Self::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(packed)),
            Self::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(packed)),
        })
    }

    /// The compression that a suffix without its dot says.
    pub(super) fn of_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "gz" | "gzip" => Self::Gzip,
            "zst" | "zstd" => Self::Zstd,
            "bz2" => Self::Bzip2,
            "xz" => Self::Xz,
            _ => return None,
        })
    }

    /// Its name for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }
}

/// The text of a compressed file (gzip, zstd, bzip2, xz; several members are one text), or the source itself.
///
/// # Errors
/// `Decode` for broken or truncated data, `Limit` above `max_unpacked_bytes`, `Unsupported` for a zip archive.
pub fn unpacked(source: Arc<dyn ByteSource>, limits: &Limits) -> Result<Arc<dyn ByteSource>, DataError> {
    if source.is_unpacked() {
        return Ok(source);
    }
    let head = source.read_range(0..source.len().min(Packing::MAGIC))?;
    if head.starts_with(b"PK\x03\x04") {
        let message = "a zip archive is not read as text; gzip, zstd, bzip2, xz and plain text are";
        return Err(DataError::new(DataErrorKind::Unsupported, message).with_path(source.name()));
    }
    let Some(packing) = Packing::of(&head) else {
        return Ok(source);
    };
    let packed = source.read_range(0..source.len())?;
    let broken = |e: std::io::Error| {
        let error = if e.kind() == std::io::ErrorKind::OutOfMemory {
            DataError::new(DataErrorKind::Limit, "does not fit into memory when it is unpacked")
        } else {
            DataError::new(DataErrorKind::Decode, format!("broken {}: {e}", packing.name()))
        };
        error.with_path(source.name()).with_source(e)
    };
    let mut text = Vec::new();
    let mut reader =
        packing.reader(&packed).map_err(broken)?.take(limits.max_unpacked_bytes.saturating_add(1));
    reader.read_to_end(&mut text).map_err(broken)?;
    drop(reader);
    if text.len() as u64 > limits.max_unpacked_bytes {
        let message = format!("unpacks to more than max_unpacked_bytes = {}", limits.max_unpacked_bytes);
        return Err(DataError::new(DataErrorKind::Limit, message).with_path(source.name()));
    }
    Ok(Arc::new(MemorySource::new(source.name(), Bytes::from(text))))
}

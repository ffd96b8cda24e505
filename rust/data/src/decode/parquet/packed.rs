//! Pages that are unpacked here instead of by the parquet crate.
//!
//! Brotli: the crate's own support brings the encoder with it, a twentieth of the wheel. Zstd: the crate makes a decoder
//! and an encoder for each chunk, which takes longer than to unpack a chunk of some kilobytes; here a thread has one.

use std::cell::RefCell;
use std::io::Read;

use brotli_decompressor::Decompressor;
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::Page;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use zstd::zstd_safe::get_frame_content_size;

type Crate<T> = parquet::errors::Result<T>;

/// Bytes that the decoder of brotli takes at a time.
const BLOCK: usize = 64 << 10;

/// How the pages of a chunk are packed.
#[derive(Clone, Copy)]
pub(super) enum Packed {
    Brotli,
    Zstd,
}

/// The chunk as one whose pages are handed out as they are in the file, where they are unpacked here.
pub(super) fn as_packed(chunk: &ColumnChunkMetaData) -> Crate<Option<(Packed, ColumnChunkMetaData)>> {
    let packed = match chunk.compression() {
        Compression::BROTLI(_) => Packed::Brotli,
        Compression::ZSTD(_) => Packed::Zstd,
        _ => return Ok(None),
    };
    let chunk = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
    Ok(Some((packed, chunk)))
}

impl Packed {
    /// A page of such a chunk, unpacked; `limit` bounds its bytes.
    pub(super) fn unpacked(self, mut page: Page, limit: u64) -> Crate<Page> {
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = self.unpack(buf, 0, limit)?;
            }
            Page::DataPageV2 { buf, is_compressed, def_levels_byte_len, rep_levels_byte_len, .. } => {
                if *is_compressed {
                    let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                    *buf = self.unpack(buf, usize::try_from(levels).unwrap_or(usize::MAX), limit)?;
                    *is_compressed = false;
                }
            }
        }
        Ok(page)
    }

    /// The first `plain` bytes as they are, the others unpacked.
    fn unpack(self, bytes: &Bytes, plain: usize, limit: u64) -> Crate<Bytes> {
        let (Some(levels), Some(packed)) = (bytes.get(..plain), bytes.get(plain..)) else {
            return Err(general("a page ends within its levels"));
        };
        if packed.is_empty() {
            return Ok(bytes.slice(..plain));
        }
        match self {
            Self::Brotli => all(Decompressor::new(packed, BLOCK), "brotli", levels.to_vec(), limit),
            Self::Zstd => zstd(packed, levels, limit),
        }
    }
}

/// What a decoder gives, behind what is there.
fn all(decoder: impl Read, codec: &str, mut made: Vec<u8>, limit: u64) -> Crate<Bytes> {
    let read = decoder.take(limit.saturating_add(1)).read_to_end(&mut made);
    read.map_err(|e| general(format!("{codec}: {e}")))?;
    if made.len() as u64 > limit {
        return Err(general(format!("a page unpacks to more than max_page_bytes = {limit}")));
    }
    Ok(made.into())
}

/// A frame that says its length goes into memory of that length; others grow as they come.
fn zstd(packed: &[u8], levels: &[u8], limit: u64) -> Crate<Bytes> {
    thread_local! {
        static DECODER: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let said = get_frame_content_size(packed).ok().flatten();
    if let Some(size) = said.filter(|size| *size <= limit).and_then(|size| usize::try_from(size).ok()) {
        let mut made = Vec::with_capacity(levels.len().saturating_add(size));
        made.extend_from_slice(levels);
        let mut into = std::io::Cursor::new(&mut made);
        into.set_position(levels.len() as u64);
        let unpacked = DECODER.with(|kept| {
            let mut kept = kept.borrow_mut();
            let decoder = match kept.as_mut() {
                Some(decoder) => decoder,
                None => kept.insert(zstd::bulk::Decompressor::new()?),
            };
            decoder.decompress_to_buffer(packed, &mut into)
        });
        if unpacked.is_ok() {
            return Ok(made.into());
        }
    }
    // Several frames, one that does not say its length or a wrong one.
    let decoder =
        zstd::stream::read::Decoder::with_buffer(packed).map_err(|e| general(format!("zstd: {e}")))?;
    all(decoder, "zstd", levels.to_vec(), limit)
}

fn general(message: impl Into<String>) -> ParquetError {
    ParquetError::General(message.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn zstd_frames_of_every_kind() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let one = zstd::bulk::compress(&text, 1).unwrap();
        let silent = zstd::stream::encode_all(text.as_slice(), 1).unwrap();
        assert_eq!(get_frame_content_size(&silent).unwrap(), None);
        let two = [one.as_slice(), silent.as_slice()].concat();
        let limit = 2 * text.len() as u64;
        for (packed, expected) in [(&one, text.clone()), (&silent, text.clone()), (&two, text.repeat(2))] {
            assert_eq!(super::zstd(packed, b"", limit).unwrap(), expected);
            let behind = super::zstd(packed, b"levels", limit + 6).unwrap();
            assert_eq!((&behind[..6], &behind[6..]), (b"levels".as_slice(), expected.as_slice()));
            assert!(
                super::zstd(packed, b"", text.len() as u64 - 1)
                    .unwrap_err()
                    .to_string()
                    .contains("max_page_bytes")
            );
            assert!(super::zstd(&packed[..packed.len() / 2], b"", limit).is_err());
        }
        assert!(super::zstd(b"no frame of zstd", b"", limit).is_err());
    }
}

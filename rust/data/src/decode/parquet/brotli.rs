//! Brotli pages, unpacked here: the parquet crate's own support brings the encoder with it, a twentieth of the wheel.

use std::io::Read;

use brotli_decompressor::Decompressor;
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::Page;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;

/// Bytes that the decoder takes at a time.
const BLOCK: usize = 64 << 10;

/// The chunk as one whose pages are handed out as they are in the file, if brotli packed it.
pub(super) fn as_packed(chunk: &ColumnChunkMetaData) -> parquet::errors::Result<Option<ColumnChunkMetaData>> {
    if !matches!(chunk.compression(), Compression::BROTLI(_)) {
        return Ok(None);
    }
    chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build().map(Some)
}

/// A page of such a chunk, unpacked; `limit` bounds its bytes.
pub(super) fn unpacked(mut page: Page, limit: u64) -> parquet::errors::Result<Page> {
    match &mut page {
        Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => *buf = unpack(buf, 0, limit)?,
        Page::DataPageV2 { buf, is_compressed, def_levels_byte_len, rep_levels_byte_len, .. } => {
            if *is_compressed {
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                *buf = unpack(buf, usize::try_from(levels).unwrap_or(usize::MAX), limit)?;
                *is_compressed = false;
            }
        }
    }
    Ok(page)
}

/// The first `plain` bytes as they are, the others unpacked.
fn unpack(bytes: &Bytes, plain: usize, limit: u64) -> parquet::errors::Result<Bytes> {
    let general = |message: String| ParquetError::General(message);
    let (Some(levels), Some(packed)) = (bytes.get(..plain), bytes.get(plain..)) else {
        return Err(general("a page ends within its levels".into()));
    };
    let mut made = levels.to_vec();
    if !packed.is_empty() {
        let read = Decompressor::new(packed, BLOCK).take(limit.saturating_add(1)).read_to_end(&mut made);
        read.map_err(|e| general(format!("brotli: {e}")))?;
        if made.len() as u64 > limit {
            return Err(general(format!("a page unpacks to more than max_page_bytes = {limit}")));
        }
    }
    Ok(made.into())
}

//! Sizes that a file announces, checked before the parquet crate allocates for them.

use std::ops::Range;

use bytes::Bytes;
use parquet::basic::Compression;

use super::thrift::{Broken, walk};
use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;
use crate::source::ByteSource;

/// Bytes read for a page header, if it is not known to be longer.
const HEADER: u64 = 4 << 10;
/// Longest page header: statistics of large values may be in it.
const LONGEST_HEADER: u64 = 64 << 20;
/// Unpacked bytes of a page from which a zstd frame is asked for its size.
const PROOF: u64 = 16 << 20;
/// Bytes read at a time while pages are small.
const SMALL_PAGES: u64 = 64 << 10;

/// Walks over the footer.
pub(super) fn footer(bytes: &[u8], name: &str) -> Result<(), DataError> {
    let bad = |message: &str| DataError::new(DataErrorKind::Decode, message).with_path(name);
    let (mut elements, mut children, mut negative) = (0_i64, 0_i64, false);
    let walked = walk(bytes, &mut |path, value| match path {
        [2, 5] => {
            negative |= value < 0;
            children = children.saturating_add(value.max(0));
        }
        [2, 1 | 3] => elements += 1, // an element of the schema says its type, whether it repeats, or both
        [4, 3] => negative |= value < 0,
        _ => {}
    });
    walked.map_err(|Broken| bad("broken Parquet: the footer ends before what it announces"))?;
    if negative || children > elements.saturating_add(1) {
        return Err(bad("broken Parquet: the footer announces more columns or rows than there can be"));
    }
    Ok(())
}

/// Whether the bytes of an index are what they should be.
pub(super) fn is_index(bytes: &[u8]) -> bool {
    walk(bytes, &mut |_, _| {}).is_ok()
}

struct Header {
    length: u64,
    unpacked: u64,
    packed: u64,
    unpacked_levels: u64,
}

fn header(bytes: &[u8]) -> Result<Header, Broken> {
    let (mut unpacked, mut packed, mut levels) = (-1, -1, 0_i64);
    let mut bad = false;
    let length = walk(bytes, &mut |path, value| match path {
        [2] => unpacked = value,
        [3] => packed = value,
        [8, 5 | 6] => {
            bad |= value < 0;
            levels = levels.saturating_add(value.max(0));
        }
        _ => {}
    })?;
    if bad {
        return Err(Broken);
    }
    let size = |value: i64| u64::try_from(value).map_err(|_| Broken);
    Ok(Header {
        length: length as u64,
        unpacked: size(unpacked)?,
        packed: size(packed)?,
        unpacked_levels: levels as u64,
    })
}

/// Most bytes that a codec can make of one, where it has a bound.
fn most(codec: Compression) -> Option<u64> {
    match codec {
        Compression::SNAPPY => Some(64),
        Compression::LZ4 | Compression::LZ4_RAW => Some(256),
        Compression::GZIP(_) => Some(1040),
        _ => None,
    }
}

/// Walks over the page headers of a column chunk, or of a part of it that starts and ends with a page.
///
/// # Errors
/// `Decode` for a page that cannot unpack to what it announces, `Limit` for one over `max_page_bytes`.
pub(super) fn pages(
    source: &dyn ByteSource,
    have: &Bytes,
    chunk: Range<u64>,
    codec: Compression,
    limits: &Limits,
) -> Result<(), DataError> {
    if codec == Compression::UNCOMPRESSED {
        return Ok(()); // pages are parts of what was read
    }
    let mut window = Window { source, chunk: chunk.clone(), start: chunk.start, bytes: have.clone() };
    let mut at = chunk.start;
    let mut packed = u64::MAX;
    while at < chunk.end {
        let ahead = if packed < SMALL_PAGES / 4 { SMALL_PAGES } else { HEADER };
        let head = window.header(at, ahead)?;
        packed = head.packed;
        at = body(source, &head, at, chunk.end, codec, limits)?;
    }
    Ok(())
}

/// Looks at the page at `at` whose header the bytes start with; false if they end before it does.
///
/// # Errors
/// As `pages`.
pub(super) fn page(
    source: &dyn ByteSource,
    bytes: &[u8],
    at: u64,
    chunk_end: u64,
    codec: Compression,
    limits: &Limits,
) -> Result<bool, DataError> {
    if codec == Compression::UNCOMPRESSED {
        return Ok(true);
    }
    match header(bytes) {
        Ok(head) => body(source, &head, at, chunk_end, codec, limits).map(|_| true),
        Err(Broken) if at + (bytes.len() as u64) < chunk_end && (bytes.len() as u64) < LONGEST_HEADER => {
            Ok(false)
        }
        Err(Broken) => Err(no_header(at)),
    }
}

/// Where the page at `at` ends, if it can unpack to what it announces.
fn body(
    source: &dyn ByteSource,
    head: &Header,
    at: u64,
    chunk_end: u64,
    codec: Compression,
    limits: &Limits,
) -> Result<u64, DataError> {
    let bad = |message: String| DataError::new(DataErrorKind::Decode, message);
    let body = at + head.length;
    let end = body.checked_add(head.packed).filter(|&e| e <= chunk_end);
    let end =
        end.ok_or_else(|| bad(format!("broken Parquet: the page at byte {at} is longer than its chunk")))?;
    if head.unpacked > limits.max_page_bytes {
        let message =
            format!("a page of {} bytes is over max_page_bytes = {}", head.unpacked, limits.max_page_bytes);
        return Err(DataError::new(DataErrorKind::Limit, message));
    }
    let values = head.packed.saturating_sub(head.unpacked_levels);
    let possible = match most(codec) {
        Some(most) => head.unpacked_levels.saturating_add(values.saturating_mul(most)),
        None => u64::MAX,
    };
    if head.unpacked > PROOF && matches!(codec, Compression::ZSTD(_)) {
        let bytes = source.read_range(body..end)?;
        let rest = bytes.get(head.unpacked_levels.min(head.packed) as usize..).unwrap_or_default();
        if !zstd_can_be(rest, head.unpacked - head.unpacked_levels.min(head.unpacked)) {
            let message =
                format!("broken Parquet: the page at byte {at} does not unpack to {}", head.unpacked);
            return Err(bad(message));
        }
    }
    // Small announcements need no proof; short streams have a few bytes of their own.
    if head.unpacked > possible.saturating_add(1 << 16) {
        let message = format!(
            "broken Parquet: the page at byte {at} has {} bytes of {codec} and should unpack to {}",
            head.packed, head.unpacked
        );
        return Err(bad(message));
    }
    Ok(end)
}

fn no_header(at: u64) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken Parquet: no page header at byte {at}"))
}

/// Whether a zstd frame may have that size: a single frame mostly says its own.
fn zstd_can_be(bytes: &[u8], size: u64) -> bool {
    let single = zstd::zstd_safe::find_frame_compressed_size(bytes).is_ok_and(|length| length == bytes.len());
    match zstd::zstd_safe::get_frame_content_size(bytes) {
        Ok(Some(said)) if single => said == size,
        Ok(_) => true,
        Err(_) => false,
    }
}

/// Bytes of a chunk around the page headers.
struct Window<'a> {
    source: &'a dyn ByteSource,
    chunk: Range<u64>,
    start: u64,
    bytes: Bytes,
}

impl Window<'_> {
    /// The header at a byte, reading more as long as it does not end.
    fn header(&mut self, at: u64, ahead: u64) -> Result<Header, DataError> {
        let mut wanted = ahead;
        loop {
            let from =
                at.checked_sub(self.start).and_then(|skip| self.bytes.get(usize::try_from(skip).ok()?..));
            let known = from.map_or(0, <[u8]>::len) as u64;
            if let Some(Ok(found)) = from.filter(|b| !b.is_empty()).map(header) {
                return Ok(found);
            }
            let rest = self.chunk.end - at;
            if known >= rest || known >= LONGEST_HEADER {
                return Err(no_header(at));
            }
            wanted = wanted.max(known.saturating_mul(8)).min(rest);
            self.bytes = self.source.read_range(at..at + wanted)?;
            self.start = at;
        }
    }
}

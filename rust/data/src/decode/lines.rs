//! Text files cut at line ends, so that all threads may work on one file.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::error::DataError;
use crate::source::ByteSource;

/// Bytes of text parsed as one unit.
pub(super) const CHUNK: u64 = 2 << 20;
/// Bytes read at a time when a line's end is looked for.
pub(super) const SEARCH: u64 = 64 << 10;

/// Line ends in a text.
pub(super) fn lines_in(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}

/// Line ends before a position.
pub(super) fn lines_before(source: &dyn ByteSource, end: u64) -> Result<u64, DataError> {
    let mut lines = 0;
    let mut at = 0;
    while at < end {
        let stop = end.min(at + CHUNK);
        lines += lines_in(&source.read_range(at..stop)?);
        at = stop;
    }
    Ok(lines)
}

/// Cuts the bytes from `start` to `stop` (both starts of lines, or the end) into ranges of about `size` bytes that end
/// at line ends.
pub(super) fn line_ranges(
    source: &dyn ByteSource,
    mut start: u64,
    stop: u64,
    size: u64,
) -> Result<Vec<Range<u64>>, DataError> {
    let mut ranges = Vec::new();
    while start < stop {
        let end = match start.checked_add(size) {
            Some(end) if end < stop => next_line(source, end)?,
            _ => stop,
        };
        ranges.push(start..end);
        start = end;
    }
    Ok(ranges)
}

/// The start of the first line after `at`.
pub(super) fn next_line(source: &dyn ByteSource, at: u64) -> Result<u64, DataError> {
    let mut from = at.saturating_sub(1);
    while from < source.len() {
        let to = source.len().min(from + SEARCH);
        if let Some(found) = memchr(b'\n', &source.read_range(from..to)?) {
            return Ok(from + found as u64 + 1);
        }
        from = to;
    }
    Ok(source.len())
}

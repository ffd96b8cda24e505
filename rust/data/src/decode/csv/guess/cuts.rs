//! Where a long text may be cut: at line ends that no quotes keep from ending a record. Whether a place is right is told by
//! the records that follow it, or, where those do not tell, by all quotes before it. The reading of the pieces proves it.

use std::ops::Range;

use memchr::memchr_iter;
use rayon::prelude::*;

use super::super::{CsvOptions, Records};
use crate::decode::ReadOptions;
use crate::error::DataError;
use crate::source::ByteSource;

/// Bytes that are looked at behind a place, at first and at the most.
const LOOK: u64 = 32 << 10;
const MOST: u64 = 1 << 20;
/// Records of the right width that tell.
const TELLING: usize = 3;

/// Pieces of about `size` bytes from `start` on. Records have `width` fields, where that is known.
///
/// # Errors
/// From the source; `Cancelled`.
pub(super) fn pieces(
    source: &dyn ByteSource,
    start: u64,
    size: u64,
    width: Option<usize>,
    options: &ReadOptions,
) -> Result<Vec<Range<u64>>, DataError> {
    let size = size.max(1);
    let count = source.len().saturating_sub(start).div_ceil(size);
    // A text of one column looks the same within quotes and outside.
    let width = width.filter(|&w| w > 1 || options.csv.quote.is_none());
    let looked = width.map(|width| {
        let places = (1..count).into_par_iter().map(|i| {
            options.cancel.check()?;
            begin(source, start + i * size, width, &options.csv)
        });
        places.collect::<Result<Vec<Option<u64>>, DataError>>()
    });
    let begins = looked.transpose()?.and_then(|l| l.into_iter().collect::<Option<Vec<u64>>>());
    let begins = match begins {
        Some(begins) => begins,
        None => counted(source, start, size, count, options)?,
    };
    let (mut pieces, mut from) = (Vec::new(), start);
    for to in begins.into_iter().filter(|&to| to < source.len()) {
        if to > from {
            pieces.push(from..to);
            from = to;
        }
    }
    pieces.push(from..source.len());
    Ok(pieces)
}

/// Where the first record behind `from` seems to begin, if what follows tells.
fn begin(
    source: &dyn ByteSource,
    from: u64,
    width: usize,
    csv: &CsvOptions,
) -> Result<Option<u64>, DataError> {
    let mut length = LOOK;
    while length <= MOST {
        let text = source.read_range(from..source.len().min(from.saturating_add(length)))?;
        let outside = right(&text, 0, width, csv);
        let inside = csv.quote.and_then(|quote| right(&text, closing(&text, quote)?, width, csv));
        match (outside, inside) {
            (Some(at), None) | (None, Some(at)) => return Ok(Some(from + at as u64)),
            (Some(one), Some(other)) if one == other => return Ok(Some(from + one as u64)),
            _ => length *= 4,
        }
    }
    Ok(None)
}

/// Where the second record of the text from `at` on begins, if it and those after it are right.
fn right(text: &[u8], at: usize, width: usize, csv: &CsvOptions) -> Option<usize> {
    let (records, _) = Records::cut(text.get(at..)?, csv, usize::MAX);
    let whole = 1..records.len().saturating_sub(1); // the last may be cut off
    let told = whole.len() >= TELLING && whole.clone().all(|row| records.width(row) == width);
    told.then(|| at + records.begins(whole.start))
}

/// The byte behind the first quote that is not doubled.
fn closing(text: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr(quote, text.get(at..)?)? + 1;
        if text.get(at) != Some(&quote) {
            return Some(at);
        }
        at += 1;
    }
}

/// What a stretch of text tells about places to cut.
#[derive(Clone, Copy)]
struct Stretch {
    quotes: usize,
    /// The byte behind the first line end after an even and an odd number of quotes.
    ends: [Option<u64>; 2],
}

/// Where records begin behind line ends after an even number of quotes.
fn counted(
    source: &dyn ByteSource,
    start: u64,
    size: u64,
    count: u64,
    options: &ReadOptions,
) -> Result<Vec<u64>, DataError> {
    let stretches = (0..count)
        .into_par_iter()
        .map(|i| {
            options.cancel.check()?;
            let from = start + i * size;
            let text = source.read_range(from..source.len().min(from + size))?;
            Ok(stretch(&text, from, options.csv.quote))
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let (mut begins, mut quotes) = (Vec::new(), 0_usize);
    for (i, stretch) in stretches.iter().enumerate() {
        let end = stretch.ends.get(quotes % 2).copied().flatten();
        begins.extend(end.filter(|_| i > 0));
        quotes += stretch.quotes;
    }
    Ok(begins)
}

fn stretch(text: &[u8], from: u64, quote: Option<u8>) -> Stretch {
    let mut found = Stretch { quotes: 0, ends: [None, None] };
    let mut at = 0;
    // Line ends and quotes, until both ends are known; then quotes only.
    while found.ends.iter().any(Option::is_none) {
        let rest = text.get(at..).unwrap_or_default();
        let next = match quote {
            Some(quote) => memchr::memchr2(b'\n', quote, rest),
            None => memchr::memchr(b'\n', rest),
        };
        let Some(next) = next else { return found };
        at += next + 1;
        if text.get(at - 1) == Some(&b'\n') {
            if let Some(end) = found.ends.get_mut(found.quotes % 2) {
                end.get_or_insert(from + at as u64);
            }
            if quote.is_none() {
                return found;
            }
        } else {
            found.quotes += 1;
        }
    }
    if let Some(quote) = quote {
        found.quotes += memchr_iter(quote, text.get(at..).unwrap_or_default()).count();
    }
    found
}

//! Text to records, by the rules of pandas' C parser: a quote opens only at the start of a field, what follows a closing
//! quote is taken as it is, `\n`, `\r\n` and `\r` end lines, blank lines may be skipped.

use memchr::{memchr, memchr2, memchr3};

use super::CsvOptions;
use crate::decode::lines::lines_in;

/// A field: a piece of the text, or of `Records::unescaped` when quotes or escapes were taken out of it.
#[derive(Clone, Copy)]
struct Span {
    from: usize,
    to: usize,
    unescaped: bool,
}

/// The records of a piece of text.
pub(in crate::decode) struct Records<'a> {
    text: &'a [u8],
    unescaped: Vec<u8>,
    spans: Vec<Span>,
    /// Where the spans of each record end, and the byte at which the record begins.
    ends: Vec<(usize, usize)>,
    /// Whether the text ends inside of a quoted field.
    open: bool,
}

impl<'a> Records<'a> {
    /// Cuts `text`, at most `limit` records of it. Returns where the cut stopped, too.
    pub(in crate::decode) fn cut(text: &'a [u8], options: &CsvOptions, limit: usize) -> (Self, usize) {
        let mut records =
            Self { text, unescaped: Vec::new(), spans: Vec::new(), ends: Vec::new(), open: false };
        let mut at = 0;
        while at < text.len() && records.ends.len() < limit {
            at = records.record(at, options);
        }
        (records, at.min(text.len()))
    }

    /// Whether the text ends inside of a quoted field.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(in crate::decode) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Fields that the records lack of `width`.
    pub(super) fn missing(&self, width: usize) -> u64 {
        (self.len() as u64).saturating_mul(width as u64).saturating_sub(self.spans.len() as u64)
    }

    /// The records that have no more fields than `width`.
    pub(super) fn without_longer_than(mut self, width: usize) -> Self {
        if (0..self.len()).all(|row| self.width(row) <= width) {
            return self;
        }
        let (mut spans, mut ends) = (Vec::with_capacity(self.spans.len()), Vec::with_capacity(self.len()));
        for row in (0..self.len()).filter(|&row| self.width(row) <= width) {
            spans.extend_from_slice(self.spans_of(row));
            ends.push((spans.len(), self.begins(row)));
        }
        (self.spans, self.ends) = (spans, ends);
        self
    }

    fn spans_of(&self, row: usize) -> &[Span] {
        let start = row.checked_sub(1).and_then(|r| self.ends.get(r)).map_or(0, |e| e.0);
        let end = self.ends.get(row).map_or(start, |e| e.0);
        self.spans.get(start..end).unwrap_or_default()
    }

    /// Fields of a record.
    pub(super) fn width(&self, row: usize) -> usize {
        self.spans_of(row).len()
    }

    /// The byte of the text at which a record begins.
    pub(in crate::decode) fn begins(&self, row: usize) -> usize {
        self.ends.get(row).map_or(self.text.len(), |e| e.1)
    }

    /// Lines of the text before a record begins.
    pub(super) fn lines_before(&self, row: usize) -> u64 {
        lines_in(self.text.get(..self.begins(row)).unwrap_or_default())
    }

    /// One field; `None` past the end of a short record.
    pub(super) fn field(&self, row: usize, column: usize) -> Option<&[u8]> {
        let span = self.spans_of(row).get(column)?;
        let whole = if span.unescaped { self.unescaped.as_slice() } else { self.text };
        whole.get(span.from..span.to)
    }

    /// Cuts the record at `at`; returns where the next one begins.
    fn record(&mut self, at: usize, options: &CsvOptions) -> usize {
        let text = self.text;
        if options.skip_blank_lines {
            let blank = |b: &&u8| matches!(b, b' ' | b'\t') && **b != options.delimiter;
            let end = at + text.get(at..).unwrap_or_default().iter().take_while(blank).count();
            match text.get(end) {
                None => return text.len(),
                Some(b'\n' | b'\r') => return after_line(text, end),
                _ => {}
            }
        }
        if options.comment.is_some() && text.get(at).copied() == options.comment {
            return line_end(text, at);
        }
        let mut position = at;
        loop {
            let (end, span) = self.one_field(position, options);
            self.spans.push(span);
            match text.get(end).copied() {
                Some(b) if b == options.delimiter => position = end + 1,
                stop => {
                    self.ends.push((self.spans.len(), at));
                    return match stop {
                        None => text.len(),
                        Some(b'\n' | b'\r') => after_line(text, end),
                        Some(_) => line_end(text, end), // a comment to the end of the line
                    };
                }
            }
        }
    }

    /// One field and the byte that ends it (a delimiter, a line end, a comment, the end of the text).
    fn one_field(&mut self, start: usize, options: &CsvOptions) -> (usize, Span) {
        let text = self.text;
        let mut at = start;
        if options.skip_initial_space {
            at += text.get(at..).unwrap_or_default().iter().take_while(|b| **b == b' ').count();
        }
        let rest = text.get(at..).unwrap_or_default();
        let quoted = options.quote.is_some() && rest.first().copied() == options.quote;
        if options.escape.is_none() && options.comment.is_none() {
            if !quoted {
                let end = at + memchr3(options.delimiter, b'\n', b'\r', rest).unwrap_or(rest.len());
                return (end, Span { from: at, to: end, unescaped: false });
            }
            // The common quoted field: no quote inside, a delimiter or line end behind.
            let inside = rest.get(1..).unwrap_or_default();
            if let Some(close) = options.quote.and_then(|q| memchr(q, inside)) {
                let next = inside.get(close + 1).copied();
                if next.is_none_or(|b| b == options.delimiter || b == b'\n' || b == b'\r') {
                    let from = at + 1;
                    return (from + close + 1, Span { from, to: from + close, unescaped: false });
                }
            }
        }
        self.unescape(at, quoted, options)
    }

    /// A field whose quotes and escapes must be taken out, byte by byte.
    fn unescape(&mut self, start: usize, quoted: bool, options: &CsvOptions) -> (usize, Span) {
        let from = self.unescaped.len();
        let mut at = start + usize::from(quoted);
        let mut inside = quoted;
        while let Some(&byte) = self.text.get(at) {
            let next = self.text.get(at + 1).copied();
            if options.escape == Some(byte) {
                self.unescaped.extend(next);
                at += 2;
                continue;
            }
            if inside {
                if options.quote == Some(byte) {
                    if options.double_quote && next == options.quote {
                        at += 1;
                    } else {
                        inside = false;
                        at += 1;
                        continue;
                    }
                }
            } else if byte == options.delimiter
                || matches!(byte, b'\n' | b'\r')
                || options.comment == Some(byte)
            {
                break;
            }
            self.unescaped.push(byte);
            at += 1;
        }
        self.open = inside;
        (at.min(self.text.len()), Span { from, to: self.unescaped.len(), unescaped: true })
    }
}

/// The start of the line after the line end at `at`.
fn after_line(text: &[u8], at: usize) -> usize {
    let pair = text.get(at) == Some(&b'\r') && text.get(at + 1) == Some(&b'\n');
    (at + if pair { 2 } else { 1 }).min(text.len())
}

fn line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    memchr2(b'\n', b'\r', rest).map_or(text.len(), |found| after_line(text, at + found))
}

/// Where the text may be cut for threads: at line ends outside of quotes, pieces of about `size` bytes.
pub(super) fn pieces(text: &[u8], options: &CsvOptions, size: usize) -> Vec<std::ops::Range<usize>> {
    if options.escape.is_some() || options.comment.is_some() {
        return std::iter::once(0..text.len()).collect();
    }
    let quote = options.quote.unwrap_or(b'\n');
    let (mut found, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(next) = text.get(at..).and_then(|rest| memchr2(b'\n', quote, rest)).map(|n| at + n) {
        at = next + 1;
        if text.get(next) == Some(&b'\n') {
            if at - start >= size {
                found.push(start..at);
                start = at;
            }
            continue;
        }
        let spaces = |b: &&u8| options.skip_initial_space && **b == b' ';
        let before = text.get(..next).unwrap_or_default().iter().rev().find(|b| !spaces(b)).copied();
        let opens = before.is_none_or(|b| b == options.delimiter || b == b'\n' || b == b'\r');
        if opens {
            at = closing(text, at, quote, options.double_quote);
        }
    }
    if start < text.len() {
        found.push(start..text.len());
    }
    found
}

/// The byte after the quote that closes a field opened before `at`.
fn closing(text: &[u8], mut at: usize, quote: u8, doubled: bool) -> usize {
    while let Some(next) = text.get(at..).and_then(|rest| memchr(quote, rest)).map(|n| at + n) {
        if !doubled || text.get(next + 1) != Some(&quote) {
            return next + 1;
        }
        at = next + 2;
    }
    text.len()
}

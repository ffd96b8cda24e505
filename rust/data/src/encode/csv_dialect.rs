//! What separates and quotes cells: the rules of Python's `csv.writer`.

use super::csv::{CsvWriteOptions, unsupported};
use crate::error::DataError;

/// Separator, quote and ends of lines, checked.
pub(super) struct Dialect {
    pub(super) sep: u8,
    quote: u8,
    double: bool,
    escape: Option<u8>,
    line_end: Vec<u8>,
    special: [bool; 256],
    /// The special bytes, where there are at most three.
    few: Option<[u8; 3]>,
    /// Whether texts are quoted whatever they hold.
    pub(super) quotes_text: bool,
    /// Whether numbers are.
    pub(super) quotes_numbers: bool,
    /// Null, as it is written.
    pub(super) na: Vec<u8>,
}

fn ascii(text: &str, what: &str) -> Result<u8, DataError> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\r' | b'\n' | 0) => Ok(*byte),
        _ => Err(unsupported(format!("{what} {text:?}"))),
    }
}

impl Dialect {
    /// # Errors
    /// `Unsupported` for characters outside ASCII, several where one is due, and cells that are never quoted.
    pub(super) fn new(options: &CsvWriteOptions) -> Result<Self, DataError> {
        let sep = ascii(&options.sep, "the separator")?;
        let quote = ascii(&options.quotechar, "the quote")?;
        let escape = options.escapechar.as_deref().map(|e| ascii(e, "the escape character")).transpose()?;
        let line_end = options.lineterminator.clone().into_bytes();
        if !line_end.is_ascii() || line_end.is_empty() || !options.newlines.is_ascii() {
            return Err(unsupported(format!("the line terminator {:?}", options.lineterminator)));
        }
        if options.quoting > 2 || sep == quote || escape.is_some_and(|e| e == quote || e == sep) {
            return Err(unsupported("this way of quoting"));
        }
        let mut special = [false; 256];
        for byte in [sep, quote].iter().chain(&escape).chain(&line_end).chain(options.newlines.as_bytes()) {
            special[usize::from(*byte)] = true;
        }
        let all: Vec<u8> = (0..=255).filter(|b| special[usize::from(*b)]).collect();
        let few = match all.as_slice() {
            [a, b] => Some([*a, *b, *b]),
            [a, b, c] => Some([*a, *b, *c]),
            _ => None,
        };
        let mut dialect = Self {
            sep,
            quote,
            double: options.doublequote,
            escape,
            line_end,
            special,
            few,
            quotes_text: options.quoting > 0,
            quotes_numbers: options.quoting == 1,
            na: Vec::new(),
        };
        let mut na = Vec::new();
        if !dialect.field(&mut na, options.na_rep.as_bytes(), dialect.quotes_text) {
            return Err(unsupported("text of null that cannot be quoted"));
        }
        dialect.na = na;
        Ok(dialect)
    }

    /// Whether none of these bytes ever needs a quote.
    pub(super) fn clean(&self, alphabet: &[u8]) -> bool {
        !alphabet.iter().any(|b| self.special[usize::from(*b)])
    }

    /// A cell that holds nothing special.
    pub(super) fn plain(
        &self,
        out: &mut Vec<u8>,
        quoted: bool,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        if !quoted {
            return write(out);
        }
        out.push(self.quote);
        let ok = write(out);
        out.push(self.quote);
        ok
    }

    /// A cell; `false` if something in it cannot be escaped.
    pub(super) fn field(&self, out: &mut Vec<u8>, text: &[u8], quoted: bool) -> bool {
        let found = match self.few {
            Some([a, b, c]) => memchr::memchr3(a, b, c, text).is_some(),
            None => text.iter().any(|b| self.special[usize::from(*b)]),
        };
        if !found {
            return self.plain(out, quoted, |out| {
                out.extend_from_slice(text);
                true
            });
        }
        let doubles = self.double;
        let escapes = |byte: u8| byte == self.quote && !doubles || Some(byte) == self.escape;
        if self.escape.is_none() && text.iter().any(|b| escapes(*b)) {
            return false;
        }
        // What is escaped needs no quotes.
        let quoted = quoted || text.iter().any(|b| self.special[usize::from(*b)] && !escapes(*b));
        if quoted {
            out.push(self.quote);
        }
        for &byte in text {
            if byte == self.quote && doubles {
                out.push(byte);
            } else if escapes(byte) {
                out.extend(self.escape);
            }
            out.push(byte);
        }
        if quoted {
            out.push(self.quote);
        }
        true
    }

    /// The end of a row that began at `begun`: a row of nothing is an empty cell in quotes.
    pub(super) fn end_row(&self, out: &mut Vec<u8>, begun: usize) {
        if out.len() == begun {
            out.extend_from_slice(&[self.quote, self.quote]);
        }
        out.extend_from_slice(&self.line_end);
    }

    /// The first line.
    ///
    /// # Errors
    /// `Unsupported` for a name that cannot be escaped.
    pub(super) fn header(
        &self,
        out: &mut Vec<u8>,
        names: &[String],
        options: &CsvWriteOptions,
    ) -> Result<(), DataError> {
        let labels = options.index.then_some(&options.index_label);
        for (place, name) in labels.into_iter().chain(names).enumerate() {
            if place > 0 {
                out.push(self.sep);
            }
            if !self.field(out, name.as_bytes(), self.quotes_text) {
                return Err(unsupported(format!("the name {name:?}, which cannot be quoted")));
            }
        }
        self.end_row(out, 0);
        Ok(())
    }
}

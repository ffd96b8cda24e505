//! `Buffer`: the next bytes of a file, as many as a unit needs.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use memchr::memrchr;

use super::pieces::Pieces;
use crate::cancel::Cancel;
use crate::decode::lines::{lines_before, lines_in};
use crate::decode::reading::{Content, Flowing, content, explained};
use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;
use crate::source::ByteSource;

/// Bytes unpacked between two looks at `Cancel`.
const STEP: usize = 1 << 20;
/// More than what precedes the first item of an array.
const STEPPED: usize = 4 << 10;
/// Most bytes that are held: a unit becomes columns with offsets of 32 bits.
const LARGEST: usize = i32::MAX as usize;

/// Bytes from a position on; what was used is given up.
pub(super) struct Buffer {
    held: Held,
    source: Arc<dyn ByteSource>,
    flowing: Flowing,
    used: usize,
    /// Whether lines that came in parts were given up.
    passed: bool,
    at: u64,
    ended: bool,
    /// Line ends before `at`, counted from `opened_at`.
    lines: u64,
    opened_at: u64,
}

/// What is held, and where it comes from.
enum Held {
    /// A part of a piece as it came, or what joins two of them.
    Plain(Pieces),
    /// Unpacked bytes.
    Packed { reader: Box<dyn Read + Send>, bytes: Vec<u8> },
}

impl Buffer {
    pub(super) fn open(source: &Arc<dyn ByteSource>, at: u64, limits: &Limits) -> Result<Self, DataError> {
        let flowing = Flowing::default();
        let held = match content(source, at, limits, &flowing)? {
            Content::Plain(reading) => Held::Plain(Pieces::new(source.clone(), reading, at)),
            Content::Packed(reader) => Held::Packed { reader, bytes: Vec::new() },
        };
        let source = source.clone();
        Ok(Self { held, source, flowing, used: 0, passed: false, at, ended: false, lines: 0, opened_at: at })
    }

    /// Reads ahead from the beginning where somebody fetched the first bytes ahead: that is for a reader who goes on.
    pub(super) fn going_on(self) -> Self {
        if self.source.at_hand().is_some() {
            self.flowing.store(true, Ordering::Relaxed);
        }
        self
    }

    /// Reads until `want` bytes are held, or everything.
    pub(super) fn fill(&mut self, want: usize, cancel: &Cancel) -> Result<(), DataError> {
        self.look();
        if want > LARGEST {
            let message = "a line, record or array item of 2 GiB or more does not fit into memory at once";
            return Err(DataError::new(DataErrorKind::Limit, message).with_path(self.source.name()));
        }
        let used = std::mem::take(&mut self.used);
        match &mut self.held {
            Held::Plain(pieces) => {
                pieces.skip(used);
                if !self.ended {
                    let filled = pieces.fill(want, cancel);
                    self.ended = !filled.map_err(|e| explained(e, "file", self.source.name()))?;
                }
            }
            Held::Packed { reader, bytes } => {
                bytes.drain(..used);
                while bytes.len() < want && !self.ended {
                    cancel.check()?;
                    let step = STEP.min(want - bytes.len());
                    let read = reader.by_ref().take(step as u64).read_to_end(bytes);
                    let read = read.map_err(|e| explained(e, "compressed data", self.source.name()))?;
                    self.ended = read < step;
                }
            }
        }
        Ok(())
    }

    /// What is held.
    pub(super) fn held(&self) -> &[u8] {
        let held = match &self.held {
            Held::Plain(pieces) => pieces.held(),
            Held::Packed { bytes, .. } => bytes,
        };
        held.get(self.used..).unwrap_or_default()
    }

    /// The first `length` bytes of what is held, to keep: nothing is copied where they are as they came.
    pub(super) fn first(&self, length: usize) -> Bytes {
        match &self.held {
            Held::Plain(pieces) => pieces.part(self.used, length),
            Held::Packed { .. } => Bytes::copy_from_slice(self.held().get(..length).unwrap_or_default()),
        }
    }

    /// Whether nothing follows what is held.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Gives up the first bytes of what is held.
    pub(super) fn skip(&mut self, count: usize) {
        let count = count.min(self.held().len());
        self.lines += lines_in(self.held().get(..count).unwrap_or_default());
        self.used += count;
        self.at += count as u64;
    }

    /// Position of what is held.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Reads until whole lines are held, of about `want` bytes or more; their length, 0 at the end.
    pub(super) fn whole_lines(&mut self, mut want: usize, cancel: &Cancel) -> Result<usize, DataError> {
        loop {
            self.fill(want, cancel)?;
            if self.ended {
                return Ok(self.held().len());
            }
            if let Some(last) = memrchr(b'\n', self.held()) {
                return Ok(last + 1);
            }
            want = want.saturating_mul(2);
        }
    }

    /// Whole lines of about `want` bytes in parts, where they can be had without copying them all; see `pass`.
    pub(super) fn lines_in_parts(
        &mut self,
        want: usize,
        cancel: &Cancel,
    ) -> Result<Option<[Bytes; 3]>, DataError> {
        self.look();
        let Held::Plain(pieces) = &mut self.held else { return Ok(None) };
        if self.ended {
            return Ok(None);
        }
        pieces.skip(std::mem::take(&mut self.used));
        pieces.lines(want, cancel).map_err(|e| explained(e, "file", self.source.name()))
    }

    /// Gives up the lines that came in parts.
    pub(super) fn pass(&mut self, parts: &[Bytes]) {
        let count = parts.iter().map(Bytes::len).sum();
        self.lines += parts.iter().map(|part| lines_in(part)).sum::<u64>();
        self.at += count as u64;
        self.passed = true;
        if let Held::Plain(pieces) = &mut self.held {
            pieces.pass(count);
        }
    }

    /// Reads ahead once a unit was handed out and another one is wanted.
    fn look(&mut self) {
        if std::mem::take(&mut self.passed) || self.used > STEPPED {
            self.flowing.store(true, Ordering::Relaxed);
        }
    }

    /// An error with a line of what is held as one with the line of the file.
    pub(super) fn placed(&self, error: DataError) -> DataError {
        let error = error.with_path(self.source.name());
        if error.line().is_none() {
            return error;
        }
        let before = match self.opened_at {
            0 => Some(0),
            _ if matches!(self.held, Held::Packed { .. }) => None, // unpacking all of it again is not worth a number
            at => lines_before(self.source.as_ref(), at).ok(),
        };
        match before {
            Some(before) => error.line_shifted(before + self.lines),
            None => error.without_line(),
        }
    }
}

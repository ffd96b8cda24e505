//! Sources read from a position on, in constant memory: plain, or unpacked while they are read.

use std::collections::VecDeque;
use std::io::{Read, copy, sink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf, Bytes};

use super::unpack::Packing;
use crate::ahead::{BUDGET, Share};
use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;
use crate::source::{ByteSource, Coming};

/// Bytes of the first request, so that the first row comes early.
pub(crate) const FIRST: u64 = 256 << 10;
/// Most bytes of the first request where reading begins further on: a unit.
const LATER: u64 = 4 << 20;
/// Bytes of the later ones.
const MOST: u64 = 8 << 20;
/// Bytes at a time where asking costs little.
const NEAR: u64 = 1 << 20;
/// At most so many times what was read before is on its way, or so many bytes; more once a piece was waited for.
const WASTE: u64 = 2;
const WASTE_QUICK: u64 = 3;
const SOON: u64 = 2 << 20;
/// Most pieces that are on their way at a time.
const DEEPEST: usize = 8;

/// Whether reading goes on after the first rows: then the next pieces are read ahead.
pub(crate) type Flowing = Arc<AtomicBool>;

/// A source read forward by pieces that grow.
///
/// One piece is on its way once reading flows; each time that the reader has to wait for it, one more, so that the line
/// stays full however long a request takes. A slow reader waits for none, and has one on its way.
pub(crate) struct Reading {
    source: Arc<dyn ByteSource>,
    begun: u64,
    at: u64,
    size: u64,
    piece: Bytes,
    /// What follows `at`, on its way, and where each piece ends.
    coming: VecDeque<OnItsWay>,
    /// How many of them there should be.
    depth: usize,
    flowing: Flowing,
}

/// A piece on its way: where it ends, and its part of the budget (the first one needs none).
struct OnItsWay {
    end: u64,
    bytes: Box<dyn Coming>,
    _share: Option<Share>,
}

impl Reading {
    fn new(source: Arc<dyn ByteSource>, at: u64, flowing: Flowing) -> Self {
        // Units are larger further on: who begins there wants more at once.
        let size = if source.is_near() { NEAR } else { at.clamp(FIRST, LATER) };
        Self { source, begun: at, at, size, piece: Bytes::new(), coming: VecDeque::new(), depth: 1, flowing }
    }
}

impl Reading {
    /// The piece at `at`; false at the end.
    fn next_piece(&mut self) -> std::io::Result<bool> {
        let (end, came) = match self.coming.pop_front() {
            Some(next) => {
                if !next.bytes.came() {
                    self.depth = DEEPEST.min(self.depth + 1);
                    self.look_ahead(next.end);
                }
                (next.end, next.bytes.wait())
            }
            None => match self.at_hand() {
                Some(head) => (self.at.saturating_add(head.len() as u64), Some(Ok(head))),
                None => (self.source.len().min(self.at.saturating_add(self.size)), None),
            },
        };
        if self.at >= end {
            return Ok(false);
        }
        let read = if let Some(came) = came {
            came.and_then(|bytes| self.source.saw(self.at, &bytes).map(|()| bytes))
        } else {
            self.grow();
            self.source.read_range(self.at..end)
        };
        self.piece = read.map_err(std::io::Error::other)?;
        self.at = end;
        self.look_ahead(end);
        Ok(true)
    }

    /// What the source has here already of what follows. Whoever fetched it wants the rest in large pieces.
    fn at_hand(&mut self) -> Option<Bytes> {
        let head = self.source.at_hand()?;
        let rest = head.slice(usize::try_from(self.at).ok().filter(|at| *at < head.len())?..);
        self.depth = self.depth.max(2);
        Some(rest)
    }

    /// What follows, as it came: the rest of a piece or the next one; nothing at the end.
    ///
    /// # Errors
    /// As reading the source.
    pub(crate) fn piece(&mut self) -> std::io::Result<Bytes> {
        if self.piece.is_empty() {
            self.next_piece()?;
        }
        Ok(std::mem::take(&mut self.piece))
    }

    /// Looks ahead where reading began to flow in the middle of one of the first pieces.
    pub(crate) fn flows(&mut self) {
        if self.at > self.begun && self.coming.is_empty() && self.size < LATER {
            self.look_ahead(self.at);
        }
    }

    fn grow(&mut self) {
        if !self.source.is_near() {
            self.size = MOST.min(self.size * 2);
        }
    }

    /// Asks for what follows `end` and the pieces on their way, as far as there should be more of them.
    fn look_ahead(&mut self, end: u64) {
        if !self.flowing.load(Ordering::Relaxed) || self.source.is_near() {
            return;
        }
        let mut from = self.coming.back().map_or(end, |last| last.end);
        // Who breaks off early has not asked for much more.
        let times = if self.depth > 1 { WASTE_QUICK } else { WASTE };
        let most = end.saturating_add(SOON.max(times * (end - self.begun)));
        while self.coming.len() < self.depth && from < self.source.len().min(most) {
            let end = self.source.len().min(most).min(from.saturating_add(MOST));
            let little = end < self.source.len() && end - from < LATER;
            if little && !self.coming.is_empty() {
                return; // a little more is not worth a request of its own
            }
            let share = if self.coming.is_empty() { None } else { Share::take(end - from, BUDGET) };
            if share.is_none() && !self.coming.is_empty() {
                return;
            }
            let Some(bytes) = self.source.start_range(from..end) else { return };
            self.coming.push_back(OnItsWay { end, bytes, _share: share });
            from = end;
        }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.piece.is_empty() && !self.next_piece()? {
            return Ok(0);
        }
        self.flows();
        let count = buffer.len().min(self.piece.len());
        if let Some(into) = buffer.get_mut(..count) {
            self.piece.copy_to_slice(into);
        }
        Ok(count)
    }
}

/// What a source holds, from a position on.
pub(crate) enum Content {
    /// As it is.
    Plain(Reading),
    /// Unpacked while it is read.
    Packed(Box<dyn Read + Send>),
}

/// The content of a source from position `at` of it on (of what it unpacks to, if it is compressed), and whether it is
/// compressed.
///
/// # Errors
/// As reading the source; `Decode` for broken data before `at`.
pub(crate) fn opened(
    source: &Arc<dyn ByteSource>,
    at: u64,
    limits: &Limits,
    flowing: &Flowing,
) -> Result<(Box<dyn Read + Send>, bool), DataError> {
    Ok(match content(source, at, limits, flowing)? {
        Content::Plain(reading) => (Box::new(reading), false),
        Content::Packed(unpacked) => (unpacked, true),
    })
}

/// As `opened`.
///
/// # Errors
/// As `opened`.
pub(crate) fn content(
    source: &Arc<dyn ByteSource>,
    at: u64,
    limits: &Limits,
    flowing: &Flowing,
) -> Result<Content, DataError> {
    let head = source.read_range(0..source.len().min(Packing::MAGIC))?;
    let behind = || {
        let message = format!("it ends before byte {at}, where reading was to go on: it is not what it was");
        DataError::new(DataErrorKind::Decode, message).with_path(source.name())
    };
    let Some(packing) = Packing::of(&head) else {
        if at > source.len() {
            return Err(behind());
        }
        return Ok(Content::Plain(Reading::new(source.clone(), at, flowing.clone())));
    };
    let failed = |e| explained(e, packing.name(), source.name());
    let unpacked = packing.unpacking(Reading::new(source.clone(), 0, flowing.clone())).map_err(failed)?;
    let mut unpacked =
        Capped { inner: unpacked, left: limits.max_unpacked_bytes, most: limits.max_unpacked_bytes };
    if copy(&mut (&mut unpacked).take(at), &mut sink()).map_err(failed)? < at {
        return Err(behind());
    }
    Ok(Content::Packed(Box::new(unpacked)))
}

/// A reader that fails beyond so many bytes.
struct Capped<R> {
    inner: R,
    left: u64,
    most: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(count as u64) else {
            let message = format!("unpacks to more than max_unpacked_bytes = {}", self.most);
            return Err(std::io::Error::other(DataError::new(DataErrorKind::Limit, message)));
        };
        self.left = left;
        Ok(count)
    }
}

/// The error of the source below, or one that says that the data is broken.
pub(crate) fn explained(error: std::io::Error, what: &str, name: &str) -> DataError {
    match error.downcast::<DataError>() {
        Ok(inner) => inner.with_path(name),
        Err(error) => {
            let message = format!("broken {what}: {error}");
            DataError::new(DataErrorKind::Decode, message).with_path(name).with_source(error)
        }
    }
}

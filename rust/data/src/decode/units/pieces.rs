//! `Pieces`: the bytes of a plain file as they come, copied only where what is wanted goes from one piece into the next.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memrchr};

use crate::cancel::Cancel;
use crate::decode::reading::Reading;
use crate::source::ByteSource;

/// Most bytes read at once of a file that is near.
const NEAR: usize = 4 << 20;
/// A rest that is read again with what follows it: that costs less than to copy what follows.
const SMALL: usize = NEAR / 8;

pub(super) struct Pieces {
    source: Arc<dyn ByteSource>,
    /// Of a file that is far.
    reading: Reading,
    /// The last piece that came, and where it begins.
    piece: Bytes,
    piece_at: u64,
    /// What begins at `at`: a part of the piece, or joined.
    text: Bytes,
    at: u64,
    /// How much of `text` is handed out: as much as was asked for.
    held: usize,
}

impl Pieces {
    pub(super) fn new(source: Arc<dyn ByteSource>, reading: Reading, at: u64) -> Self {
        Self { source, reading, piece: Bytes::new(), piece_at: at, text: Bytes::new(), at, held: 0 }
    }

    pub(super) fn held(&self) -> &[u8] {
        self.text.get(..self.held).unwrap_or_default()
    }

    /// A part of what is held.
    pub(super) fn part(&self, from: usize, length: usize) -> Bytes {
        let from = from.min(self.held);
        self.text.slice(from..from.saturating_add(length).min(self.held))
    }

    /// Gives up the first bytes of what is held.
    pub(super) fn skip(&mut self, count: usize) {
        let count = count.min(self.held);
        self.at += count as u64;
        self.held -= count;
        // Where the piece has all from here on, what was joined is not needed any more.
        match self.at.checked_sub(self.piece_at) {
            Some(inside) if inside <= self.piece.len() as u64 => {
                self.text = self.piece.slice(inside as usize..);
            }
            _ => self.text = self.text.slice(count..),
        }
    }

    /// Holds `want` bytes, if there are so many: whether there are.
    pub(super) fn fill(&mut self, want: usize, cancel: &Cancel) -> io::Result<bool> {
        self.reading.flows();
        let mut joined: Option<BytesMut> = None;
        loop {
            let have = joined.as_ref().map_or(self.text.len(), BytesMut::len);
            if have >= want {
                break;
            }
            cancel.check().map_err(io::Error::other)?;
            let Some(next) = self.following(have, want)? else {
                self.text = joined.map_or_else(|| self.text.clone(), BytesMut::freeze);
                self.held = self.text.len();
                return Ok(false);
            };
            if self.text.is_empty() && joined.is_none() {
                self.text = next;
                continue;
            }
            let both = joined.get_or_insert_with(|| {
                let left = usize::try_from(self.source.len().saturating_sub(self.at)).unwrap_or(want);
                let mut both = BytesMut::with_capacity(want.min(left));
                both.extend_from_slice(&self.text);
                both
            });
            both.extend_from_slice(next.get(..next.len().min(want - have)).unwrap_or_default());
        }
        if let Some(joined) = joined {
            self.text = joined.freeze();
        }
        self.held = self.held.max(want);
        Ok(true)
    }

    /// Whole lines of the first `want` bytes, where some of these are in the next piece: those of this one, the line that
    /// goes from one into the other, those of the next. None where they come in another way, or not as many.
    pub(super) fn lines(&mut self, want: usize, cancel: &Cancel) -> io::Result<Option<[Bytes; 3]>> {
        let have = self.text.len();
        if self.source.is_near() || have == 0 || have >= want {
            return Ok(None);
        }
        self.reading.flows();
        cancel.check().map_err(io::Error::other)?;
        let Some(next) = self.following(have, want)? else { return Ok(None) };
        let (Some(before), Some(after)) = (memrchr(b'\n', &self.text), next.get(..want - have)) else {
            return Ok(None);
        };
        let (Some(first), Some(last)) = (memchr(b'\n', after), memrchr(b'\n', after)) else {
            return Ok(None);
        };
        let between = [self.text.slice(before + 1..), next.slice(..=first)].concat().into();
        Ok(Some([self.text.slice(..=before), between, next.slice(first + 1..=last)]))
    }

    /// Gives up bytes of which `lines` gave the last.
    pub(super) fn pass(&mut self, count: usize) {
        self.held = count;
        self.skip(count);
    }

    /// What follows the first `have` bytes, as far as it is at hand or comes in one piece; None at the end.
    fn following(&mut self, have: usize, want: usize) -> io::Result<Option<Bytes>> {
        let end = self.at + have as u64;
        if let Some(inside) =
            end.checked_sub(self.piece_at).filter(|inside| *inside < self.piece.len() as u64)
        {
            return Ok(Some(self.piece.slice(inside as usize..)));
        }
        self.piece = Bytes::new(); // its memory may be used again
        if self.source.is_near() {
            let again = have < SMALL && have == self.text.len() && end < self.source.len();
            if again {
                self.text = Bytes::new();
            }
            self.piece_at = if again { self.at } else { end };
            let length = (if again { want } else { want - have }).min(NEAR) as u64;
            let stop = self.source.len().min(self.piece_at.saturating_add(length));
            self.piece = self.source.read_range(self.piece_at.min(stop)..stop).map_err(io::Error::other)?;
        } else {
            self.piece_at = end;
            self.piece = self.reading.piece()?;
        }
        Ok((!self.piece.is_empty()).then(|| self.piece.clone()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Write;

    use proptest::prelude::*;

    use super::super::buffer::Buffer;
    use super::*;
    use crate::limits::Limits;
    use crate::source::{LocalSource, MemorySource};

    /// Bytes that differ from place to place, some larger than the first pieces.
    fn content(length: usize) -> Vec<u8> {
        (0..length as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    fn follows(
        source: &Arc<dyn ByteSource>,
        all: &[u8],
        at: usize,
        steps: &[(usize, usize)],
    ) -> Result<(), TestCaseError> {
        let mut buffer = Buffer::open(source, at as u64, &Limits::default()).unwrap();
        let (mut at, mut held) = (at, 0_usize);
        for (want, skip) in steps {
            buffer.fill(*want, &Cancel::new()).unwrap();
            held = held.max(*want).min(all.len() - at);
            prop_assert!(buffer.held() == &all[at..at + held], "{} bytes at {}", held, at);
            prop_assert_eq!(buffer.ended(), buffer.ended() && at + held == all.len());
            let part = buffer.first(held / 2);
            prop_assert!(part == all[at..at + held / 2]);
            let skip = (*skip).min(held);
            buffer.skip(skip);
            (at, held) = (at + skip, held - skip);
            prop_assert_eq!(buffer.at(), at as u64);
            prop_assert!(buffer.held() == &all[at..at + held]);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn bytes_are_those_of_the_file(
            length in 0_usize..14 << 20,
            from in 0_usize..2 << 20,
            steps in prop::collection::vec((0_usize..9 << 20, 0_usize..6 << 20), 1..8),
        ) {
            let (all, from) = (content(length), from.min(length));
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&all).unwrap();
            let near: Arc<dyn ByteSource> = Arc::new(LocalSource::open(file.path()).unwrap());
            let far: Arc<dyn ByteSource> = Arc::new(MemorySource::new("memory", all.clone()));
            follows(&near, &all, from, &steps)?;
            follows(&far, &all, from, &steps)?;
        }
    }
}

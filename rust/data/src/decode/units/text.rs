//! Text: lines, paragraphs, or the whole document.

use std::sync::Arc;

use arrow_array::RecordBatch;
use memchr::memchr2;

use super::buffer::Buffer;
use super::{MOST, Unit, Units, size_at, table};
use crate::cancel::Cancel;
use crate::decode::text::{column, schema};
use crate::decode::{ReadOptions, SampleBy};
use crate::error::DataError;
use crate::source::ByteSource;

pub(super) struct TextUnits {
    buffer: Buffer,
    options: ReadOptions,
    /// Whether the one document was read.
    ended: bool,
}

impl TextUnits {
    pub(super) fn open(
        source: &Arc<dyn ByteSource>,
        at: u64,
        options: ReadOptions,
    ) -> Result<Self, DataError> {
        // The position in a file that is one row only says whether it was read.
        let from = if options.text.sample_by == SampleBy::Document { 0 } else { at };
        let buffer = Buffer::open(source, from, &options.limits)?.going_on();
        Ok(Self { buffer, options, ended: at > 0 })
    }

    /// Bytes of the next unit in the buffer; None at the end.
    fn cut(&mut self, cancel: &Cancel) -> Result<Option<usize>, DataError> {
        let buffer = &mut self.buffer;
        let size = match self.options.text.sample_by {
            SampleBy::Line => buffer.whole_lines(size_at(buffer.at()), cancel)?,
            SampleBy::Paragraph => {
                let mut want = size_at(buffer.at());
                loop {
                    buffer.fill(want, cancel)?;
                    let cut =
                        if buffer.ended() { buffer.held().len() } else { paragraphs_end(buffer.held()) };
                    if cut > 0 || buffer.ended() {
                        break cut;
                    }
                    want = want.saturating_mul(2);
                }
            }
            SampleBy::Document => {
                if self.ended {
                    return Ok(None);
                }
                self.ended = true;
                let mut want = MOST;
                while !buffer.ended() {
                    buffer.fill(want, cancel)?;
                    want = want.saturating_mul(2);
                }
                return Ok(Some(buffer.held().len())); // an empty one is a row too
            }
        };
        Ok((size > 0).then_some(size))
    }
}

impl Units for TextUnits {
    fn next_unit(&mut self, cancel: &Cancel) -> Result<Option<Unit>, DataError> {
        let Some(size) = self.cut(cancel)? else { return Ok(None) };
        let start = self.buffer.at();
        let text = self.buffer.held().get(..size).unwrap_or_default();
        let made = column(text, self.options.text)
            .and_then(|column| {
                let batch = RecordBatch::try_new(schema(), vec![Arc::new(column)])?;
                table(vec![batch], schema(), self.options.features.as_ref())
            })
            .map_err(|e| self.buffer.placed(e))?;
        self.buffer.skip(size);
        let end = self.buffer.at().max(1); // an empty document is read once
        Ok(Some(Unit { table: made, start, end }))
    }
}

/// The end of the last blank line that parts two paragraphs; pairs of line ends are found from the left, each once.
fn paragraphs_end(text: &[u8]) -> usize {
    let (mut end, mut at) = (0, 0);
    let mut before = None;
    while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'\n', b'\r', rest)).map(|n| at + n) {
        let carriage = text.get(found) == Some(&b'\r');
        if carriage && found + 1 == text.len() {
            break; // perhaps half of a line end
        }
        at = found + if carriage && text.get(found + 1) == Some(&b'\n') { 2 } else { 1 };
        if before == Some(found) {
            (end, before) = (at, None);
        } else {
            before = Some(at);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::paragraphs_end;

    #[test]
    fn blank_lines_part() {
        for (text, end) in [
            ("a\n\nb", 3),
            ("a\n\n\nb", 3),
            ("a\r\n\r\nb", 5),
            ("a\r\rb", 3),
            ("a\n\r\nb", 4),
            ("a\n\n", 3),
            ("a\n\r", 0),
            ("a\nb", 0),
            ("\n\n\n\n\n", 4),
        ] {
            assert_eq!(paragraphs_end(text.as_bytes()), end, "{text:?}");
        }
    }
}

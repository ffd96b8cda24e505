//! CSV by 10,000 records, each unit with types of its own: the chunks of `datasets`.

use std::sync::Arc;

use super::buffer::Buffer;
use super::{Unit, Units, table};
use crate::cancel::Cancel;
use crate::decode::ReadOptions;
use crate::decode::csv::{BOM, HEAD, Layout, Records, read_body};
use crate::error::DataError;
use crate::source::ByteSource;

/// Bytes that are read first, for the header and the first records.
const START: usize = 256 << 10;
/// Bytes of a unit that has fewer records, because they are long.
const LONG: usize = 64 << 20;

pub(super) struct CsvUnits {
    buffer: Buffer,
    options: ReadOptions,
    layout: Layout,
    /// Rows that may follow, where there is a limit.
    left: Option<usize>,
    /// Units up to here were read before.
    from: u64,
}

impl CsvUnits {
    pub(super) fn open(
        source: &Arc<dyn ByteSource>,
        at: u64,
        mut options: ReadOptions,
    ) -> Result<Self, DataError> {
        let mut buffer = Buffer::open(source, 0, &options.limits)?.going_on();
        let (layout, body) = header(&mut buffer, &options)?;
        let left = options.csv.max_rows.take();
        if left.is_some() || at == 0 {
            buffer.skip(body); // rows are counted from the start
        } else {
            buffer = Buffer::open(source, at, &options.limits)?;
        }
        Ok(Self { buffer, options, layout, left, from: at })
    }

    /// The bytes and the records of the next unit.
    fn cut(&mut self, cancel: &Cancel) -> Result<(usize, usize), DataError> {
        let most = HEAD.min(self.left.unwrap_or(HEAD));
        let mut want = START;
        loop {
            self.buffer.fill(want, cancel)?;
            let held = self.buffer.held();
            let (records, stop) = Records::cut(held, &self.options.csv, most);
            let count = records.len();
            // The first record that a unit of long ones leaves out.
            if let Some(long) = (1..count).find(|&row| records.begins(row) >= LONG) {
                return Ok((records.begins(long), long));
            }
            if self.buffer.ended() || (count == most && stop < held.len()) {
                return Ok((stop, count));
            }
            want = held.len().saturating_mul(2).max(START);
        }
    }
}

/// The layout, and where the rows begin.
fn header(buffer: &mut Buffer, options: &ReadOptions) -> Result<(Layout, usize), DataError> {
    let mut want = START;
    loop {
        buffer.fill(want, &options.cancel)?;
        let held = buffer.held();
        let text = held.strip_prefix(BOM).unwrap_or(held);
        let found = Layout::of(text, &options.csv);
        if buffer.ended() {
            let layout = found?;
            let body = held.len() - text.len() + layout.body;
            return Ok((layout, body));
        }
        if let Ok(layout) = found {
            let body = text.get(layout.body..).unwrap_or_default();
            let (first, stop) = Records::cut(body, &options.csv, 1);
            if first.len() == 1 && stop < body.len() {
                let body = held.len() - text.len() + layout.body;
                return Ok((layout, body));
            }
        }
        want = want.saturating_mul(2);
    }
}

impl Units for CsvUnits {
    fn next_unit(&mut self, cancel: &Cancel) -> Result<Option<Unit>, DataError> {
        self.options.cancel = cancel.clone();
        loop {
            if self.left == Some(0) {
                return Ok(None);
            }
            let (size, count) = self.cut(cancel)?;
            if count == 0 {
                return Ok(None);
            }
            let start = self.buffer.at();
            self.left = self.left.map(|left| left - count);
            if self.left.is_some() && start < self.from {
                self.buffer.skip(size);
                continue;
            }
            let text = self.buffer.held().get(..size).unwrap_or_default();
            let made = read_body(text, &self.layout, &self.options)
                .and_then(|read| table(read.batches, read.schema, self.options.features.as_ref()))
                .map_err(|e| self.buffer.placed(e))?;
            self.buffer.skip(size);
            return Ok(Some(Unit { table: made, start, end: self.buffer.at() }));
        }
    }
}

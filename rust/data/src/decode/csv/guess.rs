//! Long files in one pass: the types are those of the first rows, and pieces are cut where records seem to begin. Both are
//! proved while columns are built; where they are wrong nothing is returned.
//!
//! A piece that begins at a record and does not end within quotes ends at a record, since no more than quotes keep a
//! line end from ending one: so each piece proves that the next one begins well.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, SchemaRef};
use rayon::prelude::*;

use super::infer::{self, Words};
use super::{BOM, BadLines, HEAD, Layout, Records, build, kept, schema, types};
use crate::decode::{FileBatches, ReadOptions};
use crate::error::DataError;
use crate::features::schema_from_features;
use crate::source::{ByteSource, MemorySource};

mod cuts;

/// Bytes in which the first rows are looked for, at first; and at the most.
const FIRST: u64 = 1 << 20;
const MOST: u64 = 256 << 20;

/// A file with guessed types.
pub(in crate::decode) struct Guess {
    source: Arc<dyn ByteSource>,
    options: ReadOptions,
    layout: Layout,
    words: Words,
    /// Columns of the table, and the types of all fields.
    kept: Vec<usize>,
    types: Vec<DataType>,
    schema: SchemaRef,
    /// The head, then about equal pieces.
    pieces: Vec<Range<u64>>,
    /// Fields that rows lack, so far.
    missing: AtomicU64,
}

impl Guess {
    /// Looks at the first rows; pieces have about `size` bytes. `None` for files that are short or have more rules.
    ///
    /// # Errors
    /// From the source; `Cancelled`.
    pub(in crate::decode) fn open(
        source: Arc<dyn ByteSource>,
        options: &ReadOptions,
        size: usize,
    ) -> Result<Option<Self>, DataError> {
        let csv = &options.csv;
        if csv.max_rows.is_some()
            || csv.escape.is_some()
            || csv.comment.is_some()
            || csv.quote == Some(b'\n')
            || source.len() <= 2 * size as u64
        {
            return Ok(None);
        }
        let source: Arc<dyn ByteSource> = if source.is_near() {
            source
        } else {
            Arc::new(MemorySource::new(source.name(), source.read_range(0..source.len())?))
        };
        let imposed = options.features.as_ref().map(schema_from_features).transpose()?;
        let words = Words::new(csv);
        let mut length = FIRST.min(size as u64);
        let (layout, head, types) = loop {
            let bytes = source.read_range(0..length)?;
            let mark = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
            let text = bytes.get(mark..).unwrap_or_default();
            let Ok(layout) = Layout::of(text, csv) else { return Ok(None) };
            let body = text.get(layout.body..).unwrap_or_default();
            let (first, stop) = Records::cut(body, csv, HEAD);
            if stop < body.len() {
                let width = layout.names.len();
                let types = types(&[infer::look(&first, width, &words, csv)], &layout, imposed.as_ref());
                let start = (mark + layout.body) as u64;
                break (layout, start..start + stop as u64, types);
            }
            if length == source.len() || length > MOST {
                return Ok(None);
            }
            length = length.saturating_mul(4).min(source.len());
        };
        let Ok(kept) = kept(&layout, imposed.as_ref()) else { return Ok(None) };
        let schema = schema(&layout, &kept, &types);
        let width = (!layout.any_width).then_some(layout.names.len());
        let mut pieces = cuts::pieces(source.as_ref(), head.end, size as u64, width, options)?;
        pieces.insert(0, head);
        let (options, missing) = (options.clone(), AtomicU64::new(0));
        Ok(Some(Self { source, options, layout, words, kept, types, schema, pieces, missing }))
    }

    /// How many pieces there are.
    pub(in crate::decode) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Bytes of a piece.
    pub(in crate::decode) fn bytes(&self, piece: usize) -> u64 {
        self.pieces.get(piece).map_or(0, |p| p.end - p.start)
    }

    /// Whether all rows together decide which columns there are.
    pub(in crate::decode) fn needs_all(&self) -> bool {
        self.options.features.is_none() && self.layout.has_index()
    }

    /// The rows of some pieces; `None` if a guess was wrong.
    ///
    /// # Errors
    /// From the source; `Cancelled`.
    pub(in crate::decode) fn read(
        &self,
        pieces: Range<usize>,
    ) -> Result<Option<Vec<RecordBatch>>, DataError> {
        let wrong = AtomicBool::new(false);
        let batches = pieces
            .into_par_iter()
            .map(|piece| {
                self.options.cancel.check()?;
                if wrong.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let batch = self.piece(piece)?;
                if batch.is_none() {
                    wrong.store(true, Ordering::Relaxed);
                }
                Ok(batch)
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        Ok(batches.into_iter().collect())
    }

    /// What was read as the file's.
    ///
    /// # Errors
    /// What Arrow says.
    pub(in crate::decode) fn file(&self, batches: Vec<RecordBatch>) -> Result<FileBatches, DataError> {
        if self.needs_all() {
            return self.layout.without_ranges(&self.schema, batches);
        }
        Ok(FileBatches { schema: self.schema.clone(), batches })
    }

    fn piece(&self, piece: usize) -> Result<Option<RecordBatch>, DataError> {
        let (csv, width) = (&self.options.csv, self.layout.names.len());
        let Some(range) = self.pieces.get(piece) else { return Ok(None) };
        let text = self.source.read_range(range.clone())?;
        let (records, _) = Records::cut(&text, csv, usize::MAX);
        if records.is_open() && piece + 1 < self.pieces.len() {
            return Ok(None);
        }
        if csv.bad_lines == BadLines::Error
            && !self.layout.any_width
            && (0..records.len()).any(|row| records.width(row) > width)
        {
            return Ok(None); // an error that the two passes find with its line
        }
        let lacked = records.missing(width);
        if self.missing.fetch_add(lacked, Ordering::Relaxed).saturating_add(lacked)
            > self.options.limits.max_missing_values
        {
            return Ok(None);
        }
        let records = if self.layout.any_width { records } else { records.without_longer_than(width) };
        let mut columns = Vec::with_capacity(self.kept.len());
        for &column in &self.kept {
            let kind = self.types.get(column).unwrap_or(&DataType::LargeUtf8);
            match build::column(&records, column, kind, &self.words, csv) {
                Ok(built) if built.fits => columns.push(built.array),
                _ => return Ok(None),
            }
        }
        let count = RecordBatchOptions::new().with_row_count(Some(records.len()));
        Ok(Some(RecordBatch::try_new_with_options(self.schema.clone(), columns, &count)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use arrow_select::concat::concat_batches;
    use proptest::prelude::*;

    use super::*;
    use crate::decode::csv::read_whole;

    /// What a guess gives with pieces of `size` bytes, equal to the two passes if anything.
    fn guessed(text: &str, size: usize, options: &ReadOptions) -> Option<RecordBatch> {
        let source = || Arc::new(MemorySource::new("t.csv", text.as_bytes().to_vec())) as Arc<dyn ByteSource>;
        let guess = Guess::open(source(), options, size).unwrap()?;
        let batches = guess.read(0..guess.pieces()).unwrap()?;
        let file = guess.file(batches).unwrap();
        let one = |file: &FileBatches| concat_batches(&file.schema, &file.batches).unwrap();
        let whole = read_whole(source().as_ref(), options).unwrap();
        assert_eq!(file.schema, whole.schema);
        assert_eq!(one(&file), one(&whole), "{text:?} by {size}");
        Some(one(&file))
    }

    fn rows(count: usize, row: impl Fn(usize) -> String) -> String {
        (0..count).fold("a,b\n".to_owned(), |text, i| text + &row(i) + "\n")
    }

    #[test]
    fn texts_with_lines_inside() {
        let text = rows(HEAD + 3000, |i| format!("{i},\"line {i}\n\"\"two\"\", {i}\""));
        for size in [20_000, 100_000] {
            let batch = guessed(&text, size, &ReadOptions::default()).unwrap();
            assert_eq!(batch.num_rows(), HEAD + 3000);
        }
        let plain = rows(HEAD + 3000, |i| format!("{i},{}.5\r", i % 7));
        assert!(guessed(&plain, 5000, &ReadOptions::default()).is_some());
    }

    #[test]
    fn records_that_do_not_tell() {
        // One column looks the same within quotes and outside; long fields have no line end nearby.
        let one = (0..HEAD + 3000).fold("a\n".to_owned(), |text, i| format!("{text}\"line {i}\nnext\"\n"));
        assert_eq!(guessed(&one, 5000, &ReadOptions::default()).unwrap().num_rows(), HEAD + 3000);
        let long = "x\n".repeat(700_000);
        let long = rows(HEAD + 9, |i| if i < HEAD { format!("{i},t") } else { format!("{i},\"{long}\"") });
        assert_eq!(guessed(&long, 300_000, &ReadOptions::default()).unwrap().num_rows(), HEAD + 9);
    }

    #[test]
    fn wrong_guesses_give_nothing() {
        let default = ReadOptions::default();
        for late in ["1.5,x", "x,x", "1,2,3"] {
            let last = HEAD + 2000;
            let text = rows(HEAD + 3000, |i| if i == last { late.to_owned() } else { format!("{i},t") });
            assert!(guessed(&text, 5000, &default).is_none(), "{late}");
        }
        let never_closed =
            rows(HEAD + 3000, |i| if i == HEAD + 9 { "1,\"x".to_owned() } else { format!("{i},t") });
        assert!(guessed(&never_closed, 5000, &default).is_none(), "what follows looks like records");
        // A quote within a field means nothing: the number of quotes is odd from here on.
        let odd =
            rows(HEAD + 5000, |i| if i % 999 == 0 { "1,5\" wide".into() } else { format!("{i},\"a\nb\"") });
        for size in [997, 5000] {
            guessed(&odd, size, &default);
        }
        assert!(guessed("a,b\n1,2\n", 1, &default).is_none(), "all of it is the head");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_quotes(
            tail in prop::collection::vec(prop_oneof![
                6 => Just("1,x\n"), 2 => Just("2,\"a\nb\"\n"), 1 => Just("3,\"\"\"\"\n"), 1 => Just("4,it\"s\n"),
                1 => Just(",\n"), 1 => Just("\n"), 1 => Just("5,\"a\"b\"\n"), 1 => Just("6,\"\n"), 1 => Just("7,NA\r\n"),
            ], 1..80),
            size in 8_usize..90,
        ) {
            // The head is the first 10,000 rows: it is made once, what follows is looked at.
            let text = rows(HEAD, |_| "0,t".into()) + &tail.concat();
            guessed(&text, size * 64, &ReadOptions::default());
            let bare = ReadOptions { csv: super::super::CsvOptions { quote: None, ..Default::default() }, ..Default::default() };
            guessed(&text, size * 64, &bare);
        }
    }
}

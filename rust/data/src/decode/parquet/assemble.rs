//! Columns that were decoded apart, side by side.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};

use super::ParquetReader;
use crate::decode::nullable;
use crate::error::DataError;
use crate::expand::Room;

impl ParquetReader {
    /// Puts column groups side by side, in the wanted order, with the handed-out types.
    pub(super) fn assemble(
        &self,
        row_group: usize,
        wanted: &[usize],
        mut parts: Vec<(Vec<usize>, Vec<RecordBatch>)>,
    ) -> Result<Vec<RecordBatch>, DataError> {
        align(&mut parts);
        let room = Room::new(self.limits.max_unpacked_bytes);
        let schema = Arc::new(self.schema.project(wanted)?);
        let count = parts.iter().map(|(_, b)| b.len()).max().unwrap_or(0);
        let mut batches = Vec::with_capacity(count);
        for index in 0..count {
            let mut rows = 0;
            let mut columns = Vec::with_capacity(wanted.len());
            for (&column, field) in wanted.iter().zip(schema.fields()) {
                let array = parts.iter().find_map(|(roots, batches)| {
                    // A projection keeps the file's order, whatever order was asked for.
                    let mut sorted = roots.clone();
                    sorted.sort_unstable();
                    let at = sorted.iter().position(|&r| r == column)?;
                    Some(batches.get(index)?.columns().get(at)?.clone())
                });
                let array =
                    array.ok_or_else(|| self.broken(row_group, "a column is missing after decoding"))?;
                rows = array.len();
                columns.push(
                    nullable::array(&array, field.data_type(), &room)
                        .map_err(|e| e.with_column(field.name()).with_row_group(row_group))?,
                );
            }
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            batches.push(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?);
        }
        Ok(batches)
    }
}

/// Cuts the batches of columns where those of other columns end.
fn align(parts: &mut [(Vec<usize>, Vec<RecordBatch>)]) {
    let ends = |batches: &[RecordBatch]| -> Vec<usize> {
        let rows = batches.iter().map(RecordBatch::num_rows);
        rows.scan(0, |end, rows| {
            *end += rows;
            Some(*end)
        })
        .collect()
    };
    let mut all: Vec<usize> = parts.iter().flat_map(|(_, batches)| ends(batches)).collect();
    all.sort_unstable();
    all.dedup();
    for (_, batches) in parts.iter_mut().filter(|(_, batches)| batches.len() < all.len()) {
        let starts = ends(batches);
        let mut cut = Vec::with_capacity(all.len());
        for (batch, end) in batches.iter().zip(starts) {
            let mut from = end - batch.num_rows();
            let start = from;
            for &stop in all.iter().filter(|&&stop| stop > start && stop <= end) {
                cut.push(batch.slice(from - start, stop - from));
                from = stop;
            }
        }
        *batches = cut;
    }
}

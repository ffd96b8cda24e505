//! `View`: a table and an order of its rows. Cloned for nothing; gathers only when asked for memory.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_select::concat::concat;

use crate::error::{DataError, DataErrorKind};
use crate::gather::{Runs, gather};
use crate::order::RowOrder;
use crate::table::Table;

/// Rows gathered into one batch at the most, so that 32-bit string offsets hold for usual rows.
const GATHER_ROWS: usize = 65_536;

/// Some rows of a table, in some order.
#[derive(Clone, Debug)]
pub struct View {
    table: Arc<Table>,
    order: RowOrder,
}

impl View {
    /// All rows of a table.
    pub fn new(table: Arc<Table>) -> Self {
        let order = RowOrder::all(table.num_rows());
        Self { table, order }
    }

    /// The table behind.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Which rows of the table, in which order.
    pub fn order(&self) -> &RowOrder {
        &self.order
    }

    /// The same order over another table of as many rows.
    #[must_use]
    pub fn over(&self, table: Arc<Table>) -> Self {
        Self { table, order: self.order.clone() }
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.order.len()
    }

    /// Whether the rows are neighbours in the table.
    pub fn is_range(&self) -> bool {
        matches!(self.order, RowOrder::Range { .. })
    }

    /// The first row and the number of rows, where the rows are neighbours in the table.
    pub fn range(&self) -> Option<(usize, usize)> {
        match &self.order {
            RowOrder::Range { start, len } => Some((*start, *len)),
            RowOrder::Indices(_) => None,
        }
    }

    /// Whether these are all rows of the table, in its order.
    pub fn is_whole(&self) -> bool {
        self.order == RowOrder::all(self.table.num_rows())
    }

    /// Rows `start..start + len`.
    ///
    /// # Errors
    /// `OutOfBounds`.
    pub fn select_range(&self, start: usize, len: usize) -> Result<Self, DataError> {
        Ok(Self { table: self.table.clone(), order: self.order.select_range(start, len)? })
    }

    /// The rows at positions of this view.
    ///
    /// # Errors
    /// `OutOfBounds`.
    pub fn select_indices(&self, positions: &[u64]) -> Result<Self, DataError> {
        Ok(Self { table: self.table.clone(), order: self.order.select_indices(positions)? })
    }

    /// The same for numbers that can be kept.
    ///
    /// # Errors
    /// `OutOfBounds`.
    pub fn select_owned(&self, positions: Arc<Vec<u64>>) -> Result<Self, DataError> {
        Ok(Self { table: self.table.clone(), order: self.order.select_owned(positions)? })
    }

    /// The batch that holds the row at a position, and the row in it.
    ///
    /// # Errors
    /// `OutOfBounds`.
    #[inline]
    pub fn locate(&self, position: usize) -> Result<(usize, usize), DataError> {
        self.order.get(position).and_then(|row| self.table.locate(row)).ok_or_else(|| {
            DataError::new(DataErrorKind::OutOfBounds, format!("row {position} of {}", self.num_rows()))
        })
    }

    /// The positions around one that lie in the same batch, one after the other. None where the order is not a range,
    /// and past the end.
    pub fn part_around(&self, position: usize) -> Option<std::ops::Range<usize>> {
        let (first, len) = self.range()?;
        let (batch, _) = self.table.locate(self.order.get(position)?)?;
        let span = self.table.span(batch)?;
        Some(span.start.saturating_sub(first)..(span.end - first).min(len))
    }

    /// Whether positions `start..start + len` are one slice of one batch: memory that can be shared.
    pub fn is_one_slice(&self, start: usize, len: usize) -> bool {
        let RowOrder::Range { start: first, .. } = &self.order else {
            return false;
        };
        let end = (first + start + len).saturating_sub(1);
        len == 0
            || matches!((self.table.locate(first + start), self.table.locate(end)), (Some((a, _)), Some((b, _))) if a == b)
    }

    /// Whether positions `start..start + len` are slices of batches whose values were checked: no work to speak of.
    pub fn is_at_hand(&self, start: usize, len: usize) -> bool {
        let RowOrder::Range { start: first, .. } = &self.order else {
            return false;
        };
        let end = (first + start + len).saturating_sub(1);
        len == 0
            || matches!((self.table.locate(first + start), self.table.locate(end)), (Some((a, _)), Some((b, _)))
                if !(a..=b).any(|batch| self.table.is_waiting(batch)))
    }

    /// The rows as batches: slices of the table for a range, gathered for any other order.
    ///
    /// # Errors
    /// What Arrow says when a gathered batch grows too large.
    pub fn to_batches(&self) -> Result<Vec<RecordBatch>, DataError> {
        match &self.order {
            RowOrder::Range { start, len } => self.slices(*start, *len).collect(),
            RowOrder::Indices(rows) => {
                let mut batches = Vec::with_capacity(rows.len().div_ceil(GATHER_ROWS));
                for chunk in rows.chunks(GATHER_ROWS) {
                    self.gather(chunk, &mut batches)?;
                }
                Ok(batches)
            }
        }
    }

    /// The rows as batches, gathered one after the other where the order is not a range: bounded memory.
    pub fn iter_batches(&self) -> Box<dyn Iterator<Item = Result<RecordBatch, DataError>> + '_> {
        match &self.order {
            RowOrder::Range { start, len } => Box::new(self.slices(*start, *len)),
            RowOrder::Indices(rows) => Box::new(rows.chunks(GATHER_ROWS).flat_map(|chunk| {
                let mut batches = Vec::with_capacity(1);
                let end = self.gather(chunk, &mut batches).err();
                batches.into_iter().map(Ok).chain(end.map(Err))
            })),
        }
    }

    /// The rows of several views of equal columns, one after the other. Batches are shared; where an order is not a
    /// range, the row numbers are put together.
    ///
    /// # Errors
    /// `Schema` for no view, or columns that differ in name or type.
    pub fn concat(views: &[Self]) -> Result<Self, DataError> {
        if views.iter().all(Self::is_range) {
            let tables = views
                .iter()
                .map(|v| {
                    if v.is_whole() {
                        return Ok(v.table.clone()); // its values are not looked at
                    }
                    Ok(Arc::new(Table::try_new(v.table.schema(), v.to_batches()?)?))
                })
                .collect::<Result<Vec<_>, DataError>>()?;
            return Ok(Self::new(Arc::new(Table::concat(&tables)?)));
        }
        // Views of the same table share its batches.
        let mut tables: Vec<Arc<Table>> = Vec::new();
        let mut firsts: Vec<u64> = Vec::new();
        let mut next = 0_u64;
        let mut rows: Vec<u64> = Vec::with_capacity(views.iter().map(Self::num_rows).sum());
        for view in views {
            let known = tables.iter().position(|t| Arc::ptr_eq(t, &view.table));
            let first = if let Some(first) = known.and_then(|i| firsts.get(i).copied()) {
                first
            } else {
                tables.push(view.table.clone());
                firsts.push(next);
                next += view.table.num_rows() as u64;
                next - view.table.num_rows() as u64
            };
            match &view.order {
                RowOrder::Range { start, len } => {
                    rows.extend((*start as u64..(*start + *len) as u64).map(|r| r + first));
                }
                RowOrder::Indices(indices) => rows.extend(indices.iter().map(|r| r + first)),
            }
        }
        let whole = Self::new(Arc::new(Table::concat(&tables)?));
        whole.select_indices(&rows)
    }

    fn slices(&self, start: usize, len: usize) -> impl Iterator<Item = Result<RecordBatch, DataError>> + '_ {
        self.spans(start, len)
            .into_iter()
            .map(|(batch, skip, take)| Ok(self.table.batch(batch)?.slice(skip, take)))
    }

    /// The batches of neighbouring rows of the table: number, first row and number of rows of each.
    fn spans(&self, start: usize, len: usize) -> Vec<(usize, usize, usize)> {
        let mut spans = Vec::new();
        let (mut skip, mut left) = (start, len);
        for (number, batch) in self.table.unread().iter().enumerate() {
            if left == 0 {
                break;
            }
            if skip >= batch.num_rows() {
                skip -= batch.num_rows();
                continue;
            }
            let take = left.min(batch.num_rows() - skip);
            spans.push((number, skip, take));
            left -= take;
            skip = 0;
        }
        spans
    }

    /// The rows as one batch, or as several where strings or lists are too large for 32-bit offsets.
    fn gather(&self, rows: &[u64], out: &mut Vec<RecordBatch>) -> Result<(), DataError> {
        match self.gather_one(rows) {
            Err(e) if e.kind() == DataErrorKind::Limit && rows.len() > 1 => {
                let (first, second) = rows.split_at(rows.len() / 2);
                self.gather(first, out)?;
                self.gather(second, out)
            }
            batch => {
                out.push(batch?);
                Ok(())
            }
        }
    }

    fn gather_one(&self, rows: &[u64]) -> Result<RecordBatch, DataError> {
        let (used, runs) = self.runs(rows)?;
        let columns = (0..self.table.schema_ref().fields().len())
            .map(|c| self.gather_column(c, &used, &runs))
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(self.table.schema(), columns, &options)?)
    }

    /// The batches that hold the rows, and where in those batches they are.
    fn runs(&self, rows: &[u64]) -> Result<(Vec<usize>, Runs), DataError> {
        let mut runs = Runs::with_capacity(rows.len());
        for &row in rows {
            let (batch, row) = self
                .table
                .locate(row as usize)
                .ok_or_else(|| DataError::new(DataErrorKind::OutOfBounds, "a row number is past the end"))?;
            runs.push(batch, row, 1);
        }
        Ok(runs.of_used(self.table.num_batches()))
    }

    fn gather_column(&self, column: usize, used: &[usize], runs: &Runs) -> Result<ArrayRef, DataError> {
        let arrays = used
            .iter()
            .map(|&batch| Ok(self.table.column(batch, column)?.as_ref()))
            .collect::<Result<Vec<&dyn Array>, DataError>>()?;
        if arrays.is_empty() {
            return Ok(arrow_array::new_empty_array(self.table.schema_ref().field(column).data_type()));
        }
        gather(&arrays, runs)
    }

    /// Positions `start..start + len` of one column: a slice where the rows lie together, else a copy.
    ///
    /// # Errors
    /// `OutOfBounds`, or what Arrow says when the copy grows too large.
    pub fn column_array(&self, column: usize, start: usize, len: usize) -> Result<ArrayRef, DataError> {
        let schema = self.table.schema();
        if column >= schema.fields().len() {
            return Err(DataError::new(DataErrorKind::MissingColumn, format!("no column number {column}")));
        }
        let part = self.order.select_range(start, len)?;
        match &part {
            RowOrder::Indices(rows) => {
                let (used, runs) = self.runs(rows)?;
                self.gather_column(column, &used, &runs)
            }
            RowOrder::Range { start, len } => {
                let slices = self
                    .spans(*start, *len)
                    .into_iter()
                    .map(|(batch, skip, take)| Ok(self.table.column(batch, column)?.slice(skip, take)))
                    .collect::<Result<Vec<ArrayRef>, DataError>>()?;
                match slices.as_slice() {
                    [] => Ok(arrow_array::new_empty_array(schema.field(column).data_type())),
                    [one] => Ok(one.clone()),
                    many => Ok(concat(&many.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_schema::{DataType, Field, Schema};
    use proptest::prelude::*;

    use super::*;

    fn table(parts: &[usize]) -> Arc<Table> {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let mut next = 0_i64;
        let batches = parts
            .iter()
            .map(|&n| {
                let values: Int64Array = (next..next + n as i64).collect::<Vec<_>>().into();
                next += n as i64;
                RecordBatch::try_new(schema.clone(), vec![Arc::new(values)]).unwrap()
            })
            .collect();
        Arc::new(Table::try_new(schema, batches).unwrap())
    }

    proptest! {
        #[test]
        fn gathers_like_lists(parts in prop::collection::vec(0_usize..9, 1..5), picks in prop::collection::vec(0_u64..1000, 0..20)) {
            let view = View::new(table(&parts));
            let rows = view.num_rows() as u64;
            let picks: Vec<u64> = if rows == 0 { vec![] } else { picks.iter().map(|p| p % rows).collect() };
            let chosen = view.select_indices(&picks).unwrap();
            let got = chosen.column_array(0, 0, picks.len()).unwrap();
            let got: Vec<u64> = got.as_primitive::<Int64Type>().values().iter().map(|&v| v as u64).collect();
            prop_assert_eq!(&got, &picks);
            let batches = chosen.to_batches().unwrap();
            prop_assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), picks.len());
        }
    }

    #[test]
    fn parts_are_those_of_the_batches() {
        let view = View::new(table(&[3, 0, 4, 2])).select_range(2, 6).unwrap();
        let parts: Vec<_> = (0..7).map(|position| view.part_around(position)).collect();
        let expected = [0..1, 1..5, 1..5, 1..5, 1..5, 5..6];
        assert_eq!(parts.get(..6).unwrap(), expected.map(Some));
        assert_eq!(parts.last().unwrap(), &None);
        assert_eq!(view.select_indices(&[3, 1]).unwrap().part_around(0), None);
        assert!(view.is_at_hand(0, 6) && view.is_at_hand(0, 0));
    }

    #[test]
    fn concat_keeps_orders() {
        let first = View::new(table(&[3, 2]));
        let second = View::new(table(&[4]));
        let picked = second.select_indices(&[3, 0]).unwrap();
        let all = View::concat(&[first.select_range(1, 2).unwrap(), picked.clone(), first, picked]).unwrap();
        let column = all.column_array(0, 0, all.num_rows()).unwrap();
        assert_eq!(column.as_primitive::<Int64Type>().values(), &[1, 2, 3, 0, 0, 1, 2, 3, 4, 3, 0]);
        assert_eq!(all.table().num_rows(), 9);
        assert!(View::concat(&[]).is_err());
    }

    #[test]
    fn a_range_shares_memory() {
        let view = View::new(table(&[4, 4]));
        assert!(view.is_one_slice(1, 3) && !view.is_one_slice(1, 4));
        let column = view.column_array(0, 1, 3).unwrap();
        let whole =
            view.table().batches().unwrap()[0].column(0).as_primitive::<Int64Type>().values().as_ptr();
        assert_eq!(column.as_primitive::<Int64Type>().values().as_ptr(), whole.wrapping_add(1));
    }
}

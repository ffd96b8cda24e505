//! Columns of lists of numbers as memory: where each list ends, level by level, and the numbers of all of them.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer as ArrowBuffer;
use arrow_schema::DataType;
use pyo3::prelude::*;

use super::numeric;
use super::table::Table;
use crate::buffer::{Buffer, Dtype};
use crate::door;
use crate::errors::Error;

#[pymethods]
impl Table {
    /// Lists `start..stop` of a column of (nested) lists of numbers: for each level int64 offsets, which begin at 0, and
    /// the numbers. The numbers are a read-only view of the table where the rows lie together in one batch, else a
    /// writable copy. None for other columns, and where a list or number is null.
    fn lists(
        &self,
        py: Python<'_>,
        name: &str,
        start: usize,
        stop: usize,
    ) -> PyResult<Option<(Vec<Buffer>, Buffer)>> {
        let column = self.column_index(name)?;
        self.check(start, stop)?;
        let schema = self.view.table().schema();
        if !of_numbers(schema.field(column).data_type()) {
            return Ok(None);
        }
        let view = &self.view;
        door::run(py, |_| {
            let array = view.column_array(column, start, stop - start)?;
            Ok::<_, Error>(parts(array, !view.is_one_slice(start, stop - start)))
        })
    }
}

/// Whether a type is lists of numbers, at any depth.
fn of_numbers(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            numeric::dtype_of(item.data_type()).is_some() || of_numbers(item.data_type())
        }
        _ => false,
    }
}

fn parts(array: ArrayRef, fresh: bool) -> Option<(Vec<Buffer>, Buffer)> {
    let mut levels = Vec::new();
    let mut leaf = array; // nothing else may hold the memory that is handed out as writable
    while matches!(
        leaf.data_type(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _)
    ) {
        if leaf.null_count() > 0 {
            return None;
        }
        let (ends, items) = level(&leaf)?;
        levels.push(Buffer::owned(ArrowBuffer::from_vec(ends.clone()), Dtype::I64, &[ends.len()]));
        leaf = items;
    }
    Some((levels, numeric::values(leaf, fresh)?))
}

/// Where the lists end, counted from 0, and the items of these lists alone.
fn level(lists: &ArrayRef) -> Option<(Vec<i64>, ArrayRef)> {
    let (offsets, items): (Vec<i64>, &ArrayRef) = match lists.data_type() {
        DataType::List(_) => {
            let typed = lists.as_list::<i32>();
            (typed.value_offsets().iter().map(|&o| i64::from(o)).collect(), typed.values())
        }
        DataType::LargeList(_) => {
            let typed = lists.as_list::<i64>();
            (typed.value_offsets().to_vec(), typed.values())
        }
        _ => {
            let typed = lists.as_fixed_size_list();
            let size = i64::from(typed.value_length());
            ((0..=i64::try_from(typed.len()).ok()?).map(|i| i * size).collect(), typed.values())
        }
    };
    let (first, last) = (*offsets.first()?, *offsets.last()?);
    let part = items.slice(usize::try_from(first).ok()?, usize::try_from(last - first).ok()?);
    Some((offsets.into_iter().map(|o| o - first).collect(), part))
}

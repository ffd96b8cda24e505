//! The distinct values of a column of strings or integers: only those become Python objects.

use std::collections::HashSet;
use std::hash::Hash;

use ahash::RandomState;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, downcast_integer};
use arrow_schema::DataType;
use pyo3::prelude::*;

use super::table::Table;
use crate::door;
use crate::errors::Error;
use crate::objects::to_py::Getter;

/// Values that a set has place for from the start.
const MANY: usize = 1 << 16;

/// An array, and where each value appears first, null once.
struct Found(ArrayRef, Vec<usize>);

#[pymethods]
impl Table {
    /// The distinct values of a column of strings or integers, in order of first appearance, null once. None for another
    /// type.
    fn distinct<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Vec<Option<Bound<'py, PyAny>>>>> {
        let column = self.column_index(name)?;
        let kind = self.view.table().schema().field(column).data_type().clone();
        if !kind.is_integer() && !matches!(kind, DataType::Utf8 | DataType::LargeUtf8) {
            return Ok(None);
        }
        let view = &self.view;
        let Found(array, first) = door::run(py, |_| {
            let array = view.column_array(column, 0, view.num_rows())?;
            macro_rules! numbers {
                ($type:ty) => {
                    first_of(array.as_primitive::<$type>().iter())
                };
            }
            let first = downcast_integer! {
                array.data_type() => (numbers),
                DataType::Utf8 => first_of(array.as_string::<i32>().iter()),
                _ => first_of(array.as_string::<i64>().iter()),
            };
            Ok::<_, Error>(Found(array, first))
        })?;
        let values = Getter::new(py, &array)?;
        let made = |at| if array.is_valid(at) { values.get(py, at).map(Some) } else { Ok(None) };
        first.into_iter().map(made).collect::<PyResult<_>>().map(Some)
    }
}

fn first_of<T: Eq + Hash>(values: impl Iterator<Item = Option<T>>) -> Vec<usize> {
    let rows = values.size_hint().0.min(MANY);
    let mut seen = HashSet::with_capacity_and_hasher(rows, RandomState::new());
    values.enumerate().filter_map(|(at, value)| seen.insert(value).then_some(at)).collect()
}

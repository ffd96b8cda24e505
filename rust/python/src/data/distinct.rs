//! The distinct values of a column of strings: only those become Python objects.

use std::collections::HashSet;

use ahash::RandomState;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::table::Table;
use crate::door;
use crate::errors::Error;

/// Values that a set has place for from the start.
const MANY: usize = 1 << 16;

/// Strings in order of first appearance, null once.
struct Found(ArrayRef, Vec<usize>);

#[pymethods]
impl Table {
    /// The distinct values of a column of strings, in order of first appearance, null once. None for another type.
    fn distinct<'py>(
        &self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<Option<Vec<Option<Bound<'py, PyString>>>>> {
        let column = self.column_index(name)?;
        if !matches!(
            self.view.table().schema().field(column).data_type(),
            DataType::Utf8 | DataType::LargeUtf8
        ) {
            return Ok(None);
        }
        let view = &self.view;
        let Found(array, first) = door::run(py, |_| {
            let array = view.column_array(column, 0, view.num_rows())?;
            let first = match array.data_type() {
                DataType::Utf8 => first_of(array.as_string::<i32>().iter()),
                _ => first_of(array.as_string::<i64>().iter()),
            };
            Ok::<_, Error>(Found(array, first))
        })?;
        macro_rules! texts {
            ($array:expr) => {{
                let array = $array;
                first
                    .iter()
                    .map(|&at| array.is_valid(at).then(|| PyString::new(py, array.value(at))))
                    .collect()
            }};
        }
        Ok(Some(if let Some(array) = array.as_string_opt::<i32>() {
            texts!(array)
        } else {
            texts!(array.as_string::<i64>())
        }))
    }
}

fn first_of<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Vec<usize> {
    let rows = values.size_hint().0.min(MANY);
    let mut seen = HashSet::with_capacity_and_hasher(rows, RandomState::new());
    values.enumerate().filter_map(|(at, value)| seen.insert(value).then_some(at)).collect()
}

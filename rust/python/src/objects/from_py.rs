//! The object eater: rows or columns of Python objects to one record batch.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::ScalarBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, Schema};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::eater::{Eater, Refusal};
use super::numpy::{Hint, unpacked};
use crate::errors::Error;

/// Rows as dicts. The columns are the keys of the first row; keys that a row lacks are nulls, later new keys are
/// dropped (as `datasets.Dataset.from_list` does).
pub(crate) fn from_rows(rows: &Bound<'_, PyAny>) -> PyResult<RecordBatch> {
    let mut names: Vec<Bound<'_, PyString>> = Vec::new();
    let mut columns: Vec<Eater> = Vec::new();
    let mut count = 0;
    for (index, row) in rows.try_iter()?.enumerate() {
        let row = row?;
        let row = row
            .cast::<PyDict>()
            .map_err(|_| Error::schema(format!("row {index} is a {}, expected a dict", kind_of(&row))))?;
        if index == 0 {
            for key in row.keys() {
                let key = key
                    .cast_into::<PyString>()
                    .map_err(|_| Error::schema("a column name (key of row 0) is not a string".into()))?;
                names.push(key);
                columns.push(Eater::new());
            }
        }
        for (name, column) in names.iter().zip(&mut columns) {
            match row.get_item(name)? {
                Some(value) => column.push(&value).map_err(|r| refused(r, &name.to_string_lossy(), index))?,
                None => column.push_null(),
            }
        }
        count = index + 1;
    }
    let names = names.iter().map(|n| n.to_string_lossy().into_owned()).collect();
    let arrays = columns
        .into_iter()
        .map(|c| c.finish().map_err(|m| Error::schema(m).into()))
        .collect::<PyResult<Vec<_>>>()?;
    assemble(names, arrays, count)
}

/// Columns by name: lists, tuples, numpy arrays, or any iterable of values.
pub(crate) fn from_columns(columns: &Bound<'_, PyDict>) -> PyResult<RecordBatch> {
    let mut names = Vec::with_capacity(columns.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for (key, values) in columns.iter() {
        let name = key
            .cast::<PyString>()
            .map_err(|_| Error::schema(format!("a column name is a {}, expected a str", kind_of(&key))))?
            .to_string_lossy()
            .into_owned();
        let array = column(&name, &values)?;
        if let Some(first) = arrays.first()
            && first.len() != array.len()
        {
            let expected = first.len();
            let message =
                format!("column {name:?} has {} values, the columns before it {expected}", array.len());
            return Err(Error::schema(message).into());
        }
        names.push(name);
        arrays.push(array);
    }
    let rows = arrays.first().map_or(0, |a| a.len());
    assemble(names, arrays, rows)
}

fn column(name: &str, values: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    if let Some(array) = numpy_column(values)? {
        return Ok(array);
    }
    let mut eater = Eater::new();
    let (values, hint) = unpacked(values)?.unwrap_or_else(|| (values.clone(), Hint::Plain));
    if let Ok(list) = values.cast_exact::<PyList>() {
        for (row, value) in list.iter().enumerate() {
            eater.push_hinted(&value, hint).map_err(|r| refused(r, name, row))?;
        }
    } else {
        for (row, value) in values.try_iter()?.enumerate() {
            eater.push_hinted(&value?, hint).map_err(|r| refused(r, name, row))?;
        }
    }
    eater.finish().map_err(|m| Error::schema(format!("column {name:?}: {m}")).into())
}

/// A one-dimensional numeric numpy array, copied with its own width; `None` for anything else.
fn numpy_column(values: &Bound<'_, PyAny>) -> PyResult<Option<ArrayRef>> {
    if !values.hasattr("dtype")? || !values.hasattr("ndim")? {
        return Ok(None);
    }
    if values.getattr("ndim")?.extract::<usize>()? != 1 {
        return Ok(None);
    }
    let dtype = values.getattr("dtype")?;
    let (Ok(name), Ok(true)) = (dtype.getattr("name"), native_order(&dtype)) else {
        return Ok(None);
    };
    Ok(Some(match name.extract::<String>()?.as_str() {
        "int8" => copied::<Int8Type>(values)?,
        "int16" => copied::<Int16Type>(values)?,
        "int32" => copied::<Int32Type>(values)?,
        "int64" => copied::<Int64Type>(values)?,
        "uint8" => copied::<UInt8Type>(values)?,
        "uint16" => copied::<UInt16Type>(values)?,
        "uint32" => copied::<UInt32Type>(values)?,
        "uint64" => copied::<UInt64Type>(values)?,
        "float32" => copied::<Float32Type>(values)?,
        "float64" => copied::<Float64Type>(values)?,
        _ => return Ok(None),
    }))
}

fn native_order(dtype: &Bound<'_, PyAny>) -> PyResult<bool> {
    dtype.getattr("isnative")?.extract()
}

fn copied<T>(values: &Bound<'_, PyAny>) -> PyResult<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Element,
{
    let buffer = PyBuffer::<T::Native>::get(values)?;
    let copy = buffer.to_vec(values.py())?;
    Ok(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(copy), None)))
}

fn assemble(names: Vec<String>, arrays: Vec<ArrayRef>, rows: usize) -> PyResult<RecordBatch> {
    let arrays: Vec<ArrayRef> = names.iter().zip(arrays).map(|(n, a)| narrowed(n, a)).collect();
    let fields: Vec<Field> =
        names.into_iter().zip(&arrays).map(|(n, a)| Field::new(n, a.data_type().clone(), true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|e| Error::arrow(e).into())
}

/// Token columns are stored narrow, as `datasets` does by their names, unless a value does not fit.
fn narrowed(name: &str, array: ArrayRef) -> ArrayRef {
    let item = match name {
        "input_ids" => DataType::Int32,
        "attention_mask" | "token_type_ids" | "special_tokens_mask" => DataType::Int8,
        _ => return array,
    };
    let Some(target) = with_item(array.data_type(), &item, 2) else {
        return array;
    };
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&array, &target, &options).unwrap_or(array)
}

fn with_item(kind: &DataType, item: &DataType, depth: u8) -> Option<DataType> {
    match kind {
        DataType::Int64 => Some(item.clone()),
        DataType::List(field) if depth > 0 => {
            let inner = with_item(field.data_type(), item, depth - 1)?;
            Some(DataType::List(Arc::new(field.as_ref().clone().with_data_type(inner))))
        }
        _ => None,
    }
}

fn refused(refusal: Refusal, column: &str, row: usize) -> PyErr {
    match refusal {
        Refusal::Python(error) => error,
        Refusal::Type(message) => Error::schema_at(message, column, row).into(),
    }
}

fn kind_of(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "object".to_owned(), |n| n.to_string())
}

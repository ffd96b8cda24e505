//! Casts of columns onto features: structs by name, lists by their items, numbers only where nothing is lost.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Int64Array, LargeListArray, ListArray, RecordBatch,
    RecordBatchOptions, StructArray, new_null_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, Fields, Schema};
use serde_json::Value;

use super::said_features;
use crate::error::{DataError, DataErrorKind};

fn misfit(message: String) -> DataError {
    DataError::new(DataErrorKind::Schema, message)
}

/// The batch with the columns of `target`, in its order. A missing column is all null.
///
/// # Errors
/// `Schema` for a column that `target` lacks (both lists are named) or a value that does not fit its new type.
pub fn cast_batch(batch: &RecordBatch, target: &Schema) -> Result<RecordBatch, DataError> {
    let schema = batch.schema();
    if let Some(extra) = schema.fields().iter().find(|f| target.index_of(f.name()).is_err()) {
        let names = |s: &Schema| s.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        let message = format!(
            "column {:?} is not in the features: {:?} against {:?}",
            extra.name(),
            names(&schema),
            names(target)
        );
        return Err(misfit(message).with_column(extra.name()));
    }
    let said = said_features(target)?;
    let mut columns = Vec::with_capacity(target.fields().len());
    for field in target.fields() {
        let column = match batch.column_by_name(field.name()) {
            None => new_null_array(field.data_type(), batch.num_rows()),
            Some(array) => match class_names(said.get(field.name())) {
                Some(names) if is_text(array) => class_ids(array, &names),
                _ => cast_array(array, field.data_type()),
            }
            .map_err(|e| e.with_column(field.name()))?,
        };
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(target.clone()), columns, &options)?)
}

fn is_text(array: &ArrayRef) -> bool {
    matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn class_names(feature: Option<&Value>) -> Option<Vec<String>> {
    let feature = feature?;
    if feature.get("_type")? != "ClassLabel" {
        return None;
    }
    Some(feature.get("names")?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// Class names to their numbers; digits in range are accepted as they are.
fn class_ids(array: &ArrayRef, names: &[String]) -> Result<ArrayRef, DataError> {
    let texts = cast_with_options(array, &DataType::LargeUtf8, &CastOptions::default())?;
    let ids = texts.as_string::<i64>().iter().enumerate().map(|(row, text)| {
        let Some(text) = text else { return Ok(None) };
        names
            .iter()
            .position(|n| n == text || n == text.trim())
            .or_else(|| text.trim().parse::<usize>().ok().filter(|i| *i < names.len()))
            .map(|i| Some(i as i64))
            .ok_or_else(|| {
                misfit(format!("{text:?} is not one of the class names {names:?}")).with_row(row as u64)
            })
    });
    Ok(Arc::new(ids.collect::<Result<Int64Array, DataError>>()?))
}

/// One array cast to a type.
///
/// # Errors
/// `Schema` for a value that does not fit.
pub fn cast_array(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, DataError> {
    let source = array.data_type();
    if source == target {
        return Ok(array.clone());
    }
    if source == &DataType::Null {
        return Ok(new_null_array(target, array.len()));
    }
    match (source, target) {
        (DataType::Struct(_), DataType::Struct(fields)) => cast_struct(array.as_struct(), fields),
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = cast_array(list.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(
                item.clone(),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?))
        }
        (DataType::LargeList(_), DataType::LargeList(item)) => {
            let list = array.as_list::<i64>();
            let values = cast_array(list.values(), item.data_type())?;
            Ok(Arc::new(LargeListArray::try_new(
                item.clone(),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?))
        }
        (DataType::FixedSizeList(_, n), DataType::FixedSizeList(item, m)) if n == m => {
            let list = array.as_fixed_size_list();
            let values = cast_array(list.values(), item.data_type())?;
            Ok(Arc::new(FixedSizeListArray::try_new(item.clone(), *n, values, list.nulls().cloned())?))
        }
        (DataType::Utf8 | DataType::Binary, DataType::Struct(fields)) if is_media(fields) => {
            media(array, fields)
        }
        _ => cast_plain(array, target),
    }
}

fn cast_struct(array: &StructArray, fields: &Fields) -> Result<ArrayRef, DataError> {
    if let Some(extra) = array.fields().iter().find(|f| fields.iter().all(|t| t.name() != f.name())) {
        let names: Vec<_> = fields.iter().map(|f| f.name().as_str()).collect();
        return Err(misfit(format!("struct field {:?} is not among {names:?}", extra.name())));
    }
    let columns = fields
        .iter()
        .map(|f| match array.column_by_name(f.name()) {
            Some(column) => cast_array(column, f.data_type()),
            None => Ok(new_null_array(f.data_type(), array.len())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(StructArray::try_new_with_length(
        fields.clone(),
        columns,
        array.nulls().cloned(),
        array.len(),
    )?))
}

fn is_media(fields: &Fields) -> bool {
    fields.len() == 2 && fields.iter().map(|f| f.name().as_str()).eq(["bytes", "path"])
}

/// Bare bytes or paths as an image column stores them.
fn media(array: &ArrayRef, fields: &Fields) -> Result<ArrayRef, DataError> {
    let nothing = |f: &Arc<Field>| new_null_array(f.data_type(), array.len());
    let columns = fields
        .iter()
        .map(|f| if f.data_type() == array.data_type() { array.clone() } else { nothing(f) })
        .collect();
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, array.nulls().cloned())?))
}

fn cast_plain(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, DataError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let cast = cast_with_options(array, target, &options)
        .map_err(|e| misfit(format!("cannot cast {} to {target}: {e}", array.data_type())))?;
    if array.data_type().is_floating() && target.is_integer() {
        // Arrow cuts the fraction off; a value that had one does not fit.
        let back = cast_with_options(&cast, array.data_type(), &options)?;
        if back.as_ref() != array.as_ref() {
            return Err(misfit(format!(
                "a fraction would be lost casting {} to {target}",
                array.data_type()
            )));
        }
    }
    Ok(cast)
}

//! One schema for many chunks and files: types widen where nothing is lost.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};

use super::shown;
use crate::error::{DataError, DataErrorKind};
use crate::features::METADATA_KEY;

/// The schema that all files fit: columns by first appearance, the first file's features kept where there are any.
///
/// # Errors
/// `Schema` for types without a common one, naming the file and column.
pub fn schemas<'a>(files: impl Iterator<Item = (&'a Schema, &'a Path)>) -> Result<SchemaRef, DataError> {
    let mut fields: Vec<Field> = Vec::new();
    let mut metadata = None;
    for (schema, path) in files {
        metadata.get_or_insert_with(|| schema.metadata().get(METADATA_KEY).cloned());
        merge(&mut fields, schema.fields()).map_err(|e| e.with_path(shown(path)))?;
    }
    let metadata: HashMap<_, _> =
        metadata.flatten().map(|text| (METADATA_KEY.to_owned(), text)).into_iter().collect();
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

/// Widens `known` by `more`.
pub(crate) fn merge(known: &mut Vec<Field>, more: &Fields) -> Result<(), DataError> {
    // Made for the first name that is not at its place: a search for each of many names would take for ever.
    let mut places: Option<HashMap<String, usize>> = None;
    for (position, field) in more.iter().enumerate() {
        let place = match known.get(position) {
            Some(same) if same.name() == field.name() => Some(position),
            _ => {
                let names =
                    || known.iter().enumerate().rev().map(|(place, k)| (k.name().clone(), place)).collect();
                places.get_or_insert_with(names).get(field.name()).copied()
            }
        };
        match place.and_then(|p| known.get_mut(p)) {
            None => {
                if let Some(places) = &mut places {
                    places.insert(field.name().clone(), known.len());
                }
                known.push(field.as_ref().clone().with_nullable(true));
            }
            Some(old) => {
                let wide =
                    widened(old.data_type(), field.data_type()).map_err(|e| e.with_column(field.name()))?;
                *old = old.clone().with_data_type(wide).with_nullable(true);
            }
        }
    }
    Ok(())
}

/// The narrowest type that holds both without loss.
pub(crate) fn widened(a: &DataType, b: &DataType) -> Result<DataType, DataError> {
    use DataType::{
        FixedSizeList, Float64, Int64, LargeList, LargeUtf8, List, Null, Struct, Timestamp, Utf8,
    };
    Ok(match (a, b) {
        (a, b) if a == b => a.clone(),
        (Null, other) | (other, Null) => other.clone(),
        (Int64, Float64) | (Float64, Int64) => Float64,
        (Utf8, LargeUtf8) | (LargeUtf8, Utf8) => LargeUtf8,
        (Utf8, Timestamp(..)) | (Timestamp(..), Utf8) => Utf8,
        (List(a), List(b)) => List(item(a, b)?),
        (LargeList(a), LargeList(b)) => LargeList(item(a, b)?),
        (FixedSizeList(a, n), FixedSizeList(b, m)) if n == m => FixedSizeList(item(a, b)?, *n),
        (Struct(a), Struct(b)) => {
            let mut fields: Vec<Field> = a.iter().map(|f| f.as_ref().clone()).collect();
            merge(&mut fields, b)?;
            Struct(fields.into())
        }
        (a, b) if a.is_integer() && b.is_integer() => Int64,
        (a, b) if a.is_numeric() && b.is_numeric() => Float64,
        (a, b) => {
            let message = format!("types that have no common one: {a} and {b}");
            return Err(DataError::new(DataErrorKind::Schema, message));
        }
    })
}

fn item(a: &Field, b: &Field) -> Result<Arc<Field>, DataError> {
    Ok(Arc::new(a.clone().with_data_type(widened(a.data_type(), b.data_type())?).with_nullable(true)))
}

//! Columns as JSON text, one document a value.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeStringArray, RecordBatch, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_json::writer::{LineDelimited, WriterBuilder};
use arrow_schema::{DataType, Field, Schema};

use super::cast::misfit;
use crate::error::DataError;

/// How many texts are looked at to tell JSON from other texts, as in `datasets`.
const LOOKED_AT: usize = 5;

/// The JSON text of each value. Texts that are JSON already (the first few tell) stay as they are.
pub(super) fn to_json(array: &ArrayRef) -> Result<ArrayRef, DataError> {
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let seen = texts.iter().take(LOOKED_AT).flatten();
            if seen.into_iter().all(|t| serde_json::from_str::<serde::de::IgnoredAny>(t).is_ok()) {
                return Ok(array.clone());
            }
            let quoted = texts.iter().map(|t| t.map(|t| serde_json::Value::from(t).to_string()));
            Ok(Arc::new(quoted.collect::<StringArray>()))
        }
        DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => to_json(&super::cast_array(array, &DataType::Utf8)?),
        _ => written(array),
    }
}

fn written(array: &ArrayRef) -> Result<ArrayRef, DataError> {
    const OPEN: &str = "{\"v\":";
    let schema = Schema::new(vec![Field::new("v", array.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![array.clone()])?;
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
    writer.write(&batch)?;
    writer.finish()?;
    let lines =
        String::from_utf8(writer.into_inner()).map_err(|e| misfit(format!("JSON is no UTF-8: {e}")))?;
    let texts = lines.lines().enumerate().map(|(row, line)| {
        let text = line.strip_prefix(OPEN).and_then(|l| l.strip_suffix('}')).unwrap_or(line);
        array.is_valid(row).then_some(text)
    });
    let wide = texts.collect::<LargeStringArray>();
    let options = CastOptions { safe: false, ..CastOptions::default() };
    Ok(cast_with_options(&wide, &DataType::Utf8, &options)?)
}

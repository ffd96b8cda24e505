//! The Hub's features (`{"column": {"dtype": "string", "_type": "Value"}}`) and Arrow schemas, both ways, and casts.
//!
//! Features travel in the schema metadata of Arrow and Parquet files under `huggingface`, as
//! `{"info": {"features": {…}}}`.

use std::collections::HashMap;

use arrow_schema::Schema;
use serde_json::{Map, Value, json};

use crate::error::{DataError, DataErrorKind};

mod cast;
mod cast_json;
mod cast_plain;
mod extension;
mod from_json;
mod to_json;

pub use cast::{cast_array, cast_batch, cast_batch_within};
pub use extension::extended;
pub use from_json::{arrow_type, schema_from_features};
pub use to_json::feature_of;

/// Metadata key that the Hub's libraries use.
pub const METADATA_KEY: &str = "huggingface";

/// Features of a schema: what its metadata says where that agrees with the column's Arrow type, else what the type
/// says. In the order of the columns.
///
/// # Errors
/// `Decode` for metadata that is not JSON, `Unsupported` for an Arrow type without a feature.
pub fn features_json(schema: &Schema) -> Result<Value, DataError> {
    let said = said_features(schema)?;
    let mut features = Map::new();
    for field in schema.fields() {
        let by_type = || to_json::feature_of_field(field).map_err(|e| e.with_column(field.name()));
        let feature = match said.get(field.name()) {
            Some(said) => {
                let normal = from_json::normalise(said).map_err(|e| e.with_column(field.name()))?;
                let wanted = arrow_type(&normal).map_err(|e| e.with_column(field.name()))?;
                if same_type(&wanted, field.data_type()) { normal } else { by_type()? }
            }
            None => by_type()?,
        };
        features.insert(field.name().clone(), feature);
    }
    Ok(Value::Object(features))
}

fn said_features(schema: &Schema) -> Result<Map<String, Value>, DataError> {
    let Some(text) = schema.metadata().get(METADATA_KEY) else {
        return Ok(Map::new());
    };
    let value: Value = serde_json::from_str(text).map_err(|e| {
        DataError::new(DataErrorKind::Decode, format!("the {METADATA_KEY} metadata is not JSON: {e}"))
    })?;
    Ok(match value.pointer("/info/features") {
        Some(Value::Object(features)) => features.clone(),
        _ => Map::new(),
    })
}

/// Schema metadata that carries features.
pub fn metadata_of(features: &Value) -> HashMap<String, String> {
    let text = json!({ "info": { "features": features } }).to_string();
    HashMap::from([(METADATA_KEY.to_owned(), text)])
}

/// Metadata for a schema of some of the columns.
pub(crate) fn kept_metadata(schema: &Schema, names: &[String]) -> HashMap<String, String> {
    remade(schema, |said| names.iter().filter_map(|n| Some((n.clone(), said.get(n)?.clone()))).collect())
}

/// Metadata for the same columns under new names.
pub(crate) fn renamed_metadata(schema: &Schema, names: &[String]) -> HashMap<String, String> {
    let pairs: Vec<_> = schema.fields().iter().zip(names).collect();
    remade(schema, |said| {
        pairs.iter().filter_map(|(f, n)| Some(((*n).clone(), said.get(f.name())?.clone()))).collect()
    })
}

fn remade(
    schema: &Schema,
    make: impl FnOnce(&Map<String, Value>) -> Map<String, Value>,
) -> HashMap<String, String> {
    match said_features(schema) {
        Ok(said) if !said.is_empty() => metadata_of(&Value::Object(make(&said))),
        _ => HashMap::new(),
    }
}

/// Equality of types but for the names of list items and nullability, which Arrow leaves to the writer.
pub(crate) fn same_type(a: &arrow_schema::DataType, b: &arrow_schema::DataType) -> bool {
    use arrow_schema::DataType::{FixedSizeList, LargeList, List, Struct};
    match (a, b) {
        (List(a), List(b)) | (LargeList(a), LargeList(b)) => same_type(a.data_type(), b.data_type()),
        (FixedSizeList(a, n), FixedSizeList(b, m)) => n == m && same_type(a.data_type(), b.data_type()),
        (Struct(a), Struct(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.name() == b.name() && same_type(a.data_type(), b.data_type()))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use arrow_schema::{DataType, Field};

    use super::*;

    /// Documented forms: features JSON in, the same JSON out by way of an Arrow schema.
    #[test]
    fn json_round_trips() {
        for text in [
            r#"{"dtype":"string","_type":"Value"}"#,
            r#"{"names":["neg","pos"],"_type":"ClassLabel"}"#,
            r#"{"feature":{"dtype":"int64","_type":"Value"},"_type":"List"}"#,
            r#"{"feature":{"dtype":"float32","_type":"Value"},"length":3,"_type":"List"}"#,
            r#"{"feature":{"a":{"dtype":"int64","_type":"Value"}},"_type":"List"}"#,
            r#"{"feature":{"dtype":"string","_type":"Value"},"_type":"LargeList"}"#,
            r#"{"x":{"dtype":"bool","_type":"Value"}}"#,
            r#"{"_type":"Image"}"#,
            r#"{"mode":"RGB","decode":false,"_type":"Image"}"#,
            r#"{"sampling_rate":16000,"_type":"Audio"}"#,
            r#"{"languages":["en","fr"],"_type":"Translation"}"#,
            r#"{"dtype":"timestamp[us, tz=UTC]","_type":"Value"}"#,
            r#"{"dtype":"decimal128(10, 2)","_type":"Value"}"#,
        ] {
            let feature: Value = serde_json::from_str(text).unwrap();
            let features = json!({ "c": feature });
            let schema = schema_from_features(&features).unwrap();
            assert_eq!(features_json(&schema).unwrap(), features, "{text}");
        }
    }

    #[test]
    fn old_dialect_is_read() {
        let old = json!({
            "s": {"feature": {"a": {"dtype": "int64", "id": null, "_type": "Value"}}, "length": -1, "id": null, "_type": "Sequence"},
            "l": [{"a": {"dtype": "string", "_type": "Value"}}],
        });
        let schema = schema_from_features(&old).unwrap();
        let read = features_json(&schema).unwrap();
        let list = json!({"feature": {"dtype": "int64", "_type": "Value"}, "_type": "List"});
        assert_eq!(read.get("s").unwrap(), &json!({ "a": list }));
        assert_eq!(read.pointer("/l/_type").unwrap(), "List");
    }

    #[test]
    fn metadata_counts_only_where_the_type_agrees() {
        let features = json!({ "c": {"names": ["x"], "_type": "ClassLabel"} });
        let schema =
            Schema::new(vec![Field::new("c", DataType::Int32, true)]).with_metadata(metadata_of(&features));
        assert_eq!(features_json(&schema).unwrap(), json!({ "c": {"dtype": "int32", "_type": "Value"} }));
    }

    #[test]
    fn unknown_types_are_errors() {
        assert!(schema_from_features(&json!({ "c": {"_type": "Nonsense"} })).is_err());
        assert!(schema_from_features(&json!({ "c": {"dtype": "int", "_type": "Value"} })).is_err());
        assert!(schema_from_features(&json!(["c"])).is_err());
    }
}

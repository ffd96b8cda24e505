//! Extension types of Arrow: `arrow.json` for `Json`, those of `datasets` for `Array2D` to `Array5D`.
//!
//! Inside, columns have their storage types alone. Schemas that leave (Parquet, Arrow files, capsules) say the
//! extensions, since `datasets` believes the features of a file only where the Arrow types agree.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::extension::{EXTENSION_TYPE_METADATA_KEY, EXTENSION_TYPE_NAME_KEY};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use serde_json::{Value, json};

use super::{arrow_type, features_json, same_type};
use crate::error::DataError;

const JSON: &str = "arrow.json";
const ARRAYS: &str = "datasets.features.features.Array";

/// The schema with the extension types that its features stand for.
///
/// # Errors
/// As [`features_json`].
pub fn extended(schema: &Schema) -> Result<Schema, DataError> {
    let features = features_json(schema)?;
    let nothing = Value::Null;
    let fields: Vec<Field> =
        schema.fields().iter().map(|f| marked(f, features.get(f.name()).unwrap_or(&nothing))).collect();
    Ok(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn marked(field: &Field, feature: &Value) -> Field {
    let kind = feature.get("_type").and_then(Value::as_str).unwrap_or_default();
    if let Some((name, metadata)) = extension_of(kind, feature) {
        let says = [(EXTENSION_TYPE_NAME_KEY, name), (EXTENSION_TYPE_METADATA_KEY, metadata)];
        let says: HashMap<_, _> = says.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        return field.clone().with_metadata(says);
    }
    let part = |key: &str| feature.get(key).unwrap_or(&Value::Null);
    let inner = |item: &FieldRef| Arc::new(marked(item, part("feature")));
    let kind = match field.data_type() {
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::FixedSizeList(item, n) => DataType::FixedSizeList(inner(item), *n),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|f| marked(f, part(f.name()))).collect())
        }
        _ => return field.clone(),
    };
    field.clone().with_data_type(kind)
}

/// Name and serialised metadata of a feature's extension type.
fn extension_of(kind: &str, feature: &Value) -> Option<(String, String)> {
    match kind {
        "Json" => Some((JSON.to_owned(), String::new())),
        "Array2D" | "Array3D" | "Array4D" | "Array5D" => {
            // As Python's json.dumps writes the pair, blanks included.
            let sizes: Vec<String> =
                feature.get("shape")?.as_array()?.iter().map(ToString::to_string).collect();
            let dtype = feature.get("dtype")?;
            let metadata = format!("[[{}], {dtype}]", sizes.join(", "));
            Some((format!("datasets.features.features.{kind}ExtensionType"), metadata))
        }
        _ => None,
    }
}

/// The feature that a field's extension type stands for, if its storage is the one that goes with it.
pub(super) fn said_by(field: &Field) -> Option<Value> {
    let name = field.metadata().get(EXTENSION_TYPE_NAME_KEY)?;
    if name == JSON {
        return (field.data_type() == &DataType::Utf8).then(|| json!({"_type": "Json"}));
    }
    let kind = name.strip_prefix(ARRAYS)?.strip_suffix("ExtensionType")?;
    let said: Value = serde_json::from_str(field.metadata().get(EXTENSION_TYPE_METADATA_KEY)?).ok()?;
    let feature = json!({
        "shape": said.get(0)?.as_array()?,
        "dtype": said.get(1)?.as_str()?,
        "_type": format!("Array{kind}"),
    });
    let wanted = arrow_type(&feature).ok()?;
    same_type(&wanted, field.data_type()).then_some(feature)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::schema_from_features;
    use super::*;

    #[test]
    fn extensions_survive_without_the_features_beside_them() {
        let features = json!({
            "a": {"shape": [null, 3], "dtype": "int64", "_type": "Array2D"},
            "s": {"x": {"shape": [1, 2, 3], "dtype": "float32", "_type": "Array3D"}},
            "l": {"feature": {"_type": "Json"}, "_type": "List"},
        });
        let schema = extended(&schema_from_features(&features).unwrap()).unwrap();
        let bare = schema.with_metadata(HashMap::new());
        assert_eq!(features_json(&bare).unwrap(), features);
        let says = bare.field(0).metadata();
        assert_eq!(says[EXTENSION_TYPE_NAME_KEY], "datasets.features.features.Array2DExtensionType");
        assert_eq!(says[EXTENSION_TYPE_METADATA_KEY], "[[null, 3], \"int64\"]");
    }

    #[test]
    fn a_wrong_extension_is_not_believed() {
        let field = Field::new("a", DataType::Utf8, true).with_metadata(HashMap::from([
            (
                EXTENSION_TYPE_NAME_KEY.to_owned(),
                "datasets.features.features.Array2DExtensionType".to_owned(),
            ),
            (EXTENSION_TYPE_METADATA_KEY.to_owned(), "[[1, 2], \"int64\"]".to_owned()),
        ]));
        assert_eq!(said_by(&field), None);
    }
}

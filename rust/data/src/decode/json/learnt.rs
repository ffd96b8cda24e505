//! What windows of JSON files tell together: the types of all rows, which texts are dates, and which places must be JSON
//! text. A first reading learns it and a second one, by the plan it makes, writes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use super::mixed::{Keys, between};
use super::raw::{Path, Raw, Step};
use super::{dates, json_features};
use crate::decode::unify;
use crate::error::DataError;

/// How all rows are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(super) raw: Raw,
    /// Text columns in which every value is an ISO date.
    pub(super) iso: HashMap<String, bool>,
    fields: Fields,
}

impl Plan {
    /// Whether a window has JSON text where it was read as such, and nowhere else.
    pub(crate) fn foresaw(&self, told: &Told) -> bool {
        self.raw == told.raw
    }

    /// The table's schema.
    pub(crate) fn schema(&self) -> Result<SchemaRef, DataError> {
        let mut metadata = HashMap::new();
        if !self.raw.is_empty() {
            metadata = json_features(self.fields.clone(), &self.raw)?;
        }
        Ok(Arc::new(Schema::new_with_metadata(self.fields.clone(), metadata)))
    }
}

/// What one window tells.
pub(crate) struct Told {
    /// Places that must be JSON text.
    pub(super) raw: Raw,
    pub(super) iso: HashMap<String, bool>,
    /// Keys of objects in the head of the first file.
    pub(super) keys: Vec<(Path, Option<Vec<Box<str>>>)>,
    /// The columns of each file, before texts become dates.
    pub(super) files: Vec<Vec<Field>>,
}

impl Told {
    /// Whether nothing must become JSON text.
    pub(crate) fn is_plain(&self) -> bool {
        self.raw.is_empty()
    }
}

/// What all windows so far told.
pub(crate) struct Learnt {
    /// Whether values without a common type become JSON text; else they are an error.
    find: bool,
    raw: Raw,
    iso: HashMap<String, bool>,
    keys: Keys,
    fields: Vec<Field>,
}

impl Learnt {
    pub(crate) fn new(find: bool) -> Self {
        Self { find, raw: Raw::default(), iso: HashMap::new(), keys: Keys::default(), fields: Vec::new() }
    }

    /// Adds the next window; `names` are those of its files.
    ///
    /// # Errors
    /// `Schema` for types without a common one, with the file, if they do not become JSON text.
    pub(crate) fn add<'a>(
        &mut self,
        told: Told,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<(), DataError> {
        self.raw.absorb(&told.raw);
        if self.find {
            for path in self.keys.differing(told.keys.iter()) {
                self.raw.insert(&path);
            }
        }
        for (path, all) in told.iso {
            *self.iso.entry(path).or_insert(true) &= all;
        }
        for (fields, name) in told.files.into_iter().zip(names) {
            let mut fields: Fields = fields.into();
            if self.find {
                loop {
                    let known = as_text(&self.raw, &std::mem::take(&mut self.fields).into());
                    self.fields = known.iter().map(|f| f.as_ref().clone()).collect();
                    fields = as_text(&self.raw, &fields);
                    let mut found = Vec::new();
                    between(&self.fields, &fields, &mut Vec::new(), &mut found);
                    if found.iter().filter(|path| self.raw.insert(path)).count() == 0 {
                        break;
                    }
                }
            }
            unify::merge(&mut self.fields, &fields).map_err(|e| e.with_path(name))?;
        }
        Ok(())
    }

    /// How to read all rows.
    pub(crate) fn plan(self) -> Plan {
        let fields = as_text(&self.raw, &self.fields.into());
        let mut iso = self.iso;
        iso.retain(|_, all| *all);
        for place in self.raw.places() {
            let place = text_of(&place);
            let below = |path: &str| {
                path.strip_prefix(&place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            iso.retain(|path, _| !below(path));
        }
        let dated = |f: &FieldRef| {
            let path = format!(".{}", f.name());
            Field::new(f.name(), dates::converted(f.data_type(), &path, &iso), true)
        };
        let fields = fields.iter().map(dated).collect();
        Plan { raw: self.raw, iso, fields }
    }
}

/// A path as the maps of dates have it.
fn text_of(path: &[Step]) -> String {
    path.iter().fold(String::new(), |text, step| match step {
        Step::Key(key) => text + "." + key,
        Step::Items => text + "[]",
    })
}

/// The columns with JSON text where `raw` says so.
fn as_text(raw: &Raw, fields: &Fields) -> Fields {
    if raw.is_empty() {
        return fields.clone();
    }
    fields
        .iter()
        .map(|field| match raw.key(field.name()) {
            Some(below) => {
                Arc::new(field.as_ref().clone().with_data_type(kind_as_text(below, field.data_type())))
            }
            None => field.clone(),
        })
        .collect()
}

fn kind_as_text(raw: &Raw, kind: &DataType) -> DataType {
    if raw.whole() {
        return DataType::Utf8;
    }
    match (kind, raw.items()) {
        (DataType::Struct(fields), _) => DataType::Struct(as_text(raw, fields)),
        (DataType::List(item), Some(below)) => DataType::List(Arc::new(
            item.as_ref().clone().with_data_type(kind_as_text(below, item.data_type())),
        )),
        _ => kind.clone(),
    }
}

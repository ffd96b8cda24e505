//! Values of values: dicts and lists.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{Field, Fields};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::{Eaten, Eater, Refusal, State};
use crate::objects::numpy::Hint;

/// Deepest nesting that is eaten: a list that holds itself must not overflow the stack.
const MAX_DEPTH: usize = 100;

/// The fields of a dict, in the order in which they were first seen.
#[derive(Default)]
pub(super) struct StructEater {
    depth: usize,
    names: Vec<String>,
    index: HashMap<String, usize>,
    pub(super) fields: Vec<Eater>,
}

impl Eater {
    pub(super) fn push_struct(&mut self, map: &Bound<'_, PyDict>) -> Eaten {
        let depth = self.depth;
        if depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        let rows = self.valid.len();
        self.start(|_| State::Struct(StructEater { depth: depth + 1, ..StructEater::default() }));
        match &mut self.state {
            State::Struct(v) => {
                v.push(map, rows)?;
                self.valid.push(true);
                Ok(())
            }
            _ => Err(self.refuse("struct")),
        }
    }

    pub(super) fn push_list(&mut self, values: &Bound<'_, PyAny>, hint: Hint) -> Eaten {
        let depth = self.depth;
        if depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.start(|n| State::List { offsets: vec![0; n + 1], child: Box::new(Self::at(depth + 1)) });
        match &mut self.state {
            State::List { offsets, child } => {
                for value in values.try_iter()? {
                    child.push_hinted(&value?, hint)?;
                }
                let end = i32::try_from(child.len()).map_err(|_| {
                    Refusal::Type("more than 2^31 list items in one column; use several tables".into())
                })?;
                offsets.push(end);
                self.valid.push(true);
                Ok(())
            }
            _ => Err(self.refuse("list")),
        }
    }
}

impl StructEater {
    fn push(&mut self, map: &Bound<'_, PyDict>, rows: usize) -> Eaten {
        let mut seen = 0;
        for (position, (key, value)) in map.iter().enumerate() {
            let key = key
                .cast::<PyString>()
                .map_err(|_| Refusal::Type("a dict key is not a string".into()))?
                .to_str()?;
            // Rows mostly have the same keys in the same order: look at the same position first.
            let place = match self.names.get(position) {
                Some(name) if name == key => position,
                _ => self.place(key, rows),
            };
            if let Some(field) = self.fields.get_mut(place) {
                field.push(&value)?;
                seen += 1;
            }
        }
        if seen < self.fields.len() {
            for field in self.fields.iter_mut().filter(|f| f.len() <= rows) {
                field.push_null();
            }
        }
        Ok(())
    }

    fn place(&mut self, key: &str, rows: usize) -> usize {
        if self.index.len() < self.names.len() {
            self.index = self.names.iter().enumerate().map(|(i, n)| (n.clone(), i)).collect();
        }
        if let Some(&place) = self.index.get(key) {
            return place;
        }
        let mut field = Eater::at(self.depth);
        field.valid = vec![false; rows];
        self.index.insert(key.to_owned(), self.names.len());
        self.names.push(key.to_owned());
        self.fields.push(field);
        self.names.len() - 1
    }

    pub(super) fn finish(self, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, String> {
        let arrays = self.fields.into_iter().map(Eater::finish).collect::<Result<Vec<_>, _>>()?;
        let fields: Fields =
            self.names.iter().zip(&arrays).map(|(n, a)| Field::new(n, a.data_type().clone(), true)).collect();
        StructArray::try_new_with_length(fields, arrays, nulls, rows)
            .map(|a| Arc::new(a) as ArrayRef)
            .map_err(|e| e.to_string())
    }
}

fn too_deep() -> Refusal {
    Refusal::Type(format!("lists and dicts nested deeper than {MAX_DEPTH}"))
}

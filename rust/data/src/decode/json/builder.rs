//! Columns that learn their type from the values: null, then the first value's type, widening from integer to float.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, NullArray, StringArray, StructArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Field, Fields};

use super::dates;
use super::raw::{Path, Raw, Step};

/// A value that does not fit a column: what the column holds, and what came.
pub(super) struct Misfit {
    pub(super) holds: &'static str,
    pub(super) got: &'static str,
}

/// Longest path of a column that anything is learnt of: each column inside of a key repeats the key.
const LONGEST_PATH: usize = 4 << 10;

type Pushed = Result<(), Misfit>;

/// What is learnt of a chunk beside its arrays.
#[derive(Default)]
pub(super) struct Facts {
    /// For each string column, by its path, whether all its values are ISO dates.
    pub(super) iso: HashMap<String, bool>,
    /// The keys of each kind of nested object, sorted; `None` if its objects do not all have the same.
    pub(super) keys: Vec<(Path, Option<Vec<Box<str>>>)>,
    /// Where the walk over the columns is.
    steps: Path,
    text: String,
}

impl Facts {
    fn inside<T>(&mut self, step: Step, work: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.text.len();
        match &step {
            Step::Key(key) => {
                self.text.push('.');
                self.text.push_str(key);
            }
            Step::Items => self.text.push_str("[]"),
        }
        self.steps.push(step);
        let done = work(self);
        self.steps.pop();
        self.text.truncate(length);
        done
    }
}

/// Which values are there. Kept as a count until the first null.
#[derive(Default)]
struct Validity {
    len: usize,
    bits: Option<Vec<bool>>,
}

impl Validity {
    fn push(&mut self, valid: bool) {
        if let Some(bits) = &mut self.bits {
            bits.push(valid);
        } else if !valid {
            let mut bits = vec![true; self.len];
            bits.push(false);
            self.bits = Some(bits);
        }
        self.len += 1;
    }

    fn finish(self) -> Option<NullBuffer> {
        self.bits.map(|bits| NullBuffer::new(BooleanBuffer::from(bits)))
    }
}

pub(super) struct Builder {
    validity: Validity,
    state: State,
    raw: Option<Arc<Raw>>,
}

enum State {
    Null,
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Text {
        data: Vec<u8>,
        offsets: Vec<i32>,
    },
    /// Values of any types, as JSON text.
    Raw {
        data: Vec<u8>,
        offsets: Vec<i32>,
    },
    List {
        offsets: Vec<i32>,
        child: Box<Builder>,
    },
    Struct(StructBuilder),
}

#[derive(Default)]
pub(super) struct StructBuilder {
    pub(super) names: Vec<Box<str>>,
    pub(super) fields: Vec<Builder>,
    /// The row in which each field was last seen, plus one: finds keys that come twice.
    seen: Vec<usize>,
    index: HashMap<Box<str>, usize>,
    /// Objects so far, nulls not counted.
    objects: usize,
    /// Whether some objects lack keys that others have.
    ragged: bool,
    /// Nulls that new fields got for the rows before, since the last row ended.
    before: u64,
    raw: Option<Arc<Raw>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::nulls(0, None)
    }
}

impl Builder {
    fn nulls(len: usize, raw: Option<Arc<Raw>>) -> Self {
        let bits = (len > 0).then(|| vec![false; len]);
        let state = match &raw {
            Some(raw) if raw.whole() => State::Raw { data: Vec::new(), offsets: vec![0; len + 1] },
            _ => State::Null,
        };
        Self { validity: Validity { len, bits }, state, raw }
    }

    /// Whether values are kept as JSON text.
    #[inline]
    pub(super) fn is_raw(&self) -> bool {
        matches!(self.state, State::Raw { .. })
    }

    pub(super) fn push_raw(&mut self, json: &[u8]) {
        if let State::Raw { data, offsets } = &mut self.state {
            data.extend_from_slice(json);
            offsets.push(data.len() as i32);
            self.validity.push(true);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.validity.len
    }

    fn misfit(&self, got: &'static str) -> Misfit {
        Misfit { holds: self.state.name(), got }
    }

    /// Adds a null; returns how many values that are: those of an object's fields, too.
    pub(super) fn push_null(&mut self) -> u64 {
        self.validity.push(false);
        match &mut self.state {
            State::Null => {}
            State::Bool(v) => v.push(false),
            State::Int(v) => v.push(0),
            State::Float(v) => v.push(0.0),
            State::Text { offsets, .. } | State::Raw { offsets, .. } | State::List { offsets, .. } => {
                offsets.push(offsets.last().copied().unwrap_or(0));
            }
            State::Struct(v) => return 1 + v.fields.iter_mut().map(Self::push_null).sum::<u64>(),
        }
        1
    }

    pub(super) fn push_bool(&mut self, value: bool) -> Pushed {
        if matches!(self.state, State::Null) {
            self.state = State::Bool(vec![false; self.len()]);
        }
        match &mut self.state {
            State::Bool(v) => v.push(value),
            _ => return Err(self.misfit("a boolean")),
        }
        self.validity.push(true);
        Ok(())
    }

    pub(super) fn push_int(&mut self, value: i64) -> Pushed {
        if matches!(self.state, State::Null) {
            self.state = State::Int(vec![0; self.len()]);
        }
        match &mut self.state {
            State::Int(v) => v.push(value),
            State::Float(v) => v.push(value as f64),
            _ => return Err(self.misfit("a number")),
        }
        self.validity.push(true);
        Ok(())
    }

    pub(super) fn push_float(&mut self, value: f64) -> Pushed {
        match &mut self.state {
            State::Null => self.state = State::Float(vec![0.0; self.len()]),
            State::Int(v) => self.state = State::Float(v.iter().map(|&i| i as f64).collect()),
            _ => {}
        }
        match &mut self.state {
            State::Float(v) => v.push(value),
            _ => return Err(self.misfit("a number")),
        }
        self.validity.push(true);
        Ok(())
    }

    /// The bytes to append a string to; `end_text` follows.
    pub(super) fn text(&mut self) -> Result<&mut Vec<u8>, Misfit> {
        if matches!(self.state, State::Null) {
            self.state = State::Text { data: Vec::new(), offsets: vec![0; self.len() + 1] };
        }
        if !matches!(self.state, State::Text { .. }) {
            return Err(self.misfit("a string"));
        }
        match &mut self.state {
            State::Text { data, .. } => Ok(data),
            _ => Err(Misfit { holds: "other values", got: "a string" }),
        }
    }

    pub(super) fn end_text(&mut self) {
        if let State::Text { data, offsets } = &mut self.state {
            offsets.push(data.len() as i32);
            self.validity.push(true);
        }
    }

    /// The items of a list; `end_list` follows.
    pub(super) fn list(&mut self) -> Result<&mut Self, Misfit> {
        if matches!(self.state, State::Null) {
            let raw = self.raw.as_ref().and_then(|r| r.items()).cloned();
            let child = Box::new(Self::nulls(0, raw));
            self.state = State::List { offsets: vec![0; self.len() + 1], child };
        }
        if !matches!(self.state, State::List { .. }) {
            return Err(self.misfit("a list"));
        }
        match &mut self.state {
            State::List { child, .. } => Ok(child),
            _ => Err(Misfit { holds: "other values", got: "a list" }),
        }
    }

    pub(super) fn end_list(&mut self) {
        if let State::List { offsets, child } = &mut self.state {
            offsets.push(child.len() as i32);
            self.validity.push(true);
        }
    }

    /// The fields of a struct, and the number of structs before it; `end_struct` follows.
    pub(super) fn structure(&mut self) -> Result<(&mut StructBuilder, usize), Misfit> {
        let rows = self.len();
        if matches!(self.state, State::Null) {
            self.state = State::Struct(StructBuilder::new(self.raw.clone()));
        }
        if !matches!(self.state, State::Struct(_)) {
            return Err(self.misfit("an object"));
        }
        match &mut self.state {
            State::Struct(v) => Ok((v, rows)),
            _ => Err(Misfit { holds: "other values", got: "an object" }),
        }
    }

    pub(super) fn end_struct(&mut self) {
        self.validity.push(true);
    }

    /// The array; what is learnt beside it goes to `facts`.
    fn finish(self, facts: &mut Facts) -> Result<ArrayRef, ArrowError> {
        let rows = self.len();
        let nulls = self.validity.finish();
        let texts = |data: Vec<u8>, offsets: Vec<i32>, nulls| {
            StringArray::try_new(OffsetBuffer::new(offsets.into()), Buffer::from_vec(data), nulls)
        };
        Ok(match self.state {
            State::Null => Arc::new(NullArray::new(rows)),
            State::Bool(v) => Arc::new(BooleanArray::new(BooleanBuffer::from(v), nulls)),
            State::Int(v) => Arc::new(Int64Array::try_new(ScalarBuffer::from(v), nulls)?),
            State::Float(v) => Arc::new(Float64Array::try_new(ScalarBuffer::from(v), nulls)?),
            State::Text { data, offsets } => {
                let array = texts(data, offsets, nulls)?;
                if facts.text.len() <= LONGEST_PATH {
                    facts.iso.insert(facts.text.clone(), dates::all_dates(&array));
                }
                Arc::new(array)
            }
            State::Raw { data, offsets } => Arc::new(texts(data, offsets, nulls)?),
            State::List { offsets, child } => {
                let child = facts.inside(Step::Items, |facts| child.finish(facts))?;
                let field = Arc::new(Field::new("item", child.data_type().clone(), true));
                Arc::new(ListArray::try_new(field, OffsetBuffer::new(offsets.into()), child, nulls)?)
            }
            State::Struct(v) => {
                if v.objects > 0 && facts.text.len() <= LONGEST_PATH {
                    let keys = (!v.ragged).then(|| {
                        let mut keys = v.names.clone();
                        keys.sort_unstable();
                        keys
                    });
                    facts.keys.push((facts.steps.clone(), keys));
                }
                let (fields, arrays) = v.finish(facts)?;
                Arc::new(StructArray::try_new_with_length(fields, arrays, nulls, rows)?)
            }
        })
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Null => "nulls",
            Self::Bool(_) => "booleans",
            Self::Int(_) | Self::Float(_) => "numbers",
            Self::Text { .. } => "strings",
            Self::Raw { .. } => "JSON text",
            Self::List { .. } => "lists",
            Self::Struct(_) => "objects",
        }
    }
}

impl StructBuilder {
    /// No fields yet; `raw` says which will be kept as JSON text.
    pub(super) fn new(raw: Option<Arc<Raw>>) -> Self {
        Self { raw, ..Self::default() }
    }

    /// The field of a key: the one predicted by position, or looked up, or new (null in all `rows` before).
    /// `None` if the key was seen in this row already.
    #[inline]
    pub(super) fn field(&mut self, position: usize, key: &str, rows: usize) -> Option<&mut Builder> {
        let place = match self.names.get(position) {
            Some(name) if name.as_ref() == key => position,
            _ => self.place(key, rows),
        };
        let seen = self.seen.get_mut(place)?;
        if *seen == rows + 1 {
            return None;
        }
        *seen = rows + 1;
        self.fields.get_mut(place)
    }

    fn place(&mut self, key: &str, rows: usize) -> usize {
        if let Some(&place) = self.index.get(key) {
            return place;
        }
        let place = self.names.len();
        self.before = self.before.saturating_add(rows as u64);
        self.ragged |= self.objects > 0;
        let raw = self.raw.as_ref().and_then(|r| r.key(key)).cloned();
        self.index.insert(key.into(), place);
        self.names.push(key.into());
        self.fields.push(Builder::nulls(rows, raw));
        self.seen.push(0);
        place
    }

    /// Nulls for the fields that a row of `count` keys did not have. Returns how many they are, with those that new
    /// fields got for earlier rows.
    #[inline]
    pub(super) fn end_row(&mut self, count: usize, rows: usize) -> u64 {
        self.objects += 1;
        let mut nulls = std::mem::take(&mut self.before);
        if count < self.fields.len() {
            self.ragged = true;
            for field in self.fields.iter_mut().filter(|f| f.len() <= rows) {
                nulls = nulls.saturating_add(field.push_null());
            }
        }
        nulls
    }

    pub(super) fn finish(self, facts: &mut Facts) -> Result<(Fields, Vec<ArrayRef>), ArrowError> {
        let mut arrays = Vec::with_capacity(self.fields.len());
        for (name, field) in self.names.iter().zip(self.fields) {
            arrays.push(facts.inside(Step::Key(name.clone()), |facts| field.finish(facts))?);
        }
        let fields = self
            .names
            .iter()
            .zip(&arrays)
            .map(|(n, a)| Field::new(n.as_ref(), a.data_type().clone(), true))
            .collect();
        Ok((fields, arrays))
    }
}

//! Columns that learn their type from the values: null, then the first value's type, widening from integer to float.
//!
//! What a row lacks is not written when the row ends: a column is filled with nulls when its next value comes or at the
//! end, and those before its first value are only a number until then. Many keys in few bytes then take no time for each
//! row and no memory before they are counted.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, NullArray, StringArray, StructArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Field, Fields};

use super::dates;
use super::raw::{Path, Raw, Step};
use super::strings::written;

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
    fn push_nulls(&mut self, count: usize) {
        let bits = self.bits.get_or_insert_with(|| vec![true; self.len]);
        self.len += count;
        bits.resize(self.len, false);
    }

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

    /// With `lead` nulls in front.
    fn finish(self, lead: usize) -> Option<NullBuffer> {
        let mut bits = match self.bits {
            Some(bits) => bits,
            None if lead > 0 => vec![true; self.len],
            None => return None,
        };
        put_before(&mut bits, lead, &false);
        Some(NullBuffer::new(BooleanBuffer::from(bits)))
    }
}

fn put_before<T: Clone>(values: &mut Vec<T>, count: usize, value: &T) {
    if count > 0 {
        values.splice(0..0, std::iter::repeat_n(value.clone(), count));
    }
}

#[derive(Default)]
pub(super) struct Builder {
    /// Nulls before the first value. The state has no place for them before the end, but for the fields of objects.
    lead: usize,
    validity: Validity,
    state: State,
    raw: Option<Arc<Raw>>,
}

#[derive(Default)]
enum State {
    #[default]
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

/// A field of an object that is being read.
pub(super) enum Found<'a> {
    /// It has a value for each row before.
    There(&'a mut Builder),
    /// It lacks so many, to be written with `push_nulls`.
    Behind(&'a mut Builder, usize),
    /// The key came in this row already.
    Twice,
}

#[derive(Default)]
pub(super) struct StructBuilder {
    names: Vec<Box<str>>,
    /// The names as keys of the text.
    written: Vec<Box<[u8]>>,
    pub(super) fields: Vec<Builder>,
    /// The row in which each field was last seen, plus one: finds keys that come twice.
    seen: Vec<usize>,
    index: HashMap<Box<str>, usize>,
    /// Objects so far, nulls not counted.
    objects: usize,
    /// Whether some objects lack keys that others have.
    ragged: bool,
    raw: Option<Arc<Raw>>,
}

impl Builder {
    fn new(raw: Option<Arc<Raw>>) -> Self {
        let state = match &raw {
            Some(raw) if raw.whole() => State::Raw { data: Vec::new(), offsets: vec![0] },
            _ => State::Null,
        };
        Self { state, raw, ..Self::default() }
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
        self.lead + self.validity.len
    }

    fn misfit(&self, got: &'static str) -> Misfit {
        Misfit { holds: self.state.name(), got }
    }

    pub(super) fn push_null(&mut self) {
        self.push_nulls(1);
    }

    /// Adds nulls for rows that lack the key.
    pub(super) fn push_nulls(&mut self, count: usize) {
        if self.validity.len == 0 {
            self.lead += count;
            return;
        }
        self.validity.push_nulls(count);
        let rows = self.validity.len;
        match &mut self.state {
            State::Null | State::Struct(_) => {}
            State::Bool(v) => v.resize(rows, false),
            State::Int(v) => v.resize(rows, 0),
            State::Float(v) => v.resize(rows, 0.0),
            State::Text { offsets, .. } | State::Raw { offsets, .. } | State::List { offsets, .. } => {
                offsets.resize(rows + 1, offsets.last().copied().unwrap_or(0));
            }
        }
    }

    /// The nulls that are not written yet if there are `rows` rows, here and inside.
    fn owed(&self, rows: usize) -> u64 {
        let inside = match &self.state {
            State::Struct(v) => v.owed(rows),
            State::List { child, .. } => child.owed(child.len()),
            _ => 0,
        };
        inside.saturating_add(rows.saturating_sub(self.len()) as u64)
    }

    pub(super) fn push_bool(&mut self, value: bool) -> Pushed {
        if matches!(self.state, State::Null) {
            self.state = State::Bool(Vec::new());
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
            self.state = State::Int(Vec::new());
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
            State::Null => self.state = State::Float(Vec::new()),
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
            self.state = State::Text { data: Vec::new(), offsets: vec![0] };
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
            self.state = State::List { offsets: vec![0], child: Box::new(Self::new(raw)) };
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

    /// The array of `rows` values; what is learnt beside it goes to `facts`.
    fn finish(mut self, rows: usize, facts: &mut Facts) -> Result<ArrayRef, ArrowError> {
        self.push_nulls(rows.saturating_sub(self.len()));
        let lead = self.lead;
        let nulls = self.validity.finish(lead);
        let texts = |data: Vec<u8>, offsets: Vec<i32>, nulls| {
            StringArray::try_new(OffsetBuffer::new(offsets.into()), Buffer::from_vec(data), nulls)
        };
        Ok(match self.state {
            State::Null => Arc::new(NullArray::new(rows)),
            State::Bool(mut v) => {
                put_before(&mut v, lead, &false);
                Arc::new(BooleanArray::new(BooleanBuffer::from(v), nulls))
            }
            State::Int(mut v) => {
                put_before(&mut v, lead, &0);
                Arc::new(Int64Array::try_new(ScalarBuffer::from(v), nulls)?)
            }
            State::Float(mut v) => {
                put_before(&mut v, lead, &0.0);
                Arc::new(Float64Array::try_new(ScalarBuffer::from(v), nulls)?)
            }
            State::Text { data, mut offsets } => {
                put_before(&mut offsets, lead, &0);
                let array = texts(data, offsets, nulls)?;
                if facts.text.len() <= LONGEST_PATH {
                    facts.iso.insert(facts.text.clone(), dates::all_dates(&array));
                }
                Arc::new(array)
            }
            State::Raw { data, mut offsets } => {
                put_before(&mut offsets, lead, &0);
                Arc::new(texts(data, offsets, nulls)?)
            }
            State::List { mut offsets, child } => {
                put_before(&mut offsets, lead, &0);
                let items = child.len();
                let child = facts.inside(Step::Items, |facts| child.finish(items, facts))?;
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
                let (fields, arrays) = v.finish(rows, facts)?;
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

    /// What the key at a position of an object most likely is in the text; empty where nothing is known.
    #[inline]
    pub(super) fn written(&self, position: usize) -> &[u8] {
        self.written.get(position).map_or(&[], |key| &**key)
    }

    pub(super) fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", |name| &**name)
    }

    /// Which field a key is of: the one predicted by position, or looked up, or new.
    #[inline]
    pub(super) fn place_of(&mut self, position: usize, key: &str) -> usize {
        match self.names.get(position) {
            Some(name) if name.as_ref() == key => position,
            _ => self.place(key),
        }
    }

    /// A field; the next value is that of row `rows`.
    #[inline]
    pub(super) fn field(&mut self, place: usize, rows: usize) -> Found<'_> {
        let (Some(seen), Some(field)) = (self.seen.get_mut(place), self.fields.get_mut(place)) else {
            return Found::Twice;
        };
        if *seen == rows + 1 {
            return Found::Twice;
        }
        *seen = rows + 1;
        match rows.saturating_sub(field.len()) {
            0 => Found::There(field),
            behind => Found::Behind(field, behind),
        }
    }

    fn place(&mut self, key: &str) -> usize {
        if let Some(&place) = self.index.get(key) {
            return place;
        }
        let place = self.names.len();
        self.ragged |= self.objects > 0;
        let raw = self.raw.as_ref().and_then(|r| r.key(key)).cloned();
        self.index.insert(key.into(), place);
        self.names.push(key.into());
        self.written.push(written(key));
        self.fields.push(Builder::new(raw));
        self.seen.push(0);
        place
    }

    /// Ends a row of `count` keys.
    #[inline]
    pub(super) fn end_row(&mut self, count: usize) {
        self.objects += 1;
        self.ragged |= count < self.fields.len();
    }

    /// The nulls that are not written yet if there are `rows` rows.
    pub(super) fn owed(&self, rows: usize) -> u64 {
        self.fields.iter().map(|field| field.owed(rows)).fold(0, u64::saturating_add)
    }

    /// The columns of `rows` rows.
    pub(super) fn finish(
        self,
        rows: usize,
        facts: &mut Facts,
    ) -> Result<(Fields, Vec<ArrayRef>), ArrowError> {
        let mut arrays = Vec::with_capacity(self.fields.len());
        for (name, field) in self.names.iter().zip(self.fields) {
            arrays.push(facts.inside(Step::Key(name.clone()), |facts| field.finish(rows, facts))?);
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

//! The object eater's builders: they learn a column's type from its values and widen as they go.
//!
//! Nothing is inferred twice: a builder starts as `Null`, becomes the type of the first value, and widens only from
//! integer to float (and from null to anything). Values that fit no common type are an error that names both.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Float64Array, Int64Array, LargeBinaryArray,
    LargeStringArray, ListArray, NullArray, StringArray, StructArray, Time64MicrosecondArray, UInt64Array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView, PySet, PyString,
    PyTuple,
};

use super::numpy::{Hint, Width, unpacked};
use super::ticks::{Ticks, decimals, narrowed_to};

/// Why a value could not be eaten: a sentence without the place, which the caller knows.
pub(crate) enum Refusal {
    Type(String),
    Python(PyErr),
}

impl From<PyErr> for Refusal {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

type Eaten = Result<(), Refusal>;

/// A growing column.
pub(crate) struct Eater {
    valid: Vec<bool>,
    state: State,
    depth: usize,
    numbers: Numbers,
}

/// Where the numbers of a column came from: only those of numpy have a width of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    None,
    Numpy(Width),
    Plain,
}

/// Deepest nesting that is eaten: a list that holds itself must not overflow the stack.
const MAX_DEPTH: usize = 100;

enum State {
    Null,
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Text(Bytes),
    Binary(Bytes),
    List { offsets: Vec<i32>, child: Box<Eater> },
    Struct(StructEater),
    UInt(Vec<u64>),
    Date(Vec<i32>),
    Timestamp { ticks: Ticks, zone: Option<String> },
    Duration(Ticks),
    Time(Vec<i64>),
    Decimal(Vec<Option<String>>),
}

#[derive(Default)]
struct Bytes {
    data: Vec<u8>,
    ends: Vec<usize>,
}

#[derive(Default)]
struct StructEater {
    depth: usize,
    names: Vec<String>,
    index: HashMap<String, usize>,
    fields: Vec<Eater>,
}

impl Bytes {
    fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.ends.push(self.data.len());
    }

    /// i32 offsets where they reach, else i64.
    fn finish(self) -> (Buffer, Result<OffsetBuffer<i32>, OffsetBuffer<i64>>) {
        let offsets = std::iter::once(0).chain(self.ends);
        let narrow = i32::try_from(self.data.len()).is_ok();
        let data = Buffer::from_vec(self.data);
        if narrow {
            (data, Ok(OffsetBuffer::new(offsets.map(|o| o as i32).collect::<Vec<_>>().into())))
        } else {
            (data, Err(OffsetBuffer::new(offsets.map(|o| o as i64).collect::<Vec<_>>().into())))
        }
    }
}

impl Eater {
    /// An empty column of unknown type.
    pub(crate) fn new() -> Self {
        Self::at(0)
    }

    fn at(depth: usize) -> Self {
        Self { valid: Vec::new(), state: State::Null, depth, numbers: Numbers::None }
    }

    /// Values so far.
    pub(crate) fn len(&self) -> usize {
        self.valid.len()
    }

    /// Adds a null.
    pub(crate) fn push_null(&mut self) {
        self.valid.push(false);
        match &mut self.state {
            State::Null => {}
            State::Bool(v) => v.push(false),
            State::Int(v) | State::Time(v) => v.push(0),
            State::Duration(t) | State::Timestamp { ticks: t, .. } => t.values.push(0),
            State::UInt(v) => v.push(0),
            State::Float(v) => v.push(0.0),
            State::Text(v) | State::Binary(v) => v.push(&[]),
            State::List { offsets, .. } => offsets.push(offsets.last().copied().unwrap_or(0)),
            State::Struct(v) => v.fields.iter_mut().for_each(Self::push_null),
            State::Date(v) => v.push(0),
            State::Decimal(v) => v.push(None),
        }
    }

    /// Adds a Python value, widening the column's type where that loses nothing.
    pub(crate) fn push(&mut self, value: &Bound<'_, PyAny>) -> Eaten {
        self.push_hinted(value, Hint::Plain)
    }

    /// As `push`, for a value that came out of an array.
    pub(crate) fn push_hinted(&mut self, value: &Bound<'_, PyAny>, hint: Hint) -> Eaten {
        if value.is_none() {
            self.push_null();
            return Ok(());
        }
        if let Ok(text) = value.cast::<PyString>() {
            return self.push_text(text);
        }
        if let Ok(flag) = value.cast::<PyBool>() {
            let flag = flag.is_true();
            self.start(|n| State::Bool(vec![false; n]));
            return match &mut self.state {
                State::Bool(v) => push_to(v, &mut self.valid, flag),
                State::Float(v) => push_to(v, &mut self.valid, f64::from(u8::from(flag))),
                _ => Err(self.refuse("bool")),
            };
        }
        if value.is_exact_instance_of::<PyInt>() {
            return match hint {
                Hint::Plain | Hint::Number(_) => self.push_int(value, hint),
                _ => self.push_ticks(value.extract()?, hint),
            };
        }
        if let Ok(number) = value.cast::<PyFloat>() {
            self.seen(hint)?;
            return self.push_float(number.value());
        }
        if let Ok(map) = value.cast::<PyDict>() {
            return self.push_struct(map);
        }
        if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            return self.push_list(value, hint);
        }
        self.push_other(value)
    }

    /// Notes where a number comes from.
    fn seen(&mut self, hint: Hint) -> Eaten {
        self.numbers = match (self.numbers, hint) {
            (Numbers::None, Hint::Number(width)) => Numbers::Numpy(width),
            (Numbers::Numpy(seen), Hint::Number(width)) => match seen.with(width) {
                Some(both) => Numbers::Numpy(both),
                None => {
                    return Err(Refusal::Type(format!(
                        "Cannot mix NumPy dtypes {} and {}",
                        seen.data_type().to_string().to_lowercase(),
                        width.data_type().to_string().to_lowercase()
                    )));
                }
            },
            _ => Numbers::Plain,
        };
        Ok(())
    }

    /// Moves from `Null` to the state of a first value, keeping the nulls seen so far.
    fn start(&mut self, first: impl FnOnce(usize) -> State) {
        if matches!(self.state, State::Null) {
            self.state = first(self.valid.len());
        }
    }

    fn push_text(&mut self, text: &Bound<'_, PyString>) -> Eaten {
        let text = text.to_str().map_err(|e| {
            Refusal::Type(format!("the text holds a lone surrogate and cannot be stored as UTF-8 ({e})"))
        })?;
        self.start(|n| State::Text(Bytes { data: vec![], ends: vec![0; n] }));
        match &mut self.state {
            State::Text(v) => {
                v.push(text.as_bytes());
                self.valid.push(true);
                Ok(())
            }
            State::Binary(v) => {
                v.push(text.as_bytes());
                self.valid.push(true);
                Ok(())
            }
            _ => Err(self.refuse("string")),
        }
    }

    fn push_int(&mut self, value: &Bound<'_, PyAny>, hint: Hint) -> Eaten {
        self.seen(hint)?;
        match &mut self.state {
            State::Float(_) => {
                let number: i64 = value.extract().map_err(|_| too_large())?;
                if number.unsigned_abs() > EXACT {
                    return Err(inexact(number));
                }
                return self.push_float(number as f64);
            }
            State::Decimal(v) => return push_to(v, &mut self.valid, Some(value.str()?.to_string())),
            State::UInt(v) => {
                let number: u64 = value.extract().map_err(|_| too_large())?;
                return push_to(v, &mut self.valid, number);
            }
            State::Null if hint == Hint::Number(Width::U64) => {
                let number: u64 = value.extract()?;
                let mut values = vec![0; self.valid.len()];
                values.push(number);
                self.state = State::UInt(values);
                self.valid.push(true);
                return Ok(());
            }
            _ => {}
        }
        let number: i64 = value.extract().map_err(|_| too_large())?;
        self.start(|n| State::Int(vec![0; n]));
        match &mut self.state {
            State::Int(v) => push_to(v, &mut self.valid, number),
            _ => Err(self.refuse("int64")),
        }
    }

    fn push_float(&mut self, number: f64) -> Eaten {
        if let State::Int(v) = &self.state {
            if let Some(large) = v.iter().find(|i| i.unsigned_abs() > EXACT) {
                return Err(inexact(*large));
            }
            self.state = State::Float(v.iter().map(|&i| i as f64).collect());
        }
        self.start(|n| State::Float(vec![0.0; n]));
        match &mut self.state {
            State::Float(v) => push_to(v, &mut self.valid, number),
            _ => Err(self.refuse("float64")),
        }
    }

    fn push_struct(&mut self, map: &Bound<'_, PyDict>) -> Eaten {
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

    fn push_list(&mut self, values: &Bound<'_, PyAny>, hint: Hint) -> Eaten {
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

    /// The rarer types: by name, since the stable ABI has no checks for them.
    fn push_other(&mut self, value: &Bound<'_, PyAny>) -> Eaten {
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return self.push_bytes(bytes.as_bytes());
        }
        if value.is_instance_of::<PyByteArray>() || value.is_instance_of::<PyMemoryView>() {
            let bytes = value.call_method0(if value.hasattr("tobytes")? { "tobytes" } else { "copy" })?;
            return self.push_bytes(&bytes.extract::<Vec<u8>>()?);
        }
        if let Some((plain, hint)) = unpacked(value)? {
            return self.push_hinted(&plain, hint);
        }
        if value.is_instance_of::<PyInt>() {
            return self.push_int(value, Hint::Plain); // enums and other subclasses
        }
        if value.is_instance_of::<PySet>() {
            return self.push_list(value, Hint::Plain);
        }
        if let Ok(map) = value.cast::<PyMapping>() {
            let plain = PyDict::new(value.py());
            plain.update(map)?;
            return self.push_struct(&plain);
        }
        let name = value.get_type().name()?.to_string();
        let shown = value.py().import("_crucible._values")?.call_method1("store", (value,))?;
        let Ok((kind, number, extra)) = shown.extract::<(String, i64, Option<String>)>() else {
            return Err(Refusal::Type(format!("a value of type {name} has no Arrow type")));
        };
        self.push_temporal(&kind, number, extra)
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> Eaten {
        if let State::Text(text) = &mut self.state {
            self.state = State::Binary(std::mem::take(text));
        }
        self.start(|n| State::Binary(Bytes { data: vec![], ends: vec![0; n] }));
        match &mut self.state {
            State::Binary(v) => {
                v.push(bytes);
                self.valid.push(true);
                Ok(())
            }
            _ => Err(self.refuse("binary")),
        }
    }

    /// A number out of a datetime64 or timedelta64 array.
    fn push_ticks(&mut self, number: i64, hint: Hint) -> Eaten {
        if number == i64::MIN {
            self.start(|n| match hint {
                Hint::Span(unit) => State::Duration(Ticks::zeros(n, unit)),
                Hint::Stamp(unit) => State::Timestamp { ticks: Ticks::zeros(n, unit), zone: None },
                _ => State::Date(vec![0; n]),
            });
            self.push_null(); // not a time
            return Ok(());
        }
        match hint {
            Hint::Stamp(unit) => self.push_stamp(number, unit, None),
            Hint::Span(unit) => self.push_span(number, unit),
            _ => self.push_temporal("date", number, None),
        }
    }

    fn push_stamp(&mut self, number: i64, unit: TimeUnit, zone: Option<String>) -> Eaten {
        self.start(|n| State::Timestamp { ticks: Ticks::zeros(n, unit), zone });
        match &mut self.state {
            State::Timestamp { ticks, .. } => ticks.push(number, unit).map_err(Refusal::Type)?,
            State::Date(v) if unit == TimeUnit::Microsecond => {
                v.push(number.div_euclid(86_400_000_000) as i32);
            }
            _ => return Err(self.refuse("timestamp")),
        }
        self.valid.push(true);
        Ok(())
    }

    fn push_span(&mut self, number: i64, unit: TimeUnit) -> Eaten {
        self.start(|n| State::Duration(Ticks::zeros(n, unit)));
        match &mut self.state {
            State::Duration(ticks) => ticks.push(number, unit).map_err(Refusal::Type)?,
            _ => return Err(self.refuse("duration")),
        }
        self.valid.push(true);
        Ok(())
    }

    fn push_temporal(&mut self, kind: &str, number: i64, extra: Option<String>) -> Eaten {
        match kind {
            "timestamp" => return self.push_stamp(number, TimeUnit::Microsecond, extra),
            "duration" => return self.push_span(number, TimeUnit::Microsecond),
            _ => {}
        }
        if let (State::Int(v), "decimal") = (&self.state, kind) {
            let texts = v.iter().zip(&self.valid).map(|(i, there)| there.then(|| i.to_string()));
            self.state = State::Decimal(texts.collect());
        }
        self.start(|n| match kind {
            "date" => State::Date(vec![0; n]),
            "time" => State::Time(vec![0; n]),
            _ => State::Decimal(vec![None; n]),
        });
        match (&mut self.state, kind) {
            (State::Date(v), "date") => push_to(v, &mut self.valid, number as i32),
            (State::Time(v), "time") => push_to(v, &mut self.valid, number),
            (State::Decimal(v), "decimal") => push_to(v, &mut self.valid, extra),
            _ => Err(self.refuse(kind)),
        }
    }

    fn refuse(&self, got: &str) -> Refusal {
        Refusal::Type(format!("the column holds {} values so far and cannot take a {got}", self.state.name()))
    }

    /// The finished Arrow array.
    pub(crate) fn finish(self) -> Result<ArrayRef, String> {
        let rows = self.valid.len();
        let nulls = self.valid.iter().any(|v| !v).then(|| NullBuffer::from(self.valid));
        let text = |e: arrow_schema::ArrowError| e.to_string();
        let own = match self.numbers {
            Numbers::Numpy(width) => Some(width),
            _ => None,
        };
        Ok(match self.state {
            State::Null => Arc::new(NullArray::new(rows)),
            State::Bool(v) => {
                let mut bits = BooleanBufferBuilder::new(v.len());
                bits.append_slice(&v);
                Arc::new(BooleanArray::new(bits.finish(), nulls))
            }
            State::Int(v) => {
                let array = Int64Array::try_new(ScalarBuffer::from(v), nulls).map_err(text)?;
                narrowed_to(Arc::new(array), own, true)?
            }
            State::UInt(v) => Arc::new(UInt64Array::try_new(ScalarBuffer::from(v), nulls).map_err(text)?),
            State::Float(v) => {
                let array = Float64Array::try_new(ScalarBuffer::from(v), nulls).map_err(text)?;
                narrowed_to(Arc::new(array), own, false)?
            }
            State::Text(v) => match v.finish() {
                (data, Ok(offsets)) => Arc::new(StringArray::try_new(offsets, data, nulls).map_err(text)?),
                (data, Err(offsets)) => {
                    Arc::new(LargeStringArray::try_new(offsets, data, nulls).map_err(text)?)
                }
            },
            State::Binary(v) => match v.finish() {
                (data, Ok(offsets)) => Arc::new(BinaryArray::try_new(offsets, data, nulls).map_err(text)?),
                (data, Err(offsets)) => {
                    Arc::new(LargeBinaryArray::try_new(offsets, data, nulls).map_err(text)?)
                }
            },
            State::List { offsets, child } => {
                let child = child.finish()?;
                let field = Arc::new(Field::new("item", child.data_type().clone(), true));
                Arc::new(
                    ListArray::try_new(field, OffsetBuffer::new(offsets.into()), child, nulls)
                        .map_err(text)?,
                )
            }
            State::Struct(v) => v.finish(rows, nulls)?,
            State::Date(v) => Arc::new(Date32Array::try_new(v.into(), nulls).map_err(text)?),
            State::Timestamp { ticks, zone } => {
                let kind = DataType::Timestamp(ticks.unit, zone.map(Into::into));
                ticks.finish(nulls, &kind)?
            }
            State::Duration(ticks) => {
                let kind = DataType::Duration(ticks.unit);
                ticks.finish(nulls, &kind)?
            }
            State::Time(v) => Arc::new(Time64MicrosecondArray::try_new(v.into(), nulls).map_err(text)?),
            State::Decimal(v) => decimals(&v)?,
        })
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int64",
            Self::UInt(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Binary(_) => "binary",
            Self::List { .. } => "list",
            Self::Struct(_) => "struct",
            Self::Date(_) => "date32",
            Self::Timestamp { .. } => "timestamp",
            Self::Duration(_) => "duration",
            Self::Time(_) => "time64",
            Self::Decimal(_) => "decimal",
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

    fn finish(self, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, String> {
        let arrays = self.fields.into_iter().map(Eater::finish).collect::<Result<Vec<_>, _>>()?;
        let fields: Fields =
            self.names.iter().zip(&arrays).map(|(n, a)| Field::new(n, a.data_type().clone(), true)).collect();
        StructArray::try_new_with_length(fields, arrays, nulls, rows)
            .map(|a| Arc::new(a) as ArrayRef)
            .map_err(|e| e.to_string())
    }
}

/// Integers up to here are floats without loss.
const EXACT: u64 = 1 << 53;

fn too_large() -> Refusal {
    Refusal::Type("the integer does not fit int64; pass it as a string or a float".into())
}

fn inexact(number: i64) -> Refusal {
    Refusal::Type(format!(
        "Integer value {number} is outside of the range exactly representable by a float64, which other values of the column are"
    ))
}

fn too_deep() -> Refusal {
    Refusal::Type(format!("lists and dicts nested deeper than {MAX_DEPTH}"))
}

#[expect(clippy::unnecessary_wraps, reason = "the last step of every `push_…`")]
fn push_to<T>(values: &mut Vec<T>, valid: &mut Vec<bool>, value: T) -> Eaten {
    values.push(value);
    valid.push(true);
    Ok(())
}

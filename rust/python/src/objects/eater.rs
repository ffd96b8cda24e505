//! The object eater's builders: they learn a column's type from its values and widen as they go.
//!
//! Nothing is inferred twice: a builder starts as `Null`, becomes the type of the first value, and widens only from
//! integer to float (and from null to anything). Values that fit no common type are an error that names both.

use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Float64Array, Int64Array, LargeBinaryArray,
    LargeStringArray, ListArray, NullArray, StringArray, Time64MicrosecondArray, UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView, PySet, PyString,
    PyTuple,
};

use super::numpy::{Hint, Width, unpacked};
use super::ticks::{Ticks, decimals, narrowed_to};

mod nested;
mod scalars;

use nested::StructEater;
use scalars::{Bytes, push_to};

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

    fn refuse(&self, got: &str) -> Refusal {
        Refusal::Type(format!("the column holds {} values so far and cannot take a {got}", self.state.name()))
    }

    /// Numbers below dicts that are None are zeros instead of nulls, as pyarrow makes them: pandas shows integers as
    /// floats where there are nulls, seen or not.
    fn fill(&mut self, above: &[bool]) {
        match &mut self.state {
            State::Bool(_) | State::Int(_) | State::UInt(_) => {
                self.valid.iter_mut().zip(above).for_each(|(own, there)| *own |= !there);
            }
            State::Struct(v) => v.fields.iter_mut().for_each(|field| field.fill(above)),
            _ => {}
        }
    }

    /// The finished Arrow array.
    pub(crate) fn finish(mut self) -> Result<ArrayRef, String> {
        let rows = self.valid.len();
        if let State::Struct(v) = &mut self.state {
            v.fields.iter_mut().for_each(|field| field.fill(&self.valid));
        }
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
            State::UInt(v) => {
                let array: ArrayRef =
                    Arc::new(UInt64Array::try_new(ScalarBuffer::from(v), nulls).map_err(text)?);
                // Numbers of numpy's uint64 among Python's: int64, unless one needs more.
                let plain = own.is_none().then(|| narrowed_to(array.clone(), Some(Width::I64), true));
                plain.and_then(Result::ok).unwrap_or(array)
            }
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

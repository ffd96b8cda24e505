//! The row maker: Arrow values to Python objects.
//!
//! Columns are resolved to typed getters once per record batch, so a value costs one match and one object. Keys of
//! rows and structs are interned strings made once.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, LargeBinaryArray,
    LargeStringArray, PrimitiveArray, RecordBatch, StringArray, StringViewArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

use super::values::Maker;
use crate::errors::Error;

type Value<'py> = PyResult<Bound<'py, PyAny>>;

/// One record batch, ready to hand out rows.
pub(crate) struct BatchMaker {
    columns: Vec<(Py<PyString>, Getter)>,
}

/// A column resolved to its type.
pub(crate) enum Getter {
    Null,
    Bool(BooleanArray),
    I8(PrimitiveArray<Int8Type>),
    I16(PrimitiveArray<Int16Type>),
    I32(PrimitiveArray<Int32Type>),
    I64(PrimitiveArray<Int64Type>),
    U8(PrimitiveArray<UInt8Type>),
    U16(PrimitiveArray<UInt16Type>),
    U32(PrimitiveArray<UInt32Type>),
    U64(PrimitiveArray<UInt64Type>),
    F16(PrimitiveArray<Float16Type>),
    F32(PrimitiveArray<Float32Type>),
    F64(PrimitiveArray<Float64Type>),
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    Utf8View(StringViewArray),
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    BinaryView(BinaryViewArray),
    FixedBinary(FixedSizeBinaryArray),
    List {
        offsets: OffsetBuffer<i32>,
        nulls: Option<NullBuffer>,
        child: Box<Getter>,
    },
    LargeList {
        offsets: OffsetBuffer<i64>,
        nulls: Option<NullBuffer>,
        child: Box<Getter>,
    },
    FixedList {
        size: usize,
        nulls: Option<NullBuffer>,
        child: Box<Getter>,
    },
    Struct {
        fields: Vec<(Py<PyString>, Getter)>,
        nulls: Option<NullBuffer>,
    },
    /// Integers that Python turns into dates, times and durations.
    Temporal {
        values: ArrayRef,
        maker: Maker,
        unit: &'static str,
        zone: Option<String>,
    },
    /// Decimals, by their text.
    Text {
        values: ArrayRef,
        maker: Maker,
    },
}

impl BatchMaker {
    /// Resolves every column of a batch.
    pub(crate) fn new(py: Python<'_>, batch: &RecordBatch) -> PyResult<Self> {
        let schema = batch.schema();
        let columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, array)| Ok((PyString::intern(py, field.name()).unbind(), Getter::new(py, array)?)))
            .collect::<PyResult<_>>()?;
        Ok(Self { columns })
    }

    /// Row `index` of the batch as a dict.
    pub(crate) fn row<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyDict>> {
        let row = PyDict::new(py);
        for (name, getter) in &self.columns {
            row.set_item(name.bind(py), getter.get(py, index)?)?;
        }
        Ok(row)
    }

    /// The value of one column in one row.
    pub(crate) fn value<'py>(&self, py: Python<'py>, column: usize, index: usize) -> Value<'py> {
        match self.columns.get(column) {
            Some((_, getter)) => getter.get(py, index),
            None => Err(Error::Internal(format!("column {column} is not in the batch")).into()),
        }
    }

    /// The values of one column in neighbouring rows.
    pub(crate) fn values<'py>(
        &self,
        py: Python<'py>,
        column: usize,
        start: usize,
        stop: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        match self.columns.get(column) {
            Some((_, getter)) => getter.list(py, start, stop),
            None => Err(Error::Internal(format!("column {column} is not in the batch")).into()),
        }
    }

    /// The value of one column in one row, if it is a number of a common width.
    #[inline]
    pub(crate) fn number<'py>(
        &self,
        py: Python<'py>,
        column: usize,
        index: usize,
    ) -> Option<Bound<'py, PyAny>> {
        macro_rules! made {
            ($a:expr, $make:expr) => {
                $a.is_valid(index).then(|| $make($a.value(index)).into_any())
            };
        }
        match &self.columns.get(column)?.1 {
            Getter::I64(a) => made!(a, |v| PyInt::new(py, v)),
            Getter::I32(a) => made!(a, |v| PyInt::new(py, v)),
            Getter::F64(a) => made!(a, |v| PyFloat::new(py, v)),
            Getter::F32(a) => made!(a, |v| PyFloat::new(py, f64::from(v))),
            Getter::Bool(a) => made!(a, |v| PyBool::new(py, v).to_owned()),
            _ => None,
        }
    }

    /// Whether an object equals the value of one column in one row.
    pub(crate) fn same(&self, column: usize, index: usize, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.columns.get(column).map_or(Ok(false), |(_, getter)| getter.same::<false>(index, value))
    }

    /// The same, and nobody can change the object any more.
    pub(crate) fn same_for_good(
        &self,
        column: usize,
        index: usize,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        self.columns.get(column).map_or(Ok(false), |(_, getter)| getter.same::<true>(index, value))
    }
}

impl Getter {
    /// Resolves an array to its typed getter.
    pub(crate) fn new(py: Python<'_>, array: &ArrayRef) -> PyResult<Self> {
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool(array.as_boolean().clone()),
            DataType::Int8 => Self::I8(array.as_primitive().clone()),
            DataType::Int16 => Self::I16(array.as_primitive().clone()),
            DataType::Int32 => Self::I32(array.as_primitive().clone()),
            DataType::Int64 => Self::I64(array.as_primitive().clone()),
            DataType::UInt8 => Self::U8(array.as_primitive().clone()),
            DataType::UInt16 => Self::U16(array.as_primitive().clone()),
            DataType::UInt32 => Self::U32(array.as_primitive().clone()),
            DataType::UInt64 => Self::U64(array.as_primitive().clone()),
            DataType::Float16 => Self::F16(array.as_primitive().clone()),
            DataType::Float32 => Self::F32(array.as_primitive().clone()),
            DataType::Float64 => Self::F64(array.as_primitive().clone()),
            DataType::Utf8 => Self::Utf8(array.as_string().clone()),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string().clone()),
            DataType::Utf8View => Self::Utf8View(array.as_string_view().clone()),
            DataType::Binary => Self::Binary(array.as_binary().clone()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary().clone()),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view().clone()),
            DataType::FixedSizeBinary(_) => Self::FixedBinary(array.as_fixed_size_binary().clone()),
            DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::Struct(_) => Self::nested(py, array)?,
            DataType::Decimal128(..) | DataType::Decimal256(..) => {
                Self::Text { values: array.clone(), maker: Maker::new(py, "decimal")? }
            }
            DataType::Dictionary(_, value) => {
                let plain = arrow_cast::cast(array, value).map_err(Error::arrow)?;
                Self::new(py, &plain)?
            }
            other => Self::temporal(py, array, other)?,
        })
    }

    fn nested(py: Python<'_>, array: &ArrayRef) -> PyResult<Self> {
        let nulls = array.nulls().cloned();
        Ok(match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Self::List {
                    offsets: list.offsets().clone(),
                    nulls,
                    child: Box::new(Self::new(py, list.values())?),
                }
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                Self::LargeList {
                    offsets: list.offsets().clone(),
                    nulls,
                    child: Box::new(Self::new(py, list.values())?),
                }
            }
            DataType::FixedSizeList(_, size) => {
                let list = array.as_fixed_size_list();
                let size = usize::try_from(*size).unwrap_or(0);
                Self::FixedList { size, nulls, child: Box::new(Self::new(py, list.values())?) }
            }
            _ => {
                let columns = array.as_struct();
                let fields = columns
                    .fields()
                    .iter()
                    .zip(columns.columns())
                    .map(|(field, child)| {
                        Ok((PyString::intern(py, field.name()).unbind(), Self::new(py, child)?))
                    })
                    .collect::<PyResult<_>>()?;
                Self::Struct { fields, nulls }
            }
        })
    }

    fn temporal(py: Python<'_>, array: &ArrayRef, kind: &DataType) -> PyResult<Self> {
        let (name, unit, zone) = match kind {
            DataType::Date32 => ("date", "d", None),
            DataType::Date64 => ("date", "ms", None),
            DataType::Timestamp(unit, zone) => {
                ("timestamp", text_of(*unit), zone.as_ref().map(ToString::to_string))
            }
            DataType::Duration(unit) => ("duration", text_of(*unit), None),
            DataType::Time32(unit) | DataType::Time64(unit) => ("time", text_of(*unit), None),
            other => {
                return Err(Error::unsupported(format!(
                    "values of Arrow type {other} cannot be shown as objects"
                ))
                .into());
            }
        };
        Ok(Self::Temporal { values: array.clone(), maker: Maker::new(py, name)?, unit, zone })
    }

    /// The Python object of the value at `index`.
    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>, index: usize) -> Value<'py> {
        macro_rules! int {
            ($a:expr) => {
                if $a.is_null(index) { none(py) } else { Ok(PyInt::new(py, $a.value(index)).into_any()) }
            };
        }
        macro_rules! with {
            ($a:expr, $make:expr) => {
                if $a.is_null(index) { none(py) } else { Ok($make($a.value(index)).into_any()) }
            };
        }
        match self {
            Self::Null => none(py),
            Self::Utf8(a) => with!(a, |v| PyString::new(py, v)),
            Self::I64(a) => int!(a),
            Self::Struct { fields, nulls } => struct_value(py, fields, nulls.as_ref(), index),
            Self::List { offsets, nulls, child } => {
                let bounds = (offsets.get(index).copied(), offsets.get(index + 1).copied());
                match bounds {
                    (Some(a), Some(b)) if valid(nulls.as_ref(), index) => {
                        child.list(py, a as usize, b as usize).map(Bound::into_any)
                    }
                    _ => none(py),
                }
            }
            Self::LargeList { offsets, nulls, child } => {
                let bounds = (offsets.get(index).copied(), offsets.get(index + 1).copied());
                match bounds {
                    (Some(a), Some(b)) if valid(nulls.as_ref(), index) => {
                        child.list(py, a as usize, b as usize).map(Bound::into_any)
                    }
                    _ => none(py),
                }
            }
            Self::FixedList { size, nulls, child } => {
                if valid(nulls.as_ref(), index) {
                    child.list(py, index * size, (index + 1) * size).map(Bound::into_any)
                } else {
                    none(py)
                }
            }
            Self::F64(a) => with!(a, |v| PyFloat::new(py, v)),
            Self::F32(a) => with!(a, |v| PyFloat::new(py, f64::from(v))),
            Self::F16(a) => {
                with!(a, |v: <Float16Type as arrow_array::ArrowPrimitiveType>::Native| PyFloat::new(
                    py,
                    v.to_f64()
                ))
            }
            Self::Bool(a) => with!(a, |v| PyBool::new(py, v).to_owned()),
            Self::I8(a) => int!(a),
            Self::I16(a) => int!(a),
            Self::I32(a) => int!(a),
            Self::U8(a) => int!(a),
            Self::U16(a) => int!(a),
            Self::U32(a) => int!(a),
            Self::U64(a) => int!(a),
            Self::LargeUtf8(a) => with!(a, |v| PyString::new(py, v)),
            Self::Utf8View(a) => with!(a, |v| PyString::new(py, v)),
            Self::Binary(a) => with!(a, |v| PyBytes::new(py, v)),
            Self::LargeBinary(a) => with!(a, |v| PyBytes::new(py, v)),
            Self::BinaryView(a) => with!(a, |v| PyBytes::new(py, v)),
            Self::FixedBinary(a) => with!(a, |v| PyBytes::new(py, v)),
            Self::Temporal { values, maker, unit, zone } => match integer(values, index) {
                Some(value) => maker.integer(py, value, unit, zone.as_deref()),
                None => none(py),
            },
            Self::Text { values, maker } => {
                if values.is_null(index) {
                    return none(py);
                }
                let options = FormatOptions::default();
                let formatter = ArrayFormatter::try_new(values.as_ref(), &options).map_err(Error::arrow)?;
                maker.text(py, &formatter.value(index).to_string())
            }
        }
    }

    /// Values `start..stop` as a list. The type is looked at once where the values are many and simple.
    pub(crate) fn list<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        stop: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        macro_rules! each {
            ($a:expr, $make:expr) => {
                PyList::new(py, (start..stop).map(|i| $a.is_valid(i).then(|| $make($a.value(i)))))
            };
        }
        match self {
            Self::I64(a) => each!(a, |v| PyInt::new(py, v)),
            Self::I32(a) => each!(a, |v| PyInt::new(py, v)),
            Self::F64(a) => each!(a, |v| PyFloat::new(py, v)),
            Self::F32(a) => each!(a, |v| PyFloat::new(py, f64::from(v))),
            Self::Bool(a) => each!(a, |v| PyBool::new(py, v).to_owned()),
            Self::Utf8(a) => each!(a, |v| PyString::new(py, v)),
            Self::LargeUtf8(a) => each!(a, |v| PyString::new(py, v)),
            _ => PyList::new(py, (start..stop).map(|i| self.get(py, i)).collect::<PyResult<Vec<_>>>()?),
        }
    }
}

fn struct_value<'py>(
    py: Python<'py>,
    fields: &[(Py<PyString>, Getter)],
    nulls: Option<&NullBuffer>,
    index: usize,
) -> Value<'py> {
    if !valid(nulls, index) {
        return none(py);
    }
    let value = PyDict::new(py);
    for (name, getter) in fields {
        value.set_item(name.bind(py), getter.get(py, index)?)?;
    }
    Ok(value.into_any())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every other arm of `get`")]
fn none(py: Python<'_>) -> Value<'_> {
    Ok(py.None().into_bound(py))
}

fn valid(nulls: Option<&NullBuffer>, index: usize) -> bool {
    nulls.is_none_or(|n| n.is_valid(index))
}

fn text_of(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

/// The stored integer of a temporal value; `None` for null.
fn integer(values: &ArrayRef, index: usize) -> Option<i64> {
    if values.is_null(index) {
        return None;
    }
    macro_rules! at {
        ($t:ty) => {
            Some(i64::from(values.as_primitive::<$t>().value(index)))
        };
    }
    match values.data_type() {
        DataType::Date32 => at!(Date32Type),
        DataType::Date64 => at!(Date64Type),
        DataType::Time32(TimeUnit::Second) => at!(Time32SecondType),
        DataType::Time32(_) => at!(Time32MillisecondType),
        DataType::Time64(TimeUnit::Microsecond) => at!(Time64MicrosecondType),
        DataType::Time64(_) => at!(Time64NanosecondType),
        DataType::Timestamp(TimeUnit::Second, _) => at!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => at!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => at!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => at!(TimestampNanosecondType),
        DataType::Duration(TimeUnit::Second) => at!(DurationSecondType),
        DataType::Duration(TimeUnit::Millisecond) => at!(DurationMillisecondType),
        DataType::Duration(TimeUnit::Microsecond) => at!(DurationMicrosecondType),
        DataType::Duration(TimeUnit::Nanosecond) => at!(DurationNanosecondType),
        _ => None,
    }
}

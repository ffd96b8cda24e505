//! What numpy arrays and scalars (and tensors) say about their items, which the plain objects do not.

use arrow_schema::{DataType, TimeUnit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// What is known of plain objects that come out of an array.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// Nothing: they are Python's own.
    Plain,
    /// Numbers of a width.
    Number(Width),
    /// Integers that are ticks since 1970.
    Stamp(TimeUnit),
    /// Integers that are days since 1970.
    Day,
    /// Integers that are durations.
    Span(TimeUnit),
}

/// Width of a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Width {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

impl Width {
    fn of(kind: &str, size: usize) -> Option<Self> {
        Some(match (kind, size) {
            ("i", 1) => Self::I8,
            ("i", 2) => Self::I16,
            ("i", 4) => Self::I32,
            ("i", 8) => Self::I64,
            ("u", 1) => Self::U8,
            ("u", 2) => Self::U16,
            ("u", 4) => Self::U32,
            ("u", 8) => Self::U64,
            ("f", 2) => Self::F16,
            ("f", 4) => Self::F32,
            ("f", 8) => Self::F64,
            _ => return None,
        })
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::I8 => DataType::Int8,
            Self::I16 => DataType::Int16,
            Self::I32 => DataType::Int32,
            Self::I64 => DataType::Int64,
            Self::U8 => DataType::UInt8,
            Self::U16 => DataType::UInt16,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
            Self::F16 => DataType::Float16,
            Self::F32 => DataType::Float32,
            Self::F64 => DataType::Float64,
        }
    }

    fn family(self) -> u8 {
        match self {
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => 0,
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => 1,
            Self::F16 | Self::F32 | Self::F64 => 2,
        }
    }

    /// The width that holds both; `None` for signed with unsigned. Integers with floats are float64.
    pub(crate) fn with(self, other: Self) -> Option<Self> {
        match (self.family(), other.family()) {
            (a, b) if a == b => Some(self.max(other)),
            (2, _) | (_, 2) => Some(Self::F64),
            _ => None,
        }
    }
}

/// The plain objects of an array, scalar or tensor and what its dtype says; `None` for anything else.
pub(crate) fn unpacked<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<(Bound<'py, PyAny>, Hint)>> {
    let Ok(dtype) = value.getattr("dtype") else { return Ok(None) };
    if !value.hasattr("tolist")? {
        return array_of(value);
    }
    let Ok(kind) = dtype.getattr("kind") else { return tensor(value, &dtype) };
    let size = dtype.getattr("itemsize").and_then(|s| s.extract::<usize>()).unwrap_or(0); // pandas has none
    let kind = kind.cast::<PyString>()?.to_str()?.to_owned();
    if matches!(kind.as_str(), "M" | "m") {
        return ticks(value, &dtype, kind == "M").map(Some);
    }
    let hint = Width::of(&kind, size).map_or(Hint::Plain, Hint::Number);
    Ok(Some((value.call_method0("tolist")?, hint)))
}

/// A TensorFlow tensor, which is a numpy array when asked; text in it is bytes.
fn array_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<(Bound<'py, PyAny>, Hint)>> {
    if !value.hasattr("numpy")? {
        return Ok(None);
    }
    let array = value.call_method0("numpy")?;
    if array.hasattr("tolist")? {
        return unpacked(&array);
    }
    Ok(array.is_instance_of::<PyBytes>().then_some((array, Hint::Plain)))
}

/// datetime64 and timedelta64 as integers.
fn ticks<'py>(
    value: &Bound<'py, PyAny>,
    dtype: &Bound<'py, PyAny>,
    stamp: bool,
) -> PyResult<(Bound<'py, PyAny>, Hint)> {
    let name = dtype.str()?;
    let name = name.to_str()?;
    let unit = name.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or_default();
    let unit = match unit {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        "D" if stamp => {
            let days = value.call_method1("astype", ("int64",))?.call_method0("tolist")?;
            return Ok((days, Hint::Day));
        }
        _ => return Ok((value.call_method0("tolist")?, Hint::Plain)),
    };
    let plain = value.call_method1("astype", ("int64",))?.call_method0("tolist")?;
    Ok((plain, if stamp { Hint::Stamp(unit) } else { Hint::Span(unit) }))
}

/// A torch tensor: its dtype has a name alone.
fn tensor<'py>(
    value: &Bound<'py, PyAny>,
    dtype: &Bound<'py, PyAny>,
) -> PyResult<Option<(Bound<'py, PyAny>, Hint)>> {
    let name = dtype.str()?;
    let hint = match name.to_str()?.strip_prefix("torch.") {
        Some("int8") => Hint::Number(Width::I8),
        Some("int16") => Hint::Number(Width::I16),
        Some("int32") => Hint::Number(Width::I32),
        Some("int64") => Hint::Number(Width::I64),
        Some("uint8") => Hint::Number(Width::U8),
        Some("float16") => Hint::Number(Width::F16),
        Some("float32" | "bfloat16") => Hint::Number(Width::F32),
        Some("float64") => Hint::Number(Width::F64),
        _ => Hint::Plain,
    };
    Ok(Some((value.call_method0("tolist")?, hint)))
}

//! Whether Python values are already what is stored: then nothing has to encode them one by one.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

/// Kinds of values whose stored form is the value itself. Nested as features are.
enum Kind<'py> {
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    /// Numbers of classes, and how many classes there are.
    Class(i64),
    List(Box<Self>),
    Struct(Vec<(Bound<'py, PyString>, Self)>),
}

impl<'py> Kind<'py> {
    /// From "bool", "int", "float", "text", "bytes", a number of classes, a list of one kind, or a dict of kinds.
    fn of(said: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(fields) = said.cast::<PyDict>() {
            let parsed = fields.iter().map(|(name, kind)| Ok((name.cast_into()?, Self::of(&kind)?)));
            return Ok(Self::Struct(parsed.collect::<PyResult<_>>()?));
        }
        if let Ok(items) = said.cast::<PyList>() {
            return Ok(Self::List(Box::new(Self::of(&items.get_item(0)?)?)));
        }
        if let Ok(classes) = said.cast::<PyInt>() {
            return Ok(Self::Class(classes.extract()?));
        }
        match said.extract::<String>()?.as_str() {
            "bool" => Ok(Self::Bool),
            "int" => Ok(Self::Int),
            "float" => Ok(Self::Float),
            "text" => Ok(Self::Text),
            "bytes" => Ok(Self::Bytes),
            other => Err(pyo3::exceptions::PyValueError::new_err(format!("unknown kind {other:?}"))),
        }
    }

    fn holds(&self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        if value.is_none() {
            return Ok(true);
        }
        Ok(match self {
            Self::Bool => value.is_exact_instance_of::<PyBool>(),
            Self::Int => value.is_exact_instance_of::<PyInt>(),
            Self::Float => value.is_exact_instance_of::<PyFloat>(),
            Self::Text => value.is_exact_instance_of::<PyString>(),
            Self::Bytes => value.is_exact_instance_of::<PyBytes>(),
            Self::Class(classes) => {
                value.is_exact_instance_of::<PyInt>()
                    && value.extract::<i64>().is_ok_and(|number| (-1..*classes).contains(&number))
            }
            Self::List(inner) => inner.holds_all(value)?,
            Self::Struct(fields) => {
                let Ok(map) = value.cast_exact::<PyDict>() else { return Ok(false) };
                if map.len() != fields.len() {
                    return Ok(false);
                }
                for (name, kind) in fields {
                    match map.get_item(name)? {
                        Some(inner) if kind.holds(&inner)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
        })
    }

    /// Only of a list: a tuple is stored as one.
    fn holds_all(&self, values: &Bound<'py, PyAny>) -> PyResult<bool> {
        let Ok(list) = values.cast_exact::<PyList>() else { return Ok(false) };
        for value in list.iter() {
            if !self.holds(&value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether every value of a column (a list) is stored as it is, or is None.
///
/// `kind` is "bool", "int", "float", "text", "bytes", a number of classes, a list of one kind, or a dict of kinds.
#[pyfunction]
pub(crate) fn are_stored(values: &Bound<'_, PyAny>, kind: &Bound<'_, PyAny>) -> PyResult<bool> {
    crate::door::inline(|| Kind::of(kind)?.holds_all(values))
}

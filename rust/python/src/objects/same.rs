//! Whether an object is still what the table has, without making the object again.

use arrow_array::Array;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::to_py::Getter;
use crate::data::lazy_rows::has_only;

impl Getter {
    /// Whether `value` equals the value at `index`. `SOLE`: and whether nobody can change it, since lists and dicts have
    /// no other references than this one and that of what holds them.
    pub(crate) fn same<const SOLE: bool>(&self, index: usize, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = value.py();
        macro_rules! text {
            ($a:expr) => {
                if let (false, Ok(text)) = ($a.is_null(index), value.cast_exact::<PyString>()) {
                    return Ok(text.to_str().is_ok_and(|text| text == $a.value(index)));
                }
            };
        }
        macro_rules! list {
            ($offsets:expr, $nulls:expr, $child:expr) => {
                if let (Some(a), Some(b)) = ($offsets.get(index), $offsets.get(index + 1))
                    && $nulls.as_ref().is_none_or(|n| n.is_valid(index))
                    && let Ok(list) = value.cast_exact::<PyList>()
                {
                    return $child.same_list::<SOLE>(*a as usize, *b as usize, list);
                }
            };
        }
        match self {
            Self::Utf8(a) => text!(a),
            Self::LargeUtf8(a) => text!(a),
            Self::Utf8View(a) => text!(a),
            Self::List { offsets, nulls, child } => list!(offsets, nulls, child),
            Self::LargeList { offsets, nulls, child } => list!(offsets, nulls, child),
            Self::Struct { fields, nulls } if nulls.as_ref().is_none_or(|n| n.is_valid(index)) => {
                if let Ok(dict) = value.cast_exact::<PyDict>() {
                    if dict.len() != fields.len() || (SOLE && !has_only(dict.as_unbound(), 2, py)) {
                        return Ok(false);
                    }
                    for (name, getter) in fields {
                        match dict.get_item(name.bind(py))? {
                            Some(inner) if getter.same::<SOLE>(index, &inner)? => {}
                            _ => return Ok(false),
                        }
                    }
                    return Ok(true);
                }
            }
            _ => {}
        }
        if SOLE && (value.is_instance_of::<PyList>() || value.is_instance_of::<PyDict>()) {
            return Ok(false);
        }
        value.eq(self.get(py, index)?)
    }

    fn same_list<const SOLE: bool>(
        &self,
        start: usize,
        stop: usize,
        list: &Bound<'_, PyList>,
    ) -> PyResult<bool> {
        if list.len() != stop - start || (SOLE && !has_only(list.as_unbound(), 2, list.py())) {
            return Ok(false);
        }
        for (index, value) in (start..stop).zip(list.iter()) {
            if !self.same::<SOLE>(index, &value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

//! The limits of this process: the defaults, over them the environment, over both what Python set.
//!
//! They are read at the start of each call. Plain atomics: a forked child has them, and no lock can be held in it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crucible_data::Limits;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

/// One limit that Python can change.
struct Named {
    name: &'static str,
    least: u64,
    most: u64,
    get: fn(&Limits) -> u64,
    put: fn(&mut Limits, u64),
    /// 0 while nobody set it.
    value: AtomicU64,
}

macro_rules! named {
    ($($name:ident $least:literal ..= $most:expr;)*) => {
        [$(Named {
            name: stringify!($name),
            least: $least,
            most: $most,
            get: |limits| u64::try_from(limits.$name).unwrap_or(u64::MAX),
            put: |limits, value| limits.$name = value as _,
            value: AtomicU64::new(0),
        }),*]
    };
}

// The ends are where formats end (32-bit lengths) or where other parts could not follow (stack, 64-bit products).
static NAMED: [Named; 9] = named! {
    max_image_pixels 1 ..= 1 << 40;
    max_json_depth 1 ..= 256;
    max_missing_values 1 ..= 1 << 60;
    max_footer_bytes 1 ..= u32::MAX as u64;
    max_page_bytes 1 ..= i32::MAX as u64;
    max_page_values 1 ..= i32::MAX as u64;
    max_schema_depth 1 ..= 256;
    max_fixed_bytes 1 ..= i32::MAX as u64;
    max_unpacked_bytes 1 ..= 1 << 60;
};

/// Whether the environment has been looked at.
static LOOKED: AtomicBool = AtomicBool::new(false);

impl Named {
    fn of(name: &str) -> Option<&'static Self> {
        NAMED.iter().find(|n| n.name == name)
    }

    fn checked(&self, value: Option<u64>, said: &str, who: &str) -> PyResult<u64> {
        value.filter(|v| (self.least..=self.most).contains(v)).ok_or_else(|| {
            let (least, most) = (self.least, self.most);
            PyValueError::new_err(format!("{who} must be a whole number from {least} to {most}, not {said}"))
        })
    }
}

/// Reads the environment once a process; a limit that was set meanwhile stays.
fn look(py: Python<'_>) -> PyResult<()> {
    if LOOKED.load(Ordering::Acquire) {
        return Ok(());
    }
    let found = py.import("_crucible._settings")?.call_method0("limits_of_environment")?;
    let mut values = Vec::new();
    for (name, said) in found.extract::<Vec<(String, String)>>()? {
        if let Some(named) = Named::of(&name) {
            let who = format!("CRUCIBLE_{}", name.to_uppercase());
            values.push((named, named.checked(said.trim().parse().ok(), &format!("'{said}'"), &who)?));
        }
    }
    for (named, value) in values {
        // Only where nothing is set: another thread may have been faster.
        let _ = named.value.compare_exchange(0, value, Ordering::Relaxed, Ordering::Relaxed);
    }
    LOOKED.store(true, Ordering::Release);
    Ok(())
}

/// The limits as they are now.
pub(crate) fn limits(py: Python<'_>) -> PyResult<Limits> {
    look(py)?;
    let mut limits = Limits::default();
    for named in &NAMED {
        match named.value.load(Ordering::Relaxed) {
            0 => {}
            value => (named.put)(&mut limits, value),
        }
    }
    Ok(limits)
}

/// The limits of this process by name.
#[pyfunction]
pub(crate) fn get_limits(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let now = limits(py)?;
    let dict = PyDict::new(py);
    for named in &NAMED {
        dict.set_item(named.name, (named.get)(&now))?;
    }
    Ok(dict)
}

/// Sets limits by name; None is the default. Nothing is set if one of them cannot be.
#[pyfunction]
pub(crate) fn set_limits(py: Python<'_>, changes: &Bound<'_, PyDict>) -> PyResult<()> {
    look(py)?;
    let defaults = Limits::default();
    let mut values = Vec::new();
    for (name, value) in changes {
        let name: String = name.extract()?;
        let named = Named::of(&name).ok_or_else(|| {
            let names: Vec<&str> = NAMED.iter().map(|n| n.name).collect();
            PyTypeError::new_err(format!("there is no limit {name:?}; there are {}", names.join(", ")))
        })?;
        let value = if value.is_none() {
            (named.get)(&defaults)
        } else if value.is_instance_of::<PyBool>() || !value.hasattr("__index__")? {
            return Err(PyTypeError::new_err(format!(
                "{name} must be a whole number, not {}",
                value.repr()?
            )));
        } else {
            named.checked(value.extract().ok(), &value.repr()?.to_string(), &name)?
        };
        values.push((named, value));
    }
    for (named, value) in values {
        named.value.store(value, Ordering::Relaxed);
    }
    Ok(())
}

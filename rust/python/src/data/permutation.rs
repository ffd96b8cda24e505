//! Row numbers drawn by a numpy generator, without the GIL and without a copy.
#![expect(unsafe_code, reason = "numpy's bit generators are a C interface; this file is its one home")]

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_buffer::ScalarBuffer;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::buffer::{Buffer, Dtype};
use crate::door;

/// Row numbers in Rust memory; `Table.select` keeps them as they are.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct RowNumbers {
    pub(crate) rows: Arc<Vec<u64>>,
}

#[pymethods]
impl RowNumbers {
    fn __len__(&self) -> usize {
        self.rows.len()
    }

    /// A copy as a buffer of int64.
    fn buffer(&self) -> Buffer {
        let values: ScalarBuffer<i64> = self.rows.iter().map(|&row| row as i64).collect();
        Buffer::owned(values.into_inner(), Dtype::I64, &[self.rows.len()])
    }
}

/// `bitgen_t` of numpy's C interface (`numpy/random/bitgen.h`), unchanged since numpy 1.17.
#[repr(C)]
struct BitGenerator {
    state: *mut c_void,
    next_uint64: unsafe extern "C" fn(*mut c_void) -> u64,
    next_uint32: unsafe extern "C" fn(*mut c_void) -> u32,
    next_double: unsafe extern "C" fn(*mut c_void) -> f64,
    next_raw: unsafe extern "C" fn(*mut c_void) -> u64,
}

/// A generator that one thread at a time draws from.
struct Drawn(NonNull<BitGenerator>);

// SAFETY: the generator is plain memory behind a lock that the caller holds; `door::run` ends before the call does.
unsafe impl Send for Drawn {}

impl Drawn {
    fn draw(&self) -> u32 {
        // SAFETY: the capsule, alive for the whole call, points to a valid `bitgen_t`, whose lock is held.
        unsafe {
            let generator = self.0.as_ref();
            (generator.next_uint32)(generator.state)
        }
    }
}

/// The permutation of `0..rows` that `numpy.random.Generator(bit_generator).permutation(rows)` gives.
///
/// `capsule` is `bit_generator.capsule`; the caller holds `bit_generator.lock`. The generator is advanced.
#[pyfunction]
pub(crate) fn permutation(py: Python<'_>, capsule: &Bound<'_, PyCapsule>, rows: u32) -> PyResult<RowNumbers> {
    let drawn = Drawn(capsule.pointer_checked(Some(c"BitGenerator"))?.cast());
    let order = door::run(py, move |cancel| {
        let drawn = drawn;
        crucible_data::permutation::permutation(rows, || drawn.draw(), cancel)
    })?;
    Ok(RowNumbers { rows: Arc::new(order) })
}

//! `Buffer`: Rust memory seen by numpy and `memoryview`, without a copy.
#![expect(unsafe_code, reason = "the buffer protocol is a C interface; this file is its one home")]

use std::ffi::{CStr, c_int, c_void};

use arrow_buffer::{Buffer as ArrowBuffer, MutableBuffer};
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Element type of a buffer: numpy's name, the buffer protocol's code, the width in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dtype {
    pub(crate) name: &'static str,
    pub(crate) code: &'static CStr,
    pub(crate) width: usize,
}

// `l` is what numpy itself says for int64 where a C long has 64 bits; elsewhere `q`.
#[cfg(all(not(windows), target_pointer_width = "64"))]
const LONG: (&CStr, &CStr) = (c"l", c"L");
#[cfg(not(all(not(windows), target_pointer_width = "64")))]
const LONG: (&CStr, &CStr) = (c"q", c"Q");

impl Dtype {
    pub(crate) const U8: Self = Self { name: "uint8", code: c"B", width: 1 };
    pub(crate) const U16: Self = Self { name: "uint16", code: c"H", width: 2 };
    pub(crate) const U32: Self = Self { name: "uint32", code: c"I", width: 4 };
    pub(crate) const U64: Self = Self { name: "uint64", code: LONG.1, width: 8 };
    pub(crate) const I8: Self = Self { name: "int8", code: c"b", width: 1 };
    pub(crate) const I16: Self = Self { name: "int16", code: c"h", width: 2 };
    pub(crate) const I32: Self = Self { name: "int32", code: c"i", width: 4 };
    pub(crate) const I64: Self = Self { name: "int64", code: LONG.0, width: 8 };
    pub(crate) const F16: Self = Self { name: "float16", code: c"e", width: 2 };
    pub(crate) const F32: Self = Self { name: "float32", code: c"f", width: 4 };
    pub(crate) const F64: Self = Self { name: "float64", code: c"d", width: 8 };
}

enum Owner {
    /// Part of a table: read-only, and alive as long as this buffer is.
    Shared(ArrowBuffer),
    /// Made for the caller alone: writable.
    Owned(MutableBuffer),
}

/// A block of Rust memory with a numpy dtype and shape, C-contiguous.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct Buffer {
    owner: Owner,
    pointer: *mut u8,
    bytes: usize,
    dtype: Dtype,
    shape: Vec<isize>,
    strides: Vec<isize>,
}

// SAFETY: the memory is immutable (`Shared`) or handed to Python code, which synchronises its own writes as with any
// numpy array; Rust never reads or writes it after construction.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A read-only view of table memory. `values` holds exactly the elements of `shape`.
    pub(crate) fn shared(values: ArrowBuffer, dtype: Dtype, shape: &[usize]) -> Self {
        let pointer = values.as_ptr().cast_mut();
        Self::build(Owner::Shared(values), pointer, dtype, shape)
    }

    /// A writable buffer. Falls back to a read-only view when the memory turns out to be shared.
    pub(crate) fn owned(values: ArrowBuffer, dtype: Dtype, shape: &[usize]) -> Self {
        match values.into_mutable() {
            Ok(mutable) => Self::from_mutable(mutable, dtype, shape),
            Err(values) => Self::shared(values, dtype, shape),
        }
    }

    /// A writable buffer over fresh memory.
    pub(crate) fn from_mutable(mut values: MutableBuffer, dtype: Dtype, shape: &[usize]) -> Self {
        let pointer = values.as_mut_ptr();
        Self::build(Owner::Owned(values), pointer, dtype, shape)
    }

    fn build(owner: Owner, pointer: *mut u8, dtype: Dtype, shape: &[usize]) -> Self {
        let shape: Vec<isize> = shape.iter().map(|&n| n as isize).collect();
        let mut strides = vec![0; shape.len()];
        let mut step = dtype.width as isize;
        for (stride, length) in strides.iter_mut().zip(&shape).rev() {
            *stride = step;
            step *= *length;
        }
        let held = match &owner {
            Owner::Shared(b) => b.len(),
            Owner::Owned(b) => b.len(),
        };
        debug_assert_eq!(held, step.unsigned_abs(), "shape and bytes disagree");
        Self { owner, pointer, bytes: held.min(step.unsigned_abs()), dtype, shape, strides }
    }
}

#[pymethods]
impl Buffer {
    /// numpy's name of the element type.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.dtype.name
    }

    /// Lengths of the dimensions.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.shape)
    }

    /// Address of the first byte, for tests of zero-copy.
    #[getter]
    fn address(&self) -> usize {
        self.pointer as usize
    }

    /// Whether the memory is shared with a table.
    #[getter]
    fn readonly(&self) -> bool {
        matches!(self.owner, Owner::Shared(_))
    }

    fn __len__(&self) -> usize {
        self.shape.first().map_or(0, |n| n.unsigned_abs())
    }

    // SAFETY: called by CPython with a valid view to fill. `slf` is kept alive by `view.obj`, and with it every pointer.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no view to fill"));
        }
        let this = slf.get();
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE && this.readonly() {
            // SAFETY: `view` is valid, and an error must leave `obj` null.
            unsafe { (*view).obj = std::ptr::null_mut() };
            return Err(PyBufferError::new_err("the memory belongs to a table and is read-only"));
        }
        let wants = |flag: c_int| flags & flag == flag;
        // SAFETY: `view` is valid for writes; shape, strides and format live as long as the object in `obj`.
        unsafe {
            (*view).buf = this.pointer.cast::<c_void>();
            (*view).len = this.bytes as isize;
            (*view).itemsize = this.dtype.width as isize;
            (*view).readonly = c_int::from(this.readonly());
            (*view).ndim = this.shape.len() as c_int;
            (*view).format = if wants(ffi::PyBUF_FORMAT) {
                this.dtype.code.as_ptr().cast_mut()
            } else {
                std::ptr::null_mut()
            };
            (*view).shape =
                if wants(ffi::PyBUF_ND) { this.shape.as_ptr().cast_mut() } else { std::ptr::null_mut() };
            (*view).strides = if wants(ffi::PyBUF_STRIDES) {
                this.strides.as_ptr().cast_mut()
            } else {
                std::ptr::null_mut()
            };
            (*view).suboffsets = std::ptr::null_mut();
            (*view).internal = std::ptr::null_mut();
            (*view).obj = slf.into_any().into_ptr();
        }
        Ok(())
    }
}

//! Arrow PyCapsules, in and out: <https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>.
#![expect(unsafe_code, reason = "the Arrow C data interface is a C interface; this file is its one home")]

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchReader, StructArray};
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

const STREAM: &CStr = c"arrow_array_stream";
const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";

/// Batches of anything that has `__arrow_c_stream__` or `__arrow_c_array__`.
pub(crate) fn import(data: &Bound<'_, PyAny>) -> PyResult<(SchemaRef, Vec<RecordBatch>)> {
    if data.hasattr("__arrow_c_stream__")? {
        let reader = stream_reader(&data.call_method0("__arrow_c_stream__")?)?;
        let schema = reader.schema();
        let batches = reader
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| PyValueError::new_err(format!("the Arrow stream failed: {e}")))?;
        return Ok((schema, batches));
    }
    if data.hasattr("__arrow_c_array__")? {
        let pair = data.call_method0("__arrow_c_array__")?.cast_into::<PyTuple>()?;
        let batch = array_batch(&pair.get_item(0)?, &pair.get_item(1)?)?;
        return Ok((batch.schema(), vec![batch]));
    }
    let kind = data.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "expected an object with __arrow_c_stream__ or __arrow_c_array__ (pyarrow, polars, pandas, duckdb), got {kind}"
    )))
}

/// The schema of anything that has `__arrow_c_schema__`.
pub(crate) fn import_schema(data: &Bound<'_, PyAny>) -> PyResult<Schema> {
    let capsule = data.call_method0("__arrow_c_schema__")?;
    let pointer = capsule_pointer(&capsule, SCHEMA)?.cast::<FFI_ArrowSchema>();
    // SAFETY: the capsule's name says what it points to, and the capsule stays alive during the call.
    let schema = unsafe { pointer.as_ref() };
    Schema::try_from(schema)
        .map_err(|e| PyValueError::new_err(format!("the Arrow schema cannot be read: {e}")))
}

fn stream_reader(capsule: &Bound<'_, PyAny>) -> PyResult<RecordBatchStreamReader> {
    let pointer = capsule_pointer(capsule, STREAM)?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: the capsule's name says what it points to; `from_raw` moves the stream out and leaves a released one.
    unsafe { RecordBatchStreamReader::from_raw(pointer.as_ptr()) }
        .map_err(|e| PyValueError::new_err(format!("the Arrow stream cannot be read: {e}")))
}

fn array_batch(schema: &Bound<'_, PyAny>, array: &Bound<'_, PyAny>) -> PyResult<RecordBatch> {
    let schema = capsule_pointer(schema, SCHEMA)?.cast::<FFI_ArrowSchema>();
    let array = capsule_pointer(array, ARRAY)?.cast::<FFI_ArrowArray>();
    let bad = |e: ArrowError| PyValueError::new_err(format!("the Arrow array cannot be read: {e}"));
    // SAFETY: the capsules' names say what they point to; `from_raw` moves the array out and leaves a released one.
    let data = unsafe {
        let array = FFI_ArrowArray::from_raw(array.as_ptr());
        arrow_array::ffi::from_ffi(array, schema.as_ref()).map_err(bad)?
    };
    if !matches!(data.data_type(), arrow_schema::DataType::Struct(_)) {
        return Err(PyTypeError::new_err("expected an Arrow struct array (a record batch)"));
    }
    // SAFETY: alive during the call, as above.
    let fields = Schema::try_from(unsafe { schema.as_ref() }).map_err(bad)?;
    let batch = RecordBatch::from(StructArray::from(data));
    batch.with_schema(fields.into()).map_err(bad)
}

fn capsule_pointer(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<NonNull<std::ffi::c_void>> {
    capsule
        .cast::<PyCapsule>()
        .map_err(|_| PyTypeError::new_err("the Arrow protocol method did not return a capsule"))?
        .pointer_checked(Some(name))
}

/// A stream capsule over batches that are already in memory.
pub(crate) fn export<'py>(
    py: Python<'py>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> PyResult<Bound<'py, PyCapsule>> {
    let reader = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    let stream = FFI_ArrowArrayStream::new(Box::new(Guarded(reader)));
    PyCapsule::new_with_value(py, stream, STREAM)
}

/// A schema capsule.
pub(crate) fn export_schema<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let ffi = FFI_ArrowSchema::try_from(schema)
        .map_err(|e| PyValueError::new_err(format!("the schema cannot be exported: {e}")))?;
    PyCapsule::new_with_value(py, ffi, SCHEMA)
}

/// A reader whose panics become stream errors: `get_next` is called from C, where a panic would abort the process.
struct Guarded<R>(R);

impl<R: RecordBatchReader> Iterator for Guarded<R> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        catch_unwind(AssertUnwindSafe(|| self.0.next()))
            .unwrap_or_else(|_| Some(Err(ArrowError::ComputeError("the reader panicked".into()))))
    }
}

impl<R: RecordBatchReader> RecordBatchReader for Guarded<R> {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }
}

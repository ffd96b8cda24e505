//! `Table`: a view (Arrow table + row order) with its row makers.

use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use crucible_data::View;
use crucible_data::features::cast_batch_within;
use pyo3::exceptions::{PyIndexError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList};

use super::{indices, numeric};
use crate::buffer::Buffer;
use crate::door;
use crate::errors::{Error, data};
use crate::limits::limits;
use crate::objects::gc::Paused;
use crate::objects::to_py::BatchMaker;

/// Numbers of rows that are chosen or joined in some microseconds: waking another thread takes longer.
pub(super) const FEW_ROWS: usize = 1 << 14;

/// Immutable columns and the order of their rows.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct Table {
    pub(crate) view: View,
    /// One per batch of the table, made at first use and shared by every view of the table.
    makers: Arc<[OnceLock<BatchMaker>]>,
}

impl Table {
    /// A view over a new table.
    pub(crate) fn new(table: crucible_data::Table) -> Self {
        Self::from_view(View::new(Arc::new(table)))
    }

    pub(crate) fn from_view(view: View) -> Self {
        let makers = (0..view.table().num_batches()).map(|_| OnceLock::new()).collect();
        Self { view, makers }
    }

    /// Another order of the same table: the row makers are kept.
    pub(crate) fn reordered(&self, view: View) -> Self {
        Self { view, makers: self.makers.clone() }
    }

    pub(crate) fn check(&self, start: usize, stop: usize) -> PyResult<()> {
        let rows = self.view.num_rows();
        if start <= stop && stop <= rows {
            return Ok(());
        }
        Err(PyIndexError::new_err(format!(
            "rows {start}..{stop} are out of range for a table of {rows} rows"
        )))
    }

    pub(crate) fn column_index(&self, name: &str) -> PyResult<usize> {
        let schema = self.view.table().schema();
        schema.index_of(name).map_err(|_| {
            let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            PyKeyError::new_err(format!(
                "Column {name} not in the dataset. Current columns in the dataset: {names:?}"
            ))
        })
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.view.table().schema_ref().fields().iter().map(|f| f.name().clone()).collect()
    }

    /// The maker of the batch that holds view row `index`, and the row in it.
    #[inline]
    pub(crate) fn place(&self, py: Python<'_>, index: usize) -> PyResult<(&BatchMaker, usize)> {
        let (batch, row) = self.view.locate(index).map_err(data)?;
        Ok((self.maker(py, batch)?, row))
    }

    /// The maker of a batch of the table, if there is one already.
    #[inline]
    pub(crate) fn made_maker(&self, batch: usize) -> Option<&BatchMaker> {
        self.makers.get(batch)?.get()
    }

    /// The maker of a batch of the table.
    #[inline]
    pub(crate) fn maker(&self, py: Python<'_>, batch: usize) -> PyResult<&BatchMaker> {
        let missing = || Error::Internal(format!("batch {batch} is missing"));
        let cell = self.makers.get(batch).ok_or_else(missing)?;
        if let Some(maker) = cell.get() {
            return Ok(maker);
        }
        let table = self.view.table();
        if table.is_waiting(batch) {
            door::run(py, |_| table.batch(batch).map(drop))?; // values that are read for the first time
        }
        let source = table.batch(batch).map_err(data)?;
        let made = BatchMaker::new(py, source)?;
        Ok(cell.get_or_init(|| made))
    }

    fn array(&self, py: Python<'_>, name: &str, start: usize, stop: usize) -> PyResult<(ArrayRef, bool)> {
        let column = self.column_index(name)?;
        self.check(start, stop)?;
        let view = &self.view;
        if view.is_one_slice(start, stop - start) && view.is_at_hand(start, stop - start) {
            return door::inline(|| {
                Ok((view.column_array(column, start, stop - start).map_err(data)?, false))
            });
        }
        door::run(py, |_| {
            let array = view.column_array(column, start, stop - start)?;
            Ok::<_, Error>((array, view.is_one_slice(start, stop - start)))
        })
        .map(|(array, shared)| (array, !shared))
    }

    pub(crate) fn to_batches(&self, py: Python<'_>) -> PyResult<Vec<RecordBatch>> {
        let view = &self.view;
        if view.is_at_hand(0, view.num_rows()) {
            return door::inline(|| view.to_batches().map_err(data));
        }
        door::run(py, |_| view.to_batches())
    }
}

#[pymethods]
impl Table {
    #[getter]
    fn num_rows(&self) -> usize {
        self.view.num_rows()
    }

    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.view.table().schema().fields().iter().map(|f| f.name().clone()).collect()
    }

    /// Features as JSON, in the form that the Hub's files carry.
    #[getter]
    fn features(&self) -> PyResult<String> {
        Ok(crucible_data::features::features_json(&self.view.table().schema()).map_err(data)?.to_string())
    }

    /// Bytes of the table's buffers, all rows.
    #[getter]
    fn nbytes(&self) -> usize {
        self.view.table().nbytes()
    }

    /// The mapped file, if the table is one.
    #[getter]
    fn path(&self) -> Option<String> {
        self.view.table().path().map(|p| p.to_string_lossy().into_owned())
    }

    /// Whether the rows are a contiguous range of the table.
    #[getter]
    fn is_range(&self) -> bool {
        self.view.is_range()
    }

    /// The same rows with columns cast to `features`.
    fn with_features(&self, py: Python<'_>, features: &str) -> PyResult<Self> {
        let view = &self.view;
        let target = super::table_make::target_schema(features)?;
        let table = view.table();
        if table.schema_ref().as_ref() == &target {
            return Ok(self.reordered(view.clone()));
        }
        let most = limits(py)?;
        let cast = || {
            let made = |batches, view: Option<&View>| {
                let table = Arc::new(crucible_data::Table::try_new(Arc::new(target.clone()), batches)?);
                Ok::<_, Error>(Self::from_view(
                    view.map_or_else(|| View::new(table.clone()), |v| v.over(table.clone())),
                ))
            };
            let one = |batch: &RecordBatch| cast_batch_within(batch, &target, &most);
            // Types as they are cost nothing, so that the order can stay; so it does where rows come several times.
            let is_long = view.num_rows() > table.num_rows();
            if view.is_whole() || !view.is_range() && (is_long || has_types_of(table.schema_ref(), &target)) {
                let all = table.batches()?.iter().map(one).collect::<Result<Vec<_>, _>>();
                match all {
                    Err(error) if view.is_whole() => return Err(error.into()),
                    Err(_) => {} // perhaps in a row that is not shown
                    Ok(batches) => return made(batches, Some(view)),
                }
            }
            made(view.iter_batches().map(|batch| one(&batch?)).collect::<Result<Vec<_>, _>>()?, None)
        };
        let is_plain = super::table_make::is_stored_as(table.schema_ref(), &target);
        if is_plain && table.num_batches() == 1 && !table.is_waiting(0) {
            return Ok(cast()?); // nothing to do that is worth another thread
        }
        door::run(py, |_| cast())
    }

    /// Some columns, in the order given.
    #[expect(clippy::needless_pass_by_value, reason = "extracted from a Python sequence")]
    fn select_columns(&self, names: Vec<String>) -> PyResult<Self> {
        let columns = names.iter().map(|n| self.column_index(n)).collect::<PyResult<Vec<_>>>()?;
        let table = self.view.table().select_columns(&columns).map_err(data)?;
        Ok(Self::from_view(self.view.over(Arc::new(table))))
    }

    /// All columns under new names.
    #[expect(clippy::needless_pass_by_value, reason = "extracted from a Python sequence")]
    fn rename_columns(&self, names: Vec<String>) -> PyResult<Self> {
        let table = self.view.table().rename_columns(&names).map_err(data)?;
        Ok(Self::from_view(self.view.over(Arc::new(table))))
    }

    /// Rows `start..stop` of this view.
    fn slice(&self, start: usize, stop: usize) -> PyResult<Self> {
        self.check(start, stop)?;
        Ok(self.reordered(self.view.select_range(start, stop - start).map_err(data)?))
    }

    /// Start and stop of the rows around `index` that lie in one record batch; None where rows are not in order.
    fn part(&self, index: usize) -> Option<(usize, usize)> {
        self.view.part_around(index).map(|rows| (rows.start, rows.end))
    }

    /// The row of another view of the same table that these rows start with; None unless both are in order.
    fn start_in(&self, other: PyRef<'_, Self>) -> Option<usize> {
        let ((start, _), (first, _)) = (self.view.range()?, other.view.range()?);
        if Arc::ptr_eq(self.view.table(), other.view.table()) { start.checked_sub(first) } else { None }
    }

    /// The row of the whole table that is row `index` here.
    fn row_number(&self, index: usize) -> PyResult<usize> {
        self.check(index, index.saturating_add(1))?;
        self.view.order().get(index).ok_or_else(|| Error::Internal(format!("row {index} is missing")).into())
    }

    /// The rows of `indices` (`RowNumbers`, int64 or uint64 array, or an iterable of ints), in that order.
    fn select(&self, py: Python<'_>, indices: &Bound<'_, PyAny>) -> PyResult<Self> {
        let indices = indices::shared(py, indices)?;
        let view = &self.view;
        let select = |indices: Arc<Vec<u64>>| view.select_owned(indices);
        let selected = if indices.len() <= FEW_ROWS {
            door::inline(|| select(indices.clone()).map_err(data))
        } else {
            door::run(py, |_| select(indices.clone()))
        };
        match selected {
            Ok(selected) => Ok(self.reordered(selected)),
            Err(error) => Err(indices::too_large(&indices, view.num_rows()).unwrap_or(error)),
        }
    }

    /// One row as a dict.
    fn row<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyDict>> {
        door::inline(|| {
            self.check(index, index.saturating_add(1))?;
            let (maker, row) = self.place(py, index)?;
            maker.row(py, row)
        })
    }

    /// Rows `start..stop` as a list of dicts.
    fn rows<'py>(&self, py: Python<'py>, start: usize, stop: usize) -> PyResult<Bound<'py, PyList>> {
        door::inline(|| {
            self.check(start, stop)?;
            let _many = Paused::new(py);
            let rows = (start..stop)
                .map(|i| {
                    answer_signals(py, i)?;
                    let (maker, row) = self.place(py, i)?;
                    maker.row(py, row)
                })
                .collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, rows)
        })
    }

    /// Rows `start..stop` as a dict of lists.
    fn batch<'py>(&self, py: Python<'py>, start: usize, stop: usize) -> PyResult<Bound<'py, PyDict>> {
        door::inline(|| {
            self.check(start, stop)?;
            let batch = PyDict::new(py);
            for (column, field) in self.view.table().schema().fields().iter().enumerate() {
                batch.set_item(field.name(), self.values(py, column, start, stop)?)?;
            }
            Ok(batch)
        })
    }

    /// Values `start..stop` of a column as a list.
    fn column<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        start: usize,
        stop: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        door::inline(|| {
            let column = self.column_index(name)?;
            self.check(start, stop)?;
            self.values(py, column, start, stop)
        })
    }

    /// One value of a column.
    fn value<'py>(&self, py: Python<'py>, name: &str, index: usize) -> PyResult<Bound<'py, PyAny>> {
        door::inline(|| {
            let column = self.column_index(name)?;
            self.check(index, index.saturating_add(1))?;
            let (maker, row) = self.place(py, index)?;
            maker.value(py, column, row)
        })
    }

    /// Numbers `start..stop` of a column as memory: a read-only view of the table where the rows lie together in one
    /// batch, else a writable copy. Fixed-size lists of numbers are a dimension each. None if the column is not numeric or
    /// has nulls there.
    fn numeric(&self, py: Python<'_>, name: &str, start: usize, stop: usize) -> PyResult<Option<Buffer>> {
        let column = self.column_index(name)?;
        let schema = self.view.table().schema();
        if !numeric::is_numeric(schema.field(column).data_type()) {
            return Ok(None);
        }
        let (array, fresh) = self.array(py, name, start, stop)?;
        Ok(numeric::values(array, fresh))
    }

    /// Each row's bytes (binary, string, or the `bytes` of an image), without a copy where the rows lie together.
    fn column_bytes(
        &self,
        py: Python<'_>,
        name: &str,
        start: usize,
        stop: usize,
    ) -> PyResult<Vec<Option<Buffer>>> {
        let (array, _) = self.array(py, name, start, stop)?;
        numeric::byte_rows(&array).ok_or_else(|| {
            Error::unsupported(format!("column {name:?} of type {} has no bytes", array.data_type())).into()
        })
    }

    /// The Arrow stream of the view's rows; contiguous rows are shared, not copied.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The protocol lets a producer ignore a request that it cannot meet without a cast.
        drop(requested_schema);
        crate::arrow::export(py, self.said_schema(), self.to_batches(py)?)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        crate::arrow::export_schema(py, &self.said_schema())
    }

    fn __len__(&self) -> usize {
        self.view.num_rows()
    }

    fn __repr__(&self) -> String {
        format!("Table(num_rows={}, columns={:?})", self.view.num_rows(), self.column_names())
    }
}

/// Rows between two looks for Ctrl-C.
const SIGNALS: usize = 1 << 14;

/// Looks for Ctrl-C now and then while many objects are made with the GIL held.
fn answer_signals(py: Python<'_>, row: usize) -> PyResult<()> {
    if row.is_multiple_of(SIGNALS) { py.check_signals() } else { Ok(()) }
}

/// Whether the columns are those of a schema already, but for what is said about them.
fn has_types_of(schema: &Schema, target: &Schema) -> bool {
    schema.fields().len() == target.fields().len()
        && schema
            .fields()
            .iter()
            .zip(target.fields())
            .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}

impl Table {
    /// The schema as others see it: with the extension types of the features.
    fn said_schema(&self) -> SchemaRef {
        let schema = self.view.table().schema();
        match crucible_data::features::extended(&schema) {
            Ok(extended) => Arc::new(extended),
            Err(_) => schema, // a type without a feature can still be handed on
        }
    }

    pub(crate) fn values<'py>(
        &self,
        py: Python<'py>,
        column: usize,
        start: usize,
        stop: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let _many = Paused::new(py);
        if start < stop && self.view.is_one_slice(start, stop - start) {
            let (maker, row) = self.place(py, start)?;
            let end = row + stop - start;
            let made = maker.values(py, column, row, end.min(row + SIGNALS))?;
            for next in (row + SIGNALS..end).step_by(SIGNALS) {
                py.check_signals()?;
                let more = maker.values(py, column, next, end.min(next + SIGNALS))?;
                made.as_sequence().in_place_concat(more.as_sequence())?;
            }
            return Ok(made);
        }
        let values = (start..stop)
            .map(|i| {
                answer_signals(py, i)?;
                let (maker, row) = self.place(py, i)?;
                maker.value(py, column, row)
            })
            .collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, values)
    }
}

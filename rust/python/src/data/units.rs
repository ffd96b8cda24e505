//! `UnitReader`: a file that is read forward for streaming, from any unit on.

use std::sync::{Mutex, PoisonError};

use crucible_data::decode::units::{self, Unit, Units};
use crucible_data::decode::{CsvOptions, JsonOptions, TextOptions};
use crucible_data::{DataError, DataErrorKind, Format, ReadOptions};
use pyo3::prelude::*;

use super::table::Table;
use super::table_make::{features_value, parsed};
use crate::door;
use crate::errors::data;
use crate::limits::limits;
use crate::source::Source;

/// A text, JSON, CSV or Arrow file that is read from a unit on. It goes forward only.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct UnitReader {
    // Taken out while it reads, so that nobody waits for the lock with the GIL.
    units: Mutex<Option<Box<dyn Units>>>,
    name: String,
}

#[pymethods]
impl UnitReader {
    /// Starts at a position that `next_unit` gave as an end, or at the start. `features` (JSON) are imposed. The options are those of `Table.read`.
    #[new]
    #[pyo3(signature = (
        source, format, start=0, *, features=None, sample_by="line", keep_linebreaks=false, csv=None, json=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "each by name, from one Python caller")]
    #[expect(clippy::needless_pass_by_value, reason = "a handle, extracted from Python")]
    fn new(
        source: Bound<'_, Source>,
        format: &str,
        start: u64,
        features: Option<&str>,
        sample_by: &str,
        keep_linebreaks: bool,
        csv: Option<&str>,
        json: Option<&str>,
    ) -> PyResult<Self> {
        let csv: CsvOptions = parsed("csv", csv)?;
        let json: JsonOptions = parsed("json", json)?;
        let text = TextOptions { sample_by: sample_by.parse().map_err(data)?, keep_linebreaks };
        let format: Format = format.parse().map_err(data)?;
        let features = features.map(features_value).transpose()?;
        let bytes = Source::bytes(&source)?;
        let limits = limits(source.py())?;
        let units = door::run(source.py(), |cancel| {
            let cancel = cancel.clone();
            let options = ReadOptions { features, text, csv, json, limits, cancel, ..ReadOptions::default() };
            units::open(&bytes, format, start, &options)
        })?;
        Ok(Self { units: Mutex::new(Some(units)), name: bytes.name().to_owned() })
    }

    /// The next rows, and the positions of their start and end; None at the end.
    fn next_unit(&self, py: Python<'_>) -> PyResult<Option<(Table, u64, u64)>> {
        let taken = self.units.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut units = taken.ok_or_else(|| {
            let message = "another thread reads the file, or reading it failed before";
            data(DataError::new(DataErrorKind::Io, message).with_path(&self.name))
        })?;
        let (units, unit) = door::run(py, move |cancel| {
            let unit = units.next_unit(cancel)?;
            Ok::<_, DataError>((units, unit))
        })?;
        *self.units.lock().unwrap_or_else(PoisonError::into_inner) = Some(units);
        Ok(unit.map(|Unit { table, start, end }| (Table::new(table), start, end)))
    }

    /// The features (JSON) that a file tells without being read whole: the first lines of JSON, the schema of Arrow.
    #[staticmethod]
    #[pyo3(signature = (source, format, json=None))]
    #[expect(clippy::needless_pass_by_value, reason = "a handle, extracted from Python")]
    fn features(source: Bound<'_, Source>, format: &str, json: Option<&str>) -> PyResult<Option<String>> {
        let json: JsonOptions = parsed("json", json)?;
        let format: Format = format.parse().map_err(data)?;
        let bytes = Source::bytes(&source)?;
        let limits = limits(source.py())?;
        door::run(source.py(), |cancel| {
            let options = ReadOptions { json, limits, cancel: cancel.clone(), ..ReadOptions::default() };
            units::features(&bytes, format, &options).map(|found| found.map(|value| value.to_string()))
        })
    }
}

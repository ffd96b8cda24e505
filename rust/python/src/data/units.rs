//! `UnitReader`: a file that is read forward for streaming, from any unit on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crucible_data::decode::units::{self, Unit, Units};
use crucible_data::decode::{CsvOptions, JsonOptions, TextOptions};
use crucible_data::{DataError, DataErrorKind, Format, ReadOptions, Streaming};
use pyo3::prelude::*;

use super::table::Table;
use super::table_make::{features_value, parsed};
use crate::door::{self, Started};
use crate::errors::data;
use crate::limits::limits;
use crate::source::Source;

/// A reader and what it read.
type Read = (Box<dyn Units>, Option<Unit>);

enum State {
    Idle(Box<dyn Units>),
    /// The next unit is on its way.
    Ahead(Started<Read>),
}

/// A text, JSON, CSV or Arrow file that is read from a unit on. It goes forward only, one unit ahead once a second one
/// was wanted.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct UnitReader {
    // Taken out while it reads, so that nobody waits for the lock with the GIL.
    state: Mutex<Option<State>>,
    name: String,
    /// Whether units are small, so that one may be read ahead.
    small: bool,
    flowing: AtomicBool,
    _streaming: Streaming,
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
        Ok(Self {
            state: Mutex::new(Some(State::Idle(units))),
            name: bytes.name().to_owned(),
            small: format != Format::Arrow,
            flowing: AtomicBool::new(false),
            _streaming: Streaming::new(),
        })
    }

    /// The next rows, and the positions of their start and end; None at the end.
    fn next_unit(&self, py: Python<'_>) -> PyResult<Option<(Table, u64, u64)>> {
        let taken = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        let failed = |message: &str| data(DataError::new(DataErrorKind::Io, message).with_path(&self.name));
        let (units, unit) = match taken {
            Some(State::Idle(units)) => door::run(py, move |cancel| next(units, cancel))?,
            Some(State::Ahead(started)) => started
                .wait(py)?
                .ok_or_else(|| failed("it is being read by the process that this one is of"))?,
            None => return Err(failed("another thread reads the file, or reading it failed before")),
        };
        let ahead = self.small && unit.is_some() && self.flowing.swap(true, Ordering::Relaxed);
        let state = if ahead {
            State::Ahead(door::start(move |cancel| next(units, cancel))?)
        } else {
            State::Idle(units)
        };
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        Ok(unit.map(|Unit { table, start, end }| (Table::new(table), start, end)))
    }

    /// Whether the next unit is being read in another process, which this one was forked from.
    #[getter]
    fn lost(&self) -> bool {
        match self.state.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(State::Ahead(started)) => started.is_lost(),
            _ => false,
        }
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

fn next(mut units: Box<dyn Units>, cancel: &crucible_data::Cancel) -> Result<Read, DataError> {
    let unit = units.next_unit(cancel)?;
    Ok((units, unit))
}

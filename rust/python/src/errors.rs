//! Error kinds to Python exception classes (`_crucible.errors`), with facts as attributes, a hint as a note, and the
//! cause as `__cause__`. Text from Rust's `Debug` never reaches a user.

use std::collections::HashMap;

use crucible_data::{DataError, DataErrorKind};
use crucible_hub::{HubError, HubErrorKind};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Everything that can go wrong below the boundary.
pub(crate) enum Error {
    Hub(HubError),
    Data(DataError),
    Python(PyErr),
    Panic(String),
    Internal(String),
}

impl Error {
    /// A value or type that does not fit.
    pub(crate) fn schema(message: String) -> Self {
        Self::Data(DataError::new(DataErrorKind::Schema, message))
    }

    /// As `schema`, at a place.
    pub(crate) fn schema_at(message: String, column: &str, row: usize) -> Self {
        Self::Data(DataError::new(DataErrorKind::Schema, message).with_column(column).with_row(row as u64))
    }

    /// Something that is not built.
    pub(crate) fn unsupported(message: String) -> Self {
        Self::Data(DataError::new(DataErrorKind::Unsupported, message))
    }

    /// An Arrow error on values that are in memory.
    pub(crate) fn arrow(error: arrow_schema::ArrowError) -> Self {
        Self::Data(DataError::new(DataErrorKind::Schema, error.to_string()))
    }
}

impl From<HubError> for Error {
    fn from(error: HubError) -> Self {
        Self::Hub(error)
    }
}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<PyErr> for Error {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Error> for PyErr {
    #[expect(
        clippy::disallowed_methods,
        reason = "errors are converted on threads that hold or may take the GIL"
    )]
    fn from(error: Error) -> Self {
        Python::attach(|py| convert(py, error))
    }
}

/// `HubError` as a Python exception.
pub(crate) fn hub(error: HubError) -> PyErr {
    Error::Hub(error).into()
}

/// `DataError` as a Python exception.
pub(crate) fn data(error: DataError) -> PyErr {
    Error::Data(error).into()
}

fn convert(py: Python<'_>, error: Error) -> PyErr {
    let made = match &error {
        Error::Python(inner) => return inner.clone_ref(py),
        Error::Hub(inner) => hub_exception(py, inner),
        Error::Data(inner) => data_exception(py, inner),
        Error::Panic(text) => {
            let hint = format!(
                "This is a bug in crucible {} ({}). Please report it with the call that led here.",
                env!("CARGO_PKG_VERSION"),
                std::env::consts::OS
            );
            make(py, "InternalError", &format!("internal error: {text}"), &PyDict::new(py), Some(&hint))
        }
        Error::Internal(text) => {
            make(py, "InternalError", &format!("internal error: {text}"), &PyDict::new(py), None)
        }
    };
    made.unwrap_or_else(|failure| {
        failure.set_cause(py, None);
        failure
    })
}

fn make(
    py: Python<'_>,
    class: &str,
    message: &str,
    facts: &Bound<'_, PyDict>,
    hint: Option<&str>,
) -> PyResult<PyErr> {
    let exception = py.import("_crucible.errors")?.call_method1("_make", (class, message, facts, hint))?;
    Ok(PyErr::from_value(exception))
}

fn hub_class(kind: HubErrorKind) -> &'static str {
    match kind {
        HubErrorKind::RepositoryNotFound => "RepositoryNotFoundError",
        HubErrorKind::RevisionNotFound => "RevisionNotFoundError",
        HubErrorKind::EntryNotFound => "RemoteEntryNotFoundError",
        HubErrorKind::Gated => "GatedRepoError",
        HubErrorKind::Disabled => "DisabledRepoError",
        HubErrorKind::Unauthorized => "UnauthorizedError",
        HubErrorKind::Forbidden => "ForbiddenError",
        HubErrorKind::BadRequest => "BadRequestError",
        HubErrorKind::RateLimited => "RateLimitedError",
        HubErrorKind::Connection => "HubConnectionError",
        HubErrorKind::Offline => "OfflineModeIsEnabled",
        HubErrorKind::LocalEntryNotFound => "LocalEntryNotFoundError",
        HubErrorKind::IncompleteSnapshot => "IncompleteSnapshotError",
        HubErrorKind::DryRun => "DryRunError",
        HubErrorKind::ForceDownload => "ForceDownloadError",
        HubErrorKind::Integrity => "IntegrityError",
        HubErrorKind::DiskFull => "DiskFullError",
        HubErrorKind::LockTimeout => "LockTimeoutError",
        HubErrorKind::InvalidRepoId | HubErrorKind::InvalidArgument => "HFValidationError",
        HubErrorKind::TokenNotFound => "LocalTokenNotFoundError",
        HubErrorKind::Archive => "ArchiveError",
        HubErrorKind::ArchiveLimit => "ArchiveLimitError",
        HubErrorKind::Io => "HubError",
        _ => "HfHubHTTPError",
    }
}

fn hub_exception(py: Python<'_>, error: &HubError) -> PyResult<PyErr> {
    let context = error.context();
    let facts = PyDict::new(py);
    facts.set_item("url", &context.url)?;
    facts.set_item("status", context.status)?;
    facts.set_item("request_id", &context.request_id)?;
    facts.set_item("error_code", &context.error_code)?;
    facts.set_item("server_message", &context.server_message)?;
    facts.set_item("repo_id", &context.repo_id)?;
    facts.set_item("revision", &context.revision)?;
    facts.set_item("path", &context.path)?;
    facts.set_item("offset", context.offset)?;
    facts.set_item("retry_after", context.retry_after)?;
    facts.set_item("tries", context.tries)?;
    if !context.headers.is_empty() {
        facts.set_item("headers", context.headers.iter().cloned().collect::<HashMap<_, _>>())?;
    }
    facts.set_item("snapshot_path", &context.snapshot_path)?;
    facts.set_item("expected", &context.expected)?;
    facts.set_item("actual", &context.actual)?;
    if !context.missing.is_empty() {
        facts.set_item("missing", &context.missing)?;
    }
    let class = match error.kind() {
        HubErrorKind::Connection if context.timed_out => "HubTimeoutError",
        kind => hub_class(kind),
    };
    let made = make(py, class, &error.to_string(), &facts, context.hint.as_deref())?;
    if let Some(source) = std::error::Error::source(error) {
        let cause = match source.downcast_ref::<HubError>() {
            Some(inner) => hub_exception(py, inner)?,
            None => PyOSError::new_err(chain(source)),
        };
        made.set_cause(py, Some(cause));
    }
    Ok(made)
}

fn data_class(kind: DataErrorKind) -> &'static str {
    match kind {
        DataErrorKind::NotFound => "DataFileNotFoundError",
        DataErrorKind::Io | DataErrorKind::DiskFull => "DataIOError",
        DataErrorKind::Decode => "DecodeError",
        DataErrorKind::Limit => "LimitError",
        DataErrorKind::Schema => "SchemaError",
        DataErrorKind::MissingColumn => "MissingColumnError",
        DataErrorKind::OutOfBounds => "OutOfBoundsError",
        DataErrorKind::Unsupported => "UnsupportedError",
        _ => "InternalError",
    }
}

fn data_exception(py: Python<'_>, error: &DataError) -> PyResult<PyErr> {
    // An error that came through a hub-backed source keeps its own class.
    if let Some(inner) = std::error::Error::source(error).and_then(|s| s.downcast_ref::<HubError>()) {
        return hub_exception(py, inner);
    }
    let facts = PyDict::new(py);
    facts.set_item("path", error.path())?;
    facts.set_item("row_group", error.row_group())?;
    facts.set_item("row", error.row())?;
    facts.set_item("line", error.line())?;
    facts.set_item("column", error.column())?;
    let made = make(py, data_class(error.kind()), &error.to_string(), &facts, None)?;
    if let Some(source) = std::error::Error::source(error) {
        made.set_cause(py, Some(PyRuntimeError::new_err(chain(source))));
    }
    Ok(made)
}

/// The texts of an error and of what caused it, once each.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}

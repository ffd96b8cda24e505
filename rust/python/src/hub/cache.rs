//! Work on files that are there already: hashing, unpacking.

use std::path::PathBuf;

use crucible_hub::{ExtractLimits, HashForm, hash_file};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::door;
use crate::errors::Error;

/// Length and hash of each file, or why it could not be read.
type Hashed = (Option<u64>, Option<String>, Option<String>);

/// Hashes files in parallel, each in the form of a name: 64 hex digits for sha256, 40 for git's sha1.
#[pyfunction]
pub(crate) fn hash_files(py: Python<'_>, files: Vec<(PathBuf, String)>) -> PyResult<Vec<Hashed>> {
    let forms: Vec<HashForm> = files
        .iter()
        .map(|(_, name)| {
            HashForm::of_name(name)
                .ok_or_else(|| PyValueError::new_err(format!("{name:?} is the name of no hash")))
        })
        .collect::<PyResult<_>>()?;
    door::run(py, |cancel| {
        let stop = || cancel.is_cancelled();
        let hash = |((path, _), form): (&(PathBuf, String), &HashForm)| match hash_file(path, *form, &stop) {
            Ok((size, hash)) => (Some(size), Some(hash), None),
            Err(error) => (None, None, Some(error.to_string())),
        };
        Ok::<_, Error>(files.par_iter().zip(&forms).map(hash).collect())
    })
}

/// Unpacks an archive into a folder that must not exist. Returns the path of what came out, its entries and bytes.
#[pyfunction]
#[pyo3(signature = (archive, name, destination, *, max_bytes=None, max_ratio=None, max_entries=None, max_depth=None))]
#[expect(clippy::too_many_arguments, reason = "limits by name")]
pub(crate) fn extract_archive(
    py: Python<'_>,
    archive: PathBuf,
    name: &str,
    destination: PathBuf,
    max_bytes: Option<u64>,
    max_ratio: Option<u64>,
    max_entries: Option<u64>,
    max_depth: Option<usize>,
) -> PyResult<(PathBuf, u64, u64)> {
    let default = ExtractLimits::default();
    let limits = ExtractLimits {
        max_bytes: max_bytes.unwrap_or(default.max_bytes),
        max_ratio: max_ratio.unwrap_or(default.max_ratio),
        max_entries: max_entries.unwrap_or(default.max_entries),
        max_depth: max_depth.unwrap_or(default.max_depth),
    };
    let done = door::run(py, |cancel| {
        crucible_hub::extract(&archive, name, &destination, limits, &|| cancel.is_cancelled())
    })?;
    Ok((done.path, done.entries, done.bytes))
}

//! Record batches to files. A file appears under its name only when it is complete.

use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{DataError, DataErrorKind};

pub mod csv;
mod csv_cells;
mod csv_dialect;
pub mod ipc;
pub mod parquet;
pub mod records;
mod records_values;
mod text;

/// Writes a file through a temporary one in the same folder, renamed when `write` is done.
///
/// # Errors
/// What `write` returned, or an I/O error with the path; the temporary file is removed.
pub(crate) fn atomically<F>(path: &Path, write: F) -> Result<(), DataError>
where
    F: FnOnce(&mut (dyn Write + Send)) -> Result<(), DataError>,
{
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let failed = |error: std::io::Error| io_error(path, error);
    let mut temporary = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder).map_err(failed)?;
    {
        let mut buffered = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
        write(&mut buffered)?;
        buffered.flush().map_err(failed)?;
    }
    widen_mode(temporary.as_file()).map_err(failed)?;
    temporary.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Temporary files are made for their owner alone; a finished one is readable as the umask would have it.
#[cfg(unix)]
pub(crate) fn widen_mode(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub(crate) fn widen_mode(_file: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

pub(crate) fn io_error(path: &Path, error: std::io::Error) -> DataError {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => DataErrorKind::DiskFull,
        std::io::ErrorKind::NotFound => DataErrorKind::NotFound,
        _ => DataErrorKind::Io,
    };
    DataError::new(kind, format!("cannot write: {error}"))
        .with_path(path.to_string_lossy())
        .with_source(error)
}

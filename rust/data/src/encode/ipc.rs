//! Arrow IPC writer: the file and the stream form, plain or compressed.

use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, SchemaRef};

use super::{atomically, io_error};
use crate::cancel::Cancel;
use crate::error::{DataError, DataErrorKind};

/// How batches become Arrow IPC.
#[derive(Clone, Copy, Debug, Default)]
pub struct IpcOptions {
    /// Whether to write the stream form; else the file form, which has an index at its end.
    pub stream: bool,
    /// How buffers are compressed.
    pub compression: IpcCompression,
}

/// How the buffers of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpcCompression {
    /// As they are: such files can be mapped.
    #[default]
    None,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl FromStr for IpcCompression {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        match name {
            "uncompressed" => Ok(Self::None),
            "lz4" => Ok(Self::Lz4),
            "zstd" => Ok(Self::Zstd),
            other => {
                let message = format!("unknown compression {other:?}; known: uncompressed, lz4, zstd");
                Err(DataError::new(DataErrorKind::Schema, message))
            }
        }
    }
}

/// Writes batches as one file, complete or not at all.
///
/// # Errors
/// `Io` or `DiskFull` with the path, what a batch failed with, or `Cancelled`.
pub fn write_ipc(
    path: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
    options: IpcOptions,
    cancel: &Cancel,
) -> Result<(), DataError> {
    let failed = |error: ArrowError| match error {
        ArrowError::IoError(_, inner) => io_error(path, inner),
        other => DataError::new(DataErrorKind::Io, format!("cannot write Arrow IPC: {other}"))
            .with_path(path.to_string_lossy()),
    };
    let compression = match options.compression {
        IpcCompression::None => None,
        IpcCompression::Lz4 => Some(CompressionType::LZ4_FRAME),
        IpcCompression::Zstd => Some(CompressionType::ZSTD),
    };
    let how = IpcWriteOptions::default().try_with_compression(compression).map_err(failed)?;
    atomically(path, |out: &mut (dyn Write + Send)| {
        if options.stream {
            let mut writer = StreamWriter::try_new_with_options(out, schema, how).map_err(failed)?;
            for batch in batches {
                cancel.check()?;
                writer.write(&batch?).map_err(failed)?;
            }
            writer.finish().map_err(failed)
        } else {
            let mut writer = FileWriter::try_new_with_options(out, schema, how).map_err(failed)?;
            for batch in batches {
                cancel.check()?;
                writer.write(&batch?).map_err(failed)?;
            }
            writer.finish().map_err(failed)
        }
    })
}

//! What the targets have in common.

use crucible_data::{DataErrorKind, Format, Limits, ReadOptions, read_files};

/// Reads bytes as a file of a format. Any outcome is fine but a panic, an abort and an `Internal` error.
pub fn read(data: &[u8], format: Format) {
    let path = std::env::temp_dir().join(format!("crucible-fuzz-{}", std::process::id()));
    std::fs::write(&path, data).unwrap();
    let limits = Limits { max_unpacked_bytes: 1 << 20, ..Limits::default() };
    let options = ReadOptions { limits, ..ReadOptions::default() };
    if let Err(error) = read_files(&[path], format, &options) {
        assert!(error.kind() != DataErrorKind::Internal, "{error}");
    }
}

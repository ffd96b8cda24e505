//! What the targets have in common.

use std::sync::Arc;

use crucible_data::decode::tar::Samples;
use crucible_data::{ByteSource, DataErrorKind, Format, Limits, MemorySource, ReadOptions, read_files};

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::abort;
use std::sync::Once;

/// Does something with an input. A panic that a reader catches is no finding, though libFuzzer's own hook ends the
/// process for it; one that gets out is.
pub fn guarded(work: impl FnOnce()) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| set_hook(Box::new(|_| ())));
    if let Err(cause) = catch_unwind(AssertUnwindSafe(work)) {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        eprintln!("a panic got out: {}", text.or(cause.downcast_ref::<&str>().copied()).unwrap_or("?"));
        abort();
    }
}

/// Reads bytes as a file of a format. Any outcome is fine but a panic, an abort and an `Internal` error.
pub fn read(data: &[u8], format: Format) {
    let path = std::env::temp_dir().join(format!("crucible-fuzz-{}", std::process::id()));
    std::fs::write(&path, data).unwrap();
    let limits = Limits { max_unpacked_bytes: 1 << 20, max_page_bytes: 1 << 20, ..Limits::default() };
    let options = ReadOptions { limits, ..ReadOptions::default() };
    guarded(|| {
        if let Err(error) = read_files(&[path], format, &options) {
            assert!(error.kind() != DataErrorKind::Internal, "{error}");
        }
    });
}

/// Reads bytes as a WebDataset archive.
pub fn read_tar(data: &[u8]) {
    let source: Arc<dyn ByteSource> = Arc::new(MemorySource::new("input", data.to_vec()));
    let limits = Limits { max_unpacked_bytes: 1 << 20, max_member_bytes: 1 << 20, ..Limits::default() };
    let Ok(mut samples) = Samples::open(&source, 0, &limits) else { return };
    loop {
        match samples.next_sample() {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => {
                assert!(error.kind() != DataErrorKind::Internal, "{error}");
                return;
            }
        }
    }
}

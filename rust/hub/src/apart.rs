//! Work that reads files, on a thread that may wait for a disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::spawn_blocking;

use crate::error::{HubError, HubErrorKind};

/// Sets a flag when it is dropped.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs work apart. Its flag is set when nobody waits for it any more.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> Result<T, HubError> + Send + 'static,
) -> Result<T, HubError> {
    let stop = Stop(Arc::default());
    let flag = stop.0.clone();
    spawn_blocking(move || work(&flag))
        .await
        .map_err(|e| HubError::new(HubErrorKind::Io, format!("reading a file failed: {e}")))?
}

//! A flag by which a caller asks running work to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{DataError, DataErrorKind};

/// Shared by the caller and the work; clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// `Cancelled` once the flag is set.
    pub fn check(&self) -> Result<(), DataError> {
        if self.is_cancelled() { Err(DataError::new(DataErrorKind::Cancelled, "cancelled")) } else { Ok(()) }
    }
}

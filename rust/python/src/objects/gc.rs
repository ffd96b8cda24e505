//! Python's cyclic garbage collector, paused while many objects are made.
#![expect(unsafe_code, reason = "PyO3 has no safe way to pause the collector; this file is its one home")]

use pyo3::ffi;
use pyo3::prelude::*;

/// The collector is paused until this is dropped, unless it was off already.
///
/// It runs after every 700 new containers and looks at all that live, time and again, although rows that were made just
/// now cannot be garbage: making 20,000 nested rows took four times as long with it.
pub(crate) struct Paused<'py> {
    was_on: bool,
    _py: Python<'py>,
}

impl<'py> Paused<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        // SAFETY: the thread is attached, as `py` shows.
        let was_on = unsafe { ffi::PyGC_Disable() } == 1;
        Self { was_on, _py: py }
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if self.was_on {
            // SAFETY: the thread is attached: `Paused` lives no longer than the token it was made with.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

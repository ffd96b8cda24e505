//! Entry points by which tests see the door at work: a panic, a wait, a computation, busy threads, the engine's pid.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::door::{self, Started};
use crate::engine::engine;
use crate::errors::Error;

#[pyfunction]
#[expect(clippy::panic, reason = "the test of panics needs one")]
pub(crate) fn _test_panic(py: Python<'_>) -> PyResult<()> {
    door::run(py, |_| -> Result<(), Error> { panic!("a panic made on purpose") })
}

#[pyfunction]
pub(crate) fn _test_sleep(py: Python<'_>, seconds: f64) -> PyResult<()> {
    let length = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    door::wait(py, async move {
        tokio::time::sleep(length).await;
        Ok::<(), Error>(())
    })
}

#[pyfunction]
pub(crate) fn _test_spin(py: Python<'_>, seconds: f64) -> PyResult<()> {
    let end = Instant::now() + Duration::try_from_secs_f64(seconds).unwrap_or_default();
    door::run(py, |cancel| {
        while Instant::now() < end {
            cancel.check()?;
            std::hint::spin_loop();
        }
        Ok::<(), Error>(())
    })
}

#[pyfunction]
pub(crate) fn _test_engine_pid() -> PyResult<u32> {
    Ok(engine()?.pid())
}

/// Something to do for all decode threads, until it is dropped.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct Busy(#[expect(dead_code, reason = "it stops when it is dropped")] Vec<Started<()>>);

#[pyfunction]
pub(crate) fn _test_busy() -> PyResult<Busy> {
    let spin = |_| {
        door::start(|cancel| {
            while cancel.check().is_ok() {
                std::hint::spin_loop();
            }
            Ok::<(), Error>(())
        })
    };
    (0..engine()?.cpu.current_num_threads()).map(spin).collect::<PyResult<_>>().map(Busy)
}

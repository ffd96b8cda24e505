//! The one place that releases the GIL, waits, polls signals and catches panics.
//!
//! `run` is for CPU work (done on the pool), `here` for work that mostly waits, `wait` for futures (both run on the
//! caller's thread). All look for a pending signal every 50 ms (`here` while it waits), so Ctrl-C is answered well within
//! 200 ms as long as the work checks its `Cancel`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crucible_data::{Cancel, DataError};
use pyo3::prelude::*;

use crate::engine::{Engine, engine};
use crate::errors::Error;
use crate::hub::request::show_warnings;

const TICK: Duration = Duration::from_millis(50);

/// Runs CPU work on decode threads with the GIL released. It does not stand behind what is read ahead.
///
/// `work` gets a `Cancel` that is set when a signal arrives; the door then waits for `work` to notice it.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub(crate) fn run<T, E, F>(py: Python<'_>, work: F) -> PyResult<T>
where
    T: Send,
    E: Into<Error>,
    F: FnOnce(&Cancel) -> Result<T, E> + Send,
{
    let engine = engine()?;
    let cancel = Cancel::new();
    let outcome = py.detach(|| {
        let (done, finished) = sync_channel::<()>(1);
        let mut result: Option<Result<T, Error>> = None;
        let mut interrupt: Option<PyErr> = None;
        let (slot, stop) = (&mut result, &cancel);
        engine.front().in_place_scope(|scope| {
            scope.spawn(move |_| {
                let _known = Stoppable::by(stop);
                *slot = Some(caught(|| work(stop).map_err(Into::into)));
                let _ = done.send(());
            });
            while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TICK) {
                if interrupt.is_none()
                    && let Err(error) = Python::attach(|py| py.check_signals())
                {
                    interrupt = Some(error);
                    stop.cancel();
                }
            }
        });
        match interrupt {
            Some(error) => Err(Error::Python(error)),
            None => result.unwrap_or_else(|| Err(Error::Internal("the work left no result".into()))),
        }
    });
    Ok(outcome?)
}

/// Work that goes on while Python does something else. Dropping it asks the work to stop and waits for nothing.
pub(crate) struct Started<T> {
    pid: u32,
    cancel: Cancel,
    done: Mutex<Receiver<Result<T, Error>>>,
}

impl<T> Drop for Started<T> {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Starts CPU work on the decode pool. It holds nothing of Python's.
pub(crate) fn start<T, E, F>(work: F) -> PyResult<Started<T>>
where
    T: Send + 'static,
    E: Into<Error>,
    F: FnOnce(&Cancel) -> Result<T, E> + Send + 'static,
{
    let (promise, started) = promise()?;
    promise.run(work);
    Ok(started)
}

/// Work that begins later, when what it needs is there. Dropped, it leaves who waits without a result.
pub(crate) struct Promise<T> {
    engine: &'static Engine,
    stop: Cancel,
    send: SyncSender<Result<T, Error>>,
}

/// A promise of CPU work, and what is waited for.
pub(crate) fn promise<T: Send + 'static>() -> PyResult<(Promise<T>, Started<T>)> {
    let engine = engine()?;
    let (send, done) = sync_channel(1);
    let cancel = Cancel::new();
    let promise = Promise { engine, stop: cancel.clone(), send };
    Ok((promise, Started { pid: engine.pid(), cancel, done: Mutex::new(done) }))
}

/// Runs work that mostly waits on this thread, with the GIL released: it does not stand behind what is being decoded, and
/// must not divide itself among decode threads. Its waits (`block`) look for signals.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub(crate) fn here<T, E, F>(py: Python<'_>, work: F) -> PyResult<T>
where
    T: Send,
    E: Into<Error>,
    F: FnOnce(&Cancel) -> Result<T, E> + Send,
{
    engine()?;
    let cancel = Cancel::new();
    let outcome = py.detach(|| {
        let _known = Stoppable::by(&cancel);
        let before = RAISED.with(|raised| raised.borrow_mut().replace(Ok(())));
        let result = caught(|| work(&cancel).map_err(Into::into));
        match RAISED.with(|raised| std::mem::replace(&mut *raised.borrow_mut(), before)) {
            Some(Err(interrupt)) => Err(Error::Python(interrupt)),
            _ => result,
        }
    });
    Ok(outcome?)
}

impl<T: Send + 'static> Promise<T> {
    /// Starts the work on the decode pool.
    pub(crate) fn run<E, F>(self, work: F)
    where
        E: Into<Error>,
        F: FnOnce(&Cancel) -> Result<T, E> + Send + 'static,
    {
        let Self { engine, stop, send } = self;
        let busy = engine.busy();
        engine.cpu.spawn(move || {
            let _busy = busy;
            let _known = Stoppable::by(&stop);
            let result = caught(|| {
                stop.check().map_err(Error::from)?;
                work(&stop).map_err(Into::into)
            });
            let _ = send.send(result); // nobody waits any more: the result is dropped
        });
    }
}

impl<T> Started<T> {
    /// Whether the work goes on in another process only.
    pub(crate) fn is_lost(&self) -> bool {
        self.pid != std::process::id()
    }
}

impl<T: Send> Started<T> {
    /// The result, once. `None` in a forked child: the work goes on in the parent alone.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub(crate) fn wait(&self, py: Python<'_>) -> PyResult<Option<T>> {
        if self.pid != std::process::id() {
            return Ok(None);
        }
        let outcome = py.detach(|| {
            let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                match done.recv_timeout(TICK) {
                    Ok(result) => return result,
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Error::Internal("the work left no result, or it was taken".into()));
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        Python::attach(|py| py.check_signals()).map_err(Error::Python)?;
                    }
                }
            }
        });
        Ok(Some(outcome?))
    }
}

/// Runs a future on this thread with the GIL released; dropped, and so cancelled, when a signal arrives.
pub(crate) fn wait<T, E, F>(py: Python<'_>, work: F) -> PyResult<T>
where
    T: Send,
    E: Into<Error>,
    F: Future<Output = Result<T, E>> + Send,
{
    wait_with(py, work, |_| Ok(()))
}

/// As `wait`, and calls `on_tick` on this thread about every 50 ms and once at the end (progress bars).
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub(crate) fn wait_with<T, E, F, C>(py: Python<'_>, work: F, mut on_tick: C) -> PyResult<T>
where
    T: Send,
    E: Into<Error>,
    F: Future<Output = Result<T, E>> + Send,
    C: FnMut(Python<'_>) -> PyResult<()> + Send,
{
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(Error::Internal("called from inside the I/O runtime".into()).into());
    }
    let engine = engine()?;
    let tick = &mut on_tick;
    let outcome = py.detach(|| {
        caught(|| {
            drive(engine, work, || {
                Python::attach(|py| py.check_signals().and_then(|()| tick(py))).map_err(Error::Python)
            })?
            .map_err(Into::into)
        })
    });
    let value = outcome?;
    on_tick(py)?;
    if let Some(http) = engine.http_if_used() {
        show_warnings(py, http)?;
    }
    Ok(value)
}

thread_local! {
    /// What stops the work that this thread does.
    static STOP: RefCell<Option<Cancel>> = const { RefCell::new(None) };
    /// On a caller's thread in `here`: what a signal raised, if one did.
    static RAISED: RefCell<Option<Result<(), PyErr>>> = const { RefCell::new(None) };
}

/// While it lives, waits on this thread end when the work is asked to stop. A thread that waits for parts of its work may
/// do other work meanwhile: the flag before comes back.
struct Stoppable(Option<Cancel>);

impl Stoppable {
    fn by(cancel: &Cancel) -> Self {
        Self(STOP.with(|stop| stop.borrow_mut().replace(cancel.clone())))
    }
}

impl Drop for Stoppable {
    fn drop(&mut self) {
        let before = self.0.take();
        STOP.with(|stop| *stop.borrow_mut() = before);
    }
}

/// Stops the work of a caller's thread when a signal is pending. Decode threads have none.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn look_for_signals(stop: &Cancel) {
    let of_caller = RAISED.with(|raised| raised.borrow().is_some());
    // Handlers are Python: nothing is borrowed while they run.
    if of_caller && let Err(error) = Python::attach(|py| py.check_signals()) {
        RAISED.with(|raised| *raised.borrow_mut() = Some(Err(error)));
        stop.cancel();
    }
}

/// Runs a future in the work of a decode thread, or of a caller's in `here`. It is dropped, its connections with it, when the
/// work is asked to stop.
///
/// # Errors
/// `Cancelled`.
pub(crate) fn block<T>(engine: &Engine, work: impl Future<Output = T>) -> Result<T, DataError> {
    let Some(stop) = STOP.with(|stop| stop.borrow().clone()) else {
        return drive(engine, work, || Ok(())); // a part of some work, done by another thread
    };
    stop.check()?;
    drive(engine, work, || {
        look_for_signals(&stop);
        stop.check()
    })
}

/// Runs a future on this thread, and calls `on_tick` about every 50 ms until that fails. It is called outside of the
/// runtime: handlers of signals may use this library, which would be refused inside.
fn drive<T, E>(
    engine: &Engine,
    work: impl Future<Output = T>,
    mut on_tick: impl FnMut() -> Result<(), E>,
) -> Result<T, E> {
    let done = Cell::new(None);
    let mut inside = Inside { engine, work: Some(Box::pin(async { done.set(Some(work.await)) })) };
    loop {
        inside.turn();
        if let Some(done) = done.take() {
            return Ok(done);
        }
        on_tick()?;
    }
}

/// A future that is dropped inside of the runtime, as what it holds may need. Its type is hidden: each kind of future would
/// bring the runtime's waiting with it, 8 KB of code.
struct Inside<'w> {
    engine: &'w Engine,
    work: Option<Work<'w>>,
}

type Work<'w> = Pin<Box<dyn Future<Output = ()> + 'w>>;

impl Inside<'_> {
    /// Goes on for a tick, or until the future is ready.
    fn turn(&mut self) {
        let turn = async {
            if let Some(work) = self.work.as_mut() {
                let _ = tokio::time::timeout(TICK, work).await; // it is asked again
            }
        };
        self.engine.io.block_on(turn);
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let _entered = self.engine.io.enter();
        self.work = None;
    }
}

/// Turns a panic into an error: PyO3's own `PanicException` slips past `except Exception`.
fn caught<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(Error::Panic(panic_text(payload.as_ref()))))
}

/// Runs short work with the GIL held, panics caught.
pub(crate) fn inline<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(Error::Panic(panic_text(payload.as_ref())).into()))
}

thread_local! {
    /// Where the last panic of this thread happened.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics off stderr: they are raised as exceptions, with their place.
pub(crate) fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        PLACE.with(|last| *last.borrow_mut() = place);
    }));
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
        + &PLACE.with(|place| match place.borrow().as_str() {
            "" => String::new(),
            place => format!(" (at {place})"),
        })
}

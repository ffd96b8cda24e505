//! The one place that makes threads: the tokio runtime, the decode pool and the HTTP client of this process.
//!
//! An engine belongs to one pid. After a `fork` its threads are gone, so the child builds its own on first use and
//! *leaks* the inherited one: dropping it would join threads that no longer exist, and hang. The pid is compared before
//! any lock is taken, since an inherited lock may be held for ever.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crucible_hub::{Http, HubError};

use crate::errors::Error;

/// Threads and connections of one process.
pub(crate) struct Engine {
    pid: u32,
    /// I/O: sockets and timers. The future of a call itself runs on the caller's thread (see `door::wait`).
    pub(crate) io: tokio::runtime::Runtime,
    /// CPU: decoding, gathering, images.
    pub(crate) cpu: rayon::ThreadPool,
    /// As `cpu`, for who waits while that is busy with what is read ahead.
    front: OnceLock<rayon::ThreadPool>,
    /// Pieces of work that `cpu` has and nobody may wait for.
    ahead: AtomicUsize,
    /// One for all clients: its connections are kept per settings, its rate budget is the process's.
    http: OnceLock<Http>,
}

static CURRENT: AtomicPtr<Engine> = AtomicPtr::new(std::ptr::null_mut());

/// The engine of this process, built on first use and again after a fork.
pub(crate) fn engine() -> Result<&'static Engine, Error> {
    let pid = std::process::id();
    let current = CURRENT.load(Ordering::Acquire);
    if let Some(engine) = live(current)
        && engine.pid == pid
    {
        return Ok(engine);
    }
    let fresh = Box::into_raw(Box::new(Engine::build(pid)?));
    match CURRENT.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire) {
        // What `current` pointed to is never freed: other threads may hold it, and after a fork it must not be dropped.
        Ok(_) => live(fresh).ok_or_else(|| Error::Internal("engine pointer is null".into())),
        Err(winner) => {
            discard(fresh);
            live(winner).ok_or_else(|| Error::Internal("engine pointer is null".into()))
        }
    }
}

#[expect(unsafe_code, reason = "engines are leaked, so a published pointer stays valid for ever")]
fn live(pointer: *mut Engine) -> Option<&'static Engine> {
    // SAFETY: the pointer is null or came from `Box::into_raw` in `engine` and is never freed once published.
    unsafe { pointer.as_ref() }
}

#[expect(unsafe_code, reason = "the loser of the race owns its unpublished engine")]
fn discard(fresh: *mut Engine) {
    // SAFETY: `fresh` came from `Box::into_raw` a moment ago and was never published.
    let engine = unsafe { Box::from_raw(fresh) };
    engine.io.shutdown_background();
}

impl Engine {
    #[expect(clippy::disallowed_methods, reason = "engine.rs is the home of threads and runtimes")]
    fn build(pid: u32) -> Result<Self, Error> {
        let threads = threads();
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.clamp(1, 4))
            .thread_name("crucible-io")
            .enable_all()
            .build()
            .map_err(|e| Error::Internal(format!("cannot start the I/O runtime: {e}")))?;
        let cpu = pool("crucible-cpu", threads)
            .map_err(|e| Error::Internal(format!("cannot start the decode pool: {e}")))?;
        let ahead = AtomicUsize::new(0);
        Ok(Self { pid, io, cpu, front: OnceLock::new(), ahead, http: OnceLock::new() })
    }

    /// The threads for work that somebody waits for. A pool does its work in the order in which it came, and a row group
    /// that is read ahead takes tens of milliseconds: joining two tables shall not stand behind some of these. So there
    /// are others for it, made once they are needed, and the scheduler divides the processors among them.
    pub(crate) fn front(&self) -> &rayon::ThreadPool {
        if self.ahead.load(Ordering::Acquire) == 0 {
            return &self.cpu;
        }
        if let Some(front) = self.front.get() {
            return front;
        }
        match pool("crucible-front", self.cpu.current_num_threads()) {
            Ok(made) => self.front.get_or_init(|| made),
            Err(_) => &self.cpu, // no more threads: then it waits its turn
        }
    }

    /// Says that `cpu` has work that nobody may wait for, until it is dropped.
    pub(crate) fn busy(&'static self) -> Busy {
        self.ahead.fetch_add(1, Ordering::AcqRel);
        Busy(self)
    }

    /// The HTTP client of this process: one connection pool for every hub call.
    pub(crate) fn http(&self, config: &crucible_hub::HubConfig) -> Result<Http, HubError> {
        if let Some(http) = self.http.get() {
            return Ok(http.clone());
        }
        let made = Http::new(config)?;
        Ok(self.http.get_or_init(|| made).clone())
    }

    /// The HTTP client, if there was a call to the hub.
    pub(crate) fn http_if_used(&self) -> Option<&Http> {
        self.http.get()
    }

    /// The pid that this engine serves.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }
}

/// While one lives, who waits gets threads of its own.
pub(crate) struct Busy(&'static Engine);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.ahead.fetch_sub(1, Ordering::AcqRel);
    }
}

#[expect(clippy::disallowed_methods, reason = "engine.rs is the home of threads and runtimes")]
fn pool(name: &'static str, threads: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(move |i| format!("{name}-{i}")).build()
}

/// Decode threads: `CRUCIBLE_NUM_THREADS`, else what the scheduler and the cgroup allow.
#[expect(clippy::disallowed_methods, reason = "the engine's own size is read once, where it is built")]
fn threads() -> usize {
    std::env::var("CRUCIBLE_NUM_THREADS")
        .ok()
        .and_then(|v| v.trim().parse::<usize>().ok())
        .filter(|n| (1..=1024).contains(n))
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

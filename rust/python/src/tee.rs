//! A file of the hub that is read and kept at once: what came is in the cache for the next reader.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::{Bytes, BytesMut};
use crucible_data::source::{Coming, Stopper, Then};
use crucible_data::{ByteSource, DataError, LocalSource};
use crucible_hub::{BLOCK, Kept};
use pyo3::prelude::*;
use tokio::sync::watch;

use crate::door;
use crate::engine::engine;
use crate::errors::hub;
use crate::hub::client::{HubClient, plural, repo_ref};
use crate::source::{HubRange, HubSource, HubStopper, Source, no_engine};

/// Blocks by their number.
type Blocks = BTreeMap<u64, Bytes>;
/// What those hear who wait for a block that another read fetches: nothing yet, its bytes, or that it will not come.
type Heard = Option<Option<Bytes>>;

/// Reads whole blocks: those that are kept from the cache, the others by ranges. Reads go on side by side; a block that
/// two of them need is fetched once.
struct TeeSource(Arc<Tee>);

struct Tee {
    remote: HubSource,
    kept: Kept,
    /// The file once the cache has all of it.
    whole: OnceLock<LocalSource>,
    pid: u32,
    /// Blocks that are being fetched, and those that came and are not written yet. Not used in a forked child, where it may
    /// be locked for ever.
    flight: Mutex<HashMap<u64, watch::Receiver<Heard>>>,
    /// Claims that ended: what they fetched is on the disk, though somebody who looked before did not find it there.
    ended: AtomicU64,
}

/// Blocks that one read fetches. Dropped, those that wait for them hear that they do not come.
struct Claim {
    tee: Arc<Tee>,
    blocks: Vec<(u64, watch::Sender<Heard>)>,
}

impl Claim {
    /// Gives up blocks that are there, and hands them to those who wait for them.
    fn tell(&mut self, found: &Blocks) {
        if found.is_empty() || self.tee.pid != std::process::id() {
            self.blocks.retain(|(block, _)| !found.contains_key(block));
            return;
        }
        let mut flight = self.tee.flight.lock().unwrap_or_else(PoisonError::into_inner);
        self.blocks.retain(|(block, told)| {
            let Some(bytes) = found.get(block) else { return true };
            flight.remove(block);
            told.send_replace(Some(Some(bytes.clone())));
            false
        });
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.tee.pid != std::process::id() {
            return;
        }
        let mut flight = self.tee.flight.lock().unwrap_or_else(PoisonError::into_inner);
        self.tee.ended.fetch_add(1, Ordering::Release);
        for (block, told) in &self.blocks {
            flight.remove(block);
            told.send_if_modified(|heard| heard.is_none().then(|| *heard = Some(None)).is_some());
        }
    }
}

impl Tee {
    fn local(&self) -> Option<&LocalSource> {
        if self.whole.get().is_none()
            && let Some(path) = self.kept.whole()
            && let Ok(opened) = LocalSource::open(Path::new(&path))
            && opened.len() == self.kept.size()
        {
            let _ = self.whole.set(opened);
            self.kept.remove(); // another process may have left some while this one named the file
        }
        self.whole.get()
    }

    fn blocks_of(&self, range: &Range<u64>) -> Range<u64> {
        match range.start.min(self.kept.size())..range.end.min(self.kept.size()) {
            inside if inside.start < inside.end => inside.start / BLOCK..(inside.end - 1) / BLOCK + 1,
            _ => 0..0,
        }
    }

    /// The numbers of the blocks that ranges lie in.
    fn wanted(&self, ranges: &[Range<u64>]) -> Vec<u64> {
        let mut wanted: Vec<u64> = ranges.iter().flat_map(|range| self.blocks_of(range)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Blocks that are kept, and the numbers of those that are not.
    fn on_disk(&self, wanted: Vec<u64>) -> (Blocks, Vec<u64>) {
        let (mut found, mut missing) = (Blocks::new(), Vec::new());
        for block in wanted {
            match self.kept.read(block) {
                Some(bytes) => drop(found.insert(block, bytes)),
                None => missing.push(block),
            }
        }
        (found, missing)
    }

    /// Those of some blocks that nobody fetches yet, which the caller has to fetch; and those that it may wait for.
    fn claim(self: &Arc<Self>, wanted: &[u64]) -> (Claim, Vec<(u64, watch::Receiver<Heard>)>) {
        let mut claim = Claim { tee: Arc::clone(self), blocks: Vec::new() };
        let mut others = Vec::new();
        if self.pid != std::process::id() {
            claim.blocks = wanted.iter().map(|block| (*block, watch::channel(None).0)).collect();
            return (claim, others);
        }
        let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        for block in wanted {
            if let Some(other) = flight.get(block) {
                others.push((*block, other.clone()));
            } else {
                let (told, heard) = watch::channel(None);
                flight.insert(*block, heard);
                claim.blocks.push((*block, told));
            }
        }
        (claim, others)
    }

    /// Fetches the blocks of a claim, in order, and tells those who wait.
    async fn fetch(&self, claim: &Claim) -> Result<Blocks, DataError> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for (block, _) in &claim.blocks {
            let bytes = self.kept.bytes_of(*block);
            match runs.last_mut() {
                Some(run) if run.end == bytes.start => run.end = bytes.end,
                _ => runs.push(bytes),
            }
        }
        let file = self.remote.here(engine().map_err(|_| no_engine())?).map_err(|e| self.remote.failed(e))?;
        let read = file.read_ranges(&runs).await.map_err(|e| self.wrong(self.remote.failed(e)))?;
        let mut blocks = Blocks::new();
        for (block, told) in &claim.blocks {
            let place = self.kept.bytes_of(*block);
            let run =
                runs.iter().zip(&read).find(|(run, _)| run.start <= place.start && place.end <= run.end);
            if let Some((run, bytes)) = run {
                let bytes = bytes.slice((place.start - run.start) as usize..(place.end - run.start) as usize);
                told.send_replace(Some(Some(bytes.clone())));
                blocks.insert(*block, bytes);
            }
        }
        Ok(blocks)
    }

    /// Gives up what is kept if the bytes are not those of the file: its hash tells which bytes came, not which of them
    /// are wrong.
    fn wrong(&self, error: DataError) -> DataError {
        if HubSource::is_wrong(&error) {
            self.kept.remove();
        }
        error
    }

    /// Reads ranges: from the cache, from the hub, or from another read that fetches them already. The disk is used by
    /// threads that may wait for it.
    async fn read(self: Arc<Self>, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>, DataError> {
        let mut seen = self.ended.load(Ordering::Acquire);
        let (this, wanted) = (Arc::clone(&self), self.wanted(&ranges));
        let (mut blocks, mut missing) = off(move || this.on_disk(wanted)).await?;
        if self.kept.is_full() && !missing.is_empty() {
            return self.exactly(&ranges, &blocks).await;
        }
        while !missing.is_empty() {
            let (mut claim, others) = self.claim(&missing);
            let now = self.ended.load(Ordering::Acquire);
            if std::mem::replace(&mut seen, now) != now {
                // Another read may have written them after this one looked.
                let (this, wanted) =
                    (Arc::clone(&self), claim.blocks.iter().map(|(block, _)| *block).collect());
                let (found, _) = off(move || this.on_disk(wanted)).await?;
                claim.tell(&found);
                blocks.extend(found);
            }
            if !claim.blocks.is_empty() {
                let fetched = self.fetch(&claim).await?;
                blocks.extend(fetched.iter().map(|(block, bytes)| (*block, bytes.clone())));
                let this = Arc::clone(&self);
                // The claim ends when the blocks are written: until then others get them from there.
                off(move || {
                    fetched.iter().for_each(|(block, bytes)| this.kept.write(*block, bytes));
                    drop(claim);
                })
                .await?;
            }
            missing.clear();
            for (block, mut heard) in others {
                match heard.wait_for(Option::is_some).await.ok().and_then(|heard| heard.clone().flatten()) {
                    Some(bytes) => drop(blocks.insert(block, bytes)),
                    None => missing.push(block), // whoever fetched it stopped, or failed
                }
            }
        }
        let (this, read) = (Arc::clone(&self), ranges.iter().map(|range| self.cut(range, &blocks)).collect());
        off(move || this.kept.finish()).await?.map_err(|error| self.remote.failed(error))?;
        Ok(read)
    }

    /// Ranges where nothing can be kept: no more than was asked for, but for what is there.
    async fn exactly(&self, ranges: &[Range<u64>], blocks: &Blocks) -> Result<Vec<Bytes>, DataError> {
        let here = |range: &Range<u64>| self.blocks_of(range).all(|block| blocks.contains_key(&block));
        let missing: Vec<Range<u64>> = ranges.iter().filter(|range| !here(range)).cloned().collect();
        let file = self.remote.here(engine().map_err(|_| no_engine())?).map_err(|e| self.remote.failed(e))?;
        let read = file.read_ranges(&missing).await.map_err(|e| self.wrong(self.remote.failed(e)))?;
        let mut came = read.into_iter();
        let bytes_of = |range: &Range<u64>| {
            if here(range) { self.cut(range, blocks) } else { came.next().unwrap_or_default() }
        };
        Ok(ranges.iter().map(bytes_of).collect())
    }

    fn cut(&self, range: &Range<u64>, blocks: &Blocks) -> Bytes {
        let mut parts = self.blocks_of(range).filter_map(|block| {
            let (bytes, place) = (blocks.get(&block)?, self.kept.bytes_of(block));
            let (from, to) = (range.start.max(place.start), range.end.min(place.end));
            Some(bytes.slice((from - place.start) as usize..(to - place.start) as usize))
        });
        let first = parts.next().unwrap_or_default();
        let mut rest = parts.peekable();
        if rest.peek().is_none() {
            return first;
        }
        let mut joined = BytesMut::with_capacity((range.end - range.start) as usize);
        joined.extend_from_slice(&first);
        rest.for_each(|part| joined.extend_from_slice(&part));
        joined.freeze()
    }
}

/// Runs work that waits for the disk where that holds up nobody.
async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, DataError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| no_engine())
}

impl ByteSource for TeeSource {
    fn len(&self) -> u64 {
        self.0.kept.size()
    }

    fn name(&self) -> &str {
        self.0.remote.name()
    }

    fn is_near(&self) -> bool {
        self.0.local().is_some()
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        let start = range.start;
        let bytes = self.read_ranges(std::slice::from_ref(&range))?.pop().unwrap_or_default();
        self.saw(start, &bytes)?;
        Ok(bytes)
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, DataError> {
        if let Some(local) = self.0.local() {
            return local.read_ranges(ranges);
        }
        let engine = engine().map_err(|_| no_engine())?;
        door::block(engine, Arc::clone(&self.0).read(ranges.to_vec()))?
    }

    fn start_range(&self, range: Range<u64>) -> Option<Box<dyn Coming>> {
        if self.is_near() {
            return None;
        }
        self.0.remote.asks(range.end);
        let read = Arc::clone(&self.0).read(vec![range]);
        let one = async move { Ok(read.await?.pop().unwrap_or_default()) };
        Some(Box::new(HubRange::new(engine().ok()?.io.spawn(one))))
    }

    fn asked(&self) -> u64 {
        if self.is_near() { self.len() } else { self.0.remote.asked() }
    }

    fn start_ranges(&self, ranges: Vec<Range<u64>>, then: Then) -> Option<Stopper> {
        if self.is_near() {
            return None;
        }
        let read = Arc::clone(&self.0).read(ranges);
        let task = engine().ok()?.io.spawn(async move { then(read.await) });
        Some(Box::new(HubStopper::new(task.abort_handle())))
    }

    fn saw(&self, start: u64, bytes: &Bytes) -> Result<(), DataError> {
        if self.is_near() {
            return Ok(()); // its hash was compared when it got its name
        }
        self.0.remote.saw(start, bytes).map_err(|error| self.0.wrong(error))
    }
}

/// Opens a file of a repository at a commit whose listing is known: no request until bytes are wanted that the cache lacks.
pub(crate) fn open_kept(client: &HubClient, file: &KeptFile) -> PyResult<Arc<dyn ByteSource>> {
    let repo = repo_ref(&file.kind, &file.repo_id, Some(&file.revision))?;
    let opened = client.live()?.open_listed(&repo, &file.path, file.size, Some(&file.etag)).map_err(hub)?;
    let name = format!("hf://{}/{}@{}/{}", plural(&file.kind), file.repo_id, file.revision, file.path);
    let remote = HubSource::new(name, &opened);
    Ok(match Kept::of(&opened, file.limit) {
        Some(kept) => {
            let (pid, flight, whole) = (std::process::id(), Mutex::default(), OnceLock::new());
            Arc::new(TeeSource(Arc::new(Tee { remote, kept, whole, pid, flight, ended: AtomicU64::new(0) })))
        }
        None => Arc::new(remote),
    })
}

/// What names a file that is kept: enough to open it again in another process.
pub(crate) struct KeptFile {
    pub(crate) kind: String,
    pub(crate) repo_id: String,
    pub(crate) path: String,
    pub(crate) revision: String,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) limit: u64,
}

#[pymethods]
impl Source {
    /// A file of a hub repository at a full commit, with the size and the hash that its listing has. What is read of it is
    /// kept in the cache; all files together get `limit` bytes there. A file of which everything was read is a downloaded
    /// one from then on.
    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "each by name, from one Python caller")]
    fn hub_kept(
        client: Bound<'_, HubClient>,
        kind: String,
        repo_id: String,
        path: String,
        revision: String,
        size: u64,
        etag: String,
        limit: u64,
    ) -> PyResult<Self> {
        let file = KeptFile { kind, repo_id, path, revision, size, etag, limit };
        let bytes = open_kept(client.get(), &file)?;
        Ok(Self::of_kept(client.unbind(), file, bytes))
    }
}

//! A file of the hub that is read and kept at once: what came is in the cache for the next reader.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use crucible_data::{ByteSource, DataError, LocalSource};
use crucible_hub::{BLOCK, Kept};
use pyo3::prelude::*;

use crate::errors::hub;
use crate::hub::client::{HubClient, plural, repo_ref};
use crate::source::{HubSource, Source};

/// Reads whole blocks: those that are kept from the cache, the others by ranges.
struct TeeSource {
    remote: HubSource,
    kept: Kept,
    /// The file once the cache has all of it.
    whole: OnceLock<LocalSource>,
}

impl TeeSource {
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

    /// Blocks that are not kept, in order.
    fn fetch(&self, missing: &[u64]) -> Result<Vec<Bytes>, DataError> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for block in missing {
            let bytes = self.kept.bytes_of(*block);
            match runs.last_mut() {
                Some(run) if run.end == bytes.start => run.end = bytes.end,
                _ => runs.push(bytes),
            }
        }
        let read = match runs.as_slice() {
            [run] => self.remote.read_range(run.clone()).map(|bytes| vec![bytes]), // may be in order: it is hashed
            runs => self.remote.read_ranges(runs),
        };
        let read = read.inspect_err(|error| {
            if HubSource::is_wrong(error) {
                self.kept.remove(); // the hash of the file tells which bytes came, not which of them are wrong
            }
        })?;
        let mut blocks = Vec::with_capacity(missing.len());
        for (run, bytes) in runs.iter().zip(read) {
            let mut at = 0;
            while at < run.end - run.start {
                let end = (at + BLOCK).min(run.end - run.start);
                blocks.push(bytes.slice(at as usize..end as usize));
                at = end;
            }
        }
        Ok(blocks)
    }
}

impl ByteSource for TeeSource {
    fn len(&self) -> u64 {
        self.kept.size()
    }

    fn name(&self) -> &str {
        self.remote.name()
    }

    fn is_near(&self) -> bool {
        self.local().is_some()
    }

    /// Two readers at once would both fetch a block that both need.
    fn is_side_by_side(&self) -> bool {
        self.is_near()
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        self.read_ranges(std::slice::from_ref(&range)).map(|mut read| read.pop().unwrap_or_default())
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, DataError> {
        if let Some(local) = self.local() {
            return local.read_ranges(ranges);
        }
        let blocks_of = |range: &Range<u64>| match range.start.min(self.len())..range.end.min(self.len()) {
            inside if inside.start < inside.end => inside.start / BLOCK..(inside.end - 1) / BLOCK + 1,
            _ => 0..0,
        };
        let mut blocks: BTreeMap<u64, Bytes> = BTreeMap::new();
        for block in ranges.iter().flat_map(blocks_of) {
            blocks.entry(block).or_insert_with(|| self.kept.read(block).unwrap_or_default());
        }
        let missing: Vec<u64> =
            blocks.iter().filter(|(_, bytes)| bytes.is_empty()).map(|(b, _)| *b).collect();
        if !missing.is_empty() {
            for (block, bytes) in missing.iter().zip(self.fetch(&missing)?) {
                self.kept.write(*block, &bytes);
                blocks.insert(*block, bytes);
            }
        }
        let cut = |range: &Range<u64>| {
            let mut parts = blocks_of(range).filter_map(|block| {
                let (bytes, place) = (blocks.get(&block)?, self.kept.bytes_of(block));
                let (from, to) = (range.start.max(place.start), range.end.min(place.end));
                Some(bytes.slice((from - place.start) as usize..(to - place.start) as usize))
            });
            let first = parts.next().unwrap_or_default();
            let mut rest = parts.peekable();
            if rest.peek().is_none() {
                return first;
            }
            let mut joined = BytesMut::from(first.as_ref());
            rest.for_each(|part| joined.extend_from_slice(&part));
            joined.freeze()
        };
        let read = ranges.iter().map(cut).collect();
        self.kept.finish().map_err(|error| self.remote.failed(error))?;
        Ok(read)
    }
}

/// Opens a file of a repository at a commit whose listing is known: no request until bytes are wanted that the cache lacks.
pub(crate) fn open_kept(client: &HubClient, file: &KeptFile) -> PyResult<Arc<dyn ByteSource>> {
    let repo = repo_ref(&file.kind, &file.repo_id, Some(&file.revision))?;
    let opened = client.live()?.open_listed(&repo, &file.path, file.size, Some(&file.etag)).map_err(hub)?;
    let name = format!("hf://{}/{}@{}/{}", plural(&file.kind), file.repo_id, file.revision, file.path);
    let remote = HubSource::new(name, &opened);
    Ok(match Kept::of(&opened, file.limit) {
        Some(kept) => Arc::new(TeeSource { remote, kept, whole: OnceLock::new() }),
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

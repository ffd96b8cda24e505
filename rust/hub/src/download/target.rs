//! Where a blob goes, and where it is until it is complete.

use std::path::{Path, PathBuf};

use crate::cache::layout::Layout;

/// Places of one blob.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The name it gets when it is right.
    pub(super) name: PathBuf,
    /// Before, it is `<stem>.<8 hex>.incomplete`.
    pub(super) stem: PathBuf,
    /// Notes for going on after a kill. Without, a download starts anew.
    pub(super) journal: Option<PathBuf>,
}

impl Target {
    /// A blob of the cache. The journal is among the locks: foreign names in `blobs/` look like blobs to other clients.
    pub(super) fn in_cache(layout: &Layout, etag: &str) -> Self {
        let blob = layout.blob(etag);
        Self {
            stem: blob.clone(),
            name: blob,
            journal: Some(layout.lock(etag).with_file_name(format!("{etag}.hfhub"))),
        }
    }

    /// A file anywhere; the journal is beside it.
    pub(super) fn beside(name: &Path) -> Self {
        let mut journal = name.as_os_str().to_owned();
        journal.push(".hfhub");
        Self { name: name.to_owned(), stem: name.to_owned(), journal: Some(journal.into()) }
    }

    /// A temporary file of this blob by its name; `None` for a name that is not one.
    pub(super) fn temporary_named(&self, name: &str) -> Option<PathBuf> {
        let stem = self.stem.file_name()?.to_str()?;
        let random = name.strip_prefix(stem)?.strip_prefix('.')?.strip_suffix(".incomplete")?;
        let hex = random.len() == 8 && random.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        hex.then(|| self.stem.with_file_name(name))
    }
}

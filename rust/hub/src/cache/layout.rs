//! Pure paths of the cache, as `huggingface_hub` lays them out.

use std::path::{Path, PathBuf};

use crate::repo::RepoRef;

/// Paths of one repository in a cache.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    cache: PathBuf,
    folder: String,
}

impl Layout {
    pub(crate) fn new(cache: &Path, repo: &RepoRef) -> Self {
        let folder = format!("{}--{}", repo.kind.plural(), repo.id.replace('/', "--"));
        Self { cache: cache.to_owned(), folder }
    }

    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.cache.join(&self.folder)
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root().join("blobs")
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.blobs().join(etag)
    }

    pub(crate) fn reference(&self, revision: &str) -> PathBuf {
        self.root().join("refs").join(revision)
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root().join("snapshots").join(commit)
    }

    pub(crate) fn pointer(&self, commit: &str, path: &str) -> PathBuf {
        self.snapshot(commit).join(path)
    }

    pub(crate) fn no_exist(&self, commit: &str, path: &str) -> PathBuf {
        self.root().join(".no_exist").join(commit).join(path)
    }

    pub(crate) fn tree(&self, commit: &str) -> PathBuf {
        self.root().join("trees").join(format!("{commit}.json"))
    }

    pub(crate) fn lock(&self, etag: &str) -> PathBuf {
        self.cache.join(".locks").join(&self.folder).join(format!("{etag}.lock"))
    }

    /// The lock of a question about the repository, and what was answered to it: `.locks/<folder>/<name>`.
    pub(crate) fn note(&self, name: &str) -> PathBuf {
        self.cache.join(".locks").join(&self.folder).join(name)
    }

    /// What a pointer links to: the blob, relative to the pointer's folder.
    pub(crate) fn link_target(path: &str, etag: &str) -> PathBuf {
        let up = path.matches('/').count() + 2;
        let mut target: PathBuf = std::iter::repeat_n("..", up).collect();
        target.push("blobs");
        target.push(etag);
        target
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::repo::RepoKind;

    #[test]
    fn official_names() {
        let repo = RepoRef::new(RepoKind::Dataset, "ns/ds", None).unwrap();
        let layout = Layout::new(Path::new("/c"), &repo);
        assert_eq!(layout.root(), Path::new("/c/datasets--ns--ds"));
        assert_eq!(layout.lock("e"), Path::new("/c/.locks/datasets--ns--ds/e.lock"));
        assert_eq!(layout.reference("refs/pr/1"), Path::new("/c/datasets--ns--ds/refs/refs/pr/1"));
        assert_eq!(Layout::link_target("a.txt", "e"), Path::new("../../blobs/e"));
        assert_eq!(Layout::link_target("data/a.txt", "e"), Path::new("../../../blobs/e"));
    }
}

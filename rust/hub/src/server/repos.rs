//! Repositories on disk: their files with hashes, and the content hash that is their commit.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use sha1::Digest as _;

use crate::repo::RepoKind;

/// Files larger than this are large files whatever they are.
const GIT_LIMIT: u64 = 10 << 20;
/// Suffixes that the Hub tracks as large files by default.
const LARGE: [&str; 24] = [
    "7z",
    "arrow",
    "bin",
    "bz2",
    "ckpt",
    "flac",
    "gz",
    "h5",
    "jpeg",
    "jpg",
    "model",
    "mp3",
    "mp4",
    "npy",
    "npz",
    "onnx",
    "parquet",
    "pkl",
    "png",
    "pt",
    "safetensors",
    "tar",
    "zip",
    "zst",
];
/// Deepest folder that is served.
const MAX_DEPTH: usize = 64;

/// A file of a repository.
#[derive(Clone, Debug)]
pub(super) struct RepoFile {
    pub(super) disk: PathBuf,
    pub(super) size: u64,
    modified: Option<SystemTime>,
    /// Git blob id of the content (of the pointer, for a large file).
    pub(super) oid: String,
    pub(super) sha256: Option<String>,
}

impl RepoFile {
    pub(super) fn etag(&self) -> &str {
        self.sha256.as_deref().unwrap_or(&self.oid)
    }

    /// Whether the file on disk is still the one that was hashed.
    pub(super) fn unchanged(&self) -> bool {
        self.disk
            .metadata()
            .is_ok_and(|meta| meta.len() == self.size && meta.modified().ok() == self.modified)
    }
}

/// A repository at its one revision.
pub(super) struct Repo {
    folder: PathBuf,
    pub(super) kind: RepoKind,
    pub(super) id: String,
    pub(super) commit: String,
    pub(super) files: BTreeMap<String, RepoFile>,
    pub(super) modified: SystemTime,
}

type Stamp = (u64, Option<SystemTime>);

/// What was read from disk: hashes of files, kept as long as size and time of a file stay, and each repository as it was
/// last found. A commit never changes, so what is asked of one is answered without another walk over the folder.
#[derive(Default)]
pub(super) struct Hashes(Mutex<HashMap<PathBuf, Known>>, Mutex<HashMap<(RepoKind, String), Arc<Repo>>>);

/// When a file was hashed: its stamp, git id, sha256.
type Known = (Stamp, String, Option<String>);

impl Hashes {
    /// The repository as it was last found, if it had one of these commits then and is still there.
    pub(super) fn pinned(&self, kind: RepoKind, id: &str, revisions: &[&str]) -> Option<Arc<Repo>> {
        let repo = self.1.lock().ok()?.get(&(kind, id.to_owned()))?.clone();
        (revisions.contains(&repo.commit.as_str()) && repo.folder.is_dir()).then_some(repo)
    }

    fn of(
        &self,
        path: &Path,
        size: u64,
        modified: Option<SystemTime>,
    ) -> std::io::Result<(String, Option<String>)> {
        let stamp = (size, modified);
        if let Ok(known) = self.0.lock()
            && let Some((then, oid, sha)) = known.get(path)
            && *then == stamp
        {
            return Ok((oid.clone(), sha.clone()));
        }
        let (oid, sha) = hash(path, size)?;
        if let Ok(mut known) = self.0.lock() {
            known.insert(path.to_owned(), (stamp, oid.clone(), sha.clone()));
        }
        Ok((oid, sha))
    }
}

fn is_large(path: &Path, size: u64) -> bool {
    let suffix = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase).unwrap_or_default();
    size > GIT_LIMIT || LARGE.contains(&suffix.as_str())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn git_id(size: u64) -> sha1::Sha1 {
    let mut hash = sha1::Sha1::default();
    hash.update(format!("blob {size}\0").as_bytes());
    hash
}

fn hash(path: &Path, size: u64) -> std::io::Result<(String, Option<String>)> {
    let mut file = File::open(path)?;
    let mut block = vec![0; 1 << 20];
    let large = is_large(path, size);
    let (mut git, mut sha) = (git_id(size), sha2::Sha256::default());
    loop {
        let read = file.read(&mut block)?;
        let part = block.get(..read).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        if large {
            sha.update(part);
        } else {
            git.update(part);
        }
    }
    if !large {
        return Ok((hex(&git.finalize()), None));
    }
    let sha = hex(&sha.finalize());
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize {size}\n");
    let mut git = git_id(pointer.len() as u64);
    git.update(pointer.as_bytes());
    Ok((hex(&git.finalize()), Some(sha)))
}

/// Opens a repository; `None` if there is no such folder. Reads and hashes files: not for async threads.
pub(super) fn open(root: &Path, hashes: &Hashes, kind: RepoKind, id: &str) -> Option<Arc<Repo>> {
    let folder = root.join(kind.plural()).join(id);
    let (root, canonical) = (root.canonicalize().ok()?, folder.canonicalize().ok()?);
    if !canonical.is_dir() || !canonical.starts_with(&root) {
        return None;
    }
    // A bare name is a repository only if files lie in it; else it is an organisation.
    let has_files = |folder: &Path| {
        std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|e| e.path().is_file()))
    };
    if !id.contains('/') && !has_files(&canonical) {
        return None;
    }
    let mut files = BTreeMap::new();
    let mut modified = SystemTime::UNIX_EPOCH;
    let mut folders = vec![(canonical.clone(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).ok()?.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name == ".git" || name == ".cache" {
                continue;
            }
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            // A link may lead to a file of the root, never out of it.
            let link = entry.file_type().is_ok_and(|t| t.is_symlink());
            let found = if link { entry.path().canonicalize() } else { Ok(entry.path()) };
            let Ok(disk) = found else { continue };
            let Ok(meta) = disk.metadata() else { continue };
            if !disk.starts_with(&root) {
                continue;
            }
            if meta.is_dir() {
                if !link && depth < MAX_DEPTH {
                    folders.push((disk, path, depth + 1));
                }
                continue;
            }
            let time = meta.modified().ok();
            modified = modified.max(time.unwrap_or(SystemTime::UNIX_EPOCH));
            let Ok((oid, sha256)) = hashes.of(&disk, meta.len(), time) else {
                continue;
            };
            files.insert(path, RepoFile { disk, size: meta.len(), modified: time, oid, sha256 });
        }
    }
    let mut commit = sha1::Sha1::default();
    for (path, file) in &files {
        commit.update(format!("{path}\0{}\0{}\n", file.size, file.etag()).as_bytes());
    }
    let commit = hex(&commit.finalize());
    let repo = Arc::new(Repo { folder: canonical, kind, id: id.to_owned(), commit, files, modified });
    if let Ok(mut known) = hashes.1.lock() {
        known.insert((kind, id.to_owned()), repo.clone());
    }
    Some(repo)
}

/// Ids of all repositories of a kind.
pub(super) fn list(root: &Path, kind: RepoKind) -> Vec<String> {
    let folders = |path: PathBuf| -> Vec<String> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|e| e.path().is_dir())
            .filter_map(|e| e.file_name().into_string().ok())
            .filter(|n| !n.starts_with('.'))
            .collect();
        names.sort();
        names
    };
    let top = root.join(kind.plural());
    let mut ids = Vec::new();
    for org in folders(top.clone()) {
        ids.extend(folders(top.join(&org)).into_iter().map(|name| format!("{org}/{name}")));
    }
    ids
}

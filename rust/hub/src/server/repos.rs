//! Repositories on disk: their files with hashes, and the content hash that is their commit.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use sha1::Digest as _;

use crate::repo::{RepoKind, encode_segment, is_commit};

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

/// What info says of a repository beside its files: in its folder, never served as a file.
const INFO_FILE: &str = ".info.json";
/// The longest such file that is read.
const MAX_INFO: u64 = 1 << 20;

/// A repository at one revision.
pub(super) struct Repo {
    folder: PathBuf,
    pub(super) kind: RepoKind,
    pub(super) id: String,
    pub(super) revision: String,
    pub(super) facts: Map<String, Value>,
    pub(super) commit: String,
    pub(super) files: BTreeMap<String, RepoFile>,
    pub(super) modified: SystemTime,
}

type Stamp = (u64, Option<SystemTime>);

/// What was read from disk: hashes of files, kept as long as size and time of a file stay, and each repository as it was
/// last found. A commit never changes, so what is asked of one is answered without another walk over the folder.
#[derive(Default)]
pub(super) struct Hashes(Mutex<HashMap<PathBuf, Known>>, Mutex<Found>);

/// Repositories as they were last found, each at its revisions.
type Found = HashMap<(RepoKind, String), Vec<Arc<Repo>>>;

/// When a file was hashed: its stamp, git id, sha256.
type Known = (Stamp, String, Option<String>);

impl Hashes {
    /// The repository as it was last found, if it had one of these commits then and is still there.
    pub(super) fn pinned(&self, kind: RepoKind, id: &str, revisions: &[&str]) -> Option<Arc<Repo>> {
        let known = self.1.lock().ok()?.get(&(kind, id.to_owned()))?.clone();
        known.into_iter().find(|repo| revisions.contains(&repo.commit.as_str()) && repo.folder.is_dir())
    }

    fn keep(&self, repo: &Arc<Repo>) {
        if let Ok(mut known) = self.1.lock() {
            let revisions = known.entry((repo.kind, repo.id.clone())).or_default();
            revisions.retain(|other| other.revision != repo.revision);
            revisions.push(repo.clone());
        }
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

/// The facts that lie beside a repository's files; none if the file is absent, too long or no JSON object.
pub(super) fn facts(folder: &Path) -> Map<String, Value> {
    let path = folder.join(INFO_FILE);
    let short = path.symlink_metadata().is_ok_and(|m| m.is_file() && m.len() <= MAX_INFO);
    let read = || std::fs::read(&path).ok().and_then(|data| serde_json::from_slice(&data).ok());
    short.then(read).flatten().unwrap_or_default()
}

/// The folder of a repository's `main`.
pub(super) fn folder(root: &Path, kind: RepoKind, id: &str) -> PathBuf {
    root.join(kind.plural()).join(id)
}

/// The folder of another revision: beside that of `main`, with `@<revision, percent-encoded>` after its name.
fn folder_at(root: &Path, kind: RepoKind, id: &str, revision: &str) -> PathBuf {
    folder(root, kind, &format!("{id}@{}", encode_segment(revision)))
}

/// The other revisions of a repository that lie on disk, sorted.
pub(super) fn revisions(root: &Path, kind: RepoKind, id: &str) -> Vec<String> {
    let main = folder(root, kind, id);
    let (Some(parent), Some(name)) = (main.parent(), main.file_name().and_then(|n| n.to_str())) else {
        return Vec::new();
    };
    let prefix = format!("{name}@");
    let mut found: Vec<String> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(&prefix).map(str::to_owned))
        .filter_map(|text| Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned()))
        .collect();
    found.sort();
    found
}

/// Opens a repository at a branch, a tag or a commit that lies on disk, else at `main`; `None` if there is no such
/// folder. Reads and hashes files: not for async threads.
pub(super) fn open(
    root: &Path,
    hashes: &Hashes,
    kind: RepoKind,
    id: &str,
    revision: &str,
) -> Option<Arc<Repo>> {
    let main = |root: &Path| open_folder(root, hashes, kind, id, "main", &folder(root, kind, id));
    if revision == "main" {
        return main(root);
    }
    let others = revisions(root, kind, id);
    for name in [revision.to_owned(), format!("refs/tags/{revision}"), format!("refs/heads/{revision}")] {
        if others.contains(&name) {
            return open_folder(root, hashes, kind, id, &name, &folder_at(root, kind, id, &name));
        }
    }
    let repo = main(root)?;
    if is_commit(revision) && repo.commit != revision {
        let at = |name: &String| open_folder(root, hashes, kind, id, name, &folder_at(root, kind, id, name));
        return others.iter().filter_map(at).find(|other| other.commit == revision).or(Some(repo));
    }
    Some(repo)
}

fn open_folder(
    root: &Path,
    hashes: &Hashes,
    kind: RepoKind,
    id: &str,
    revision: &str,
    folder: &Path,
) -> Option<Arc<Repo>> {
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
            if name == ".git" || name == ".cache" || (prefix.is_empty() && name == INFO_FILE) {
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
    let (facts, revision) = (facts(&canonical), revision.to_owned());
    let repo = Arc::new(Repo {
        folder: canonical,
        kind,
        id: id.to_owned(),
        revision,
        facts,
        commit,
        files,
        modified,
    });
    hashes.keep(&repo);
    Some(repo)
}

/// Ids of all repositories of a kind.
pub(super) fn list(root: &Path, kind: RepoKind) -> Vec<String> {
    let folders = |path: PathBuf| -> Vec<String> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|e| e.path().is_dir())
            .filter_map(|e| e.file_name().into_string().ok())
            .filter(|n| !n.starts_with('.') && !n.contains('@')) // `name@…` is another revision
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

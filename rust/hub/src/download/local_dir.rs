//! Files into a folder of the user's choice, with the official client's bookkeeping under `.cache/huggingface/`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use sha1::Digest as _;

use super::file::Known;
use super::offline::{cannot_force, is_answer, not_cached, note_stale};
use super::target::Target;
use super::{DownloadOptions, FilePlan};
use crate::cache::layout::Layout;
use crate::cache::lock::FileLock;
use crate::cache::store;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::repo::{RepoRef, is_commit, safe_etag, safe_path};

/// A file's change time may be this much later than its note says (seconds): file systems round.
const ROUNDING: f64 = 1.0;

/// What was noted when a file was brought.
#[derive(Clone, Debug, PartialEq)]
struct Note {
    commit: String,
    etag: String,
    /// Seconds since 1970.
    at: f64,
}

/// Places of one file in a folder.
struct Places {
    root: PathBuf,
    file: PathBuf,
    note: PathBuf,
    lock: PathBuf,
}

impl Places {
    fn new(root: &Path, path: &str) -> Self {
        let notes = root.join(".cache/huggingface/download");
        Self {
            root: root.to_owned(),
            file: root.join(path),
            note: notes.join(format!("{path}.metadata")),
            lock: notes.join(format!("{path}.lock")),
        }
    }

    /// Where the bytes come in, before they get their name: `<hash of the note's name>.<etag>`.
    fn partial(&self, etag: &str) -> PathBuf {
        let name = self.note.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let hash = urlsafe_base64(&sha1::Sha1::digest(name.as_bytes()));
        self.note.with_file_name(format!("{hash}.{etag}"))
    }

    /// Makes the folders, and marks the hidden one for git and for backup programs.
    fn prepare(&self) -> Result<(), HubError> {
        store::make_parent(&self.file)?;
        store::make_parent(&self.note)?;
        let hidden = self.root.join(".cache/huggingface");
        store::tag(&hidden);
        let ignore = hidden.join(".gitignore");
        if !ignore.exists() {
            let _ = store::write_atomically(&ignore, "*"); // a help for others, not needed by us
        }
        Ok(())
    }

    /// The note, if the file was not changed since. A note that cannot be read is removed.
    fn noted(&self) -> Option<Note> {
        let text = std::fs::read_to_string(&self.note).ok()?;
        let Some(note) = parse(&text) else {
            let _ = std::fs::remove_file(&self.note);
            return None;
        };
        let changed = std::fs::metadata(&self.file).and_then(|m| m.modified()).ok()?;
        (seconds(changed) - ROUNDING <= note.at).then_some(note)
    }

    fn write_note(&self, commit: &str, etag: &str) -> Result<(), HubError> {
        let text = format!("{commit}\n{etag}\n{:?}\n", seconds(SystemTime::now()));
        store::write_atomically(&self.note, &text)
    }
}

fn parse(text: &str) -> Option<Note> {
    let mut lines = text.lines().map(str::trim);
    let (commit, etag) = (lines.next()?.to_owned(), lines.next()?.to_owned());
    Some(Note { commit, etag, at: lines.next()?.parse().ok()? })
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}

fn urlsafe_base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word =
            three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS.get((word >> (18 - 6 * place)) as usize & 63).copied().unwrap_or(b'=');
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn sha256_of(file: &Path) -> Option<String> {
    let mut source = std::fs::File::open(file).ok()?;
    let mut hash = sha2::Sha256::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = source.read(&mut buffer).ok()?;
        match buffer.get(..read) {
            Some(bytes) if read > 0 => hash.update(bytes),
            _ => return Some(hash.finalize().iter().map(|b| format!("{b:02x}")).collect()),
        }
    }
}

fn is_sha256(etag: &str) -> bool {
    etag.len() == 64 && etag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What the folder itself can say.
enum Standing {
    /// The file of the commit asked for is there.
    Current(String),
    /// The hub cannot be asked, and a file is there.
    Unasked { commit: Option<String> },
    /// What should be there.
    Known(Known),
}

impl HubClient {
    /// One file into a folder.
    pub(super) async fn download_to_folder(
        &self,
        repo: &RepoRef,
        path: &str,
        folder: &Path,
        options: &DownloadOptions,
    ) -> Result<PathBuf, HubError> {
        let places = Places::new(folder, path);
        match self.standing(repo, path, &places, options, options.force).await? {
            Standing::Known(known) => {
                options.progress.total.fetch_add(known.size.unwrap_or(0), Ordering::Relaxed);
                self.settle_in_folder(&repo.at(&known.commit.clone()), path, folder, known, None, options)
                    .await
            }
            Standing::Current(_) | Standing::Unasked { .. } => Ok(places.file),
        }
    }

    /// What `download_to_folder` would do.
    pub(super) async fn plan_in_folder(
        &self,
        repo: &RepoRef,
        path: &str,
        folder: &Path,
        options: &DownloadOptions,
    ) -> Result<FilePlan, HubError> {
        let places = Places::new(folder, path);
        match self.standing(repo, path, &places, options, false).await? {
            Standing::Known(known) => {
                self.plan_known_in_folder(repo, path, folder, &known, options.force).await
            }
            Standing::Current(commit) | Standing::Unasked { commit: Some(commit) } => Ok(FilePlan {
                commit,
                size: std::fs::metadata(&places.file).ok().map(|m| m.len()),
                path: path.to_owned(),
                place: places.file,
                cached: true,
                will_download: options.force,
            }),
            Standing::Unasked { commit: None } => {
                let layout = Layout::new(self.config().cache_dir(), repo);
                Err(not_cached(&layout, repo, Some(path), super::offline::offline_error(repo)))
            }
        }
    }

    /// What a download into a folder would do, from what is known.
    pub(super) async fn plan_known_in_folder(
        &self,
        repo: &RepoRef,
        path: &str,
        folder: &Path,
        known: &Known,
        force: bool,
    ) -> Result<FilePlan, HubError> {
        let places = Places::new(folder, safe_path(path)?);
        let layout = Layout::new(self.config().cache_dir(), repo);
        let fits = !force && (fits(&places, known).await || layout.pointer(&known.commit, path).is_file());
        Ok(FilePlan {
            commit: known.commit.clone(),
            size: known.size,
            path: path.to_owned(),
            cached: fits || places.file.is_file(),
            place: places.file,
            will_download: !fits,
        })
    }

    /// `again` means that a file that is there does not do.
    async fn standing(
        &self,
        repo: &RepoRef,
        path: &str,
        places: &Places,
        options: &DownloadOptions,
        again: bool,
    ) -> Result<Standing, HubError> {
        let note = places.noted();
        let there = places.file.is_file();
        let current = |commit: &str| {
            !again && there && is_commit(commit) && note.as_ref().is_some_and(|n| n.commit == commit)
        };
        if current(&repo.revision) {
            return Ok(Standing::Current(repo.revision.clone()));
        }
        let asked: Result<Standing, HubError> = async {
            let pinned = self.pinned(repo, options).await?;
            if current(&pinned.revision) {
                return Ok(Standing::Current(pinned.revision));
            }
            Ok(Standing::Known(self.known(&pinned, path, options, false).await?))
        }
        .await;
        match asked {
            Err(error) if !is_answer(error.kind()) => {
                let layout = Layout::new(self.config().cache_dir(), repo);
                if there && !again {
                    note_stale(options, &layout, repo, Some(path), &error);
                    return Ok(Standing::Unasked { commit: note.map(|n| n.commit) });
                }
                if options.force {
                    return Err(cannot_force(repo, Some(path), error));
                }
                Err(not_cached(&layout, repo, Some(path), error))
            }
            done => done,
        }
    }

    /// Makes a file what is known of it: kept if it is that, copied from the cache or a twin, or fetched.
    pub(super) async fn settle_in_folder(
        &self,
        repo: &RepoRef,
        path: &str,
        folder: &Path,
        known: Known,
        twin: Option<&Path>,
        options: &DownloadOptions,
    ) -> Result<PathBuf, HubError> {
        let places = Places::new(folder, safe_path(path)?);
        safe_etag(&known.etag)?;
        let skipped = || options.progress.done.fetch_add(known.size.unwrap_or(0), Ordering::Relaxed);
        if !options.force && places.file.is_file() {
            if places.noted().is_some_and(|n| n.commit == known.commit && n.etag == known.etag) {
                skipped();
                return Ok(places.file); // nothing is written for a hit
            }
            if fits(&places, &known).await {
                skipped();
                places.prepare()?;
                let _lock = FileLock::acquire(&places.lock, self.config(), &options.notices).await?;
                places.write_note(&known.commit, &known.etag)?;
                return Ok(places.file);
            }
        }
        places.prepare()?;
        let lock = FileLock::acquire(&places.lock, self.config(), &options.notices).await?;
        let by_another = places.noted().is_some_and(|n| n.etag == known.etag);
        let layout = Layout::new(self.config().cache_dir(), repo);
        let cached = layout.pointer(&known.commit, path);
        let source = match twin {
            Some(twin) => Some(twin),
            None if !options.force && cached.is_file() => Some(cached.as_path()),
            None => None,
        };
        if lock.waited() && by_another && !options.force {
            skipped();
        } else if let Some(source) = source {
            skipped();
            let partial = places.partial(&known.etag);
            copy_aside(source.to_owned(), partial.clone()).await?;
            rename(&partial, &places.file)?;
        } else {
            let partial = places.partial(&known.etag);
            self.fetch_blob(repo, path, &known, &Target::beside(&partial), &options.progress).await?;
            rename(&partial, &places.file)?;
        }
        places.write_note(&known.commit, &known.etag)?;
        drop(lock);
        Ok(places.file)
    }
}

/// Whether the file is what is known of it: its note says so, or its hash where there is no note.
async fn fits(places: &Places, known: &Known) -> bool {
    if !places.file.is_file() {
        return false;
    }
    match places.noted() {
        Some(note) => note.etag == known.etag,
        None => {
            is_sha256(&known.etag) && store::intact(&places.file, known.size) && {
                let file = places.file.clone();
                let hash = tokio::task::spawn_blocking(move || sha256_of(&file)).await;
                hash.ok().flatten().as_deref() == Some(known.etag.as_str())
            }
        }
    }
}

/// Copies on a thread of its own: a large file takes a while, and the caller looks for signals.
async fn copy_aside(from: PathBuf, to: PathBuf) -> Result<(), HubError> {
    let failed = |e| HubError::new(HubErrorKind::Io, "copying a file failed").with_source(e);
    tokio::task::spawn_blocking(move || store::copy(&from, &to)).await.map_err(failed)?
}

fn rename(from: &Path, to: &Path) -> Result<(), HubError> {
    std::fs::rename(from, to).map_err(|e| HubError::io("name", to, e))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    #[test]
    fn names_of_partial_files_are_the_official_ones() {
        // base64.urlsafe_b64encode(hashlib.sha1(b"a.bin.metadata").digest())
        let places = Places::new(Path::new("/d"), "x/a.bin");
        let partial = places.partial("e");
        let name = partial.file_name().unwrap().to_str().unwrap();
        assert_eq!(name, "s6T6AoPTKInBOAC7UnHxaJif5Us=.e");
        assert_eq!(partial.parent().unwrap(), Path::new("/d/.cache/huggingface/download/x"));
        assert_eq!(urlsafe_base64(b"a"), "YQ==");
        assert_eq!(urlsafe_base64(b"ab"), "YWI=");
        assert_eq!(urlsafe_base64(&[0xFB, 0xFF, 0xFE]), "-__-");
    }

    #[test]
    fn a_note_holds_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path(), "a");
        places.prepare().unwrap();
        std::fs::write(&places.file, "x").unwrap();
        places.write_note("c", "e").unwrap();
        assert_eq!(places.noted().map(|n| n.etag), Some("e".to_owned()));
        std::fs::write(&places.note, "c\ne\n5.5\n").unwrap();
        assert_eq!(places.noted(), None);
        assert!(places.note.exists());
        std::fs::write(&places.note, "broken").unwrap();
        assert_eq!(places.noted(), None);
        assert!(!places.note.exists());
    }
}

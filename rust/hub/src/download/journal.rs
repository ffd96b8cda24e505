//! What is there of an unfinished large file, for the next process: `.locks/<folder>/<etag>.hfhub`.
//!
//! The first line is JSON: the temporary file, its size, and who writes it. Then one line for each segment that is
//! complete (`<index> <crc32>`), written in one piece when it is, so a kill costs a line at most. `released` as the last
//! line says that the writer gave up in an orderly way. The modification time is the writer's heartbeat.
//!
//! Whoever holds the lock of the blob may go on with the file if its writer is gone (or silent for a minute): it takes
//! the file by renaming it, which only one can, and checks the segments again. Their sum is a quick one: it finds what a
//! kill or a lost disk cache tore. A lie in here costs a download, never a wrong blob: the whole file's hash decides.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, segment_length};
use super::target::Target;
use crate::cache::store::{self, Incomplete};

const VERSION: u32 = 2;
const RELEASED: &str = "released";
/// A writer that was silent for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(60);
/// Longest journal that is read.
const LONGEST: u64 = 8 << 20;
/// Bytes that are hashed at a time.
const BLOCK: usize = 1 << 20;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    temp: String,
    size: u64,
    etag: String,
    segment: u64,
    writer: Writer,
}

/// A process, so that another can tell whether it lives.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Writer {
    host: String,
    boot: String,
    pid: u32,
    /// When it was started, in the kernel's words: process ids come again.
    started: String,
}

/// Segments with their check sums (CRC-32).
type Claims = BTreeMap<usize, u32>;

/// A journal that is being written.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    segments: usize,
}

/// What there was of a file, hashed again.
pub(super) struct Recovered {
    pub(super) file: Incomplete,
    pub(super) segments: Vec<usize>,
    pub(super) journal: Journal,
}

impl Writer {
    fn me() -> Self {
        let pid = std::process::id();
        Self { host: host(), boot: boot(), pid, started: started(pid).unwrap_or_default() }
    }

    fn is_gone(&self) -> bool {
        let me = Self::me();
        if self.host != me.host {
            return false;
        }
        self.boot != me.boot || started(self.pid).is_none_or(|s| s != self.started)
    }
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    String::new()
}

/// This start of the machine; empty where it has no name.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|t| t.trim().to_owned()).unwrap_or_default()
}

/// The start of a process; `None` if there is no such process. Where the kernel does not tell, all are the same.
#[cfg(target_os = "linux")]
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the 20th field after it is the start.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn started(pid: u32) -> Option<String> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    let found = rustix::process::test_kill_process(pid);
    (found != Err(rustix::io::Errno::SRCH)).then(String::new)
}

#[cfg(not(unix))]
fn started(_pid: u32) -> Option<String> {
    Some(String::new())
}

impl Journal {
    /// Starts a journal for a temporary file. `None` where it cannot be written: then there is no going on later.
    pub(super) fn start(target: &Target, temp: &Path, etag: &str, size: u64) -> Option<Self> {
        Self::write(target.journal.as_deref()?, temp, etag, size, &Claims::new())
    }

    fn write(path: &Path, temp: &Path, etag: &str, size: u64, claims: &Claims) -> Option<Self> {
        let header = Header {
            version: VERSION,
            temp: temp.file_name()?.to_str()?.to_owned(),
            size,
            etag: etag.to_owned(),
            segment: segment_length(size),
            writer: Writer::me(),
        };
        let mut text = serde_json::to_string(&header).ok()?;
        text.push('\n');
        for (index, hash) in claims {
            text.push_str(&line(*index, *hash));
        }
        store::write_atomically(path, &text).ok()?;
        let file = OpenOptions::new().append(true).open(path).ok()?;
        Some(Self { path: path.to_owned(), file, segments: claims.len() })
    }

    /// A segment is complete. That this cannot be noted is no reason to stop.
    pub(super) fn done(&mut self, segment: usize, sum: u32) {
        if self.file.write_all(line(segment, sum).as_bytes()).is_ok() {
            self.segments += 1;
        }
    }

    /// A sign of life.
    pub(super) fn beat(&self) {
        let _ = self.file.set_modified(SystemTime::now());
    }

    /// Whether there is something to go on from.
    pub(super) fn is_useful(&self) -> bool {
        self.segments > 0
    }

    /// Leaves the file to the next.
    pub(super) fn release(mut self) {
        let _ = self.file.write_all(format!("{RELEASED}\n").as_bytes());
    }

    /// Removes the journal.
    pub(super) fn remove(self) {
        drop(self.file);
        let _ = fs::remove_file(&self.path);
    }
}

fn line(segment: usize, sum: u32) -> String {
    format!("{segment} {sum:08x}\n")
}

/// A journal's text: what it is about, the segments, and whether it was released.
fn parse(text: &str) -> Option<(Header, Claims, bool)> {
    let (first, rest) = text.split_once('\n')?;
    let header: Header = serde_json::from_str(first).ok()?;
    let mut claims = Claims::new();
    let mut released = false;
    for line in rest.split_inclusive('\n') {
        let Some(line) = line.strip_suffix('\n') else {
            break; // cut short by a kill
        };
        if line == RELEASED {
            released = true;
        } else if let Some((index, hash)) = line.split_once(' ')
            && let (Ok(index), Ok(hash)) = (index.parse(), u32::from_str_radix(hash, 16))
        {
            claims.insert(index, hash);
        }
    }
    Some((header, claims, released))
}

/// Takes over what an earlier process left of a file. The caller holds the lock of the blob. What is left of a file and
/// cannot be used is removed, if it is certain that nobody works on it.
pub(super) fn recover(target: &Target, etag: &str, size: u64, stop: &AtomicBool) -> Option<Recovered> {
    let path = target.journal.as_deref()?;
    let file = File::open(path).ok()?;
    let silent = file.metadata().ok()?.modified().ok()?.elapsed().is_ok_and(|age| age > SILENCE);
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    let (header, claims, released) = parse(&text)?;
    let old = target.temporary_named(&header.temp)?;
    if !(released || silent || header.writer.is_gone()) {
        return None;
    }
    let fits = header.version == VERSION
        && header.etag == etag
        && header.size == size
        && header.segment == segment_length(size)
        && fs::symlink_metadata(&old).is_ok_and(|m| m.is_file() && m.len() == size);
    if !fits {
        let _ = fs::remove_file(&old);
        let _ = fs::remove_file(path);
        return None;
    }
    let file = Incomplete::take_over(&old, &target.stem).ok()?;
    let good = verified(&file, &claims, size, stop)?;
    let journal = Journal::write(path, file.path(), etag, size, &good)?;
    Some(Recovered { segments: good.keys().copied().collect(), file, journal })
}

/// The segments whose bytes are what was noted.
fn verified(file: &Incomplete, claims: &Claims, size: u64, stop: &AtomicBool) -> Option<Claims> {
    let plan = Plan::new(size, segment_length(size));
    let mut buffer = vec![0; BLOCK];
    let mut good = Claims::new();
    for (index, hash) in claims.iter().filter(|(i, _)| **i < plan.segments()) {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let bytes = plan.bytes(&(*index..*index + 1));
        let mut hasher = crc32fast::Hasher::new();
        let read = file.read_range(bytes, &mut buffer, |block| {
            hasher.update(block);
        });
        if read.is_ok() && hasher.finalize() == *hash {
            good.insert(*index, *hash);
        }
    }
    Some(good)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const MIB: usize = 1 << 20;

    fn target(folder: &Path) -> Target {
        Target {
            name: folder.join("blobs/e"),
            stem: folder.join("blobs/e"),
            journal: Some(folder.join("locks/e.hfhub")),
        }
    }

    /// A temporary file of 9 MiB (three segments) with its journal; segments 0 and 2 are noted.
    fn left_behind(target: &Target) -> (PathBuf, PathBuf) {
        let bytes: Vec<u8> = (0..9 * MIB).map(|i| (i % 251) as u8).collect();
        let mut file = Incomplete::create(&target.stem).unwrap();
        file.write(&bytes).unwrap();
        let temp = file.path().to_owned();
        let mut journal = Journal::start(target, &temp, "e", bytes.len() as u64).unwrap();
        journal.done(0, crc32fast::hash(&bytes[..4 * MIB]));
        journal.done(2, crc32fast::hash(&bytes[8 * MIB..]));
        file.keep();
        (temp, journal.path.clone())
    }

    fn go_on(target: &Target, etag: &str, size: usize) -> Option<Vec<usize>> {
        recover(target, etag, size as u64, &AtomicBool::new(false)).map(|r| r.segments)
    }

    fn edit(path: &Path, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(path).unwrap();
        store::write_atomically(path, &change(text)).unwrap();
    }

    #[test]
    fn a_living_writer_is_left_alone_and_a_dead_or_silent_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let target = target(folder.path());
        let (temp, journal) = left_behind(&target);
        assert!(go_on(&target, "e", 9 * MIB).is_none());
        assert!(temp.exists() && journal.exists());
        File::options().append(true).open(&journal).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(go_on(&target, "e", 9 * MIB), Some(vec![0, 2]));
        let (_, journal) = left_behind(&target);
        let me = format!("\"pid\":{}", std::process::id());
        edit(&journal, |text| text.replace(&me, "\"pid\":4194305"));
        assert_eq!(go_on(&target, "e", 9 * MIB), Some(vec![0, 2]));
        let (_, journal) = left_behind(&target);
        edit(&journal, |text| format!("{text}released\n"));
        assert_eq!(go_on(&target, "e", 9 * MIB), Some(vec![0, 2]));
    }

    #[test]
    fn what_was_damaged_is_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let target = target(folder.path());
        let (temp, journal) = left_behind(&target);
        let file = File::options().write(true).open(&temp).unwrap();
        let mut file = file;
        file.write_all(b"damage").unwrap();
        edit(&journal, |text| format!("{text}7 nonsense\nreleased\n"));
        assert_eq!(go_on(&target, "e", 9 * MIB), Some(vec![2]));
    }

    #[test]
    fn another_file_is_started_anew() {
        let folder = tempfile::tempdir().unwrap();
        let target = target(folder.path());
        for (etag, size) in [("f", 9 * MIB), ("e", 8 * MIB)] {
            let (temp, journal) = left_behind(&target);
            edit(&journal, |text| format!("{text}released\n"));
            assert!(go_on(&target, etag, size).is_none());
            assert!(!temp.exists() && !journal.exists());
        }
    }

    #[test]
    fn names_outside_are_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let target = target(folder.path());
        for name in ["../precious", "precious", "e.incomplete", "e.0123456g.incomplete", "/etc/passwd"] {
            let (temp, journal) = left_behind(&target);
            let known = temp.file_name().unwrap().to_str().unwrap().to_owned();
            edit(&journal, |text| format!("{}released\n", text.replace(&known, name)));
            assert!(go_on(&target, "e", 9 * MIB).is_none(), "{name}");
            assert!(temp.exists());
            fs::remove_file(temp).unwrap();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_text_is_no_panic(text in "\\PC{0,200}", cut in 0_usize..400) {
            let folder = tempfile::tempdir().unwrap();
            let target = target(folder.path());
            let (_, journal) = left_behind(&target);
            let whole = fs::read_to_string(&journal).unwrap();
            // A journal cut anywhere: what is read of it is a part of what was written.
            let (_, all, _) = parse(&whole).unwrap();
            if let Some((_, some, released)) = parse(&whole[..cut.min(whole.len())]) {
                prop_assert!(some.iter().all(|(i, h)| all.get(i) == Some(h)) && !released);
            }
            store::write_atomically(&journal, &text).unwrap();
            prop_assert!(go_on(&target, "e", 9 * MIB).is_none());
        }
    }
}

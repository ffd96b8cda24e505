//! The rate budget: every request asks for its turn here, so that a limit of the server is kept and not run into.
//!
//! One budget per process, keyed by origin and token (the Hub counts per account, or per address without one), with one
//! bucket for each that the server names. Processes of a machine share it through a small file under
//! `$HF_HOME/hfhub/rate`, locked for microseconds; without the file (read-only home, a lock that is held) each process
//! keeps its own books. A server that never sends `RateLimit` costs one look for that file per process.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use url::Url;

use super::bucket::{Bucket, Turn};
use super::limits::{Told, retry_after, told};
use super::random;

/// A state file larger than this is not one.
const MAX_FILE: u64 = 16 << 10;
/// Names are the server's: one that invents ever more of them gets no more memory than this.
const MAX_BUCKETS: usize = 16;
/// How often a held lock is tried, a millisecond apart, before the process keeps its own books.
const LOCK_TRIES: u32 = 30;

/// Where a request is counted. The Hub has a bucket for files, one for the API and one for pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Class {
    Resolve,
    Api,
    Page,
}

impl Class {
    fn of(url: &Url) -> Self {
        let path = url.path();
        if path.contains("/resolve/") || path.contains("/api/resolve-cache/") {
            Self::Resolve
        } else if path.contains("/api/") {
            Self::Api
        } else {
            Self::Page
        }
    }
}

/// Whose budget: origin, and a digest of the token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    origin: String,
    identity: String,
}

impl Account {
    /// Of a request that carries this token.
    pub(crate) fn new(url: &Url, token: Option<&str>) -> Self {
        let identity =
            token.map_or_else(String::new, |t| blake3::hash(t.as_bytes()).to_hex()[..16].to_owned());
        Self { origin: url.origin().ascii_serialization(), identity }
    }

    fn file_name(&self) -> String {
        blake3::hash(format!("{}\n{}", self.origin, self.identity).as_bytes()).to_hex()[..32].to_owned()
    }
}

/// What is known of an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Books {
    /// In which bucket a class was counted last.
    classes: BTreeMap<Class, String>,
    buckets: BTreeMap<String, Bucket>,
}

#[derive(Default)]
struct Entry {
    books: Books,
    /// This process's requests on their way, by bucket.
    own: HashMap<String, i64>,
    shared: SharedFile,
}

/// The file that processes share.
#[derive(Clone, Default)]
enum SharedFile {
    #[default]
    NotLookedFor,
    Absent,
    At(PathBuf),
}

/// The budget of a process. Clones are the same budget.
#[derive(Clone, Default)]
pub(crate) struct Budget(Arc<Mutex<HashMap<Account, Entry>>>);

/// A request that has had its turn; when dropped it is not on its way any more.
pub(crate) struct Ticket {
    budget: Budget,
    account: Account,
    class: Class,
    bucket: Option<String>,
}

/// Where files of shared state may be.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a>(pub(crate) Option<&'a Path>);

pub(crate) fn epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

impl Budget {
    fn lock(&self) -> MutexGuard<'_, HashMap<Account, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for the shared file once per account. It is made when the server first speaks of limits.
    fn file_of(entry: &mut Entry, account: &Account, shared: Shared<'_>, make: bool) -> Option<PathBuf> {
        match &entry.shared {
            SharedFile::At(found) => return Some(found.clone()),
            SharedFile::Absent if !make => return None,
            _ => {}
        }
        let path = shared.0.map(|folder| folder.join(account.file_name()))?;
        let there = path.is_file()
            || (make && path.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok()));
        entry.shared = if there { SharedFile::At(path.clone()) } else { SharedFile::Absent };
        there.then_some(path)
    }

    /// Asks for a turn: `Ok` with a ticket and a brake in seconds, or when to come back.
    pub(crate) async fn ask(
        &self,
        account: &Account,
        url: &Url,
        shared: Shared<'_>,
        waited: bool,
    ) -> Result<(Ticket, f64), f64> {
        let class = Class::of(url);
        let file = {
            let mut all = self.lock();
            let entry = all.entry(account.clone()).or_default();
            let file = Self::file_of(entry, account, shared, false);
            if file.is_none() && entry.books.buckets.is_empty() {
                return Ok((self.ticket(account, class, None), 0.0));
            }
            file
        };
        let held = open_locked(file.as_deref()).await;
        let (turn, bucket) = {
            let mut all = self.lock();
            let entry = all.entry(account.clone()).or_default();
            let now = epoch();
            held.load(&mut entry.books, now);
            let name = entry.books.classes.get(&class).cloned();
            let Some((name, bucket)) = name.and_then(|n| entry.books.buckets.get_mut(&n).map(|b| (n, b)))
            else {
                return Ok((self.ticket(account, class, None), 0.0));
            };
            let own = entry.own.entry(name.clone()).or_default();
            let turn = bucket.ask(now, *own, waited, random::fraction());
            if matches!(turn, Turn::Go(_)) {
                *own += 1;
            }
            held.save(&entry.books);
            (turn, name)
        };
        match turn {
            Turn::Go(brake) => Ok((self.ticket(account, class, Some(bucket)), brake)),
            Turn::Wait(until) => Err(until),
        }
    }

    fn ticket(&self, account: &Account, class: Class, bucket: Option<String>) -> Ticket {
        Ticket { budget: self.clone(), account: account.clone(), class, bucket }
    }
}

impl Ticket {
    /// Takes in what the answer says. A 429 with `Retry-After` alone closes the class's bucket for that long.
    pub(crate) async fn answered(mut self, status: u16, headers: &HeaderMap, shared: Shared<'_>) {
        let mut said = told(headers);
        if said.is_empty()
            && status == 429
            && let Some(reset) = retry_after(headers)
        {
            let bucket = self.bucket.clone().unwrap_or_else(|| format!("{:?}", self.class).to_lowercase());
            said.push(Told { bucket, left: 0, reset, policy: None });
        }
        if said.is_empty() {
            return; // dropped: landed
        }
        let file = {
            let mut all = self.budget.lock();
            let entry = all.entry(self.account.clone()).or_default();
            Budget::file_of(entry, &self.account, shared, true)
        };
        let held = open_locked(file.as_deref()).await;
        let mut all = self.budget.lock();
        let entry = all.entry(self.account.clone()).or_default();
        let now = epoch();
        held.load(&mut entry.books, now);
        if let Some(name) = self.bucket.take() {
            entry.landed(&name);
        }
        if let Some(first) = said.first() {
            entry.books.classes.insert(self.class, first.bucket.clone());
        }
        for one in &said {
            if let Some(bucket) = entry.books.buckets.get_mut(&one.bucket) {
                bucket.told(now, one);
            } else if entry.books.buckets.len() < MAX_BUCKETS {
                entry.books.buckets.insert(one.bucket.clone(), Bucket::new(now, one));
            }
        }
        held.save(&entry.books);
    }
}

impl Entry {
    fn landed(&mut self, name: &str) {
        if let Some(own) = self.own.get_mut(name) {
            *own = (*own - 1).max(0);
        }
        if let Some(bucket) = self.books.buckets.get_mut(name) {
            bucket.landed();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(name) = self.bucket.take() else {
            return;
        };
        let mut all = self.budget.lock();
        let Some(entry) = all.get_mut(&self.account) else {
            return;
        };
        // One try: if somebody holds the file, the request counts as on its way until the window ends.
        let held = match &entry.shared {
            SharedFile::At(path) => try_lock(path).unwrap_or(Held(None)),
            _ => Held(None),
        };
        held.load(&mut entry.books, epoch());
        entry.landed(&name);
        held.save(&entry.books);
    }
}

/// The shared file while it is locked; nothing when there is none.
struct Held(Option<File>);

fn try_lock(path: &Path) -> Result<Held, bool> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let Ok(file) = opened else {
        return Err(false);
    };
    match file.try_lock() {
        Ok(()) => Ok(Held(Some(file))),
        Err(std::fs::TryLockError::WouldBlock) => Err(true),
        Err(std::fs::TryLockError::Error(_)) => Err(false),
    }
}

async fn open_locked(path: Option<&Path>) -> Held {
    let Some(path) = path else {
        return Held(None);
    };
    for _ in 0..LOCK_TRIES {
        match try_lock(path) {
            Ok(held) => return held,
            Err(false) => break,
            Err(true) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    Held(None)
}

impl Held {
    /// Replaces the books by the shared ones; a file that cannot be read or believed changes nothing.
    fn load(&self, books: &mut Books, now: f64) {
        let Some(mut file) = self.0.as_ref() else {
            return;
        };
        let mut text = Vec::new();
        if file.seek(SeekFrom::Start(0)).is_err() || file.take(MAX_FILE).read_to_end(&mut text).is_err() {
            return;
        }
        if let Ok(read) = serde_json::from_slice::<Books>(&text)
            && read.buckets.len() <= MAX_BUCKETS
            && read.buckets.values().all(|b| b.is_sane(now))
        {
            *books = read;
        }
    }

    fn save(&self, books: &Books) {
        let Some(mut file) = self.0.as_ref() else {
            return;
        };
        let Ok(text) = serde_json::to_vec(books) else {
            return;
        };
        // Cut first: a writer that is killed between leaves text that does not parse, not a false number.
        let _ =
            file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| file.write_all(&text));
    }
}

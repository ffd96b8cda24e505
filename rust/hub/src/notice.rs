//! What a caller should be warned of, without failing.

use std::sync::{Mutex, PoisonError};

/// Kinds of warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The hub could not be asked; what the cache has may be old.
    StaleCache,
    /// A snapshot whose listing is not known, so that nobody can say whether it is complete.
    PartialSnapshot,
    /// The file system has no symbolic links.
    Symlinks,
    /// Patterns that no file passes.
    NothingMatched,
    /// A lock whose holder seems to be dead.
    Lock,
}

/// One warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What kind.
    pub kind: NoticeKind,
    /// What it is about: the same kind about the same thing is worth saying once.
    pub about: String,
    /// The sentence.
    pub text: String,
}

/// Warnings of one call.
#[derive(Debug, Default)]
pub struct Notices(Mutex<Vec<Notice>>);

impl Notices {
    /// Keeps a warning; the same kind about the same thing only once.
    pub(crate) fn add(&self, kind: NoticeKind, about: impl Into<String>, text: String) {
        let about = about.into();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.iter().any(|n| n.kind == kind && n.about == about) {
            all.push(Notice { kind, about, text });
        }
    }

    /// Takes them out.
    pub fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

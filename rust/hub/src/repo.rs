//! What names a repository: kind, id, revision.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{HubError, HubErrorKind};

/// Everything that a path segment must escape.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes one path segment, `/` included.
pub fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Percent-encodes a path, keeping its `/`.
pub fn encode_path(path: &str) -> String {
    path.split('/').map(encode_segment).collect::<Vec<_>>().join("/")
}

/// Kinds of repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepoKind {
    /// A dataset.
    Dataset,
    /// A model.
    Model,
    /// A space.
    Space,
}

impl RepoKind {
    /// `datasets`, `models`, `spaces`: in API addresses and cache folders.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Dataset => "datasets",
            Self::Model => "models",
            Self::Space => "spaces",
        }
    }

    /// What comes before the id in file addresses: nothing for models.
    pub fn url_prefix(self) -> &'static str {
        match self {
            Self::Dataset => "datasets/",
            Self::Model => "",
            Self::Space => "spaces/",
        }
    }
}

impl fmt::Display for RepoKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plural().trim_end_matches('s'))
    }
}

impl FromStr for RepoKind {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        match text {
            "dataset" | "datasets" => Ok(Self::Dataset),
            "model" | "models" => Ok(Self::Model),
            "space" | "spaces" => Ok(Self::Space),
            other => {
                let message = format!("repo type {other:?} is none of dataset, model, space");
                Err(HubError::new(HubErrorKind::InvalidArgument, message))
            }
        }
    }
}

/// A repository at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoRef {
    /// Kind.
    pub kind: RepoKind,
    /// `namespace/name`, or a bare name.
    pub id: String,
    /// Branch, tag, commit or other ref.
    pub revision: String,
}

impl RepoRef {
    /// Checks an id by the Hub's rules: one or two parts of letters, digits, `-`, `_`, `.`, at most 96 characters,
    /// no `--` or `..`, no `-` or `.` at either end, not ending in `.git`.
    ///
    /// # Errors
    /// `InvalidRepoId`, or `InvalidArgument` for an empty revision.
    #[expect(
        clippy::case_sensitive_file_extension_comparisons,
        reason = "the Hub's rule is about `.git` as it is"
    )]
    pub fn new(kind: RepoKind, id: &str, revision: Option<&str>) -> Result<Self, HubError> {
        let revision = revision.unwrap_or("main");
        let wrong = |why: &str| {
            HubError::new(HubErrorKind::InvalidRepoId, format!("{id:?} is not a repository id: {why}"))
                .with(|c| c.repo_id = Some(id.to_owned()))
        };
        let parts: Vec<&str> = id.split('/').collect();
        if parts.len() > 2 {
            return Err(wrong("expected 'name' or 'namespace/name'"));
        }
        if id.len() > 96 {
            return Err(wrong("longer than 96 characters"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if parts.iter().any(|p| p.is_empty() || !p.chars().all(allowed)) {
            return Err(wrong("only letters, digits, '-', '_' and '.' are allowed"));
        }
        if id.contains("--") || id.contains("..") || id.ends_with(".git") {
            return Err(wrong("'--', '..' and a final '.git' are not allowed"));
        }
        if parts.iter().any(|p| p.starts_with(['-', '.']) || p.ends_with(['-', '.'])) {
            return Err(wrong("'-' and '.' cannot start or end a name"));
        }
        if revision.is_empty() || revision.split('/').any(|p| p == ".." || p == "." || p.is_empty()) {
            return Err(HubError::new(
                HubErrorKind::InvalidArgument,
                format!("{revision:?} is not a revision"),
            ));
        }
        Ok(Self { kind, id: id.to_owned(), revision: revision.to_owned() })
    }

    /// The same repository at another revision.
    #[must_use]
    pub fn at(&self, revision: &str) -> Self {
        Self { revision: revision.to_owned(), ..self.clone() }
    }

    /// Whether the revision is a full commit hash, which never changes.
    pub fn is_commit(&self) -> bool {
        is_commit(&self.revision)
    }

    /// `dataset ns/name@main`, for messages.
    pub fn shown(&self) -> String {
        format!("{} {}@{}", self.kind, self.id, self.revision)
    }
}

/// Whether a text is a full commit hash.
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A file path of a repository that is safe to join to a folder, here and on Windows.
///
/// # Errors
/// `InvalidArgument` for absolute paths, `..`, drives, shares, NUL, an empty path or part.
pub fn safe_path(path: &str) -> Result<&str, HubError> {
    let drive = |part: &str| matches!(part.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let climbs = |part: &str| part.split('\\').any(|p| p == "..");
    let odd =
        |part: &str| part.is_empty() || part == "." || part.starts_with('\\') || drive(part) || climbs(part);
    let wrong =
        path.contains('\0') || (cfg!(windows) && path.contains(['\\', ':'])) || path.split('/').any(odd);
    if !wrong {
        return Ok(path);
    }
    let message = format!("{path:?} is not a safe path inside a repository");
    Err(HubError::new(HubErrorKind::InvalidArgument, message)
        .with(|c| c.path = Some(path.to_owned()))
        .with_hint(
            "It would leave the folder it belongs to; ask the owner of the repository to rename the file.",
        ))
}

/// A blob's name that is one part of a path.
///
/// # Errors
/// `Http` for a name that would leave the folder of blobs.
pub(crate) fn safe_etag(etag: &str) -> Result<&str, HubError> {
    let fine = !etag.is_empty()
        && etag.len() <= 200
        && !etag.starts_with('.')
        && !etag.contains(['/', '\\', ':', '\0']);
    if fine {
        return Ok(etag);
    }
    Err(HubError::new(HubErrorKind::Http, format!("the hub sent {etag:?} as the name of a content")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ids_are_checked() {
        for good in ["gpt2", "openai/gsm8k", "a/b-c_d.e"] {
            assert!(RepoRef::new(RepoKind::Dataset, good, None).is_ok(), "{good}");
        }
        for bad in ["", "a/b/c", "a/", "../x", "a b", "a--b", "a/b.git", "-a/b", "a/.b", "a\\b"] {
            assert!(RepoRef::new(RepoKind::Dataset, bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_cannot_leave_the_folder() {
        for good in ["data/a.parquet", "a..b", "ab:c", "...", "a\\b"] {
            assert!(safe_path(good).is_ok() || cfg!(windows), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "a/../b",
            "a//b",
            "..",
            "C:/x",
            "d/C:x",
            "\\\\host\\share",
            "a/\\b",
            "a\\..\\b",
            "./a",
            "a\0b",
        ] {
            assert!(safe_path(bad).is_err(), "{bad}");
        }
        assert!(safe_etag("a-1").is_ok());
        for bad in ["", "..", "a/b", "a\\b", "x\0"] {
            assert!(safe_etag(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn encoding() {
        assert_eq!(encode_segment("refs/convert/parquet"), "refs%2Fconvert%2Fparquet");
        assert_eq!(encode_path("a b/[x]^|.txt"), "a%20b/%5Bx%5D%5E%7C.txt");
    }
}

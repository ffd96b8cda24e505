//! The hash that a blob's name promises: sha256 for large files, the git blob id for small ones.

use sha1::Digest as _;

/// A running hash. Names of other forms (mirrors) promise nothing that can be checked.
pub(crate) enum Verifier {
    Sha256(sha2::Sha256),
    Git(sha1::Sha1),
    Unknown,
}

impl Verifier {
    /// Whether a blob's name is a hash of its contents.
    pub(crate) fn is_hash(etag: &str) -> bool {
        matches!(etag.len(), 40 | 64) && etag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// For a blob's name; a git id covers the length too.
    pub(crate) fn new(etag: &str, size: Option<u64>) -> Self {
        match (etag.len(), size) {
            _ if !Self::is_hash(etag) => Self::Unknown,
            (64, _) => Self::Sha256(sha2::Sha256::default()),
            (_, Some(size)) => {
                let mut hash = sha1::Sha1::default();
                hash.update(format!("blob {size}\0").as_bytes());
                Self::Git(hash)
            }
            _ => Self::Unknown,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Git(hash) => hash.update(bytes),
            Self::Unknown => {}
        }
    }

    /// The hash of what came, if it can be checked.
    pub(crate) fn finish(self) -> Option<String> {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect();
        match self {
            Self::Sha256(hash) => Some(hex(&hash.finalize())),
            Self::Git(hash) => Some(hex(&hash.finalize())),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verifier;

    #[test]
    fn known_hashes() {
        let hash = |etag: &str| {
            let mut verifier = Verifier::new(etag, Some(6));
            verifier.update(b"hel");
            verifier.update(b"lo\n");
            verifier.finish()
        };
        // `printf 'hello\n' | git hash-object --stdin` and `| sha256sum`
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(hash(git).as_deref(), Some(git));
        assert_eq!(hash(sha).as_deref(), Some(sha));
        assert_eq!(hash("\"opaque\""), None);
        assert!(matches!(Verifier::new(git, None), Verifier::Unknown));
    }
}

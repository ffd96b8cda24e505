//! The hash of a file that is on disk already: for checking a cache.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::Digest as _;

use crate::error::HubError;

const CHUNK: usize = 1 << 18;

/// How a file is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashForm {
    /// sha256 of the bytes: how large files are named.
    Sha256,
    /// The id that git gives a file of these bytes: how small files are named.
    GitSha1,
}

impl HashForm {
    /// The form of a blob's name; `None` for names that promise nothing (those of mirrors).
    pub fn of_name(name: &str) -> Option<Self> {
        let hex = name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match name.len() {
            64 if hex => Some(Self::Sha256),
            40 if hex => Some(Self::GitSha1),
            _ => None,
        }
    }
}

/// Length and hash of a file. `stop` is asked between chunks; once it says yes the work ends with an error.
///
/// # Errors
/// `Io` if the file cannot be read, or changes its length meanwhile.
pub fn hash_file(path: &Path, form: HashForm, stop: &dyn Fn() -> bool) -> Result<(u64, String), HubError> {
    let failed = |e| HubError::io("read", path, e);
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut large = sha2::Sha256::default();
    let mut small = git_id(size);
    let mut chunk = vec![0; CHUNK];
    let mut length = 0;
    loop {
        if stop() {
            return Err(failed(std::io::ErrorKind::Interrupted.into()));
        }
        let bytes = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => chunk.get(..count).unwrap_or_default(),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(failed(e)),
        };
        length += bytes.len() as u64;
        match form {
            HashForm::Sha256 => large.update(bytes),
            HashForm::GitSha1 => small.update(bytes),
        }
    }
    if length != size {
        return Err(failed(std::io::Error::other("its length changed while it was read")));
    }
    let hash = match form {
        HashForm::Sha256 => hex(&large.finalize()),
        HashForm::GitSha1 => hex(&small.finalize()),
    };
    Ok((length, hash))
}

/// The hash of bytes in memory.
pub(crate) fn hash_bytes(bytes: &[u8], form: HashForm) -> String {
    match form {
        HashForm::Sha256 => hex(&sha2::Sha256::digest(bytes)),
        HashForm::GitSha1 => {
            let mut hash = git_id(bytes.len() as u64);
            hash.update(bytes);
            hex(&hash.finalize())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a git id begins with.
fn git_id(size: u64) -> sha1::Sha1 {
    let mut hash = sha1::Sha1::default();
    hash.update(format!("blob {size}\0").as_bytes());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("f");
        #[allow(clippy::disallowed_methods, reason = "a test's file")]
        std::fs::write(&path, "hello\n")?;
        // `printf 'hello\n' | git hash-object --stdin` and `| sha256sum`
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        for name in [git, sha] {
            let form = HashForm::of_name(name).ok_or("no form")?;
            assert_eq!(hash_file(&path, form, &|| false)?, (6, name.to_owned()));
            assert_eq!(hash_bytes(b"hello\n", form), name);
            assert!(hash_file(&path, form, &|| true).is_err());
        }
        assert_eq!(HashForm::of_name("\"opaque\""), None);
        Ok(())
    }
}

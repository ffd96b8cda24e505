//! Names in archives, which may be anything.

/// The parts of a name, or why it is refused. An empty list is the root itself.
///
/// Backslashes part a name too when it tries to leave: an archive must mean the same on every system, or be refused.
pub(super) fn parts(name: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    if name.contains(&0) {
        return Err("has a NUL");
    }
    if matches!(name, [b'/' | b'\\', ..]) {
        return Err("is absolute");
    }
    if matches!(name, [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic())
        || (cfg!(windows) && name.contains(&b':'))
    {
        return Err("names a drive");
    }
    if name.split(|b| matches!(b, b'/' | b'\\')).any(|part| part == b"..") {
        return Err("leaves the folder (..)");
    }
    let separator = |b: &u8| *b == b'/' || (cfg!(windows) && *b == b'\\');
    let parts: Vec<&[u8]> = name.split(separator).filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.iter().any(|part| part.len() > 255) {
        return Err("has a part of more than 255 bytes");
    }
    Ok(parts)
}

/// The name of a compressed file without its last suffix: `a.csv.gz` -> `a.csv`.
pub(super) fn without_suffix(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = match last.rsplit_once('.') {
        Some((stem, "gz" | "xz" | "zst" | "zstd" | "GZ" | "XZ" | "ZST")) if !stem.is_empty() => stem,
        _ => last,
    };
    if matches!(stem, "" | "." | "..") { "content".to_owned() } else { stem.replace('\0', "_") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refused() {
        for name in [
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a\\..\\x",
            "..\\x",
            "C:\\x",
            "c:/x",
            "\\\\host\\share",
            "a\0b",
            "..",
        ] {
            assert!(parts(name.as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn accepted() {
        assert_eq!(parts(b"./a//b/").unwrap(), [b"a", b"b"]);
        assert_eq!(parts(b"...").unwrap(), [b"..."]);
        assert_eq!(parts(b"a..b/c:d").unwrap(), [&b"a..b"[..], b"c:d"]);
        assert!(parts(b"./").unwrap().is_empty());
        assert_eq!(without_suffix("x/a.csv.gz"), "a.csv");
        assert_eq!(without_suffix(".gz"), ".gz");
        assert_eq!(without_suffix(".."), "content");
    }

    proptest! {
        #[test]
        fn what_is_accepted_stays_inside(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(parts) = parts(&name) {
                for part in parts {
                    prop_assert!(part != b".." && part != b"." && !part.is_empty());
                    prop_assert!(!part.contains(&b'/') && !part.contains(&0));
                }
            }
        }
    }
}

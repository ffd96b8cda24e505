#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use std::path::Path;

use super::*;
use crate::cache::hash::{HashForm, hash_file};
use crate::repo::{RepoKind, RepoRef};

const SIZE: u64 = 5 * 1024 * 1024 + 17;
const COMMIT: &str = "1111111111111111111111111111111111111111";

fn content() -> Vec<u8> {
    (0..SIZE).map(|i| (i * 7 % 251) as u8).collect()
}

fn etag(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    fs::write(&path, bytes).unwrap();
    hash_file(&path, HashForm::Sha256, &|| false).unwrap().1
}

fn kept(cache: &Path, repo: &str, etag: &str, size: u64, limit: u64) -> Kept {
    let repo = RepoRef::new(RepoKind::Dataset, repo, Some(COMMIT)).unwrap();
    let layout = Layout::new(cache, &repo);
    room::since();
    Kept {
        folder: layout.root().join(room::FOLDER).join(etag),
        layout,
        commit: COMMIT.to_owned(),
        path: "data/a.bin".to_owned(),
        etag: etag.to_owned(),
        size,
        symlinks: true,
        limit,
        there: std::iter::repeat_with(AtomicU64::default).take(8).collect(),
        count: AtomicU64::new(0),
        touched: AtomicU64::new(0),
        full: AtomicBool::new(false),
    }
}

fn fill(kept: &Kept, bytes: &[u8], blocks: impl Iterator<Item = u64>) {
    for block in blocks {
        let range = kept.bytes_of(block);
        kept.write(block, &bytes[range.start as usize..range.end as usize]);
    }
}

fn on_disk(cache: &Path) -> u64 {
    let mut sum = 0;
    let mut folders = vec![cache.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let facts = entry.metadata().unwrap();
            if facts.is_dir() { folders.push(entry.path()) } else { sum += facts.len() }
        }
    }
    sum
}

#[test]
fn a_file_whose_blocks_are_all_there_is_one_of_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, cache) = (content(), folder.path());
    let name = etag(&bytes);
    let first = kept(cache, "org/a", &name, SIZE, 1 << 30);
    fill(&first, &bytes, (0..20).rev());
    assert!(!first.finish().unwrap(), "the last block is not there");
    // Another process has the rest, and meets the blocks of the first.
    let second = kept(cache, "org/a", &name, SIZE, 1 << 30);
    fill(&second, &bytes, 20..21);
    assert!(!second.finish().unwrap());
    for block in 0..21 {
        let range = second.bytes_of(block);
        assert_eq!(second.read(block).unwrap(), bytes[range.start as usize..range.end as usize]);
    }
    assert!(second.finish().unwrap());
    assert_eq!(fs::read(second.whole().unwrap()).unwrap(), bytes);
    let pointer = cache.join("datasets--org--a/snapshots").join(COMMIT).join("data/a.bin");
    assert_eq!(fs::read(pointer).unwrap(), bytes);
    assert!(!second.folder.exists());
}

#[test]
fn damaged_blocks_are_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, cache) = (content(), folder.path());
    let name = etag(&bytes);
    let one = kept(cache, "org/a", &name, SIZE, 1 << 30);
    fill(&one, &bytes, 0..21);
    let path = path_of(&one.folder, 0);
    let mut damaged = fs::read(&path).unwrap();
    damaged[4096 + 3 * BLOCK as usize + 5] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert_eq!(one.read(3), None);
    assert!(one.read(2).is_some() && one.read(4).is_some());
    assert!(!one.finish().unwrap(), "a block is missing");
    fill(&one, &bytes, 3..4);
    assert_eq!(one.read(3).unwrap(), bytes[3 * BLOCK as usize..4 * BLOCK as usize]);
    // Under another name, cut, or something else altogether.
    let other = kept(cache, "org/a", &"0".repeat(64), SIZE, 1 << 30);
    fs::create_dir_all(&other.folder).unwrap();
    for wrong in [fs::read(&path).unwrap(), damaged[..5000].to_vec(), b"text".to_vec(), Vec::new()] {
        fs::write(path_of(&other.folder, 0), wrong).unwrap();
        assert_eq!(other.read(2), None);
    }
    fill(&other, &bytes, 2..3);
    assert!(other.read(2).is_some(), "what is no segment is written anew");
}

#[test]
fn a_wrong_hash_removes_what_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = content();
    let name = etag(&bytes);
    bytes[77] ^= 1;
    let one = kept(folder.path(), "org/a", &name, SIZE, 1 << 30);
    fill(&one, &bytes, 0..21);
    let error = one.finish().unwrap_err();
    assert_eq!(error.kind(), HubErrorKind::Integrity);
    assert!(one.whole().is_none() && one.read(1).is_none() && !one.folder.exists());
}

#[test]
fn the_limit_holds_and_the_oldest_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, cache) = (vec![7; 600_000], folder.path());
    let limit = 2_000_000; // three files of one segment each
    let files: Vec<Kept> = (0..5)
        .map(|i| kept(cache, &format!("org/r{i}"), &format!("{i}").repeat(64), 600_000, limit))
        .collect();
    let age = |i: usize, seconds| {
        let file = fs::File::options().write(true).open(path_of(&files[i].folder, 0)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(seconds)).unwrap();
    };
    for (i, file) in files.iter().enumerate().take(3) {
        fill(file, &bytes, 0..3);
        age(i, 100 - i as u64);
    }
    assert!(files[0].read(0).is_some(), "used again, so it is the newest");
    fill(&files[3], &bytes, 0..3);
    let there = |i: usize| path_of(&files[i].folder, 0).exists();
    assert_eq!([0, 1, 2, 3].map(there), [true, false, true, true]);
    fill(&files[4], &bytes, 0..3);
    assert_eq!([0, 2, 3, 4].map(there), [true, false, true, true]);
    assert!(on_disk(cache) <= limit);
}

#[test]
fn of_a_dataset_larger_than_the_limit_a_part_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, cache) = (vec![7; 600_000], folder.path());
    let files: Vec<Kept> =
        (0..5).map(|i| kept(cache, "org/a", &format!("{i}").repeat(64), 600_000, 1_300_000)).collect();
    for file in &files {
        fill(file, &bytes, 0..3);
    }
    let there: Vec<bool> = files.iter().map(|f| f.read(0).is_some()).collect();
    assert_eq!(there, [true, true, false, false, false]);
    assert!(on_disk(cache) <= 1_300_000);
}

#[test]
fn a_file_that_is_done_takes_no_folder_from_another() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = vec![7_u8; 3000];
    let work = |name: char| {
        for round in 0..500 {
            let one = kept(folder.path(), "org/a", &name.to_string().repeat(64), 3000, 1 << 30);
            one.write(0, &bytes);
            assert!(one.read(0).is_some(), "{name}, round {round}");
            one.remove();
        }
    };
    std::thread::scope(|threads| {
        for name in ['a', 'b', 'c'] {
            threads.spawn(move || work(name));
        }
    });
}

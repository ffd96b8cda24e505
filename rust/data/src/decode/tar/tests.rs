#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::source::MemorySource;

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn source(bytes: Vec<u8>) -> Arc<dyn ByteSource> {
    Arc::new(MemorySource::new("x.tar", bytes))
}

fn all(bytes: Vec<u8>) -> Result<Vec<Sample>, DataError> {
    let mut samples = Samples::open(&source(bytes), 0, &Limits::default())?;
    std::iter::from_fn(|| samples.next_sample().transpose()).collect()
}

#[test]
fn neighbours_of_one_name_are_a_sample() {
    let long = format!("{}/a.txt", "d".repeat(300));
    let bytes = archive(&[
        ("a.txt", b"1"),
        ("a.seg.png", b"22"),
        (".hidden.txt", b"?"),
        ("none", b"?"),
        ("d.e/b.txt", b""),
        ("a.txt", b"3"),
        (&long, b"4"),
    ]);
    let found: Vec<(String, Vec<String>)> = all(bytes.clone())
        .unwrap()
        .into_iter()
        .map(|s| (s.key, s.fields.into_iter().map(|f| f.0).collect()))
        .collect();
    let expected = [("a", vec!["txt", "seg.png"]), ("d.e/b", vec!["txt"]), ("a", vec!["txt"])];
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(
            (found.0.as_str(), &found.1),
            (expected.0, &expected.1.iter().map(ToString::to_string).collect())
        );
    }
    assert_eq!(found.last().unwrap().0, long.strip_suffix(".txt").unwrap());
    // Reading on from the place of each sample gives the rest.
    for sample in all(bytes.clone()).unwrap() {
        let mut rest = Samples::open(&source(bytes.clone()), sample.start, &Limits::default()).unwrap();
        let again = rest.next_sample().unwrap().unwrap();
        assert_eq!((again.key, again.fields, again.end), (sample.key, sample.fields, sample.end));
    }
}

#[test]
fn every_truncation_is_an_error_or_a_shorter_archive() {
    let bytes = archive(&[("a.txt", &[7; 700]), ("b.txt", b"2")]);
    let mut errors = 0;
    for length in 0..bytes.len() {
        match all(bytes.get(..length).unwrap().to_vec()) {
            Ok(samples) => {
                assert!(samples.iter().all(|s| s.fields.iter().all(|f| f.1.len() == 700 || f.1.len() == 1)));
            }
            Err(error) => {
                errors += 1;
                assert_eq!(error.path(), Some("x.tar"));
            }
        }
    }
    assert!(errors > 1000);
}

#[test]
fn absurd_sizes_are_refused_before_they_are_reserved() {
    let mut header = tar::Header::new_gnu();
    header.set_path("a.bin").unwrap();
    header.set_size(1 << 50);
    header.set_mode(0o644);
    header.set_cksum();
    let error = all(header.as_bytes().to_vec()).unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Limit);
    assert!(error.to_string().contains("a.bin"));
    header.set_size(1 << 30);
    header.set_cksum();
    let error = all(header.as_bytes().to_vec()).unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Decode);
    let twice = all(archive(&[("a.txt", b"1"), ("a.txt", b"2")])).unwrap_err();
    assert!(twice.to_string().contains("Duplicate field"));
}

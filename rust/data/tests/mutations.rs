//! Readers of strangers' bytes on changed bytes: a table or a typed error, never a panic.
//!
//! The seeds are the corpora of `fuzz/`, changed as a fuzzer without feedback changes them. A run is the same each time;
//! `CRUCIBLE_FUZZ_SECONDS=60` makes it longer, and other each time. What fails is kept under `target/mutations`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crucible_data::decode::tar::Samples;
use crucible_data::decode::units;
use crucible_data::{
    ByteSource, Cancel, DataError, DataErrorKind, Format, Limits, MemorySource, ReadOptions, image,
    read_files,
};

/// Changed inputs of each reader in a usual run.
const USUAL: usize = 400;
/// Numbers that sizes are announced with.
const TELLING: [u64; 12] =
    [0, 1, 7, 8, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// xorshift64*: enough for dice.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.iter().map(|f| fs::read(f).unwrap()).collect()
}

fn changed(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut data = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(data.len());
        let length = dice.below(16).min(data.len() - at.min(data.len()));
        match dice.below(9) {
            0 if !data.is_empty() => data[at] ^= 1 << dice.below(8),
            1 if !data.is_empty() => data[at] = dice.next() as u8,
            2 => data.truncate(at),
            3 => drop(data.drain(at..at + length)),
            4 => {
                let piece = data[at..at + length].to_vec();
                let to = dice.below(data.len());
                data.splice(to..to, piece);
            }
            5 | 6 => {
                let number = TELLING[dice.below(TELLING.len())].to_le_bytes();
                let width = [1, 2, 4, 8][dice.below(4)];
                for (byte, new) in data.iter_mut().skip(at).zip(&number[..width]) {
                    *byte = *new;
                }
            }
            7 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                let piece = &other[from..(from + dice.below(64)).min(other.len())];
                data.splice(at..at + length, piece.iter().copied());
            }
            _ => {
                let byte = dice.next() as u8;
                let count = dice.below(300);
                data.splice(at..at, std::iter::repeat_n(byte, count));
            }
        }
    }
    data
}

/// Gives changed bytes to a reader until the run is over.
fn run(name: &str, read: impl Fn(&[u8]) -> Result<(), DataError>) {
    let seconds = std::env::var("CRUCIBLE_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    let seed = match seconds {
        None => 1,
        Some::<u64>(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1,
    };
    let seeds = corpus(name);
    for (index, seed) in seeds.iter().enumerate() {
        assert!(read(seed).is_ok(), "seed {index} of {name}: {}", read(seed).unwrap_err());
    }
    let (mut dice, start, mut count, mut read_well) = (Dice(seed), Instant::now(), 0, 0);
    while seconds.map_or(count < USUAL, |s| start.elapsed() < Duration::from_secs(s)) {
        let data = changed(&seeds, &mut dice);
        let last = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.last"));
        if seconds.is_some() {
            fs::write(&last, &data).unwrap(); // an abort leaves it
        }
        match catch_unwind(AssertUnwindSafe(|| read(&data))) {
            Ok(Ok(())) => read_well += 1,
            Ok(Err(error)) => {
                assert!(error.kind() != DataErrorKind::Internal, "{error}, seed {seed}, input {count}");
            }
            Err(_) => {
                fs::write(&last, &data).unwrap();
                panic!("{name} panicked; the input is in {}", last.display());
            }
        }
        count += 1;
    }
    println!("{name}: {count} inputs, {read_well} of them read");
    assert!(read_well < count);
}

fn of_format(name: &str, format: Format) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input");
    run(name, |data| {
        fs::write(&path, data).unwrap();
        let limits = Limits { max_unpacked_bytes: 1 << 20, ..Limits::default() };
        let options = ReadOptions { limits, ..ReadOptions::default() };
        let whole = read_files(std::slice::from_ref(&path), format, &options).map(|_| ());
        if format == Format::Parquet {
            return whole;
        }
        let source: Arc<dyn ByteSource> = Arc::new(MemorySource::new("input", data.to_vec()));
        let mut open = units::open(&source, format, 0, &options)?;
        while open.next_unit(&Cancel::new())?.is_some() {}
        whole
    });
}

#[test]
fn tar() {
    run("tar", |data| {
        let source: Arc<dyn ByteSource> = Arc::new(MemorySource::new("input", data.to_vec()));
        let limits = Limits { max_unpacked_bytes: 1 << 20, max_member_bytes: 1 << 20, ..Limits::default() };
        let mut samples = Samples::open(&source, 0, &limits)?;
        while samples.next_sample()?.is_some() {}
        Ok(())
    });
}

#[test]
fn parquet() {
    of_format("parquet", Format::Parquet);
}

#[test]
fn arrow() {
    of_format("arrow", Format::Arrow);
}

#[test]
fn json() {
    of_format("json", Format::Json);
}

#[test]
fn json_array() {
    of_format("json_array", Format::Json);
}

#[test]
fn csv() {
    of_format("csv", Format::Csv);
}

#[test]
fn text() {
    of_format("text", Format::Text);
}

#[test]
fn images() {
    let limits = Limits { max_image_pixels: 1 << 20, ..Limits::default() };
    run("image", |data| image::decode(data, &limits).map(|_| ()));
}

#[test]
fn features() {
    run("features", |data| {
        let json =
            serde_json::from_slice(data).map_err(|e| DataError::new(DataErrorKind::Decode, e.to_string()))?;
        crucible_data::features::schema_from_features(&json).map(|_| ())
    });
}

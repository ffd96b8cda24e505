#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::panic, reason = "tests")]
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_select::concat::concat_batches;
use proptest::prelude::*;

use super::*;
use crate::decode::parquet::{Filter, Literal, Op, Predicate};
use crate::decode::{SampleBy, TextOptions};
use crate::source::MemorySource;

fn sources(files: &[Vec<u8>]) -> Vec<Arc<dyn ByteSource>> {
    let named = files.iter().enumerate();
    named
        .map(|(i, bytes)| Arc::new(MemorySource::new(format!("{i}.x"), bytes.clone())) as Arc<dyn ByteSource>)
        .collect()
}

/// All rows by windows of `window` bytes, and by a whole reading; equal or both errors of the same text.
fn same(files: &[Vec<u8>], format: Format, options: &ReadOptions, window: u64) -> Option<Table> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let sources = sources(files);
    let whole = read_sources(&sources, format, options);
    let cut = Job { path: &path, budget: 0, sources: &sources, format, options, window }.read();
    match (whole, cut) {
        (Ok(whole), Ok(cut)) => {
            assert_eq!(whole.schema(), cut.schema(), "{window}");
            let one = |t: &Table| concat_batches(&t.schema(), t.batches().unwrap()).unwrap();
            assert_eq!(one(&whole), one(&cut), "{window}");
            assert_eq!(path.exists(), cut.path().is_some());
            Some(cut)
        }
        (Err(whole), Err(cut)) => {
            assert_eq!(whole.to_string(), cut.to_string());
            assert!(!path.exists());
            None
        }
        (whole, cut) => panic!("{window}: {:?} and {:?}", whole.map(|_| ()), cut.map(|_| ())),
    }
}

/// Whether windows alone gave the table, in constant memory.
fn by_windows(files: &[Vec<u8>], format: Format, options: &ReadOptions, window: u64) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let (path, sources) = (folder.path().join("t.arrow"), sources(files));
    Job { path: &path, budget: 0, sources: &sources, format, options, window }.texts().unwrap().is_some()
}

fn lines(rows: impl IntoIterator<Item = String>) -> Vec<u8> {
    rows.into_iter().fold(String::new(), |text, row| text + &row + "\n").into_bytes()
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

fn options(head: u64) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.json.head = head;
    options
}

#[test]
fn types_that_widen_late() {
    let rows = |late: &str| {
        let early = (0..500).map(|i| format!(r#"{{"a":{i},"b":null,"c":[{i}]}}"#));
        lines(early.chain([late.to_owned()]).chain((0..20).map(|i| format!(r#"{{"a":{i}}}"#))))
    };
    for late in [
        r#"{"a":1.5}"#,
        r#"{"b":"x"}"#,
        r#"{"b":{"x":1}}"#,
        r#"{"c":[0.5]}"#,
        r#"{"d":7,"a":2}"#,
        r#"{"a":"text"}"#,    // JSON text
        r#"{"c":[{"x":1}]}"#, // the same of items
        r#"{"c":{"x":1}}"#,
        r#"{"b":"2020-01-01"}"#, // a date
        "{\"a\":\n1}",           // over two lines
        r#"[{"a":1}]"#,          // an error
        r#"{"a":1"#,             // an error
        "",
    ] {
        for window in [100, 1000, 10_000, 1 << 20] {
            let text = rows(late);
            same(std::slice::from_ref(&text), Format::Json, &options(50), window);
            same(&[gzipped(&text)], Format::Json, &options(50), window);
            same(&[rows(""), text.clone(), rows("")], Format::Json, &options(50), window);
        }
    }
}

#[test]
fn dates_that_turn_out_to_be_text() {
    let dates = || (0..300).map(|i| format!(r#"{{"d":"2020-01-{:02}"}}"#, i % 28 + 1));
    let text = [r#"{"d":"soon"}"#.to_owned()];
    for window in [200, 3000] {
        same(&[lines(dates())], Format::Json, &options(50), window);
        same(&[lines(dates().chain(text.clone()))], Format::Json, &options(50), window);
        same(&[lines(text.clone().into_iter().chain(dates()))], Format::Json, &options(50), window);
    }
}

#[test]
fn what_only_the_last_row_tells_takes_no_more_memory() {
    let early =
        || (0..500).map(|i| format!(r#"{{"a":{i},"d":"2020-01-01","o":{{"x":[1]}},"t":"2020-01-01"}}"#));
    for late in [
        r#"{"a":"text"}"#,
        r#"{"d":"soon"}"#,
        r#"{"d":7}"#,
        r#"{"o":{"x":["s"]}}"#,
        r#"{"o":[1]}"#,
        r#"{"a":0.5}"#,
    ] {
        let text = lines(early().chain([late.to_owned()]));
        for files in [vec![text.clone()], vec![gzipped(&text)], vec![lines(early()), text.clone(), text]] {
            for window in [300, 5000] {
                assert!(same(&files, Format::Json, &options(50), window).is_some());
                assert!(by_windows(&files, Format::Json, &options(50), window), "{late}");
                let some = ReadOptions { columns: Some(vec!["d".into(), "a".into()]), ..options(50) };
                assert!(same(&files, Format::Json, &some, window).is_some());
            }
        }
        let mut strict = options(50);
        strict.json.mixed = false;
        same(&[lines(early()), lines(early().chain([late.to_owned()]))], Format::Json, &strict, 300);
    }
}

#[test]
fn a_column_that_only_the_last_window_has() {
    let text = lines((0..200).map(|_| r#"{"a":1}"#.into()).chain([r#"{"b":"x"}"#.into()]));
    let some = |name: &str| ReadOptions { columns: Some(vec![name.into()]), ..options(50) };
    assert!(by_windows(std::slice::from_ref(&text), Format::Json, &some("b"), 300));
    assert!(same(std::slice::from_ref(&text), Format::Json, &some("b"), 300).is_some());
    assert!(same(&[text], Format::Json, &some("c"), 300).is_none());
}

/// Windows that cannot be read alone are not left out.
#[test]
fn features_do_not_hide_what_windows_cannot_tell() {
    let imposed = |kind: &str| {
        let value = serde_json::json!({"_type": "Value", "dtype": kind});
        ReadOptions { features: Some(serde_json::json!({"a": value.clone(), "b": value})), ..options(50) }
    };
    let text = lines((0..50).map(|i| format!(r#"{{"a":{i},"b":1}}"#)).chain(["[1]".into()]));
    assert!(same(&[text], Format::Json, &imposed("int64"), 100).is_none());
    let long = "x".repeat(300);
    let mut text: String =
        "a,b\n".to_owned() + &(0..20_000).map(|i| format!("{i},{long}\n")).collect::<String>();
    text += "1,2,3\n";
    for window in [3 << 20, 5 << 20] {
        assert!(same(&[text.clone().into_bytes()], Format::Csv, &imposed("string"), window).is_none());
    }
}

#[test]
fn the_head_of_the_first_file_decides() {
    let objects = (0..200)
        .map(|i| if i % 50 == 49 { format!(r#"{{"o":{{"x{i}":1}}}}"#) } else { r#"{"o":{"y":1}}"#.into() });
    for head in [20, 700, 1500, 10_000] {
        for window in [100, 1000, 5000] {
            let text = lines(objects.clone());
            same(std::slice::from_ref(&text), Format::Json, &options(head), window);
            same(&[gzipped(&text), text], Format::Json, &options(head), window);
        }
    }
}

#[test]
fn lines_that_begin_like_packed_files() {
    let text = lines((0..400).map(|i| format!("BZh9 {i}")));
    let text = [b"first\n".to_vec(), text].concat();
    let how =
        |sample_by| ReadOptions { text: TextOptions { sample_by, keep_linebreaks: true }, ..options(0) };
    for window in [10, 100, 1000] {
        same(&[text.clone(), text.clone()], Format::Text, &how(SampleBy::Line), window).unwrap();
        same(&[gzipped(&text), b"no end".to_vec()], Format::Text, &how(SampleBy::Line), window).unwrap();
        same(&[text.clone(), Vec::new()], Format::Text, &how(SampleBy::Paragraph), window).unwrap();
    }
    let broken = [text.clone(), b"\xff\n".to_vec(), text.clone()].concat();
    assert!(same(&[text.clone(), broken], Format::Text, &how(SampleBy::Line), 100).is_none());
    let cut = gzipped(&text);
    assert!(
        same(&[cut.get(..cut.len() / 2).unwrap().to_vec()], Format::Text, &how(SampleBy::Line), 100)
            .is_none()
    );
}

#[test]
fn tables_of_commas() {
    let file = |last: &str| {
        let rows = (0..50).fold("a,b\n".to_owned(), |mut text, i| {
            let _ = writeln!(text, "{i},t{i}");
            text
        });
        (rows + last).into_bytes()
    };
    for window in [10, 1000, 100_000] {
        same(&[file(""), file(""), file("")], Format::Csv, &options(0), window).unwrap();
        same(&[file(""), file("0.5,x\n"), file("")], Format::Csv, &options(0), window).unwrap();
        same(&[file(""), file("1,2,3\n")], Format::Csv, &options(0), window);
    }
}

#[test]
fn long_tables_of_commas() {
    let row = |i: usize| format!("{i},\"text {i}\nof two lines, and more {}\"\n", "x".repeat(300));
    let text: String = "a,b\n".to_owned() + &(0..20_000).map(row).collect::<String>();
    let late = text.clone() + "0.5,late\n";
    let broken = text.clone() + "1,2,3\n";
    for window in [3 << 20, 5 << 20, 64 << 20] {
        let files = [text.clone().into_bytes(), gzipped(text.as_bytes())];
        assert!(same(&files, Format::Csv, &options(0), window).is_some());
        assert!(same(&[late.clone().into_bytes()], Format::Csv, &options(0), window).is_some());
        assert!(same(&[broken.clone().into_bytes()], Format::Csv, &options(0), window).is_none());
    }
}

#[test]
fn row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, with: bool| {
        let a: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        let b: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|i| format!("text {i}"))));
        let columns = [("a", a), ("b", b)].into_iter().take(1 + usize::from(with));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let path = folder.path().join(name);
        let how = crate::encode::parquet::ParquetOptions { row_group_rows: 90, ..Default::default() };
        let batches = std::iter::once(Ok(batch.clone()));
        crate::encode::parquet::write_file(&path, &batch.schema(), batches, &how, &crate::Cancel::new())
            .unwrap();
        std::fs::read(&path).unwrap()
    };
    let (both, one) = (file("both", true), file("one", false));
    for window in [1, 5000, 1 << 30] {
        let table = same(&[both.clone(), one.clone(), both.clone()], Format::Parquet, &options(0), window);
        assert_eq!(table.unwrap().num_rows(), 3000);
        let b = ReadOptions { columns: Some(vec!["b".into()]), ..options(0) };
        same(&[both.clone(), one.clone()], Format::Parquet, &b, window).unwrap();
        let predicate = Predicate { column: "a".into(), op: Op::Lt, values: vec![Literal::Int(100)] };
        let some = ReadOptions { filter: Some(Filter(vec![vec![predicate]])), ..options(0) };
        let table = same(&[both.clone(), one.clone()], Format::Parquet, &some, window);
        assert_eq!(table.unwrap().num_rows(), 200);
    }
}

#[test]
fn a_folder_that_cannot_be_written() {
    let text = lines((0..100).map(|i| format!(r#"{{"a":{i}}}"#)));
    let nowhere = Path::new("/nowhere/at/all/t.arrow");
    let (sources, options) = (sources(&[text]), options(0));
    let job = Job {
        path: nowhere,
        budget: 0,
        sources: &sources,
        format: Format::Json,
        options: &options,
        window: 100,
    };
    let table = job.read().unwrap();
    assert_eq!((table.num_rows(), table.path()), (100, None));
}

#[test]
fn small_tables_stay_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow");
    let text = sources(&[lines((0..1000).map(|i| format!(r#"{{"a":{i}}}"#)))]);
    let options = options(0);
    let job = Job {
        path: &path,
        budget: 100_000,
        sources: &text,
        format: Format::Json,
        options: &options,
        window: 100,
    };
    let table = job.read().unwrap();
    assert_eq!((table.num_rows(), table.path(), path.exists()), (1000, None, false));
    let table = Job { budget: 1000, ..job }.read().unwrap();
    assert_eq!((table.num_rows(), table.path()), (1000, Some(path.as_path())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn any_lines(
        rows in prop::collection::vec(prop_oneof![
            4 => Just(r#"{"a":1,"b":"x"}"#), 1 => Just(r#"{"a":0.5}"#), 1 => Just(r#"{"b":null}"#),
            1 => Just(r#"{"b":"2020-01-01"}"#), 1 => Just(r#"{"c":{"d":[1]}}"#), 1 => Just(r#"{"c":{"e":2}}"#), 1 => Just(""),
        ], 1..60),
        odd in prop::collection::vec((0_usize..60, prop_oneof![
            Just(r#"{"a":"x"}"#), Just(r#"{"a":true}"#), Just(r#"{"b":7}"#), Just(r#"{"c":[1]}"#), Just(r#"{"c":{"d":["x"]}}"#),
            Just(r#"{"c":{"d":[{"f":1}]}}"#), Just(r#"{"c":{"d":[{"f":"2020-01-01"}, {"g":[]}]}}"#), Just(r#"{"d":"2020-01-01"}"#),
            Just(r#"{"d":{"x":"2020-01-01"}}"#), Just(r#"{"d":null,"c":{"d":{}}}"#),
        ]), 0..4),
        cuts in prop::collection::vec(1_usize..60, 0..3), window in 1_u64..400, head in 0_u64..200,
    ) {
        let mut rows = rows;
        for (place, row) in odd {
            rows.insert(place.min(rows.len()), row);
        }
        let mut files = vec![rows];
        for cut in cuts {
            let last = files.last_mut().unwrap();
            let rest = last.split_off(cut.min(last.len()));
            files.push(rest);
        }
        let files: Vec<Vec<u8>> = files.iter().map(|rows| lines(rows.iter().map(|r| (*r).to_owned()))).collect();
        assert!(same(&files, Format::Json, &options(head + 1), window).is_some());
        assert!(by_windows(&files, Format::Json, &options(head + 1), window));
    }
}

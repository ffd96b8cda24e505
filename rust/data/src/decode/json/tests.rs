#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_schema::DataType;
use proptest::prelude::*;

use super::*;

/// Types only: a mixed column is an error.
fn strict(depth: usize) -> Wanted {
    let missing = Missing::new(u64::MAX);
    Wanted { depth, raw: Arc::default(), find: false, text: Arc::from("text"), missing }
}

fn read(texts: &[&str]) -> Result<crate::Table, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| {
            let path = folder.path().join(format!("{i}.jsonl"));
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
    crate::read_files(&paths, crate::Format::Json, &ReadOptions::default())
}

#[test]
fn shapes_of_files() {
    for text in [
        "{\"a\":1}\n{\"a\":2}\n",
        "\u{feff}{\"a\":1}\r\n\r\n{\"a\":2}",
        "{\"a\":1}{\"a\":2}",
        "{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n",
        "[{\"a\":1},{\"a\":2}]",
        " [\n {\"a\": 1},\n {\"a\": 2}\n]\n",
    ] {
        let table = read(&[text]).unwrap();
        assert_eq!(table.num_rows(), 2, "{text}");
        let values: Vec<i64> = table
            .batches()
            .unwrap()
            .iter()
            .flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec())
            .collect();
        assert_eq!(values, [1, 2], "{text}");
    }
}

/// A key is compared with the one at its place in the objects before: as it is written, where that is what it is.
#[test]
fn keys_that_need_escapes_are_told_apart() {
    let first = r#"{"a\\":1,"b\"c":2,"d":3,"":4}"#;
    let lines = [first, first, r#"{"a\":x":5,"\u0064":6}"#, r#"{"d":7,"a\\":8}"#, r#"{ "" :9}"#];
    let table = read(&[&lines.join("\n")]).unwrap();
    let names: Vec<String> = table.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["a\\", "b\"c", "d", "", "a\":x"]);
    let batches = table.batches().unwrap();
    let column = |at: usize| -> Vec<Option<i64>> {
        let arrays = batches.iter().map(|b| b.column(at).as_primitive::<Int64Type>());
        arrays.flat_map(|a| a.iter().collect::<Vec<_>>()).collect()
    };
    assert_eq!(column(0), [Some(1), Some(1), None, Some(8), None]);
    assert_eq!(column(2), [Some(3), Some(3), Some(6), Some(7), None]);
    assert_eq!(column(3), [Some(4), Some(4), None, None, Some(9)]);
    assert_eq!(column(4), [None, None, Some(5), None, None]);
    assert!(read(&[r#"{"a":1,"b":2}"#, r#"{"a":1,"a":2}"#]).is_err());
}

#[test]
fn types_widen_over_lines_and_files() {
    let table =
        read(&["{\"a\":null,\"b\":{\"x\":1}}\n{\"a\":1}\n", "{\"a\":2.5,\"b\":{\"y\":\"s\"},\"c\":[]}\n"])
            .unwrap();
    let schema = table.schema();
    assert_eq!(schema.field(0).data_type(), &DataType::Float64);
    assert!(matches!(schema.field(1).data_type(), DataType::Struct(f) if f.len() == 2));
    assert_eq!(table.num_rows(), 3);
    let last = table.batches().unwrap().last().unwrap();
    assert!((last.column(0).as_primitive::<Float64Type>().value(0) - 2.5).abs() < 1e-12);
}

#[test]
fn dates_become_timestamps_only_when_all_are() {
    let table = read(&["{\"d\":\"2020-01-01\"}\n", "{\"d\":\"2020-01-01 10:00:00\"}\n"]).unwrap();
    assert!(matches!(table.schema().field(0).data_type(), DataType::Timestamp(_, None)));
    let table = read(&["{\"d\":\"2020-01-01\"}\n", "{\"d\":\"soon\"}\n"]).unwrap();
    assert_eq!(table.schema().field(0).data_type(), &DataType::Utf8);
    assert_eq!(table.batches().unwrap().first().unwrap().column(0).as_string::<i32>().value(0), "2020-01-01");
}

#[test]
fn errors_name_line_and_column() {
    let error = read(&["{\"a\":1}\n{\"a\":oops}\n"]).unwrap_err();
    assert_eq!((error.kind(), error.line()), (DataErrorKind::Decode, Some(2)));
    assert!(error.path().unwrap().ends_with("0.jsonl"));
    for bad in [
        "{\"a\":1,\"a\":2}",
        "{\"a\":01}",
        "{\"a\":1",
        "{\"a\":\"\\ud800\"}",
        "1",
        "{\"a\":\"\t\"}",
        "{\"a\":1}x",
        "{\"a\":1e400}",
    ] {
        assert!(read(&[bad]).is_err(), "{bad}");
    }
}

#[test]
fn deep_nesting_is_bounded() {
    let text = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(read(&[&text]).unwrap_err().kind(), DataErrorKind::Limit);
}

#[test]
fn many_chunks_keep_the_order() {
    let text: String =
        (0..60_000).map(|i| format!("{{\"i\":{i},\"pad\":\"{}\"}}\n", "x".repeat(i % 100))).collect();
    assert!(text.len() as u64 > 2 * CHUNK);
    let table = read(&[&text]).unwrap();
    assert!(table.batches().unwrap().len() > 1);
    let values: Vec<i64> = table
        .batches()
        .unwrap()
        .iter()
        .flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert!(values.iter().copied().eq(0..60_000));
}

#[test]
fn gzip_is_read_and_broken_gzip_is_an_error() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"{\"a\":1}\n{\"a\":2}\n").unwrap();
    let packed = encoder.finish().unwrap();
    std::fs::write(&path, &packed).unwrap();
    let read = |p: &std::path::Path| {
        crate::read_files(&[p.to_owned()], crate::Format::Json, &ReadOptions::default())
    };
    assert_eq!(read(&path).unwrap().num_rows(), 2);
    std::fs::write(&path, packed.get(..packed.len() - 6).unwrap()).unwrap();
    assert_eq!(read(&path).unwrap_err().kind(), DataErrorKind::Decode);
}

proptest! {
    /// Any texts and numbers come back as serde_json reads them.
    #[test]
    fn values_agree_with_serde(texts in prop::collection::vec(".*", 1..8), numbers in prop::collection::vec(any::<f64>().prop_filter("finite", |f| f.is_finite()), 1..8)) {
        let lines: String = texts
            .iter()
            .zip(numbers.iter().cycle())
            .map(|(t, n)| serde_json::json!({"t": t, "n": n}).to_string() + "\n")
            .collect();
        let chunk = parse(lines.as_bytes(), &strict(64), Rows::Lines).unwrap();
        let read = chunk.batch.column_by_name("t").unwrap().as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(&read, &texts);
        let floats = chunk.batch.column_by_name("n").unwrap();
        for (i, n) in numbers.iter().cycle().take(texts.len()).enumerate() {
            let got = arrow_cast::cast(floats, &DataType::Float64).unwrap().as_primitive::<Float64Type>().value(i);
            prop_assert_eq!(got.to_bits(), n.to_bits());
        }
    }

    /// No bytes make it panic.
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for array in [false, true] {
            let rows = if array { Rows::Array(0) } else { Rows::Lines };
            let _ = parse(&bytes, &strict(64), rows);
            let _ = parse(&bytes, &Wanted { find: true, ..strict(64) }, rows);
        }
    }

    /// No member of an object makes it panic.
    #[test]
    fn no_member_panics(inside in "[\\[\\]{},:\"1.a \n]{0,30}", more in prop::bool::ANY) {
        let text = format!("{{\"a\":{inside}{}", if more { "}" } else { ",\"b\":[1]}" });
        let source = crate::source::MemorySource::new("t", text.into_bytes());
        let _ = super::member::read(&source, "a", &strict(64), true);
        let _ = super::member::read(&source, "b", &strict(64), false);
    }
}

/// Every file of the JSON test suite gives rows or a typed error.
#[test]
fn test_suite_never_panics() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/json-test-suite/test_parsing");
    let Ok(files) = std::fs::read_dir(folder) else {
        return;
    };
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let value = std::fs::read(file.path()).unwrap();
        let row: Vec<u8> = [b"{\"v\":".as_slice(), &value, b"}"].concat();
        let parsed = parse(&row, &strict(128), Rows::Lines);
        // What is kept as text is checked as strictly, but for keys that come twice.
        let raw = Arc::new(Raw::of_features(&serde_json::json!({"v": {"_type": "Json"}})));
        let kept = parse(&row, &Wanted { raw, ..strict(128) }, Rows::Lines);
        assert!(parsed.is_err() || kept.is_ok(), "{name} was refused as text");
        if name.starts_with("n_") && !name.contains("NaN") && !name.contains("nfinity") {
            // What is wrong alone may be right inside `{"v": …}` only by closing it: none of the suite's files is.
            assert!(parsed.is_err() || name.contains("single_space"), "{name} was accepted");
            assert!(kept.is_err() || name.contains("single_space"), "{name} was accepted as text");
        }
    }
}

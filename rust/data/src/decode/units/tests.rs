#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::{Array, DictionaryArray, RecordBatch, types::Int32Type};

use super::*;
use crate::decode::JsonOptions;
use crate::source::MemorySource;

fn source(bytes: impl Into<Vec<u8>>) -> Arc<dyn ByteSource> {
    Arc::new(MemorySource::new("x", bytes.into()))
}

fn units(bytes: &[u8], format: Format, at: u64, options: &ReadOptions) -> Result<Vec<Unit>, DataError> {
    let mut open = open(&source(bytes), format, at, options)?;
    std::iter::from_fn(|| open.next_unit(&Cancel::new()).transpose()).collect()
}

/// All rows of all units, each as text.
fn rows(units: &[Unit]) -> Vec<String> {
    let show = arrow_cast::display::FormatOptions::default().with_null("null");
    let mut out = Vec::new();
    for batch in units.iter().flat_map(|u| u.table.batches().unwrap()) {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|c| {
                let made = arrow_cast::display::ArrayFormatter::try_new(c, &show).unwrap();
                made.value(row).to_string()
            });
            out.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    out
}

/// Reading on from the end of each unit gives the rest.
fn resumes(bytes: &[u8], format: Format, options: &ReadOptions) -> Vec<String> {
    let whole = units(bytes, format, 0, options).unwrap();
    for (i, unit) in whole.iter().enumerate() {
        let rest = units(bytes, format, unit.end, options).unwrap();
        assert_eq!(rows(&rest), rows(whole.get(i + 1..).unwrap()), "after unit {i}");
        let from = units(bytes, format, unit.start, options).unwrap();
        assert_eq!(rows(&from), rows(whole.get(i..).unwrap()), "from unit {i}");
    }
    rows(&whole)
}

#[test]
fn lines_in_units() {
    let text: String = (0..60_000).map(|i| format!("line {i}\r\n")).collect();
    let found = resumes(text.as_bytes(), Format::Text, &ReadOptions::default());
    assert_eq!(found.len(), 60_000);
    assert_eq!(found.last().unwrap(), "line 59999");
    let one = vec![b'x'; 5 << 20];
    assert_eq!(resumes(&one, Format::Text, &ReadOptions::default()).first().unwrap().len(), one.len());
    assert!(resumes(b"", Format::Text, &ReadOptions::default()).is_empty());
    let document = ReadOptions {
        text: crate::decode::TextOptions {
            sample_by: crate::decode::SampleBy::Document,
            ..Default::default()
        },
        ..ReadOptions::default()
    };
    assert_eq!(resumes(b"", Format::Text, &document), [""]);
    assert_eq!(resumes(b"a\nb", Format::Text, &document), ["a\nb"]);
}

#[test]
fn json_in_units() {
    let mut options = ReadOptions::default();
    options.json.head = 1000;
    let lines: String = (0..300_000).map(|i| format!("{{\"a\": {i}}}\n")).collect();
    assert_eq!(resumes(lines.as_bytes(), Format::Json, &options).len(), 300_000);
    let items: Vec<String> = (0..300_000).map(|i| format!("{{\"a\": {i}}}")).collect();
    let array = format!(" [{}]\n", items.join(",\n"));
    let found = resumes(array.as_bytes(), Format::Json, &options);
    assert_eq!((found.len(), found.last().unwrap().as_str()), (300_000, "299999"));
    assert!(resumes(b"[]", Format::Json, &options).is_empty());
    assert_eq!(resumes(b"[\"a\", \"b,]\"]", Format::Json, &options), ["a", "b,]"]);
    for bad in ["[1,", "[1", "[1,]", "[1] 2", "[", "[1 2]", "[{\"a\": 1} {\"a\": 2}]"] {
        let error = units(bad.as_bytes(), Format::Json, 0, &options).err().unwrap();
        assert_eq!(error.kind(), DataErrorKind::Decode, "{bad}");
    }
    options.json.field = Some("d".to_owned());
    assert_eq!(resumes(b"{\"d\": [{\"a\": 1}, {\"a\": 2}]}", Format::Json, &options), ["1", "2"]);
}

#[test]
fn values_that_do_not_fit_keep_their_type() {
    let mut options = ReadOptions::default();
    options.json.head = 1;
    let text = "{\"a\": 1}\n{\"a\": 1.5, \"b\": \"x\"}\n";
    assert_eq!(resumes(text.as_bytes(), Format::Json, &options), ["1", "1.5|x"]);
    let error = units(b"{\"a\": 1}\n{\"a\": 2}\n{\"a\": }\n", Format::Json, 0, &options).err().unwrap();
    assert_eq!((error.line(), error.path()), (Some(3), Some("x")));
}

#[test]
fn records_in_units() {
    let options = ReadOptions::default();
    let mut text = "\u{feff}i,s\n".to_owned();
    text.extend((0..25_000).map(|i| format!("{i},\"a\n{i}\"\n")));
    let whole = units(text.as_bytes(), Format::Csv, 0, &options).unwrap();
    assert_eq!(whole.iter().map(|u| u.table.num_rows()).collect::<Vec<_>>(), [10_000, 10_000, 5000]);
    assert_eq!(resumes(text.as_bytes(), Format::Csv, &options).last().unwrap(), "24999|a\n24999");
    let mut few = ReadOptions::default();
    few.csv.max_rows = Some(12_345);
    assert_eq!(resumes(text.as_bytes(), Format::Csv, &few).len(), 12_345);
    text.push_str("1,2,3\n");
    let error = units(text.as_bytes(), Format::Csv, 0, &options).err().unwrap();
    assert_eq!(error.line(), Some(50_002));
    assert!(resumes(b"a,b\n", Format::Csv, &options).is_empty());
}

#[test]
fn compressed_text_in_units() {
    let text: String = (0..200_000).map(|i| format!("line {i}\n")).collect();
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    assert_eq!(resumes(&packed, Format::Text, &ReadOptions::default()).len(), 200_000);
    let half = packed.get(..packed.len() / 2).unwrap();
    assert!(units(half, Format::Text, 0, &ReadOptions::default()).is_err());
}

#[test]
fn record_batches_in_units() {
    let batch = |words: &[&str]| {
        let column: DictionaryArray<Int32Type> = words.iter().copied().collect();
        RecordBatch::try_from_iter([("w", Arc::new(column) as arrow_array::ArrayRef)]).unwrap()
    };
    let (one, two) = (batch(&["a", "b", "a"]), batch(&["c"]));
    let mut file = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &one.schema()).unwrap();
    file.write(&one).unwrap();
    file.write(&one).unwrap();
    let bytes = file.into_inner().unwrap();
    assert_eq!(resumes(&bytes, Format::Arrow, &ReadOptions::default()), ["a", "b", "a", "a", "b", "a"]);
    let mut stream = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &one.schema()).unwrap();
    for batch in [&one, &two, &one] {
        stream.write(batch).unwrap();
    }
    let bytes = stream.into_inner().unwrap();
    let found = resumes(&bytes, Format::Arrow, &ReadOptions::default());
    assert_eq!(found, ["a", "b", "a", "c", "a", "b", "a"]);
    let first = &units(&bytes, Format::Arrow, 0, &ReadOptions::default()).unwrap()[0];
    assert!(first.table.batches().unwrap()[0].column(0).as_string_opt::<i32>().is_some_and(|c| c.len() == 3));
    for length in 0..bytes.len() - 8 {
        let cut = units(bytes.get(..length).unwrap(), Format::Arrow, 0, &ReadOptions::default());
        assert!(cut.is_err() || rows(&cut.unwrap()).len() < found.len() || length + 8 >= bytes.len());
    }
}

/// The units of a file that is near, and of the same bytes where they come in pieces.
fn both_ways(text: &[u8], options: &ReadOptions) -> Result<Vec<(u64, u64, Vec<String>)>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    let near: Arc<dyn ByteSource> = Arc::new(crate::source::LocalSource::open(file.path()).unwrap());
    let name = near.name().to_owned();
    let far: Arc<dyn ByteSource> = Arc::new(MemorySource::new(&name, text.to_vec()));
    let [near, far] = [near, far].map(|source| {
        let mut open = open(&source, Format::Json, 0, options).map_err(|e| e.to_string())?;
        let found = std::iter::from_fn(|| open.next_unit(&Cancel::new()).transpose());
        found
            .map(|unit| {
                let unit = unit.map_err(|e| e.to_string())?;
                Ok((unit.start, unit.end, rows(std::slice::from_ref(&unit))))
            })
            .collect::<Result<Vec<_>, String>>()
    });
    assert!(near == far, "{:?} {:?}", near.as_ref().map(Vec::len), far.as_ref().map(Vec::len));
    near
}

#[test]
fn json_lines_that_go_from_piece_to_piece() {
    let line = |i: usize| format!("{{\"id\": {i}, \"text\": \"{}\"}}\n", "ab\\n".repeat(i * 7919 % 700));
    let text: String = (0..14_000).map(line).collect();
    assert!(text.len() > 17 << 20);
    let options = ReadOptions {
        json: JsonOptions { head: 1 << 20, ..JsonOptions::default() },
        ..ReadOptions::default()
    };
    let plain = both_ways(text.as_bytes(), &options).unwrap();
    assert_eq!(plain.iter().map(|(_, _, rows)| rows.len()).sum::<usize>(), 14_000);
    let after = |at: usize| at + text[at..].find('\n').unwrap() + 1;
    // Odd lines beside places where pieces may end: another type, an array, a broken one, blank ones, a very long one.
    for odd in [
        "{\"id\": 7, \"text\": [1]}\n",
        "[{\"id\": 7, \"text\": \"x\"}]\n",
        "{\"id\": 7\n",
        "\n  \r\n",
        &format!("{{\"id\": 7, \"text\": \"{}\"}}\n", "y".repeat(9 << 20)),
    ] {
        for at in [7 << 20, (16 << 20) - 300_000] {
            let at = after(at);
            let changed = [&text[..at], odd, &text[at..]].concat();
            let found = both_ways(changed.as_bytes(), &options);
            assert_eq!(found.is_err(), odd.starts_with('[') || odd == "{\"id\": 7\n", "{odd:.30} at {at}");
        }
    }
}

//! What the rows of a view are, as a digest: memory that is mapped from a file counts as that file, other memory by its
//! bytes. Equal digests mean equal rows; the digest of the same rows is the same in every process.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::UNIX_EPOCH;

use arrow_array::Array;
use arrow_buffer::{Buffer, ToByteSlice};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field};

use crate::cancel::Cancel;
use crate::error::DataError;
use crate::order::RowOrder;
use crate::view::View;

/// A file as it was when it was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
    pub(crate) modified: u128,
}

impl FileId {
    /// What of the file enters digests. Files that are named by their content count by that name alone, and files of
    /// the cache of transforms by name, length and time: both may be moved. Others count by their path too.
    fn token(&self) -> Vec<u8> {
        let name = self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if named_by_content(&name) {
            return name.into_bytes();
        }
        let place = if name.starts_with("cache-") { name } else { self.path.to_string_lossy().into_owned() };
        format!("{place}\0{}\0{}", self.length, self.modified).into_bytes()
    }
}

fn named_by_content(name: &str) -> bool {
    name.strip_suffix(".arrow")
        .is_some_and(|stem| stem.len() == 40 && stem.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[derive(Debug)]
struct Mapped {
    end: usize,
    file: FileId,
}

/// Maps of this process by their first address.
static MAPS: Mutex<BTreeMap<usize, Mapped>> = Mutex::new(BTreeMap::new());

/// The maps. None when the lock cannot be had: a fork may have copied it while another thread held it. What is not
/// found here counts by its bytes, which is slower and nothing else.
fn maps() -> Option<MutexGuard<'static, BTreeMap<usize, Mapped>>> {
    for _ in 0..10_000 {
        match MAPS.try_lock() {
            Ok(held) => return Some(held),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
    None
}

/// A memory map whose file is known as long as it lives.
#[derive(Debug)]
pub(crate) struct TrackedMap {
    map: memmap2::Mmap,
}

impl TrackedMap {
    /// Notes which file was mapped.
    pub(crate) fn new(map: memmap2::Mmap, path: &Path, metadata: &std::fs::Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let file =
            FileId { path, length: metadata.len(), modified: modified.map_or(0, |time| time.as_nanos()) };
        let start = map.as_ptr() as usize;
        if let Some(mut known) = maps() {
            known.insert(start, Mapped { end: start + map.len(), file });
        }
        Self { map }
    }

    /// The mapped bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for TrackedMap {
    fn drop(&mut self) {
        // Before the memory is given back: its addresses may then be anybody's.
        if let Some(mut known) = maps() {
            known.remove(&(self.map.as_ptr() as usize));
        }
    }
}

/// The file behind some memory, and where in its map.
pub(crate) fn file_of(buffer: &Buffer) -> Option<(FileId, usize)> {
    let start = buffer.as_ptr() as usize;
    let known = maps()?;
    let (first, mapped) = known.range(..=start).next_back()?;
    (start + buffer.len() <= mapped.end).then(|| (mapped.file.clone(), start - first))
}

/// The files that memory of a view's table is mapped from, in order of their first use.
pub fn files(view: &View) -> Vec<PathBuf> {
    fn walk(data: &ArrayData, found: &mut Vec<PathBuf>) {
        let nulls = data.nulls().map(|n| n.buffer());
        for buffer in data.buffers().iter().chain(nulls) {
            if let Some((file, _)) = file_of(buffer)
                && !found.contains(&file.path)
            {
                found.push(file.path);
            }
        }
        for child in data.child_data() {
            walk(child, found);
        }
    }
    let mut found = Vec::new();
    for column in view.table().unread().iter().flat_map(|b| b.columns()) {
        walk(&column.to_data(), &mut found);
    }
    found
}

/// The digest of a view: its columns' names and types, its rows and their order.
///
/// # Errors
/// `Cancelled`.
pub fn identity(view: &View, cancel: &Cancel) -> Result<[u8; 32], DataError> {
    let mut digest = Digest { hasher: blake3::Hasher::new(), buffers: HashMap::new() };
    let table = view.table();
    for field in table.schema_ref().fields() {
        digest.field(field);
    }
    match view.order() {
        RowOrder::Range { start, len } => digest.numbers(b"range", &[*start, *len]),
        RowOrder::Indices(rows) => {
            digest.numbers(b"rows", &[rows.len()]);
            digest.hasher.update(rows.to_byte_slice());
        }
    }
    for batch in table.unread() {
        cancel.check()?;
        digest.numbers(b"batch", &[batch.num_rows()]);
        for column in batch.columns() {
            digest.array(&column.to_data());
        }
    }
    Ok(*digest.hasher.finalize().as_bytes())
}

struct Digest {
    hasher: blake3::Hasher,
    /// Digests of buffers by address and length: slices of one array share them.
    buffers: HashMap<(usize, usize), [u8; 32]>,
}

impl Digest {
    fn numbers(&mut self, what: &[u8], numbers: &[usize]) {
        self.text(what);
        for number in numbers {
            self.hasher.update(&(*number as u64).to_le_bytes());
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.hasher.update(&(text.len() as u64).to_le_bytes());
        self.hasher.update(text);
    }

    fn field(&mut self, field: &Field) {
        self.text(field.name().as_bytes());
        self.data_type(field.data_type());
    }

    fn data_type(&mut self, data_type: &DataType) {
        match data_type {
            DataType::List(inner)
            | DataType::LargeList(inner)
            | DataType::ListView(inner)
            | DataType::LargeListView(inner) => {
                self.text(match data_type {
                    DataType::List(_) => b"list",
                    DataType::LargeList(_) => b"large_list",
                    DataType::ListView(_) => b"list_view",
                    _ => b"large_list_view",
                });
                self.field(inner);
            }
            DataType::FixedSizeList(inner, length) => {
                self.text(format!("fixed_list {length}").as_bytes());
                self.field(inner);
            }
            DataType::Map(inner, sorted) => {
                self.text(format!("map {sorted}").as_bytes());
                self.field(inner);
            }
            DataType::Struct(fields) => {
                self.numbers(b"struct", &[fields.len()]);
                for field in fields {
                    self.field(field);
                }
            }
            DataType::Dictionary(keys, values) => {
                self.text(b"dictionary");
                self.data_type(keys);
                self.data_type(values);
            }
            DataType::RunEndEncoded(ends, values) => {
                self.text(b"run_ends");
                self.field(ends);
                self.field(values);
            }
            DataType::Union(fields, mode) => {
                self.text(format!("union {mode:?} {}", fields.len()).as_bytes());
                for (id, field) in fields.iter() {
                    self.text(format!("{id}").as_bytes());
                    self.field(field);
                }
            }
            // No fields inside, whose metadata would be written in any order.
            plain => self.text(format!("{plain:?}").as_bytes()),
        }
    }

    fn array(&mut self, data: &ArrayData) {
        self.numbers(b"array", &[data.len(), data.offset(), data.buffers().len(), data.child_data().len()]);
        match data.nulls() {
            Some(nulls) => {
                self.numbers(b"nulls", &[nulls.offset(), nulls.len()]);
                self.buffer(nulls.buffer());
            }
            None => self.text(b"no nulls"),
        }
        for buffer in data.buffers() {
            self.buffer(buffer);
        }
        for child in data.child_data() {
            self.array(child);
        }
    }

    fn buffer(&mut self, buffer: &Buffer) {
        let key = (buffer.as_ptr() as usize, buffer.len());
        let found = *self.buffers.entry(key).or_insert_with(|| {
            let mut hasher = blake3::Hasher::new();
            if let Some((file, at)) = file_of(buffer) {
                hasher.update(b"file");
                hasher.update(&(at as u64).to_le_bytes());
                hasher.update(&(buffer.len() as u64).to_le_bytes());
                hasher.update(&file.token());
            } else {
                hasher.update(b"data");
                hasher.update(buffer);
            }
            *hasher.finalize().as_bytes()
        });
        self.hasher.update(&found);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    use super::*;
    use crate::store::{open_ipc, write_ipc};
    use crate::table::Table;

    fn table(texts: &[&str]) -> Table {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..texts.len() as i64));
        let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let batch =
            RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("t", texts, true)]).unwrap();
        Table::try_new(batch.schema(), vec![batch]).unwrap()
    }

    fn of(table: Table) -> [u8; 32] {
        identity(&View::new(Arc::new(table)), &Cancel::new()).unwrap()
    }

    #[test]
    fn equal_rows_are_equal() {
        assert_eq!(of(table(&["a", "b", "c"])), of(table(&["a", "b", "c"])));
        assert_ne!(of(table(&["a", "b", "c"])), of(table(&["a", "b", "d"])));
        assert_ne!(of(table(&["a", "bc"])), of(table(&["ab", "c"])));
        let renamed = table(&["a"]).rename_columns(&["n".into(), "u".into()]).unwrap();
        assert_ne!(of(table(&["a"])), of(renamed));
    }

    #[test]
    fn order_counts() {
        let view = View::new(Arc::new(table(&["a", "b", "c"])));
        let digest = |v: &View| identity(v, &Cancel::new()).unwrap();
        let picked = view.select_indices(&[2, 0]).unwrap();
        assert_eq!(digest(&picked), digest(&view.select_indices(&[2, 0]).unwrap()));
        assert_ne!(digest(&picked), digest(&view.select_indices(&[0, 2]).unwrap()));
        assert_ne!(digest(&view), digest(&view.select_range(0, 2).unwrap()));
    }

    #[test]
    fn a_mapped_table_is_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one.arrow"), folder.path().join("two.arrow"));
        write_ipc(&table(&["a", "b"]), &one).unwrap();
        std::fs::copy(&one, &two).unwrap();
        let (first, again, other) =
            (open_ipc(&one).unwrap(), open_ipc(&one).unwrap(), open_ipc(&two).unwrap());
        assert_eq!(of(first.clone()), of(again));
        assert_ne!(of(first.clone()), of(other));
        let view = View::new(Arc::new(first.select_columns(&[1]).unwrap()));
        assert_eq!(files(&view), vec![one.clone()]);
        drop(view);
        let before = of(first.clone());
        std::fs::remove_file(&one).unwrap();
        write_ipc(&table(&["a", "x"]), &one).unwrap();
        assert_eq!(of(first), before); // the old file stays mapped
        assert_ne!(of(open_ipc(&one).unwrap()), before);
        assert!(files(&View::new(Arc::new(table(&["a"])))).is_empty());
    }

    #[test]
    fn names_of_content_do_not_count_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("{}.arrow", "0123456789".repeat(4));
        let (one, two) = (folder.path().join(&name), folder.path().join("sub").join(&name));
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        write_ipc(&table(&["a", "b"]), &one).unwrap();
        std::fs::copy(&one, &two).unwrap();
        assert_eq!(of(open_ipc(&one).unwrap()), of(open_ipc(&two).unwrap()));
    }
}

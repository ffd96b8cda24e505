//! A view as a reference to the files that its memory is mapped from: which rows of which of their columns. That is
//! what is sent to other processes in place of the rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::{DataType, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::checked::{self, Stamp};
use crate::error::{DataError, DataErrorKind};
use crate::identity::{FileId, file_of};
use crate::ipc_stream;
use crate::store;
use crate::table::Table;
use crate::unchecked::{Checks, Unchecked};

/// A file as it was when it was mapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileRef {
    path: PathBuf,
    length: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    /// What the file is told by where its values were checked: they need not be read to open it again.
    #[serde(default)]
    checked: Option<Stamp>,
    /// Whether nobody has looked at all of its values yet: whoever opens it has to, when he reads them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unchecked: bool,
}

/// Neighbouring rows of a column of a file. Written without names: there may be thousands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
struct Segment {
    file: usize,
    /// The column, then fields of structs.
    place: Vec<usize>,
    first: usize,
    rows: usize,
}

type Written = (usize, Vec<usize>, usize, usize);

impl From<Written> for Segment {
    fn from((file, place, first, rows): Written) -> Self {
        Self { file, place, first, rows }
    }
}

impl From<Segment> for Written {
    fn from(segment: Segment) -> Self {
        (segment.file, segment.place, segment.first, segment.rows)
    }
}

/// Where each column's rows lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    files: Vec<FileRef>,
    columns: Vec<Vec<Segment>>,
}

impl Reference {
    /// The reference to all rows of a table; `None` when not all of its memory is mapped from files that are still
    /// what they were, or is not as it is in them.
    pub fn of(table: &Table) -> Option<Self> {
        let mut made = Self::default();
        let mut opened: Vec<Opened> = Vec::new();
        if table.num_batches() == 0 {
            return None;
        }
        let unchecked = table.is_any_waiting();
        for column in 0..table.schema_ref().fields().len() {
            let mut segments: Vec<Segment> = Vec::new();
            for batch in table.unread() {
                let data = batch.column(column).to_data();
                let (id, _) = file_of(data_buffer(&data)?)?;
                let known = made.files.iter().position(|file| file.path == id.path);
                let file = if let Some(file) = known {
                    file
                } else {
                    made.files.push(FileRef { unchecked, ..FileRef::of(&id)? });
                    opened.push(Opened::new(&id.path)?);
                    made.files.len() - 1
                };
                let (place, first) = opened.get(file)?.find(&data)?;
                let rows = data.len();
                match segments.last_mut() {
                    Some(last)
                        if last.file == file && last.place == place && last.first + last.rows == first =>
                    {
                        last.rows += rows;
                    }
                    _ => segments.push(Segment { file, place, first, rows }),
                }
            }
            made.columns.push(segments);
        }
        Some(made)
    }

    /// The table that is referred to.
    ///
    /// # Errors
    /// `NotFound` and `Io` for a file that is gone or changed, `Decode` for a broken one, `Schema` when the reference does
    /// not fit the files.
    pub fn open(&self, schema: &SchemaRef) -> Result<Table, DataError> {
        let tables = self.files.iter().map(FileRef::open).collect::<Result<Vec<_>, _>>()?;
        let chunks = self
            .columns
            .iter()
            .map(|segments| column_of(segments, &tables))
            .collect::<Result<Vec<Vec<Part>>, _>>()?;
        let cuts: BTreeSet<usize> = chunks.iter().flat_map(|arrays| ends(arrays)).collect();
        let mut cursors: Vec<(usize, usize)> = vec![(0, 0); chunks.len()];
        let mut batches = Vec::with_capacity(cuts.len());
        let mut done = 0;
        for cut in cuts {
            let rows = cut - done;
            let (columns, checks): (Vec<ArrayRef>, Checks) = chunks
                .iter()
                .zip(&mut cursors)
                .map(|(parts, (index, used))| {
                    let (array, check) =
                        parts.get(*index).filter(|(a, _)| *used + rows <= a.len()).ok_or_else(misfit)?;
                    let part = array.slice(*used, rows);
                    *used += rows;
                    if *used == array.len() {
                        (*index, *used) = (*index + 1, 0);
                    }
                    Ok((part, check.clone()))
                })
                .collect::<Result<Vec<_>, DataError>>()?
                .into_iter()
                .unzip();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            batches.push((RecordBatch::try_new_with_options(schema.clone(), columns, &options)?, checks));
            done = cut;
        }
        Table::with_checks(schema.clone(), batches.into_iter())
    }
}

fn misfit() -> DataError {
    DataError::new(DataErrorKind::Schema, "a reference to rows does not fit the files that it names")
}

/// The row numbers at which arrays end.
fn ends(parts: &[Part]) -> Vec<usize> {
    let mut end = 0;
    parts
        .iter()
        .map(|(array, _)| {
            end += array.len();
            end
        })
        .collect()
}

/// Rows of a column, and what is to be checked before they are read.
type Part = (ArrayRef, Option<Arc<Unchecked>>);

fn column_of(segments: &[Segment], tables: &[Table]) -> Result<Vec<Part>, DataError> {
    let mut arrays = Vec::new();
    for segment in segments {
        let table = tables.get(segment.file).ok_or_else(misfit)?;
        let (column, fields) = segment.place.split_first().ok_or_else(misfit)?;
        let (mut skip, mut left) = (segment.first, segment.rows);
        for (number, batch) in table.unread().iter().enumerate() {
            if left == 0 {
                break;
            }
            if skip >= batch.num_rows() {
                skip -= batch.num_rows();
                continue;
            }
            let mut array = batch.columns().get(*column).ok_or_else(misfit)?.clone();
            for field in fields {
                let parts = array.as_struct_opt().ok_or_else(misfit)?;
                let inner = parts.columns().get(*field).ok_or_else(misfit)?.clone();
                array = inner;
            }
            let take = left.min(batch.num_rows() - skip);
            arrays.push((array.slice(skip, take), table.check_of(number, *column)));
            left -= take;
            skip = 0;
        }
        if left > 0 {
            return Err(misfit());
        }
    }
    Ok(arrays)
}

impl FileRef {
    fn of(id: &FileId) -> Option<Self> {
        let found = Self {
            path: id.path.clone(),
            length: id.length,
            modified: id.modified.try_into().ok()?,
            checked: checked::stamp_of(&id.path),
            unchecked: false,
        };
        found.is_unchanged().then_some(found)
    }

    fn is_unchanged(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|now| {
            let modified =
                now.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            now.len() == self.length
                && modified.is_some_and(|time| time.as_nanos() == u128::from(self.modified))
        })
    }

    fn open(&self) -> Result<Table, DataError> {
        if self.checked.is_some() && self.checked == Stamp::at(&self.path) {
            checked::note(&self.path, self.checked);
        }
        // Either says what is wrong with a file that is gone.
        let table =
            if self.unchecked { ipc_stream::open_stream(&self.path) } else { store::open_ipc(&self.path) }?;
        if self.is_unchanged() {
            return Ok(table);
        }
        let message = "the file is not what it was when a dataset over it was pickled";
        Err(DataError::new(DataErrorKind::Io, message).with_path(self.path.to_string_lossy()))
    }
}

/// A file's table, and where its arrays begin in the file.
struct Opened {
    table: Table,
    /// First row of each batch.
    firsts: Vec<usize>,
    /// Arrays by the place of their first memory in the file, in bits.
    starts: BTreeMap<usize, Vec<(usize, Vec<usize>)>>,
}

impl Opened {
    fn new(path: &Path) -> Option<Self> {
        let table = store::open_ipc(path).ok()?;
        let mut starts: BTreeMap<usize, Vec<(usize, Vec<usize>)>> = BTreeMap::new();
        let mut firsts = Vec::new();
        let mut rows = 0;
        for (number, batch) in table.unread().iter().enumerate() {
            firsts.push(rows);
            rows += batch.num_rows();
            for (column, array) in batch.columns().iter().enumerate() {
                note(&array.to_data(), number, &mut vec![column], &mut starts);
            }
        }
        Some(Self { table, firsts, starts })
    }

    /// The column and first row of some data of this file.
    fn find(&self, data: &ArrayData) -> Option<(Vec<usize>, usize)> {
        let (at, width) = anchor(data)?;
        let (start, candidates) = self.starts.range(..=at).next_back()?;
        let skip = (at - start) / width;
        candidates.iter().find_map(|(number, place)| {
            let batch = self.table.unread().get(*number)?;
            let (column, fields) = place.split_first()?;
            let mut whole = batch.columns().get(*column)?.clone();
            for field in fields {
                let inner = whole.as_struct_opt()?.columns().get(*field)?.clone();
                whole = inner;
            }
            if whole.data_type() != data.data_type() || skip + data.len() > whole.len() {
                return None;
            }
            let part = whole.slice(skip, data.len()).to_data();
            is_same(&part, data).then(|| Some((place.clone(), self.firsts.get(*number)? + skip)))?
        })
    }
}

fn note(
    data: &ArrayData,
    batch: usize,
    place: &mut Vec<usize>,
    starts: &mut BTreeMap<usize, Vec<(usize, Vec<usize>)>>,
) {
    if let Some((at, _)) = anchor(data) {
        starts.entry(at).or_default().push((batch, place.clone()));
    }
    if matches!(data.data_type(), DataType::Struct(_)) {
        for (field, child) in data.child_data().iter().enumerate() {
            place.push(field);
            note(child, batch, place, starts);
            place.pop();
        }
    }
}

/// The buffer by which data is found in a file.
fn data_buffer(data: &ArrayData) -> Option<&Buffer> {
    match data.data_type() {
        DataType::Struct(_) | DataType::FixedSizeList(_, _) => data.child_data().iter().find_map(data_buffer),
        _ => data.buffers().first().filter(|buffer| !buffer.is_empty()),
    }
}

/// Where the first row of some data lies in its file, and how far the next row is from it; both in bits.
fn anchor(data: &ArrayData) -> Option<(usize, usize)> {
    let width = match data.data_type() {
        DataType::Struct(_) => {
            let (at, width) = data.child_data().iter().find_map(anchor)?;
            return Some((at + data.offset() * width, width));
        }
        DataType::FixedSizeList(_, size) => {
            let width = usize::try_from(*size).ok().filter(|size| *size > 0)?;
            let (at, inner) = data.child_data().iter().find_map(anchor)?;
            return Some((at + data.offset() * width * inner, width * inner));
        }
        DataType::Boolean => 1,
        DataType::Utf8 | DataType::Binary | DataType::List(_) | DataType::Map(_, _) => 32,
        DataType::LargeUtf8 | DataType::LargeBinary | DataType::LargeList(_) => 64,
        DataType::Utf8View | DataType::BinaryView => 128,
        DataType::FixedSizeBinary(size) => usize::try_from(*size).ok().filter(|size| *size > 0)? * 8,
        other => other.primitive_width()? * 8,
    };
    let (_, at) = file_of(data_buffer(data)?)?;
    Some((at * 8 + data.offset() * width, width))
}

/// Whether two arrays are the same places of files.
fn is_same(a: &ArrayData, b: &ArrayData) -> bool {
    let same_nulls = match (a.nulls(), b.nulls()) {
        (None, None) => true,
        (Some(x), Some(y)) => {
            x.offset() == y.offset() && x.len() == y.len() && is_same_memory(x.buffer(), y.buffer())
        }
        _ => false,
    };
    same_nulls
        && a.data_type() == b.data_type()
        && a.len() == b.len()
        && a.offset() == b.offset()
        && a.buffers().len() == b.buffers().len()
        && a.buffers().iter().zip(b.buffers()).all(|(x, y)| is_same_memory(x, y))
        && a.child_data().len() == b.child_data().len()
        && a.child_data().iter().zip(b.child_data()).all(|(x, y)| is_same(x, y))
}

fn is_same_memory(a: &Buffer, b: &Buffer) -> bool {
    if a.len() != b.len() {
        return false;
    }
    a.is_empty() || file_of(a).zip(file_of(b)).is_some_and(|(x, y)| x == y)
}

/// A table as the bytes of its schema alone.
///
/// # Errors
/// What Arrow says.
pub fn schema_bytes(schema: &SchemaRef) -> Result<Vec<u8>, DataError> {
    store::to_ipc_bytes(schema, &[])
}

/// The schema of such bytes.
///
/// # Errors
/// `Decode` for broken bytes.
pub fn schema_of(bytes: &[u8]) -> Result<SchemaRef, DataError> {
    Ok(Arc::clone(store::from_ipc_bytes(bytes)?.schema_ref()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use arrow_array::types::Int32Type;
    use arrow_array::{BooleanArray, Int32Array, ListArray, StringArray, StructArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    fn table(batches: usize, rows: usize) -> Table {
        let fields = vec![
            Field::new("i", DataType::Int32, true),
            Field::new("s", DataType::Utf8, true),
            Field::new("b", DataType::Boolean, true),
            Field::new("l", DataType::List(Arc::new(Field::new("item", DataType::Int32, true))), true),
            Field::new("o", DataType::Struct(vec![Field::new("p", DataType::Int32, true)].into()), true),
        ];
        let schema = Arc::new(Schema::new(fields));
        let made = (0..batches).map(|k| {
            let numbers =
                || (0..rows as i32).map(|i| (i % 3 > 0).then_some(i + k as i32)).collect::<Int32Array>();
            let texts: StringArray = (0..rows).map(|i| (i % 4 > 0).then(|| format!("t{i}"))).collect();
            let bools: BooleanArray = (0..rows).map(|i| (i % 5 > 0).then_some(i % 2 > 0)).collect();
            let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
                (0..rows).map(|i| (i % 6 > 0).then(|| vec![Some(i as i32); i % 3])),
            );
            let field = Arc::new(Field::new("p", DataType::Int32, true));
            let parts = StructArray::from(vec![(field, Arc::new(numbers()) as ArrayRef)]);
            let columns: Vec<ArrayRef> =
                vec![Arc::new(numbers()), Arc::new(texts), Arc::new(bools), Arc::new(lists), Arc::new(parts)];
            RecordBatch::try_new(schema.clone(), columns).unwrap()
        });
        Table::try_new(schema.clone(), made.collect()).unwrap()
    }

    fn back(table: &Table) -> Table {
        let reference = Reference::of(table).unwrap();
        let text = serde_json::to_string(&reference).unwrap();
        let schema = schema_of(&schema_bytes(&table.schema()).unwrap()).unwrap();
        serde_json::from_str::<Reference>(&text).unwrap().open(&schema).unwrap()
    }

    fn rows(table: &Table) -> RecordBatch {
        arrow_select::concat::concat_batches(&table.schema(), table.batches().unwrap()).unwrap()
    }

    #[test]
    fn what_nobody_checked_is_checked_by_the_one_who_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.arrow");
        store::write_ipc(&table(2, 20), &path).unwrap();
        let opened = ipc_stream::open_stream(&path).unwrap();
        let sent = Reference::of(&opened).unwrap();
        assert!(sent.open(&opened.schema()).unwrap().is_any_waiting());
        opened.batches().unwrap();
        let sent = Reference::of(&opened).unwrap();
        let back = sent.open(&opened.schema()).unwrap();
        assert!(!back.is_any_waiting());
        assert_eq!(back.batches().unwrap(), opened.batches().unwrap());
    }

    #[test]
    fn parts_of_files_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("1.arrow"), folder.path().join("2.arrow"));
        store::write_ipc(&table(4, 50), &one).unwrap();
        store::write_ipc(&table(3, 70), &two).unwrap();
        let (one, two) = (store::open_ipc(&one).unwrap(), store::open_ipc(&two).unwrap());
        let picked = one.select_columns(&[3, 0, 4, 2]).unwrap();
        assert_eq!(rows(&back(&picked)), rows(&picked));
        let names: Vec<String> = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
        let renamed = two.rename_columns(&names).unwrap();
        assert_eq!(rows(&back(&renamed)), rows(&renamed));
        let both =
            Table::concat(&[Arc::new(one.clone()), Arc::new(two.clone()), Arc::new(one.clone())]).unwrap();
        assert_eq!(rows(&back(&both)), rows(&both));
        assert_eq!(Reference::of(&both).unwrap().columns[0].len(), 3);
        for (start, len) in [(0, 200), (7, 3), (45, 60), (199, 1)] {
            let view = crate::view::View::new(Arc::new(one.clone())).select_range(start, len).unwrap();
            let part = Table::try_new(one.schema(), view.to_batches().unwrap()).unwrap();
            assert_eq!(rows(&back(&part)), rows(&part));
        }
        let flat = crate::stack::flattened(&one, &["o".to_owned()]).unwrap();
        assert_eq!(Reference::of(&flat).map(|_| rows(&back(&flat)) == rows(&flat)), Some(true));
    }

    #[test]
    fn memory_and_changed_files_are_no_reference() {
        assert!(Reference::of(&table(2, 20)).is_none());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.arrow");
        store::write_ipc(&table(2, 20), &path).unwrap();
        let mapped = store::open_ipc(&path).unwrap();
        let reference = Reference::of(&mapped).unwrap();
        store::write_ipc(&table(2, 900), &path).unwrap(); // of another length: clocks of files tick slowly
        assert!(Reference::of(&mapped).is_none());
        assert!(reference.open(&mapped.schema()).is_err());
        let wrong = Reference { columns: vec![vec![]; 1], ..Reference::default() };
        assert_eq!(wrong.open(&mapped.schema()).map_or(0, |t| t.num_rows()), 0);
    }
}

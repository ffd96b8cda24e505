//! Columns of files whose values nobody has looked at yet: they are checked when they are first read.
//!
//! Opening a file checks its messages, the lengths of all buffers and the ends of offsets. What costs time in proportion
//! to the bytes waits until somebody reads the batch: offsets inside the values, texts that must be UTF-8, counts of
//! nulls. A `Table` hands out arrays only behind this check.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Schema};

use crate::checked::{self, Stamp};
use crate::error::{DataError, DataErrorKind};

const UNKNOWN: u8 = 0;
const GOOD: u8 = 1;
const BAD: u8 = 2;

/// The file that columns come from.
#[derive(Debug)]
struct Origin {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// Columns that are still to be checked.
    left: AtomicUsize,
}

/// A column of a batch, and what is known of its values.
///
/// There is no lock: a fork may copy it at any time, and threads that check the same column at once find the same.
#[derive(Debug)]
pub(crate) struct Unchecked {
    array: ArrayRef,
    state: AtomicU8,
    origin: Arc<Origin>,
}

/// What is to be checked of each column of a batch; empty if there is nothing.
pub(crate) type Checks = Vec<Option<Arc<Unchecked>>>;

impl Unchecked {
    /// Those of all batches of a file.
    pub(crate) fn of(path: PathBuf, stamp: Option<Stamp>, batches: &[RecordBatch]) -> Vec<Checks> {
        let left = AtomicUsize::new(batches.iter().map(RecordBatch::num_columns).sum());
        let origin = Arc::new(Origin { path, stamp, left });
        let one = |array: &ArrayRef| {
            let (array, origin) = (array.clone(), origin.clone());
            Some(Arc::new(Self { array, state: AtomicU8::new(UNKNOWN), origin }))
        };
        batches.iter().map(|batch| batch.columns().iter().map(one).collect()).collect()
    }

    /// Whether the check would take time.
    pub(crate) fn is_waiting(&self) -> bool {
        self.state.load(Ordering::Acquire) != GOOD
    }

    /// Checks the values, the first time.
    ///
    /// # Errors
    /// `Decode` with the path for values that are no Arrow.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if !self.is_waiting() {
            return Ok(());
        }
        // What the check panics on is no Arrow either.
        let found = catch_unwind(AssertUnwindSafe(|| self.array.to_data().validate_full()))
            .unwrap_or_else(|_| Err(ArrowError::InvalidArgumentError("offsets are out of range".into())));
        let state = if found.is_ok() { GOOD } else { BAD };
        let before = self.state.swap(state, Ordering::AcqRel);
        if before == UNKNOWN && state == GOOD && self.origin.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            checked::note(&self.origin.path, self.origin.stamp);
        }
        found.map_err(|e| {
            DataError::new(DataErrorKind::Decode, format!("broken Arrow IPC: {e}"))
                .with_path(self.origin.path.to_string_lossy())
        })
    }
}

/// Whether columns of a schema can be handed on without a look at their values. Of the other types the values decide
/// already when an array is made.
pub(crate) fn can_wait(schema: &Schema) -> bool {
    schema.fields().iter().all(|field| is_plain(field.data_type()))
}

fn is_plain(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(inner) | DataType::LargeList(inner) | DataType::FixedSizeList(inner, _) => {
            is_plain(inner.data_type())
        }
        DataType::Struct(fields) => fields.iter().all(|field| is_plain(field.data_type())),
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::FixedSizeBinary(_)
        | DataType::Boolean
        | DataType::Null => true,
        other => other.is_primitive(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use std::path::Path;

    use arrow_array::{Int64Array, ListArray, StringArray, types::Int32Type};
    use arrow_schema::Field;

    use super::*;
    use crate::cancel::Cancel;
    use crate::ipc_stream::{open_stream, write_stream};
    use crate::{Table, View, stack, store};

    fn batch() -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["needle", "", "other"]));
        let lists = [Some(vec![Some(1), Some(2)]), None, Some(vec![Some(77)])];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
        RecordBatch::try_from_iter_with_nullable([
            ("n", numbers, true),
            ("t", texts, true),
            ("l", lists, true),
        ])
        .unwrap()
    }

    /// A file of two batches, the second with broken texts.
    fn lying(path: &Path, stream: bool) {
        let batches = || [batch(), batch()].into_iter();
        if stream {
            write_stream(path, &batch().schema(), batches().map(Ok), &Cancel::new()).unwrap();
        } else {
            store::write_ipc(&Table::try_new(batch().schema(), batches().collect()).unwrap(), path).unwrap();
        }
        let mut bytes = std::fs::read(path).unwrap();
        let at = bytes.windows(6).rposition(|found| found == b"needle").unwrap();
        bytes[at] = 0xff;
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn values_are_checked_when_they_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for stream in [true, false] {
            let path = folder.path().join(format!("{stream}.arrow"));
            lying(&path, stream);
            let table = open_stream(&path).unwrap();
            assert_eq!((table.num_rows(), table.num_batches()), (6, 2));
            assert_eq!(table.batch(0).unwrap(), &batch());
            assert!(!table.is_waiting(0) && table.is_waiting(1));
            assert_eq!(table.column(1, 0).unwrap().as_ref(), batch().column(0).as_ref());
            let view = View::new(Arc::new(table.clone()));
            let both = stack::side_by_side(&[
                table.select_columns(&[0]).unwrap(),
                table.rename_columns(&["a", "b", "c"].map(String::from)).unwrap(),
            ]);
            for made in [
                table.clone(),
                table.select_columns(&[1]).unwrap(),
                table.with_metadata("k".into(), "v".into()).unwrap(),
                Table::concat(&[Arc::new(table.clone()), Arc::new(table.clone())]).unwrap(),
                both.unwrap(),
            ] {
                for _ in 0..2 {
                    let error = made.batches().unwrap_err();
                    assert_eq!(error.kind(), DataErrorKind::Decode);
                    assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
                }
                assert!(made.batch(1).is_err());
            }
            assert!(table.select_columns(&[0, 2]).unwrap().batches().is_ok());
            assert_eq!(view.select_range(0, 3).unwrap().to_batches().unwrap(), [batch()]);
            assert!(view.to_batches().is_err());
            assert!(view.iter_batches().nth(1).unwrap().is_err());
            assert!(view.column_array(1, 2, 2).is_err() && view.column_array(2, 2, 2).is_ok());
            assert!(view.select_indices(&[5, 0]).unwrap().to_batches().is_err());
            assert!(View::concat(&[view.clone(), view]).unwrap().to_batches().is_err());
        }
    }

    #[test]
    fn no_damage_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.arrow");
        write_stream(&path, &batch().schema(), std::iter::once(Ok(batch())), &Cancel::new()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut opened = 0;
        let mut refused = 0;
        for at in 0..bytes.len() {
            for value in [0_u8, 0x7f, 0xff] {
                let mut broken = bytes.clone();
                broken[at] = value;
                std::fs::write(&path, broken).unwrap();
                let Ok(table) = open_stream(&path) else { continue };
                opened += 1;
                let Ok(batches) = table.batches() else {
                    refused += 1;
                    continue;
                };
                for column in batches.iter().flat_map(RecordBatch::columns) {
                    column.to_data().validate_full().unwrap();
                    let _ = format!("{column:?}");
                }
            }
        }
        assert!(opened > bytes.len() && refused > 20, "{opened} {refused} of {}", bytes.len());
    }

    #[test]
    fn types_that_values_decide_on_cannot_wait() {
        let of = |data_type| can_wait(&Schema::new(vec![Field::new("a", data_type, true)]));
        assert!(of(batch().column(2).data_type().clone()));
        assert!(!of(DataType::Utf8View));
        assert!(!of(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))));
    }
}

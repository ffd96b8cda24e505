//! Tables side by side, and small batches made large.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use serde_json::{Map, Value};

use crate::error::{DataError, DataErrorKind};
use crate::features::{features_json, metadata_of};
use crate::table::Table;
use crate::unchecked::Checks;
use crate::view::View;

/// The columns of several tables of as many rows. Batches are cut where any table's batch ends; nothing is copied.
///
/// # Errors
/// `Schema` for other row counts, no table, or a name that comes twice.
pub fn side_by_side(tables: &[Table]) -> Result<Table, DataError> {
    let misfit = |message: String| DataError::new(DataErrorKind::Schema, message);
    let Some(first) = tables.first() else {
        return Err(misfit("no tables to put together".into()));
    };
    let rows = first.num_rows();
    if let Some(other) = tables.iter().find(|t| t.num_rows() != rows) {
        return Err(misfit(format!(
            "tables of {rows} and {} rows cannot lie side by side",
            other.num_rows()
        )));
    }
    let fields: Vec<_> = tables.iter().flat_map(|t| t.schema_ref().fields().iter().cloned()).collect();
    if let Some(twice) =
        fields.iter().enumerate().find(|(i, f)| fields.iter().take(*i).any(|g| g.name() == f.name()))
    {
        return Err(misfit(format!("two columns would be named {:?}", twice.1.name())));
    }
    let mut said = Map::new();
    for table in tables {
        if let Value::Object(features) = features_json(table.schema_ref())? {
            said.extend(features);
        }
    }
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata_of(&Value::Object(said))));
    let mut cuts: Vec<usize> = tables.iter().flat_map(Table::offsets).copied().collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut places = vec![0; tables.len()];
    let mut batches = Vec::with_capacity(cuts.len());
    for window in cuts.windows(2) {
        let &[start, stop] = window else { continue };
        let mut columns = Vec::with_capacity(schema.fields().len());
        let mut checks = Checks::with_capacity(columns.capacity());
        for (table, place) in tables.iter().zip(&mut places) {
            while table.offsets().get(*place + 1).is_some_and(|&end| end <= start) {
                *place += 1;
            }
            let (Some(batch), Some(&from)) = (table.unread().get(*place), table.offsets().get(*place)) else {
                return Err(misfit("a table has fewer rows than its offsets say".into()));
            };
            checks.extend((0..batch.num_columns()).map(|column| table.check_of(*place, column)));
            columns.extend(batch.columns().iter().map(|c| c.slice(start - from, stop - start)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(stop - start));
        batches.push((RecordBatch::try_new_with_options(schema.clone(), columns, &options)?, checks));
    }
    Table::with_checks(schema, batches.into_iter())
}

/// The same rows in batches of about `rows` rows, where they are smaller. Larger batches stay as they are.
///
/// # Errors
/// What Arrow says when a batch would grow too large.
pub fn coalesced(table: &Table, rows: usize) -> Result<Table, DataError> {
    let schema = table.schema();
    let mut batches = Vec::new();
    let mut small: Vec<RecordBatch> = Vec::new();
    let mut waiting = 0;
    for batch in table.batches()? {
        if waiting + batch.num_rows() > rows && !small.is_empty() {
            batches.push(concat_batches(&schema, &small)?);
            small.clear();
            waiting = 0;
        }
        if batch.num_rows() >= rows {
            batches.push(batch.clone());
        } else {
            waiting += batch.num_rows();
            small.push(batch.clone());
        }
    }
    if !small.is_empty() {
        batches.push(concat_batches(&schema, &small)?);
    }
    Table::try_new(schema, batches)
}

/// The table with some struct columns replaced by their fields, named `column.field`. A field of a null struct is null.
///
/// # Errors
/// What Arrow says.
pub fn flattened(table: &Table, columns: &[String]) -> Result<Table, DataError> {
    let flat = |batch: &RecordBatch| -> Result<RecordBatch, DataError> {
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            match array.as_struct_opt().filter(|_| columns.contains(field.name())) {
                None => {
                    fields.push(field.clone());
                    arrays.push(array.clone());
                }
                Some(group) => {
                    for (inner, child) in group.fields().iter().zip(group.columns()) {
                        let name = format!("{}.{}", field.name(), inner.name());
                        fields.push(Arc::new(inner.as_ref().clone().with_name(name).with_nullable(true)));
                        arrays.push(masked(child, group.nulls())?);
                    }
                }
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    };
    let empty = flat(&RecordBatch::new_empty(table.schema()))?;
    let batches = table.batches()?.iter().map(flat).collect::<Result<Vec<_>, _>>()?;
    Table::try_new(empty.schema(), batches)
}

/// The array with more nulls.
fn masked(array: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<ArrayRef, DataError> {
    if nulls.is_none() || array.data_type() == &DataType::Null {
        return Ok(array.clone());
    }
    let both = NullBuffer::union(nulls, array.nulls());
    Ok(make_array(array.to_data().into_builder().nulls(both).build()?))
}

/// Each group of neighbouring rows as one row of lists. `ends`: where each group ends, ascending.
///
/// # Errors
/// `OutOfBounds` for ends past the rows or in another order.
pub fn grouped(view: &View, ends: &[u64]) -> Result<Table, DataError> {
    let schema = view.table().schema();
    let item = |f: &Arc<Field>| Arc::new(Field::new("item", f.data_type().clone(), true));
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|f| Arc::new(Field::new(f.name(), DataType::List(item(f)), true)))
        .collect();
    let lists = Arc::new(Schema::new(fields));
    let mut batches = Vec::new();
    let mut start = 0_usize;
    for chunk in ends.chunks(GROUPS) {
        let stop = chunk.last().map_or(start, |&e| e as usize);
        let mut offsets = vec![0_i32];
        for &end in chunk {
            let last = offsets.last().copied().unwrap_or(0);
            let offset =
                (end as usize).checked_sub(start).and_then(|o| i32::try_from(o).ok()).filter(|&o| o >= last); // `OffsetBuffer::new` would panic
            offsets.push(offset.ok_or_else(|| {
                DataError::new(DataErrorKind::OutOfBounds, "groups must be in order and below 2^31 rows")
            })?);
        }
        let rows = stop.saturating_sub(start);
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (column, field) in schema.fields().iter().enumerate() {
            let values = view.column_array(column, start, rows)?;
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets.clone()));
            arrays.push(Arc::new(ListArray::try_new(item(field), offsets, values, None)?));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(chunk.len()));
        batches.push(RecordBatch::try_new_with_options(lists.clone(), arrays, &options)?);
        start = stop;
    }
    Table::try_new(lists, batches)
}

/// Groups of one batch of `grouped`.
const GROUPS: usize = 256;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use arrow_array::Int64Array;
    use arrow_array::types::Int64Type;
    use proptest::prelude::*;

    use super::*;

    fn table(name: &str, parts: &[usize]) -> Table {
        let mut next = 0_i64;
        let batches: Vec<_> = parts
            .iter()
            .map(|&n| {
                let values: ArrayRef =
                    Arc::new(Int64Array::from((next..next + n as i64).collect::<Vec<_>>()));
                next += n as i64;
                RecordBatch::try_from_iter_with_nullable([(name, values, true)]).unwrap()
            })
            .collect();
        Table::try_new(batches[0].schema(), batches).unwrap()
    }

    fn column(table: &Table, column: usize) -> Vec<i64> {
        table
            .batches()
            .unwrap()
            .iter()
            .flat_map(|b| b.column(column).as_primitive::<Int64Type>().values().to_vec())
            .collect()
    }

    proptest! {
        #[test]
        fn keeps_rows(a in prop::collection::vec(0_usize..9, 1..6), b in prop::collection::vec(0_usize..9, 1..6), rows in 1_usize..20) {
            let total: usize = a.iter().sum();
            let mut b = b;
            let mut sum = 0;
            for part in &mut b { *part = (*part).min(total - sum); sum += *part; }
            b.push(total - sum);
            let both = side_by_side(&[table("a", &a), table("b", &b)]).unwrap();
            let expected: Vec<i64> = (0..total as i64).collect();
            prop_assert_eq!(&column(&both, 0), &expected);
            prop_assert_eq!(&column(&both, 1), &expected);
            prop_assert_eq!(&column(&coalesced(&both, rows).unwrap(), 1), &expected);
        }
    }

    #[test]
    fn groups_rows() {
        let view = View::new(Arc::new(table("a", &[3, 2])));
        let lists = grouped(&view, &[2, 4, 5]).unwrap();
        let column = lists.batches().unwrap()[0].column(0).as_list::<i32>();
        assert_eq!(column.value_offsets(), [0, 2, 4, 5]);
        assert!(grouped(&view, &[4, 2]).is_err());
        assert!(grouped(&view, &[6]).is_err());
    }

    #[test]
    fn refuses_other_lengths_and_double_names() {
        assert!(side_by_side(&[table("a", &[3]), table("b", &[2])]).is_err());
        assert!(side_by_side(&[table("a", &[3]), table("a", &[3])]).is_err());
        assert!(side_by_side(&[]).is_err());
    }
}

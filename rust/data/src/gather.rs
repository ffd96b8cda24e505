//! `gather`: rows of several arrays of one type, copied into one array.
//!
//! Where the rows lie is found once for all columns ([`Runs`]) and handed down to the values of lists, so that a nested
//! column costs what its buffers cost. Neighbouring rows are copied at once.
#![expect(unsafe_code, reason = "arrays made of checked parts are not checked again")]

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, OffsetSizeTrait, UInt64Array, make_array};
use arrow_buffer::{BooleanBufferBuilder, Buffer, MutableBuffer, NullBuffer, NullBufferBuilder};
use arrow_data::ArrayData;
use arrow_schema::DataType;
use arrow_select::{concat::concat, take::take};

use crate::error::{DataError, DataErrorKind};

/// `len` neighbouring rows of one of several arrays.
#[derive(Clone, Copy, Debug)]
struct Run {
    array: u32,
    len: u32,
    start: usize,
}

impl Run {
    fn end(self) -> usize {
        self.start.saturating_add(self.len as usize)
    }
}

/// Rows of several arrays, in the order in which they are wanted.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: Vec<Run>,
    rows: usize,
}

impl Runs {
    pub(crate) fn with_capacity(runs: usize) -> Self {
        Self { runs: Vec::with_capacity(runs), rows: 0 }
    }

    /// Adds `len` rows of an array from `start` on.
    pub(crate) fn push(&mut self, array: usize, start: usize, len: usize) {
        let (mut start, mut left) = (start, len);
        while left > 0 {
            let most = u32::MAX as usize;
            if let Some(last) = self.runs.last_mut()
                && last.array as usize == array
                && last.end() == start
                && last.len as usize + left <= most
            {
                last.len += left as u32;
                break;
            }
            let len = left.min(most);
            self.runs.push(Run { array: array as u32, len: len as u32, start });
            start += len;
            left -= len;
        }
        self.rows += len;
    }

    /// The numbers of the arrays that are asked for, ascending, and these runs over those arrays alone.
    pub(crate) fn of_used(mut self, arrays: usize) -> (Vec<usize>, Self) {
        let mut number: Vec<Option<u32>> = vec![None; arrays];
        for run in &self.runs {
            if let Some(slot) = number.get_mut(run.array as usize) {
                *slot = Some(0);
            }
        }
        let used: Vec<usize> = (0..arrays).filter(|&a| matches!(number.get(a), Some(Some(_)))).collect();
        for (new, &old) in used.iter().enumerate() {
            if let Some(slot) = number.get_mut(old) {
                *slot = Some(new as u32);
            }
        }
        for run in &mut self.runs {
            run.array = number.get(run.array as usize).copied().flatten().unwrap_or(u32::MAX);
        }
        (used, self)
    }
}

/// The rows of the arrays, which are all of one type.
///
/// # Errors
/// `OutOfBounds` for rows that are not there; `Limit` where 32-bit offsets do not reach.
pub(crate) fn gather(arrays: &[&dyn Array], runs: &Runs) -> Result<ArrayRef, DataError> {
    Ok(make_array(rows_of(arrays, runs)?))
}

fn rows_of(parts: &[&dyn Array], runs: &Runs) -> Result<ArrayData, DataError> {
    let Some(first) = parts.first() else {
        return Err(DataError::new(DataErrorKind::OutOfBounds, "rows of no table"));
    };
    let kind = first.data_type();
    if runs.runs.iter().any(|r| parts.get(r.array as usize).is_none_or(|p| r.end() > p.len())) {
        return Err(outside());
    }
    match kind {
        DataType::Null => Ok(ArrayData::new_null(kind, runs.rows)),
        DataType::Boolean => {
            let bits = bits(parts, runs)?;
            Ok(made(kind, runs, nulls(parts, runs), vec![bits], Vec::new()))
        }
        DataType::Utf8 | DataType::Binary => bytes::<i32>(kind, parts, runs),
        DataType::LargeUtf8 | DataType::LargeBinary => bytes::<i64>(kind, parts, runs),
        DataType::List(_) => {
            let lists =
                each(parts, |p| p.as_list_opt::<i32>().map(|l| (l.value_offsets(), l.values().as_ref())))?;
            list(kind, parts, runs, &lists)
        }
        DataType::LargeList(_) => {
            let lists =
                each(parts, |p| p.as_list_opt::<i64>().map(|l| (l.value_offsets(), l.values().as_ref())))?;
            list(kind, parts, runs, &lists)
        }
        DataType::Map(..) => {
            let maps =
                each(parts, |p| p.as_map_opt().map(|m| (m.value_offsets(), m.entries() as &dyn Array)))?;
            list(kind, parts, runs, &maps)
        }
        DataType::FixedSizeList(_, size) if *size > 0 => {
            let size = *size as usize;
            let mut inner = Runs::with_capacity(runs.runs.len());
            for run in &runs.runs {
                inner.push(run.array as usize, run.start * size, run.len as usize * size);
            }
            let values = each(parts, |p| p.as_fixed_size_list_opt().map(|l| l.values().as_ref()))?;
            let values = rows_of(&values, &inner)?;
            Ok(made(kind, runs, nulls(parts, runs), Vec::new(), vec![values]))
        }
        DataType::Struct(fields) => {
            let structs = each(parts, |p| p.as_struct_opt())?;
            let columns = (0..fields.len())
                .map(|i| rows_of(&each(&structs, |s| s.columns().get(i).map(AsRef::as_ref))?, runs))
                .collect::<Result<Vec<_>, DataError>>()?;
            Ok(made(kind, runs, nulls(parts, runs), Vec::new(), columns))
        }
        DataType::FixedSizeBinary(size) if *size > 0 => fixed(kind, *size as usize, parts, runs),
        _ => match kind.primitive_width() {
            Some(width) => fixed(kind, width, parts, runs),
            None => other(parts, runs),
        },
    }
}

/// Types that are rare in tables (dictionaries, views, unions): Arrow's own way, with one copy more.
fn other(parts: &[&dyn Array], runs: &Runs) -> Result<ArrayData, DataError> {
    let mut starts = Vec::with_capacity(parts.len());
    let mut next = 0;
    for part in parts {
        starts.push(next);
        next += part.len();
    }
    let whole = concat(parts)?;
    let mut rows: Vec<u64> = Vec::with_capacity(runs.rows);
    for run in &runs.runs {
        let first = starts.get(run.array as usize).ok_or_else(outside)? + run.start;
        rows.extend((first..first + run.len as usize).map(|r| r as u64));
    }
    Ok(take(&whole, &UInt64Array::from(rows), None)?.to_data())
}

fn made(
    kind: &DataType,
    runs: &Runs,
    nulls: Option<NullBuffer>,
    buffers: Vec<Buffer>,
    children: Vec<ArrayData>,
) -> ArrayData {
    let builder =
        ArrayData::builder(kind.clone()).len(runs.rows).nulls(nulls).buffers(buffers).child_data(children);
    // SAFETY: buffers and children have the lengths that the type and number of rows need, offsets ascend from zero to
    // the length of what they point into, and each value is a whole value of a valid array of the same type.
    unsafe { builder.build_unchecked() }
}

fn outside() -> DataError {
    DataError::new(
        DataErrorKind::OutOfBounds,
        "a row or value lies outside of the table: is its file damaged?",
    )
}

/// What `part` finds in each of them: all are of the type that it looks for.
fn each<'a, P: ?Sized, T>(parts: &[&'a P], part: impl Fn(&'a P) -> Option<T>) -> Result<Vec<T>, DataError> {
    parts.iter().map(|p| part(p).ok_or_else(outside)).collect()
}

fn nulls(parts: &[&dyn Array], runs: &Runs) -> Option<NullBuffer> {
    let masks: Vec<Option<&NullBuffer>> =
        parts.iter().map(|p| p.nulls().filter(|n| n.null_count() > 0)).collect();
    if masks.iter().all(Option::is_none) {
        return None;
    }
    let mut made = NullBufferBuilder::new(runs.rows);
    for run in &runs.runs {
        match masks.get(run.array as usize).copied().flatten() {
            None => made.append_n_non_nulls(run.len as usize),
            Some(mask) if run.len == 1 => made.append(mask.is_valid(run.start)),
            Some(mask) => made.append_buffer(&mask.slice(run.start, run.len as usize)),
        }
    }
    made.finish()
}

fn bits(parts: &[&dyn Array], runs: &Runs) -> Result<Buffer, DataError> {
    let sources = each(parts, |p| p.as_boolean_opt().map(BooleanArray::values))?;
    let mut made = BooleanBufferBuilder::new(runs.rows);
    for run in &runs.runs {
        let source = sources.get(run.array as usize).ok_or_else(outside)?;
        made.append_packed_range(run.start + source.offset()..run.end() + source.offset(), source.inner());
    }
    Ok(made.finish().into_inner())
}

fn fixed(kind: &DataType, width: usize, parts: &[&dyn Array], runs: &Runs) -> Result<ArrayData, DataError> {
    let data: Vec<ArrayData> = parts.iter().map(|p| p.to_data()).collect();
    let sources = data
        .iter()
        .map(|d| {
            let (from, to) = (d.offset() * width, (d.offset() + d.len()) * width);
            d.buffers().first().and_then(|b| b.get(from..to)).ok_or_else(outside)
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let mut made_bytes =
        MutableBuffer::from_len_zeroed(runs.rows.checked_mul(width).ok_or_else(|| too_large(kind))?);
    let out = made_bytes.as_slice_mut();
    match width {
        1 => copy::<1>(&sources, runs, out),
        2 => copy::<2>(&sources, runs, out),
        4 => copy::<4>(&sources, runs, out),
        8 => copy::<8>(&sources, runs, out),
        16 => copy::<16>(&sources, runs, out),
        _ => copy_any(width, &sources, runs, out),
    }
    .ok_or_else(outside)?;
    Ok(made(kind, runs, nulls(parts, runs), vec![made_bytes.into()], Vec::new()))
}

/// Copies values of a width that the compiler knows: one row is one load and one store.
fn copy<const WIDTH: usize>(sources: &[&[u8]], runs: &Runs, out: &mut [u8]) -> Option<()> {
    let sources: Vec<&[[u8; WIDTH]]> = sources.iter().map(|s| s.as_chunks().0).collect();
    let mut rest = out.as_chunks_mut::<WIDTH>().0;
    for run in &runs.runs {
        let values = sources.get(run.array as usize)?;
        let (to, after) = rest.split_at_mut_checked(run.len as usize)?;
        if let [to] = to {
            *to = *values.get(run.start)?;
        } else {
            to.copy_from_slice(values.get(run.start..run.end())?);
        }
        rest = after;
    }
    Some(())
}

fn copy_any(width: usize, sources: &[&[u8]], runs: &Runs, out: &mut [u8]) -> Option<()> {
    let mut rest = out;
    for run in &runs.runs {
        let values = sources.get(run.array as usize)?;
        let (to, after) = rest.split_at_mut_checked(run.len as usize * width)?;
        to.copy_from_slice(values.get(run.start * width..run.end() * width)?);
        rest = after;
    }
    Some(())
}

/// New offsets for the rows, and where their values lie.
fn spans<O: OffsetSizeTrait>(
    kind: &DataType,
    known: &[&[O]],
    runs: &Runs,
) -> Result<(Buffer, Runs), DataError> {
    let mut made: Vec<O> = Vec::with_capacity(runs.rows + 1);
    made.push(O::zero());
    let mut inner = Runs::with_capacity(runs.runs.len());
    for run in &runs.runs {
        let old =
            known.get(run.array as usize).and_then(|o| o.get(run.start..=run.end())).ok_or_else(outside)?;
        let (Some(first), Some(last)) = (old.first(), old.last()) else {
            return Err(outside());
        };
        let (first, last) = (first.as_usize(), last.as_usize());
        let before = inner.rows;
        inner.push(run.array as usize, first, last.checked_sub(first).ok_or_else(outside)?);
        made.extend(
            old.iter().skip(1).map(|o| O::usize_as(before.wrapping_add(o.as_usize().wrapping_sub(first)))),
        );
    }
    if O::from_usize(inner.rows).is_none() {
        return Err(too_large(kind));
    }
    Ok((Buffer::from_vec(made), inner))
}

fn bytes<O: OffsetSizeTrait>(
    kind: &DataType,
    parts: &[&dyn Array],
    runs: &Runs,
) -> Result<ArrayData, DataError> {
    let (known, sources): (Vec<&[O]>, Vec<&[u8]>) = each(parts, |p| {
        let text = p.as_string_opt::<O>().map(|a| (a.value_offsets(), a.value_data()));
        text.or_else(|| p.as_binary_opt::<O>().map(|a| (a.value_offsets(), a.value_data())))
    })?
    .into_iter()
    .unzip();
    let (offsets, inner) = spans(kind, &known, runs)?;
    let mut values: Vec<u8> = Vec::with_capacity(inner.rows);
    for run in &inner.runs {
        let source = sources.get(run.array as usize).ok_or_else(outside)?;
        values.extend_from_slice(source.get(run.start..run.end()).ok_or_else(outside)?);
    }
    let buffers = vec![offsets, Buffer::from_vec(values)];
    Ok(made(kind, runs, nulls(parts, runs), buffers, Vec::new()))
}

fn list<O: OffsetSizeTrait>(
    kind: &DataType,
    parts: &[&dyn Array],
    runs: &Runs,
    lists: &[(&[O], &dyn Array)],
) -> Result<ArrayData, DataError> {
    let (known, values): (Vec<&[O]>, Vec<&dyn Array>) = lists.iter().copied().unzip();
    let (offsets, inner) = spans(kind, &known, runs)?;
    let values = rows_of(&values, &inner)?;
    Ok(made(kind, runs, nulls(parts, runs), vec![offsets], vec![values]))
}

fn too_large(kind: &DataType) -> DataError {
    DataError::new(
        DataErrorKind::Limit,
        format!("the rows together are too large for one array of {kind}: ask for fewer at once"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::sync::Arc;

    use arrow_array::builder::{
        FixedSizeBinaryBuilder, FixedSizeListBuilder, Int32Builder, LargeListBuilder, ListBuilder,
        MapBuilder, StringBuilder,
    };
    use arrow_array::types::Int32Type;
    use arrow_array::{
        BinaryArray, Decimal128Array, Decimal256Array, DictionaryArray, Float64Array, Int8Array, Int16Array,
        Int64Array, LargeStringArray, NullArray, StringArray, StringViewArray, StructArray,
    };
    use arrow_buffer::i256;
    use arrow_schema::Field;
    use proptest::prelude::*;

    use super::*;

    /// One array of each kind, of `numbers.len()` rows, null where the number is divisible by three if `nulls`.
    fn arrays(numbers: &[u32], nulls: bool) -> Vec<ArrayRef> {
        let some = |n: &u32| (!nulls || !n.is_multiple_of(3)).then_some(*n);
        let text = |n: u32| "é\u{1F600}x".repeat(n as usize % 5);
        let texts: Vec<Option<String>> = numbers.iter().map(|n| some(n).map(text)).collect();
        let (mut lists, mut large) = (
            ListBuilder::new(StringBuilder::new()),
            LargeListBuilder::new(ListBuilder::new(Int32Builder::new())),
        );
        let mut fixed = FixedSizeListBuilder::new(Int32Builder::new(), 3);
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        let mut binary = FixedSizeBinaryBuilder::new(5);
        for n in numbers {
            for k in 0..n % 4 {
                lists.values().append_option((k != 1).then(|| text(n + k)));
                for j in 0..k {
                    large.values().values().append_value(j.cast_signed());
                }
                large.values().append(k != 2);
                maps.keys().append_value(text(k));
                maps.values().append_value(k.cast_signed());
            }
            for k in 0..3 {
                fixed.values().append_value((n + k).cast_signed());
            }
            lists.append(some(n).is_some());
            large.append(some(n).is_some());
            fixed.append(some(n).is_some());
            maps.append(some(n).is_some()).unwrap();
            match some(n) {
                Some(n) => binary.append_value([n as u8; 5]).unwrap(),
                None => binary.append_null(),
            }
        }
        let strings: ArrayRef = Arc::new(StringArray::from_iter(&texts));
        let ints: ArrayRef = Arc::new(numbers.iter().map(|n| some(n).map(i64::from)).collect::<Int64Array>());
        let structs = StructArray::try_new(
            vec![Field::new("s", DataType::Utf8, true), Field::new("i", DataType::Int64, true)].into(),
            vec![strings.clone(), ints.clone()],
            ints.nulls().cloned(),
        );
        vec![
            Arc::new(NullArray::new(numbers.len())),
            Arc::new(numbers.iter().map(|n| some(n).map(|n| n % 2 == 0)).collect::<BooleanArray>()),
            Arc::new(numbers.iter().map(|n| some(n).map(|n| n as i8)).collect::<Int8Array>()),
            Arc::new(numbers.iter().map(|n| some(n).map(|n| n as i16)).collect::<Int16Array>()),
            Arc::new(numbers.iter().map(|n| some(n).map(f64::from)).collect::<Float64Array>()),
            Arc::new(numbers.iter().map(|n| some(n).map(i128::from)).collect::<Decimal128Array>()),
            Arc::new(
                numbers
                    .iter()
                    .map(|n| some(n).map(|n| i256::from(i64::from(n))))
                    .collect::<Decimal256Array>(),
            ),
            Arc::new(LargeStringArray::from_iter(&texts)),
            Arc::new(texts.iter().map(|t| t.as_ref().map(String::as_bytes)).collect::<BinaryArray>()),
            Arc::new(StringViewArray::from_iter(&texts)),
            Arc::new(texts.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>()),
            Arc::new(lists.finish()),
            Arc::new(large.finish()),
            Arc::new(fixed.finish()),
            Arc::new(maps.finish()),
            Arc::new(binary.finish()),
            Arc::new(structs.unwrap()),
            strings,
            ints,
        ]
    }

    proptest! {
        #[test]
        fn equals_concat_and_take(
            parts in prop::collection::vec((prop::collection::vec(0_u32..100, 1..12), any::<bool>(), 0_usize..4), 1..4),
            picks in prop::collection::vec((0_usize..1000, 1_usize..4), 0..20),
        ) {
            // Slices, so that offsets are not zero.
            let parts: Vec<Vec<ArrayRef>> = parts
                .iter()
                .map(|(numbers, nulls, skip)| {
                    let skip = (*skip).min(numbers.len() - 1);
                    arrays(numbers, *nulls).iter().map(|a| a.slice(skip, a.len() - skip)).collect()
                })
                .collect();
            let lengths: Vec<usize> = parts.iter().map(|p| p[0].len()).collect();
            let (mut runs, mut rows) = (Runs::default(), Vec::new());
            for (place, len) in picks {
                let part = place % parts.len();
                let start = place % lengths[part];
                let len = len.min(lengths[part] - start);
                runs.push(part, start, len);
                let first = lengths[..part].iter().sum::<usize>() + start;
                rows.extend((first..first + len).map(|r| r as u64));
            }
            prop_assert_eq!(runs.rows, rows.len());
            for kind in 0..parts[0].len() {
                let arrays: Vec<ArrayRef> = parts.iter().map(|p| p[kind].clone()).collect();
                let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
                let got = gather(&arrays, &runs).unwrap();
                got.to_data().validate_full().unwrap();
                let whole = concat(&arrays).unwrap();
                let wanted = take(&whole, &UInt64Array::from(rows.clone()), None).unwrap();
                prop_assert_eq!(&got, &wanted);
            }
        }
    }

    #[test]
    fn rows_that_are_not_there() {
        let array = Int64Array::from(vec![1, 2]);
        let mut runs = Runs::default();
        runs.push(0, 1, 2);
        assert_eq!(gather(&[&array], &runs).unwrap_err().kind(), DataErrorKind::OutOfBounds);
        let mut runs = Runs::default();
        runs.push(1, 0, 1);
        assert_eq!(gather(&[&array], &runs).unwrap_err().kind(), DataErrorKind::OutOfBounds);
    }

    #[test]
    fn more_than_offsets_hold() {
        let array = StringArray::from(vec!["x".repeat(1 << 20)]);
        let mut runs = Runs::default();
        for _ in 0..2048 {
            runs.push(0, 0, 1);
        }
        assert_eq!(gather(&[&array], &runs).unwrap_err().kind(), DataErrorKind::Limit);
    }

    #[test]
    fn only_arrays_that_are_used() {
        let mut runs = Runs::default();
        runs.push(5, 0, 2);
        runs.push(2, 7, 1);
        runs.push(2, 8, 3);
        let (used, runs) = runs.of_used(9);
        assert_eq!(used, [2, 5]);
        assert_eq!(
            runs.runs.iter().map(|r| (r.array, r.start, r.len)).collect::<Vec<_>>(),
            [(1, 0, 2), (0, 7, 4)]
        );
    }
}

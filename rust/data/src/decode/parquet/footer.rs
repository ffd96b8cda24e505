//! What a Parquet footer announces, looked at before the parquet crate believes it.
//!
//! The crate reserves memory for counts of the footer, and goes down the schema by recursion: what it does not survive
//! is refused here. The footer is Thrift's compact protocol; only the fields with sizes are understood.

use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;

/// Deepest nesting of structures and lists in Thrift; the format itself needs 8.
const MAX_THRIFT: usize = 32;

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const LIST: u8 = 9;
const STRUCT: u8 = 12;
/// `FIXED_LEN_BYTE_ARRAY` among the physical types.
const FIXED: i64 = 7;

type Walked<T> = Result<T, DataError>;

/// Checks a footer (`FileMetaData`).
///
/// # Errors
/// `Decode` for Thrift that is broken or a schema that is no tree, `Limit` for a schema that is too deep or has too
/// wide a type, `Unsupported` for encrypted columns.
pub(super) fn check(footer: &[u8], limits: &Limits) -> Walked<()> {
    let mut walk = Walk { rest: footer };
    let (mut has_schema, mut whole, mut column) = (false, false, None);
    walk.fields(|walk, id, kind| {
        match (id, kind) {
            (2, LIST) => {
                has_schema = true;
                schema(walk, limits)?;
            }
            (4, LIST) => column = row_groups(walk)?,
            (8, STRUCT) => {
                whole = true;
                walk.skip(kind, 0)?;
            }
            _ => walk.skip(kind, 0)?,
        }
        Ok(())
    })?;
    if !has_schema {
        return Err(broken("it has no schema")); // any other field may seem to be there
    }
    let message = "encrypted Parquet columns are not supported";
    match column {
        Some(group) => Err(DataError::new(DataErrorKind::Unsupported, message).with_row_group(group)),
        None if whole => Err(DataError::new(DataErrorKind::Unsupported, message)),
        None => Ok(()),
    }
}

fn broken(message: impl Into<String>) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken Parquet footer: {}", message.into()))
}

fn schema(walk: &mut Walk<'_>, limits: &Limits) -> Walked<()> {
    let (kind, count) = walk.list()?;
    // Children that are still to come, from the root down.
    let mut open: Vec<i64> = Vec::new();
    for index in 0..count {
        let (mut physical, mut length, mut children) = (None, 0, 0);
        if kind != STRUCT {
            return Err(broken("the schema is no list of structures"));
        }
        walk.fields(|walk, id, kind| {
            match id {
                1 => physical = Some(walk.integer()?),
                2 => length = walk.integer()?,
                5 => children = walk.integer()?,
                _ => walk.skip(kind, 0)?,
            }
            Ok(())
        })?;
        if children < 0 || children > (count - index) as i64 {
            return Err(broken(format!("{children} children in a schema of {count} elements")));
        }
        if physical == Some(FIXED) && length > i64::from(limits.max_fixed_bytes) {
            let message =
                format!("values of {length} bytes are over max_fixed_bytes = {}", limits.max_fixed_bytes);
            return Err(DataError::new(DataErrorKind::Limit, message));
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            open.push(children);
            if open.len() > limits.max_schema_depth {
                let message = format!("a schema deeper than max_schema_depth = {}", limits.max_schema_depth);
                return Err(DataError::new(DataErrorKind::Limit, message));
            }
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    Ok(())
}

/// Checks the row groups; the first of them that has an encrypted column.
fn row_groups(walk: &mut Walk<'_>) -> Walked<Option<usize>> {
    let (kind, count) = walk.list()?;
    let mut encrypted = None;
    for index in 0..count {
        if kind != STRUCT {
            return Err(broken("the row groups are no list of structures"));
        }
        walk.fields(|walk, id, kind| {
            match (id, kind) {
                (1, LIST) => {
                    if columns(walk)? {
                        encrypted.get_or_insert(index);
                    }
                }
                (3, _) => match walk.integer()? {
                    rows if rows < 0 => return Err(broken(format!("a row group of {rows} rows"))),
                    _ => {}
                },
                _ => walk.skip(kind, 0)?,
            }
            Ok(())
        })
        .map_err(|e| e.with_row_group(index))?;
    }
    Ok(encrypted)
}

/// Goes over the columns of a row group; whether one is encrypted.
fn columns(walk: &mut Walk<'_>) -> Walked<bool> {
    let (kind, count) = walk.list()?;
    let mut encrypted = false;
    for _ in 0..count {
        if kind != STRUCT {
            return Err(broken("the columns are no list of structures"));
        }
        walk.fields(|walk, id, kind| {
            encrypted |= matches!(id, 8 | 9);
            walk.skip(kind, 0)
        })?;
    }
    Ok(encrypted)
}

/// Goes over Thrift's compact protocol.
struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    fn byte(&mut self) -> Walked<u8> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| broken("it ends too early"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, count: u64) -> Walked<()> {
        let rest = usize::try_from(count).ok().and_then(|count| self.rest.get(count..));
        self.rest =
            rest.ok_or_else(|| broken(format!("{count} bytes announced, {} there", self.rest.len())))?;
        Ok(())
    }

    fn varint(&mut self) -> Walked<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(broken("a number of more than 64 bits"))
    }

    fn integer(&mut self) -> Walked<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The type and number of a list's items; no more than bytes are left, as each takes one at the least.
    fn list(&mut self) -> Walked<(u8, usize)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        if count > self.rest.len() as u64 {
            return Err(broken(format!("a list of {count} items in {} bytes", self.rest.len())));
        }
        Ok((head & 15, count as usize))
    }

    /// The fields of a structure: `field` gets the id and type of each and goes over its value.
    fn fields(&mut self, mut field: impl FnMut(&mut Self, i64, u8) -> Walked<()>) -> Walked<()> {
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            id = match head >> 4 {
                0 => self.integer()?,
                delta => id.wrapping_add(i64::from(delta)),
            };
            field(self, id, head & 15)?;
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Walked<()> {
        if depth > MAX_THRIFT {
            return Err(broken("structures nested too deep"));
        }
        match kind {
            TRUE | FALSE => Ok(()),
            3 => self.take(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.take(8),
            8 => {
                let length = self.varint()?;
                self.take(length)
            }
            LIST | 10 => {
                let (kind, count) = self.list()?;
                for _ in 0..count {
                    if matches!(kind, TRUE | FALSE) {
                        self.take(1)?;
                    } else {
                        self.skip(kind, depth + 1)?;
                    }
                }
                Ok(())
            }
            STRUCT => self.fields(|walk, _, kind| walk.skip(kind, depth + 1)),
            other => Err(broken(format!("type {other} is not known"))),
        }
    }
}

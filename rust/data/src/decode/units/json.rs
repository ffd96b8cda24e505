//! JSON: lines, the items of an array, or what one member of an object holds.
//!
//! Each unit is read as a small file of its own. Where no features are imposed, the first 10 MiB (the chunk of `datasets`)
//! decide the types; later values that do not fit them keep types of their own.

use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr;
use serde_json::Value;

use super::buffer::Buffer;
use super::items::{Items, items};
use super::{Unit, Units, size_at};
use crate::cancel::Cancel;
use crate::decode::json::first_letter;
use crate::decode::lines::SEARCH;
use crate::decode::{Format, ReadOptions, read_sources};
use crate::error::{DataError, DataErrorKind};
use crate::features::features_json;
use crate::source::{ByteSource, MemorySource};
use crate::table::Table;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    Array,
    Member,
}

pub(super) struct JsonUnits {
    source: Arc<dyn ByteSource>,
    buffer: Buffer,
    options: ReadOptions,
    form: Form,
    known: Option<Value>,
    ended: bool,
}

fn form(source: &Arc<dyn ByteSource>, options: &ReadOptions) -> Result<Form, DataError> {
    if options.json.field.is_some() {
        return Ok(Form::Member);
    }
    let mut head = Buffer::open(source, 0, &options.limits)?;
    head.fill(SEARCH as usize, &options.cancel)?;
    Ok(if first_letter(head.held()) == Some(b'[') { Form::Array } else { Form::Lines })
}

/// Features that the first lines of a file tell; None for arrays and members, which only reading whole tells.
pub(super) fn head_features(
    source: &Arc<dyn ByteSource>,
    options: &ReadOptions,
) -> Result<Option<Value>, DataError> {
    if form(source, options)? != Form::Lines {
        return Ok(None);
    }
    let mut units = JsonUnits::open(source, 0, options.clone())?;
    units.next_unit(&options.cancel)?;
    Ok(units.known)
}

fn wrong(what: &str) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("malformed JSON: {what}"))
}

impl JsonUnits {
    pub(super) fn open(
        source: &Arc<dyn ByteSource>,
        at: u64,
        options: ReadOptions,
    ) -> Result<Self, DataError> {
        let form = form(source, &options)?;
        let from = match form {
            Form::Lines => at,
            Form::Array => at.saturating_sub(1),
            Form::Member => 0, // a position only says whether it was read
        };
        let mut buffer = Buffer::open(source, from, &options.limits)?.going_on();
        let mut ended = form == Form::Member && at > 0;
        if form == Form::Array && from < at {
            // What is before the position tells whether an item follows or the array was read.
            buffer.fill(1, &options.cancel)?;
            match buffer.held().first() {
                Some(b',' | b'[') => buffer.skip(1),
                Some(b']') => ended = true,
                _ => return Err(wrong("no item of the array begins at this position")),
            }
        }
        let mut units = Self { source: source.clone(), buffer, options, form, known: None, ended };
        if at > 0 && units.decides() && form != Form::Member {
            let mut head = Self::open(source, 0, units.options.clone())?;
            head.next_unit(&units.options.cancel)?;
            units.known = head.known;
        }
        Ok(units)
    }

    /// A unit's text as a file of its own.
    fn read(&mut self, text: Bytes) -> Result<Table, DataError> {
        let text: Vec<Arc<dyn ByteSource>> = vec![Arc::new(MemorySource::new(self.source.name(), text))];
        let imposed = self.options.features.is_some();
        if !imposed && let Some(known) = &self.known {
            let options = ReadOptions { features: Some(known.clone()), ..self.options.clone() };
            match read_sources(&text, Format::Json, &options) {
                Err(error) if error.kind() == DataErrorKind::Schema => {} // values of other types, or more columns
                read => return read,
            }
        }
        let table = read_sources(&text, Format::Json, &self.options)?;
        if !imposed && self.known.is_none() && table.num_rows() > 0 {
            self.known = Some(features_json(&table.schema())?);
        }
        Ok(table)
    }

    /// Whether this unit decides the types.
    fn decides(&self) -> bool {
        self.known.is_none() && self.options.features.is_none()
    }

    fn lines(&mut self, cancel: &Cancel) -> Result<Option<Unit>, DataError> {
        let size = if self.decides() {
            // As `datasets`: so many bytes, and the rest of the line.
            let head = usize::try_from(self.options.json.head).unwrap_or(usize::MAX);
            let mut want = head;
            loop {
                self.buffer.fill(want, cancel)?;
                let held = self.buffer.held();
                let rest = held.get(head..).unwrap_or_default();
                match memchr(b'\n', rest) {
                    Some(end) => break head + end + 1,
                    None if self.buffer.ended() => break held.len(),
                    None => want = want.saturating_add(SEARCH as usize),
                }
            }
        } else {
            let want = size_at(self.buffer.at());
            if let Some(unit) = self.lines_in_parts(want, cancel)? {
                return Ok(Some(unit));
            }
            self.buffer.whole_lines(want, cancel)?
        };
        if size == 0 {
            return Ok(None);
        }
        self.unit(size, size, Vec::new)
    }

    /// Lines that go from one piece into the next, read without being put together. None where that is not possible, and
    /// where reading fails: put together they tell what is wrong, or have other types.
    fn lines_in_parts(&mut self, want: usize, cancel: &Cancel) -> Result<Option<Unit>, DataError> {
        let Some(parts) = self.buffer.lines_in_parts(want, cancel)? else { return Ok(None) };
        if parts.iter().any(|part| first_letter(part) == Some(b'[') || part.starts_with(b"\xEF\xBB\xBF")) {
            return Ok(None); // a part by itself would be an array, or lose its mark
        }
        let start = self.buffer.at();
        let known = self.options.features.as_ref().or(self.known.as_ref()).cloned();
        let options = ReadOptions { features: known, ..self.options.clone() };
        let source = |part: &Bytes| -> Arc<dyn ByteSource> {
            Arc::new(MemorySource::new(self.source.name(), part.clone()))
        };
        let sources: Vec<_> = parts.iter().filter(|part| !part.is_empty()).map(source).collect();
        let Ok(table) = read_sources(&sources, Format::Json, &options) else {
            cancel.check()?;
            return Ok(None);
        };
        self.buffer.pass(&parts);
        Ok(Some(Unit { table, start, end: self.buffer.at() }))
    }

    /// The unit of the first `length` bytes, which begin where `opening` is missing; `size` bytes are used up.
    fn unit(
        &mut self,
        length: usize,
        size: usize,
        opening: impl FnOnce() -> Vec<u8>,
    ) -> Result<Option<Unit>, DataError> {
        let start = self.buffer.at();
        let mut text = opening();
        let text = if text.is_empty() {
            self.buffer.first(length)
        } else {
            text.extend_from_slice(self.buffer.held().get(..length).unwrap_or_default());
            text.push(b']');
            Bytes::from(text)
        };
        let table = self.read(text).map_err(|e| self.buffer.placed(e))?;
        self.buffer.skip(size);
        Ok(Some(Unit { table, start, end: self.buffer.at() }))
    }

    fn array(&mut self, cancel: &Cancel) -> Result<Option<Unit>, DataError> {
        let first = self.buffer.at() == 0;
        let mut want = if self.decides() {
            usize::try_from(self.options.json.head).unwrap_or(usize::MAX)
        } else {
            size_at(self.buffer.at())
        };
        if first {
            self.buffer.fill(SEARCH as usize, cancel)?;
            let open = memchr(b'[', self.buffer.held()).unwrap_or_default();
            self.buffer.skip(open + 1);
        }
        loop {
            self.buffer.fill(want, cancel)?;
            let held = self.buffer.held();
            match items(held) {
                Items::Closed(end) => {
                    let blank = held.get(..end).unwrap_or_default().iter().all(u8::is_ascii_whitespace);
                    if blank && !first {
                        return Err(self.named("a comma before the end of the array"));
                    }
                    let unit = if blank { None } else { self.unit(end, end, || vec![b'['])? };
                    self.buffer.skip(if blank { end + 1 } else { 1 });
                    self.ended = true;
                    let end = self.buffer.at();
                    self.nothing_follows(cancel)?;
                    return Ok(unit.map(|unit| Unit { end, ..unit }));
                }
                Items::Until(comma) => return self.unit(comma, comma + 1, || vec![b'[']),
                Items::None if self.buffer.ended() => return Err(self.named("the array does not end")),
                Items::None => want = want.saturating_mul(2),
            }
        }
    }

    fn named(&self, what: &str) -> DataError {
        wrong(what).with_path(self.source.name())
    }

    fn nothing_follows(&mut self, cancel: &Cancel) -> Result<(), DataError> {
        loop {
            self.buffer.fill(SEARCH as usize, cancel)?;
            if !self.buffer.held().iter().all(u8::is_ascii_whitespace) {
                return Err(self.named("something follows the array"));
            }
            self.buffer.skip(self.buffer.held().len());
            if self.buffer.ended() {
                return Ok(());
            }
        }
    }

    fn member(&mut self) -> Result<Option<Unit>, DataError> {
        self.ended = true;
        let sources = [self.source.clone()];
        let table = read_sources(&sources, Format::Json, &self.options)?;
        Ok(Some(Unit { table, start: 0, end: self.source.len().max(1) }))
    }
}

impl Units for JsonUnits {
    fn next_unit(&mut self, cancel: &Cancel) -> Result<Option<Unit>, DataError> {
        if self.ended {
            return Ok(None);
        }
        self.options.cancel = cancel.clone();
        match self.form {
            Form::Lines => self.lines(cancel),
            Form::Array => self.array(cancel),
            Form::Member => self.member(),
        }
    }
}

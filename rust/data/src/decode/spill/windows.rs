//! Text files cut into windows: several small files, one file, or a piece of a long one that ends at a line end.

use std::io::Read as _;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use memchr::memrchr;

use super::{Job, WHOLE};
use crate::decode::json::first_letter;
use crate::decode::lines::{SEARCH, lines_before, lines_in, next_line};
use crate::decode::reading::{Flowing, explained, opened};
use crate::decode::unpack::{Packing, unpacked};
use crate::decode::{FileBatches, Format, ReadOptions, SampleBy, csv, ipc, json, text, unify};
use crate::error::{DataError, DataErrorKind};
use crate::source::{ByteSource, MemorySource};

/// What is decoded at once.
pub(super) struct Window {
    sources: Vec<Arc<dyn ByteSource>>,
    /// The file of the first source.
    file: usize,
    /// Whether the start of the first file is in it.
    first: bool,
    before: Before,
    /// Pieces of a long CSV file, in place of sources.
    commas: Option<(Arc<csv::Guess>, Range<usize>)>,
}

/// What lies before a window in its file.
enum Before {
    Nothing,
    Lines(u64),
    Bytes(Arc<dyn ByteSource>, u64),
}

/// What a window gave.
pub(super) struct Read {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<(usize, RecordBatch)>,
    /// What JSON tells of all rows.
    pub(super) told: Option<json::Told>,
    /// Its first file.
    pub(super) file: usize,
    /// Whether it was read; else only all rows together can tell.
    pub(super) clear: bool,
}

impl Read {
    fn unclear() -> Self {
        Self { schema: Arc::new(Schema::empty()), batches: Vec::new(), told: None, file: 0, clear: false }
    }
}

impl Window {
    /// Decodes it; JSON by `plan`, if it was read before.
    pub(super) fn read(
        self,
        format: Format,
        options: &ReadOptions,
        plan: Option<&json::Plan>,
    ) -> Result<Read, DataError> {
        if let Some((guess, pieces)) = self.commas {
            let Some(batches) = guess.read(pieces)? else { return Ok(Read::unclear()) };
            let file = guess.file(batches)?;
            let batches = file.batches.into_iter().map(|batch| (self.file, batch)).collect();
            return Ok(Read { schema: file.schema, batches, told: None, file: self.file, clear: true });
        }
        let mut options = options.clone();
        if !self.first {
            options.json.head = 0;
        }
        if format == Format::Json && self.later() && self.begins_array()? {
            return Ok(Read::unclear()); // among lines, it is an error
        }
        let read = match format {
            Format::Json if options.features.is_none() => {
                let read = json::read_window(&self.sources, &options, plan, 1);
                read.map(|(files, told)| (files, Some(told)))
            }
            Format::Json => json::read_sources(&self.sources, &options).map(|files| (files, None)),
            Format::Text => text::read_sources(&self.sources, &options).map(|files| (files, None)),
            Format::Csv => csv::read_sources(&self.sources, &options).map(|files| (files, None)),
            Format::Arrow => ipc::read_sources(&self.sources, &options).map(|files| (files, None)),
            Format::Parquet => Ok((Vec::new(), None)), // has windows of its own
        };
        let (files, told) = match (read, &self.before) {
            (Ok(read), _) => read,
            (Err(error), Before::Nothing) => return Err(error),
            (Err(error), Before::Lines(lines)) => return Err(error.line_shifted(*lines)),
            (Err(error), Before::Bytes(source, start)) => {
                return Err(error.line_shifted(lines_before(source.as_ref(), *start)?));
            }
        };
        let names = self.sources.iter().map(|s| std::path::Path::new(s.name()));
        let schema = unify::schemas(files.iter().map(|f| f.schema.as_ref()).zip(names))?;
        let batches = |(at, file): (usize, FileBatches)| {
            file.batches.into_iter().map(move |batch| (self.file + at, batch))
        };
        let batches = files.into_iter().enumerate().flat_map(batches).collect();
        Ok(Read { schema, batches, told, file: self.file, clear: true })
    }
}

impl Window {
    /// Whether it is a piece that does not begin its file.
    fn later(&self) -> bool {
        match self.before {
            Before::Nothing => false,
            Before::Lines(lines) => lines > 0,
            Before::Bytes(_, start) => start > 0,
        }
    }

    fn begins_array(&self) -> Result<bool, DataError> {
        let Some(source) = self.sources.first() else { return Ok(false) };
        Ok(first_letter(&source.read_range(0..source.len().min(SEARCH))?) == Some(b'['))
    }
}

/// The windows of several files.
pub(super) struct Texts<'a> {
    sources: &'a [Arc<dyn ByteSource>],
    format: Format,
    options: &'a ReadOptions,
    size: u64,
    /// The file that comes next.
    file: usize,
    part: Part,
}

/// A long file of which some was taken.
enum Part {
    None,
    Plain { source: Arc<dyn ByteSource>, at: u64 },
    Packed(Unpacking),
    Commas { guess: Arc<csv::Guess>, piece: usize },
}

impl<'a> Texts<'a> {
    pub(super) fn new(job: Job<'a>) -> Self {
        let Job { sources, format, options, window: size, .. } = job;
        Self { sources, format, options, size, file: 0, part: Part::None }
    }

    pub(super) fn next(&mut self) -> Result<Option<Window>, DataError> {
        self.options.cancel.check()?;
        match std::mem::replace(&mut self.part, Part::None) {
            Part::None => {}
            Part::Plain { source, at } => return self.piece(source, at).map(Some),
            Part::Commas { guess, piece } => return Ok(Some(self.commas(guess, piece))),
            Part::Packed(unpacking) => {
                if let Some(window) = self.unpacked_lines(unpacking)? {
                    return Ok(Some(window));
                }
            }
        }
        let Some(source) = self.sources.get(self.file) else { return Ok(None) };
        if self.by_lines() {
            let start = source.read_range(0..source.len().min(SEARCH))?;
            if let Some(packing) = Packing::of(&start) {
                let (reader, _) = opened(source, 0, &self.options.limits, &Flowing::default())?;
                self.file += 1;
                let name = source.name().to_owned();
                let packed = source.len();
                let packing = packing.name();
                let unpacking =
                    Unpacking { reader, name, packing, rest: Vec::new(), lines: 0, packed, first: true };
                return match self.unpacked_lines(unpacking)? {
                    Some(window) => Ok(Some(window)),
                    None => self.next(),
                };
            }
            if source.len() > self.size && self.cuts(&start) {
                self.file += 1;
                return self.piece(source.clone(), 0).map(Some);
            }
        }
        if self.format == Format::Csv && source.len() > self.size {
            let plain = unpacked(source.clone(), &self.options.limits)?;
            let guess = csv::Guess::open(plain, self.options, csv::PIECE)?;
            if let Some(guess) = guess.filter(|g| !g.needs_all()) {
                self.file += 1;
                return Ok(Some(self.commas(Arc::new(guess), 0)));
            }
        }
        Ok(Some(self.whole_files()))
    }

    /// Whether rows end at line ends, as far as options say.
    fn by_lines(&self) -> bool {
        match self.format {
            Format::Json => self.options.json.field.is_none(),
            Format::Text => self.options.text.sample_by == SampleBy::Line,
            Format::Csv | Format::Arrow | Format::Parquet => false,
        }
    }

    /// The same of a file's start.
    fn cuts(&self, start: &[u8]) -> bool {
        self.format != Format::Json || first_letter(start) != Some(b'[')
    }

    /// Whole files, as many as fit.
    fn whole_files(&mut self) -> Window {
        let (file, mut bytes) = (self.file, 0_u64);
        while let Some(source) = self.sources.get(self.file) {
            let more = bytes.saturating_add(source.len());
            let long = source.len() > self.size || (self.by_lines() && is_packed(source.as_ref()));
            if self.file > file && (more > self.size || long) {
                break;
            }
            (bytes, self.file) = (more, self.file + 1);
        }
        let sources = self.sources.get(file..self.file).unwrap_or_default().to_vec();
        Window { sources, file, first: file == 0, before: Before::Nothing, commas: None }
    }

    /// The next pieces of a long CSV file.
    fn commas(&mut self, guess: Arc<csv::Guess>, piece: usize) -> Window {
        let (mut end, mut bytes) = (piece, 0_u64);
        while end < guess.pieces() && bytes < self.size {
            bytes = bytes.saturating_add(guess.bytes(end));
            end += 1;
        }
        if end < guess.pieces() {
            self.part = Part::Commas { guess: guess.clone(), piece: end };
        }
        let file = self.file - 1;
        let commas = Some((guess, piece..end));
        Window { sources: Vec::new(), file, first: file == 0 && piece == 0, before: Before::Nothing, commas }
    }

    /// Bytes of the next window of a file: what decides between objects and JSON text is in the first.
    fn size(&self, first: bool) -> u64 {
        if first && self.file == 1 && self.format == Format::Json {
            self.size.max(self.options.json.head)
        } else {
            self.size
        }
    }

    /// The next lines of a long file.
    fn piece(&mut self, source: Arc<dyn ByteSource>, at: u64) -> Result<Window, DataError> {
        let end = match at.checked_add(self.size(at == 0)) {
            Some(end) if end < source.len() => next_line(source.as_ref(), end)?,
            _ => source.len(),
        };
        let piece = Piece { source: source.clone(), range: at..end };
        if end < source.len() {
            self.part = Part::Plain { source: source.clone(), at: end };
        }
        let file = self.file - 1;
        let before = Before::Bytes(source, at);
        Ok(Window { sources: vec![Arc::new(piece)], file, first: file == 0 && at == 0, before, commas: None })
    }

    /// The next lines of a packed file; `None` at its end.
    fn unpacked_lines(&mut self, mut unpacking: Unpacking) -> Result<Option<Window>, DataError> {
        let (first, lines, file) = (unpacking.first, unpacking.lines, self.file - 1);
        let mut text = unpacking.more(self.size(first), &self.options.cancel)?;
        if first && file == 0 && self.format == Format::Json {
            // Every line that begins in the head.
            while !text.is_empty() && (text.len() as u64) < self.options.json.head {
                match unpacking.more(SEARCH, &self.options.cancel)? {
                    more if more.is_empty() => break,
                    more => text.extend_from_slice(&more),
                }
            }
        }
        if first && !self.cuts(&text) {
            unpacking.all(&mut text, &self.options.cancel)?;
        }
        if text.is_empty() && !first {
            return Ok(None);
        }
        unpacking.lines += lines_in(&text);
        unpacking.first = false;
        let range = 0..text.len() as u64;
        let source = Arc::new(MemorySource::new(unpacking.name.clone(), Bytes::from(text)));
        self.part = Part::Packed(unpacking);
        let piece = Piece { source, range };
        let before = Before::Lines(lines);
        Ok(Some(Window {
            sources: vec![Arc::new(piece)],
            file,
            first: file == 0 && first,
            before,
            commas: None,
        }))
    }
}

/// Whether a source is a compressed text.
pub(super) fn is_packed(source: &dyn ByteSource) -> bool {
    source.read_range(0..source.len().min(Packing::MAGIC)).is_ok_and(|head| Packing::of(&head).is_some())
}

/// A packed file that is unpacked from its start to its end.
struct Unpacking {
    reader: Box<dyn std::io::Read + Send>,
    name: String,
    packing: &'static str,
    /// The start of a line whose end was not there yet.
    rest: Vec<u8>,
    /// Lines that were handed out.
    lines: u64,
    /// Bytes of the file.
    packed: u64,
    first: bool,
}

impl Unpacking {
    /// About `size` bytes of whole lines; less at the end only.
    fn more(&mut self, size: u64, cancel: &crate::cancel::Cancel) -> Result<Vec<u8>, DataError> {
        let mut text = std::mem::take(&mut self.rest);
        let likely = size.min(self.packed.saturating_mul(64)); // what a file can hardly have is not asked for
        text.reserve(usize::try_from(likely).unwrap_or(0));
        loop {
            let read = self.read(&mut text, size, cancel)?;
            let Some(end) = memrchr(b'\n', &text) else {
                if read == 0 {
                    return Ok(text);
                }
                continue; // a line longer than a window
            };
            if read > 0 {
                self.rest = text.split_off(end + 1);
            }
            return Ok(text);
        }
    }

    /// Everything that is left, behind `text`.
    fn all(&mut self, text: &mut Vec<u8>, cancel: &crate::cancel::Cancel) -> Result<(), DataError> {
        text.append(&mut self.rest);
        while self.read(text, WHOLE, cancel)? > 0 {}
        Ok(())
    }

    fn read(
        &mut self,
        text: &mut Vec<u8>,
        size: u64,
        cancel: &crate::cancel::Cancel,
    ) -> Result<usize, DataError> {
        const STEP: u64 = 4 << 20;
        let (start, mut left) = (text.len(), size);
        while left > 0 {
            cancel.check()?;
            // Past a window only for a line that is longer: it may be as long as the file says, not as memory is.
            if text.len() > i32::MAX as usize || text.try_reserve(STEP as usize + 64).is_err() {
                let message = "a line that does not fit into memory when it is unpacked: 2 GiB is the most";
                return Err(DataError::new(DataErrorKind::Limit, message).with_path(&self.name));
            }
            let read = (&mut self.reader).take(STEP.min(left)).read_to_end(text);
            match read.map_err(|e| explained(e, self.packing, &self.name))? {
                0 => break,
                read => left = left.saturating_sub(read as u64),
            }
        }
        Ok(text.len() - start)
    }
}

/// Some bytes of a source as a source.
struct Piece {
    source: Arc<dyn ByteSource>,
    range: Range<u64>,
}

impl ByteSource for Piece {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn name(&self) -> &str {
        self.source.name()
    }

    fn is_near(&self) -> bool {
        self.source.is_near()
    }

    fn is_unpacked(&self) -> bool {
        true // a line may begin like a packed file
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        let start = self.range.start.saturating_add(range.start);
        let end = self.range.start.saturating_add(range.end);
        self.source.read_range(start..end.min(self.range.end))
    }
}

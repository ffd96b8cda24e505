//! Arrow IPC by record batches: files by their footer, streams message by message.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer as Bytes;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, MessageHeader, convert::try_fb_to_schema};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use serde_json::Value;

use super::buffer::Buffer;
use super::{Unit, Units, table};
use crate::cancel::Cancel;
use crate::decode::ReadOptions;
use crate::decode::ipc::{broken, fit, kept};
use crate::error::{DataError, DataErrorKind};
use crate::expand::Room;
use crate::features::features_json;
use crate::ipc_check::{MAGIC, check_stream};
use crate::limits::Limits;
use crate::source::ByteSource;

/// First bytes of a message, unless it is of the oldest form.
const CONTINUATION: [u8; 4] = [0xFF; 4];
/// Last bytes of the file form: the length of the footer, and the first ones again.
const TRAILER: u64 = 10;

pub(super) fn open(
    source: &Arc<dyn ByteSource>,
    at: u64,
    options: ReadOptions,
) -> Result<Box<dyn Units>, DataError> {
    let features = options.features.clone();
    let head = source.read_range(0..source.len().min(MAGIC.len() as u64))?;
    if head == MAGIC {
        return Ok(Box::new(FileUnits::open(source, at, features, options.limits)?));
    }
    Ok(Box::new(StreamUnits::open(source, at, &options, features)?))
}

/// The features of a file's or stream's schema.
pub(super) fn features(source: &Arc<dyn ByteSource>, options: &ReadOptions) -> Result<Value, DataError> {
    let head = source.read_range(0..source.len().min(MAGIC.len() as u64))?;
    let schema = if head == MAGIC {
        FileUnits::open(source, 0, None, options.limits.clone())?.schema
    } else {
        StreamUnits::open(source, 0, options, None)?.schema
    };
    features_json(&schema)
}

/// The batch of a message, in the types that are kept or imposed. A panic is what broken offsets end in.
fn decoded(
    decoder: &FileDecoder,
    schema: &SchemaRef,
    block: &Block,
    message: &Bytes,
    features: Option<&Value>,
    limits: &Limits,
) -> Result<Option<crate::Table>, DataError> {
    let read = catch_unwind(AssertUnwindSafe(|| decoder.read_record_batch(block, message)));
    let batch: Option<RecordBatch> = caught(read)?;
    let room = Room::new(limits.max_unpacked_bytes);
    batch.map(|batch| table(vec![fit(&batch, schema, &room)?], schema.clone(), features)).transpose()
}

fn caught<T>(read: std::thread::Result<Result<T, ArrowError>>) -> Result<T, DataError> {
    match read {
        Ok(read) => read.map_err(|e| broken(&e)),
        Err(_) => Err(wrong("offsets that lead outside")),
    }
}

fn wrong(what: &str) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken Arrow IPC: {what}"))
}

/// A file with a footer, which has the places of its batches. A position is the number of a batch.
struct FileUnits {
    source: Arc<dyn ByteSource>,
    decoder: FileDecoder,
    schema: SchemaRef,
    blocks: Vec<Block>,
    next: usize,
    features: Option<Value>,
    limits: Limits,
}

/// The message of a block: read if it lies in the file, and checked.
fn block_bytes(source: &dyn ByteSource, block: &Block, limits: &Limits) -> Result<Bytes, DataError> {
    let end = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()]
        .into_iter()
        .try_fold(0_u64, |sum, part| sum.checked_add(u64::try_from(part).ok()?))
        .filter(|end| *end <= source.len())
        .ok_or_else(|| wrong("a block lies outside the file"))?;
    let bytes = source.read_range(block.offset().unsigned_abs()..end)?;
    check_stream(&bytes, limits)?;
    Ok(Bytes::from(bytes))
}

/// The footer of a file.
fn footer_bytes(source: &dyn ByteSource, limits: &Limits) -> Result<bytes::Bytes, DataError> {
    let none = || wrong("the file has no footer");
    let end = source.len().checked_sub(TRAILER).ok_or_else(none)?;
    let trailer = source.read_range(end..source.len())?;
    if !trailer.ends_with(MAGIC) {
        return Err(none());
    }
    let length = trailer.first_chunk::<4>().map_or(0, |t| i32::from_le_bytes(*t));
    let length = u64::try_from(length).map_err(|_| none())?;
    if length > limits.max_footer_bytes {
        let message = format!("an Arrow footer of {length} bytes, more than {}", limits.max_footer_bytes);
        return Err(DataError::new(DataErrorKind::Limit, message));
    }
    source.read_range(end.checked_sub(length).ok_or_else(none)?..end)
}

impl FileUnits {
    fn open(
        source: &Arc<dyn ByteSource>,
        at: u64,
        features: Option<Value>,
        limits: Limits,
    ) -> Result<Self, DataError> {
        let footer = footer_bytes(source.as_ref(), &limits)?;
        let footer = arrow_ipc::root_as_footer(&footer).map_err(|e| wrong(&format!("no footer: {e}")))?;
        let schema = footer.schema().ok_or_else(|| wrong("the footer has no schema"))?;
        let schema = Arc::new(try_fb_to_schema(schema).map_err(|e| broken(&e))?);
        let mut decoder = FileDecoder::new(schema.clone(), footer.version());
        for block in footer.dictionaries().iter().flatten() {
            let bytes = block_bytes(source.as_ref(), block, &limits)?;
            caught(catch_unwind(AssertUnwindSafe(|| decoder.read_dictionary(block, &bytes))))?;
        }
        let blocks: Vec<Block> = footer.recordBatches().iter().flatten().copied().collect();
        let next = usize::try_from(at).unwrap_or(usize::MAX);
        if next > blocks.len() {
            let have = blocks.len();
            return Err(wrong(&format!(
                "it has {have} record batches and none numbered {at}: it is not what it was"
            )));
        }
        Ok(Self { source: source.clone(), decoder, schema: kept(&schema), blocks, next, features, limits })
    }
}

impl Units for FileUnits {
    fn next_unit(&mut self, cancel: &Cancel) -> Result<Option<Unit>, DataError> {
        while let Some(block) = self.blocks.get(self.next) {
            cancel.check()?;
            let number = self.next;
            self.next += 1;
            let place = |e: DataError| e.with_path(self.source.name()).with_row_group(number);
            let bytes = block_bytes(self.source.as_ref(), block, &self.limits).map_err(place)?;
            let found =
                decoded(&self.decoder, &self.schema, block, &bytes, self.features.as_ref(), &self.limits);
            if let Some(table) = found.map_err(place)? {
                return Ok(Some(Unit { table, start: number as u64, end: number as u64 + 1 }));
            }
        }
        Ok(None)
    }
}

/// A stream. A position is the byte of a message.
struct StreamUnits {
    source: Arc<dyn ByteSource>,
    buffer: Buffer,
    decoder: FileDecoder,
    schema: SchemaRef,
    features: Option<Value>,
    limits: Limits,
}

/// A message in the buffer: its place, length and kind.
struct Frame {
    block: Block,
    length: usize,
    kind: MessageHeader,
}

/// What a step through a stream came to.
enum Step {
    End,
    /// A batch that was not wanted, or another message.
    Passed,
    Batch(Unit),
}

/// Reads the next message into the buffer; None at the end mark and at the end.
fn frame(buffer: &mut Buffer, limits: &Limits, cancel: &Cancel) -> Result<Option<Frame>, DataError> {
    buffer.fill(8, cancel)?;
    let held = buffer.held();
    if held.is_empty() {
        return Ok(None);
    }
    let word = |at: usize| held.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let continued = held.starts_with(&CONTINUATION);
    let (prefix, announced) = if continued { (8_usize, word(4)) } else { (4, word(0)) };
    let announced = announced.ok_or_else(|| wrong("it ends inside of a message"))?;
    if announced == 0 {
        return Ok(None);
    }
    let most = limits.max_footer_bytes;
    if u64::from(announced) > most {
        return Err(wrong(&format!("a message of {announced} bytes of metadata, more than {most}")));
    }
    let metadata = prefix + announced as usize;
    buffer.fill(metadata, cancel)?;
    let inside = buffer.held().get(prefix..metadata).ok_or_else(|| wrong("it ends inside of a message"))?;
    let message = arrow_ipc::root_as_message(inside).map_err(|e| wrong(&format!("no message: {e}")))?;
    let kind = message.header_type();
    let body = usize::try_from(message.bodyLength()).map_err(|_| wrong("a body of less than no bytes"))?;
    let length = metadata.checked_add(body).ok_or_else(|| wrong("an absurd length"))?;
    let block = Block::new(0, i32::try_from(metadata).map_err(|_| wrong("an absurd length"))?, body as i64);
    buffer.fill(length, cancel)?;
    if buffer.held().len() < length {
        return Err(wrong("it ends inside of a message"));
    }
    check_stream(buffer.held().get(..length).unwrap_or_default(), limits)?;
    Ok(Some(Frame { block, length, kind }))
}

impl StreamUnits {
    fn open(
        source: &Arc<dyn ByteSource>,
        at: u64,
        options: &ReadOptions,
        features: Option<Value>,
    ) -> Result<Self, DataError> {
        let (limits, cancel) = (&options.limits, &options.cancel);
        let mut buffer = Buffer::open(source, 0, limits)?;
        let first = frame(&mut buffer, limits, cancel)?
            .filter(|frame| frame.kind == MessageHeader::Schema)
            .ok_or_else(|| wrong("neither a file nor a stream that begins with a schema"))?;
        let prefix = if buffer.held().starts_with(&CONTINUATION) { 8 } else { 4 };
        let inside = buffer.held().get(prefix..first.length).unwrap_or_default();
        let message = arrow_ipc::root_as_message(inside).map_err(|e| wrong(&format!("no message: {e}")))?;
        let schema = message.header_as_schema().ok_or_else(|| wrong("no schema"))?;
        let schema = Arc::new(try_fb_to_schema(schema).map_err(|e| broken(&e))?);
        let decoder = FileDecoder::new(schema.clone(), message.version());
        buffer.skip(first.length);
        let dictionaries =
            schema.flattened_fields().iter().any(|f| matches!(f.data_type(), DataType::Dictionary(..)));
        let mut made = Self {
            source: source.clone(),
            buffer,
            decoder,
            schema: kept(&schema),
            features,
            limits: limits.clone(),
        };
        if !dictionaries && at > 0 {
            made.buffer = Buffer::open(source, at, limits)?;
        }
        while matches!(made.step(Some(at), cancel)?, Step::Passed) {}
        Ok(made)
    }

    /// Goes past the next batch, which is made unless it lies before `until`, where the stream ends.
    fn step(&mut self, until: Option<u64>, cancel: &Cancel) -> Result<Step, DataError> {
        loop {
            if until.is_some_and(|until| self.buffer.at() >= until) {
                return Ok(Step::End);
            }
            let Some(found) = frame(&mut self.buffer, &self.limits, cancel)? else { return Ok(Step::End) };
            let start = self.buffer.at();
            let read = |held: &[u8]| Bytes::from(held.get(..found.length).unwrap_or_default().to_vec());
            match found.kind {
                MessageHeader::DictionaryBatch => {
                    let message = read(self.buffer.held());
                    let decoder = &mut self.decoder;
                    caught(catch_unwind(AssertUnwindSafe(|| {
                        decoder.read_dictionary(&found.block, &message)
                    })))?;
                    self.buffer.skip(found.length);
                }
                MessageHeader::RecordBatch if until.is_none() => {
                    let message = read(self.buffer.held());
                    let features = self.features.as_ref();
                    let table =
                        decoded(&self.decoder, &self.schema, &found.block, &message, features, &self.limits)?;
                    self.buffer.skip(found.length);
                    let end = self.buffer.at();
                    return Ok(table.map_or(Step::Passed, |table| Step::Batch(Unit { table, start, end })));
                }
                _ => {
                    self.buffer.skip(found.length);
                    return Ok(Step::Passed);
                }
            }
        }
    }
}

impl Units for StreamUnits {
    fn next_unit(&mut self, cancel: &Cancel) -> Result<Option<Unit>, DataError> {
        loop {
            match self.step(None, cancel).map_err(|e| e.with_path(self.source.name()))? {
                Step::End => return Ok(None),
                Step::Batch(unit) => return Ok(Some(unit)),
                Step::Passed => {}
            }
        }
    }
}

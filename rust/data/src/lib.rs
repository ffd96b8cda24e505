//! Bytes to Arrow to rows. Knows neither Python nor HTTP.
//!
//! | module | what |
//! | --- | --- |
//! | [`error`], [`limits`], [`cancel`] | failures with their place, caps, a stop flag |
//! | [`source`] | where bytes come from |
//! | [`features`] | the Hub's features and Arrow schemas, both ways, and casts |
//! | [`decode`], [`encode`] | files to record batches and back |
//! | [`table`], [`order`], [`view`] | batches, an order of rows, and both together |
//! | [`permutation`] | the random orders of numpy |
//! | [`store`] | Arrow IPC: memory-mapped files and bytes |
//! | [`identity`] | what the rows are, as a digest |
//! | [`reference`] | rows by the files that they are mapped from |
//! | [`image`] | pixels |
//! | [`blocks`] | the allocator of large blocks |
//! | [`ahead`] | what may be read ahead of its use |
//!
//! Work is parallel by rayon: call it inside the pool of your choice.

pub mod ahead;
pub mod blocks;
mod bytes;
pub mod cancel;
pub mod checked;
pub mod decode;
pub mod encode;
pub mod error;
mod expand;
pub mod features;
mod gather;
pub mod identity;
pub mod image;
mod ipc_check;
pub mod ipc_stream;
pub mod limits;
pub mod order;
pub mod permutation;
pub mod reference;
pub mod sort;
pub mod source;
pub mod stack;
pub mod store;
pub mod table;
mod unchecked;
pub mod view;

pub use blocks::{LargeBlocks, Streaming};
pub use cancel::Cancel;
pub use decode::{Format, ReadOptions, read_files, read_sources};
pub use error::{DataError, DataErrorKind};
pub use limits::Limits;
pub use order::RowOrder;
pub use source::{ByteSource, LocalSource, MemorySource};
pub use table::Table;
pub use view::View;

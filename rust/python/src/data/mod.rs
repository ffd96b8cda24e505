//! Python classes of the data side.

pub(crate) mod image;
pub(crate) mod indices;
pub(crate) mod numeric;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod table_make;

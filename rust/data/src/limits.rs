//! Caps on what strangers' bytes may make us allocate, checked before the allocation.

/// Limits with sane defaults.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most pixels of an image. The default is twice Pillow's warning threshold, where Pillow itself refuses.
    pub max_image_pixels: u64,
    /// Deepest nesting of JSON values.
    pub max_json_depth: usize,
    /// Most values that the rows of a JSON or CSV file may lack: keys and fields that other rows have. They take memory,
    /// and no byte in the file.
    pub max_missing_values: u64,
    /// Largest Parquet footer, in bytes.
    pub max_footer_bytes: u64,
    /// Largest page of a Parquet file, unpacked. Writers make pages of a megabyte; a page with a larger value has more.
    pub max_page_bytes: u64,
    /// Most values of a page of a Parquet file. Some encodings store any number of equal values in a few bytes.
    pub max_page_values: u64,
    /// Deepest nesting of groups in a Parquet schema (a list takes two).
    pub max_schema_depth: usize,
    /// Widest value of a fixed-length Parquet column, in bytes.
    pub max_fixed_bytes: u32,
    /// Most bytes that a compressed text file, or a column of a Parquet row group, may unpack to.
    pub max_unpacked_bytes: u64,
    /// Largest file in a tar archive, unpacked. The default is what a cell of a table holds.
    pub max_member_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_image_pixels: 2 * 89_478_485,
            max_json_depth: 128,
            max_missing_values: 1 << 28,
            max_footer_bytes: 512 << 20,
            max_page_bytes: (1 << 30) + (1 << 20), // a string of a gibibyte and its length
            max_page_values: 1 << 28,
            max_schema_depth: 256,
            max_fixed_bytes: 64 << 20,
            max_unpacked_bytes: 64 << 30,
            max_member_bytes: i32::MAX as u64,
        }
    }
}

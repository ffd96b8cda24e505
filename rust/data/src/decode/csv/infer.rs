//! Types of columns as pandas infers them: whole numbers, floats, booleans, else text; a missing value makes whole
//! numbers floats.

use std::collections::HashSet;

use arrow_schema::DataType;

use super::CsvOptions;
use super::numbers::{self, Whole};
use super::records::Records;

/// Texts that mean a missing value, as in pandas 3.
const MISSING: [&str; 18] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan",
];
const MISSING_TOO: &str = "null";
const TRUE: [&str; 3] = ["True", "TRUE", "true"];
const FALSE: [&str; 3] = ["False", "FALSE", "false"];

/// Words with a meaning.
pub(super) struct Words {
    missing: HashSet<Vec<u8>>,
    longest: usize,
    yes: HashSet<Vec<u8>>,
    no: HashSet<Vec<u8>>,
}

impl Words {
    pub(super) fn new(options: &CsvOptions) -> Self {
        let set = |fixed: &[&str], more: &[String]| -> HashSet<Vec<u8>> {
            let more = more.iter().map(|t| t.as_bytes().to_vec());
            fixed.iter().map(|t| t.as_bytes().to_vec()).chain(more).collect()
        };
        let mut missing = HashSet::new();
        if options.na_filter {
            let fixed: &[&str] = if options.keep_default_na { &MISSING } else { &[] };
            missing = set(fixed, &options.na_values);
            if options.keep_default_na {
                missing.insert(MISSING_TOO.as_bytes().to_vec());
            }
        }
        let longest = missing.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            missing,
            longest,
            yes: set(&TRUE, &options.true_values),
            no: set(&FALSE, &options.false_values),
        }
    }

    /// Whether a text means a missing value.
    pub(super) fn is_missing(&self, text: &[u8]) -> bool {
        text.len() <= self.longest && self.missing.contains(text)
    }

    /// A boolean's value.
    pub(super) fn boolean(&self, text: &[u8]) -> Option<bool> {
        if self.yes.contains(text) {
            return Some(true);
        }
        self.no.contains(text).then_some(false)
    }
}

/// What the values of a column allow it to be.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Seen {
    missing: bool,
    any: bool,
    signed: bool,
    negative: bool,
    unsigned: bool,
    whole: bool,
    float: bool,
    boolean: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            missing: false,
            any: false,
            signed: false,
            negative: false,
            unsigned: false,
            whole: true,
            float: true,
            boolean: true,
        }
    }
}

impl Seen {
    pub(super) fn value(&mut self, text: Option<&[u8]>, words: &Words, options: &CsvOptions) {
        let Some(text) = text.filter(|t| !words.is_missing(t)) else {
            self.missing = true;
            return;
        };
        self.any = true;
        let whole = if self.whole { numbers::whole(text, options) } else { Whole::No };
        match whole {
            Whole::Signed(n) => (self.signed, self.negative) = (true, self.negative || n < 0),
            Whole::Unsigned(_) => self.unsigned = true,
            Whole::TooLarge | Whole::No => self.whole = false,
        }
        if whole == Whole::No || whole == Whole::TooLarge {
            self.float = self.float && numbers::float(text, options).is_some();
        }
        self.boolean = self.boolean && words.boolean(text).is_some();
    }

    pub(super) fn and(self, more: Self) -> Self {
        Self {
            missing: self.missing || more.missing,
            any: self.any || more.any,
            signed: self.signed || more.signed,
            negative: self.negative || more.negative,
            unsigned: self.unsigned || more.unsigned,
            whole: self.whole && more.whole,
            float: self.float && more.float,
            boolean: self.boolean && more.boolean,
        }
    }

    /// Whether a missing value was met.
    pub(super) fn has_missing(self) -> bool {
        self.missing
    }

    /// The type, missing values counted (`missing_matters`) or not.
    pub(super) fn data_type(self, missing_matters: bool) -> DataType {
        if !self.any {
            return DataType::Float64;
        }
        let whole = self.whole && !(self.unsigned && self.negative);
        match () {
            // Text as in pandas: a float would lose digits.
            () if whole && missing_matters && self.missing && self.unsigned => DataType::LargeUtf8,
            () if whole && missing_matters && self.missing => DataType::Float64,
            () if whole && self.unsigned => DataType::UInt64,
            () if whole => DataType::Int64,
            () if self.float => DataType::Float64,
            () if self.boolean => DataType::Boolean,
            () => DataType::LargeUtf8,
        }
    }
}

/// What the columns of some records may be.
pub(super) fn look(records: &Records<'_>, columns: usize, words: &Words, options: &CsvOptions) -> Vec<Seen> {
    let mut seen = vec![Seen::default(); columns];
    for row in 0..records.len() {
        for (column, seen) in seen.iter_mut().enumerate() {
            seen.value(records.field(row, column), words, options);
        }
    }
    seen
}

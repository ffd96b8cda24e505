//! Values as the texts that Python, numpy and pandas give them: what `to_csv` and `to_json` write.

pub(crate) mod bytes;
pub(crate) mod decimal;
pub(crate) mod number;
pub(crate) mod temporal;

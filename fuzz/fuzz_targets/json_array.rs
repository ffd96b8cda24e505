#![no_main]

use crucible_data::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| crucible_fuzz::read(data, Format::Json));

#![no_main]

use crucible_data::features::schema_from_features;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(json) = serde_json::from_slice(data) {
        let _ = schema_from_features(&json);
    }
});

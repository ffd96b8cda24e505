#![no_main]

use crucible_data::{Limits, image};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let limits = Limits { max_image_pixels: 1 << 20, ..Limits::default() };
    crucible_fuzz::guarded(|| drop(image::decode(data, &limits)));
});

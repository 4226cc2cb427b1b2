//! See `bifrons_fuzz::targets::http2_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifrons_fuzz::targets::http2_frames::run(data));

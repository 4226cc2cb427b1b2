//! See `bifrons_fuzz::targets::request_head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifrons_fuzz::targets::request_head::run(data));

//! See `bifrons_fuzz::targets::chunked`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifrons_fuzz::targets::chunked::run(data));

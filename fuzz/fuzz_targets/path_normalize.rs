//! See `bifrons_fuzz::targets::path_normalize`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifrons_fuzz::targets::path_normalize::run(data));

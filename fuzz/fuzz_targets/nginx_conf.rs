//! See `bifrons_fuzz::targets::nginx_conf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifrons_fuzz::targets::nginx_conf::run(data));

//! See `bifrons_fuzz::targets::yaml_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bifrons_fuzz::targets::yaml_config::run(data));

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pool_macros_fuzz::duration(text));

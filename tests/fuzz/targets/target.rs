#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pool_runtime::__fuzz::target(data));

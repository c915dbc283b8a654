#![no_main]

#[path = "../src/peer.rs"]
mod peer;

libfuzzer_sys::fuzz_target!(|data: &[u8]| peer::peer(data));

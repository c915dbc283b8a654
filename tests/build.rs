//! Compiles the services that the test servers offer.

use std::error::Error;

const PROTOS: [&str; 1] = ["../proto/testing.proto"];
const INCLUDES: [&str; 1] = ["../proto"];

fn main() -> Result<(), Box<dyn Error>> {
    for proto in PROTOS {
        println!("cargo::rerun-if-changed={proto}");
    }
    let descriptors = protox::compile(PROTOS, INCLUDES)?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}

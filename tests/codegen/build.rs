//! Compiles the awkward protos in the ways that the modules of this package need.

use std::path::{Path, PathBuf};

const INCLUDES: [&str; 1] = ["../../proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = [
        "awkward/names.proto",
        "awkward/wkt.proto",
        "awkward/exchange.proto",
        "awkward/nopackage.proto",
        "helloworld.proto",
    ];
    // One tree of all packages.
    pool_build::configure()
        .include_file("all.rs")
        .compile_protos(&protos, &INCLUDES)?;

    // Files that are included more than once.
    pool_build::configure()
        .cross_crate(false)
        .build_server(false)
        .out_dir(folder("twice")?)
        .compile_protos(&["awkward/exchange.proto"], &INCLUDES)?;

    // Well-known types that are generated like all others.
    pool_build::configure()
        .compile_well_known_types(true)
        .build_server(false)
        .out_dir(folder("google")?)
        .compile_protos(&["awkward/wkt.proto"], &INCLUDES)?;

    // A codec and messages that stand elsewhere.
    pool_build::configure()
        .build_server(false)
        .out_dir(folder("codec")?)
        .codec_path("crate::codec::Mute")
        .extern_path(".helloworld", "crate::helloworld")
        .compile_protos(&["helloworld.proto"], &INCLUDES)?;
    Ok(())
}

/// A folder of its own below `OUT_DIR`.
fn folder(name: &str) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let path = Path::new(&std::env::var("OUT_DIR")?).join(name);
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

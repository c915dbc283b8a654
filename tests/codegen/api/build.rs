//! Compiles what the crate offers, and one client without pool-build.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    pool_build::configure()
        .build_server(false)
        .compile_protos(&["helloworld.proto", "awkward/wkt.proto"], &["../../../proto"])?;

    let plain = PathBuf::from(std::env::var("OUT_DIR")?).join("plain");
    std::fs::create_dir_all(&plain)?;
    let descriptors = pool_build::configure().build_client(false).build_server(false);
    let path = plain.join("helloworld.bin");
    descriptors
        .out_dir(&plain)
        .file_descriptor_set_path(&path)
        .compile_protos(&["helloworld.proto"], &["../../../proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .out_dir(&plain)
        .skip_protoc_run()
        .file_descriptor_set_path(path)
        .compile_protos(&["helloworld.proto"], &["../../../proto"])?;
    Ok(())
}

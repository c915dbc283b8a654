//! Generates `pooltest`, the service that the test servers offer: once as it is, and once with a service config.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    pool_build::configure()
        .build_transport(false)
        .compile_protos(&["../proto/testing.proto"], &["../proto"])?;
    let configured = out.join("configured");
    std::fs::create_dir_all(&configured)?;
    pool_build::configure()
        .out_dir(configured)
        .build_transport(false)
        .build_server(false)
        .extern_path(".pooltest", "::tests::pb")
        .service_config("it/policy/service_config.json")
        .compile_protos(&["../proto/testing.proto"], &["../proto"])?;
    Ok(())
}

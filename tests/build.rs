//! Generates `pooltest`, the service that the test servers offer.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    pool_build::configure()
        .build_transport(false)
        .compile_protos(&["../proto/testing.proto"], &["../proto"])?;
    Ok(())
}

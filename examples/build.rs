//! Compiles the examples' .proto.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    pool_build::configure()
        .tonic(|tonic| tonic.build_transport(false))
        .compile_protos(&["../proto/helloworld.proto"], &["../proto"])?;
    Ok(())
}

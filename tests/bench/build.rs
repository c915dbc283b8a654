//! Compiles the benchmarks' .proto, where there is anything to measure.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(feature = "peers")]
    pool_build::configure()
        .build_transport(false)
        .compile_protos(&["../../proto/helloworld.proto"], &["../../proto"])?;
    Ok(())
}

//! Compiles the examples' .proto.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The pool opens the connections: tonic's own way to do so, and its dependencies, can stay out.
    pool_build::configure()
        .build_transport(false)
        .compile_protos(&["../proto/helloworld.proto"], &["../proto"])?;
    Ok(())
}

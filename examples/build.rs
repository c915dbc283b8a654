//! Compiles the examples' .proto.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The pool opens the connections: tonic's own way to do so, and its dependencies, can stay out.
    pool_build::configure()
        .build_transport(false)
        // A server of one example has one method.
        .tonic(|tonic| tonic.generate_default_stubs(true))
        .compile_protos(&["../proto/helloworld.proto"], &["../proto"])?;
    Ok(())
}

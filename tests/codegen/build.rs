//! Compiles the awkward protos into one module tree.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = [
        "awkward/names.proto",
        "awkward/wkt.proto",
        "awkward/exchange.proto",
        "awkward/nopackage.proto",
        "helloworld.proto",
    ];
    pool_build::configure()
        .include_file("all.rs")
        .compile_protos(&protos, &["../../proto"])?;
    Ok(())
}

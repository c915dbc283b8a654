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

    // Comments that are no good Markdown.
    pool_build::configure()
        .build_server(false)
        .out_dir(folder("comments")?)
        .compile_protos(&["awkward/comments.proto"], &INCLUDES)?;

    // Messages of the crate that are not `pub`.
    pool_build::configure()
        .build_server(false)
        .out_dir(folder("private")?)
        .codec_path("crate::private::codec::Mute")
        .extern_path(".helloworld", "crate::private::messages")
        .compile_protos(&["helloworld.proto"], &INCLUDES)?;

    // A client over the messages of tonic-health, from a descriptor set.
    let health = folder("health")?;
    let set = health.join("set.bin");
    pool_build::configure()
        .build_client(false)
        .build_server(false)
        .out_dir(&health)
        .file_descriptor_set_path(&set)
        .compile_protos(&["health.proto"], &INCLUDES)?;
    pool_build::configure()
        .build_server(false)
        .out_dir(&health)
        .extern_path(".grpc.health.v1", "::tonic_health::pb")
        .compile_encoded_fds(std::fs::read(set)?)?;

    json();
    Ok(())
}

/// A service without a .proto, whose messages are JSON.
fn json() {
    use pool_build::tonic_prost_build::manual::{Builder, Method, Service};

    let method = |name: &str, route: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type("crate::json::Question")
            .output_type("crate::json::Answer")
            .codec_path("crate::json::JsonCodec")
    };
    let service = Service::builder()
        .name("Oracle")
        .package("json")
        .method(method("ask", "Ask").build())
        .method(
            method("ask_all", "AskAll")
                .client_streaming()
                .server_streaming()
                .build(),
        )
        .build();
    Builder::new().build_client(false).compile(&[service]);
}

/// A folder of its own below `OUT_DIR`.
fn folder(name: &str) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let path = Path::new(&std::env::var("OUT_DIR")?).join(name);
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

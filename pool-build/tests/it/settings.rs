//! What the settings do, in what is written.

use std::path::PathBuf;
use std::process::Command;

use pool_build::FileDescriptorSet;

use crate::support::{Folder, PROTOS};

const HELLOWORLD: &[&str] = &["helloworld.proto"];
const INCLUDES: &[&str] = &[PROTOS];
const ENTRY: &str = "compile_this_proto_with_pool_build";

#[test]
fn clients_and_servers_are_generated_unless_switched_off() {
    for (client, server) in [(true, true), (true, false), (false, true), (false, false)] {
        let folder = Folder::new(&[]);
        let build = folder.build().build_client(client).build_server(server);
        build.compile_protos(HELLOWORLD, INCLUDES).unwrap();
        let source = folder.read("helloworld.rs");
        assert_eq!(source.contains("mod greeter_client"), client);
        assert_eq!(source.contains(ENTRY), client);
        assert_eq!(source.contains("mod greeter_server"), server);
    }
}

#[test]
fn settings_of_both_builders_are_reached_through_this_one() {
    let folder = Folder::new(&[]);
    folder
        .build()
        .type_attribute("HelloRequest", "#[derive(Eq)]")
        .field_attribute("HelloReply.message", "#[doc = \"on a field\"]")
        .tonic(|tonic| {
            tonic
                .client_mod_attribute("helloworld", "#[doc = \"on the module\"]")
                .generate_default_stubs(true)
        })
        .prost(|config| config.enable_type_names().skip_debug(["HelloReply"]))
        .compile_protos(HELLOWORLD, INCLUDES)
        .unwrap();
    let source = folder.read("helloworld.rs");
    for expected in [
        "derive(Eq)",
        "///on a field",
        "///on the module",
        "Status::unimplemented(\"Not yet implemented\")",
        "impl ::prost::Name for HelloRequest",
        "#[prost(skip_debug)]",
        ENTRY,
    ] {
        assert!(source.contains(expected), "no {expected} in {source}");
    }
}

#[test]
fn the_description_follows_what_tonic_was_told() {
    let folder = Folder::new(&[]);
    folder
        .build()
        .build_server(false)
        .codec_path("crate::Mute")
        .extern_path(".helloworld.HelloReply", "::elsewhere::Reply")
        .tonic(|tonic| tonic.disable_comments(["helloworld.Greeter.SayHello"]))
        .compile_protos(HELLOWORLD, INCLUDES)
        .unwrap();
    let source = folder.read("helloworld.rs");
    assert!(source.contains("pub use crate::Mute;"), "{source}");
    assert!(source.contains("pub use ::elsewhere::Reply;"), "{source}");
    assert!(source.contains("pub use super::super::HelloRequest;"), "{source}");
    assert!(!source.contains("Greets one caller.\""), "{source}");
    assert!(source.contains("Greets one caller as many times"), "{source}");
}

#[test]
fn without_cross_crate_no_name_is_known_to_the_whole_crate() {
    let folder = Folder::new(&[]);
    let build = folder.build().cross_crate(false);
    build.compile_protos(HELLOWORLD, INCLUDES).unwrap();
    let source = folder.read("helloworld.rs");
    assert!(source.contains(ENTRY));
    assert!(!source.contains("macro_export"), "{source}");
}

#[test]
fn an_include_file_has_all_packages() {
    let folder = Folder::new(&[]);
    let build = folder.build().include_file("all.rs");
    build.compile_protos(&["awkward/exchange.proto"], INCLUDES).unwrap();
    let source = folder.read("all.rs");
    for package in ["awkward.rs", "awkward.left.rs", "awkward.right.rs"] {
        assert!(source.contains(package), "{source}");
    }
}

#[test]
fn descriptors_are_written_and_compile_to_the_same_as_the_protos() {
    let protos = Folder::new(&[]);
    let set = protos.path("set.bin");
    let build = protos.build().file_descriptor_set_path(&set);
    build.compile_protos(HELLOWORLD, INCLUDES).unwrap();

    let descriptors = Folder::new(&[]);
    descriptors.build().compile_fds(decode(&set)).unwrap();
    assert_eq!(descriptors.read("helloworld.rs"), protos.read("helloworld.rs"));
}

#[test]
fn output_is_the_same_whenever_and_wherever_it_is_made() {
    let [one, other] = [(); 2].map(|()| {
        let folder = Folder::new(&[]);
        folder.build().compile_protos(HELLOWORLD, INCLUDES).unwrap();
        folder.read("helloworld.rs")
    });
    assert_eq!(one, other);
}

/// The lines for cargo go to the standard output, so the build runs in a process of its own: this test
/// program, told by a variable what to do.
#[test]
fn cargo_is_told_of_every_file_that_was_read() {
    const CHILD: &str = "POOL_BUILD_TEST_CHILD";
    if let Some(dir) = std::env::var_os(CHILD) {
        let config = PathBuf::from(&dir).join("config.json");
        let build = pool_build::configure().out_dir(PathBuf::from(dir));
        let build = build.emit_rerun_if_changed(true).service_config(config);
        return build.compile_protos(&["awkward/exchange.proto"], INCLUDES).unwrap();
    }
    let folder = Folder::new(&[("config.json", "{}")]);
    let name = "settings::cargo_is_told_of_every_file_that_was_read";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, folder.as_ref() as &std::path::Path)
        .output()
        .unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    for file in ["exchange", "left", "right"] {
        let line = format!("cargo:rerun-if-changed={PROTOS}/awkward/{file}.proto");
        assert!(output.contains(&line), "no {line} in {output}");
    }
    let config = format!("cargo:rerun-if-changed={}", folder.path("config.json").display());
    assert!(output.contains(&config), "no {config} in {output}");
}

/// The stand-in for protoc writes a descriptor set that was made before, to where it is told to.
#[cfg(unix)]
#[test]
fn a_real_protoc_is_run_when_asked_for() {
    use std::os::unix::fs::PermissionsExt;

    let protox = Folder::new(&[]);
    let set = protox.path("set.bin");
    let build = protox.build().file_descriptor_set_path(&set);
    build.compile_protos(HELLOWORLD, INCLUDES).unwrap();

    let script = format!(
        "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\ncp {} \"$2\"\n",
        set.display()
    );
    let protoc = Folder::new(&[("protoc", &script)]);
    let executable = protoc.path("protoc");
    std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).unwrap();
    protoc
        .build()
        .protoc()
        .prost(|config| config.protoc_executable(&executable))
        .compile_protos(HELLOWORLD, INCLUDES)
        .unwrap();
    assert_eq!(protoc.read("helloworld.rs"), protox.read("helloworld.rs"));
}

#[test]
fn a_protoc_that_is_not_there_is_an_error_that_says_so() {
    let folder = Folder::new(&[]);
    let build = folder.build().protoc();
    let build = build.prost(|config| config.protoc_executable("/no/such/protoc"));
    let error = build.compile_protos(HELLOWORLD, INCLUDES).unwrap_err();
    assert!(format!("{error:?}").contains("protoc"), "{error:?}");
}

fn decode(path: &PathBuf) -> FileDescriptorSet {
    use protox::prost::Message;
    FileDescriptorSet::decode(std::fs::read(path).unwrap().as_slice()).unwrap()
}

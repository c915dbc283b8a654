//! What the settings do, in what is written.

use std::path::PathBuf;

use pool_build::FileDescriptorSet;

use crate::support::{Folder, PROTOS, stdout_of};

const HELLOWORLD: &[&str] = &["helloworld.proto"];
const INCLUDES: &[&str] = &[PROTOS];
const ENTRY: &str = "__the_path_goes_through_greeter_client";

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
    assert!(source.contains("pub use crate::*;"), "{source}");
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

#[test]
fn cargo_is_told_of_every_file_that_was_read() {
    let output = stdout_of("settings::cargo_is_told_of_every_file_that_was_read", || {
        let marked = "\u{feff}syntax = \"proto3\";\nimport \"awkward/exchange.proto\";\n";
        let folder = Folder::new(&[("config.json", "{}"), ("marked.proto", marked)]);
        println!("folder {}", folder.path("").display());
        let build = folder.build().emit_rerun_if_changed(true);
        let build = build.service_config(folder.path("config.json"));
        let includes = [folder.path(""), PathBuf::from(PROTOS)];
        build.compile_protos(&["marked.proto"], &includes).unwrap();
    });
    let Some(output) = output else { return };
    let folder = output.lines().find_map(|line| line.split_once("folder ")).unwrap().1;
    let mut files = vec![format!("{folder}config.json"), format!("{folder}marked.proto")];
    files.extend(["exchange", "left", "right"].map(|file| format!("{PROTOS}/awkward/{file}.proto")));
    for file in files {
        let line = format!("cargo:rerun-if-changed={file}");
        assert!(output.lines().any(|printed| printed == line), "no {line} in {output}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let marked = |text: &str| format!("\u{feff}{text}");
    let b = marked("syntax = \"proto3\";\nmessage B {}\n");
    let a = marked("syntax = \"proto3\";\nimport \"b.proto\";\nmessage A { B b = 1; }\n");
    let folder = Folder::new(&[("a.proto", &a), ("b.proto", &b)]);
    let paths = [folder.path("a.proto")];
    folder.build().compile_protos(&paths, &[&folder]).unwrap();
    assert!(folder.read("_.rs").contains("struct A"));
    // Mistakes are where an editor shows them.
    let wrong = Folder::new(&[("a.proto", &marked("syntax = \"proto3\"; message {}\n"))]);
    assert_eq!(
        wrong.error(&["a.proto"]),
        "DIR/a.proto:1:28: expected an identifier, but found '{'"
    );
}

#[test]
fn without_includes_the_current_directory_is_taken() {
    let output = stdout_of("settings::without_includes_the_current_directory_is_taken", || {
        let folder = Folder::new(&[("b.proto", "syntax = \"proto3\";\nmessage B {}\n")]);
        std::fs::create_dir(folder.path("proto")).unwrap();
        std::fs::write(
            folder.path("proto/a.proto"),
            "syntax = \"proto3\";\nimport \"b.proto\";\nmessage A { C c = 1; }\n",
        )
        .unwrap();
        std::env::set_current_dir(folder.path("")).unwrap();
        let compile = |file: &str| folder.build().compile_protos(&[file], &[] as &[&str]);
        compile("b.proto").unwrap();
        let error = compile("proto/a.proto").unwrap_err();
        assert_eq!(error.to_string(), "proto/a.proto:3:13: name 'C' is not defined");
    });
    drop(output);
}

/// The stand-in for protoc writes a descriptor set that was made before, to where it is told to.
#[cfg(unix)]
#[test]
fn a_real_protoc_is_run_when_asked_for() {
    let protox = Folder::new(&[]);
    let set = protox.path("set.bin");
    let build = protox.build().file_descriptor_set_path(&set);
    build.compile_protos(HELLOWORLD, INCLUDES).unwrap();

    let protoc = protoc(&format!("cp {} \"$2\"", set.display()));
    let executable = protoc.path("protoc");
    protoc
        .build()
        .protoc()
        .prost(|config| config.protoc_executable(&executable))
        .compile_protos(HELLOWORLD, INCLUDES)
        .unwrap();
    assert_eq!(protoc.read("helloworld.rs"), protox.read("helloworld.rs"));
}

/// A stand-in for protoc; its second argument is the file of the descriptor set.
#[cfg(unix)]
fn protoc(command: &str) -> Folder {
    use std::os::unix::fs::PermissionsExt;

    let script = format!("#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\n{command}\n");
    let folder = Folder::new(&[("protoc", &script)]);
    let permissions = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path("protoc"), permissions).unwrap();
    folder
}

#[cfg(unix)]
#[test]
fn mistakes_that_protoc_finds_have_the_paths_of_the_files() {
    let protoc = protoc("printf 'a.proto:3:15: Expected \";\".\\nnone.proto: File not found.\\n' >&2; exit 1");
    std::fs::write(protoc.path("a.proto"), "").unwrap();
    let executable = protoc.path("protoc");
    let build = protoc.build().protoc();
    let build = build.prost(|config| config.protoc_executable(&executable));
    let error = build.compile_protos(&[protoc.path("a.proto")], &[&protoc]).unwrap_err();
    assert_eq!(
        format!("{error:?}").replace(&protoc.path("").display().to_string(), "DIR/"),
        "2 mistakes in .proto files\nDIR/a.proto:3:15: Expected \";\".\nnone.proto: File not found."
    );
}

#[cfg(unix)]
#[test]
fn editions_are_refused_with_protoc_too() {
    use protox::prost::Message;

    let mut descriptors = FileDescriptorSet::default();
    descriptors.file.push(Default::default());
    descriptors.file[0].name = Some("a.proto".to_owned());
    descriptors.file[0].syntax = Some("editions".to_owned());
    let set = Folder::new(&[]);
    std::fs::write(set.path("set.bin"), descriptors.encode_to_vec()).unwrap();
    let protoc = protoc(&format!("cp {} \"$2\"", set.path("set.bin").display()));
    std::fs::write(protoc.path("a.proto"), "edition = \"2023\";\n").unwrap();
    let executable = protoc.path("protoc");
    let build = protoc.build().protoc();
    let build = build.prost(|config| config.protoc_executable(&executable));
    let error = build.compile_protos(&[protoc.path("a.proto")], &[&protoc]).unwrap_err();
    assert_eq!(
        error
            .to_string()
            .replace(&protoc.path("").display().to_string(), "DIR/"),
        "DIR/a.proto: its syntax is `editions`; prost knows `proto2` and `proto3`, and no editions"
    );
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

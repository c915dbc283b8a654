//! What a build script prints when its protos are wrong.

use crate::support::Folder;

/// Compiles `a.proto` and compares what is printed.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &str) {
    let folder = Folder::new(files);
    assert_eq!(folder.error(&["a.proto"]), expected);
}

#[test]
fn a_syntax_error_names_file_line_and_column() {
    check(
        &[("a.proto", "syntax = \"proto3\";\nmessage A {\n  string name 1;\n}\n")],
        "DIR/a.proto:3:15: expected '=', but found '1'",
    );
}

#[test]
fn all_unknown_types_of_a_file_are_named() {
    check(
        &[(
            "a.proto",
            "syntax = \"proto3\";\nmessage A {\n  B b = 1;\n  C c = 2;\n}\n",
        )],
        "2 mistakes in .proto files\n\
         DIR/a.proto:3:3: name 'B' is not defined\n\
         DIR/a.proto:4:3: name 'C' is not defined",
    );
}

#[test]
fn an_import_that_is_not_found_is_named_where_it_is_imported() {
    check(
        &[("a.proto", "syntax = \"proto3\";\n\nimport \"b.proto\";\n")],
        "DIR/a.proto:3:1: import 'b.proto' not found",
    );
}

#[test]
fn a_mistake_in_an_imported_file_is_named_in_that_file() {
    check(
        &[
            ("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";\n"),
            ("b.proto", "syntax = \"proto3\";\n\nmessage {}\n"),
        ],
        "DIR/b.proto:3:9: expected an identifier, but found '{'",
    );
}

#[test]
fn a_name_defined_twice_is_named_with_both_places() {
    check(
        &[("a.proto", "syntax = \"proto3\";\nmessage A {}\nmessage A {}\n")],
        "DIR/a.proto:3:9: name 'A' is defined twice\n  note: first defined here, at 2:9",
    );
}

#[test]
fn an_enum_in_the_place_of_a_message_is_named_where_it_is_used() {
    check(
        &[(
            "a.proto",
            "syntax = \"proto3\";\nservice S {\n  rpc R(E) returns (E);\n}\nenum E {\n  ZERO = 0;\n}\n",
        )],
        "2 mistakes in .proto files\n\
         DIR/a.proto:3:9: 'E' is not a message type\n  note: defined here, at 5:6\n\
         DIR/a.proto:3:21: 'E' is not a message type\n  note: defined here, at 5:6",
    );
}

#[test]
fn an_edition_is_refused_with_what_is_known_instead() {
    check(
        &[("a.proto", "edition = \"2023\";\nmessage A {}\n")],
        "DIR/a.proto:1:1: expected 'enum', 'extend', 'import', 'message', 'option', 'service', 'package' or ';', \
         but found 'edition'\n  help: prost knows `proto2` and `proto3`, and no editions",
    );
}

#[test]
fn descriptors_of_an_edition_are_refused_with_what_is_known_instead() {
    let folder = Folder::new(&[]);
    let mut descriptors = pool_build::FileDescriptorSet::default();
    descriptors.file.push(Default::default());
    descriptors.file[0].name = Some("a.proto".to_owned());
    descriptors.file[0].syntax = Some("editions".to_owned());
    let error = folder.build().compile_fds(descriptors).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a.proto: its syntax is `editions`; prost knows `proto2` and `proto3`, and no editions"
    );
}

#[test]
fn files_that_import_each_other_are_named() {
    check(
        &[
            ("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";\n"),
            ("b.proto", "syntax = \"proto3\";\nimport \"a.proto\";\n"),
        ],
        "DIR/a.proto: import cycle detected: a.proto -> b.proto -> a.proto",
    );
}

#[test]
fn a_file_that_does_not_exist_is_named_with_where_it_was_looked_for() {
    check(
        &[],
        "DIR/a.proto: no such file, neither in the package's directory nor in the include paths (DIR)",
    );
}

#[test]
fn the_mistakes_of_several_files_are_shown_at_once_and_each_of_them_once() {
    let folder = Folder::new(&[
        ("a.proto", "syntax = \"proto3\";\nimport \"wrong.proto\";\n"),
        ("b.proto", "syntax = \"proto3\";\nimport \"wrong.proto\";\n"),
        ("c.proto", "syntax = \"proto4\";\n"),
        ("wrong.proto", "message"),
    ]);
    let error = folder.error(&["a.proto", "b.proto", "c.proto", "d.proto"]);
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines[0], "3 mistakes in .proto files", "{error}");
    assert!(lines[1].starts_with("DIR/wrong.proto:1:8: "), "{error}");
    assert!(lines[2].starts_with("DIR/c.proto:1:10: "), "{error}");
    assert!(error.contains("DIR/d.proto: no such file"), "{error}");
}

#[test]
fn rpcs_that_get_the_same_name_in_rust_are_named() {
    check(
        &[(
            "a.proto",
            "syntax = \"proto3\";\npackage a;\nmessage M {}\nservice S {\n  rpc GetFoo(M) returns (M);\n  \
             rpc Get_foo(M) returns (M);\n}\n",
        )],
        "a.S: the RPCs `GetFoo` and `Get_foo` would both be `get_foo` in Rust; rename one of them",
    );
}

#[test]
fn a_folder_that_can_not_be_written_to_is_an_error_with_its_cause() {
    let folder = Folder::new(&[("a.proto", "syntax = \"proto3\";\nmessage A {}\n")]);
    let error = folder
        .build()
        .out_dir(folder.path("missing"))
        .compile_protos(&[folder.path("a.proto")], &[&folder])
        .unwrap_err();
    assert!(std::error::Error::source(&error).is_some());
    let printed = format!("{error:?}");
    assert!(printed.starts_with("the .proto files were not compiled: "), "{printed}");
}

#[test]
fn a_build_outside_a_build_script_says_what_is_missing() {
    let folder = Folder::new(&[("a.proto", "syntax = \"proto3\";\nmessage A {}\n")]);
    let error = pool_build::compile_protos(&[folder.path("a.proto")], &[&folder]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "OUT_DIR is not set: call this in a build script, or set out_dir"
    );
}

#[test]
fn a_file_outside_all_include_paths_is_named_with_them() {
    let folder = Folder::new(&[("a.proto", "syntax = \"proto3\";\n")]);
    std::fs::create_dir(folder.path("one")).unwrap();
    std::fs::create_dir(folder.path("two")).unwrap();
    let includes = [folder.path("one"), folder.path("two")];
    let error = folder.build().compile_protos(&[folder.path("a.proto")], &includes);
    let dir = folder.path("");
    assert_eq!(
        format!("{:?}", error.unwrap_err()).replace(&dir.display().to_string(), "DIR/"),
        "DIR/a.proto: is in none of the include paths (DIR/one, DIR/two); add a directory above it to them"
    );
}

#[test]
fn names_that_prost_can_not_tell_apart_are_an_error() {
    // Variants lose the name of their enum in front.
    let proto = "syntax = \"proto3\";\nenum Kind {\n  KIND_ONE = 0;\n  ONE = 1;\n}\n";
    let folder = Folder::new(&[("a.proto", proto)]);
    let error = folder.error(&["a.proto"]);
    assert!(
        error.starts_with("prost-build can't compile these .proto files: "),
        "{error}"
    );
    assert!(error.contains("KIND_ONE"), "{error}");
}

#[test]
fn bytes_that_are_no_descriptor_set_are_refused() {
    let error = Folder::new(&[]).build().compile_encoded_fds([0xff]).unwrap_err();
    assert!(
        error.to_string().starts_with("these bytes are no descriptor set: "),
        "{error}"
    );
}

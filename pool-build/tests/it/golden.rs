//! What is added to tonic's clients, and one generated file as a whole, compared with files.
//!
//! `POOL_BLESS=1 cargo test -p pool-build` writes the files anew.

use std::fs;
use std::path::Path;

use syn::{Attribute, Item};

use crate::support::{Folder, PROTOS};

#[test]
fn a_client_gets_a_description_and_the_types_of_its_rpcs() {
    for (proto, output, golden) in [
        ("helloworld.proto", "helloworld.rs", "helloworld.rs"),
        ("awkward/exchange.proto", "awkward.rs", "exchange.rs"),
        ("awkward/wkt.proto", "awkward.wkt.rs", "wkt.rs"),
        ("awkward/names.proto", "awkward.names.rs", "names.rs"),
    ] {
        compare(golden, &hidden(&generate(proto, output)));
    }
}

#[test]
fn a_generated_file_is_that_of_tonic_with_the_additions() {
    compare("bare.rs", &generate("awkward/nopackage.proto", "_.rs"));
}

fn generate(proto: &str, output: &str) -> String {
    let folder = Folder::new(&[]);
    let build = folder.build().build_server(false);
    build.compile_protos(&[proto], &[PROTOS]).unwrap();
    folder.read(output)
}

/// The hidden items of all clients: all that pool-build adds, and nothing else is hidden.
pub(crate) fn hidden(source: &str) -> String {
    let mut file = syn::parse_file(source).unwrap();
    file.items.retain_mut(|item| match item {
        Item::Mod(module) if module.ident.to_string().ends_with("_client") => {
            if let Some((_, items)) = &mut module.content {
                items.retain(|item| attributes(item).iter().any(is_hidden));
            }
            module.attrs.clear();
            true
        }
        _ => false,
    });
    prettyplease::unparse(&file)
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_hidden(attribute: &Attribute) -> bool {
    let argument = attribute.parse_args::<syn::Ident>();
    attribute.path().is_ident("doc") && argument.is_ok_and(|word| word == "hidden")
}

#[track_caller]
pub(crate) fn compare(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("POOL_BLESS").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{name} is not what is generated; after a look at the difference, POOL_BLESS=1 accepts it.\n\
         --- expected ---\n{expected}\n--- actual ---\n{actual}"
    );
}

//! The expansion of both stages, compared with files. What the rules refuse is tested where a compiler
//! can be asked: in the package `tests/codegen`.
//!
//! `POOL_BLESS=1 cargo test -p pool-macros` writes the files anew.

use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand;

#[test]
fn the_first_stage_makes_the_struct_and_calls_the_description() {
    compare(
        "client.rs",
        expand::client(
            quote!(
                helloworld::greeter_client::GreeterClient,
                deadline = "2s",
                chat(idempotent)
            ),
            quote! {
                /// Greets.
                #[derive(PartialEq)]
                pub(crate) struct Greeter;
            },
        ),
    );
}

#[test]
fn the_second_stage_makes_a_method_of_each_rpc() {
    let description = quote! {
        format 1;
        #[doc = " Greets in every shape."]
        service GreeterClient "helloworld.Greeter";
        #[doc = " Greets one caller."]
        rpc say_hello "SayHello" unary no_side_effects
            (pb::__pool::HelloRequest) (pb::__pool::HelloReply) prost (pb::__pool::ProstCodec);
        #[deprecated]
        rpc say_many_hellos "SayManyHellos" server_streaming unknown
            (pb::__pool::HelloRequest) (pb::__pool::HelloReply) prost (pb::__pool::ProstCodec);
        rpc new "New" client_streaming idempotent
            (()) (pb::__pool::same_name_2::HelloReply) prost (pb::__pool::ProstCodec);
        rpc r#type "Type" bidi_streaming unknown
            (pb::__pool::Vec<u8>) (bool) prost (pb::__pool::ProstCodec);
    };
    let args = quote! {
        pb::GreeterClient,
        crate = "::renamed",
        wait_for_ready,
        say_hello(deadline = "250ms", wait_for_ready = false),
        say_many_hellos(idempotent, deadline = "none"),
        new_(idempotent = false),
        type(deadline = "1m30s"),
    };
    compare("rpcs.rs", expand::rpcs(quote!({ #description } { #args } Greeter)));
}

#[track_caller]
fn compare(name: &str, tokens: TokenStream) {
    let file = syn::parse2(tokens).expect("the expansion is a list of items");
    let actual = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("POOL_BLESS").is_some() {
        fs::write(&path, &actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{name} is not the expansion; after a look at the difference, POOL_BLESS=1 accepts it.\n\
         --- expected ---\n{expected}\n--- actual ---\n{actual}"
    );
}

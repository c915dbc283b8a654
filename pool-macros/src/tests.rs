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
        format 3;
        #[doc = " Greets in every shape."]
        service GreeterClient __types_of_greeter_client "helloworld.Greeter" {
            retry_throttling(max_tokens = 10, token_ratio = 0.1), max_connections = 3
        };
        #[doc = " Greets one caller."]
        rpc say_hello "SayHello" unary no_side_effects
            (__types::HelloRequest) (__types::HelloReply) prost (__types::ProstCodec)
            {
                deadline = "1s500ms", wait_for_ready = true,
                retry(
                    max_attempts = 4, initial_backoff = "100ms", max_backoff = "1s", backoff_multiplier = 1.5,
                    codes(ABORTED, UNAVAILABLE)
                ),
                max_request_message_bytes = 1000, max_response_message_bytes = 2000
            };
        #[deprecated]
        rpc say_many_hellos "SayManyHellos" server_streaming unknown
            (__types::HelloRequest) (__types::HelloReply) prost (__types::ProstCodec);
        rpc new "New" client_streaming idempotent
            (()) (__types::same_name_2::HelloReply) prost (__types::ProstCodec);
        rpc r#type "Type" bidi_streaming unknown
            (__types::Vec<u8>) (bool) prost (__types::ProstCodec)
            { hedge(max_attempts = 3, delay = "0s", non_fatal_codes()) };
    };
    let args = quote! {
        pb::greeter_client::GreeterClient,
        crate = "::renamed",
        wait_for_ready,
        retry = "none",
        say_hello(deadline = "250ms", wait_for_ready = false),
        say_many_hellos(idempotent, deadline = "none", retry),
        new_(idempotent = false, hedge(max_attempts = 9, delay = "50ms", non_fatal_codes(UNAVAILABLE))),
        type(deadline = "1m30s"),
    };
    compare(
        "rpcs.rs",
        expand::rpcs(quote!({ #description } { #args } #[allow(missing_docs)] Greeter)),
    );
}

#[test]
fn rpcs_stated_by_hand_need_no_description() {
    compare(
        "by_hand.rs",
        expand::client(
            quote!(
                service = "json.Greeter",
                codec = "crate::Json",
                /// Greets.
                rpc SayHello(HelloRequest) returns (stream super::HelloReply),
                #[deprecated]
                rpc GetHTTPStatus(stream stream::Request) returns (()),
                say_hello(deadline = "1s"),
            ),
            quote!(
                #[cfg(unix)]
                #[expect(dead_code)]
                #[cfg_attr(unix, allow(unused), derive(PartialEq))]
                struct Greeter;
            ),
        ),
    );
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

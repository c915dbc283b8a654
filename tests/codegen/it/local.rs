//! Clients annotated in a crate other than the one they were generated in.

use pool_runtime::pooled_client;

/// Hello.
#[pooled_client(
    codegen_api::helloworld::greeter_client::GreeterClient,
    deadline = "2s",
    say_hello(deadline = "250ms")
)]
pub struct Greeter;

#[pooled_client(codegen::helloworld::greeter_client::GreeterClient)]
pub struct Greeter2;

#[pooled_client(codegen_api::wkt::well_known_client::WellKnownClient)]
struct WellKnown;

#[pooled_client(codegen::awkward::names::keywords_client::KeywordsClient)]
struct Keywords;

#[pooled_client(codegen::awkward::names::clashes_client::ClashesClient, new_(idempotent))]
struct Clashes;
#[pooled_client(codegen::awkward::names::pool_client::PoolClient)]
struct Pool;
#[pooled_client(codegen::awkward::exchange_client::ExchangeClient)]
struct Exchange;
#[pooled_client(codegen::awkward::empty_client::EmptyClient)]
struct Empty;
#[pooled_client(codegen::bare_client::BareClient)]
struct Bare;

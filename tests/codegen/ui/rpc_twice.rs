//! The options of an RPC stand in one place.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    say_hello(idempotent),
    say_hello(deadline = "1s"),
)]
pub struct Greeter;

fn main() {}

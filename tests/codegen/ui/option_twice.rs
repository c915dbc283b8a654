//! Of two statements one is not meant.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    deadline = "2s",
    deadline = "3s",
    wait_for_ready,
    wait_for_ready = false,
    crate = "::pool_runtime",
    crate = "::pool_runtime",
    say_hello(idempotent, idempotent, deadline = "1s", deadline = "1s"),
)]
pub struct Greeter;

fn main() {}

//! A flag is on or off.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    wait_for_ready = "yes",
    say_hello(idempotent = 1, wait_for_ready()),
)]
pub struct Greeter;

fn main() {}

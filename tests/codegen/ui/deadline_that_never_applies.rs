//! The smallest deadline wins, so that a longer one of an RPC has no effect.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    deadline = "2s",
    say_hello(deadline = "2s1us"),
    chat(deadline = "none"),
    say_many_hellos(deadline = "2000ms"),
)]
pub struct Greeter;

fn main() {}

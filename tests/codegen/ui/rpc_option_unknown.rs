//! The options of an RPC are listed, the nearest is suggested.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    say_hello(deadlin = "1s"),
    chat(crate = "x"),
    say_many_hellos("1s"),
)]
pub struct Greeter;

fn main() {}

//! The options of a client are listed, the nearest is suggested.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    dead_line = "2s",
    max_connections = 4,
    say_hello = "1s",
    chat,
    +,
)]
pub struct Greeter;

fn main() {}

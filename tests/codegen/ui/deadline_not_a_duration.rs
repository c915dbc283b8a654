//! What is not a duration is refused with the grammar of durations.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    deadline = "2 seconds",
    say_hello(deadline = "1.5s"),
    chat(deadline = "1s1m"),
    say_many_hellos(deadline = ""),
    say_hello_to_all(deadline = "2"),
)]
pub struct Greeter;

fn main() {}

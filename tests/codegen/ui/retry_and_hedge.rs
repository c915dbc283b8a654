//! One of the two.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    say_hello(retry, hedge(max_attempts = 3, delay = "50ms")),
    chat(retry, retry = "none"),
    say_many_hellos(hedge(max_attempts = 3, delay = "50ms"), retry(max_attempts = 2)),
)]
pub struct Greeter;

fn main() {}

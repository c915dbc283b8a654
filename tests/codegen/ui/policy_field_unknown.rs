//! The fields of a policy are listed, the nearest is suggested.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    say_hello(retry(max_attempt = 4, delay = "1s")),
    chat(hedge(max_attempts = 3, delay = "50ms", codes(UNAVAILABLE), +)),
    say_many_hellos(retry(codes(UNAVAILABLE), codes(ABORTED))),
)]
pub struct Greeter;

fn main() {}

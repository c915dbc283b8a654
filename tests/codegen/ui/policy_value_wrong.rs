//! Each value of a policy is checked, and the error stands at the value.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    say_hello(retry(max_attempts = 1)),
    say_hello_to_all(retry(initial_backoff = "0s", codes(UNAVAILABEL, "ABORTED"))),
    say_many_hellos(retry(max_backoff = 1, backoff_multiplier = "2")),
    chat(hedge(max_attempts = 3, delay = "0.05s")),
)]
pub struct Greeter;

#[pooled_client(
    greeter_client::GreeterClient,
    say_hello(retry(initial_backoff = "0s")),
    say_hello_to_all(retry(backoff_multiplier = 0.0)),
    say_many_hellos(retry(codes())),
    chat(retry(max_attempts = -1)),
)]
pub struct Other;

#[pooled_client(
    greeter_client::GreeterClient,
    say_hello(retry = "all"),
    say_hello_to_all(hedge),
    say_many_hellos(hedge(max_attempts = 3)),
    chat(hedge = "none"),
)]
pub struct More;

fn main() {}

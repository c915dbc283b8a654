//! All mistakes are shown at once, those of the second stage included.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    deadline = 2,
    wait_for_redy,
    say_hello(deadline = "1 s", idempotnt),
    say_goodbye(idempotent),
)]
pub struct Greeter {
    name: String,
}

pub async fn no_mistake_follows_from_another(greeter: &Greeter) {
    let _ = greeter.say_hello(codegen_api::helloworld::HelloRequest::default()).await;
}

fn main() {}

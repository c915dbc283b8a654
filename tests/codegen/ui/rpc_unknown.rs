//! Options can only be given to RPCs that exist; all of them are listed.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(
    greeter_client::GreeterClient,
    say_helo(idempotent),
    SayHello(wait_for_ready),
    unsubscribe(deadline = "1s"),
)]
pub struct Greeter;

pub async fn methods_are_there_all_the_same(greeter: &Greeter) {
    let _ = greeter.say_hello(codegen_api::helloworld::HelloRequest::default()).await;
}

fn main() {}

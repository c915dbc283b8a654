//! A comma ends the path; the methods are there all the same.

use codegen_api::helloworld::HelloRequest;
use pool_runtime::pooled_client;

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient deadline = "2s")]
pub struct Greeter;

pub async fn uses_the_methods(greeter: &Greeter) {
    let _ = greeter.say_hello(HelloRequest::default()).await;
}

fn main() {}

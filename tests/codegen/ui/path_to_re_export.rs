//! A re-export of the client alone leaves the types of its RPCs behind: the error names the module to go through.

use pool_runtime::pooled_client;

mod pb {
    pub use codegen_api::helloworld::greeter_client::GreeterClient;
}

#[pooled_client(pb::GreeterClient)]
pub struct Greeter;

pub async fn is_there_all_the_same(greeter: &Greeter) {
    let _ = greeter.say_hello(codegen_api::helloworld::HelloRequest::default()).await;
}

fn main() {}

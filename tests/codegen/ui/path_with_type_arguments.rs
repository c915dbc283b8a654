//! The pool takes the place of the client's channel.

use pool_runtime::pooled_client;

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient<tonic::transport::Channel>)]
pub struct Greeter;

fn main() {}

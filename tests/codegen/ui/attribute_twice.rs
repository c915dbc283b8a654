//! One struct, one service.

use pool_runtime::pooled_client;

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient)]
#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient)]
pub struct Greeter;

fn main() {}

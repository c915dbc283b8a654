//! The description is found beside the client, so the path has to go through the client's module.

use pool_runtime::pooled_client;

use codegen_api::helloworld::greeter_client::GreeterClient;

#[pooled_client(GreeterClient)]
pub struct Greeter;

pub type Plain<T> = GreeterClient<T>;

fn main() {}

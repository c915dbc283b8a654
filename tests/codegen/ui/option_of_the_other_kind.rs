//! What is said of an RPC can't be said of the client.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient, idempotent)]
pub struct Greeter;

fn main() {}

//! An RPC is only named to say something of it.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient, say_hello())]
pub struct Greeter;

fn main() {}

//! No header could ever say such a deadline.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient, deadline = "100000000h")]
pub struct Greeter;

fn main() {}

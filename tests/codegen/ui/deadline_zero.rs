//! No call could ever meet a deadline of zero.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient, deadline = "0s")]
pub struct Greeter;

fn main() {}

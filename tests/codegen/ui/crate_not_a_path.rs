//! The runtime's crate is named by a path in quotes.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient, crate = "pool runtime")]
pub struct NotAPath;

#[pooled_client(greeter_client::GreeterClient, crate = pool_runtime)]
pub struct NotAString;

fn main() {}

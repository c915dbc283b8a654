//! The last part of the path is checked too.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreterClient)]
pub struct Greeter;

fn main() {}

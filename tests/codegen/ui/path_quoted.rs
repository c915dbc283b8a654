//! The path is a path, not a string.

use pool_runtime::pooled_client;

#[pooled_client("greeter_client::GreeterClient")]
pub struct Greeter;

fn main() {}

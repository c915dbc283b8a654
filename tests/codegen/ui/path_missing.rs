//! The path of the client can't be left out.

use pool_runtime::pooled_client;

#[pooled_client]
pub struct Greeter;

#[pooled_client(deadline = "2s")]
pub struct WithDeadline;

#[pooled_client(wait_for_ready)]
pub struct WithFlag;

fn main() {}

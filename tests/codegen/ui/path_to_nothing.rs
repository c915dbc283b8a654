//! A path that leads nowhere is rustc's to report, at the user's own words.

use pool_runtime::pooled_client;

#[pooled_client(greter_client::GreeterClient)]
pub struct Greeter;

fn main() {}

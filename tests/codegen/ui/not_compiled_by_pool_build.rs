//! A client that tonic-prost-build alone has generated has no description.

use pool_runtime::pooled_client;

#[pooled_client(codegen_api::plain::greeter_client::GreeterClient)]
pub struct Greeter;

pub fn is_there_all_the_same(greeter: &Greeter) -> Greeter {
    greeter.clone()
}

fn main() {}

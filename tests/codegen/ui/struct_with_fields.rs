//! The attribute adds the one field that a client needs.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient)]
pub struct Named {
    name: String,
}

#[pooled_client(greeter_client::GreeterClient)]
pub struct Tuple(String);

#[pooled_client(greeter_client::GreeterClient)]
pub struct Braces {}

pub fn is_a_client_all_the_same(pool: pool_runtime::Pool) -> Named {
    Named::new(pool)
}

fn main() {}

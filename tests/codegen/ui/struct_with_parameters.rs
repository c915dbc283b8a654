//! A client has nothing to be generic over.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient)]
pub struct Type<T>;

#[pooled_client(greeter_client::GreeterClient)]
pub struct Lifetime<'a>;

#[pooled_client(greeter_client::GreeterClient)]
pub struct Clause
where
    String: Clone;

fn main() {}

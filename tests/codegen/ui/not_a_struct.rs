//! The attribute goes on a struct.

use pool_runtime::pooled_client;

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient)]
pub enum Enum {
    Variant,
}

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient)]
pub fn function() {}

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient)]
pub trait Trait {}

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient)]
impl Enum {}

pub fn uses_what_is_there() -> Enum {
    function();
    Enum::Variant
}

fn main() {}

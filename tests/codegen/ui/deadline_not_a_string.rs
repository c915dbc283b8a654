//! A number says nothing without its unit.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient, deadline = 2)]
pub struct Number;

#[pooled_client(greeter_client::GreeterClient, deadline)]
pub struct Nothing;

#[pooled_client(greeter_client::GreeterClient, deadline("2s"))]
pub struct Parentheses;

#[pooled_client(greeter_client::GreeterClient, deadline = Duration::from_secs(2))]
pub struct Expression;

fn main() {}

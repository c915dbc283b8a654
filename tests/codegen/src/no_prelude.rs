//! A module in which no name is known that it does not import itself.

#![no_implicit_prelude]

#[::pool_runtime::pooled_client(crate::helloworld::greeter_client::GreeterClient, deadline = "2s", say_hello(retry))]
pub struct Greeter;

#[::pool_runtime::pooled_client(
    service = "helloworld.Greeter",
    codec = "crate::codec::Mute",
    rpc SayHello(crate::helloworld::HelloRequest) returns (crate::helloworld::HelloReply),
)]
pub struct ByHand;

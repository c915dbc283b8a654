//! A line of an RPC is that of the .proto, with Rust's types; every mistake is shown, and the others are there.

use codegen_api::helloworld::{HelloReply, HelloRequest};
use pool_runtime::pooled_client;

#[pooled_client(
    service = "helloworld.Greeter",
    rpc SayHello(HelloRequest) returns (HelloReply),
    rpc Arrow(HelloRequest) -> HelloReply,
    rpc Bare HelloRequest returns HelloReply,
    rpc Half(HelloRequest),
    rpc Empty() returns (HelloReply),
    rpc Two(HelloRequest, HelloRequest) returns (HelloReply),
    rpc More(HelloRequest) returns (HelloReply) { option },
    rpc Semicolon(HelloRequest) returns (HelloReply);
    rpc Swallowed(HelloRequest) returns (HelloReply),
    #[inline]
    rpc Attribute(HelloRequest) returns (HelloReply),
    rpc SayHello(HelloRequest) returns (HelloReply),
    rpc say_hello(HelloRequest) returns (HelloReply),
    rpc Streams(stream HelloRequest) returns (stream HelloReply),
    arrow(deadline = "1s"),
    codec = 3,
)]
pub struct Greeter;

pub async fn is_there_all_the_same(greeter: &Greeter) {
    let _ = greeter.say_hello(HelloRequest::default()).await;
}

fn main() {}

//! RPCs that are stated by hand, the service and the codec belong together.

use codegen_api::helloworld::{HelloReply, HelloRequest};
use pool_runtime::pooled_client;

#[pooled_client(rpc SayHello(HelloRequest) returns (HelloReply))]
pub struct WithoutService;

#[pooled_client(service = "helloworld.Greeter")]
pub struct WithoutRpcs;

#[pooled_client(
    codegen_api::helloworld::greeter_client::GreeterClient,
    service = "helloworld.Greeter",
    rpc SayHello(HelloRequest) returns (HelloReply),
)]
pub struct WithPath;

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient, codec = "crate::Json")]
pub struct WithCodec;

#[pooled_client(
    service = "/helloworld.Greeter",
    rpc SayHello(HelloRequest) returns (HelloReply),
)]
pub struct WithSlash;

#[pooled_client(service = Greeter, service = "a.B", rpc SayHello(HelloRequest) returns (HelloReply))]
pub struct TwoServices;

#[pooled_client(
    service = "helloworld.Greeter",
    rpc SayHello(HelloRequest) returns (HelloReply),
    say_helo(deadline = "1s"),
)]
pub struct UnknownRpc;

fn main() {}

//! A client is made over a pool; the error names what takes a target.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient)]
pub struct Greeter;

fn main() {
    let channel = tonic::transport::Channel::from_static("http://127.0.0.1:1").connect_lazy();
    let _ = Greeter::new(channel);
    let _ = Greeter::new("http://127.0.0.1:1");
}

//! What tonic calls a timeout is a deadline here.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient, timeout = "2s", chat(timeout = "1s"))]
pub struct Greeter;

fn main() {
    let _ = pool_runtime::Pool::builder("http://127.0.0.1:1").timeout(std::time::Duration::from_secs(1));
}

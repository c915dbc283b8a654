//! What sends requests twice is said of one RPC; what forbids it may be said of all.

use codegen_api::helloworld::greeter_client;
use pool_runtime::pooled_client;

#[pooled_client(greeter_client::GreeterClient, retry)]
pub struct Retried;

#[pooled_client(greeter_client::GreeterClient, retry(max_attempts = 4))]
pub struct RetriedOften;

#[pooled_client(greeter_client::GreeterClient, hedge(max_attempts = 4, delay = "50ms"))]
pub struct Hedged;

#[pooled_client(greeter_client::GreeterClient, hedge)]
pub struct HedgedSomehow;

#[pooled_client(greeter_client::GreeterClient, retry = "none")]
pub struct Fine;

fn main() {}

//! A burst against a server with a low stream limit: 256 calls of 20 ms at once, 10 streams to a connection.
//!
//! A bare tonic `Channel` has one connection and waits there; the pool opens up to 10. The Channel has made a call before:
//! cold, it takes the limit for 100 until it knows better, and loses calls of such a burst. The pool is measured cold, with
//! one connection up, and with all of them.

use std::time::{Duration, Instant};

use bench::Failure;
use examples::helloworld::HelloRequest;
use examples::helloworld::greeter_client::GreeterClient;
use pool_runtime::{Pool, pooled_client};
use tokio::task::JoinSet;

const CALLS: usize = 256;
const STREAMS: u32 = 10;
const CONNECTIONS: usize = 10;
const ROUNDS: usize = 11;

/// The client under test.
#[pooled_client(examples::helloworld::greeter_client::GreeterClient)]
pub struct Greeter;

async fn over_a_channel(uri: String) -> Result<Duration, Failure> {
    let channel = tonic::transport::Endpoint::new(uri)?.connect_lazy();
    GreeterClient::new(channel.clone())
        .say_hello(HelloRequest::default())
        .await?;
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let mut client = GreeterClient::new(channel.clone());
        calls.spawn(async move { client.say_hello(HelloRequest::default()).await });
    }
    while let Some(reply) = calls.join_next().await {
        reply??;
    }
    Ok(began.elapsed())
}

async fn over_a_pool(uri: String, connections: usize) -> Result<Duration, Failure> {
    let pool = Pool::builder(uri).max_connections(CONNECTIONS).build()?;
    pool.ready(connections).await?;
    let client = Greeter::new(pool);
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let client = client.clone();
        calls.spawn(async move { client.say_hello(HelloRequest::default()).await });
    }
    while let Some(reply) = calls.join_next().await {
        reply??;
    }
    Ok(began.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut channel = Vec::new();
    let mut pools = [0, 1, CONNECTIONS].map(|connections| (connections, Vec::new()));
    // Takes 20 ms for each call.
    let uri = format!("http://{}", examples::serve(STREAMS).await?);
    for _ in 0..ROUNDS {
        channel.push(over_a_channel(uri.clone()).await?);
        for (connections, times) in &mut pools {
            times.push(over_a_pool(uri.clone(), *connections).await?);
        }
    }
    println!("{CALLS} calls of 20 ms at once, {STREAMS} streams to a connection; medians of {ROUNDS} rounds");
    let channel = median(channel);
    println!("tonic Channel, 1 connection up       {channel:>8.1?}");
    for (connections, times) in pools {
        let time = median(times);
        let faster = channel.as_secs_f64() / time.as_secs_f64();
        println!(
            "annotated, {connections:>2} of {CONNECTIONS} connections up  {time:>8.1?}   {faster:.1} times as fast"
        );
    }
    Ok(())
}

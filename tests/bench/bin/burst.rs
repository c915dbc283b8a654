//! A burst against a server with a low stream limit: 256 calls of 20 ms at once, 10 streams to a connection.
//!
//! A bare tonic `Channel` has one connection and waits there; the pool opens up to 10. The pool starts cold. The Channel
//! has made a call before: cold, it takes the limit for 100 until it knows better, and loses calls of such a burst. The
//! server counts on the wire how many streams a connection had at once.

use std::time::{Duration, Instant};

use bench::Failure;
use pool_runtime::{Pool, pooled_client};
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Script, TestRequest};
use tests::server::TestServer;
use tokio::task::JoinSet;

const CALLS: usize = 256;
const DELAY: Duration = Duration::from_millis(20);
const STREAMS: u32 = 10;
const CONNECTIONS: usize = 10;
const ROUNDS: usize = 11;

/// The client under test.
#[pooled_client(tests::pb::test_service_client::TestServiceClient)]
pub struct TestService;

fn request() -> TestRequest {
    let script = Script {
        delay_ms: u32::try_from(DELAY.as_millis()).unwrap_or(u32::MAX),
        ..Script::default()
    };
    TestRequest {
        payload: vec![0; 16],
        script: Some(script),
    }
}

async fn over_a_channel(uri: String) -> Result<Duration, Failure> {
    let channel = tonic::transport::Endpoint::new(uri)?.connect_lazy();
    TestServiceClient::new(channel.clone()).unary(TestRequest::default()).await?;
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let mut client = TestServiceClient::new(channel.clone());
        calls.spawn(async move { client.unary(request()).await });
    }
    while let Some(reply) = calls.join_next().await {
        reply??;
    }
    Ok(began.elapsed())
}

async fn over_a_pool(uri: String) -> Result<Duration, Failure> {
    let pool = Pool::builder(uri).max_connections(CONNECTIONS).build()?;
    let client = TestService::new(pool);
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let client = client.clone();
        calls.spawn(async move { client.unary(request()).await });
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
    let (mut channel, mut pool) = (Vec::new(), Vec::new());
    let mut peak = 0;
    for _ in 0..ROUNDS {
        let server = TestServer::builder().max_concurrent_streams(STREAMS).start().await;
        channel.push(over_a_channel(server.uri()).await?);
        server.stop().await;
        let server = TestServer::builder().max_concurrent_streams(STREAMS).start().await;
        pool.push(over_a_pool(server.uri()).await?);
        peak = peak.max(server.stats().streams_peak_per_connection());
        server.stop().await;
    }
    let (channel, pool) = (median(channel), median(pool));
    println!("{CALLS} calls of {DELAY:?} at once, {STREAMS} streams to a connection; medians of {ROUNDS} rounds");
    println!("tonic Channel  {channel:>10.1?}");
    println!("annotated      {pool:>10.1?}   {:.1} times as fast", channel.as_secs_f64() / pool.as_secs_f64());
    println!("streams at once on a connection of the pool, as the server saw them: {peak} at most");
    Ok(())
}

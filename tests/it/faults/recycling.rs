//! Servers and proxies that recycle connections all the time (R15): no call fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pool_runtime::Pool;
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Script, TestRequest};
use tests::server::TestServer;
use tests::within;
use tokio::task::JoinSet;

use crate::calls::{Client, echo, idle, scripted};

/// Callers that call one after the other.
const CALLERS: usize = 32;

/// Makes calls of all shapes from many tasks until `enough` says so; returns how many there were. None may fail.
async fn hammer(pool: &Pool, enough: impl Fn(usize) -> bool + Clone + Send + 'static) -> usize {
    let made = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (pool, made, enough) = (pool.clone(), made.clone(), enough.clone());
        callers.spawn(async move {
            let client = Client::new(pool.clone());
            let mut plain = TestServiceClient::new(pool);
            let streamed = Script {
                replies: 5,
                delay_ms: 1,
                ..Script::default()
            };
            while !enough(made.fetch_add(1, Relaxed)) {
                let requests = tokio_stream::iter(vec![echo(); 3]);
                match caller % 4 {
                    0 => drop(client.unary(echo()).await.unwrap()),
                    1 => drop(client.client_stream(requests).await.unwrap()),
                    2 => drop(plain.unary(TestRequest::default()).await.unwrap()),
                    _ => {
                        let mut replies = client
                            .server_stream(scripted(streamed.clone()))
                            .await
                            .unwrap()
                            .into_inner();
                        while replies.message().await.unwrap().is_some() {}
                    }
                }
            }
        });
    }
    within("the callers", callers.join_all()).await;
    made.load(Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_when_every_connection_ends_after_a_few_calls() {
    for calls in [1, 7, 50] {
        let server = TestServer::builder().max_calls_per_connection(calls).start().await;
        let pool = Pool::builder(server.uri()).max_connections(4).build().unwrap();
        hammer(&pool, |made| made >= 1_000).await;
        idle(&pool).await;
        let stats = server.until(|stats| stats.streams_now == 0).await;
        assert!(
            stats.connections_total >= 1_000 / calls.max(CALLERS) / 2,
            "{}",
            stats.connections_total
        );
        assert_eq!(pool.stats().failed_dials, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_when_every_connection_ends_at_a_young_age() {
    let server = TestServer::builder()
        .max_connection_age(Duration::from_millis(250))
        .start()
        .await;
    let pool = Pool::builder(server.uri()).max_connections(4).build().unwrap();
    let end = Instant::now() + Duration::from_secs(2);
    let made = hammer(&pool, move |_| Instant::now() >= end).await;
    assert!(made > 600, "{made} calls in two seconds");
    idle(&pool).await;
    let stats = server.until(|stats| stats.streams_now == 0).await;
    assert!(stats.connections_total > 3, "{} connections", stats.connections_total);
    assert_eq!(pool.stats().failed_dials, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_when_both_sides_recycle() {
    let server = TestServer::builder()
        .max_calls_per_connection(40)
        .max_concurrent_streams(5)
        .start()
        .await;
    let pool = Pool::builder(server.uri())
        .max_connections(6)
        .max_total_uses(15)
        .build()
        .unwrap();
    hammer(&pool, |made| made >= 1_500).await;
    idle(&pool).await;
    let stats = server.until(|stats| stats.streams_now == 0).await;
    assert_eq!(stats.cancelled, 0);
    assert!(
        stats
            .connections
            .iter()
            .all(|connection| connection.streams_total <= 16)
    );
    assert_eq!(pool.stats().failed_dials, 0);
}

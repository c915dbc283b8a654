//! Plain tonic clients over a pool and over a lease.

use std::time::Duration;

use pool_runtime::{Error, Lease, Phase, Pool};
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Script, TestRequest};
use tests::server::TestServer;
use tests::within;
use tonic::{Code, Request};

use super::{lasting, scripted, until};

fn replies(script: Script) -> TestRequest {
    scripted(Script { replies: 2, ..script })
}

/// Calls of all four shapes with a client that tonic made. Says on which connections they went.
async fn all_shapes<S>(mut client: TestServiceClient<S>) -> Vec<u64>
where
    S: tonic::client::GrpcService<tonic::body::Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let mut connections = Vec::new();
    connections.push(client.unary(lasting(0)).await.unwrap().into_inner().connection);

    let requests = || tokio_stream::iter(vec![lasting(0); 3]);
    let reply = client.client_stream(requests()).await.unwrap().into_inner();
    assert_eq!(reply.received, 3);
    connections.push(reply.connection);

    let mut stream = client
        .server_stream(replies(Script::default()))
        .await
        .unwrap()
        .into_inner();
    while let Some(reply) = stream.message().await.unwrap() {
        connections.push(reply.connection);
    }
    let mut stream = client.bidi(requests()).await.unwrap().into_inner();
    while let Some(reply) = stream.message().await.unwrap() {
        connections.push(reply.connection);
    }
    assert_eq!(connections.len(), 1 + 1 + 2 + 3);
    connections
}

#[tokio::test]
async fn a_plain_client_over_a_pool_makes_calls_of_every_shape() {
    let server = TestServer::start().await;
    let pool = Pool::connect_lazy(server.uri()).unwrap();
    all_shapes(TestServiceClient::new(pool.clone())).await;
    assert_eq!(until(&pool, |stats| stats.in_flight == 0).await.checkouts, 4);
}

#[tokio::test]
async fn a_plain_client_over_a_lease_stays_on_its_connection() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .strategy(pool_runtime::Strategy::RoundRobin)
        .build()
        .unwrap();
    pool.ready(3).await.unwrap();
    let lease = pool.acquire().await.unwrap();
    assert!(lease.age() < Duration::from_secs(20));
    let on = all_shapes(TestServiceClient::new(lease)).await;
    assert!(on.iter().all(|connection| *connection == on[0]), "{on:?}");
    let stats = until(&pool, |stats| stats.in_flight == 0).await;
    assert_eq!(stats.checkouts, 1, "the calls went on the lease's own slot");
}

#[tokio::test]
async fn a_lease_carries_one_call_at_a_time() {
    let server = TestServer::start().await;
    let pool = Pool::connect(server.uri()).await.unwrap();
    let mut client = TestServiceClient::new(pool.acquire().await.unwrap());
    let open = Script {
        hang: true,
        ..Script::default()
    };
    let mut first = client.server_stream(replies(open)).await.unwrap().into_inner();
    first.message().await.unwrap().unwrap();

    let mut second = Request::new(lasting(0));
    second.set_timeout(Duration::from_millis(50));
    let status = within("its deadline", client.unary(second)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let error = Error::of(&status).unwrap();
    assert_eq!((error.phase(), error.was_sent()), (Some(Phase::Waiting), false));
    assert_eq!(server.stats().streams_total, 1);

    drop(first);
    server.until(|stats| stats.streams_now == 0).await;
    within("its turn", client.unary(lasting(0))).await.unwrap();
    assert_eq!(server.stats().connections[0].streams_peak, 1);
}

#[tokio::test]
async fn a_response_that_outlives_its_lease_keeps_the_slot() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(1);
    let pool = pool.build().unwrap();
    let mut client = TestServiceClient::new(pool.acquire().await.unwrap());
    let script = Script {
        interval_ms: 50,
        ..Script::default()
    };
    let mut stream = client.server_stream(replies(script)).await.unwrap().into_inner();
    drop(client);
    assert!(pool.try_acquire().unwrap_err().is_exhausted());
    while stream.message().await.unwrap().is_some() {}
    let lease: Lease = within("the slot", pool.acquire()).await.unwrap();
    assert_eq!(lease.connection_id(), 1);
}

#[tokio::test]
async fn a_call_on_a_lease_fails_with_its_connection_and_never_moves() {
    let server = TestServer::start().await;
    let pool = Pool::connect(server.uri()).await.unwrap();
    let mut client = TestServiceClient::new(pool.acquire().await.unwrap());
    server.cut_all();
    until(&pool, |stats| stats.closed == 1).await;
    let status = within("a call", client.unary(lasting(0))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(!Error::of(&status).unwrap().was_sent());
    assert_eq!(server.stats().streams_total, 0);
}

#[tokio::test]
async fn a_call_on_a_lease_follows_one_that_was_cancelled_when_the_server_knows_of_that() {
    let server = TestServer::start().await;
    let pool = Pool::connect(server.uri()).await.unwrap();
    let mut client = TestServiceClient::new(pool.acquire().await.unwrap());
    for calls in 1..=5 {
        let mut call = Box::pin(client.unary(super::hanging()));
        tokio::select! {
            answer = &mut call => panic!("{answer:?}"),
            _ = server.until(|stats| stats.streams_total == 2 * calls - 1) => {}
        }
        drop(call);
        within("a call", client.unary(lasting(0))).await.unwrap();
        server
            .until(|stats| stats.streams_total == 2 * calls && stats.streams_now == 0)
            .await;
    }
    assert_eq!(server.stats().connections[0].streams_peak, 1);
    drop(client);
    until(&pool, |stats| stats.in_flight == 0).await;
}

//! How long a connection is used: over and over, until it is used up, idle, old, broken or dead.

use std::time::{Duration, Instant};

use pool_runtime::{ConnectionState, Pool};
use tests::pb::Script;
use tests::server::TestServer;
use tests::within;

use super::{Client, Log, hang, lasting, scripted, until};

#[tokio::test]
async fn a_connection_is_replaced_after_its_last_allowed_use() {
    let server = TestServer::start().await;
    let log = Log::default();
    let pool = Pool::builder(server.uri())
        .max_total_uses(3)
        .max_connections(1)
        .observer(log.clone())
        .build()
        .unwrap();
    let client = Client::new(pool);
    for _ in 0..9 {
        client.unary(lasting(0)).await.unwrap();
    }
    let stats = server.until(|stats| stats.streams_total == 9).await;
    let uses: Vec<_> = stats
        .connections
        .iter()
        .map(|c| c.streams_total)
        .filter(|&n| n > 0)
        .collect();
    assert_eq!(uses, [3, 3, 3]);
    assert_eq!(log.count("draining 1: served its maximum number of calls"), 1);
}

#[tokio::test]
async fn a_use_counts_for_a_lease_too() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_total_uses(1).build().unwrap();
    let (first, second) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    assert_ne!(first.connection_id(), second.connection_id());
    drop((first, second));
    server
        .until(|stats| stats.connections_total >= 2 && stats.connections_now <= 1)
        .await;
}

#[tokio::test]
async fn idle_connections_are_closed_down_to_the_minimum() {
    let server = TestServer::start().await;
    let log = Log::default();
    let pool = Pool::builder(server.uri())
        .min_connections(1)
        .idle_timeout(Duration::from_millis(100))
        .observer(log.clone())
        .build()
        .unwrap();
    let began = Instant::now();
    pool.ready(4).await.unwrap();
    server.until(|stats| stats.connections_total == 4).await;
    server.until(|stats| stats.connections_now == 1).await;
    assert!(began.elapsed() >= Duration::from_millis(100));
    let stats = until(&pool, |stats| stats.connections.len() == 1).await;
    assert_eq!(stats.closed, 3);

    // Idle for longer than the timeout, and still there.
    let id = stats.connections[0].id;
    let stats = until(&pool, |stats| {
        stats.connections[0].idle > Some(Duration::from_millis(300))
    })
    .await;
    assert_eq!((stats.connections.len(), stats.connections[0].id), (1, id));
    assert_eq!(log.count("draining"), 3);
    assert!(
        log.lines()
            .iter()
            .all(|line| !line.starts_with("draining") || line.ends_with("idle for too long"))
    );
}

#[tokio::test]
async fn a_pool_that_nobody_uses_holds_no_connection_and_comes_back() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .idle_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let client = Client::new(pool.clone());
    for round in 1..=2 {
        client.unary(lasting(0)).await.unwrap();
        server
            .until(|stats| stats.connections_total == round && stats.connections_now == 0)
            .await;
        until(&pool, |stats| stats.connections.is_empty()).await;
    }
}

#[tokio::test]
async fn a_busy_connection_is_not_idle() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .idle_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    Client::new(pool.clone()).unary(lasting(250)).await.unwrap();
    assert_eq!(server.stats().connections_total, 1);
    assert_eq!(pool.stats().cut, 0);
    server.until(|stats| stats.connections_now == 0).await;
}

/// Until `connections` have been opened, calls are made without a pause.
async fn call_until(server: &TestServer, pool: &Pool, connections: usize) {
    let client = Client::new(pool.clone());
    let calling = async {
        while server.stats().connections_total < connections {
            client.unary(lasting(2)).await.unwrap();
        }
    };
    within("connections that follow each other", calling).await;
}

#[tokio::test]
async fn connections_of_age_are_replaced_and_no_call_fails() {
    let server = TestServer::start().await;
    let log = Log::default();
    let pool = Pool::builder(server.uri())
        .max_connections(1)
        .max_lifetime(Duration::from_millis(100))
        .max_lifetime_jitter(0.0)
        .observer(log.clone())
        .build()
        .unwrap();
    let began = Instant::now();
    tokio::join!(
        call_until(&server, &pool, 5),
        call_until(&server, &pool, 5),
        call_until(&server, &pool, 5)
    );
    assert!(
        began.elapsed() >= Duration::from_millis(300),
        "three lifetimes have passed"
    );
    for id in 1..=3 {
        let replacement = log.position(&format!("opened {}", id + 1)).unwrap();
        let retirement = log
            .position(&format!("draining {id}: reached its maximum lifetime"))
            .unwrap();
        assert!(replacement < retirement, "{:?}", log.lines());
    }
    assert_eq!(pool.stats().cut, 0);
}

#[tokio::test]
async fn a_busy_connection_of_age_is_replaced_while_its_call_goes_on() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .max_connections(1)
        .max_lifetime(Duration::from_millis(50))
        .build()
        .unwrap();
    let client = Client::new(pool.clone());
    let script = Script {
        replies: 2,
        interval_ms: 400,
        ..Script::default()
    };
    let mut replies = client.server_stream(scripted(script)).await.unwrap().into_inner();
    let first = replies.message().await.unwrap().unwrap();

    until(&pool, |stats| {
        stats
            .connections
            .iter()
            .any(|c| c.id == 1 && c.state == ConnectionState::Draining)
            && stats
                .connections
                .iter()
                .any(|c| c.id > 1 && c.state == ConnectionState::Serving)
    })
    .await;
    let other = client.unary(lasting(0)).await.unwrap().into_inner();
    assert_ne!(other.connection, first.connection);

    let second = replies.message().await.unwrap().unwrap();
    assert_eq!(second.connection, first.connection);
    assert!(replies.message().await.unwrap().is_none());
    until(&pool, |stats| stats.connections.iter().all(|c| c.id > 1)).await;
}

#[tokio::test]
async fn a_connection_that_cannot_be_replaced_serves_on() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .max_lifetime(Duration::from_millis(50))
        .max_lifetime_jitter(0.0)
        .build()
        .unwrap();
    let client = Client::new(pool.clone());
    let running = hang(&server, &pool, 1).await;
    server.close_listener().await;
    until(&pool, |stats| stats.failed_dials > 0).await;
    let stats = pool.stats();
    assert_eq!(stats.connections[0].state, ConnectionState::Retiring);
    client.unary(lasting(0)).await.unwrap();
    drop(running);
}

#[tokio::test]
async fn a_dead_connection_leaves_the_pool_at_once() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    let client = Client::new(pool.clone());
    for (kill, end) in [TestServer::cut_all, TestServer::reset_all].into_iter().zip(1..) {
        client.unary(lasting(0)).await.unwrap();
        kill(&server);
        until(&pool, |stats| stats.connections.is_empty() && stats.closed == end).await;
    }
    client.unary(lasting(0)).await.unwrap();
    assert_eq!(server.stats().connections_total, 3);
}

#[tokio::test]
async fn a_connection_that_is_drained_by_the_peer_is_replaced_and_no_call_fails() {
    let server = TestServer::builder().max_calls_per_connection(5).start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).build().unwrap();
    tokio::join!(
        call_until(&server, &pool, 6),
        call_until(&server, &pool, 6),
        call_until(&server, &pool, 6)
    );
}

#[tokio::test]
async fn a_connection_marked_as_broken_is_not_used_again() {
    let server = TestServer::start().await;
    let log = Log::default();
    let pool = Pool::builder(server.uri()).observer(log.clone()).build().unwrap();
    let running = tokio::spawn({
        let client = Client::new(pool.clone());
        async move { client.unary(lasting(200)).await }
    });
    server.until(|stats| stats.streams_now == 1).await;
    let lease = pool.acquire().await.unwrap();
    assert_eq!(lease.connection_id(), 1);
    lease.mark_broken();
    lease.mark_broken();
    drop(lease);

    assert_eq!(pool.acquire().await.unwrap().connection_id(), 2);
    let reply = running.await.unwrap().unwrap().into_inner();
    assert_eq!(reply.connection, 0, "the call in flight finished where it was");
    until(&pool, |stats| stats.connections.iter().all(|c| c.id != 1)).await;
    server.until(|stats| stats.connections_now == 1).await;
    assert_eq!(log.count("draining 1: marked as broken"), 1);
}

#[tokio::test]
async fn calls_on_a_broken_connection_are_cut_at_the_end_of_the_drain_timeout() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .drain_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let mut running = hang(&server, &pool, 1).await;
    pool.acquire().await.unwrap().mark_broken();
    let status = within("the cut", running.join_next())
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status}");
    assert!(status.message().contains("marked as broken"), "{status}");
    assert_eq!(until(&pool, |stats| stats.closed == 1).await.cut, 1);
}

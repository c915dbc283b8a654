//! Servers and proxies that recycle connections all the time (R15): no call fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use h2::Reason;
use pool_runtime::{Builder, CloseReason, Pool};
use tests::fault::{Conn, FaultServer};
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Script, TestReply, TestRequest};
use tests::server::TestServer;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::Code;

use super::{Seen, then_serves};
use crate::calls::{Client, echo, eventually, hanging, idle, in_memory, scripted};

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
    // On a slow machine all of them may take long, as long as there is always another.
    let mut before = 0;
    loop {
        match timeout(tests::PATIENCE, callers.join_next()).await {
            Ok(Some(caller)) => caller.unwrap(),
            Ok(None) => break,
            Err(_) => {
                let now = made.load(Relaxed);
                assert!(now > before, "no call for {:?}", tests::PATIENCE);
                before = now;
            }
        }
    }
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
    hammer(&pool, move |made| made >= 600 && Instant::now() >= end).await;
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

/// Streams a reply after an hour, long after a GOAWAY if there is to be one.
async fn answers_in_an_hour(mut conn: Conn, goes_away: bool) -> io::Result<()> {
    conn.handshake(&[]).await?;
    let request = conn.next_opened().await?;
    conn.respond(request.stream).await?;
    if goes_away {
        conn.goaway(request.stream, Reason::NO_ERROR, "").await?;
    }
    sleep(Duration::from_secs(3_600)).await;
    conn.send_message(request.stream, &TestReply::default()).await?;
    // With the trailers the call is over, whenever the caller reads them.
    sleep(Duration::from_secs(1)).await;
    conn.trailers(request.stream, Code::Ok, "").await?;
    conn.until_closed().await
}

/// A connection that is recycled waits for its calls, however long they take, and not a moment longer.
#[tokio::test(start_paused = true)]
async fn recycling_cuts_no_long_call() {
    type Setting = fn(Builder) -> Builder;
    let rows: [(CloseReason, Setting); 3] = [
        (CloseReason::GoAway, |pool| pool),
        (CloseReason::UsedUp, |pool| pool.max_total_uses(1)),
        (CloseReason::Lifetime, |pool| {
            pool.max_lifetime(Duration::from_secs(3_000)).max_lifetime_jitter(0.0)
        }),
    ];
    for (reason, setting) in rows {
        let goes_away = reason == CloseReason::GoAway;
        let server =
            FaultServer::start(move |conn: Conn| then_serves(conn, move |conn| answers_in_an_hour(conn, goes_away)))
                .await;
        let pool = Pool::builder("http://peer.test").connector(in_memory(server.entrance(), 4 << 10));
        let (pool, seen) = Seen::by(setting(pool.max_connections(1)));
        let client = Client::new(pool.build().unwrap());
        let mut replies = client.server_stream(hanging(1)).await.unwrap().into_inner();
        let reply = replies.message().await.unwrap();
        assert!(reply.is_some(), "{reason}");
        assert_eq!(seen.draining()[0], reason);
        // Those that took its place may have come and gone, idle.
        let is_open = || {
            client
                .pool()
                .stats()
                .connections
                .iter()
                .any(|connection| connection.id == 1)
        };
        assert!(is_open(), "{reason}");
        assert!(replies.message().await.unwrap().is_none(), "{reason}");
        eventually("the end of the connection", || !is_open()).await;
    }
}

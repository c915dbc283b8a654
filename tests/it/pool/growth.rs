//! How many calls go on a connection, how many connections there are for them, and which one a call goes to.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pool_runtime::{Pool, Strategy, Target};
use tests::fault::{FaultServer, cases};
use tests::server::TestServer;
use tests::within;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Client, burst, hang, lasting, until};

#[tokio::test]
async fn a_connection_carries_no_more_than_the_smaller_of_both_limits() {
    // Ours, the peer's, what binds.
    let rows = [(3, None, 3), (100, Some(4), 4), (2, Some(5), 2), (1, Some(5), 1)];
    for (ours, peers, binding) in rows {
        let mut server = TestServer::builder();
        if let Some(peers) = peers {
            server = server.max_concurrent_streams(peers);
        }
        let server = server.start().await;
        let pool = Pool::builder(server.uri())
            .max_connections(3)
            .max_concurrent_streams(ours);
        let pool = pool.build().unwrap();
        for reply in burst(&pool, 40, lasting(10)).await {
            reply.unwrap();
        }
        let stats = server.stats();
        assert_eq!(
            stats.streams_peak_per_connection(),
            binding,
            "{ours} and {peers:?}: {stats:#?}"
        );
        assert_eq!((stats.connections_peak, stats.refused), (3, 0));
    }
}

#[tokio::test]
async fn a_peer_that_allows_no_stream_is_waited_for() {
    let (allow, limit) = watch::channel(Some(0));
    let server = FaultServer::start(cases::limit_follows(limit)).await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    let calls = tokio::spawn({
        let pool = pool.clone();
        async move { burst(&pool, 3, lasting(0)).await }
    });
    until(&pool, |stats| stats.waiting == 3 && !stats.connections.is_empty()).await;
    assert_eq!(server.stats().streams_total, 0);

    allow.send(Some(2)).unwrap();
    for reply in calls.await.unwrap() {
        reply.unwrap();
    }
    assert!(server.stats().streams_peak <= 2);
}

#[tokio::test]
async fn a_limit_that_the_peer_lowers_binds_at_once_and_strands_nobody() {
    let (allow, limit) = watch::channel(Some(2));
    let server = FaultServer::start(cases::limit_follows(limit)).await;
    let pool = Pool::builder(server.uri()).max_connections(1).build().unwrap();
    let first = pool.acquire().await.unwrap();
    let _second = pool.acquire().await.unwrap();

    allow.send(Some(1)).unwrap();
    until(&pool, |stats| stats.connections[0].limit == 1).await;
    drop(first);
    assert!(
        pool.try_acquire().unwrap_err().is_exhausted(),
        "one of one is in use: {}",
        pool.stats()
    );

    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await }
    });
    until(&pool, |stats| stats.waiting == 1).await;
    allow.send(Some(2)).unwrap();
    within("a raised limit", waiter).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_cold_burst_opens_what_it_needs_and_fails_nothing() {
    let server = TestServer::builder().max_concurrent_streams(10).start().await;
    // A maximum that would let it do worse.
    let pool = Pool::builder(server.uri()).max_connections(40).build().unwrap();
    for reply in burst(&pool, 80, lasting(200)).await {
        reply.unwrap();
    }
    let stats = server.stats();
    assert!((8..=10).contains(&stats.connections_total), "{stats:#?}");
    assert_eq!((stats.streams_total, stats.refused), (80, 0));
    assert_eq!(stats.streams_peak_per_connection(), 10);
}

#[tokio::test]
async fn a_burst_beyond_all_streams_waits_and_fails_nothing() {
    let server = TestServer::builder().max_concurrent_streams(10).start().await;
    let pool = Pool::builder(server.uri()).max_connections(10).build().unwrap();
    for reply in burst(&pool, 256, lasting(20)).await {
        reply.unwrap();
    }
    let stats = server.stats();
    assert_eq!(
        (stats.connections_total, stats.streams_total, stats.refused),
        (10, 256, 0)
    );
    assert_eq!(stats.streams_peak_per_connection(), 10);
}

#[tokio::test]
async fn with_a_limit_of_one_each_call_has_its_connection_to_itself() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_concurrent_streams(1).build().unwrap();
    let calls = hang(&server, &pool, 4).await;
    let stats = server.stats();
    assert_eq!((stats.connections_total, stats.streams_peak_per_connection()), (4, 1));
    drop(calls);
}

/// h2 writes the HEADERS of a new stream before the RST_STREAM of one that was dropped earlier, so a slot that is
/// given back by a cancelled call must not be used before its reset is on the wire.
#[tokio::test]
async fn a_cancelled_call_is_over_for_the_peer_before_its_slot_is_used_again() {
    let server = TestServer::builder().tolerate_resets(1000).start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(2);
    let pool = pool.build().unwrap();
    for _ in 0..10 {
        let running = hang(&server, &pool, 2).await;
        drop(running);
        for reply in burst(&pool, 2, lasting(0)).await {
            reply.unwrap();
        }
    }
    assert_eq!(server.stats().streams_peak, 2);
}

/// Opens three connections with room for four calls each. Says how many of six calls at once, and of nine one after
/// the other, each of them gets, by the server's count, sorted.
async fn spread(strategy: Strategy) -> ([usize; 3], [usize; 3]) {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .strategy(strategy)
        .max_concurrent_streams(4)
        .build()
        .unwrap();
    pool.ready(3).await.unwrap();
    server.until(|stats| stats.connections_now == 3).await;

    let calls = hang(&server, &pool, 6).await;
    let mut at_once: Vec<_> = server.stats().connections.iter().map(|c| c.streams_now).collect();
    drop(calls);
    let before = server.until(|stats| stats.streams_now == 0).await;
    until(&pool, |stats| stats.in_flight == 0).await;

    let client = Client::new(pool);
    for _ in 0..9 {
        client.unary(lasting(0)).await.unwrap();
    }
    let after = server.stats();
    let mut in_turn: Vec<_> = after
        .connections
        .iter()
        .zip(&before.connections)
        .map(|(after, before)| after.streams_total - before.streams_total)
        .collect();
    at_once.sort_unstable();
    in_turn.sort_unstable();
    (at_once.try_into().unwrap(), in_turn.try_into().unwrap())
}

#[tokio::test]
async fn least_loaded_levels_the_connections() {
    let (at_once, in_turn) = spread(Strategy::LeastLoaded).await;
    assert_eq!((at_once, in_turn.iter().sum::<usize>()), ([2, 2, 2], 9));
}

#[tokio::test]
async fn round_robin_takes_each_connection_in_turn() {
    assert_eq!(spread(Strategy::RoundRobin).await, ([2, 2, 2], [3, 3, 3]));
}

#[tokio::test]
async fn fill_first_fills_one_connection_before_the_next() {
    assert_eq!(spread(Strategy::FillFirst).await, ([0, 2, 4], [0, 0, 9]));
}

/// A transport whose every write keeps its thread busy, as the TLS of a fast connection may.
struct Laborious(TcpStream);

impl AsyncRead for Laborious {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Laborious {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The streams are never used up here: what is used up is the thread that the connection's task runs on. On one thread,
/// a second connection would have nothing to run on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_task_is_always_busy_gets_another_beside_it() {
    let server = TestServer::start().await;
    let address = server.address().unwrap();
    let pool = Pool::builder(server.uri())
        .max_connections(8)
        .connector(move |_: Target| async move { TcpStream::connect(address).await.map(Laborious) })
        .build()
        .unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let pool = pool.clone();
        callers.spawn(async move {
            loop {
                burst(&pool, 1, lasting(0)).await;
            }
        });
    }
    until(&pool, |stats| stats.connections.len() == 2).await;
    assert_eq!(server.stats().refused, 0);
}

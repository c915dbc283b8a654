//! How many connections there are at least and at most, when that is asked for, and when it changes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pool_runtime::{Overflow, Pool, PoolState, Target};
use tests::server::TestServer;
use tests::within;
use tokio::net::TcpStream;

use super::{Client, Log, apart, burst, hang, lasting, no_task_is_left, refusing, until};

#[tokio::test]
async fn connect_opens_the_minimum_and_a_lazy_pool_nothing() {
    let server = TestServer::start().await;
    let lazy = Pool::builder(server.uri()).min_connections(3).build().unwrap();
    assert_eq!(lazy.stats().state, PoolState::Idle);
    let warm = Pool::builder(server.uri()).min_connections(3).connect().await.unwrap();
    assert_eq!(
        (warm.stats().connections.len(), warm.stats().state),
        (3, PoolState::Ready)
    );
    // What the lazy one had opened would have come first.
    assert_eq!(
        server.until(|stats| stats.connections_now >= 3).await.connections_total,
        3
    );

    Client::new(lazy.clone()).unary(lasting(0)).await.unwrap();
    until(&lazy, |stats| stats.connections.len() == 3).await;
    assert_eq!(
        server.until(|stats| stats.connections_now >= 6).await.connections_total,
        6
    );
}

#[tokio::test]
async fn a_default_pool_connects_once() {
    let server = TestServer::start().await;
    let pool = Pool::connect(server.uri()).await.unwrap();
    assert_eq!(pool.stats().connections.len(), 1);
    let lazy = Pool::connect_lazy(server.uri()).unwrap();
    assert_eq!(lazy.stats().connections.len(), 0);
    assert_eq!(server.stats().connections_total, 1);
}

#[tokio::test]
async fn the_minimum_is_restored_when_connections_die() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).min_connections(3).connect().await.unwrap();
    server.until(|stats| stats.connections_now == 3).await;
    server.cut_all();
    server.until(|stats| stats.connections_total == 6).await;
    until(&pool, |stats| stats.connections.len() == 3).await;
}

#[tokio::test]
async fn the_maximum_is_never_exceeded() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(2).max_concurrent_streams(1);
    for reply in burst(&pool.build().unwrap(), 30, lasting(5)).await {
        reply.unwrap();
    }
    let stats = server.stats();
    assert_eq!((stats.connections_total, stats.streams_peak), (2, 2));
}

#[tokio::test]
async fn ready_opens_as_many_connections_as_it_is_asked_for() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    for (wanted, there) in [(4, 4), (2, 4), (0, 4), (10, 10)] {
        within("ready", pool.ready(wanted)).await.unwrap();
        assert_eq!(pool.stats().connections.len(), there, "after ready({wanted})");
    }
    server.until(|stats| stats.connections_total == 10).await;
}

#[tokio::test]
async fn ready_says_why_it_will_not_be() {
    let (_refusing, uri) = refusing();
    let pool = Pool::builder(uri).max_connections(3).build().unwrap();

    let error = pool.ready(4).await.unwrap_err();
    assert!(
        error.is_config() && error.to_string().contains("max_connections: is 3"),
        "{error}"
    );
    assert_eq!(pool.stats().failed_dials, 0, "it did not try");

    let error = within("an unreachable endpoint", pool.ready(1)).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    assert!(format!("{error:?}").contains("refused"), "{error:?}");

    pool.close();
    assert!(pool.ready(1).await.unwrap_err().is_closed());
}

#[tokio::test]
async fn ready_is_told_when_the_pool_is_closed() {
    let server = TestServer::builder().silent().start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    let ready = tokio::spawn({
        let pool = pool.clone();
        async move { pool.ready(1).await }
    });
    server.until(|stats| stats.connections_now == 1).await;
    pool.close();
    assert!(within("ready", ready).await.unwrap().unwrap_err().is_closed());
}

/// Opens two TCP connections to `server`, and no third.
fn no_third(server: &TestServer) -> impl pool_runtime::Connector {
    let address = server.address().unwrap();
    let dials = AtomicUsize::new(0);
    move |_: Target| {
        let dial = dials.fetch_add(1, Ordering::Relaxed);
        async move {
            match dial {
                0 | 1 => TcpStream::connect(address).await,
                _ => Err(std::io::Error::other("the third is one too many")),
            }
        }
    }
}

#[test]
fn a_connect_that_fails_tells_its_cause_and_leaves_nothing_open() {
    apart(TestServer::builder(), async |server| {
        let pool = Pool::builder(server.uri())
            .min_connections(4)
            .connector(no_third(server));
        let error = within("connect", pool.connect()).await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        assert!(format!("{error:?}").contains("the third is one too many"), "{error:?}");
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
    });
}

#[tokio::test]
async fn raising_the_maximum_serves_those_who_wait() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(1);
    let pool = pool.build().unwrap();
    let first = hang(&server, &pool, 1).await;
    let others = tokio::spawn({
        let pool = pool.clone();
        async move { burst(&pool, 2, lasting(0)).await }
    });
    until(&pool, |stats| stats.waiting == 2).await;
    pool.resize(0, 3).unwrap();
    for reply in within("the others", others).await.unwrap() {
        reply.unwrap();
    }
    assert!((2..=3).contains(&server.stats().connections_total));
    drop(first);
}

#[tokio::test]
async fn raising_the_minimum_opens_connections() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).build().unwrap();
    pool.resize(2, 5).unwrap();
    server.until(|stats| stats.connections_now == 2).await;
    until(&pool, |stats| {
        stats.connections.len() == 2 && stats.max_connections == 5
    })
    .await;
}

#[tokio::test]
async fn lowering_the_maximum_closes_idle_connections_and_cuts_nothing() {
    let server = TestServer::start().await;
    let log = Log::default();
    let pool = Pool::builder(server.uri())
        .max_concurrent_streams(1)
        .observer(log.clone());
    let pool = pool.build().unwrap();
    pool.ready(4).await.unwrap();
    server.until(|stats| stats.connections_now == 4).await;
    let calls = tokio::spawn({
        let pool = pool.clone();
        async move { burst(&pool, 3, lasting(300)).await }
    });
    server.until(|stats| stats.streams_now == 3).await;
    let is_idle = |&connection: &usize| log.count(&format!("checked out {connection}")) == 0;
    let idle = (1..=4).find(is_idle).expect("three calls on four connections");

    pool.resize(0, 1).unwrap();
    server.until(|stats| stats.connections_now == 3).await;
    assert_eq!(server.stats().streams_now, 3, "the calls go on");
    for reply in within("the calls", calls).await.unwrap() {
        reply.unwrap();
    }
    until(&pool, |stats| stats.connections.len() == 1).await;
    server.until(|stats| stats.connections_now == 1).await;
    assert_eq!(log.count("draining"), 3);
    let first = log.lines().into_iter().find(|line| line.starts_with("draining"));
    assert_eq!(
        first,
        Some(format!("draining {idle}: the maximum was lowered")),
        "{:?}",
        log.lines()
    );
    assert_eq!(pool.stats().cut, 0);
}

#[tokio::test]
async fn bounds_that_mean_nothing_are_refused_and_change_nothing() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(7).build().unwrap();
    for (min, max, field) in [(0, 0, "max_connections"), (3, 2, "min_connections")] {
        let error = pool.resize(min, max).unwrap_err();
        assert!(error.is_config() && error.to_string().contains(field), "{error}");
        assert_eq!(pool.stats().max_connections, 7);
    }
    assert_eq!(server.stats().connections_total, 0);
}

#[tokio::test]
async fn strict_overflow_has_the_surplus_wait() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(1);
    let pool = pool.overflow(Overflow::Strict).build().unwrap();
    let first = pool.acquire().await.unwrap();
    let second = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await }
    });
    until(&pool, |stats| stats.waiting == 1).await;
    drop(first);
    let second = within("the second", second).await.unwrap().unwrap();
    assert_eq!((second.connection_id(), server.stats().connections_total), (1, 1));
}

#[tokio::test]
async fn loose_overflow_opens_bounded_extra_connections_that_close_when_given_back() {
    let server = TestServer::start().await;
    let log = Log::default();
    let pool = Pool::builder(server.uri())
        .max_connections(1)
        .max_concurrent_streams(1)
        .overflow(Overflow::Loose { max_extra: 2 })
        .observer(log.clone())
        .build()
        .unwrap();
    for reply in burst(&pool, 20, lasting(20)).await {
        reply.unwrap();
    }
    let stats = server.until(|stats| stats.connections_now == 1).await;
    assert_eq!((stats.connections_peak, stats.streams_total), (3, 20));
    until(&pool, |stats| stats.connections.len() == 1).await;
    let surplus = log.lines().iter().filter(|line| line.ends_with("given back")).count();
    assert_eq!(surplus, stats.connections_total - 1, "{:?}", log.lines());

    // The one that is left is within the maximum and stays.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(server.stats().connections_now, 1);
}

/// "No limit" is a limit for what is asked for: no number of connections is dialled that memory cannot hold.
#[tokio::test]
async fn more_connections_than_can_be_are_refused() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(usize::MAX).build().unwrap();
    let error = pool.ready(usize::MAX).await.unwrap_err();
    assert!(error.to_string().contains("max_connections"), "{error}");
    for (min, max) in [(usize::MAX, usize::MAX), (65_536, usize::MAX)] {
        let error = pool.resize(min, max).unwrap_err();
        assert!(error.to_string().contains("min_connections"), "{error}");
    }
    pool.resize(0, usize::MAX).unwrap();
    assert!(pool.ready(65_536).await.is_err());
    assert_eq!(server.stats().connections_total, 0);
}

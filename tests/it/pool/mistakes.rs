//! What earlier pools did wrong when they were run, one test each: it does not happen here.
//!
//! The table in the documents points at these by name. Where another module goes into the matter, the test here is
//! the shortest form of it.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pool_runtime::{Error, Event, Overflow, Pool, Target};
use tests::pb::test_service_client::TestServiceClient;
use tests::server::TestServer;
use tests::within;
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::{Client, Log, apart, burst, hang, lasting, no_task_is_left, poll_once, refusing, until};

/// A pool with one slot in all.
async fn one_slot(server: &TestServer) -> Pool {
    let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(1);
    pool.connect().await.unwrap()
}

#[tokio::test]
async fn use_after_close_is_an_error() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).await;
    pool.close();
    assert!(pool.acquire().await.unwrap_err().is_closed());
    let status = Client::new(pool).unary(lasting(0)).await.unwrap_err();
    assert!(Error::of(&status).unwrap().is_closed());
}

#[tokio::test]
async fn a_waiter_at_close_gets_an_error() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).await;
    let _held = pool.acquire().await.unwrap();
    let mut waiter = pin!(pool.acquire());
    assert!(poll_once(waiter.as_mut()).is_pending());
    pool.close();
    assert!(within("the waiter", waiter).await.unwrap_err().is_closed());
}

#[tokio::test]
async fn a_background_dial_that_fails_harms_nobody() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).min_connections(1).connect().await.unwrap();
    server.close_listener().await;
    pool.resize(3, 3).unwrap();
    until(&pool, |stats| stats.failed_dials > 0).await;
    Client::new(pool).unary(lasting(0)).await.unwrap();
}

#[tokio::test]
async fn a_waiter_that_timed_out_swallows_no_connection() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .max_connections(1)
        .max_concurrent_streams(1)
        .acquire_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    // The timeout is no time to connect in.
    within("the connection", pool.ready(1)).await.unwrap();
    let held = pool.acquire().await.unwrap();
    assert!(pool.acquire().await.unwrap_err().is_timeout());
    drop(held);
    pool.try_acquire().unwrap();
}

#[tokio::test]
async fn a_dial_error_reaches_the_caller() {
    let (_refusing, uri) = refusing();
    let pool = Pool::builder(uri).build().unwrap();
    let error = within("the error", pool.acquire()).await.unwrap_err();
    assert!(
        error.is_connect() && format!("{error:?}").contains("refused"),
        "{error:?}"
    );
}

#[tokio::test]
async fn every_kind_of_error_is_returned_by_something() {
    let server = TestServer::start().await;
    let (_refusing, uri) = refusing();
    let kinds = |error: &Error| {
        let predicates = [
            Error::is_config,
            Error::is_connect,
            Error::is_exhausted,
            Error::is_timeout,
            Error::is_closed,
        ];
        predicates.map(|is| is(error))
    };
    let config = Pool::builder("nothing").build().unwrap_err();
    assert_eq!(kinds(&config), [true, false, false, false, false], "{config}");
    let connect = Pool::connect(uri).await.unwrap_err();
    assert_eq!(kinds(&connect), [false, true, false, false, false], "{connect}");

    let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(1);
    let pool = pool.acquire_timeout(Duration::from_millis(10)).build().unwrap();
    within("the connection", pool.ready(1)).await.unwrap();
    let _held = pool.acquire().await.unwrap();
    let exhausted = pool.try_acquire().unwrap_err();
    assert_eq!(kinds(&exhausted), [false, false, true, false, false], "{exhausted}");
    let timeout = pool.acquire().await.unwrap_err();
    assert_eq!(kinds(&timeout), [false, false, true, true, false], "{timeout}");
    pool.close();
    let closed = pool.acquire().await.unwrap_err();
    assert_eq!(kinds(&closed), [false, false, false, false, true], "{closed}");
}

#[tokio::test]
async fn ten_uses_one_after_the_other_make_one_dial() {
    let server = TestServer::start().await;
    let pool = Pool::connect_lazy(server.uri()).unwrap();
    let client = Client::new(pool.clone());
    for _ in 0..5 {
        client.unary(lasting(0)).await.unwrap();
        drop(pool.acquire().await.unwrap());
    }
    let stats = pool.stats();
    assert_eq!(
        (stats.checkouts, stats.opened, server.stats().connections_total),
        (10, 1, 1)
    );
}

#[test]
fn waiting_costs_no_task() {
    apart(TestServer::builder(), async |server| {
        let pool = one_slot(server).await;
        let _held = pool.acquire().await.unwrap();
        let before = Handle::current().metrics().num_alive_tasks();
        let mut waiters: Vec<_> = (0..100).map(|_| Box::pin(pool.acquire())).collect();
        for waiter in &mut waiters {
            assert!(poll_once(waiter.as_mut()).is_pending());
        }
        assert_eq!(pool.stats().waiting, 100);
        assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
        drop(waiters);
        assert_eq!(pool.stats().waiting, 0);
    });
}

#[tokio::test]
async fn a_connection_that_is_always_busy_reaches_its_maximum_age() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .max_lifetime(Duration::from_millis(50))
        .build()
        .unwrap();
    let _busy = hang(&server, &pool, 1).await;
    server.until(|stats| stats.connections_total >= 2).await;
    assert_eq!(server.stats().connections[0].streams_now, 1, "the call goes on");
}

#[tokio::test]
async fn a_limit_of_four_is_four() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(4);
    for reply in burst(&pool.build().unwrap(), 100, lasting(1)).await {
        reply.unwrap();
    }
    assert_eq!(server.stats().streams_peak, 4);
}

#[tokio::test]
async fn a_slot_is_handed_out_once() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).await;
    let held = pool.acquire().await.unwrap();
    let (mut first, mut second) = (pin!(pool.acquire()), pin!(pool.acquire()));
    assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
    drop(held);
    let first = within("the slot", first).await.unwrap();
    assert!(poll_once(second.as_mut()).is_pending());
    assert_eq!(pool.stats().in_flight, 1);
    drop(first);
    within("the slot", second).await.unwrap();
}

#[tokio::test]
async fn a_slot_comes_back_once_however_it_is_given_back() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(2);
    let pool = pool.build().unwrap();
    let other = pool.acquire().await.unwrap();
    let lease = pool.acquire().await.unwrap();
    let mut client = TestServiceClient::new(lease);
    let response = client.server_stream(lasting(0)).await.unwrap();
    drop(client);
    drop(response);
    until(&pool, |stats| stats.in_flight == 1).await;

    // Of a connection that is gone already.
    server.cut_all();
    until(&pool, |stats| stats.closed == 1).await;
    drop(other);
    assert_eq!(pool.stats().in_flight, 0);
    let _both = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    assert!(pool.try_acquire().is_err(), "two of two are taken");
}

#[test]
fn a_limit_of_zero_is_refused() {
    let target = "http://127.0.0.1:1";
    let no_stream = Pool::builder(target).max_concurrent_streams(0).build().unwrap_err();
    assert!(no_stream.to_string().contains("max_concurrent_streams"), "{no_stream}");
    let no_connection = Pool::builder(target).max_connections(0).build().unwrap_err();
    assert!(no_connection.to_string().contains("max_connections"), "{no_connection}");
}

#[tokio::test]
async fn a_dial_holds_no_lock() {
    let server = TestServer::start().await;
    let address = server.address().unwrap();
    let dials = AtomicUsize::new(0);
    let pool = Pool::builder(server.uri())
        .max_concurrent_streams(1)
        .connector(move |_: Target| {
            let is_first = dials.fetch_add(1, Relaxed) == 0;
            async move {
                if !is_first {
                    std::future::pending::<()>().await;
                }
                TcpStream::connect(address).await
            }
        })
        .build()
        .unwrap();
    let held = pool.acquire().await.unwrap();
    let mut waiter = pin!(pool.acquire());
    assert!(poll_once(waiter.as_mut()).is_pending());
    until(&pool, |stats| stats.dialing == 1).await;
    assert!(pool.try_acquire().is_err());
    pool.resize(0, 9).unwrap();
    drop(held);
    within("the connection that is up", waiter).await.unwrap();
    Client::new(pool.clone()).unary(lasting(0)).await.unwrap();
    assert_eq!(pool.stats().dialing, 1, "still");
}

#[tokio::test]
async fn overflow_is_bounded() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(2).max_concurrent_streams(1);
    let pool = pool.overflow(Overflow::Loose { max_extra: 1 }).build().unwrap();
    for reply in burst(&pool, 50, lasting(2)).await {
        reply.unwrap();
    }
    assert_eq!(server.stats().connections_peak, 3);
}

#[test]
fn an_idle_timeout_of_zero_is_refused() {
    let pool = Pool::builder("http://127.0.0.1:1").idle_timeout(Duration::ZERO);
    let error = pool.build().unwrap_err();
    assert!(error.to_string().contains("idle_timeout"), "{error}");
}

#[tokio::test]
async fn giving_back_past_the_maximum_does_not_block() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_concurrent_streams(1).build().unwrap();
    let mut leases = Vec::new();
    for _ in 0..5 {
        leases.push(pool.acquire().await.unwrap());
    }
    pool.resize(0, 1).unwrap();
    // Nothing else runs while they are dropped: a drop that waits for somebody would wait for ever.
    drop(leases);
    until(&pool, |stats| stats.connections.len() == 1).await;
    server.until(|stats| stats.connections_now == 1).await;
}

#[test]
fn a_start_that_fails_leaves_nothing_open_and_tells_the_cause() {
    apart(TestServer::builder(), async |server| {
        let address = server.address().unwrap();
        let dials = AtomicUsize::new(0);
        let pool = Pool::builder(server.uri())
            .min_connections(3)
            .connector(move |_: Target| {
                let is_first = dials.fetch_add(1, Relaxed) == 0;
                async move {
                    match is_first {
                        true => TcpStream::connect(address).await,
                        false => Err(std::io::Error::other("no more than one")),
                    }
                }
            });
        let error = within("the start", pool.connect()).await.unwrap_err();
        assert!(format!("{error:?}").contains("no more than one"), "{error:?}");
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
    });
}

#[tokio::test]
async fn an_expired_connection_is_not_handed_out() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .max_lifetime(Duration::from_millis(30))
        .build()
        .unwrap();
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(pool.acquire().await.unwrap().connection_id());
        until(&pool, |stats| stats.connections.is_empty()).await;
    }
    assert_eq!(connections, [1, 2, 3]);
}

#[tokio::test]
async fn the_maximum_bounds_busy_and_idle_connections_together() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .max_connections(3)
        .max_concurrent_streams(1)
        .build()
        .unwrap();
    pool.ready(3).await.unwrap();
    let _busy = hang(&server, &pool, 2).await;
    for reply in burst(&pool, 20, lasting(1)).await {
        reply.unwrap();
    }
    assert_eq!(
        (server.stats().connections_total, server.stats().connections_peak),
        (3, 3)
    );
}

#[tokio::test]
async fn a_cancelled_caller_leaks_no_slot() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).await;
    for _ in 0..3 {
        drop(hang(&server, &pool, 1).await);
        until(&pool, |stats| stats.in_flight == 0).await;
        server.until(|stats| stats.streams_now == 0).await;
    }
    let mut waiter = Box::pin(pool.acquire());
    let held = pool.try_acquire().unwrap();
    assert!(poll_once(waiter.as_mut()).is_pending());
    drop(waiter);
    drop(held);
    pool.try_acquire().unwrap();
}

#[test]
fn draining_does_not_spin() {
    apart(TestServer::builder(), async |server| {
        let log = Log::default();
        let pool = Pool::builder(server.uri()).observer(log.clone()).build().unwrap();
        let calls = hang(server, &pool, 2).await;
        pool.close();
        let busy = || Handle::current().metrics().worker_total_busy_duration(0);
        let (before, began) = (busy(), Instant::now());
        tokio::time::sleep(Duration::from_millis(300)).await;
        let share = (busy() - before).as_secs_f64() / began.elapsed().as_secs_f64();
        assert!(share < 0.5, "busy for {share} of the time");
        drop(calls);
        no_task_is_left().await;
        assert_eq!(log.count("draining"), 1);
    });
}

/// Observers are the user's code: one that panics harms neither the pool nor the other observers.
#[tokio::test]
async fn observers_may_panic() {
    let server = TestServer::start().await;
    let seen = Log::default();
    let pool = Pool::builder(server.uri())
        .observer(|_: &Event<'_>| panic!("as told"))
        .observer(seen.clone())
        .max_concurrent_streams(2)
        .max_connections(2)
        .build()
        .unwrap();
    for reply in burst(&pool, 10, lasting(5)).await {
        reply.unwrap();
    }
    assert_eq!((seen.count("opened"), seen.count("returned")), (2, 10));
    until(&pool, |stats| stats.in_flight == 0).await;
    within("the shutdown", pool.shutdown(Duration::from_secs(1))).await;
    assert_eq!(seen.count("closed"), 2);
}

//! The queue of callers: who is next, how many there may be, how long they wait, and what those take along that
//! give up.

use std::io::ErrorKind;
use std::pin::pin;
use std::time::{Duration, Instant};

use pool_runtime::{Builder, Error, Lease, Phase, Pool, Target};
use tests::fault::{Conn, FaultServer, cases};
use tests::server::TestServer;
use tests::within;
use tokio::task::JoinHandle;
use tonic::{Code, Request};

use super::{Client, Log, hang, lasting, poll_once, until};

/// A pool with one slot in all.
fn one_slot(server: &TestServer) -> Builder {
    Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(1)
}

/// Starts a caller, and returns once it is in the queue.
async fn queued(pool: &Pool) -> JoinHandle<Result<Lease, Error>> {
    let place = pool.stats().waiting + 1;
    let caller = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await }
    });
    until(pool, |stats| stats.waiting == place).await;
    caller
}

#[tokio::test]
async fn the_longest_waiting_caller_is_served_first() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).build().unwrap();
    let mut held = pool.acquire().await.unwrap();
    let mut callers = Vec::new();
    for _ in 0..10 {
        callers.push(queued(&pool).await);
    }
    for (place, caller) in callers.into_iter().enumerate() {
        assert!(!caller.is_finished(), "caller {place} was served before its turn");
        drop(held);
        held = within("its turn", caller).await.unwrap().unwrap();
        assert_eq!(pool.stats().waiting, 9 - place);
    }
}

#[tokio::test]
async fn one_waiter_too_many_is_turned_away_at_once() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).max_waiters(2).build().unwrap();
    let _held = pool.acquire().await.unwrap();
    let _waiting = [queued(&pool).await, queued(&pool).await];

    let error = within("no wait", pool.acquire()).await.unwrap_err();
    assert!(error.is_exhausted() && !error.is_timeout(), "{error}");
    assert_eq!(error.phase(), Some(Phase::Waiting));
    assert!(error.to_string().contains("max_waiters"), "{error}");

    let status = Client::new(pool.clone()).unary(lasting(0)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(!Error::of(&status).unwrap().was_sent());
    assert_eq!(pool.stats().refused, 2);
}

#[tokio::test]
async fn without_waiters_a_full_pool_turns_away_and_a_ready_one_serves() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).max_waiters(0).build().unwrap();
    pool.ready(1).await.unwrap();
    let held = pool.acquire().await.unwrap();
    assert!(pool.acquire().await.unwrap_err().is_exhausted());
    drop(held);
    pool.acquire().await.unwrap();
}

#[tokio::test]
async fn a_wait_ends_with_the_acquire_timeout() {
    const TIMEOUT: Duration = Duration::from_millis(50);
    let server = TestServer::start().await;
    let pool = one_slot(&server).acquire_timeout(TIMEOUT).build().unwrap();
    within("the connection", pool.ready(1)).await.unwrap();
    let held = pool.acquire().await.unwrap();

    let began = Instant::now();
    let error = within("acquire_timeout", pool.acquire()).await.unwrap_err();
    assert!(began.elapsed() >= TIMEOUT);
    assert!(error.is_exhausted() && error.is_timeout(), "{error}");
    assert_eq!(error.phase(), Some(Phase::Waiting));
    assert!(error.to_string().contains("acquire_timeout"), "{error}");

    let status = Client::new(pool.clone()).unary(lasting(0)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_eq!(pool.stats().waiting, 0);
    drop(held);
    pool.try_acquire().unwrap();
}

#[tokio::test]
async fn a_call_waits_no_longer_than_its_deadline() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).build().unwrap();
    let _held = pool.acquire().await.unwrap();
    let mut request = Request::new(lasting(0));
    request.set_timeout(Duration::from_millis(50));
    let status = within("the deadline", Client::new(pool.clone()).unary(request)).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    let error = Error::of(&status).unwrap();
    assert_eq!((error.phase(), error.was_sent()), (Some(Phase::Waiting), false));
    assert_eq!(server.stats().streams_total, 0);
}

#[tokio::test]
async fn a_cancelled_waiter_lets_the_next_one_pass() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).build().unwrap();
    let held = pool.acquire().await.unwrap();
    let first = queued(&pool).await;
    let second = queued(&pool).await;
    first.abort();
    until(&pool, |stats| stats.waiting == 1).await;
    drop(held);
    within("the second", second).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_slot_on_its_way_to_a_cancelled_waiter_goes_to_the_next() {
    let server = TestServer::start().await;
    let log = Log::default();
    let pool = one_slot(&server).observer(log.clone()).build().unwrap();
    let held = pool.acquire().await.unwrap();
    let mut second = Box::pin(pool.acquire());
    {
        let mut first = pin!(pool.acquire());
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        drop(held);
        // The slot is the first one's now, who never looks.
        assert_eq!(pool.stats().waiting, 1);
        assert!(poll_once(second.as_mut()).is_pending());
    }
    let lease = within("the second", second).await.unwrap();
    assert_eq!((pool.stats().in_flight, pool.stats().waiting), (1, 0));
    drop(lease);
    assert_eq!(pool.stats().in_flight, 0);
    assert_eq!(log.count("gave up"), 1);
}

#[tokio::test]
async fn cancelled_calls_leave_no_slot_taken_and_reach_nobody_while_they_wait() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).build().unwrap();
    let running = hang(&server, &pool, 1).await;
    let client = Client::new(pool.clone());
    for _ in 0..5 {
        let mut waiting = pin!(client.unary(lasting(0)));
        assert!(poll_once(waiting.as_mut()).is_pending());
    }
    assert_eq!(pool.stats().waiting, 0);
    drop(running);
    server.until(|stats| stats.streams_now == 0).await;
    client.unary(lasting(0)).await.unwrap();
    assert_eq!(server.stats().streams_total, 2, "the five were never sent");
}

#[tokio::test]
async fn try_acquire_takes_what_is_free_and_waits_for_nothing() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).build().unwrap();
    // A cold pool has nothing free, and starts to open a connection.
    assert!(pool.try_acquire().unwrap_err().is_exhausted());
    until(&pool, |stats| stats.connections.len() == 1).await;
    let lease = pool.try_acquire().unwrap();
    let error = pool.try_acquire().unwrap_err();
    assert!(error.is_exhausted() && !error.is_timeout(), "{error}");
    drop(lease);
    pool.try_acquire().unwrap();
    assert_eq!((server.stats().connections_total, pool.stats().waiting), (1, 0));
}

#[tokio::test]
async fn try_acquire_does_not_overtake_those_who_wait() {
    let server = TestServer::start().await;
    let pool = one_slot(&server).build().unwrap();
    let held = pool.acquire().await.unwrap();
    let mut waiter = pin!(pool.acquire());
    assert!(poll_once(waiter.as_mut()).is_pending());
    drop(held);
    assert!(pool.try_acquire().unwrap_err().is_exhausted());
    waiter.await.unwrap();
}

/// Nothing is full where no connection is up: UNAVAILABLE, which policies name, and not RESOURCE_EXHAUSTED.
#[tokio::test]
async fn a_wait_for_the_first_connection_is_unavailable() {
    let server = FaultServer::start(cases::silent).await;
    let pool = Pool::builder(server.uri()).acquire_timeout(Duration::from_millis(20));
    let client = Client::new(pool.build().unwrap());
    let status = within("acquire_timeout", client.unary(lasting(0))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let error = Error::of(&status).unwrap();
    assert_eq!((error.phase(), error.is_timeout()), (Some(Phase::Connecting), true));
}

/// gRPC's wait-for-ready ends with the deadline; without one it waits as long as it takes.
#[tokio::test(start_paused = true)]
async fn wait_for_ready_outlasts_the_acquire_timeout() {
    #[pool_runtime::pooled_client(tests::pb::test_service_client::TestServiceClient, wait_for_ready)]
    struct Patient;

    const HOUR: Duration = Duration::from_secs(3_600);
    for (deadline, is_served) in [(None, true), (Some(2 * HOUR), true), (Some(HOUR / 2), false)] {
        let server = FaultServer::start(|mut conn: Conn| async move {
            conn.handshake(&[]).await?;
            conn.serve().await
        })
        .await;
        let entrance = server.entrance();
        let began = tokio::time::Instant::now();
        let connector = move |_: Target| {
            let transport = (began.elapsed() >= HOUR).then(|| entrance.pipe(1 << 16));
            std::future::ready(transport.ok_or(std::io::Error::from(ErrorKind::ConnectionRefused)))
        };
        let pool = Pool::builder("http://peer.test")
            .connector(connector)
            .acquire_timeout(Duration::from_secs(1))
            .deadline(deadline);
        let client = Patient::new(pool.build().unwrap());
        match (client.unary(lasting(0)).await, is_served) {
            (Ok(_), true) => assert!(began.elapsed() >= HOUR),
            (Err(status), false) => {
                assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
                assert_eq!(began.elapsed().as_secs(), HOUR.as_secs() / 2);
            }
            (result, _) => panic!("deadline {deadline:?}: {result:?}"),
        }
    }
}

//! Attempts side by side: when there is another, which one wins, and what becomes of the rest.

use std::sync::Arc;
use std::time::Duration;

use h2::Reason;
use pool_runtime::{CallOptions, Codes, Error, Event, HedgingPolicy, Pool};
use tests::fault::{Conn, FaultServer};
use tests::pb::Script;
use tests::pb::test_service_client::TestServiceClient;
use tests::server::TestServer;
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::{Code, Request};

use super::Step::{Fail, Hang, PushBack, Reply};
use super::{Client, Extra, NEVER, echo, failing, hedge, pool_in_memory, pool_of, previous, scripted, steps};
use crate::calls::{endless, eventually, facts, idle, one_slot};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Waits until `cancelled` attempts were reset by the client and nothing is in flight any more.
async fn check_cancelled(server: &FaultServer, pool: &Pool, cancelled: usize) {
    let stats = server
        .until(|stats| stats.cancelled == cancelled && stats.streams_now == 0)
        .await;
    let resets: Vec<_> = stats
        .connections
        .iter()
        .flat_map(|connection| &connection.resets)
        .collect();
    assert_eq!(resets, vec![&Reason::CANCEL; cancelled]);
    idle(pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_attempt_is_overtaken_and_cancelled() {
    for streaming in [false, true] {
        let (server, log) = steps([Hang, Hang, Reply]).await;
        let extra = Extra::default();
        let pool = extra.watch(pool_in_memory(&server)).build().unwrap();
        let client = Client::new(&pool, hedge(4, MS(20)));
        let began = Instant::now();
        let reply = match streaming {
            false => client.unary(echo()).await.unwrap().into_inner(),
            true => {
                let mut replies = client.server_stream(echo()).await.unwrap().into_inner();
                let reply = replies.message().await.unwrap().unwrap();
                assert!(replies.message().await.unwrap().is_none());
                reply
            }
        };
        assert!(began.elapsed() >= MS(40));
        assert_eq!(reply.payload, b"payload");
        assert_eq!(log.previous(), previous([0, 1, 2]));
        check_cancelled(&server, &pool, 2).await;
        assert_eq!(pool.stats().hedged, 2);
        let seen = extra.seen();
        assert_eq!(seen.iter().map(|seen| seen.0).collect::<Vec<_>>(), [2, 3]);
        assert!(seen[0].1 >= MS(20) && seen[1].1 >= MS(40), "{seen:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_answered_in_time_is_not_hedged() {
    let server = TestServer::start().await;
    let pool = pool_of(&server);
    let client = Client::new(&pool, hedge(5, NEVER));
    let reply = client.unary(echo()).await.unwrap().into_inner();
    assert_eq!((reply.previous_attempts, server.stats().streams_total), (None, 1));
    assert_eq!(pool.stats().hedged, 0);
    idle(&pool).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_all_attempts_begin_at_once() {
    let (server, log) = steps([Hang, Hang, Reply]).await;
    let pool = pool_in_memory(&server).build().unwrap();
    pool.ready(1).await.unwrap();
    Client::new(&pool, hedge(3, MS(0))).unary(echo()).await.unwrap();
    assert_eq!(log.previous(), previous([0, 1, 2]));
    check_cancelled(&server, &pool, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_not_fatal_sends_the_next_at_once() {
    let (server, log) = steps([Fail(Code::Unavailable), Fail(Code::Unavailable), Reply]).await;
    let pool = pool_in_memory(&server).build().unwrap();
    Client::new(&pool, hedge(3, NEVER)).unary(echo()).await.unwrap();
    assert_eq!(log.previous(), previous([0, 1, 2]));
    idle(&pool).await;
}

#[tokio::test(start_paused = true)]
async fn when_all_attempts_fail_the_last_failure_is_the_calls() {
    let (server, log) = steps([Fail(Code::Unavailable); 9]).await;
    let pool = pool_in_memory(&server).build().unwrap();
    // More than five count as five.
    let status = Client::new(&pool, hedge(7, MS(1))).unary(echo()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message(), log.len()),
        (Code::Unavailable, "as told", 5)
    );
    let error = Error::of(&status).unwrap();
    assert!(error.is_answer() && error.was_sent());
    assert_eq!(error.attempts(), 5);
    idle(&pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_fatal_failure_cancels_the_rest() {
    let (server, log) = steps([Hang, Fail(Code::Internal)]).await;
    let pool = pool_in_memory(&server).build().unwrap();
    let status = Client::new(&pool, hedge(5, MS(10))).unary(echo()).await.unwrap_err();
    assert_eq!((status.code(), log.len()), (Code::Internal, 2));
    assert_eq!(Error::of(&status).unwrap().attempts(), 2);
    check_cancelled(&server, &pool, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_pushback_moves_the_next_attempt_or_forbids_it() {
    let (server, log) = steps([PushBack("60"), Reply]).await;
    let began = Instant::now();
    let pool = pool_in_memory(&server).build().unwrap();
    Client::new(&pool, hedge(3, NEVER)).unary(echo()).await.unwrap();
    assert!(began.elapsed() >= MS(60));
    assert_eq!(log.previous(), previous([0, 1]));

    let (server, log) = steps([PushBack("-1")]).await;
    let pool = pool_in_memory(&server).build().unwrap();
    let status = Client::new(&pool, hedge(3, NEVER)).unary(echo()).await.unwrap_err();
    assert_eq!((status.code(), log.len()), (Code::Unavailable, 1));
}

#[tokio::test]
async fn a_hedge_neither_waits_for_a_slot_nor_opens_a_connection() {
    let server = TestServer::start().await;
    let slow = scripted(Script {
        delay_ms: 100,
        ..Script::default()
    });
    for delay in [MS(0), MS(5)] {
        let pool = one_slot(&server);
        Client::new(&pool, hedge(5, delay)).unary(slow.clone()).await.unwrap();
        let stats = pool.stats();
        assert_eq!(
            (stats.hedged, stats.opened, stats.checkouts, stats.refused),
            (0, 1, 1, 0)
        );
    }
    // The only attempt under way does wait: it is the call itself.
    let pool = one_slot(&server);
    let request = scripted(failing(1, Code::Unavailable));
    let reply = Client::new(&pool, hedge(2, NEVER)).unary(request).await.unwrap();
    assert_eq!(reply.into_inner().attempt, 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_streams_is_not_hedged() {
    let (server, _log) = steps([Hang]).await;
    let pool = pool_in_memory(&server).build().unwrap();
    let client = Client::new(&pool, hedge(5, MS(1))).with_deadline(MS(150));
    let status = client.client_stream(endless()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!((server.stats().streams_total, pool.stats().hedged), (1, 0));
    idle(&pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_over_a_lease_is_not_hedged() {
    let (server, log) = steps([Hang, Reply]).await;
    let pool = pool_in_memory(&server).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    let policy = HedgingPolicy::new(2, MS(1), Codes::UNAVAILABLE).unwrap();
    let mut request = Request::new(echo());
    request.set_timeout(MS(150));
    request.extensions_mut().insert(CallOptions::new().hedge(policy));
    let status = TestServiceClient::new(lease).unary(request).await.unwrap_err();
    assert_eq!((status.code(), log.len()), (Code::DeadlineExceeded, 1));
    assert_eq!(pool.stats().hedged, 0);
    idle(&pool).await;
}

/// Of two attempts on one connection the second is refused, and its slot goes to another call.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_finds_no_room_again_leaves_the_others_alone() {
    let (refuse, refused) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (go_on, gave_up) = (refuse.clone(), refused.clone());
    let server = FaultServer::start(move |mut conn: Conn| {
        let (go_on, gave_up) = (go_on.clone(), gave_up.clone());
        async move {
            conn.handshake(&[]).await?;
            let first = conn.next_request().await?;
            let second = conn.next_request().await?.stream;
            go_on.notified().await;
            conn.refuse(second).await?;
            conn.next_request().await?;
            gave_up.notified().await;
            conn.reply(&first).await?;
            conn.until_closed().await
        }
    })
    .await;
    let pool = pool_in_memory(&server)
        .max_connections(1)
        .max_concurrent_streams(2)
        .acquire_timeout(MS(50))
        .observer(move |event: &Event<'_>| {
            if let Event::GaveUp { .. } = event {
                refused.notify_one();
            }
        })
        .build()
        .unwrap();
    let hedged = Client::new(&pool, hedge(2, MS(1)));
    let call = tokio::spawn(async move { hedged.unary(echo()).await });
    server.until(|stats| stats.streams_now == 2).await;
    let other = Client::new(&pool, hedge(2, NEVER));
    let other = tokio::spawn(async move { other.unary(echo()).await });
    eventually("the other call to wait", || pool.stats().waiting == 1).await;
    refuse.notify_one();
    call.await.unwrap().unwrap();
    other.abort();
}

#[tokio::test]
async fn a_delay_of_for_ever_overflows_no_clock() {
    let server = TestServer::start().await;
    let pool = pool_of(&server);
    Client::new(&pool, hedge(2, Duration::MAX)).unary(echo()).await.unwrap();
    assert_eq!(pool.stats().hedged, 0);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_all_attempts() {
    let (server, log) = steps([Hang; 3]).await;
    let pool = pool_in_memory(&server).build().unwrap();
    let client = Client::new(&pool, hedge(3, MS(10))).with_deadline(MS(200));
    let status = client.unary(echo()).await.unwrap_err();
    assert_eq!((status.code(), log.len()), (Code::DeadlineExceeded, 3));
    let (_, was_sent, attempts) = facts(&status);
    assert!(was_sent && attempts == 3, "{status:?}");
    check_cancelled(&server, &pool, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_hedged_call_that_is_dropped_cancels_all_its_attempts() {
    let (server, _log) = steps([Hang; 3]).await;
    let pool = pool_in_memory(&server).build().unwrap();
    let client = Client::new(&pool, hedge(3, MS(1)));
    let call = tokio::spawn(async move { client.unary(echo()).await });
    server.until(|stats| stats.streams_now == 3).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    check_cancelled(&server, &pool, 3).await;
}

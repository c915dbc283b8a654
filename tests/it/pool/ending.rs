//! The end of a pool: what is finished, what is cut, who is told, and that nothing is left.

use std::time::{Duration, Instant};

use pool_runtime::{Pool, PoolState, ShutdownReport};
use tests::pb::Script;
use tests::pb::test_service_client::TestServiceClient;
use tests::server::TestServer;
use tests::within;
use tonic::Code;

use super::{
    Client, Log, apart, apart_on, burst, hang, hanging, lasting, no_task_is_left, poll_once, scripted, two_threads,
    until,
};

fn finished_and_cut(report: ShutdownReport) -> (u64, u64) {
    (report.finished, report.cut)
}

#[test]
fn a_shutdown_lets_calls_finish_and_cuts_what_is_left_after_the_grace() {
    apart(TestServer::builder(), async |server| {
        let pool = Pool::builder(server.uri()).max_concurrent_streams(2).build().unwrap();
        let mut hanging = hang(server, &pool, 1).await;
        let calls = tokio::spawn({
            let pool = pool.clone();
            async move { burst(&pool, 3, lasting(200)).await }
        });
        server.until(|stats| stats.streams_now == 4).await;

        let grace = Duration::from_millis(1000);
        let began = Instant::now();
        let report = within("shutdown", pool.shutdown(grace)).await;
        assert!(began.elapsed() >= grace);
        assert_eq!(finished_and_cut(report), (3, 1));
        for reply in calls.await.unwrap() {
            reply.unwrap();
        }
        let status = hanging.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.message().contains("the pool was closed"), "{status}");
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
    });
}

/// Calls that are cut give their slots back on other threads, and must be counted before they do.
#[test]
fn a_shutdown_counts_each_call_that_it_cuts() {
    apart_on(two_threads(), TestServer::builder(), async |server| {
        for _ in 0..20 {
            let pool = Pool::builder(server.uri()).max_concurrent_streams(8).build().unwrap();
            let calls = hang(server, &pool, 16).await;
            let report = within("shutdown", pool.shutdown(Duration::ZERO)).await;
            assert_eq!(finished_and_cut(report), (0, 16));
            assert!(calls.join_all().await.iter().all(Result::is_err));
            server.until(|stats| stats.connections_now == 0).await;
        }
    });
}

#[test]
fn a_shutdown_without_calls_does_not_wait_out_its_grace() {
    apart(TestServer::builder(), async |server| {
        let pool = Pool::builder(server.uri()).min_connections(3).connect().await.unwrap();
        let began = Instant::now();
        let report = within("shutdown", pool.shutdown(Duration::from_secs(3600))).await;
        assert_eq!(finished_and_cut(report), (0, 0));
        assert!(began.elapsed() < Duration::from_secs(10));
        // The report comes when connections are gone; their tasks have nothing left to do but to end.
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
        let again = within("a second time", pool.shutdown(Duration::ZERO)).await;
        assert_eq!(finished_and_cut(again), (0, 0));
    });
}

#[test]
fn a_shutdown_that_nobody_waits_for_goes_on() {
    apart(TestServer::builder(), async |server| {
        let pool = Pool::builder(server.uri()).build().unwrap();
        let mut calls = hang(server, &pool, 1).await;
        {
            let mut shutdown = std::pin::pin!(pool.shutdown(Duration::from_millis(50)));
            assert!(poll_once(shutdown.as_mut()).is_pending());
        }
        assert!(pool.is_closed());
        within("the cut", calls.join_next())
            .await
            .unwrap()
            .unwrap()
            .unwrap_err();
        no_task_is_left().await;
    });
}

#[tokio::test]
async fn after_close_everything_says_closed() {
    let server = TestServer::start().await;
    let pool = Pool::connect(server.uri()).await.unwrap();
    let log = Log::default();
    let watched = Pool::builder(server.uri())
        .observer(log.clone())
        .connect()
        .await
        .unwrap();
    for pool in [&pool, &watched] {
        assert!(!pool.is_closed());
        pool.close();
        pool.close();
        assert!(pool.is_closed());
        assert!(pool.acquire().await.unwrap_err().is_closed());
        assert!(pool.try_acquire().unwrap_err().is_closed());
        assert!(pool.ready(1).await.unwrap_err().is_closed());
        pool.resize(3, 5).unwrap();
        let status = Client::new(pool.clone()).unary(lasting(0)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("the pool is closed"), "{status}");
        assert_eq!(pool.stats().state, PoolState::Shutdown);
    }
    until(&watched, |stats| stats.connections.is_empty()).await;
    server.until(|stats| stats.connections_now == 0).await;
    assert_eq!(
        (log.count("draining"), log.count("closed")),
        (1, 1),
        "{:?}",
        log.lines()
    );
    assert_eq!(server.stats().connections_total, 2, "nothing was opened after the end");
}

#[tokio::test]
async fn those_who_wait_are_told_of_the_close() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(1);
    let pool = pool.build().unwrap();
    let held = pool.acquire().await.unwrap();
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { burst(&pool, 5, lasting(0)).await }
    });
    until(&pool, |stats| stats.waiting == 5).await;
    pool.close();
    for reply in within("those who wait", waiting).await.unwrap() {
        assert!(pool_runtime::Error::of(&reply.unwrap_err()).unwrap().is_closed());
    }
    assert_eq!((pool.stats().waiting, pool.stats().in_flight), (0, 1));
    drop(held);
}

#[test]
fn a_dial_under_way_ends_with_the_pool() {
    apart(TestServer::builder().silent(), async |server| {
        let pool = Pool::builder(server.uri()).build().unwrap();
        let _ = pool.try_acquire();
        server.until(|stats| stats.connections_now == 1).await;
        pool.close();
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
    });
}

#[test]
fn a_lease_may_outlive_its_pool() {
    apart(TestServer::builder(), async |server| {
        let pool = Pool::connect(server.uri()).await.unwrap();
        let lease = pool.acquire().await.unwrap();
        drop(pool);
        let mut client = TestServiceClient::new(lease);
        client.unary(lasting(0)).await.unwrap();
        assert_eq!(server.stats().connections_now, 1);
        drop(client);
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
    });
}

#[test]
fn a_response_may_outlive_its_pool() {
    apart(TestServer::builder(), async |server| {
        let client = Client::new(Pool::connect(server.uri()).await.unwrap());
        let script = Script {
            replies: 3,
            interval_ms: 50,
            ..Script::default()
        };
        let mut replies = client.server_stream(scripted(script)).await.unwrap().into_inner();
        drop(client);
        for index in 0..3 {
            assert_eq!(replies.message().await.unwrap().unwrap().index, index);
        }
        assert!(replies.message().await.unwrap().is_none());
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
    });
}

#[test]
fn a_close_cuts_at_the_end_of_the_drain_timeout() {
    apart(TestServer::builder(), async |server| {
        let drain = Duration::from_millis(50);
        let pool = Pool::builder(server.uri()).drain_timeout(drain).build().unwrap();
        let mut calls = hang(server, &pool, 2).await;
        let began = Instant::now();
        pool.close();
        while let Some(call) = within("the cut", calls.join_next()).await {
            assert_eq!(call.unwrap().unwrap_err().code(), Code::Unavailable);
        }
        assert!(began.elapsed() >= drain);
        no_task_is_left().await;
    });
}

#[test]
fn dropping_the_last_handle_closes_the_pool() {
    apart(TestServer::builder(), async |server| {
        let pool = Pool::builder(server.uri()).min_connections(2).connect().await.unwrap();
        let client = Client::new(pool.clone());
        drop(pool);
        client.unary(lasting(0)).await.unwrap();
        assert!(!client.pool().is_closed(), "a client is a handle");
        drop(client);
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
    });
}

#[test]
fn a_pool_dropped_with_calls_under_way_leaves_nothing_once_they_are_gone() {
    apart(TestServer::builder(), async |server| {
        let pool = Pool::builder(server.uri()).build().unwrap();
        let client = TestServiceClient::new(pool.clone());
        let mut call = Box::pin({
            let mut client = client.clone();
            async move { client.unary(hanging()).await }
        });
        tokio::select! {
            _ = &mut call => panic!("it hangs"),
            _ = server.until(|stats| stats.streams_now == 1) => {}
        }
        drop((pool, client));
        assert_eq!(server.stats().connections_now, 1);
        drop(call);
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
    });
}

//! What a caller learns of a failure: from the server untouched, from the pool with all that it knows.

use std::error::Error as _;
use std::time::Duration;

use pool_runtime::{Backoff, Error, Phase, Pool};
use tests::fault::{FaultServer, cases};
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Failure, Script, TestRequest};
use tests::server::TestServer;
use tonic::{Code, Status};

use super::{Caller, Client, client, connected, echo, eventually, facts, hanging, idle, scripted};

fn failing(code: Code, after: u32) -> TestRequest {
    scripted(Script {
        failure: Some(Failure {
            code: code.into(),
            message: "as told: 100 % naïve".into(),
            after,
        }),
        replies: after,
        trailers: [
            ("x-tail".into(), "t".into()),
            ("grpc-status-details-bin".into(), "AAH/".into()),
        ]
        .into(),
        ..Script::default()
    })
}

/// Checks that `status` is the server's, and that nobody has touched it.
#[track_caller]
fn check_untouched(status: &Status, code: Code) {
    assert_eq!((status.code(), status.message()), (code, "as told: 100 % naïve"));
    assert_eq!(status.details(), [0, 1, 255]);
    assert_eq!(status.metadata().get("x-tail").unwrap(), "t");
    assert!(Error::of(status).is_none(), "{status:?}");
}

#[tokio::test]
async fn a_status_of_the_server_passes_through_untouched() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    for mut caller in Caller::all(&pool).await {
        for code in (1..=16).map(Code::from) {
            check_untouched(&caller.unary(failing(code, 0)).await.unwrap_err(), code);
        }
        check_untouched(
            &caller.server_stream(failing(Code::Aborted, 0)).await.unwrap_err(),
            Code::Aborted,
        );
        let mut replies = caller
            .server_stream(failing(Code::DataLoss, 2))
            .await
            .unwrap()
            .into_inner();
        assert!(replies.message().await.unwrap().is_some());
        assert!(replies.message().await.unwrap().is_some());
        check_untouched(&replies.message().await.unwrap_err(), Code::DataLoss);
        let requests = tokio_stream::iter([failing(Code::NotFound, 0)]);
        check_untouched(&caller.client_stream(requests).await.unwrap_err(), Code::NotFound);
        let requests = tokio_stream::iter([failing(Code::Internal, 1), echo()]);
        let mut replies = caller.bidi(requests).await.unwrap().into_inner();
        assert!(replies.message().await.unwrap().is_some());
        check_untouched(&replies.message().await.unwrap_err(), Code::Internal);
    }
    idle(&pool).await;
    // None of them was a reason to try again or to give up the connection.
    assert_eq!(server.stats().connections_total, 1);
    assert_eq!(pool.stats().cut, 0);
}

/// The causes of the pool's error in `status`, as text.
fn causes(status: &Status) -> String {
    let mut text = String::new();
    let mut cause = Error::of(status).unwrap().source();
    while let Some(error) = cause {
        text += &format!("{error}; ");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn nobody_listening_is_a_connect_error_with_its_cause() {
    let server = TestServer::start().await;
    server.close_listener().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    // The first finds out, the second is told while the backoff runs.
    for _ in 0..2 {
        let status = Client::new(pool.clone()).unary(echo()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        let error = Error::of(&status).unwrap();
        assert!(error.is_connect() && !error.is_timeout() && !error.is_exhausted());
        assert_eq!(facts(&status), (Some(Phase::Connecting), false, 0));
        assert_eq!(error.endpoint(), server.uri());
        assert!(causes(&status).contains("refused"), "{}", causes(&status));
        assert!(status.message().contains("refused"), "{status:?}");
    }
    assert_eq!(pool.stats().failed_dials, 1);
}

#[tokio::test]
async fn a_peer_that_says_nothing_runs_into_connect_timeout_which_names_the_step() {
    for server in [
        FaultServer::start(cases::silent).await,
        FaultServer::start(cases::settings_withheld).await,
    ] {
        let pool = Pool::builder(server.uri())
            .connect_timeout(Duration::from_millis(100))
            .build()
            .unwrap();
        let status = Client::new(pool.clone()).unary(echo()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        let error = Error::of(&status).unwrap();
        assert!(error.is_connect() && error.is_timeout());
        assert_eq!(facts(&status), (Some(Phase::Connecting), false, 0));
        assert!(
            causes(&status).contains("HTTP/2 handshake") && causes(&status).contains("100ms"),
            "{}",
            causes(&status)
        );
        assert_eq!((pool.stats().failed_dials, pool.stats().opened), (1, 0));
        server.until(|stats| stats.connections_now == 0).await;
    }
}

#[tokio::test]
async fn a_full_pool_says_exhausted_by_queue_or_by_time() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .max_connections(1)
        .max_concurrent_streams(1)
        .max_waiters(1)
        .acquire_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let client = Client::new(pool.clone());
    let held = client.server_stream(hanging(1)).await.unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.unary(echo()).await }
    });
    eventually("the queue to be full", || pool.stats().waiting == 1).await;
    let turned_away = client.unary(echo()).await.unwrap_err();
    let timed_out = waiting.await.unwrap().unwrap_err();
    for (status, timeout) in [(turned_away, false), (timed_out, true)] {
        assert_eq!(status.code(), Code::ResourceExhausted);
        let error = Error::of(&status).unwrap();
        assert_eq!((error.is_exhausted(), error.is_timeout()), (true, timeout));
        assert_eq!(facts(&status), (Some(Phase::Waiting), false, 0));
    }
    assert_eq!((pool.stats().refused, server.stats().streams_total), (1, 1));
    drop(held);
    client.unary(echo()).await.unwrap();
}

#[tokio::test]
async fn a_closed_pool_says_closed() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    client.pool().close();
    for status in [
        client.unary(echo()).await.unwrap_err(),
        TestServiceClient::new(client.pool().clone())
            .unary(echo())
            .await
            .unwrap_err(),
    ] {
        assert_eq!(status.code(), Code::Unavailable);
        assert!(Error::of(&status).unwrap().is_closed());
        assert_eq!(facts(&status), (None, false, 0));
    }
    server.until(|stats| stats.connections_now == 0).await;
}

#[tokio::test]
async fn a_lost_connection_says_whether_the_request_was_sent_and_when_it_was_lost() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    // A connection on which a call has ended well was of use: another one is dialled without a pause.
    client.unary(echo()).await.unwrap();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.unary(hanging(0)).await }
    });
    server.until(|stats| stats.streams_now == 1).await;
    server.cut_all();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1));
    assert!(!Error::of(&status).unwrap().is_connect());

    let mut replies = client.server_stream(hanging(1)).await.unwrap().into_inner();
    replies.message().await.unwrap().unwrap();
    server.reset_all();
    let status = replies.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(facts(&status), (Some(Phase::Responding), true, 1));
    assert!(status.message().contains(&server.uri()), "{status:?}");
    idle(client.pool()).await;
}

#[tokio::test]
async fn a_call_that_waits_for_ready_sits_out_failed_dials() {
    #[pool_runtime::pooled_client(tests::pb::test_service_client::TestServiceClient, unary(wait_for_ready))]
    struct Patient;

    let server = TestServer::start().await;
    server.close_listener().await;
    let backoff = Backoff {
        base: Duration::from_millis(20),
        ..Backoff::default()
    };
    let pool = Pool::builder(server.uri()).backoff(backoff).build().unwrap();
    let patient = tokio::spawn({
        let patient = Patient::new(pool.clone());
        async move { patient.unary(echo()).await }
    });
    eventually("dials to fail", || pool.stats().failed_dials >= 2).await;
    assert!(!patient.is_finished());
    let status = Client::new(pool.clone()).unary(echo()).await.unwrap_err();
    assert!(Error::of(&status).unwrap().is_connect());
    server.reopen_listener().await;
    patient.await.unwrap().unwrap();
    client(server.uri()).unary(echo()).await.unwrap();
}

//! The retry budget: what takes tokens, what gives them back, and what an empty one stops.

use std::time::Duration;

use h2::Reason;
use pool_runtime::Pool;
use tests::pb::{Failure, Script};
use tests::server::TestServer;
use tonic::Code;

use super::Step::{Dismiss, Fail, Hang, Reply, Reset};
use super::{Client, NEVER, echo, failing_first, hedge, pool_in_memory, retry, scripted, steps};
use crate::calls;

/// Retries while more than two of four tokens are left; a success gives a whole one.
fn pool(uri: String) -> Pool {
    Pool::builder(uri).retry_throttling(4, 1.0).build().unwrap()
}

/// How many attempts the server sees of a call that always fails.
async fn attempts_of_a_failure(server: &TestServer, client: &Client) -> usize {
    let before = server.stats().streams_total;
    let status = client.unary(failing_first(0, Code::Unavailable)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "as told"));
    server.stats().streams_total - before
}

#[tokio::test]
async fn failures_stop_retries_and_successes_bring_them_back() {
    let server = TestServer::start().await;
    let client = Client::new(&pool(server.uri()), retry(5));
    assert_eq!(attempts_of_a_failure(&server, &client).await, 2, "from 4 to 2 tokens");
    assert_eq!(attempts_of_a_failure(&server, &client).await, 1, "from 2 to 1");
    client.unary(echo()).await.unwrap();
    client.unary(echo()).await.unwrap();
    assert_eq!(attempts_of_a_failure(&server, &client).await, 1, "from 3 to 2");
    for _ in 0..9 {
        client.unary(echo()).await.unwrap();
    }
    assert_eq!(
        attempts_of_a_failure(&server, &client).await,
        2,
        "from 4, the most, to 2"
    );
}

#[tokio::test]
async fn a_failure_that_came_too_late_for_a_retry_takes_a_token_too() {
    let server = TestServer::start().await;
    let client = Client::new(&pool(server.uri()), retry(5));
    let failure = Failure {
        code: Code::Unavailable.into(),
        message: String::new(),
        after: 1,
    };
    let script = Script {
        replies: 1,
        failure: Some(failure),
        ..Script::default()
    };
    for _ in 0..2 {
        let mut replies = client
            .server_stream(scripted(script.clone()))
            .await
            .unwrap()
            .into_inner();
        replies.message().await.unwrap();
        replies.message().await.unwrap_err();
    }
    assert_eq!(attempts_of_a_failure(&server, &client).await, 1);
    // So does what ends well.
    for _ in 0..4 {
        let mut replies = client.server_stream(echo()).await.unwrap().into_inner();
        assert!(replies.message().await.unwrap().is_none());
    }
    assert_eq!(attempts_of_a_failure(&server, &client).await, 2);
}

#[tokio::test]
async fn what_the_policy_does_not_name_replays_and_calls_without_a_policy_take_no_token() {
    let server = TestServer::start().await;
    let pool_of_server = pool(server.uri());
    let client = Client::new(&pool_of_server, retry(5));
    let plain = calls::Client::new(pool_of_server.clone());
    for _ in 0..9 {
        client.unary(failing_first(0, Code::Aborted)).await.unwrap_err();
        plain.unary(failing_first(0, Code::Unavailable)).await.unwrap_err();
    }
    assert_eq!(attempts_of_a_failure(&server, &client).await, 2);

    let step = |index| match index {
        18 => Fail(Code::Unavailable),
        index if index % 2 == 0 => Reset(Reason::REFUSED_STREAM),
        _ => Reply,
    };
    let (server, log) = steps::<20>(std::array::from_fn(step)).await;
    let pool = pool(server.uri());
    let client = Client::new(&pool, retry(5));
    for _ in 0..10 {
        client.unary(echo()).await.unwrap();
    }
    assert_eq!((log.len(), pool.stats().replayed, pool.stats().retried), (20, 9, 1));
}

#[tokio::test]
async fn a_server_that_asks_for_no_retry_takes_a_token() {
    let (server, log) = steps([Dismiss, Dismiss, Fail(Code::Unavailable)]).await;
    let client = Client::new(&pool(server.uri()), retry(5));
    for _ in 0..3 {
        client.unary(echo()).await.unwrap_err();
    }
    assert_eq!(log.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_empty_budget_leaves_a_hedged_call_its_first_attempt() {
    let unavailable = Fail(Code::Unavailable);
    let (server, log) = steps([unavailable, unavailable, unavailable, Hang]).await;
    let pool = pool_in_memory(&server).retry_throttling(4, 1.0).build().unwrap();
    let client = Client::new(&pool, hedge(5, NEVER));
    for attempts in [2, 3] {
        let status = client.unary(echo()).await.unwrap_err();
        assert_eq!((status.code(), log.len()), (Code::Unavailable, attempts));
    }
    let client = Client::new(&pool, hedge(5, Duration::from_millis(1))).with_deadline(Duration::from_millis(200));
    let status = client.unary(echo()).await.unwrap_err();
    assert_eq!((status.code(), log.len()), (Code::DeadlineExceeded, 4));
}

#[test]
fn a_budget_that_cannot_be_used_is_refused_by_name() {
    for (max_tokens, token_ratio) in [(0, 0.1), (1_001, 0.1), (10, 0.0), (10, f64::NAN), (10, -1.0)] {
        let built = Pool::builder("http://localhost")
            .retry_throttling(max_tokens, token_ratio)
            .build();
        let error = built.unwrap_err();
        assert!(
            error.is_config() && error.to_string().contains("retry_throttling"),
            "{error}"
        );
    }
}

//! gRPC's service config: given to a running pool, and built into a client (R27, gRFC A105).

use std::time::Duration;

use pool_runtime::{CallOptions, Error, Pool, pooled_client};
use tests::pb::{Failure, Script, TestRequest};
use tests::server::TestServer;
use tonic::{Code, Request, Status};

use crate::calls::{Caller, Client, echo, scripted};

/// The clients of the same proto, with `service_config.json` built into them.
pub(super) mod built {
    #![allow(missing_docs, unreachable_pub, reason = "generated code")]

    include!(concat!(env!("OUT_DIR"), "/configured/pooltest.rs"));
}

#[pooled_client(built::test_service_client::TestServiceClient)]
pub(super) struct Built;

const SERVICE: &str = r#""service": "pooltest.TestService""#;

/// A config of one entry for all methods of the service.
pub(super) fn service(fields: &str) -> String {
    format!(r#"{{"methodConfig": [{{"name": [{{{SERVICE}}}], {fields}}}]}}"#)
}

fn pool(server: &TestServer, json: impl Into<String>) -> Pool {
    Pool::builder(server.uri()).service_config(json).build().unwrap()
}

fn refused(outcome: Result<impl Sized, Error>, expected: &str) {
    let Err(error) = outcome else {
        panic!("accepted, not refused with {expected}")
    };
    assert!(error.is_config());
    let text = error.to_string();
    assert!(text.contains(&format!("service_config: {expected}")), "{text}");
}

/// The whole seconds of the timeout that the server was told, rounded up.
pub(super) fn seconds(told: Option<u64>) -> Option<u64> {
    told.map(|ms| ms.div_ceil(1_000))
}

fn unreachable(code: Code, outcome: Result<impl Sized, Status>, what: &str) {
    match outcome {
        Ok(_) => panic!("{what}: nobody listens there"),
        Err(status) => assert_eq!(status.code(), code, "{what}: {status}"),
    }
}

#[tokio::test]
async fn a_timeout_holds_for_calls_of_every_client() {
    let server = TestServer::start().await;
    let pool = pool(&server, service(r#""timeout": "7s""#));
    for mut caller in Caller::all(&pool).await {
        let reply = caller.unary(echo()).await.unwrap().into_inner();
        assert_eq!(seconds(reply.timeout_ms), Some(7));
        let script = Script {
            replies: 1,
            ..Script::default()
        };
        let mut replies = caller.server_stream(scripted(script)).await.unwrap().into_inner();
        let reply = replies.message().await.unwrap().unwrap();
        assert_eq!(seconds(reply.timeout_ms), Some(7));
    }
}

#[tokio::test]
async fn a_method_is_found_by_its_name_its_service_or_the_default() {
    let server = TestServer::start().await;
    let client = Client::new(pool(
        &server,
        format!(
            r#"{{"methodConfig": [
                {{"name": [{{"service": "pooltest.Other"}}], "timeout": "3s"}},
                {{"name": [{{{SERVICE}, "method": "Read"}}], "timeout": "4s"}},
                {{"name": [{{}}], "timeout": "60s"}}
            ]}}"#
        ),
    ));
    let read = client.read(echo()).await.unwrap().into_inner();
    assert_eq!(seconds(read.timeout_ms), Some(4));
    // More than the pool's default, which is for calls of which nothing is said.
    let unary = client.unary(echo()).await.unwrap().into_inner();
    assert_eq!(seconds(unary.timeout_ms), Some(60));
}

#[tokio::test]
async fn messages_over_a_limit_fail_for_every_client() {
    let server = TestServer::start().await;
    let pool = pool(
        &server,
        service(r#""maxRequestMessageBytes": 100, "maxResponseMessageBytes": 200"#),
    );
    let large = TestRequest {
        payload: vec![1; 101],
        script: None,
    };
    let asking = |reply_size, replies| {
        scripted(Script {
            reply_size,
            replies,
            ..Script::default()
        })
    };
    for mut caller in Caller::all(&pool).await {
        caller.unary(asking(100, 0)).await.unwrap();
        let status = caller.unary(large.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let requests = tokio_stream::iter([echo(), large.clone()]);
        let status = caller.client_stream(requests).await.unwrap_err();
        assert!(is_oversize(&status), "{status}");
        let status = caller.unary(asking(201, 0)).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let mut replies = caller.server_stream(asking(201, 2)).await.unwrap().into_inner();
        let status = replies.message().await.unwrap_err();
        assert!(is_oversize(&status), "{status}");
    }
    server.until(|stats| stats.streams_now == 0).await;
}

/// tonic's codec, which annotated clients use for streams, says OUT_OF_RANGE.
fn is_oversize(status: &Status) -> bool {
    matches!(status.code(), Code::ResourceExhausted | Code::OutOfRange)
}

#[tokio::test]
async fn a_call_waits_for_a_connection_if_the_config_says_so() {
    let server = TestServer::start().await;
    server.close_listener().await;
    let pool = pool(&server, service(r#""waitForReady": true, "timeout": "0.3s""#));
    let mut plain = tests::pb::test_service_client::TestServiceClient::new(pool.clone());
    let client = Client::new(pool);
    unreachable(Code::DeadlineExceeded, client.unary(echo()).await, "annotated");
    unreachable(Code::DeadlineExceeded, plain.unary(echo()).await, "plain");
    let mut impatient = Request::new(echo());
    impatient
        .extensions_mut()
        .insert(CallOptions::new().wait_for_ready(false));
    unreachable(Code::Unavailable, client.unary(impatient).await, "per call");
}

#[tokio::test]
async fn a_config_that_cannot_be_followed_is_refused_and_the_old_one_stays() {
    let server = TestServer::start().await;
    let invalid = r#"{"methodConfig": [{}, {"retryPolicy": {"maxAttempts": 1}}]}"#;
    let problem = "methodConfig[1].retryPolicy.initialBackoff is missing";
    refused(Pool::builder(server.uri()).service_config(invalid).build(), problem);
    refused(
        Pool::builder(server.uri()).service_config("{").build(),
        "line 1, column 1",
    );

    let pool = pool(&server, service(r#""timeout": "7s""#));
    let client = Client::new(pool.clone());
    let told = async || seconds(client.unary(echo()).await.unwrap().into_inner().timeout_ms);
    assert_eq!(told().await, Some(7));
    refused(pool.set_service_config(invalid), problem);
    assert_eq!(told().await, Some(7));
    pool.set_service_config(&service(r#""timeout": "9s""#)).unwrap();
    assert_eq!(told().await, Some(9));
    pool.set_service_config("{}").unwrap();
    assert_eq!(told().await, Some(30));
}

#[tokio::test]
async fn a_service_may_ask_for_fewer_connections_and_not_for_more() {
    let scaling = |most: usize| format!(r#"{{"connectionScaling": {{"maxConnectionsPerSubchannel": {most}}}}}"#);
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .min_connections(2)
        .max_connections(4)
        .service_config(scaling(1))
        .connect()
        .await
        .unwrap();
    let most = || pool.stats().max_connections;
    assert_eq!(most(), 1);
    pool.set_service_config(&scaling(9)).unwrap();
    assert_eq!(most(), 4);
    // What was kept below its minimum by the config goes there.
    server.until(|stats| stats.connections_now == 2).await;
    pool.set_service_config(&scaling(3)).unwrap();
    pool.resize(0, 8).unwrap();
    assert_eq!(most(), 3);
    pool.set_service_config("{}").unwrap();
    assert_eq!(most(), 8);
}

#[tokio::test]
async fn what_is_built_in_holds_without_a_word_in_the_program() {
    let server = TestServer::start().await;
    let client = Built::connect(server.uri()).await.unwrap();
    assert_eq!(client.pool().stats().max_connections, 3);
    let unary = client.unary(echo()).await.unwrap().into_inner();
    assert_eq!(seconds(unary.timeout_ms), Some(7));
    let read = client.read(echo()).await.unwrap().into_inner();
    assert_eq!(seconds(read.timeout_ms), Some(5));
    let large = TestRequest {
        payload: vec![1; 101],
        script: None,
    };
    assert_eq!(
        client.read(large.clone()).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    client.unary(large).await.unwrap();
    let lazy = Built::connect_lazy(server.uri()).unwrap();
    assert_eq!(lazy.pool().stats().max_connections, 3);
}

#[tokio::test]
async fn what_is_built_in_of_the_pool_yields_to_the_running_config() {
    let server = TestServer::start().await;
    let scaling = r#"{"connectionScaling": {"maxConnectionsPerSubchannel": 5}}"#;
    let builder = || Built::pool_builder(server.uri()).idle_timeout(Duration::from_secs(9));
    let most = |pool: Result<Pool, Error>| pool.unwrap().stats().max_connections;
    assert_eq!(most(builder().build()), 3);
    assert_eq!(most(builder().max_connections(2).build()), 2);
    assert_eq!(most(builder().service_config(scaling).build()), 5);
    // A pool that nobody told knows nothing of it.
    assert_eq!(most(Pool::builder(server.uri()).build()), 10);
}

#[tokio::test]
async fn the_retry_budget_follows_the_config() {
    let throttling = |ratio: &str| {
        format!(
            r#"{{"retryThrottling": {{"maxTokens": 4, "tokenRatio": {ratio}}},
                "methodConfig": [{{"name": [{{}}], "retryPolicy": {{
                    "maxAttempts": 5,
                    "initialBackoff": "0.001s",
                    "maxBackoff": "0.001s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": [10]
                }}}}]}}"#
        )
    };
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .retry_throttling(1_000, 1.0)
        .service_config(throttling("0.001"))
        .build()
        .unwrap();
    let client = Client::new(pool.clone());
    let attempts = async || {
        let failure = Failure {
            code: Code::Aborted.into(),
            ..Failure::default()
        };
        let before = server.stats().streams_total;
        let script = Script {
            failure: Some(failure),
            ..Script::default()
        };
        client.unary(scripted(script)).await.unwrap_err();
        server.stats().streams_total - before
    };
    assert_eq!(attempts().await, 2, "from 4 tokens to 2");
    assert_eq!(attempts().await, 1, "from 2 to 1");
    client.unary(echo()).await.unwrap();
    assert_eq!(attempts().await, 1, "from 1.001 to 0.001");
    pool.set_service_config(&throttling("4")).unwrap();
    client.unary(echo()).await.unwrap();
    assert_eq!(attempts().await, 2, "full again, and to 2");
}

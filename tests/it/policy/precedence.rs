//! Of what is stated in several places, the nearest statement holds, and of limits the smallest (R27). The whole table
//! is beside the code (`precedence.rs` of pool-runtime); here every level is one that a user can write.

use std::time::Duration;

use pool_runtime::{CallOptions, Codes, Pool, RetryPolicy, pooled_client};
use tests::pb::{Failure, Script, TestRequest};
use tests::server::TestServer;
use tonic::{Code, IntoRequest, Request};

use super::config::{Built, built, seconds, service};
use crate::calls::{Client, scripted};

/// Over the same config as [`Built`], with words of its own.
#[pooled_client(
    built::test_service_client::TestServiceClient,
    deadline = "6s",
    unary(retry(max_attempts = 3, initial_backoff = "1ms", max_backoff = "1ms", codes(INTERNAL))),
    read(deadline = "4s", retry = "none")
)]
struct Stated;

/// The same, by the one word that holds for all.
#[pooled_client(built::test_service_client::TestServiceClient, retry = "none")]
struct Calm;

fn failing(key: &str, code: Code) -> TestRequest {
    let failure = Failure {
        code: code as i32,
        ..Failure::default()
    };
    scripted(Script {
        key: key.to_owned(),
        failure: Some(failure),
        ..Script::default()
    })
}

/// How many attempts the server has seen of the call with this key.
async fn attempts(pool: &Pool, key: &str) -> u32 {
    let script = Script {
        key: key.to_owned(),
        ..Script::default()
    };
    let mut request = Request::new(scripted(script));
    request.extensions_mut().insert(CallOptions::new().no_retry());
    let client = Built::new(pool.clone());
    client.unary(request).await.unwrap().into_inner().attempt - 1
}

fn with(options: CallOptions, message: TestRequest) -> Request<TestRequest> {
    let mut request = message.into_request();
    request.extensions_mut().insert(options);
    request
}

const RUNNING: &str = r#""retryPolicy": {
    "maxAttempts": 4,
    "initialBackoff": "0.001s",
    "maxBackoff": "0.001s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["DATA_LOSS"]
}"#;

fn policy(attempts: u32) -> RetryPolicy {
    let ms = Duration::from_millis(1);
    RetryPolicy::new(attempts, ms, ms, 1.0, Codes::NOT_FOUND).unwrap()
}

#[tokio::test]
async fn the_nearest_word_on_retries_holds() {
    let server = TestServer::start().await;
    let plain = Pool::builder(server.uri()).build().unwrap();
    let running = Pool::builder(server.uri())
        .service_config(service(RUNNING))
        .build()
        .unwrap();
    let per_call = CallOptions::new().retry(policy(5));
    let never = CallOptions::new().no_retry();
    let nothing = CallOptions::new();
    let (built, over_running) = (Built::new(plain.clone()), Built::new(running.clone()));
    let bare = Client::new(plain.clone());
    let (stated, calm) = (Stated::new(running.clone()), Calm::new(running.clone()));
    // Who calls what, with which options, how it fails, and how often the server sees it.
    macro_rules! rows {
        ($($row:literal: $client:ident.$rpc:ident($options:expr, $code:ident) = $expected:literal;)*) => {
            $({
                let request = with($options, failing($row, Code::$code));
                $client.$rpc(request).await.unwrap_err();
                assert_eq!(attempts(&plain, $row).await, $expected, $row);
            })*
        };
    }
    rows! {
        "no word at all": bare.unary(nothing, Unavailable) = 1;
        "the .proto": bare.read(nothing, Unavailable) = 3;
        "the built-in config, which has no word on it": built.unary(nothing, Unavailable) = 1;
        "the built-in config, and not the .proto": built.read(nothing, Unavailable) = 1;
        "the built-in config": built.read(nothing, Aborted) = 2;
        "the running config, and not the built-in one": over_running.read(nothing, Aborted) = 1;
        "the running config": over_running.read(nothing, DataLoss) = 4;
        "the attribute on the RPC, and not the running config": stated.unary(nothing, DataLoss) = 1;
        "the attribute on the RPC": stated.unary(nothing, Internal) = 3;
        "none, on the RPC": stated.read(nothing, DataLoss) = 1;
        "none, on the client": calm.read(nothing, DataLoss) = 1;
        "the call, and not the attribute": stated.unary(per_call, Internal) = 1;
        "the call": stated.unary(per_call, NotFound) = 5;
        "the call, where the attribute says none": stated.read(per_call, NotFound) = 5;
        "none, by the call": stated.unary(never, Internal) = 1;
    }
}

#[tokio::test]
async fn plain_tonic_clients_follow_the_running_config_and_the_call() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .service_config(service(RUNNING))
        .build()
        .unwrap();
    let mut client = tests::pb::test_service_client::TestServiceClient::new(pool.clone());
    client.unary(failing("config", Code::DataLoss)).await.unwrap_err();
    assert_eq!(attempts(&pool, "config").await, 4);
    let request = with(CallOptions::new().retry(policy(2)), failing("call", Code::NotFound));
    client.unary(request).await.unwrap_err();
    assert_eq!(attempts(&pool, "call").await, 2);
}

#[tokio::test]
async fn of_all_times_the_smallest_holds() {
    let server = TestServer::start().await;
    let running = |timeout: &str| {
        let config = service(&format!(r#""timeout": "{timeout}""#));
        Pool::builder(server.uri()).service_config(config).build().unwrap()
    };
    let echo = || scripted(Script::default());
    macro_rules! told {
        ($client:expr, $rpc:ident, $request:expr) => {
            seconds($client.$rpc($request).await.unwrap().into_inner().timeout_ms)
        };
    }
    // The built-in config says 7 s, and 5 s for `read`; the attribute 6 s, and 4 s for `read`.
    let long = Stated::new(running("60s"));
    assert_eq!(told!(long, unary, echo()), Some(6));
    assert_eq!(told!(long, read, echo()), Some(4));
    let short = Stated::new(running("3s"));
    assert_eq!(told!(short, read, echo()), Some(3));
    let mut request = Request::new(echo());
    request.set_timeout(Duration::from_secs(2));
    assert_eq!(told!(short, read, request), Some(2));
    assert_eq!(told!(Built::new(running("60s")), read, echo()), Some(5));
}

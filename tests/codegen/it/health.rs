//! A client that pool-build did not compile: its RPCs are stated by hand, or come from a descriptor set.

use pool_runtime::pooled_client;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Code;
use tonic_health::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_health::server::HealthReporter;

/// By hand, with the types of tonic-health.
#[pooled_client(
    service = "grpc.health.v1.Health",
    deadline = "10s",
    /// Asks for the status once.
    rpc Check(HealthCheckRequest) returns (HealthCheckResponse),
    rpc Watch(tonic_health::pb::HealthCheckRequest) returns (stream HealthCheckResponse),
    check(deadline = "5s", idempotent),
)]
struct Health;

mod generated {
    #![allow(unreachable_pub, clippy::all, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/health/grpc.health.v1.rs"));
}

/// From a descriptor set, with the types of tonic-health.
#[pooled_client(generated::health_client::HealthClient, check(deadline = "5s"))]
struct FromDescriptors;

/// Starts tonic-health's server; returns the target.
async fn serve() -> (String, HealthReporter) {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("shop", ServingStatus::NotServing).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the address of a bound socket");
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (format!("http://{address}"), reporter)
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn rpcs_by_hand_reach_tonic_health() {
    let (target, reporter) = serve().await;
    let health = Health::connect(target).await.expect("the server is up");
    let answer = health.check(of("")).await.expect("an answer").into_inner();
    assert_eq!(answer.status, ServingStatus::Serving as i32);
    let unknown = health.check(of("nothing")).await.expect_err("no such service");
    assert_eq!(unknown.code(), Code::NotFound);

    let mut watch = health.watch(of("shop")).await.expect("an answer").into_inner();
    for (status, next) in [
        (ServingStatus::NotServing, Some(ServingStatus::Serving)),
        (ServingStatus::Serving, None),
    ] {
        let message: Option<HealthCheckResponse> = watch.message().await.expect("the stream does not fail");
        assert_eq!(message.map(|message| message.status), Some(status as i32));
        if let Some(next) = next {
            reporter.set_service_status("shop", next).await;
        }
    }
}

#[tokio::test]
async fn a_descriptor_set_reaches_tonic_health() {
    let (target, _reporter) = serve().await;
    let health = FromDescriptors::connect(target).await.expect("the server is up");
    let answer: HealthCheckResponse = health.check(of("shop")).await.expect("an answer").into_inner();
    assert_eq!(answer.status, ServingStatus::NotServing as i32);
    let mut watch = health.watch(of("")).await.expect("an answer").into_inner();
    assert!(watch.message().await.expect("the stream does not fail").is_some());
}

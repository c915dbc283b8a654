//! What goes over the wire beside the messages: headers, metadata, compression, size limits; and what changes it.

use std::sync::{Arc, Mutex};

use pool_runtime::Pool;
use tests::fault::{Conn, FaultServer, Request as Received};
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Script, TestRequest};
use tests::server::TestServer;
use tokio_stream::StreamExt;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataValue;
use tonic::{Code, GrpcMethod, Request, Status};

use super::{Caller, Client, client, connected, echo, idle, scripted};

type Log = Arc<Mutex<Vec<Received>>>;

/// A server that keeps what it receives and echoes it.
async fn recording() -> (FaultServer, Log) {
    let log = Log::default();
    let server = FaultServer::start({
        let log = log.clone();
        move |mut conn: Conn| {
            let log = log.clone();
            async move {
                conn.handshake(&[]).await?;
                loop {
                    let request = conn.next_request().await?;
                    conn.reply(&request).await?;
                    log.lock().unwrap().push(request);
                }
            }
        }
    })
    .await;
    (server, log)
}

fn last(log: &Log) -> Received {
    log.lock().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn a_request_has_the_headers_that_grpc_asks_for() {
    let (server, log) = recording().await;
    let pool = Pool::builder(server.uri()).user_agent("shop/1.2").build().unwrap();
    for mut caller in Caller::all(&pool).await {
        caller.unary(echo()).await.unwrap();
        let request = last(&log);
        let authority = server.address().to_string();
        let expected = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", authority.as_str()),
            (":path", "/pooltest.TestService/Unary"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ];
        for (name, value) in expected {
            assert_eq!(request.header(name), Some(value), "{name}");
            assert_eq!(
                request.headers.iter().filter(|header| header.0 == name).count(),
                1,
                "{name}"
            );
        }
        let agent = request.header("user-agent").unwrap();
        assert!(agent.starts_with("shop/1.2 grpc-rust-pool/"), "{agent}");
    }
    let client = client(server.uri());
    client.unary(echo()).await.unwrap();
    assert!(last(&log).header("user-agent").unwrap().starts_with("grpc-rust-pool/"));

    let origin = "http://elsewhere:7".parse().unwrap();
    TestServiceClient::with_origin(pool, origin)
        .unary(echo())
        .await
        .unwrap();
    assert_eq!(last(&log).header(":authority"), Some("elsewhere:7"));
}

#[tokio::test]
async fn metadata_goes_both_ways_in_text_and_in_bytes() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    for mut caller in Caller::all(&pool).await {
        let script = Script {
            list_metadata: true,
            headers: [("x-head".into(), "h".into()), ("x-head-bin".into(), "AAH/".into())].into(),
            trailers: [("x-tail".into(), "t".into())].into(),
            ..Script::default()
        };
        let mut request = Request::new(scripted(script));
        request.metadata_mut().insert("x-text", "text".parse().unwrap());
        request
            .metadata_mut()
            .insert_bin("x-bytes-bin", MetadataValue::from_bytes(&[0, 255]));
        let response = caller.unary(request).await.unwrap();
        assert_eq!(response.metadata().get("x-head").unwrap(), "h");
        assert_eq!(
            response.metadata().get_bin("x-head-bin").unwrap().to_bytes().unwrap(),
            &[0_u8, 1, 255][..]
        );
        // tonic adds the trailers of a unary call to its metadata.
        assert_eq!(response.metadata().get("x-tail").unwrap(), "t");
        assert_eq!(response.into_inner().metadata.get("x-text").unwrap(), "text");
    }
    let (server, log) = recording().await;
    let client = self::client(server.uri());
    let mut request = Request::new(echo());
    request
        .metadata_mut()
        .insert_bin("x-bytes-bin", MetadataValue::from_bytes(&[0, 255]));
    client.unary(request).await.unwrap();
    assert_eq!(last(&log).header("x-bytes-bin"), Some("AP8"));
}

#[derive(Clone)]
struct Tag(&'static str);

/// An interceptor that appends its name to `x-order`.
fn naming(name: &'static str) -> impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone + Send + Sync {
    move |mut request| {
        request.metadata_mut().append("x-order", name.parse().unwrap());
        Ok(request)
    }
}

#[tokio::test]
async fn interceptors_run_the_last_added_first_on_every_shape() {
    let (server, log) = recording().await;
    let client = client(server.uri())
        .with_interceptor(naming("inner"))
        .with_interceptor(naming("outer"));
    client.unary(echo()).await.unwrap();
    client
        .server_stream(echo())
        .await
        .unwrap()
        .into_inner()
        .collect::<Vec<_>>()
        .await;
    client.client_stream(tokio_stream::iter([echo()])).await.unwrap();
    client
        .bidi(tokio_stream::iter([echo()]))
        .await
        .unwrap()
        .into_inner()
        .collect::<Vec<_>>()
        .await;
    let requests = log.lock().unwrap().clone();
    assert_eq!(requests.len(), 4);
    for request in requests {
        let order: Vec<_> = request.headers.iter().filter(|header| header.0 == "x-order").collect();
        assert_eq!(
            order.iter().map(|header| header.1.as_str()).collect::<Vec<_>>(),
            ["outer", "inner"]
        );
    }
}

#[tokio::test]
async fn all_calls_share_an_interceptor() {
    struct NotClone(u32);

    let (server, log) = recording().await;
    let mut calls = NotClone(0);
    let client = client(server.uri()).with_interceptor(move |mut request: Request<()>| {
        calls.0 += 1;
        request.metadata_mut().insert("x-count", calls.0.into());
        Ok(request)
    });
    let clone = client.clone().max_decoding_message_size(1_000);
    client.unary(echo()).await.unwrap();
    clone.client_stream(tokio_stream::iter([echo()])).await.unwrap();
    client.server_stream(echo()).await.unwrap();
    clone.unary(echo()).await.unwrap();
    idle(client.pool()).await;
    let counts: Vec<_> = log
        .lock()
        .unwrap()
        .iter()
        .map(|request| request.header("x-count").unwrap().to_owned())
        .collect();
    assert_eq!(counts, ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn an_interceptor_that_refuses_is_the_callers_error_and_nothing_is_sent() {
    let server = TestServer::start().await;
    let ran = Arc::new(Mutex::new(0));
    let client = connected(server.uri())
        .await
        .with_interceptor({
            let ran = ran.clone();
            move |request: Request<()>| {
                *ran.lock().unwrap() += 1;
                Ok(request)
            }
        })
        .with_interceptor(|_: Request<()>| Err(Status::permission_denied("not you")));
    let status = client.unary(echo()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "not you"));
    assert_eq!(*ran.lock().unwrap(), 0);
    assert_eq!((client.pool().stats().checkouts, server.stats().streams_total), (0, 0));
}

#[tokio::test]
async fn an_interceptor_sees_the_extensions_and_the_method_and_can_set_the_timeout() {
    let (server, log) = recording().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let client = client(server.uri()).with_interceptor({
        let seen = seen.clone();
        move |mut request: Request<()>| {
            let tag = request.extensions().get::<Tag>().map(|tag| tag.0);
            let method = request
                .extensions()
                .get::<GrpcMethod<'_>>()
                .map(|m| format!("{}/{}", m.service(), m.method()));
            seen.lock().unwrap().push((tag, method));
            request.set_timeout(std::time::Duration::from_secs(3));
            Ok(request)
        }
    });
    let mut request = Request::new(echo());
    request.extensions_mut().insert(Tag("mine"));
    client.unary(request).await.unwrap();
    let method = Some("pooltest.TestService/Unary".to_owned());
    assert_eq!(seen.lock().unwrap()[..], [(Some("mine"), method)]);
    // Three seconds, or what was left of them when the connection was up.
    let timeout = last(&log).header("grpc-timeout").unwrap().to_owned();
    assert!(
        timeout == "3S" || timeout.starts_with('2') && timeout.ends_with('m'),
        "{timeout}"
    );
}

#[tokio::test]
async fn tonics_own_interceptors_run_over_a_pool_and_over_a_lease() {
    let (server, log) = recording().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    TestServiceClient::with_interceptor(pool.clone(), naming("pool"))
        .unary(echo())
        .await
        .unwrap();
    assert_eq!(last(&log).header("x-order"), Some("pool"));
    let lease = pool.acquire().await.unwrap();
    TestServiceClient::with_interceptor(lease, naming("lease"))
        .unary(echo())
        .await
        .unwrap();
    assert_eq!(last(&log).header("x-order"), Some("lease"));
    idle(&pool).await;
}

fn zeros(size: usize) -> TestRequest {
    TestRequest {
        payload: vec![0; size],
        script: None,
    }
}

#[tokio::test]
async fn requests_are_compressed_where_that_is_asked_for() {
    let (server, log) = recording().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    Client::new(pool.clone()).unary(zeros(100_000)).await.unwrap();
    assert_eq!((last(&log).header("grpc-encoding"), last(&log).body[0]), (None, 0));

    // The recording server reads no gzip: its reply is an empty echo.
    Client::new(pool)
        .send_compressed(Gzip)
        .unary(zeros(100_000))
        .await
        .unwrap();
    let request = last(&log);
    assert_eq!((request.header("grpc-encoding"), request.body[0]), (Some("gzip"), 1));
    assert!(request.body.len() < 1_000, "{} bytes", request.body.len());
}

#[tokio::test]
async fn compression_passes_in_both_directions() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    let plain = Client::new(pool.clone());
    let response = plain.unary(zeros(100_000)).await.unwrap();
    assert_eq!(response.metadata().get("grpc-encoding"), None);

    let annotated = Client::new(pool.clone()).send_compressed(Gzip).accept_compressed(Gzip);
    let response = annotated.unary(zeros(100_000)).await.unwrap();
    assert_eq!(response.metadata().get("grpc-encoding").unwrap(), "gzip");
    assert_eq!(response.into_inner().payload, vec![0; 100_000]);
    let requests = tokio_stream::iter([zeros(100_000), zeros(10)]);
    let replies: Vec<_> = annotated.bidi(requests).await.unwrap().into_inner().collect().await;
    assert_eq!(replies.len(), 2);

    let mut over_pool = TestServiceClient::new(pool)
        .send_compressed(Gzip)
        .accept_compressed(Gzip);
    let response = over_pool.unary(zeros(100_000)).await.unwrap();
    assert_eq!(response.metadata().get("grpc-encoding").unwrap(), "gzip");
}

#[tokio::test]
async fn a_failure_in_the_headers_is_read_whatever_encoding_they_name() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let stream = conn.next_request().await?.stream;
        let headers = [
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-encoding", "gzip"),
            ("grpc-status", "5"),
            ("grpc-message", "no such thing"),
        ];
        conn.send_headers(stream, &headers, true).await?;
        conn.until_closed().await
    })
    .await;
    let client = client(server.uri()).accept_compressed(Gzip);
    let status = client.unary(echo()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no such thing"));
    idle(client.pool()).await;
}

#[tokio::test]
async fn messages_over_the_limits_fail_the_call_and_nothing_else() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    let narrow = client
        .clone()
        .max_decoding_message_size(1_000)
        .max_encoding_message_size(2_000);
    narrow.unary(zeros(100)).await.unwrap();

    let status = narrow.unary(zeros(3_000)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let big_reply = scripted(Script {
        reply_size: 3_000,
        replies: 1,
        ..Script::default()
    });
    narrow.unary(big_reply.clone()).await.unwrap_err();
    let mut replies = narrow.server_stream(big_reply.clone()).await.unwrap().into_inner();
    replies.message().await.unwrap_err();
    drop(replies);

    idle(client.pool()).await;
    server.until(|stats| stats.streams_now == 0).await;
    assert_eq!(client.unary(big_reply).await.unwrap().into_inner().payload.len(), 3_000);
    assert_eq!(server.stats().connections_total, 1);
}

#[tokio::test]
async fn a_request_that_http2_cannot_carry_is_refused_before_it_is_sent() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    let mut request = Request::new(echo());
    request.metadata_mut().insert("connection", "close".parse().unwrap());
    let status = client.unary(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status:?}");
    assert_eq!(super::facts(&status), (Some(pool_runtime::Phase::Requesting), false, 1));
    client.unary(echo()).await.unwrap();
    idle(client.pool()).await;
    assert_eq!(server.stats().streams_total, 1);
}

//! What `TestServer` says it does and sees, it does and sees.

use std::collections::HashMap;
use std::time::Duration;

use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Failure, Script, TestReply, TestRequest};
use tests::server::TestServer;
use tests::tls::{Authority, Identity};
use tokio::io::AsyncReadExt;
use tokio_stream::StreamExt;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use super::connect;

async fn client_of(server: &TestServer) -> TestServiceClient<Channel> {
    connect(server.uri()).await.unwrap()
}

fn scripted(script: Script) -> TestRequest {
    TestRequest {
        payload: b"payload".to_vec(),
        script: Some(script),
    }
}

fn failing(code: Code, after: u32) -> Script {
    Script {
        failure: Some(Failure {
            code: code.into(),
            message: "as told".into(),
            after,
        }),
        ..Script::default()
    }
}

fn hanging() -> TestRequest {
    scripted(Script {
        hang: true,
        ..Script::default()
    })
}

fn several(count: usize) -> impl tokio_stream::Stream<Item = TestRequest> {
    tokio_stream::iter(vec![scripted(Script::default()); count])
}

async fn all(response: Result<tonic::Response<tonic::Streaming<TestReply>>, Status>) -> Vec<Result<TestReply, Code>> {
    let replies = response.unwrap().into_inner();
    replies
        .map(|reply| reply.map_err(|status| status.code()))
        .collect()
        .await
}

#[tokio::test]
async fn all_four_shapes_echo() {
    let server = TestServer::start().await;
    let mut client = client_of(&server).await;

    let reply = client.unary(scripted(Script::default())).await.unwrap().into_inner();
    assert_eq!(reply.payload, b"payload");

    let reply = client.client_stream(several(3)).await.unwrap().into_inner();
    assert_eq!((reply.payload, reply.received), (b"payload".repeat(3), 3));

    let script = Script {
        replies: 3,
        ..Script::default()
    };
    let replies = all(client.server_stream(scripted(script)).await).await;
    let indices: Vec<_> = replies.into_iter().map(|reply| reply.unwrap().index).collect();
    assert_eq!(indices, [0, 1, 2]);

    let replies = all(client.bidi(several(3)).await).await;
    let received: Vec<_> = replies.into_iter().map(|reply| reply.unwrap().received).collect();
    assert_eq!(received, [1, 2, 3]);

    let stats = server.until(|stats| stats.streams_now == 0).await;
    assert_eq!((stats.streams_total, stats.connections_total), (4, 1));
    assert_eq!(stats.cancelled, 0);
}

#[tokio::test]
async fn a_reply_tells_what_the_request_brought() {
    let server = TestServer::start().await;
    let mut client = client_of(&server).await;
    let mut request = Request::new(scripted(Script {
        reply_size: 5000,
        list_metadata: true,
        headers: HashMap::from([("x-head".into(), "h".into())]),
        trailers: HashMap::from([("x-trail".into(), "t".into())]),
        ..Script::default()
    }));
    request.set_timeout(Duration::from_secs(5));
    request
        .metadata_mut()
        .insert("grpc-previous-rpc-attempts", "2".parse().unwrap());

    let response = client.unary(request).await.unwrap();
    // tonic's client merges the trailers of a unary call into its metadata.
    assert_eq!(response.metadata().get("x-head").unwrap(), "h");
    assert_eq!(response.metadata().get("x-trail").unwrap(), "t");
    let reply = response.into_inner();
    assert_eq!(reply.payload.len(), 5000);
    assert_eq!(reply.timeout_ms, Some(5000));
    assert_eq!(reply.previous_attempts, Some(2));
    assert_eq!(reply.metadata["te"], "trailers");
    assert_eq!(reply.authority, server.address().unwrap().to_string());
    assert_eq!(reply.client, server.stats().connections[0].client);
}

#[tokio::test]
async fn a_script_fails_a_call_before_and_after_its_replies() {
    let server = TestServer::start().await;
    let mut client = client_of(&server).await;

    let mut script = failing(Code::Aborted, 0);
    script.trailers.insert("x-why".into(), "because".into());
    let status = client.unary(scripted(script)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Aborted, "as told"));
    assert_eq!(status.metadata().get("x-why").unwrap(), "because");

    let script = Script {
        replies: 5,
        ..failing(Code::DataLoss, 2)
    };
    let replies = all(client.server_stream(scripted(script)).await).await;
    assert_eq!(replies.len(), 3);
    assert_eq!(replies[2], Err(Code::DataLoss));

    let requests = tokio_stream::iter(vec![scripted(failing(Code::Internal, 1)); 3]);
    let replies = all(client.bidi(requests).await).await;
    assert_eq!(replies.len(), 2);
    assert_eq!(replies[1], Err(Code::Internal));
}

#[tokio::test]
async fn a_key_counts_attempts_and_fails_the_first_ones_only() {
    let server = TestServer::start().await;
    let mut client = client_of(&server).await;
    let script = Script {
        key: "a".into(),
        fail_first: 2,
        ..failing(Code::Unavailable, 0)
    };

    for _ in 0..2 {
        let status = client.unary(scripted(script.clone())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
    }
    let reply = client.unary(scripted(script.clone())).await.unwrap().into_inner();
    assert_eq!(reply.attempt, 3);

    let script = Script {
        key: "b".into(),
        ..script
    };
    client
        .unary(scripted(script))
        .await
        .expect_err("another key has attempts of its own");
}

#[tokio::test]
async fn streams_are_counted_while_they_last() {
    let server = TestServer::start().await;
    let client = client_of(&server).await;
    let calls: Vec<_> = (0..7)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.unary(hanging()).await })
        })
        .collect();

    let stats = server.until(|stats| stats.streams_now == 7).await;
    assert_eq!(stats.cancelled, 0);
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    let stats = server.until(|stats| stats.streams_now == 0).await;
    assert_eq!((stats.cancelled, stats.streams_peak_per_connection()), (7, 7));
    assert_eq!(stats.connections[0].resets, [h2::Reason::CANCEL; 7]);
}

#[tokio::test]
async fn what_the_announced_limit_refuses_is_counted() {
    let server = TestServer::builder().max_concurrent_streams(2).start().await;
    // A cold connection: the client takes the limit for 100 until the server's SETTINGS arrive.
    let channel = Channel::from_shared(server.uri()).unwrap().connect_lazy();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let mut client = TestServiceClient::new(channel.clone());
            tokio::spawn(async move { client.unary(hanging()).await })
        })
        .collect();

    let stats = server.until(|stats| stats.refused > 0).await;
    assert!(stats.streams_peak > 2, "{stats:?}");
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    server.until(|stats| stats.streams_now == 0).await;
}

#[tokio::test]
async fn a_drained_connection_finishes_its_calls_and_takes_no_new_ones() {
    let server = TestServer::start().await;
    let mut client = client_of(&server).await;
    let slow = scripted(Script {
        delay_ms: 200,
        ..Script::default()
    });
    let call = tokio::spawn({
        let mut client = client.clone();
        async move { client.unary(slow).await }
    });
    server.until(|stats| stats.streams_now == 1).await;
    server.drain(0);

    assert_eq!(call.await.unwrap().unwrap().into_inner().connection, 0);
    server.until(|stats| stats.connections_now == 0).await;
    let reply = client.unary(TestRequest::default()).await.unwrap().into_inner();
    assert_eq!(reply.connection, 1);
}

#[tokio::test]
async fn a_connection_is_recycled_after_its_calls_or_its_age() {
    let server = TestServer::builder().max_calls_per_connection(2).start().await;
    let mut client = client_of(&server).await;
    client.unary(TestRequest::default()).await.unwrap();
    client.unary(TestRequest::default()).await.unwrap();
    server.until(|stats| stats.connections_now == 0).await;

    let server = TestServer::builder()
        .max_connection_age(Duration::from_millis(1))
        .start()
        .await;
    let _client = client_of(&server).await;
    server
        .until(|stats| stats.connections_total == 1 && stats.connections_now == 0)
        .await;
}

#[tokio::test]
async fn a_cut_or_reset_connection_fails_its_calls() {
    for end in [TestServer::cut_all, TestServer::reset_all] {
        let server = TestServer::start().await;
        let mut client = client_of(&server).await;
        let call = tokio::spawn(async move { client.unary(hanging()).await });
        server.until(|stats| stats.streams_now == 1).await;
        end(&server);

        call.await.unwrap().expect_err("nobody is left to answer");
        server
            .until(|stats| stats.connections_now == 0 && stats.streams_now == 0)
            .await;
    }
}

#[tokio::test]
async fn a_closed_listener_refuses_and_opens_again_on_the_same_address() {
    let server = TestServer::start().await;
    let mut client = client_of(&server).await;
    server.until(|stats| stats.connections_now == 1).await;
    server.close_listener().await;
    client
        .unary(TestRequest::default())
        .await
        .expect("an open connection stays");
    connect(server.uri()).await.expect_err("nobody listens");

    server.reopen_listener().await;
    let mut client = client_of(&server).await;
    client.unary(TestRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_silent_server_accepts_and_never_answers() {
    let server = TestServer::builder().silent().start().await;
    let mut client = client_of(&server).await;
    let mut call = Box::pin(client.unary(TestRequest::default()));
    tokio::select! {
        result = &mut call => panic!("{result:?}"),
        _ = server.until(|stats| stats.connections_now == 1) => {}
    }
    drop(call);
    drop(client);
    server.until(|stats| stats.connections_now == 0).await;
}

#[tokio::test]
async fn a_unix_socket_serves_as_well_and_is_removed() {
    let path = std::env::temp_dir().join(format!("pooltest-{}.sock", std::process::id()));
    let server = TestServer::builder().unix(&path).start().await;
    let mut client = client_of(&server).await;
    let reply = client.unary(TestRequest::default()).await.unwrap().into_inner();
    assert_eq!(reply.client, "unix");
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn tls_is_for_those_who_trust_and_are_trusted() {
    let authority = Authority::new();
    let trusting =
        |authority: &Authority| ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.certificate()));
    let plain = trusting(&authority);
    let stranger = trusting(&Authority::new());
    let Identity { certificate, key } = authority.client();
    let certified = plain
        .clone()
        .identity(tonic::transport::Identity::from_pem(certificate, key));

    let call = async |server: &TestServer, tls: &ClientTlsConfig| {
        let endpoint = Endpoint::from_shared(server.uri()).unwrap().tls_config(tls.clone());
        let channel = endpoint.unwrap().connect().await.map_err(drop)?;
        let reply = TestServiceClient::new(channel).unary(TestRequest::default()).await;
        reply.map(drop).map_err(drop)
    };
    let server = TestServer::builder().tls(&authority).start().await;
    call(&server, &plain)
        .await
        .expect("the server's certificate is trusted");
    call(&server, &stranger).await.expect_err("it is not");
    let server = TestServer::builder().mutual_tls(&authority).start().await;
    call(&server, &certified).await.expect("the client shows a certificate");
    call(&server, &plain).await.expect_err("it shows none");
    server
        .until(|stats| stats.connections_now == 0 && stats.streams_total == 1)
        .await;
}

#[tokio::test]
async fn an_order_reaches_a_connection_in_every_phase() {
    let silent = TestServer::builder().silent();
    let stalled = TestServer::builder().tls(&Authority::new());
    for server in [silent, stalled, TestServer::builder()] {
        let server = server.start().await;
        let socket = tokio::net::TcpStream::connect(server.address().unwrap()).await.unwrap();
        server.until(|stats| stats.connections_now == 1).await;
        server.reset(0);
        server.until(|stats| stats.connections_now == 0).await;
        assert_eq!(end_of(socket).await, std::io::ErrorKind::ConnectionReset);
    }
}

/// Reads until the connection is reset.
async fn end_of(mut socket: tokio::net::TcpStream) -> std::io::ErrorKind {
    loop {
        match socket.read(&mut [0; 256]).await {
            Ok(0) => panic!("closed, not reset"),
            Ok(_) => {}
            Err(error) => return error.kind(),
        }
    }
}

#[tokio::test]
async fn a_stopped_server_leaves_no_task() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    {
        let server = TestServer::start().await;
        let mut client = client_of(&server).await;
        client.unary(TestRequest::default()).await.unwrap();
        let mut call = client.clone();
        let call = tokio::spawn(async move { call.unary(hanging()).await });
        server.until(|stats| stats.streams_now == 1).await;
        drop(client);
        server.stop().await;
        call.await.unwrap().unwrap_err();
    }
    // What is left are the tasks of tonic's channel, which end on their own turn.
    while tasks() > before {
        tokio::task::yield_now().await;
    }
}

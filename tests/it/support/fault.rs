//! The fault server sends what its scripts say, and tells what the client sent.

use std::time::Duration;

use h2::Reason;
use prost::Message;
use tests::fault::cases::{self, At};
use tests::fault::{Conn, FaultServer};
use tests::pb::{Script, TestReply, TestRequest};
use tests::stats::Stats;
use tests::wire::{kind, setting};
use tests::within;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::bare::{Answer, Bare, framed};
use super::connect;
use super::raw::Raw;

const UNARY: &str = "/pooltest.TestService/Unary";
const READ: &str = "/pooltest.TestService/Read";

fn request() -> TestRequest {
    TestRequest {
        payload: b"a payload to cut in half".to_vec(),
        script: None,
    }
}

/// The framed reply that a complete answer to [`request`] carries on the first connection.
fn message() -> Vec<u8> {
    let TestRequest { payload, .. } = request();
    let reply = TestReply {
        payload,
        received: 1,
        ..TestReply::default()
    }
    .encode_to_vec();
    [&[0][..], &(reply.len() as u32).to_be_bytes(), &reply].concat()
}

/// Checks that `answer` got as far as `at`, and no further.
fn check_reached(at: At, answer: &Answer, what: &str) {
    let (status, body) = match at {
        At::Start => (None, &[][..]),
        At::AfterHeaders => (Some(200), &[][..]),
        At::InsideMessage => (Some(200), &message()[..message().len() / 2]),
        At::AfterMessage => (Some(200), &message()[..]),
    };
    assert_eq!(answer.status, status, "{what} at {at:?}");
    assert_eq!(answer.body, body, "{what} at {at:?}");
    assert_eq!(answer.grpc_status, None, "{what} at {at:?}");
}

#[tokio::test]
async fn a_reset_strikes_where_it_is_told_to_and_spares_the_connection() {
    for at in At::ALL {
        for reason in [Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR] {
            let server = FaultServer::start(cases::rst(at, reason)).await;
            let mut client = Bare::connect(&server).await;
            let answer = client.call(UNARY, request()).await;
            check_reached(at, &answer, "reset");
            let error = answer.error.expect("the stream was reset");
            assert!(error.is_reset() && error.is_remote(), "{error:?}");
            assert_eq!(error.reason(), Some(reason));

            let answer = client.call(READ, request()).await;
            assert_eq!(
                (answer.grpc_status.as_deref(), &answer.body[..]),
                (Some("0"), &message()[..])
            );
            assert_eq!(server.stats().connections_total, 1);
        }
    }
}

#[tokio::test]
async fn a_connection_ends_where_it_is_told_to() {
    for at in At::ALL {
        let server = FaultServer::start(cases::eof(at)).await;
        let answer = Bare::connect(&server).await.call(UNARY, request()).await;
        check_reached(at, &answer, "end");
        assert!(answer.error.unwrap().is_io());

        let server = FaultServer::start(cases::tcp_reset(at)).await;
        let answer = Bare::connect(&server).await.call(UNARY, request()).await;
        check_reached(at, &answer, "TCP reset");
        let error = answer.error.unwrap();
        assert_eq!(error.get_io().unwrap().kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn the_interop_resets_are_those_of_their_names() {
    async fn check(server: FaultServer, at: At) {
        let answer = Bare::connect(&server).await.call(UNARY, request()).await;
        check_reached(at, &answer, "interop reset");
        assert_eq!(answer.error.unwrap().reason(), Some(Reason::NO_ERROR));
    }
    check(FaultServer::start(cases::rst_after_header).await, At::AfterHeaders).await;
    check(FaultServer::start(cases::rst_during_data).await, At::InsideMessage).await;
    check(FaultServer::start(cases::rst_after_data).await, At::AfterMessage).await;
}

#[tokio::test]
async fn goaway_answers_one_call_per_connection() {
    let server = FaultServer::start(cases::goaway).await;
    let mut client = connect(server.uri()).await.unwrap();
    for connection in 0..3 {
        let reply = client.unary(request()).await.unwrap().into_inner();
        assert_eq!(reply.connection, connection);
        server.until(|stats| stats.connections_now == 0).await;
    }
}

#[tokio::test]
async fn a_goaway_below_the_stream_tells_that_it_was_not_processed() {
    let server = FaultServer::start(cases::goaway_unprocessed(2)).await;
    for _ in 0..2 {
        let error = Bare::connect(&server).await.call(UNARY, request()).await.error.unwrap();
        assert!(error.is_go_away() && error.is_remote(), "{error:?}");
    }
    let answer = Bare::connect(&server).await.call(UNARY, request()).await;
    assert_eq!(answer.grpc_status.as_deref(), Some("0"));
}

#[tokio::test]
async fn pings_are_acknowledged_around_every_part_of_an_answer() {
    let server = FaultServer::start(cases::ping).await;
    let mut client = connect(server.uri()).await.unwrap();
    client.unary(request()).await.unwrap();
    let stats = server.stats();
    let acks = stats.frames().filter(|frame| frame.acknowledges(kind::PING));
    assert_eq!((acks.count(), &stats.connections[0].violation), (3, &None));
}

#[tokio::test]
async fn a_stream_beside_the_one_allowed_is_counted() {
    let server = FaultServer::start(cases::max_streams).await;
    let mut client = Bare::connect(&server).await;
    let answer = client.call(UNARY, request()).await;
    assert_eq!(answer.grpc_status.as_deref(), Some("0"));
    assert_eq!(client.requests.current_max_send_streams(), 1);
    assert_eq!(server.stats().streams_peak, 1);

    // hyper assumes a hundred until the SETTINGS come.
    let channel = tonic::transport::Endpoint::from_shared(server.uri())
        .unwrap()
        .connect_lazy();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let mut client = tests::pb::test_service_client::TestServiceClient::new(channel.clone());
            tokio::spawn(async move { client.unary(request()).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(server.stats().streams_peak > 1);
}

#[tokio::test]
async fn padded_messages_keep_within_the_windows_and_are_complete() {
    // Several windows' worth: each of its 2,000 frames counts 261 bytes.
    let script = Script {
        reply_size: 10_000,
        ..Script::default()
    };
    let request = TestRequest {
        script: Some(script),
        ..request()
    };
    for server in [
        FaultServer::start(cases::data_frame_padding).await,
        FaultServer::start(cases::no_df_padding_sanity_test).await,
    ] {
        let mut client = Bare::connect(&server).await;
        let answer = within("the answer", client.call(UNARY, request.clone())).await;
        assert_eq!(answer.grpc_status.as_deref(), Some("0"), "{:?}", answer.error);
        assert!(answer.body.len() > 10_000);
    }
}

#[tokio::test]
async fn padding_counts_against_the_windows() {
    let server = FaultServer::start(cases::data_frame_padding).await;
    let mut client = Raw::connect(server.address()).await;
    let script = Script {
        reply_size: 10_000,
        ..Script::default()
    };
    let request = TestRequest {
        script: Some(script),
        ..request()
    };
    client.request(UNARY, &framed(&request)).await;

    // The server reads nothing while it has something to send: once it answers the PING, which
    // was sent after the request had been read, it waits for a window.
    let mut sent = 0;
    loop {
        let (head, _) = within("a frame", client.read()).await;
        match head.kind {
            kind::HEADERS => client.send(kind::PING, 0, 0, &[0; 8]).await,
            kind::DATA => sent += head.len,
            kind::PING => break,
            _ => {}
        }
    }
    assert!((65_535 - 261..=65_535).contains(&sent), "{sent} bytes");
}

#[tokio::test]
async fn a_message_of_many_windows_arrives() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        conn.serve().await
    })
    .await;
    let script = Script {
        reply_size: 1_000_000,
        ..Script::default()
    };
    let mut client = connect(server.uri()).await.unwrap();
    let request = TestRequest {
        script: Some(script),
        payload: vec![7; 1_000_000],
    };
    let reply = within("the reply", client.unary(request)).await.unwrap().into_inner();
    assert_eq!(reply.payload.len(), 1_000_000);
}

#[tokio::test]
async fn the_first_streams_are_refused_over_all_connections() {
    let server = FaultServer::start(cases::refuse_first(3)).await;
    for _ in 0..2 {
        let mut client = Bare::connect(&server).await;
        for _ in 0..2 {
            let answer = client.call(UNARY, request()).await;
            match answer.error {
                Some(error) => assert_eq!(error.reason(), Some(Reason::REFUSED_STREAM)),
                None => assert_eq!(answer.grpc_status.as_deref(), Some("0")),
            }
        }
    }
    let stats = server.stats();
    assert_eq!((stats.refused, stats.streams_total), (3, 4));
}

#[tokio::test]
async fn the_limit_comes_late_changes_and_drops_to_nothing() {
    let limit = watch::Sender::new(None);
    let server = FaultServer::start(cases::limit_follows(limit.subscribe())).await;
    let mut client = Bare::connect(&server).await;
    let requests = client.requests.clone();
    {
        // Acknowledgements wait for the SETTINGS, which come first.
        let mut ping = Box::pin(client.ping());
        tokio::select! {
            () = &mut ping => panic!("acknowledged before the SETTINGS"),
            _ = server.until(|stats| stats.frames().any(|frame| frame.is(kind::PING))) => {}
        }
        assert_eq!(requests.current_max_send_streams(), 0);
        limit.send_replace(Some(5));
        within("the acknowledgement", ping).await;
        assert_eq!(requests.current_max_send_streams(), 5);
    }

    let acks = |stats: &Stats| stats.frames().filter(|f| f.acknowledges(kind::SETTINGS)).count();
    for (step, acks_so_far) in [7, 0, 2].into_iter().zip(1..) {
        server.until(|stats| acks(stats) == acks_so_far).await;
        limit.send_replace(Some(step));
        server.until(|stats| acks(stats) > acks_so_far).await;
        assert_eq!(requests.current_max_send_streams(), step as usize);
    }
    let answer = client.call(UNARY, request()).await;
    assert_eq!(answer.grpc_status.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_silent_peer_reads_and_a_peer_without_settings_answers_pings() {
    let server = FaultServer::start(cases::silent).await;
    let client = Bare::connect(&server).await;
    server
        .until(|stats| stats.frames().any(|frame| frame.is(kind::SETTINGS)))
        .await;
    assert_eq!(client.requests.current_max_send_streams(), 0);
    drop(client);
    server.until(|stats| stats.connections_now == 0).await;

    let server = FaultServer::start(cases::settings_withheld).await;
    let mut client = Bare::connect(&server).await;
    client.ping().await;
    assert_eq!(client.requests.current_max_send_streams(), 0);
}

#[tokio::test]
async fn answers_without_trailers_or_without_grpc_are_sent_as_such() {
    let server = FaultServer::start(cases::plain_http(502)).await;
    let answer = Bare::connect(&server).await.call(UNARY, request()).await;
    assert_eq!(
        (answer.status, answer.content_type.as_deref()),
        (Some(502), Some("text/html"))
    );
    assert!(answer.body.starts_with(b"<html>") && answer.error.is_none());

    let server = FaultServer::start(cases::no_trailers).await;
    let answer = Bare::connect(&server).await.call(UNARY, request()).await;
    assert_eq!((&answer.body[..], answer.grpc_status), (&message()[..], None));
    assert!(answer.error.is_none());
}

#[tokio::test]
async fn a_script_sees_requests_as_they_arrive() {
    let (opened, mut seen) = mpsc::unbounded_channel();
    let server = FaultServer::start(move |mut conn: Conn| {
        let opened = opened.clone();
        async move {
            conn.handshake(&[]).await?;
            opened.send(conn.next_opened().await?).unwrap();
            let request = conn.next_request().await?;
            conn.fail(request.stream, tonic::Code::Aborted, "as told").await?;
            conn.until_closed().await
        }
    })
    .await;
    let mut client = connect(server.uri()).await.unwrap();
    let (messages, stream) = mpsc::unbounded_channel();
    let requests = tokio_stream::wrappers::UnboundedReceiverStream::new(stream);
    let mut requests = tonic::Request::new(requests);
    requests.set_timeout(Duration::from_secs(9));
    let call = tokio::spawn(async move { client.client_stream(requests).await });

    let request = seen.recv().await.unwrap();
    assert_eq!(request.path(), "/pooltest.TestService/ClientStream");
    assert_eq!(request.header("grpc-timeout"), Some("9000000u"));
    assert!(!request.complete && request.body.is_empty());

    messages.send(self::request()).unwrap();
    drop(messages);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (tonic::Code::Aborted, "as told"));
}

#[tokio::test]
async fn withheld_windows_stop_the_client() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.withhold_windows();
        conn.handshake(&[(setting::INITIAL_WINDOW_SIZE, 1_000)]).await?;
        conn.until_closed().await
    })
    .await;
    let mut client = connect(server.uri()).await.unwrap();
    // The window that counts is the one of the SETTINGS: the client is to have acknowledged it.
    let acknowledged = |stats: &Stats| stats.frames().any(|f| f.acknowledges(kind::SETTINGS));
    server.until(acknowledged).await;
    let request = TestRequest {
        payload: vec![0; 5_000],
        script: None,
    };
    let call = tokio::spawn(async move { client.unary(request).await });
    let received = |stats: &Stats| -> usize {
        let data = stats.frames().filter(|frame| frame.is(kind::DATA));
        data.map(|frame| frame.head.len).sum()
    };
    server.until(|stats| received(stats) == 1_000).await;
    assert!(!call.is_finished());
    call.abort();
}

#[tokio::test]
async fn a_client_without_preface_is_a_violation() {
    let server = FaultServer::start(cases::max_streams).await;
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let violated = |stats: &Stats| stats.connections.iter().any(|c| c.violation.is_some());
    let stats = server.until(violated).await;
    assert_eq!(stats.connections[0].violation.as_deref(), Some("no HTTP/2 preface"));
}

#[tokio::test]
async fn a_stopped_fault_server_leaves_no_task() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let server = FaultServer::start(cases::silent).await;
    let socket = TcpStream::connect(server.address()).await.unwrap();
    server.until(|stats| stats.connections_now == 1).await;
    assert_eq!(tasks(), before + 2);
    server.stop().await;
    assert_eq!(tasks(), before);
    drop(socket);
}

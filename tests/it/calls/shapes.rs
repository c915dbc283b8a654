//! The four shapes of a call, and the order in which its two directions move.

use std::time::Duration;

use pool_runtime::Pool;
use tests::fault::{Conn, FaultServer};
use tests::pb::{Failure, Script, TestRequest};
use tests::server::TestServer;
use tests::within;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use super::{Caller, Client, client, connected, echo, endless, hanging, idle, one_slot, scripted};

const LARGE: usize = 5 << 20;

async fn serve(mut conn: Conn) -> std::io::Result<()> {
    conn.handshake(&[]).await?;
    conn.serve().await
}

async fn payloads(replies: Streaming<tests::pb::TestReply>) -> Vec<Vec<u8>> {
    replies.map(|reply| reply.unwrap().payload).collect().await
}

#[tokio::test]
async fn every_shape_works_through_an_annotated_client_a_pool_and_a_lease() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    for mut caller in Caller::all(&pool).await {
        let reply = caller.unary(echo()).await.unwrap().into_inner();
        assert_eq!((&reply.payload[..], reply.received), (&b"payload"[..], 1));

        let script = Script {
            replies: 3,
            ..Script::default()
        };
        let replies = caller.server_stream(scripted(script)).await.unwrap().into_inner();
        assert_eq!(payloads(replies).await, vec![b"payload"; 3]);

        let requests = tokio_stream::iter(vec![echo(); 4]);
        let reply = caller.client_stream(requests).await.unwrap().into_inner();
        assert_eq!((reply.payload, reply.received), (b"payload".repeat(4), 4));

        let requests = tokio_stream::iter(vec![echo(); 5]);
        let replies = caller.bidi(requests).await.unwrap().into_inner();
        assert_eq!(payloads(replies).await, vec![b"payload"; 5]);
    }
    idle(&pool).await;
    server.until(|stats| stats.streams_now == 0).await;
    assert_eq!(server.stats().connections_total, 1);
}

#[tokio::test]
async fn a_call_without_any_message_is_a_call() {
    let server = TestServer::start().await;
    let client = client(server.uri());
    let none = tokio_stream::empty::<TestRequest>;
    let reply = client.client_stream(none()).await.unwrap().into_inner();
    assert!(reply.payload.is_empty());
    let replies = client.bidi(none()).await.unwrap().into_inner();
    assert!(payloads(replies).await.is_empty());
    let replies = client.server_stream(echo()).await.unwrap().into_inner();
    assert!(payloads(replies).await.is_empty());
}

#[tokio::test]
async fn a_request_can_be_fed_from_the_replies() {
    let server = TestServer::start().await;
    let client = client(server.uri());
    let (sender, requests) = mpsc::channel(1);
    sender.send(echo()).await.unwrap();
    let mut replies = client.bidi(ReceiverStream::new(requests)).await.unwrap().into_inner();
    for received in 1..50 {
        let reply = within("a reply", replies.message()).await.unwrap().unwrap();
        assert_eq!(reply.received, received);
        sender.send(echo()).await.unwrap();
    }
    drop(sender);
    assert_eq!(replies.message().await.unwrap().unwrap().received, 50);
    assert!(within("the end", replies.message()).await.unwrap().is_none());
    idle(client.pool()).await;
}

#[tokio::test]
async fn a_reply_may_come_before_the_first_request() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let opened = conn.next_opened().await?;
        assert!(opened.body.is_empty());
        conn.respond(opened.stream).await?;
        conn.send_message(opened.stream, &tests::pb::TestReply::default())
            .await?;
        let request = conn.next_request().await?;
        let reply = conn.reply_to(&request);
        conn.send_message(request.stream, &reply).await?;
        conn.trailers(request.stream, Code::Ok, "").await?;
        conn.until_closed().await
    })
    .await;
    let client = client(server.uri());
    let (sender, requests) = mpsc::channel(1);
    let call = client.bidi(ReceiverStream::new(requests));
    let mut replies = within("the response", call).await.unwrap().into_inner();
    assert_eq!(replies.message().await.unwrap(), Some(tests::pb::TestReply::default()));
    sender.send(echo()).await.unwrap();
    drop(sender);
    assert_eq!(replies.message().await.unwrap().unwrap().payload, b"payload");
    assert!(replies.message().await.unwrap().is_none());
}

#[tokio::test]
async fn replies_may_wait_until_all_requests_are_sent() {
    let server = TestServer::start().await;
    let client = client(server.uri());
    let (sender, requests) = mpsc::channel(1);
    sender.send(echo()).await.unwrap();
    let replies = client.bidi(ReceiverStream::new(requests)).await.unwrap().into_inner();
    // Nobody polls the replies: the requests go out all the same.
    for _ in 0..200 {
        within("the request to be taken", sender.send(echo())).await.unwrap();
    }
    drop(sender);
    assert_eq!(payloads(replies).await.len(), 201);
}

#[tokio::test]
async fn messages_larger_than_every_window_pass_in_both_directions() {
    let server = FaultServer::start(serve).await;
    let client = client(server.uri()).max_decoding_message_size(2 * LARGE);
    let payload: Vec<u8> = (0..LARGE).map(|n| (n % 251) as u8).collect();
    let request = TestRequest {
        payload: payload.clone(),
        script: None,
    };
    let reply = within("the reply", client.unary(request.clone())).await.unwrap();
    assert!(reply.into_inner().payload == payload);

    let replies = client.bidi(tokio_stream::iter([request])).await.unwrap().into_inner();
    assert!(payloads(replies).await == [payload]);
    idle(client.pool()).await;
}

#[tokio::test]
async fn an_early_answer_ends_the_call_and_the_request_with_it() {
    // A server that is content, one that fails, and one that does not even say that it reads no more.
    let fine = FaultServer::start(|conn: Conn| answer_early(conn, Code::Ok)).await;
    let client = client(fine.uri());
    let (requests, sender) = {
        let (sender, requests) = mpsc::channel(1);
        (ReceiverStream::new(requests), sender)
    };
    let reply = within("the answer", client.client_stream(requests)).await.unwrap();
    assert_eq!(reply.into_inner().payload, b"early");
    within("the request to be let go of", sender.closed()).await;
    fine.until(|stats| stats.streams_now == 0).await;
    idle(client.pool()).await;

    let failing = FaultServer::start(|conn: Conn| answer_early(conn, Code::OutOfRange)).await;
    let client = super::client(failing.uri());
    let status = within("the answer", client.client_stream(endless())).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, "enough"));
    failing.until(|stats| stats.streams_now == 0).await;
    idle(client.pool()).await;

    let server = TestServer::start().await;
    let client = super::client(server.uri());
    let request = scripted(Script {
        failure: Some(Failure {
            code: Code::ResourceExhausted.into(),
            message: "enough".into(),
            after: 0,
        }),
        ..Script::default()
    });
    let requests = tokio_stream::once(request).chain(tokio_stream::pending());
    let status = within("the answer", client.client_stream(requests)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    server.until(|stats| stats.streams_now == 0).await;
    idle(client.pool()).await;
}

/// Answers while the request is still open, and says nothing more.
async fn answer_early(mut conn: Conn, code: Code) -> std::io::Result<()> {
    conn.handshake(&[]).await?;
    let request = conn.next_opened().await?;
    if code == Code::Ok {
        conn.respond(request.stream).await?;
        let reply = tests::pb::TestReply {
            payload: b"early".to_vec(),
            ..tests::pb::TestReply::default()
        };
        conn.send_message(request.stream, &reply).await?;
        conn.trailers(request.stream, code, "").await?;
    } else {
        conn.fail(request.stream, code, "enough").await?;
    }
    conn.until_closed().await
}

#[tokio::test]
async fn a_response_held_unread_keeps_its_slot_until_it_is_dropped() {
    let server = TestServer::start().await;
    let pool = one_slot(&server);
    let client = Client::new(pool.clone());
    let held = client.server_stream(hanging(1)).await.unwrap();
    assert_eq!(pool.stats().in_flight, 1);

    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.unary(echo()).await }
    });
    super::eventually("the second call to wait", || pool.stats().waiting == 1).await;
    assert!(!waiting.is_finished());
    drop(held);
    within("the second call", waiting).await.unwrap().unwrap();
    let stats = server
        .until(|stats| stats.streams_now == 0 && stats.cancelled == 1)
        .await;
    assert_eq!(stats.streams_peak, 1, "the first is reset before the second begins");
    idle(&pool).await;
}

#[tokio::test]
async fn a_response_read_to_its_end_frees_its_slot_before_it_is_dropped() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    let script = Script {
        replies: 2,
        ..Script::default()
    };
    let mut replies = client.server_stream(scripted(script)).await.unwrap().into_inner();
    while replies.message().await.unwrap().is_some() {}
    assert_eq!(client.pool().stats().in_flight, 0);
    drop(replies);
    server
        .until(|stats| stats.streams_now == 0 && stats.cancelled == 0)
        .await;
}

#[tokio::test]
async fn a_lease_carries_one_call_at_a_time_and_all_of_them_on_its_connection() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    let mut client = tests::pb::test_service_client::TestServiceClient::new(lease);
    let held = client.server_stream(hanging(1)).await.unwrap();
    let mut request = tonic::Request::new(echo());
    request.set_timeout(Duration::from_millis(50));
    let status = client.unary(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(server.stats().streams_total, 1);
    drop(held);
    client.unary(echo()).await.unwrap();
    assert_eq!(pool.stats().in_flight, 1, "the lease itself");
    drop(client);
    idle(&pool).await;
    assert_eq!(server.stats().connections_total, 1);
}

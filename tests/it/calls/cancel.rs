//! Dropping a call at any point: the peer sees RST_STREAM or nothing, the slot is free, no task is left.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use h2::Reason;
use pool_runtime::Pool;
use tests::fault::{Conn, FaultServer, cases};
use tests::pb::TestRequest;
use tests::server::TestServer;
use tests::wire::kind;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{Client, client, connected, echo, endless, eventually, hanging, idle, no_more_tasks_than, one_slot, tasks};

/// A request stream that tells when it is let go of.
struct Guarded<S> {
    stream: S,
    _guard: Arc<()>,
}

impl<S: Stream + Unpin> Stream for Guarded<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.stream).poll_next(cx)
    }
}

fn guarded() -> (impl Stream<Item = TestRequest> + Send + 'static, Arc<()>) {
    let guard = Arc::new(());
    let stream = Guarded {
        stream: Box::pin(endless()),
        _guard: guard.clone(),
    };
    (stream, guard)
}

/// Checks that nothing is left of `cancelled` calls, each of which the server saw being reset.
async fn check_gone(server: &TestServer, pool: &Pool, cancelled: usize, tasks_before: usize) {
    let stats = server
        .until(|stats| stats.streams_now == 0 && stats.cancelled == cancelled)
        .await;
    assert_eq!(stats.connections[0].resets, vec![Reason::CANCEL; cancelled]);
    assert_eq!(stats.connections_total, 1);
    idle(pool).await;
    no_more_tasks_than(tasks_before).await;
}

#[tokio::test]
async fn a_call_dropped_while_it_waits_is_never_seen() {
    let server = TestServer::start().await;
    let pool = one_slot(&server);
    let client = Client::new(pool.clone());
    let held = client.server_stream(hanging(1)).await.unwrap();
    let before = tasks();
    {
        let mut waiting = Box::pin(client.unary(echo()));
        tokio::select! {
            result = &mut waiting => panic!("{result:?}"),
            () = eventually("the call to wait", || pool.stats().waiting == 1) => {}
        }
    }
    assert_eq!(pool.stats().waiting, 0);
    no_more_tasks_than(before).await;
    drop(held);
    client.unary(echo()).await.unwrap();
    assert_eq!(server.stats().streams_total, 2);
}

#[tokio::test]
async fn a_call_dropped_while_it_dials_is_never_seen_and_leaves_the_dial_to_others() {
    let limit = tokio::sync::watch::Sender::new(None);
    let server = FaultServer::start(cases::limit_follows(limit.subscribe())).await;
    let client = client(server.uri());
    let mut call = Box::pin(client.unary(echo()));
    tokio::select! {
        result = &mut call => panic!("{result:?}"),
        _ = server.until(|stats| stats.connections_now == 1) => {}
    }
    drop(call);
    assert_eq!((client.pool().stats().waiting, client.pool().stats().dialing), (0, 1));
    limit.send_replace(Some(10));
    client.unary(echo()).await.unwrap();
    let stats = server.stats();
    assert_eq!((stats.connections_total, stats.streams_total), (1, 1));
}

#[tokio::test]
async fn a_call_dropped_before_its_response_is_reset() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    client.unary(echo()).await.unwrap();
    server.until(|stats| stats.streams_now == 0).await;
    let before = tasks();
    for cancelled in 1..=3 {
        let mut call = Box::pin(client.unary(hanging(0)));
        tokio::select! {
            result = &mut call => panic!("{result:?}"),
            _ = server.until(|stats| stats.streams_now == 1) => {}
        }
        drop(call);
        check_gone(&server, client.pool(), cancelled, before).await;
    }
}

#[tokio::test]
async fn a_response_dropped_in_its_body_is_reset() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    client.unary(echo()).await.unwrap();
    server.until(|stats| stats.streams_now == 0).await;
    let before = tasks();
    let mut replies = client.server_stream(hanging(3)).await.unwrap().into_inner();
    replies.message().await.unwrap().unwrap();
    drop(replies);
    check_gone(&server, client.pool(), 1, before).await;

    // Unread altogether.
    drop(client.server_stream(hanging(3)).await.unwrap());
    check_gone(&server, client.pool(), 2, before).await;
}

#[tokio::test]
async fn a_call_dropped_with_its_request_open_lets_go_of_the_request() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    client.unary(echo()).await.unwrap();
    server.until(|stats| stats.streams_now == 0).await;
    let before = tasks();

    let (requests, guard) = guarded();
    let mut call = Box::pin(client.client_stream(requests));
    tokio::select! {
        result = &mut call => panic!("{result:?}"),
        _ = server.until(|stats| stats.streams_now == 1) => {}
    }
    drop(call);
    check_gone(&server, client.pool(), 1, before).await;
    eventually("the request to be let go of", || Arc::strong_count(&guard) == 1).await;

    let (requests, guard) = guarded();
    let mut replies = client.bidi(requests).await.unwrap().into_inner();
    replies.message().await.unwrap().unwrap();
    drop(replies);
    check_gone(&server, client.pool(), 2, before).await;
    eventually("the request to be let go of", || Arc::strong_count(&guard) == 1).await;
}

#[tokio::test]
async fn a_call_that_is_over_leaves_its_stream_alone() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    for _ in 0..3 {
        drop(client.unary(echo()).await.unwrap());
        drop(client.client_stream(tokio_stream::iter([echo()])).await.unwrap());
    }
    let stats = server.until(|stats| stats.streams_now == 0).await;
    assert_eq!((stats.streams_total, stats.cancelled), (6, 0));
    assert!(stats.connections[0].resets.is_empty());
}

/// The next call is made before the connection's task has had a turn, and h2 sends HEADERS before resets.
#[tokio::test]
async fn a_request_that_fails_keeps_its_slot_until_its_reset_is_written() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        // A connection that is told nothing has no turn of its own to write the reset in.
        conn.withhold_windows();
        conn.serve().await
    })
    .await;
    let pool = Pool::builder(server.uri())
        .max_connections(1)
        .max_concurrent_streams(1)
        .build()
        .unwrap();
    let client = Client::new(pool.clone()).max_encoding_message_size(1_000);
    client.unary(echo()).await.unwrap();
    let (requests, stream) = mpsc::channel(1);
    let calls = tokio::spawn(async move {
        let status = client.client_stream(ReceiverStream::new(stream)).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        client.unary(echo()).await.unwrap();
    });
    requests.send(echo()).await.unwrap();
    server
        .until(|stats| stats.frames().filter(|frame| frame.is(kind::DATA)).count() == 2)
        .await;
    let payload = vec![0; 2_000];
    requests.send(TestRequest { payload, script: None }).await.unwrap();
    calls.await.unwrap();
    let stats = server.stats();
    assert_eq!((stats.streams_total, stats.streams_peak), (3, 1));
    idle(&pool).await;
}

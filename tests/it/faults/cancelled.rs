//! What cancelled calls cost their connection, as h2 counts it, and that it costs other calls nothing.
//!
//! h2 ends a connection after 1,024 resets of its own making. Those of its user are not among them. But it remembers
//! only 50 reset streams, for a second; what comes later for one that it has forgotten, such as an answer that crossed
//! the cancellation, it answers with a reset that counts.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use h2::Reason;
use h2::client::SendRequest;
use pool_runtime::Pool;
use tests::fault::{Conn, FaultServer};
use tests::pb::TestReply;
use tests::server::TestServer;
use tests::wire::kind;
use tests::within;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::Code;

use super::check_clean;
use crate::calls::{Client, echo, endless, eventually, hanging, idle, in_memory};

/// More than the resets that h2 allows.
const MANY: usize = 1_200;

/// Calls that are in flight, and then cancelled, together.
const BATCH: usize = 50;

/// Leaves every call open, and answers it, if that is asked for, once it has been cancelled: on the wire that is an
/// answer that crossed the cancellation.
async fn answer_late(mut conn: Conn, answers: bool) -> std::io::Result<()> {
    conn.handshake(&[]).await?;
    loop {
        let reset = conn.read_until(|frame| frame.is(kind::RST_STREAM)).await?;
        if answers && reset.reason() == Some(Reason::CANCEL) {
            conn.respond(reset.head.stream).await?;
            conn.trailers(reset.head.stream, Code::Ok, "").await?;
        }
    }
}

/// Makes and cancels `MANY` calls on a connection without a pool. Says whether it outlived them.
async fn outlives(server: &FaultServer) -> bool {
    let socket = TcpStream::connect(server.address()).await.unwrap();
    // On a slow machine a second passes now and then, and it remembers 50 more. Here it remembers none.
    let mut builder = h2::client::Builder::new();
    let handshake = builder.max_concurrent_reset_streams(0).handshake(socket);
    let (mut send, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(connection);
    for cancelled in (BATCH..=MANY).step_by(BATCH) {
        let Ok(calls) = open_batch(&mut send).await else { break };
        // Or none of it any more.
        let all = |count: usize| count >= cancelled || connection.is_finished();
        eventually("the batch to be seen", || all(server.stats().streams_total)).await;
        drop(calls);
        eventually("its cancellation", || all(server.stats().cancelled)).await;
    }
    !connection.is_finished()
}

async fn open_batch(send: &mut SendRequest<bytes::Bytes>) -> Result<Vec<h2::client::ResponseFuture>, h2::Error> {
    let mut calls = Vec::new();
    for _ in 0..BATCH {
        let request = http::Request::post("http://test/pooltest.TestService/Unary")
            .body(())
            .unwrap();
        *send = send.clone().ready().await?;
        calls.push(send.send_request(request, true)?.0);
    }
    Ok(calls)
}

#[tokio::test]
async fn h2_does_not_count_what_its_user_cancels() {
    let server = FaultServer::start(|conn: Conn| answer_late(conn, false)).await;
    assert!(outlives(&server).await);
    assert_eq!(server.stats().cancelled, MANY);
}

#[tokio::test]
async fn h2_counts_what_comes_late_for_a_stream_that_it_has_forgotten() {
    let server = FaultServer::start(|conn: Conn| answer_late(conn, true)).await;
    assert!(!outlives(&server).await);
    let stats = server.until(|stats| stats.connections[0].goaway.is_some()).await;
    assert_eq!(stats.connections[0].goaway, Some(Reason::ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn any_number_of_cancelled_calls_harms_no_other_call() {
    let server = FaultServer::start(|conn: Conn| answer_late(conn, true)).await;
    let client = Client::new(Pool::builder(server.uri()).max_connections(1).build().unwrap());
    // Open all the while; that the server cannot answer it is part of the plan.
    let held = tokio::spawn({
        let client = client.clone();
        async move { client.client_stream(endless()).await }
    });
    server.until(|stats| stats.streams_total == 1).await;
    for batch in 1..=MANY / BATCH {
        let mut calls = JoinSet::new();
        for _ in 0..BATCH {
            let client = client.clone();
            calls.spawn(async move { client.unary(hanging(0)).await });
        }
        server.until(|stats| stats.streams_total > batch * BATCH).await;
        within("the calls to be dropped", calls.shutdown()).await;
        server.until(|stats| stats.streams_now == 1).await;
    }
    assert!(!held.is_finished(), "{:?}", held.await);
    held.abort();
    drop(held.await);
    check_clean(&client, server).await;
}

/// Polls so many calls once and drops them, in one turn of this task.
fn begin_and_drop(client: &Client, calls: usize) {
    let mut begun: Vec<_> = (0..calls).map(|_| Box::pin(client.unary(hanging(0)))).collect();
    for call in &mut begun {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut cx).is_pending());
    }
}

/// h2's server, and so tonic's, ends a connection with more than 20 streams that were reset before it accepted them.
#[tokio::test]
async fn dropped_calls_harm_nobody_at_a_tonic_server() {
    let server = TestServer::start().await;
    let client = Client::new(Pool::builder(server.uri()).max_connections(1).build().unwrap());
    let (send, requests) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    send.send(echo()).await.unwrap();
    let mut replies = client.bidi(requests).await.unwrap().into_inner();
    within("a reply", replies.message()).await.unwrap().unwrap();
    for calls in [21, 50, 99] {
        begin_and_drop(&client, calls);
        for _ in 0..20 {
            send.send(echo()).await.unwrap();
            within("a reply", replies.message()).await.unwrap().unwrap();
        }
        eventually("the slots to be free", || client.pool().stats().in_flight == 1).await;
    }
    assert_eq!(server.stats().connections[0].goaway, None);
}

/// Their server has accepted them by then, so their resets follow each other at once.
#[tokio::test(start_paused = true)]
async fn old_calls_are_reset_at_once() {
    let server = FaultServer::start(|conn: Conn| answer_late(conn, false)).await;
    let pool = Pool::builder("http://peer.test").connector(in_memory(server.entrance(), 1 << 20));
    let client = Client::new(pool.max_connections(1).build().unwrap());
    let mut calls = JoinSet::new();
    for _ in 0..BATCH {
        let client = client.clone();
        calls.spawn(async move { client.unary(hanging(0)).await });
    }
    server.until(|stats| stats.streams_total == BATCH).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = tokio::time::Instant::now();
    calls.shutdown().await;
    server.until(|stats| stats.cancelled == BATCH).await;
    idle(client.pool()).await;
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
}

/// Netty's rule: more than 200 resets in 30 s end the connection, with everybody's calls. Unary calls hang, others are
/// answered.
async fn like_netty(mut conn: Conn) -> std::io::Result<()> {
    conn.handshake(&[]).await?;
    let mut resets = 0;
    loop {
        let frame = conn.read_frame().await?;
        resets += usize::from(frame.is(kind::RST_STREAM));
        if resets > 200 {
            conn.goaway(frame.head.stream, Reason::ENHANCE_YOUR_CALM, "").await?;
            return Err(std::io::Error::other("too many resets"));
        }
        if frame.head.ends_stream()
            && let Some(request) = conn.completed()
            && request.path().ends_with("Read")
        {
            conn.reply(&request).await?;
        }
    }
}

#[tokio::test]
async fn resets_stay_below_what_servers_bear() {
    let server = FaultServer::start(like_netty).await;
    // All of them on one connection, until that is replaced.
    let client = Client::new(Pool::builder(server.uri()).max_connections(1).build().unwrap());
    for _ in 0..30 {
        begin_and_drop(&client, 16);
        within("a call", client.read(echo())).await.unwrap();
    }
    idle(client.pool()).await;
    let stats = server.until(|stats| stats.streams_now == 0).await;
    assert!(stats.cancelled > 200, "{} resets in all", stats.cancelled);
    for connection in &stats.connections {
        assert_eq!(connection.violation, None);
    }
}

/// Their answers cross the resets, and come for streams that h2 has forgotten: it remembers 1,024.
#[tokio::test(start_paused = true)]
async fn calls_that_run_out_together_harm_no_other() {
    const CALLS: usize = 2_500;
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let held = conn.next_opened().await?;
        conn.respond(held.stream).await?;
        let mut cancelled = Vec::new();
        while cancelled.len() < CALLS {
            let reset = conn.read_until(|frame| frame.is(kind::RST_STREAM)).await?;
            cancelled.push(reset.head.stream);
        }
        for stream in cancelled {
            conn.respond(stream).await?;
            conn.trailers(stream, Code::Ok, "").await?;
        }
        conn.send_message(held.stream, &TestReply::default()).await?;
        conn.until_closed().await
    })
    .await;
    // A pipe that holds all of it, or the server, which reads nothing while it writes, would hold up the resets.
    let pool = Pool::builder("http://peer.test")
        .connector(in_memory(server.entrance(), 16 << 20))
        .max_connections(1)
        .max_concurrent_streams(5_000);
    let client = Client::new(pool.max_waiters(5_000).build().unwrap());
    let mut held = client.server_stream(hanging(1)).await.unwrap().into_inner();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let client = client.clone();
        let mut request = tonic::Request::new(hanging(0));
        request.set_timeout(Duration::from_millis(500));
        calls.spawn(async move { client.unary(request).await });
    }
    for call in within("the deadline", calls.join_all()).await {
        assert_eq!(call.unwrap_err().code(), Code::DeadlineExceeded);
    }
    within("the message", held.message()).await.unwrap().unwrap();
}

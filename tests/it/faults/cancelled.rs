//! What cancelled calls cost their connection, as h2 counts it, and that it costs other calls nothing.
//!
//! h2 ends a connection after 1,024 resets of its own making. Those of its user are not among them. But it remembers
//! only 50 reset streams, for a second; what comes later for one that it has forgotten, such as an answer that crossed
//! the cancellation, it answers with a reset that counts.

use h2::Reason;
use h2::client::SendRequest;
use pool_runtime::Pool;
use tests::fault::{Conn, FaultServer};
use tests::wire::kind;
use tests::within;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::Code;

use super::check_clean;
use crate::calls::{Client, endless, eventually, hanging};

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
    let (mut send, connection) = h2::client::handshake(socket).await.unwrap();
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

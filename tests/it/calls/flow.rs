//! Flow control in both directions: whoever is slow holds back the other, and nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tests::fault::{Conn, FaultServer};
use tests::pb::{Script, TestReply, TestRequest};
use tests::server::TestServer;
use tests::wire::kind;
use tests::within;
use tokio_stream::StreamExt;
use tonic::Code;

use super::{connected, echo, eventually, idle, scripted};

const MESSAGE: usize = 64 << 10;

/// What a client may send on a stream before the peer widens the window (RFC 9113, 6.9.2).
const FIRST_WINDOW: usize = 65_535;

/// What the pool may take of a request stream ahead of the peer: its replay buffer and a message at either end.
const AHEAD: usize = (256 << 10) + 2 * MESSAGE;

#[tokio::test]
async fn a_peer_that_reads_slowly_holds_the_request_back() {
    let (open, gate) = tokio::sync::watch::channel(false);
    let server = FaultServer::start(move |mut conn: Conn| {
        let mut gate = gate.clone();
        async move {
            conn.handshake(&[]).await?;
            conn.withhold_windows();
            // The connection's window is no matter here.
            conn.window_update(0, 1 << 30).await?;
            let slow = conn.next_opened().await?;
            loop {
                tokio::select! {
                    true = async { gate.wait_for(|open| *open).await.is_ok() } => break,
                    other = conn.next_request() => {
                        let other = other?;
                        conn.reply(&other).await?;
                    }
                }
            }
            conn.window_update(slow.stream, 1 << 30).await?;
            let request = conn.next_request().await?;
            conn.reply(&request).await?;
            conn.until_closed().await
        }
    })
    .await;
    let client = connected(server.uri()).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let requests = tokio_stream::iter(0..200).map({
        let taken = taken.clone();
        move |_| {
            taken.fetch_add(MESSAGE, Relaxed);
            TestRequest {
                payload: vec![7; MESSAGE],
                script: None,
            }
        }
    });
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.client_stream(requests).await }
    });
    let sent = |stats: &tests::stats::Stats| -> usize {
        stats
            .frames()
            .filter(|frame| frame.is(kind::DATA) && frame.head.stream == 1)
            .map(|frame| frame.head.len)
            .sum()
    };
    server.until(|stats| sent(stats) == FIRST_WINDOW).await;
    // The others on the connection are not held back, and while they come and go no more is taken.
    for _ in 0..20 {
        within("a call beside it", client.read(echo())).await.unwrap();
    }
    assert_eq!(sent(&server.stats()), FIRST_WINDOW);
    assert!(
        taken.load(Relaxed) <= FIRST_WINDOW + AHEAD,
        "{} bytes were taken",
        taken.load(Relaxed)
    );

    open.send_replace(true);
    within("the call", call).await.unwrap().unwrap();
    assert_eq!(taken.load(Relaxed), 200 * MESSAGE);
    idle(client.pool()).await;
}

#[tokio::test]
async fn a_reader_that_is_slow_holds_the_response_back() {
    const REPLIES: usize = 200;
    // Settings of the pool: 2 MiB for a stream.
    const WINDOW: usize = 2 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let server = FaultServer::start({
        let sent = sent.clone();
        move |mut conn: Conn| {
            let sent = sent.clone();
            async move {
                conn.handshake(&[]).await?;
                let request = conn.next_request().await?;
                conn.respond(request.stream).await?;
                let reply = TestReply {
                    payload: vec![7; MESSAGE],
                    ..TestReply::default()
                };
                for _ in 0..REPLIES {
                    conn.send_message(request.stream, &reply).await?;
                    sent.fetch_add(MESSAGE, Relaxed);
                }
                conn.trailers(request.stream, Code::Ok, "").await?;
                conn.until_closed().await
            }
        }
    })
    .await;
    let client = connected(server.uri()).await;
    let mut replies = client.server_stream(echo()).await.unwrap().into_inner();
    eventually("the window to fill up", || sent.load(Relaxed) + 2 * MESSAGE > WINDOW).await;
    assert!(sent.load(Relaxed) <= WINDOW);
    let mut read = 0;
    while within("a reply", replies.message()).await.unwrap().is_some() {
        read += 1;
        // Windows are given back for what was read, and what tonic has taken of the next message.
        assert!(sent.load(Relaxed) <= WINDOW + (read + 2) * MESSAGE);
    }
    assert_eq!(read, REPLIES);
    idle(client.pool()).await;
}

#[tokio::test]
async fn a_response_nobody_reads_does_not_stop_the_calls_beside_it() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    let script = Script {
        replies: 1_000,
        reply_size: MESSAGE as u32,
        ..Script::default()
    };
    let held = client.server_stream(scripted(script)).await.unwrap();
    for _ in 0..100 {
        within("a call beside it", client.unary(echo())).await.unwrap();
    }
    let replies: Vec<_> = within("the rest", held.into_inner().collect()).await;
    assert_eq!(replies.len(), 1_000);
    assert_eq!(server.stats().connections_total, 1);
}

#[tokio::test]
async fn both_directions_of_a_call_fill_up_and_drain_independently() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let requests = tokio_stream::iter(0..300).map({
        let taken = taken.clone();
        move |_| {
            taken.fetch_add(1, Relaxed);
            TestRequest {
                payload: vec![7; MESSAGE],
                script: None,
            }
        }
    });
    // Echoes: unread replies fill up the response's window, then the server's reading stops, then the request's.
    let mut replies = client.bidi(requests).await.unwrap().into_inner();
    eventually("replies to pile up", || taken.load(Relaxed) >= 2 << 20 >> 16).await;
    assert!(taken.load(Relaxed) < 300);
    let mut read = 0;
    while within("an echo", replies.message()).await.unwrap().is_some() {
        read += 1;
    }
    assert_eq!((read, taken.load(Relaxed)), (300, 300));
    idle(client.pool()).await;
}

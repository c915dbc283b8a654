//! Peers that send too much of what costs little, and peers that stop reading.

use std::io;
use std::time::Duration;

use pool_runtime::{Phase, Pool};
use tests::fault::{Conn, FaultServer, cases};
use tests::pb::{Script, TestRequest};
use tests::wire::{HEAD_LEN, Head, flag, kind, setting};
use tests::within;
use tokio::time::timeout;
use tonic::{Code, Request};

use super::{check_clean, check_recovers, proven};
use crate::calls::{Client, echo, facts, idle, no_more_tasks_than, scripted, tasks};

/// `count` times the same frame, in one piece.
fn frames(count: usize, kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let head: [u8; HEAD_LEN] = Head {
        len: payload.len(),
        kind,
        flags: 0,
        stream,
    }
    .bytes();
    [&head[..], payload].concat().repeat(count)
}

/// A server that sends `flood(stream)` before its answer to each call but `Read`, on its first connection.
async fn flooding(flood: impl Fn(u32) -> Vec<u8> + Clone + Send + Sync + 'static) -> FaultServer {
    FaultServer::start(move |mut conn: Conn| {
        let flood = flood.clone();
        async move {
            conn.handshake(&[]).await?;
            if conn.index() > 0 {
                return conn.serve().await;
            }
            loop {
                let request = cases::next_victim(&mut conn).await?;
                let reply = conn.reply_to(&request);
                conn.respond(request.stream).await?;
                conn.send_raw(&flood(request.stream)).await?;
                conn.send_message(request.stream, &reply).await?;
                conn.trailers(request.stream, Code::Ok, "").await?;
            }
        }
    })
    .await
}

#[tokio::test]
async fn small_floods_of_control_frames_are_sat_out() {
    let ping = frames(2_000, kind::PING, 0, &[7; 8]);
    let setting = [
        &setting::MAX_CONCURRENT_STREAMS.to_be_bytes()[..],
        &100_u32.to_be_bytes(),
    ]
    .concat();
    let settings = frames(500, kind::SETTINGS, 0, &setting);
    let windows = frames(10_000, kind::WINDOW_UPDATE, 0, &1_u32.to_be_bytes());
    let priority = frames(10_000, kind::PRIORITY, 1, &[0; 5]);
    let unknown = frames(10_000, 0xbe, 0, &[1; 20]);
    // The stream of the call before this one, which is over.
    let resets = frames(10_000, kind::RST_STREAM, 1, &8_u32.to_be_bytes());
    for flood in [ping, settings, windows, priority, unknown, resets] {
        let server = flooding(move |_| flood.clone()).await;
        let client = proven(&server).await;
        for _ in 0..3 {
            within("a call", client.unary(echo())).await.unwrap();
        }
        check_recovers(client, server, 0).await;
    }
}

#[tokio::test]
async fn a_flood_of_empty_data_frames_ends_in_a_status_and_the_next_call_is_served() {
    let server = flooding(|stream| frames(5_000, kind::DATA, stream, &[])).await;
    let client = proven(&server).await;
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert!(
        [Code::Unavailable, Code::ResourceExhausted].contains(&status.code()),
        "{status:?}"
    );
    server.until(|stats| stats.connections[0].goaway.is_some()).await;
    check_recovers(client, server, 1).await;
}

#[tokio::test]
async fn a_flood_of_goaways_is_one_farewell() {
    let server = flooding(|stream| frames(10_000, kind::GOAWAY, 0, &[stream.to_be_bytes(), [0; 4]].concat())).await;
    let client = proven(&server).await;
    let reply = within("a call", client.unary(echo())).await.unwrap();
    assert_eq!(reply.into_inner().connection, 0);
    check_recovers(client, server, 1).await;
}

/// `:status: 100` (RFC 7541: no index, and the name by its number in the static table).
const CONTINUE: [u8; 5] = [0x08, 3, b'1', b'0', b'0'];

#[tokio::test]
async fn a_flood_of_interim_answers_is_sat_out() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        loop {
            let request = conn.next_request().await?;
            for _ in 0..5_000 {
                conn.send_frame(kind::HEADERS, flag::END_HEADERS, request.stream, &CONTINUE)
                    .await?;
            }
            conn.reply(&request).await?;
        }
    })
    .await;
    let client = proven(&server).await;
    within("a call", client.unary(echo())).await.unwrap();
    check_recovers(client, server, 0).await;
}

#[tokio::test]
async fn a_header_block_that_never_ends_fails_the_call_and_the_connection() {
    for continuation in [&[][..], &[0x00, 1, b'x', 1, b'y']] {
        let server = FaultServer::start(move |mut conn: Conn| async move {
            conn.handshake(&[]).await?;
            if conn.index() > 0 {
                return conn.serve().await;
            }
            let request = cases::next_victim(&mut conn).await?;
            conn.send_frame(kind::HEADERS, 0, request.stream, b"\x88").await?;
            let flood = frames(1_000, kind::CONTINUATION, request.stream, continuation);
            loop {
                conn.send_raw(&flood).await?;
            }
        })
        .await;
        let client = proven(&server).await;
        let status = within("a call", client.unary(echo())).await.unwrap_err();
        assert!(
            [Code::Unavailable, Code::ResourceExhausted, Code::Internal].contains(&status.code()),
            "{status:?}"
        );
        let (phase, was_sent, attempts) = facts(&status);
        assert_eq!(
            (phase, was_sent, attempts),
            (Some(Phase::Requesting), true, 1),
            "{status:?}"
        );
        check_recovers(client, server, 1).await;
    }
}

/// A server that, from the first request but `Read` on, sends the same frames for ever, and reads what is said to it.
async fn flooding_for_ever(flood: impl Fn(u32) -> Vec<u8> + Clone + Send + Sync + 'static) -> FaultServer {
    FaultServer::start(move |mut conn: Conn| {
        let flood = flood.clone();
        async move {
            conn.handshake(&[]).await?;
            let request = cases::next_victim(&mut conn).await?;
            let flood = flood(request.stream);
            loop {
                conn.send_raw(&flood).await?;
                while let Ok(frame) = timeout(Duration::ZERO, conn.read_frame()).await {
                    frame?;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_flood_that_never_ends_holds_up_no_deadline_and_no_close() {
    type Flood = fn(u32) -> Vec<u8>;
    let floods: [(&str, Flood); 5] = [
        ("PING", |_| frames(200, kind::PING, 0, &[7; 8])),
        ("SETTINGS", |_| frames(200, kind::SETTINGS, 0, &[])),
        ("WINDOW_UPDATE", |_| {
            frames(200, kind::WINDOW_UPDATE, 0, &1_u32.to_be_bytes())
        }),
        ("RST_STREAM", |_| frames(200, kind::RST_STREAM, 1, &8_u32.to_be_bytes())),
        ("100", |stream| {
            let mut flood = frames(200, kind::HEADERS, stream, &CONTINUE);
            // The flags are the fifth byte of each frame's head.
            for frame in flood.chunks_mut(HEAD_LEN + CONTINUE.len()) {
                frame[4] = flag::END_HEADERS;
            }
            flood
        }),
    ];
    for (what, flood) in floods {
        let server = flooding_for_ever(flood).await;
        let client = proven(&server).await;
        for _ in 0..2 {
            let mut request = Request::new(echo());
            request.set_timeout(Duration::from_millis(50));
            let status = within(what, client.unary(request)).await.unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded, "{what}: {status:?}");
            assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1), "{what}: {status:?}");
        }
        check_clean(&client, server).await;
    }
}

#[tokio::test]
async fn many_tiny_frames_that_nobody_reads_end_no_connection() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let read = conn.next_request().await?;
        conn.reply(&read).await?;
        let request = conn.next_request().await?;
        conn.respond(request.stream).await?;
        let message = [&[0, 0, 0, 0x0b, 0xbb][..], &[0x0a, 0xb8, 0x17], &vec![7; 3_000]].concat();
        for byte in message.chunks(1) {
            conn.send_data(request.stream, byte, false).await?;
        }
        conn.trailers(request.stream, Code::Ok, "").await?;
        conn.serve().await
    })
    .await;
    let client = proven(&server).await;
    let mut replies = client.server_stream(echo()).await.unwrap().into_inner();
    // Another call on the connection is answered behind all of the frames: by then they are here.
    within("a call beside it", client.read(echo())).await.unwrap();
    let reply = within("the reply", replies.message()).await.unwrap().unwrap();
    assert_eq!(reply.payload, vec![7; 3_000]);
    assert!(replies.message().await.unwrap().is_none());
    check_recovers(client, server, 0).await;
}

/// Reads one request's head, and nothing more.
async fn stop_reading(mut conn: Conn) -> io::Result<()> {
    conn.handshake(&[]).await?;
    let read = conn.next_request().await?;
    conn.reply(&read).await?;
    conn.next_opened().await?;
    std::future::pending().await
}

#[tokio::test]
async fn a_peer_that_stops_reading_fails_calls_at_their_deadline_and_holds_up_no_shutdown() {
    let server = FaultServer::start(stop_reading).await;
    let before = tasks();
    {
        let pool = Pool::builder(server.uri()).max_connections(1).build().unwrap();
        let client = Client::new(pool.clone());
        client.read(echo()).await.unwrap();
        let large = TestRequest {
            payload: vec![7; 16 << 20],
            script: None,
        };
        for message in [large, echo()] {
            let mut request = Request::new(message);
            request.set_timeout(Duration::from_millis(200));
            let status = within("the deadline", client.unary(request)).await.unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
            assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1));
        }
        idle(&pool).await;
        within("the shutdown", pool.shutdown(Duration::from_millis(100))).await;
    }
    // The server's task sits on its connection for ever, as it was before.
    no_more_tasks_than(before + 1).await;
}

#[tokio::test]
async fn a_window_that_never_opens_is_found_by_the_deadline() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[(setting::INITIAL_WINDOW_SIZE, 0)]).await?;
        conn.withhold_windows();
        let request = conn.next_opened().await?;
        conn.read_until(|frame| frame.is(kind::RST_STREAM)).await?;
        // Now for the next one.
        conn.send_settings(&[(setting::INITIAL_WINDOW_SIZE, 65_535)]).await?;
        assert!(request.body.is_empty());
        conn.serve().await
    })
    .await;
    let client = crate::calls::client(server.uri());
    let mut request = Request::new(scripted(Script::default()));
    request.set_timeout(Duration::from_millis(100));
    let status = within("the deadline", client.unary(request)).await.unwrap_err();
    assert_eq!(
        (status.code(), facts(&status)),
        (Code::DeadlineExceeded, (Some(Phase::Requesting), true, 1))
    );
    within("the next call", client.unary(echo())).await.unwrap();
    check_clean(&client, server).await;
}

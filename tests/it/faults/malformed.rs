//! Frames and messages that break the rules: a Status, never a panic and never a hang, and the next call is served.

use std::io;

use pool_runtime::Phase;
use tests::fault::{Conn, FaultServer, Request, cases};
use tests::wire::{flag, kind};
use tests::within;
use tonic::Code;

use super::{check_clean, proven};
use crate::calls::{Caller, Client, echo, endless, eventually, facts, idle};

/// What is sent instead of an answer.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    /// A frame of this kind, flags and stream (`None`: that of the call), with this payload.
    Frame(u8, u8, Option<u32>, &'static [u8]),
    /// Response headers, then a DATA frame with this payload, then trailers that say OK.
    Message(&'static [u8]),
    /// A frame's head that announces 16 MiB, and no more.
    HugeFrame,
    /// Response headers of a megabyte.
    HugeHeaders,
    /// A response whose trailers are of a megabyte.
    HugeTrailers,
    /// A response with a second block of headers after its message, and no end.
    OpenTrailers,
    /// Not HTTP/2.
    Junk,
}

impl Wrong {
    async fn send(self, conn: &mut Conn, request: &Request) -> io::Result<()> {
        let stream = request.stream;
        match self {
            Self::Frame(kind, flags, on, payload) => conn.send_frame(kind, flags, on.unwrap_or(stream), payload).await,
            Self::Message(bytes) => {
                conn.respond(stream).await?;
                conn.send_data(stream, bytes, false).await?;
                conn.trailers(stream, Code::Ok, "").await
            }
            Self::HugeFrame => conn.send_raw(&[255, 255, 255, kind::DATA, 0, 0, 0, 0, 1]).await,
            Self::HugeHeaders => huge_block(conn, stream, 0, b"\x88").await,
            Self::HugeTrailers => {
                conn.respond(stream).await?;
                conn.send_message(stream, &conn.reply_to(request)).await?;
                huge_block(conn, stream, flag::END_STREAM, &[]).await
            }
            Self::OpenTrailers => {
                conn.respond(stream).await?;
                conn.send_message(stream, &conn.reply_to(request)).await?;
                conn.send_headers(stream, &[("grpc-status", "0")], false).await
            }
            Self::Junk => conn.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\nno HTTP/2 here").await,
        }
    }
}

/// Sends a header block of a megabyte that begins with `start`.
async fn huge_block(conn: &mut Conn, stream: u32, flags: u8, start: &[u8]) -> io::Result<()> {
    let value = "v".repeat(15_000);
    conn.send_frame(kind::HEADERS, flags, stream, start).await?;
    for n in 0..70 {
        let name = format!("x-{n}");
        let mut block = vec![0, name.len() as u8];
        block.extend(name.bytes());
        // 15,000 as a string's length: 127 and then 14,873 in groups of seven bits.
        block.extend([127, 0x99, 0x74]);
        block.extend(value.bytes());
        let flags = if n == 69 { flag::END_HEADERS } else { 0 };
        conn.send_frame(kind::CONTINUATION, flags, stream, &block).await?;
    }
    Ok(())
}

const EVIL: [(&str, Wrong); 27] = [
    ("DATA before headers", Wrong::Frame(kind::DATA, 0, None, b"data")),
    ("DATA on stream 0", Wrong::Frame(kind::DATA, 0, Some(0), b"data")),
    ("DATA on an idle stream", Wrong::Frame(kind::DATA, 0, Some(99), b"data")),
    (
        "DATA on a server's stream",
        Wrong::Frame(kind::DATA, 0, Some(2), b"data"),
    ),
    (
        "more padding than payload",
        Wrong::Frame(kind::DATA, flag::PADDED, None, &[200, 1]),
    ),
    (
        "HEADERS without a status",
        Wrong::Frame(kind::HEADERS, flag::END_HEADERS, None, &[]),
    ),
    (
        "HEADERS that HPACK cannot read",
        Wrong::Frame(kind::HEADERS, flag::END_HEADERS, None, &[0xff; 40]),
    ),
    (
        "HEADERS on stream 0",
        Wrong::Frame(kind::HEADERS, flag::END_HEADERS, Some(0), b"\x88"),
    ),
    (
        "a CONTINUATION of nothing",
        Wrong::Frame(kind::CONTINUATION, flag::END_HEADERS, None, b"\x88"),
    ),
    (
        "PUSH_PROMISE",
        Wrong::Frame(kind::PUSH_PROMISE, flag::END_HEADERS, None, &[0, 0, 0, 2, 0x82]),
    ),
    (
        "SETTINGS of a wrong length",
        Wrong::Frame(kind::SETTINGS, 0, Some(0), &[1; 5]),
    ),
    ("SETTINGS on a stream", Wrong::Frame(kind::SETTINGS, 0, None, &[])),
    (
        "a window setting too large",
        Wrong::Frame(kind::SETTINGS, 0, Some(0), &[0, 4, 255, 255, 255, 255]),
    ),
    ("PING of a wrong length", Wrong::Frame(kind::PING, 0, Some(0), &[1; 7])),
    (
        "WINDOW_UPDATE of nothing",
        Wrong::Frame(kind::WINDOW_UPDATE, 0, Some(0), &[0; 4]),
    ),
    (
        "a window beyond its bound",
        Wrong::Frame(kind::WINDOW_UPDATE, 0, Some(0), &[0x7f, 255, 255, 255]),
    ),
    (
        "WINDOW_UPDATE of nothing for the stream",
        Wrong::Frame(kind::WINDOW_UPDATE, 0, None, &[0; 4]),
    ),
    (
        "WINDOW_UPDATE of a wrong length",
        Wrong::Frame(kind::WINDOW_UPDATE, 0, Some(0), &[0; 3]),
    ),
    (
        "a frame size setting too small",
        Wrong::Frame(kind::SETTINGS, 0, Some(0), &[0, 5, 0, 0, 0, 100]),
    ),
    (
        "RST_STREAM of a wrong length",
        Wrong::Frame(kind::RST_STREAM, 0, None, &[0; 3]),
    ),
    (
        "RST_STREAM on stream 0",
        Wrong::Frame(kind::RST_STREAM, 0, Some(0), &[0; 4]),
    ),
    (
        "GOAWAY of a wrong length",
        Wrong::Frame(kind::GOAWAY, 0, Some(0), &[0; 5]),
    ),
    ("a frame beyond the maximum", Wrong::HugeFrame),
    ("headers beyond the maximum", Wrong::HugeHeaders),
    ("trailers beyond the maximum", Wrong::HugeTrailers),
    ("trailers that do not end the stream", Wrong::OpenTrailers),
    ("no HTTP/2", Wrong::Junk),
];

const BAD_MESSAGES: [(&str, &[u8]); 6] = [
    ("a flag that does not exist", &[7, 0, 0, 0, 0]),
    ("compressed without an encoding", &[1, 0, 0, 0, 1, 0]),
    ("4 GiB announced", &[0, 255, 255, 255, 255, 1, 2, 3]),
    ("less than announced", &[0, 0, 0, 0, 9, 1]),
    ("half a head", &[0, 0]),
    ("no protobuf", &[0, 0, 0, 0, 2, 0xff, 0xff]),
];

/// A server that does `wrong` to the first call but `Read`, over all connections, and serves the others.
async fn doing(wrong: Wrong) -> FaultServer {
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    FaultServer::start(move |mut conn: Conn| {
        let done = done.clone();
        async move {
            conn.handshake(&[]).await?;
            loop {
                let request = cases::next_victim(&mut conn).await?;
                if done.swap(true, std::sync::atomic::Ordering::Relaxed) {
                    conn.reply(&request).await?;
                } else {
                    wrong.send(&mut conn, &request).await?;
                }
            }
        }
    })
    .await
}

/// Checks that a call fails, in good time, and that the pool serves the next ones.
async fn check_survives(what: &str, wrong: Wrong) -> Code {
    let server = doing(wrong).await;
    let client: Client = proven(&server).await;
    let status = match within(what, client.unary(echo())).await {
        Ok(reply) => panic!("{what}: {reply:?}"),
        Err(status) => status,
    };
    idle(client.pool()).await;
    // A call right behind may have gone out before the connection's end was known; it is then not repeated.
    eventually("the connection to be judged", || {
        client.pool().stats().connections.len() <= 1
    })
    .await;
    for _ in 0..2 {
        within(what, client.unary(echo()))
            .await
            .unwrap_or_else(|status| panic!("{what}: then {status:?}"));
    }
    check_clean(&client, server).await;
    status.code()
}

#[tokio::test]
async fn frames_against_the_protocol_fail_the_call_and_the_next_one_is_served() {
    for (what, wrong) in EVIL {
        let code = check_survives(what, wrong).await;
        let expected = [
            Code::Internal,
            Code::Unavailable,
            Code::Unknown,
            Code::ResourceExhausted,
        ];
        assert!(expected.contains(&code), "{what}: {code:?}");
    }
}

#[tokio::test]
async fn a_streams_window_beyond_its_bound_ends_its_call_and_spares_the_connection() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let read = conn.next_request().await?;
        conn.reply(&read).await?;
        // Of a stream that this side has ended, the window is no matter.
        let open = conn.next_opened().await?;
        conn.window_update(open.stream, 0x7fff_ffff).await?;
        conn.serve().await
    })
    .await;
    let client = proven(&server).await;
    let status = within("a call", client.client_stream(endless())).await.unwrap_err();
    assert_eq!(
        (status.code(), facts(&status)),
        (Code::Internal, (Some(Phase::Requesting), true, 1)),
        "{status:?}"
    );
    let reply = within("the next call", client.read(echo())).await.unwrap();
    assert_eq!(reply.into_inner().connection, 0);
    check_clean(&client, server).await;
}

#[tokio::test]
async fn messages_against_the_rules_fail_the_call_and_spare_the_connection() {
    for (what, bytes) in BAD_MESSAGES {
        check_survives(what, Wrong::Message(bytes)).await;
    }
}

#[tokio::test]
async fn details_that_are_no_base64_are_left_out_and_the_status_counts() {
    const FIELDS: [(&str, &str); 3] = [
        ("grpc-status", "9"),
        ("grpc-message", "not now"),
        ("grpc-status-details-bin", "&no base64&"),
    ];
    for in_headers in [true, false] {
        let server = FaultServer::start(move |mut conn: Conn| async move {
            conn.handshake(&[]).await?;
            loop {
                let request = cases::next_victim(&mut conn).await?;
                if in_headers {
                    let head = [(":status", "200"), ("content-type", "application/grpc")];
                    conn.send_headers(request.stream, &[&head[..], &FIELDS].concat(), true)
                        .await?;
                } else {
                    conn.respond(request.stream).await?;
                    conn.send_headers(request.stream, &FIELDS, true).await?;
                }
            }
        })
        .await;
        let client = proven(&server).await;
        for mut caller in Caller::all(client.pool()).await {
            let unary = within("a call", caller.unary(echo())).await.map(drop);
            let streamed = async { caller.server_stream(echo()).await?.into_inner().message().await };
            let streamed = within("a stream", streamed).await.map(drop);
            for status in [unary.unwrap_err(), streamed.unwrap_err()] {
                assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "not now"));
                assert!(status.details().is_empty(), "{status:?}");
            }
        }
        check_clean(&client, server).await;
    }
}

#[tokio::test]
async fn no_http2_from_the_start_is_a_failed_dial() {
    for junk in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\0\0\0\x04",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        let server = FaultServer::start(move |mut conn: Conn| async move {
            conn.expect_preface().await?;
            conn.send_raw(junk).await?;
            conn.close().await
        })
        .await;
        let client = crate::calls::client(server.uri());
        let status = within("a call", client.unary(echo())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(pool_runtime::Error::of(&status).unwrap().is_connect(), "{status:?}");
        assert_eq!(client.pool().stats().failed_dials, 1);
        check_clean(&client, server).await;
    }
}

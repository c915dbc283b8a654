//! Ready-made scripts.
//!
//! The first eight are gRPC's HTTP/2 interop cases, under their official names. In all of them,
//! and in the ones below that concern a single call, the fault strikes every method but `Read`,
//! which is answered well: so a test can see whether the connection and its other streams live
//! on. Calls may come at once and on several connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use h2::Reason;
use tokio::sync::watch;
use tonic::Code;

use super::respond::{framed, hangs};
use super::{Conn, Request, Script};
use crate::wire::setting;

/// How far a response gets before its fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Nothing of it has been sent.
    Start,
    /// Its headers have been sent.
    AfterHeaders,
    /// Its headers and half of its message have been sent.
    InsideMessage,
    /// All but its trailers has been sent.
    AfterMessage,
}

impl At {
    /// Every point of a response, in order.
    pub const ALL: [Self; 4] = [Self::Start, Self::AfterHeaders, Self::InsideMessage, Self::AfterMessage];
}

/// Answers the first call in full, says GOAWAY with its stream as the last one, and closes.
pub async fn goaway(mut conn: Conn) -> io::Result<()> {
    conn.handshake(&[]).await?;
    let request = next_victim(&mut conn).await?;
    conn.reply(&request).await?;
    conn.goaway(request.stream, Reason::NO_ERROR, "").await?;
    conn.close().await
}

/// Resets each stream, with NO_ERROR, after its response headers.
pub async fn rst_after_header(conn: Conn) -> io::Result<()> {
    reset_streams(conn, At::AfterHeaders, Reason::NO_ERROR).await
}

/// Resets each stream, with NO_ERROR, in the middle of the response message.
pub async fn rst_during_data(conn: Conn) -> io::Result<()> {
    reset_streams(conn, At::InsideMessage, Reason::NO_ERROR).await
}

/// Resets each stream, with NO_ERROR, instead of sending trailers.
pub async fn rst_after_data(conn: Conn) -> io::Result<()> {
    reset_streams(conn, At::AfterMessage, Reason::NO_ERROR).await
}

/// Sends a PING before and after the response headers and the message, and waits for each
/// acknowledgement. One with other bytes is a violation.
pub async fn ping(mut conn: Conn) -> io::Result<()> {
    conn.handshake(&[]).await?;
    loop {
        let request = next_victim(&mut conn).await?;
        let reply = conn.reply_to(&request);
        conn.ping_pong().await?;
        conn.respond(request.stream).await?;
        conn.ping_pong().await?;
        conn.send_message(request.stream, &reply).await?;
        conn.ping_pong().await?;
        conn.trailers(request.stream, Code::Ok, "").await?;
    }
}

/// Allows one stream at a time. Between a request and its answer a PING goes there and back, so
/// that a second stream beside the first one is sure to be counted in `streams_peak`.
pub async fn max_streams(mut conn: Conn) -> io::Result<()> {
    conn.handshake(&[(setting::MAX_CONCURRENT_STREAMS, 1)]).await?;
    loop {
        let request = conn.next_request().await?;
        conn.ping_pong().await?;
        conn.reply(&request).await?;
    }
}

/// Sends messages in pieces of five bytes, each with 255 bytes of padding.
pub async fn data_frame_padding(conn: Conn) -> io::Result<()> {
    tiny_frames(conn, Some(255)).await
}

/// Sends messages in pieces of five bytes.
pub async fn no_df_padding_sanity_test(conn: Conn) -> io::Result<()> {
    tiny_frames(conn, None).await
}

/// Resets each stream with `reason` at the given point of its response.
pub fn rst(at: At, reason: Reason) -> impl Script {
    move |conn| reset_streams(conn, at, reason)
}

/// Closes the connection, with FIN, at the given point of the first response.
pub fn eof(at: At) -> impl Script {
    move |mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let request = next_victim(&mut conn).await?;
        respond_up_to(&mut conn, &request, at).await?;
        conn.close().await
    }
}

/// Ends the connection, with a TCP reset, at the given point of the first response.
pub fn tcp_reset(at: At) -> impl Script {
    move |mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let request = next_victim(&mut conn).await?;
        respond_up_to(&mut conn, &request, at).await?;
        // A reset takes back what the client has not read yet: it has read what came before the
        // PING that it acknowledges.
        conn.ping_pong().await?;
        conn.abort()
    }
}

/// On the first so many connections: says GOAWAY below the first call's stream, which thereby was
/// not processed, and closes. Later connections serve.
pub fn goaway_unprocessed(connections: usize) -> impl Script {
    move |mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        if conn.index() >= connections {
            return conn.serve().await;
        }
        let request = next_victim(&mut conn).await?;
        conn.goaway(request.stream.saturating_sub(2), Reason::NO_ERROR, "")
            .await?;
        conn.close().await
    }
}

/// Refuses the first so many streams, over all connections, and serves the others.
pub fn refuse_first(streams: usize) -> impl Script {
    let seen = Arc::new(AtomicUsize::new(0));
    move |mut conn: Conn| {
        let seen = Arc::clone(&seen);
        async move {
            conn.handshake(&[]).await?;
            loop {
                let request = next_victim(&mut conn).await?;
                if seen.fetch_add(1, Ordering::Relaxed) < streams {
                    conn.refuse(request.stream).await?;
                } else {
                    conn.reply(&request).await?;
                }
            }
        }
    }
}

/// Announces the stream limit that `limit` holds, anew whenever it changes, and serves. While it
/// holds nothing no SETTINGS are sent at all. Calls whose script hangs are left open.
pub fn limit_follows(limit: watch::Receiver<Option<u32>>) -> impl Script {
    move |mut conn: Conn| {
        let mut limit = limit.clone();
        async move {
            // A server's first frame is its SETTINGS: not even an acknowledgement goes before it.
            conn.withhold_acks();
            limit.mark_changed();
            loop {
                tokio::select! {
                    // Nobody is left to change it once the sender is gone.
                    Ok(()) = limit.changed() => {
                        let now = *limit.borrow_and_update();
                        if let Some(now) = now {
                            conn.send_settings(&[(setting::MAX_CONCURRENT_STREAMS, now)]).await?;
                            conn.resume_acks().await?;
                        }
                    }
                    request = conn.next_request() => {
                        let request = request?;
                        if !hangs(&request) {
                            conn.reply(&request).await?;
                        }
                    }
                }
            }
        }
    }
}

/// Reads, and never says a word.
pub async fn silent(mut conn: Conn) -> io::Result<()> {
    conn.withhold_acks();
    conn.withhold_windows();
    conn.until_closed().await
}

/// Acknowledges what the client says, and never sends SETTINGS of its own.
pub async fn settings_withheld(mut conn: Conn) -> io::Result<()> {
    conn.until_closed().await
}

/// Answers each call as a web server would: with this status, in HTML, and no gRPC.
pub fn plain_http(status: u16) -> impl Script {
    move |mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let status = status.to_string();
        loop {
            let request = next_victim(&mut conn).await?;
            let headers = [(":status", status.as_str()), ("content-type", "text/html")];
            conn.send_headers(request.stream, &headers, false).await?;
            conn.send_data(request.stream, b"<html>no gRPC here</html>", true)
                .await?;
        }
    }
}

/// Ends each response with its message: no trailers, no status.
pub async fn no_trailers(mut conn: Conn) -> io::Result<()> {
    conn.handshake(&[]).await?;
    loop {
        let request = next_victim(&mut conn).await?;
        let message = framed(&conn.reply_to(&request));
        conn.respond(request.stream).await?;
        conn.send_data(request.stream, &message, true).await?;
    }
}

/// The next request that the fault is for. Those for `Read` are answered on the way.
pub async fn next_victim(conn: &mut Conn) -> io::Result<Request> {
    loop {
        let request = conn.next_request().await?;
        if !request.path().ends_with("/Read") {
            return Ok(request);
        }
        conn.reply(&request).await?;
    }
}

/// Sends a response up to the given point.
pub async fn respond_up_to(conn: &mut Conn, request: &Request, at: At) -> io::Result<()> {
    let message = framed(&conn.reply_to(request));
    let sent = match at {
        At::Start => return Ok(()),
        At::AfterHeaders => 0,
        At::InsideMessage => message.len() / 2,
        At::AfterMessage => message.len(),
    };
    conn.respond(request.stream).await?;
    if sent > 0 {
        conn.send_data(request.stream, &message[..sent], false).await?;
    }
    Ok(())
}

async fn reset_streams(mut conn: Conn, at: At, reason: Reason) -> io::Result<()> {
    conn.handshake(&[]).await?;
    loop {
        let request = next_victim(&mut conn).await?;
        respond_up_to(&mut conn, &request, at).await?;
        conn.rst(request.stream, reason).await?;
    }
}

async fn tiny_frames(mut conn: Conn, padding: Option<u8>) -> io::Result<()> {
    conn.handshake(&[]).await?;
    loop {
        let request = conn.next_request().await?;
        let message = framed(&conn.reply_to(&request));
        conn.respond(request.stream).await?;
        for piece in message.chunks(5) {
            match padding {
                Some(padding) => conn.send_padded(request.stream, piece, padding).await?,
                None => conn.send_data(request.stream, piece, false).await?,
            }
        }
        conn.trailers(request.stream, Code::Ok, "").await?;
    }
}

//! From a transport to a connection that may carry calls: the HTTP/2 preface and the peer's first SETTINGS.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite};

use super::error::BoxError;
use super::pace::{Pace, Paced};

/// The h2 connection over a paced transport.
pub(crate) type Http2<T> = h2::client::Connection<Paced<T>, Bytes>;

/// HTTP/2 settings of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Http2Settings {
    pub(crate) initial_stream_window: u32,
    pub(crate) initial_connection_window: u32,
    pub(crate) max_frame_size: u32,
    pub(crate) max_header_list_size: u32,
}

impl Default for Http2Settings {
    /// Static windows: measured on loopback at 256 KiB messages, 64 KiB windows cost 44 % of the throughput, and
    /// frames of 1 MiB gain a third over 16 KiB. 64 KiB of headers is eight times what gRPC's C core accepts.
    fn default() -> Self {
        Self {
            initial_stream_window: 2 << 20,
            initial_connection_window: 5 << 20,
            max_frame_size: 1 << 20,
            max_header_list_size: 64 << 10,
        }
    }
}

/// The most that `max_header_list_size` may be: the default of h2 and of Go's HTTP/2.
pub(crate) const MAX_HEADER_LIST: u32 = 16 << 20;

/// The least that it may be: a failure in the headers (`:status`, `content-type`, `date`, `grpc-status` and
/// `grpc-message`) has 255 bytes with an empty message.
pub(crate) const MIN_HEADER_LIST: u32 = 256;

/// The least limit that h2 is given.
const MIN_ENGINE_HEADER_LIST: u32 = 1 << 20;

/// The size of header lists that h2 accepts, which is also what the peer is told. It is above the pool's own limit,
/// because h2 cuts trailers over its limit and does not report it; and ends the connection, with all its calls, at four
/// times its limit. Lists between the two are measured when they have been read. That a block was cut can be told from
/// its fields and its size on the wire if h2 reads three times the pool's limit, or more ([`super::blocks`]).
fn engine_header_list(limit: u32) -> u32 {
    limit.saturating_mul(4).max(MIN_ENGINE_HEADER_LIST)
}

/// How much may be read while the peer's SETTINGS are awaited.
const HANDSHAKE_BUDGET: usize = 64 << 10;

/// What the overhead of DATA frames that wait unread on a connection may come to. h2 counts 256 bytes less the payload
/// for each, and ends the connection to a peer that goes over its budget; with its own budget, 100 of the tiniest are
/// enough. This lets some 4,000 of them wait.
const DATA_FRAME_BUDGET: usize = 1 << 20;

/// Frames that may come late for streams that were reset and are forgotten by then. h2 answers each with a reset, counts
/// them over the life of the connection, and ends it past this; its own 1,024 are reached by a thousand calls that run into
/// their deadline together.
const MAX_LATE_FRAMES: usize = 65_536;

/// Streams that were reset and are remembered for a while, so that late frames for them cost nothing.
const REMEMBERED_RESETS: usize = 1_024;

/// How much of a streamed request a connection takes before it is written. h2's own 400 KiB make a sender of large
/// messages wait several times for each; 1 MiB is what hyper allows.
const SEND_BUFFER: usize = 1 << 20;

/// A connection that has its peer's SETTINGS.
pub(crate) struct Ready<T> {
    pub(crate) http2: Http2<T>,
    pub(crate) send: SendRequest<Bytes>,
    /// Streams the peer allows; `usize::MAX` if it names no limit.
    pub(crate) limit: usize,
}

/// Sends the preface and waits for the peer's SETTINGS: until then nothing is known of its stream limit, and requests
/// sent into the dark are what a cold burst loses (R6). Not bounded in time; the caller does that.
pub(crate) async fn handshake<T>(transport: T, settings: &Http2Settings, pace: &Arc<Pace>) -> Result<Ready<T>, BoxError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    pace.blocks.watch(settings.max_header_list_size as usize);
    let paced = Paced::new(transport, pace.clone());
    let (send, mut http2) = Builder::new()
        .enable_push(false)
        .initial_max_send_streams(0)
        .initial_window_size(settings.initial_stream_window)
        .initial_connection_window_size(settings.initial_connection_window)
        .max_frame_size(settings.max_frame_size)
        .max_header_list_size(engine_header_list(settings.max_header_list_size))
        .data_frame_budget(DATA_FRAME_BUDGET)
        .max_send_buffer_size(SEND_BUFFER)
        .max_local_error_reset_streams(Some(MAX_LATE_FRAMES))
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .handshake(paced)
        .await?;

    poll_fn(|cx| {
        pace.allow(HANDSHAKE_BUDGET);
        match Pin::new(&mut http2).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Err("the peer closed the connection before it sent SETTINGS".into())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(BoxError::from(error))),
            // h2 returns pending only once it has handled all it read.
            Poll::Pending if pace.has_settings() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    })
    .await?;

    let limit = http2.max_concurrent_send_streams();
    Ok(Ready { http2, send, limit })
}

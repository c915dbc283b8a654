//! Counts streams where their frames pass.
//!
//! A count kept in the service would be wrong in both directions: hyper runs each stream as a
//! task of its own, so the task of a stream that the client has reset may still be alive when the
//! next request is read (one too many), and what the server's own limit refuses never reaches the
//! service (one too few). On the wire the order is exact: a connection is read and written by one
//! task, and a frame is entered in the ledger before the next one passes.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use h2::Reason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stats::{End, Page};
use crate::wire::{HEAD_LEN, Head, PREFACE, kind};

/// A server's end of a connection that enters the frames passing through it in the ledger.
pub(crate) struct Tap<S> {
    socket: S,
    inbound: Scanner,
    outbound: Scanner,
    streams: Streams,
}

impl<S> Tap<S> {
    pub(crate) fn new(socket: S, page: Page) -> Self {
        Self {
            socket,
            inbound: Scanner::after(PREFACE.len()),
            outbound: Scanner::after(0),
            streams: Streams {
                page,
                newest: 0,
                live: HashMap::new(),
            },
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.socket).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        this.inbound
            .scan(read, |head, payload| this.streams.received(head, payload));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = ready!(Pin::new(&mut this.socket).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let part = &buf[..left.min(buf.len())];
            this.outbound
                .scan(part, |head, payload| this.streams.sent(head, payload));
            left -= part.len();
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// As much of a payload as the codes of RST_STREAM and GOAWAY need.
const KEPT: usize = 8;

/// Finds the frames in one direction of a connection, however its bytes are cut.
struct Scanner {
    /// Bytes to pass over: the client's preface, or what is left of a payload.
    skip: usize,
    /// The frame whose payload is passing.
    frame: Option<Head>,
    kept: Vec<u8>,
    head: Vec<u8>,
}

impl Scanner {
    fn after(skip: usize) -> Self {
        Self {
            skip,
            frame: None,
            kept: Vec::with_capacity(KEPT),
            head: Vec::with_capacity(HEAD_LEN),
        }
    }

    /// Calls `seen` for each frame that ends within `bytes`.
    fn scan(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Head, &[u8])) {
        loop {
            let (passed, rest) = bytes.split_at(self.skip.min(bytes.len()));
            self.kept.extend(passed.iter().take(KEPT - self.kept.len()));
            self.skip -= passed.len();
            bytes = rest;
            if self.skip > 0 {
                return;
            }
            if let Some(frame) = self.frame.take() {
                seen(frame, &self.kept);
            }
            self.kept.clear();

            let (part, rest) = bytes.split_at((HEAD_LEN - self.head.len()).min(bytes.len()));
            self.head.extend(part);
            bytes = rest;
            let Ok(head) = self.head.as_slice().try_into() else {
                return;
            };
            let head = Head::parse(head);
            self.head.clear();
            self.skip = head.len;
            self.frame = Some(head);
        }
    }
}

/// The streams in flight on a connection.
struct Streams {
    page: Page,
    /// The highest stream the client has opened: its ids only go up.
    newest: u32,
    live: HashMap<u32, Halves>,
}

/// Which halves of a stream have ended.
#[derive(Default)]
struct Halves {
    client: bool,
    server: bool,
}

impl Streams {
    fn received(&mut self, head: Head, payload: &[u8]) {
        match head.kind {
            kind::HEADERS if head.stream > self.newest => {
                self.newest = head.stream;
                self.live.insert(head.stream, Halves::default());
                self.page.stream_opened();
            }
            kind::RST_STREAM => {
                self.page.reset_received(reason(payload, 0));
                self.end(head.stream, End::ByClient);
            }
            kind::PING if !head.has(crate::wire::flag::ACK) => self.page.ping_received(),
            kind::GOAWAY => self.page.goaway_received(reason(payload, 4)),
            _ => {}
        }
        if head.ends_stream() {
            self.end_half(head.stream, |halves| halves.client = true);
        }
    }

    fn sent(&mut self, head: Head, payload: &[u8]) {
        if head.kind == kind::RST_STREAM {
            self.end(head.stream, End::ByServer(reason(payload, 0)));
        }
        if head.ends_stream() {
            self.end_half(head.stream, |halves| halves.server = true);
        }
    }

    fn end_half(&mut self, stream: u32, end: impl FnOnce(&mut Halves)) {
        let Some(halves) = self.live.get_mut(&stream) else {
            return;
        };
        end(halves);
        if halves.client && halves.server {
            self.end(stream, End::Complete);
        }
    }

    fn end(&mut self, stream: u32, end: End) {
        if self.live.remove(&stream).is_some() {
            self.page.stream_ended(end);
        }
    }
}

/// The error code at `offset` of a payload; a payload too short for one counts as NO_ERROR.
fn reason(payload: &[u8], offset: usize) -> Reason {
    let code = payload.get(offset..).and_then(<[u8]>::first_chunk);
    code.map_or(Reason::NO_ERROR, |code| Reason::from(u32::from_be_bytes(*code)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::flag;

    /// A frame, and what the scanner is to report of it: its head and the start of its payload.
    fn frame(kind: u8, flags: u8, payload: &[u8]) -> (Vec<u8>, (Head, Vec<u8>)) {
        let head = Head {
            len: payload.len(),
            kind,
            flags,
            stream: 7,
        };
        let start = payload.iter().copied().take(KEPT).collect();
        ([&head.bytes(), payload].concat(), (head, start))
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let frames = [
            frame(kind::SETTINGS, flag::ACK, &[]),
            frame(kind::DATA, 0, &[1; 300]),
            frame(kind::DATA, flag::END_STREAM, &[]),
            frame(kind::RST_STREAM, 0, &8u32.to_be_bytes()),
        ];
        let expected: Vec<_> = frames.iter().map(|(_, report)| report.clone()).collect();
        let stream: Vec<u8> = PREFACE
            .iter()
            .copied()
            .chain(frames.into_iter().flat_map(|f| f.0))
            .collect();

        for size in [1, 2, 8, 9, 10, 100, stream.len()] {
            let mut scanner = Scanner::after(PREFACE.len());
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                scanner.scan(piece, |head, payload| seen.push((head, payload.to_vec())));
            }
            assert_eq!(seen, expected, "in pieces of {size} bytes");
        }
    }
}

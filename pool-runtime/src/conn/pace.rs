//! Paces a connection's reads, and counts what passes.
//!
//! How the connection's task is scheduled decides throughput. If it reads everything there is, all callers are woken
//! at once and it writes their next requests one by one; if it reads little at a time, callers run in between and
//! their requests leave in one write. So a turn reads at most a budget, which the [`Driver`](super::driver) sets from
//! the size of the messages: about a kibibyte for small ones, no practical bound for large ones.
//!
//! What passes answers three questions. Have the peer's SETTINGS been read? Has a response begun? And has anything been
//! written since a request was queued? If not, that request cannot have reached the peer.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::blocks::{Blocks, Frames};
use super::protocol;

/// A frame's head: 24 bits of length, then type, flags and stream (RFC 9113, 4.1).
const FRAME_HEAD: usize = 9;

/// The type of a HEADERS frame.
const HEADERS: u8 = 1;

/// The type of a GOAWAY frame, whose payload begins with the last stream that is processed; and the number that only
/// announces another GOAWAY (RFC 9113, 6.8).
const GOAWAY: u8 = 7;
const NOT_YET: u32 = (1 << 31) - 1;

/// The type of a SETTINGS frame, and the flag of one that only acknowledges.
const SETTINGS: u8 = 4;
const ACK: u8 = 1;

/// What the transport's wrapper and the rest of the connection share. Only the connection's task writes to it, so
/// relaxed ordering is enough; `written` is read by callers after h2's lock has ordered it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    budget: AtomicUsize,
    held_back: AtomicBool,
    read: AtomicU64,
    written: AtomicU64,
    /// The transport takes no more bytes for now.
    blocked: AtomicBool,
    settings: AtomicBool,
    answered: AtomicBool,
    announced: AtomicBool,
    /// The first [`protocol::KEPT`] bytes from a peer whose SETTINGS have not been seen.
    first: Mutex<Vec<u8>>,
    pub(crate) blocks: Blocks,
}

impl Pace {
    /// Allows this many bytes until the next call.
    pub(crate) fn allow(&self, bytes: usize) {
        self.budget.store(bytes, Relaxed);
        self.held_back.store(false, Relaxed);
    }

    /// Bytes read from the peer so far.
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Bytes handed to the transport so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// The first bytes from the peer, until its SETTINGS are there: they show which protocol it speaks.
    pub(crate) fn first_bytes(&self) -> Vec<u8> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep_first(&self, bytes: &[u8]) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let room = protocol::KEPT.saturating_sub(first.len());
        first.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn drop_first(&self) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Vec::new();
    }

    /// Whether the last attempt to write or flush waits for the transport. If not, everything that h2 had to write in its
    /// last turn has been handed over.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    /// Whether the peer's first SETTINGS have been read to their end.
    pub(crate) fn has_settings(&self) -> bool {
        self.settings.load(Relaxed)
    }

    /// Whether a GOAWAY has only announced another, and no call has been answered.
    pub(crate) fn only_announces(&self) -> bool {
        self.announced.load(Relaxed) && !self.has_answered()
    }

    /// Whether a first response has begun, or a GOAWAY has promised one: the connection is of use.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }
}

/// A transport whose reads are paced.
#[derive(Debug)]
pub(crate) struct Paced<T> {
    inner: T,
    pace: Arc<Pace>,
    /// Until a first response has begun.
    scan: Option<Scan>,
    frames: Frames,
}

/// Looks for the peer's SETTINGS and its first response: HEADERS, or a GOAWAY that includes a stream. SETTINGS are to be its first frame, but h2 lets a peer acknowledge
/// ours before, and the stream limit of one that never sends its own is not known.
#[derive(Debug)]
pub(crate) struct Scan {
    head: Vec<u8>,
    /// What is left of the payload of the frame in hand.
    left: usize,
    is_settings: bool,
    /// Of a GOAWAY, the bytes still missing of the last stream's number, and the number so far.
    goaway: (u32, u32),
    /// The peer's SETTINGS have ended.
    pub(crate) has_settings: bool,
    /// The peer has answered a call, or will.
    pub(crate) has_answer: bool,
    /// A GOAWAY has announced another.
    pub(crate) has_announced: bool,
}

impl Scan {
    pub(crate) fn new() -> Self {
        Self {
            head: Vec::with_capacity(FRAME_HEAD),
            left: 0,
            is_settings: false,
            goaway: (0, 0),
            has_settings: false,
            has_answer: false,
            has_announced: false,
        }
    }

    /// Takes in the bytes that were read.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (passed, rest) = bytes.split_at(self.left.min(bytes.len()));
                self.left -= passed.len();
                bytes = rest;
                self.read_goaway(passed);
            } else {
                let (part, rest) = bytes.split_at(bytes.len().min(FRAME_HEAD - self.head.len()));
                self.head.extend_from_slice(part);
                bytes = rest;
                let [a, b, c, kind, flags, _, _, _, _] = self.head[..] else {
                    return;
                };
                self.head.clear();
                self.left = u32::from_be_bytes([0, a, b, c]) as usize;
                self.is_settings = kind == SETTINGS && flags & ACK == 0;
                self.goaway = (if kind == GOAWAY { 4 } else { 0 }, 0);
                self.has_answer |= kind == HEADERS;
            }
            self.has_settings |= self.is_settings && self.left == 0;
        }
    }
}

impl Scan {
    fn read_goaway(&mut self, payload: &[u8]) {
        for &byte in payload {
            let (missing, last) = &mut self.goaway;
            if *missing == 0 {
                return;
            }
            *missing -= 1;
            *last = *last << 8 | u32::from(byte);
            // The highest bit is reserved.
            let last = *last & NOT_YET;
            let (is_whole, is_announcement) = (*missing == 0, last == NOT_YET);
            self.has_answer |= is_whole && last != 0 && !is_announcement;
            self.has_announced |= is_whole && is_announcement;
        }
    }
}

impl<T> Paced<T> {
    pub(crate) fn new(inner: T, pace: Arc<Pace>) -> Self {
        Self {
            inner,
            pace,
            scan: Some(Scan::new()),
            frames: Frames::default(),
        }
    }

    fn count_read(&mut self, bytes: &[u8]) {
        let read = self.pace.read.load(Relaxed) + bytes.len() as u64;
        self.pace.read.store(read, Relaxed);
        self.frames.read(bytes, &self.pace.blocks);
        let Some(scan) = &mut self.scan else { return };
        scan.read(bytes);
        if scan.has_settings {
            self.pace.drop_first();
        } else {
            self.pace.keep_first(bytes);
        }
        self.pace.settings.store(scan.has_settings, Relaxed);
        self.pace.answered.store(scan.has_answer, Relaxed);
        self.pace.announced.store(scan.has_announced, Relaxed);
        if scan.has_settings && scan.has_answer {
            self.scan = None;
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let budget = this.pace.budget.load(Relaxed);
        if budget == 0 {
            // The rest is read in the next turn, after those who were woken by this one.
            if !this.pace.held_back.swap(true, Relaxed) {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(poll_read_buf(
            Pin::new(&mut this.inner),
            cx,
            &mut (&mut *buf).limit(budget)
        ))?;
        let fresh = &buf.filled()[before..];
        this.pace.budget.store(budget.saturating_sub(fresh.len()), Relaxed);
        this.count_read(fresh);
        Poll::Ready(Ok(()))
    }
}

impl<T> Paced<T> {
    fn count_written(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.pace.blocked.store(result.is_pending(), Relaxed);
        if let Poll::Ready(Ok(bytes)) = &result {
            let written = self.pace.written.load(Relaxed) + *bytes as u64;
            self.pace.written.store(written, Relaxed);
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.count_written(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.count_written(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_flush(cx);
        // A transport with a buffer of its own, TLS for one, takes bytes that it cannot send yet.
        this.pace.blocked.store(result.is_pending(), Relaxed);
        result
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;

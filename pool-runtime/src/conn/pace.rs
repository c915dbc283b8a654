//! Paces a connection's reads, and counts what passes.
//!
//! How the connection's task is scheduled decides throughput. If it reads everything there is, all callers are woken
//! at once and it writes their next requests one by one; if it reads little at a time, callers run in between and
//! their requests leave in one write. So a turn reads at most a budget, which the [`Driver`](super::driver) sets from
//! the size of the messages: about a kibibyte for small ones, no practical bound for large ones.
//!
//! The counts answer two questions: has the peer's first frame (its SETTINGS) been read, and has anything been
//! written since a request was queued? If not, that request cannot have reached the peer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A frame's head: 24 bits of length, then type, flags and stream (RFC 9113, 4.1).
const FRAME_HEAD: usize = 9;

/// What the transport's wrapper and the rest of the connection share. Only the connection's task writes to it, so
/// relaxed ordering is enough; `written` is read by callers after h2's lock has ordered it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    budget: AtomicUsize,
    held_back: AtomicBool,
    read: AtomicU64,
    written: AtomicU64,
    first_frame_ends: AtomicU64,
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

    /// Whether the whole of the peer's first frame has been read.
    pub(crate) fn has_first_frame(&self) -> bool {
        let end = self.first_frame_ends.load(Relaxed);
        end > 0 && self.read() >= end
    }
}

/// A transport whose reads are paced.
#[derive(Debug)]
pub(crate) struct Paced<T> {
    inner: T,
    pace: Arc<Pace>,
    head: Vec<u8>,
}

impl<T> Paced<T> {
    pub(crate) fn new(inner: T, pace: Arc<Pace>) -> Self {
        Self {
            inner,
            pace,
            head: Vec::with_capacity(FRAME_HEAD),
        }
    }

    fn count_read(&mut self, bytes: &[u8]) {
        let read = self.pace.read.load(Relaxed) + bytes.len() as u64;
        self.pace.read.store(read, Relaxed);
        if self.head.len() < FRAME_HEAD {
            self.head.extend(bytes.iter().take(FRAME_HEAD - self.head.len()));
            if let [a, b, c, ..] = self.head[..]
                && self.head.len() == FRAME_HEAD
            {
                let length = u64::from(u32::from_be_bytes([0, a, b, c]));
                self.pace.first_frame_ends.store(FRAME_HEAD as u64 + length, Relaxed);
            }
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
        if budget >= buf.remaining() {
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        } else {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(budget));
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
            let read = part.filled().len();
            buf.advance(read);
        }
        let fresh = &buf.filled()[before..];
        this.pace.budget.store(budget.saturating_sub(fresh.len()), Relaxed);
        this.count_read(fresh);
        Poll::Ready(Ok(()))
    }
}

impl<T> Paced<T> {
    fn count_written(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
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
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;

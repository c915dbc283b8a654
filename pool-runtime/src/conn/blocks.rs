//! Large header blocks, seen on the wire.
//!
//! h2 reads a header block up to its own limit, which is a multiple of the pool's, and drops the fields above it. Of a
//! stream's HEADERS it reports that as a reset; of trailers, not at all. The fields that arrive show it, unless one field
//! alone was over the difference of the two limits. Such a field cannot come from HPACK's table, so it was on the wire,
//! where Huffman's code saves three bits of eight at most: the block was larger there than the fields that are left of it.
//! A block of which nothing was dropped is never larger on the wire than its list, whose fields count 32 bytes each beside
//! their text (RFC 9113, 6.5.2).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::call::fields::MAP_CAPACITY;

/// A frame's head: 24 bits of length, then type, flags and stream (RFC 9113, 4.1).
const HEAD: usize = 9;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// How many large blocks are remembered until their streams ask for them. Forgotten ones belong to calls that were
/// given up.
const MOST_REMEMBERED: usize = 128;

/// The large blocks of a connection. Written by its task, and read by callers after h2's lock has ordered it.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// A block of more bytes is large.
    threshold: AtomicUsize,
    /// How many are remembered: almost always none, and then nobody takes the lock.
    count: AtomicUsize,
    large: Mutex<VecDeque<Large>>,
}

/// A large block on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Large {
    stream: u32,
    /// Bytes on the wire.
    pub(crate) size: usize,
    /// No other block has come on the stream since.
    pub(crate) is_last: bool,
}

impl Blocks {
    /// From now on, a block is large if it has more bytes than a list may have, or room for more names than a map.
    pub(crate) fn watch(&self, limit: usize) {
        self.threshold.store(limit.min(MAP_CAPACITY), Relaxed);
    }

    /// Whether no large block is remembered, as almost always.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    /// The large block that has come on the stream, forgotten with this.
    pub(crate) fn take(&self, stream: u32) -> Option<Large> {
        if self.is_empty() {
            return None;
        }
        let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        let index = large.iter().position(|block| block.stream == stream)?;
        let taken = large.remove(index);
        self.count.store(large.len(), Relaxed);
        taken
    }

    /// Another block begins on the stream.
    #[cold]
    fn continues(&self, stream: u32) {
        let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        for block in large.iter_mut().filter(|block| block.stream == stream) {
            block.is_last = false;
        }
    }

    #[cold]
    fn remember(&self, stream: u32, size: usize) {
        let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        large.retain(|block| block.stream != stream);
        if large.len() == MOST_REMEMBERED {
            large.pop_front();
        }
        large.push_back(Large {
            stream,
            size,
            is_last: true,
        });
        self.count.store(large.len(), Relaxed);
    }
}

/// Follows the frames in the bytes that are read.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; HEAD],
    known: usize,
    /// Bytes left of the payload of the current frame.
    left: usize,
    /// The size so far of the block that may be continued.
    block: usize,
}

impl Frames {
    /// Takes in the bytes that were read. A block is reported with the head of its frame, before h2 has read it.
    ///
    /// Not inlined: inside of the transport's `poll_read` it made h2's own functions around that slower.
    #[inline(never)]
    pub(crate) fn read(&mut self, mut bytes: &[u8], blocks: &Blocks) {
        loop {
            if bytes.len() <= self.left {
                self.left -= bytes.len();
                return;
            }
            bytes = &bytes[self.left..];
            self.left = 0;
            // Most heads come in one piece.
            if self.known == 0
                && let Some((head, rest)) = bytes.split_first_chunk()
            {
                bytes = rest;
                self.begin(*head, blocks);
                continue;
            }
            let part = bytes.len().min(HEAD - self.known);
            self.head[self.known..self.known + part].copy_from_slice(&bytes[..part]);
            self.known += part;
            bytes = &bytes[part..];
            if self.known == HEAD {
                self.known = 0;
                self.begin(self.head, blocks);
            }
        }
    }

    #[inline]
    fn begin(&mut self, head: [u8; HEAD], blocks: &Blocks) {
        let [a, b, c, kind, _, stream @ ..] = head;
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        if kind == HEADERS && !blocks.is_empty() {
            blocks.continues(stream);
        }
        self.block = match kind {
            HEADERS => self.left,
            CONTINUATION => self.block.saturating_add(self.left),
            _ => return,
        };
        if self.block > blocks.threshold.load(Relaxed) {
            blocks.remember(stream, self.block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u32, size: usize) -> Vec<u8> {
        let mut frame = (size as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, 0]);
        frame.extend(stream.to_be_bytes());
        frame.resize(HEAD + size, 7);
        frame
    }

    #[test]
    fn blocks_are_followed_however_they_are_read() {
        let input = [
            frame(4, 0, 12),
            frame(HEADERS, 1, 100),
            frame(0, 1, 1_000),
            frame(HEADERS, 3, 60),
            frame(CONTINUATION, 3, 41),
            frame(HEADERS, 5, 101),
            frame(0, 5, 0),
            frame(HEADERS, 7, 200),
            frame(HEADERS, 7, 10),
        ]
        .concat();
        for size in 1..=input.len() {
            let (mut frames, blocks) = (Frames::default(), Blocks::default());
            blocks.watch(100);
            for read in input.chunks(size) {
                frames.read(read, &blocks);
            }
            let taken = [1, 3, 5, 3, 7].map(|stream| blocks.take(stream).map(|block| (block.size, block.is_last)));
            let expected = [None, Some((101, true)), Some((101, true)), None, Some((200, false))];
            assert_eq!(taken, expected, "reads of {size}");
        }
    }

    #[test]
    fn no_more_blocks_are_kept_than_the_bound() {
        let (mut frames, blocks) = (Frames::default(), Blocks::default());
        for stream in 0..1_000 {
            frames.read(&frame(HEADERS, stream, 1), &blocks);
        }
        assert_eq!(blocks.count.load(Relaxed), MOST_REMEMBERED);
        assert_eq!(
            (blocks.take(0), blocks.take(999).map(|block| block.size)),
            (None, Some(1))
        );
    }
}

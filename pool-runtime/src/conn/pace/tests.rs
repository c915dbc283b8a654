use std::io::IoSlice;
use std::task::{Wake, Waker};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// Counts how often a task would have been woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A paced transport and the other end of it.
struct Rig {
    pace: Arc<Pace>,
    paced: Paced<DuplexStream>,
    peer: DuplexStream,
    wakes: Arc<Wakes>,
}

impl Rig {
    fn new() -> Self {
        let (ours, peer) = duplex(1 << 16);
        let pace = Arc::new(Pace::default());
        Self {
            paced: Paced::new(ours, pace.clone()),
            pace,
            peer,
            wakes: Arc::default(),
        }
    }

    /// One attempt to read up to `most` bytes; `None` if there is nothing to read for now.
    fn read(&mut self, most: usize) -> Option<Vec<u8>> {
        let waker = Waker::from(self.wakes.clone());
        let mut cx = Context::from_waker(&waker);
        let mut memory = vec![0; most];
        let mut buf = ReadBuf::new(&mut memory);
        match Pin::new(&mut self.paced).poll_read(&mut cx, &mut buf) {
            Poll::Ready(result) => {
                result.unwrap();
                Some(buf.filled().to_vec())
            }
            Poll::Pending => None,
        }
    }

    fn wakes(&self) -> usize {
        self.wakes.0.swap(0, Relaxed)
    }
}

#[tokio::test]
async fn a_turn_reads_no_more_than_its_budget_and_the_next_goes_on_where_it_stopped() {
    let mut rig = Rig::new();
    let sent: Vec<u8> = (0..100).collect();
    rig.peer.write_all(&sent).await.unwrap();
    let mut got = Vec::new();
    for (budget, expected) in [(30, vec![30]), (64, vec![64]), (1_000, vec![6])] {
        rig.pace.allow(budget);
        let parts: Vec<_> = std::iter::from_fn(|| rig.read(64)).collect();
        assert_eq!(
            parts.iter().map(Vec::len).collect::<Vec<_>>(),
            expected,
            "with {budget}"
        );
        got.extend(parts.concat());
    }
    assert_eq!(got, sent);
    assert_eq!(rig.pace.read(), 100);
}

#[tokio::test]
async fn a_reader_that_is_held_back_is_woken_once_and_one_that_has_read_all_is_not() {
    let mut rig = Rig::new();
    rig.peer.write_all(&[0; 30]).await.unwrap();
    for turn in 1..=2 {
        rig.pace.allow(10);
        rig.read(64).unwrap();
        assert_eq!(rig.wakes(), 0);
        assert_eq!(rig.read(64), None);
        assert_eq!(rig.read(64), None);
        assert_eq!(rig.wakes(), 1, "in turn {turn}, for the next, once");
    }

    rig.pace.allow(100);
    rig.read(64).unwrap();
    assert_eq!(rig.read(64), None);
    assert_eq!(rig.wakes(), 0, "there is nothing to read");
    rig.peer.write_all(&[0; 1]).await.unwrap();
    assert_eq!(rig.wakes(), 1, "there is something to read");
}

#[tokio::test]
async fn a_read_within_the_budget_leaves_alone_what_the_buffer_holds() {
    let mut rig = Rig::new();
    rig.peer.write_all(b"peer").await.unwrap();
    for budget in [2, 100] {
        rig.pace.allow(budget);
        let mut memory = [0; 16];
        let mut buf = ReadBuf::new(&mut memory);
        buf.put_slice(b"mine");
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut rig.paced).poll_read(&mut cx, &mut buf).is_ready());
        let expected: &[u8] = if budget == 2 { b"minepe" } else { b"mineer" };
        assert_eq!(buf.filled(), expected);
    }
    assert_eq!(rig.pace.read(), 4);
}

#[test]
fn the_settings_are_found_behind_other_frames_however_the_bytes_are_cut() {
    let acknowledgement = [0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0];
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[4; 8]].concat();
    let empty = vec![0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
    let one = [&[0, 0, 6, SETTINGS, 0, 0, 0, 0, 0][..], &[0, 3, 0, 0, 0, 1]].concat();
    for settings in [empty, one] {
        let before = [&acknowledgement[..], &ping].concat();
        let all = [&before[..], &settings].concat();
        for size in [1, 2, 8, 9, 10, all.len()] {
            let mut scan = Scan::new();
            let mut read = 0;
            let found = all.chunks(size).any(|piece| {
                read += piece.len();
                scan.read(piece);
                scan.has_settings
            });
            assert!(found && read == all.len(), "in pieces of {size}: after {read} bytes");
        }
        let mut scan = Scan::new();
        scan.read(&before);
        assert!(!scan.has_settings);
    }
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::to_be_bytes(payload.len() as u32);
    [&length[..], &[kind, 0, 0, 0, 0, 0], payload].concat()
}

fn goaway(last: u32) -> Vec<u8> {
    frame(GOAWAY, &[&last.to_be_bytes()[..], &[HEADERS; 8]].concat())
}

#[test]
fn the_first_answer_is_seen() {
    let rows = [
        (frame(HEADERS, &[0x88]), true),
        (frame(HEADERS, &[]), true),
        (goaway(1), true),
        (goaway(1 << 31 | 5), true),
        (goaway(0), false),
        (goaway(1 << 31), false),
        (goaway(NOT_YET), false),
        (frame(GOAWAY, &[0, 0, 1]), false),
        (frame(6, &[HEADERS; 8]), false),
    ];
    let before = [frame(SETTINGS, &[]), goaway(NOT_YET), frame(0, &[HEADERS; 20])].concat();
    for (answer, expected) in rows {
        for size in 1..40 {
            let mut scan = Scan::new();
            before.chunks(size).for_each(|piece| scan.read(piece));
            assert!(scan.has_settings && !scan.has_answer, "in pieces of {size}");
            answer.chunks(size).for_each(|piece| scan.read(piece));
            assert_eq!(scan.has_answer, expected, "{answer:?} in pieces of {size}");
        }
    }
}

#[tokio::test]
async fn the_settings_count_as_read_with_their_last_byte() {
    // One entry, none, and a length that needs all three of its bytes.
    let frames = [(6, 15), (0, 9), (0x01_02_03, 9 + 0x01_02_03)];
    for (length, end) in frames {
        for cut in [1, 2, 3, 8, 9, 10, 14] {
            let cut = cut.min(end - 1);
            let mut rig = Rig::new();
            let head = u32::to_be_bytes(length);
            let mut bytes = [&head[1..], &[4, 0, 0, 0, 0, 0]].concat();
            bytes.resize(end + 5, 0xff);
            let mut read = 0;
            for part in [&bytes[..cut], &bytes[cut..end - 1], &bytes[end - 1..]].map(<[u8]>::to_vec) {
                for part in part.chunks(1 << 15) {
                    rig.peer.write_all(part).await.unwrap();
                    rig.pace.allow(usize::MAX);
                    read += rig.read(1 << 16).unwrap().len();
                    assert_eq!(
                        rig.pace.has_settings(),
                        read >= end,
                        "{length} bytes, cut at {cut}: {read} read"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_written_is_counted_in_whatever_way_it_is_written() {
    let mut rig = Rig::new();
    rig.paced.write_all(&[0; 10]).await.unwrap();
    let slices = [IoSlice::new(&[0; 3]), IoSlice::new(&[0; 4])];
    assert_eq!(rig.paced.write_vectored(&slices).await.unwrap(), 7);
    rig.paced.flush().await.unwrap();
    assert_eq!((rig.pace.written(), rig.pace.read()), (17, 0));

    drop(rig.peer);
    rig.paced.write_all(&[0; 10]).await.unwrap_err();
    assert_eq!(rig.pace.written(), 17, "what failed was not written");
}

#[tokio::test]
async fn the_end_of_the_transport_is_passed_on() {
    let mut rig = Rig::new();
    rig.pace.allow(100);
    rig.paced.shutdown().await.unwrap();
    assert_eq!(rig.peer.read(&mut [0; 8]).await.unwrap(), 0);
    drop(rig.peer.shutdown().await);
    assert_eq!(rig.paced.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(!rig.pace.has_settings());
}

#[tokio::test]
async fn both_settings_and_an_answer_are_waited_for() {
    for is_answer_first in [false, true] {
        let mut parts = [
            (frame(SETTINGS, &[]), (true, false)),
            (frame(HEADERS, &[0x88]), (false, true)),
        ];
        if is_answer_first {
            parts.reverse();
        }
        let mut rig = Rig::new();
        let (mut seen, mut sent) = ((false, false), Vec::new());
        for (bytes, (settings, answer)) in parts {
            seen = (seen.0 | settings, seen.1 | answer);
            sent.extend_from_slice(&bytes);
            rig.peer.write_all(&bytes).await.unwrap();
            rig.pace.allow(usize::MAX);
            rig.read(100).unwrap();
            assert_eq!((rig.pace.has_settings(), rig.pace.has_answered()), seen);
            let first = if seen.0 { &[][..] } else { &sent };
            assert_eq!(rig.pace.first_bytes(), first, "kept until the SETTINGS are there");
        }
    }
}

/// A transport with a buffer of its own, as TLS has: it takes bytes that it cannot send yet.
struct Buffered {
    is_full: bool,
    is_vectored: bool,
}

impl AsyncRead for Buffered {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Buffered {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn is_write_vectored(&self) -> bool {
        self.is_vectored
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.is_full {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_flush_that_waits_blocks() {
    let pace = Arc::new(Pace::default());
    let buffered = Buffered {
        is_full: true,
        is_vectored: false,
    };
    let mut paced = Paced::new(buffered, pace.clone());
    paced.write_all(&[0; 10]).await.unwrap();
    assert!(!pace.is_blocked());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut paced).poll_flush(&mut cx).is_pending() && pace.is_blocked());
    paced.inner.is_full = false;
    assert!(Pin::new(&mut paced).poll_flush(&mut cx).is_ready() && !pace.is_blocked());
}

#[tokio::test]
async fn a_write_that_waits_blocks() {
    let mut rig = Rig::new();
    let mut cx = Context::from_waker(Waker::noop());
    let bytes = [0; 1 << 16];
    assert!(Pin::new(&mut rig.paced).poll_write(&mut cx, &bytes).is_ready() && !rig.pace.is_blocked());
    assert!(Pin::new(&mut rig.paced).poll_write(&mut cx, &bytes).is_pending() && rig.pace.is_blocked());
    rig.peer.read_exact(&mut [0; 10]).await.unwrap();
    assert!(Pin::new(&mut rig.paced).poll_write(&mut cx, &bytes).is_ready() && !rig.pace.is_blocked());
}

#[test]
fn vectored_writes_are_the_transports() {
    for is_vectored in [false, true] {
        let buffered = Buffered {
            is_full: false,
            is_vectored,
        };
        assert_eq!(Paced::new(buffered, Arc::default()).is_write_vectored(), is_vectored);
    }
}

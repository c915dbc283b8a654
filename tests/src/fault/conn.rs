//! A server's end of one connection, in the hands of a script.

use std::fmt;
use std::io;

use bytes::{Buf, BytesMut};
use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::flow::Windows;
use super::frame::{self, Frame};
use super::request::{Request, Requests};
use crate::host::Guest;
use crate::socket::{ResetOnDrop, Socket};
use crate::stats::Notes;
use crate::tap::Tap;
use crate::wire::{PREFACE, flag, kind};

/// A connection as its script has it. Nothing is sent and nothing is read but what the script
/// asks for, with two exceptions: while the script reads, SETTINGS and PING are acknowledged and
/// the windows of received DATA given back, unless it is told to [withhold](Self::withhold_acks)
/// [them](Self::withhold_windows).
///
/// Dropping it closes the socket as the system does: with a reset where something was left
/// unread. [`close`](Self::close) and [`abort`](Self::abort) say exactly how it ends.
///
/// Every method that waits may be dropped while it waits (in `select!`, say): no byte is lost in
/// either direction, and what it would have returned can be had from the next call.
pub struct Conn {
    index: usize,
    socket: Tap<Socket>,
    reset: ResetOnDrop,
    notes: Notes,
    input: BytesMut,
    output: BytesMut,
    preface_seen: bool,
    acks: bool,
    owed_acks: BytesMut,
    gives_windows_back: bool,
    keeps_frames: bool,
    pub(super) requests: Requests,
    pub(super) windows: Windows,
}

impl Conn {
    pub(super) fn new(guest: Guest) -> Self {
        let Guest { socket, page, .. } = guest;
        Self {
            index: page.id(),
            reset: socket.reset_on_drop(),
            notes: page.notes(),
            socket: Tap::new(socket, page),
            input: BytesMut::new(),
            output: BytesMut::new(),
            preface_seen: false,
            acks: true,
            owed_acks: BytesMut::new(),
            gives_windows_back: true,
            keeps_frames: true,
            requests: Requests::default(),
            windows: Windows::new(),
        }
    }

    /// The connection's position in the order of acceptance, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// From now on no SETTINGS and no PING is acknowledged.
    pub fn withhold_acks(&mut self) {
        self.acks = false;
    }

    /// Sends the acknowledgements withheld so far, and the later ones as they fall due.
    pub async fn resume_acks(&mut self) -> io::Result<()> {
        self.acks = true;
        self.output.unsplit(self.owed_acks.split());
        self.flush().await
    }

    /// From now on the windows of received DATA are not given back.
    pub fn withhold_windows(&mut self) {
        self.gives_windows_back = false;
    }

    /// From now on the frames that are read are not written down in [`Stats`](crate::stats::Stats): for servers that
    /// run long.
    pub fn forget_frames(&mut self) {
        self.keeps_frames = false;
    }

    /// Waits for the client's preface and sends SETTINGS.
    pub async fn handshake(&mut self, settings: &[(u16, u32)]) -> io::Result<()> {
        self.expect_preface().await?;
        self.send_settings(settings).await
    }

    /// Waits for the client's preface. Reading frames does so by itself.
    pub async fn expect_preface(&mut self) -> io::Result<()> {
        while !self.preface_seen {
            if self.input.len() < PREFACE.len() {
                self.read_more().await?;
            } else if self.input.starts_with(PREFACE) {
                self.input.advance(PREFACE.len());
                self.preface_seen = true;
            } else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no HTTP/2 preface"));
            }
        }
        Ok(())
    }

    /// The next request that is complete, in the order of completion. One that
    /// [`next_opened`](Self::next_opened) returned comes here as well.
    pub async fn next_request(&mut self) -> io::Result<Request> {
        loop {
            if let Some(request) = self.requests.next_complete() {
                return Ok(request);
            }
            self.read_frame().await?;
        }
    }

    /// A request that is complete by what was read so far, if there is one that was not returned yet.
    pub fn completed(&mut self) -> Option<Request> {
        self.requests.next_complete()
    }

    /// The next request whose headers are there, while the client may still be sending.
    pub async fn next_opened(&mut self) -> io::Result<Request> {
        loop {
            if let Some(request) = self.requests.next_opened() {
                return Ok(request);
            }
            self.read_frame().await?;
        }
    }

    /// Reads up to the next frame of which `wanted` holds.
    pub async fn read_until(&mut self, wanted: impl Fn(&Frame) -> bool) -> io::Result<Frame> {
        loop {
            let frame = self.read_frame().await?;
            if wanted(&frame) {
                return Ok(frame);
            }
        }
    }

    /// The next frame. The end of the connection is the error [`io::ErrorKind::UnexpectedEof`].
    pub async fn read_frame(&mut self) -> io::Result<Frame> {
        self.flush().await?;
        self.expect_preface().await?;
        loop {
            if let Some(frame) = Frame::take(&mut self.input) {
                self.receive(&frame)?;
                self.flush().await?;
                return Ok(frame);
            }
            self.read_more().await?;
        }
    }

    /// Reads until the client closes the connection, in whatever way.
    pub async fn until_closed(&mut self) -> io::Result<()> {
        loop {
            match self.read_frame().await {
                Err(error) if is_end(&error) => return Ok(()),
                other => other?,
            };
        }
    }

    /// Sends FIN, then reads until the client has closed its side too. (Without the reading the
    /// system would send a reset where something is unread, which takes back what was sent.)
    pub async fn close(mut self) -> io::Result<()> {
        self.flush().await?;
        self.socket.shutdown().await?;
        // Its last words need no answer, and a window or an acknowledgement could not be sent.
        self.withhold_acks();
        self.withhold_windows();
        self.until_closed().await
    }

    /// Ends the connection with a TCP reset.
    pub fn abort(self) -> io::Result<()> {
        self.reset.set();
        Ok(())
    }

    /// Sends SETTINGS.
    pub async fn send_settings(&mut self, settings: &[(u16, u32)]) -> io::Result<()> {
        self.send_frame(kind::SETTINGS, 0, 0, &frame::settings(settings)).await
    }

    /// Sends PING with these eight bytes.
    pub async fn send_ping(&mut self, payload: [u8; 8]) -> io::Result<()> {
        self.send_frame(kind::PING, 0, 0, &payload).await
    }

    /// Sends PING and waits for its acknowledgement: everything that the client had sent before
    /// it got the PING has been read then. An acknowledgement of other bytes is an error.
    pub async fn ping_pong(&mut self) -> io::Result<()> {
        let payload = *b"pingpong";
        self.send_ping(payload).await?;
        let ack = self.read_until(|frame| frame.acknowledges(kind::PING)).await?;
        if ack.payload != payload[..] {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a PING's bytes were changed",
            ));
        }
        Ok(())
    }

    /// Sends RST_STREAM.
    pub async fn rst(&mut self, stream: u32, reason: Reason) -> io::Result<()> {
        let code = u32::from(reason).to_be_bytes();
        self.send_frame(kind::RST_STREAM, 0, stream, &code).await
    }

    /// Sends GOAWAY; streams above `last` were not processed.
    pub async fn goaway(&mut self, last: u32, reason: Reason, debug_data: &str) -> io::Result<()> {
        self.send_frame(kind::GOAWAY, 0, 0, &frame::goaway(last, reason, debug_data))
            .await
    }

    /// Sends WINDOW_UPDATE; stream 0 is the connection.
    pub async fn window_update(&mut self, stream: u32, increment: u32) -> io::Result<()> {
        self.send_frame(kind::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
            .await
    }

    /// Sends any frame, within or against the protocol.
    pub async fn send_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        frame::put(&mut self.output, kind, flags, stream, payload);
        self.flush().await
    }

    /// Sends bytes that need not be frames.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.extend_from_slice(bytes);
        self.flush().await
    }

    fn receive(&mut self, frame: &Frame) -> io::Result<()> {
        if self.keeps_frames {
            self.notes.frame_read(frame.clone());
        }
        self.windows.receive(frame);
        self.requests.receive(frame)?;
        if frame.is(kind::SETTINGS) || frame.is(kind::PING) {
            let payload = if frame.is(kind::PING) { &frame.payload[..] } else { &[] };
            let output = if self.acks {
                &mut self.output
            } else {
                &mut self.owed_acks
            };
            frame::put(output, frame.head.kind, flag::ACK, 0, payload);
        }
        if self.gives_windows_back && frame.is(kind::DATA) && frame.head.len > 0 {
            let increment = (frame.head.len as u32).to_be_bytes();
            frame::put(&mut self.output, kind::WINDOW_UPDATE, 0, 0, &increment);
            if !frame.head.ends_stream() {
                let stream = frame.head.stream;
                frame::put(&mut self.output, kind::WINDOW_UPDATE, 0, stream, &increment);
            }
        }
        Ok(())
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.socket.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.output.has_remaining() {
            self.socket.write_buf(&mut self.output).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

/// Whether an error means no more than that the client has gone.
pub(super) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(
        error.kind(),
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected
    )
}

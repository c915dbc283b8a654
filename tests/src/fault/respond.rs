//! Responses: headers, messages and trailers, whole or in pieces.

use std::io;

use h2::Reason;
use prost::Message;
use tonic::Code;

use super::conn::Conn;
use super::frame;
use super::request::Request;
use crate::pb::{TestReply, TestRequest};
use crate::wire::{flag, kind};

/// The largest payload that every client takes.
const MAX_PAYLOAD: usize = 16_384;

impl Conn {
    /// Sends HEADERS with these fields.
    pub async fn send_headers(
        &mut self,
        stream: u32,
        headers: &[(&str, impl AsRef<[u8]>)],
        end: bool,
    ) -> io::Result<()> {
        let end = if end { flag::END_STREAM } else { 0 };
        let block = frame::header_block(headers);
        self.send_frame(kind::HEADERS, flag::END_HEADERS | end, stream, &block)
            .await
    }

    /// Sends the response headers of a gRPC call.
    pub async fn respond(&mut self, stream: u32) -> io::Result<()> {
        let headers = [(":status", "200"), ("content-type", "application/grpc")];
        self.send_headers(stream, &headers, false).await
    }

    /// Sends DATA within the client's windows, in frames that every client takes. Returns early
    /// when the client resets the stream while its window is used up.
    pub async fn send_data(&mut self, stream: u32, mut data: &[u8], end: bool) -> io::Result<()> {
        loop {
            let piece = data.len().min(MAX_PAYLOAD).min(self.windows.available(stream));
            if piece == 0 && !data.is_empty() {
                if !self.wait_for_window(stream, 1).await? {
                    return Ok(());
                }
                continue;
            }
            let (now, later) = data.split_at(piece);
            data = later;
            self.windows.send(stream, piece);
            let end = if end && data.is_empty() { flag::END_STREAM } else { 0 };
            self.send_frame(kind::DATA, end, stream, now).await?;
            if data.is_empty() {
                return Ok(());
            }
        }
    }

    /// Sends one padded DATA frame, once the client's windows allow for all of it. The padding
    /// counts (RFC 9113, section 6.1). Returns early as [`send_data`](Self::send_data) does.
    pub async fn send_padded(&mut self, stream: u32, data: &[u8], padding: u8) -> io::Result<()> {
        let payload = frame::padded(data, padding);
        if self.wait_for_window(stream, payload.len()).await? {
            self.windows.send(stream, payload.len());
            self.send_frame(kind::DATA, flag::PADDED, stream, &payload).await?;
        }
        Ok(())
    }

    /// Sends a message, framed as gRPC does.
    pub async fn send_message(&mut self, stream: u32, message: &impl Message) -> io::Result<()> {
        self.send_data(stream, &framed(message), false).await
    }

    /// Ends a response with a status. The text goes out as it is: let it be plain ASCII.
    pub async fn trailers(&mut self, stream: u32, code: Code, message: &str) -> io::Result<()> {
        let code = i32::from(code).to_string();
        let trailers = [("grpc-status", code.as_str()), ("grpc-message", message)];
        self.send_headers(stream, &trailers, true).await
    }

    /// Fails a call without response headers of its own (Trailers-Only).
    pub async fn fail(&mut self, stream: u32, code: Code, message: &str) -> io::Result<()> {
        let code = i32::from(code).to_string();
        let headers = [
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-status", code.as_str()),
            ("grpc-message", message),
        ];
        self.send_headers(stream, &headers, true).await
    }

    /// Answers a call in full, with [`reply_to`](Self::reply_to).
    pub async fn reply(&mut self, request: &Request) -> io::Result<()> {
        let reply = self.reply_to(request);
        self.respond(request.stream).await?;
        self.send_message(request.stream, &reply).await?;
        self.trailers(request.stream, Code::Ok, "").await
    }

    /// What `pooltest.TestService` would reply, as far as echo and size go.
    pub fn reply_to(&self, request: &Request) -> TestReply {
        let TestRequest { payload, script } = request.message().unwrap_or_default();
        let payload = match script.unwrap_or_default().reply_size {
            0 => payload,
            size => vec![0; size as usize],
        };
        TestReply {
            payload,
            connection: self.index() as u64,
            received: 1,
            ..TestReply::default()
        }
    }

    /// Answers every call in full until the client closes the connection. A call whose script
    /// hangs is left open.
    pub async fn serve(&mut self) -> io::Result<()> {
        loop {
            let request = self.next_request().await?;
            if !hangs(&request) {
                self.reply(&request).await?;
            }
        }
    }

    /// Refuses a stream: it was not processed.
    pub async fn refuse(&mut self, stream: u32) -> io::Result<()> {
        self.rst(stream, Reason::REFUSED_STREAM).await
    }

    /// Reads until `bytes` may be sent on `stream`; false when the client resets it before.
    async fn wait_for_window(&mut self, stream: u32, bytes: usize) -> io::Result<bool> {
        while self.windows.available(stream) < bytes {
            let frame = self.read_frame().await?;
            if frame.is(kind::RST_STREAM) && frame.head.stream == stream {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether the request asks to be left open.
pub(super) fn hangs(request: &Request) -> bool {
    let script = request.message::<TestRequest>().and_then(|message| message.script);
    script.is_some_and(|script| script.hang)
}

/// A message with the five bytes that gRPC puts before it.
pub(super) fn framed(message: &impl Message) -> Vec<u8> {
    let body = message.encode_to_vec();
    let mut framed = vec![0];
    framed.extend_from_slice(&(body.len() as u32).to_be_bytes());
    framed.extend_from_slice(&body);
    framed
}

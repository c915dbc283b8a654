//! Requests, put together from their frames.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use loona_hpack::Decoder;
use prost::Message;

use super::frame::Frame;
use crate::wire::{flag, kind};

/// A request, as far as it has arrived.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The stream it came on.
    pub stream: u32,
    /// Its headers in order, the pseudo-headers too.
    pub headers: Vec<(String, String)>,
    /// The content of its DATA frames.
    pub body: BytesMut,
    /// Whether the client has ended it.
    pub complete: bool,
}

impl Request {
    /// The value of a header, the first where there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|header| header.0 == name)
            .map(|header| header.1.as_str())
    }

    /// The method's path, `/package.Service/Method`.
    pub fn path(&self) -> &str {
        self.header(":path").unwrap_or_default()
    }

    /// The first message of the body, once it is there, if it is an `M` and not compressed.
    pub fn message<M: Message + Default>(&self) -> Option<M> {
        let mut body = &self.body[..];
        let compressed = body.try_get_u8().ok()?;
        let len = body.try_get_u32().ok()? as usize;
        (compressed == 0).then(|| M::decode(body.get(..len)?).ok())?
    }
}

/// The requests of a connection.
#[derive(Default)]
pub(super) struct Requests {
    decoder: Decoder<'static>,
    /// Header blocks that are to be continued.
    block: BytesMut,
    ends_stream: bool,
    arriving: HashMap<u32, Request>,
    opened: VecDeque<u32>,
    complete: VecDeque<u32>,
}

impl Requests {
    /// The next request whose headers are there, as far as it has arrived.
    pub(super) fn next_opened(&mut self) -> Option<Request> {
        // One that was taken as a complete request meanwhile is passed over.
        std::iter::from_fn(|| self.opened.pop_front()).find_map(|stream| self.arriving.get(&stream).cloned())
    }

    /// The next request that is complete.
    pub(super) fn next_complete(&mut self) -> Option<Request> {
        let stream = self.complete.pop_front()?;
        self.arriving.remove(&stream)
    }

    /// Takes in a frame that the client sent.
    pub(super) fn receive(&mut self, frame: &Frame) -> io::Result<()> {
        let stream = frame.head.stream;
        match frame.head.kind {
            kind::HEADERS => {
                self.ends_stream = frame.head.ends_stream();
                self.block.clear();
                self.continue_block(frame, content(frame)?)?;
            }
            kind::CONTINUATION => self.continue_block(frame, frame.payload.clone())?,
            kind::DATA => {
                let content = content(frame)?;
                if let Some(request) = self.arriving.get_mut(&stream) {
                    request.body.extend_from_slice(&content);
                }
                if frame.head.ends_stream() {
                    self.end(stream);
                }
            }
            kind::RST_STREAM => {
                self.arriving.remove(&stream);
                self.opened.retain(|opened| *opened != stream);
                self.complete.retain(|complete| *complete != stream);
            }
            _ => {}
        }
        Ok(())
    }

    fn continue_block(&mut self, frame: &Frame, fragment: Bytes) -> io::Result<()> {
        self.block.extend_from_slice(&fragment);
        if !frame.head.has(flag::END_HEADERS) {
            return Ok(());
        }
        let stream = frame.head.stream;
        let headers = self.decoder.decode(&self.block).map_err(invalid)?;
        // A second block on a stream holds its trailers, of which gRPC has none in requests.
        if let Entry::Vacant(entry) = self.arriving.entry(stream) {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let headers = headers.into_iter().map(|(name, value)| (text(name), text(value)));
            entry.insert(Request {
                stream,
                headers: headers.collect(),
                ..Request::default()
            });
            self.opened.push_back(stream);
        }
        if self.ends_stream {
            self.end(stream);
        }
        Ok(())
    }

    fn end(&mut self, stream: u32) {
        if let Some(request) = self.arriving.get_mut(&stream) {
            request.complete = true;
            self.complete.push_back(stream);
        }
    }
}

fn content(frame: &Frame) -> io::Result<Bytes> {
    frame
        .content()
        .ok_or_else(|| invalid("a frame with more padding than payload"))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

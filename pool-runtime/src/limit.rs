//! The limits of message sizes for calls of plain tonic clients, whose codec is out of reach: read from the prefixes of
//! the messages on the wire. A compressed message counts with its compressed size.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::unary::PREFIX;

/// Follows the messages in a body that comes in pieces.
#[derive(Debug)]
pub(crate) struct Messages {
    what: &'static str,
    limit: usize,
    /// As far as the prefix is there.
    prefix: [u8; PREFIX],
    known: usize,
    /// Bytes of the current message that are still to come.
    left: usize,
}

impl Messages {
    /// `what` says in the error which messages these are.
    pub(crate) fn new(what: &'static str, limit: usize) -> Self {
        Self {
            what,
            limit,
            prefix: [0; PREFIX],
            known: 0,
            left: 0,
        }
    }

    /// Looks at the next piece. Fails at the prefix of a message over the limit: RESOURCE_EXHAUSTED (R25).
    pub(crate) fn check(&mut self, mut data: &[u8]) -> Result<(), Status> {
        while !data.is_empty() {
            let skip = self.left.min(data.len());
            self.left -= skip;
            data = &data[skip..];
            let take = (PREFIX - self.known).min(data.len());
            self.prefix[self.known..self.known + take].copy_from_slice(&data[..take]);
            self.known += take;
            data = &data[take..];
            if self.known == PREFIX {
                let [_, length @ ..] = self.prefix;
                self.begin(u32::from_be_bytes(length) as usize)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, length: usize) -> Result<(), Status> {
        if length > self.limit {
            let Self { what, limit, .. } = self;
            return Err(Status::resource_exhausted(format!(
                "{what} message of {length} bytes is over the limit of {limit} in the service config"
            )));
        }
        self.left = length;
        self.known = 0;
        Ok(())
    }
}

/// A request's body that fails with the first message over the limit.
pub(crate) struct Limited {
    body: tonic::body::Body,
    messages: Messages,
}

impl Limited {
    pub(crate) fn request(body: tonic::body::Body, limit: usize) -> tonic::body::Body {
        let messages = Messages::new("encoded", limit);
        tonic::body::Body::new(Self { body, messages })
    }
}

impl Body for Limited {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx)?);
        if let Some(data) = frame.as_ref().and_then(Frame::data_ref) {
            self.messages.check(data)?;
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let mut message = vec![0];
        message.extend((length as u32).to_be_bytes());
        message.resize(PREFIX + length, 7);
        message
    }

    #[test]
    fn messages_are_followed_however_they_are_cut() {
        let body = [message(10), message(0), message(3), message(11)].concat();
        for size in 1..=body.len() {
            let mut messages = Messages::new("decoded", 10);
            let fits = body.len() - 11 - 1;
            let mut seen = 0;
            let outcome = body.chunks(size).try_for_each(|chunk| {
                seen += chunk.len();
                messages.check(chunk)
            });
            let status = outcome.unwrap_err();
            assert_eq!(status.code(), tonic::Code::ResourceExhausted);
            assert!(seen >= fits && seen < fits + 1 + size, "cut into {size}: {seen}");
        }
        let mut messages = Messages::new("decoded", 11);
        assert!(body.chunks(4).all(|chunk| messages.check(chunk).is_ok()));
    }
}

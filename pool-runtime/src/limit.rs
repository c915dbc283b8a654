//! Limits for messages that tonic's codec encodes or decodes: read from the prefixes of the messages on the wire. A
//! compressed message counts with its compressed size.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::unary::PREFIX;

/// Follows the messages in a body that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    limit: Option<Limit>,
    /// The encoding of compressed messages, which nobody can read.
    refused: Option<HeaderValue>,
    /// As far as the prefix is there.
    prefix: [u8; PREFIX],
    known: usize,
    /// Bytes of the current message that are still to come.
    left: usize,
}

/// The size of the largest message that is let through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// Which messages these are, for the error.
    pub(crate) what: &'static str,
    pub(crate) bytes: usize,
    /// Where it is stated, for the error.
    pub(crate) place: &'static str,
}

/// The place of a limit that plain clients get from the service config.
pub(crate) const IN_CONFIG: &str = " in the service config";

impl Messages {
    pub(crate) fn limit(&mut self, limit: Limit) {
        self.limit = Some(limit);
    }

    /// Fails at the first compressed message.
    pub(crate) fn refuse(&mut self, encoding: HeaderValue) {
        self.refused = Some(encoding);
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
                let [flag, length @ ..] = self.prefix;
                self.begin(flag, u32::from_be_bytes(length) as usize)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, flag: u8, length: usize) -> Result<(), Status> {
        if flag == 1
            && let Some(encoding) = &self.refused
        {
            return Err(unknown_encoding(encoding));
        }
        if let Some(Limit { what, bytes, place }) = self.limit
            && length > bytes
        {
            return Err(Status::resource_exhausted(format!(
                "{what} message of {length} bytes is over the limit of {bytes}{place}"
            )));
        }
        self.left = length;
        self.known = 0;
        Ok(())
    }
}

/// A compressed message in an encoding that was not asked for: INTERNAL (gRPC's compression document).
pub(crate) fn unknown_encoding(encoding: &HeaderValue) -> Status {
    Status::internal(format!(
        "the message is compressed with {}, which was not asked for",
        String::from_utf8_lossy(encoding.as_bytes())
    ))
}

/// A request's body that fails with the first message over the limit.
pub(crate) struct Limited {
    body: tonic::body::Body,
    messages: Messages,
}

impl Limited {
    pub(crate) fn request(body: tonic::body::Body, bytes: usize, place: &'static str) -> tonic::body::Body {
        let mut messages = Messages::default();
        let what = "encoded";
        messages.limit(Limit { what, bytes, place });
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

    fn limited(bytes: usize) -> Messages {
        let mut messages = Messages::default();
        messages.limit(Limit {
            what: "decoded",
            bytes,
            place: "",
        });
        messages
    }

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
            let mut messages = limited(10);
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
        let mut messages = limited(11);
        assert!(body.chunks(4).all(|chunk| messages.check(chunk).is_ok()));
    }
}

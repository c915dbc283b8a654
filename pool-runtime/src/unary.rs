//! Unary calls of prost messages, without what a stream of messages needs.
//!
//! tonic makes a unary call of a stream of one message each way, with a buffer of 8 KiB for either, a boxed body and a
//! copy of the trailers. Here a message is encoded into a buffer of its size, or a small one into a chunk that it shares
//! with others, and decoded from the DATA frame it came in. What tonic's
//! way would do differently, a compressed response, is left to tonic's way.

use std::cell::Cell;
use std::future::poll_fn;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Body as _;
use prost::Message;
use tonic::Status;

use crate::call::{Piece, ResponseBody};

/// gRPC's message prefix: a flag for compression, and the length in four bytes.
pub(crate) const PREFIX: usize = 5;

/// Small messages of a thread are encoded into chunks of this size, one behind the other: a small allocation for each,
/// and another for sharing it with h2, cost more than encoding it.
const CHUNK: usize = 4 << 10;

/// The largest message, prefix included, that goes into such a chunk: it keeps the chunk alive until it is answered.
const SMALL: usize = CHUNK / 8;

thread_local! {
    static CHUNK_IN_USE: Cell<BytesMut> = Cell::default();
}

/// The header that names the encoding of compressed messages.
pub(crate) const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// What tonic accepts unless told otherwise.
pub(crate) const DEFAULT_MAX_DECODING: usize = 4 << 20;

/// The request's body: one message behind its prefix.
pub(crate) fn encode(message: &impl Message, limit: Option<usize>) -> Result<Bytes, Status> {
    let length = message.encoded_len();
    if let Some(limit) = limit
        && length > limit
    {
        return Err(too_large("encoded", length, limit));
    }
    let prefix = u32::try_from(length).map_err(|_| too_large("encoded", length, u32::MAX as usize))?;
    let [a, b, c, d] = prefix.to_be_bytes();
    let write = |buffer: &mut BytesMut| {
        buffer.put_slice(&[0, a, b, c, d]);
        message.encode_raw(buffer);
    };
    let size = PREFIX + length;
    if size > SMALL {
        let mut buffer = BytesMut::with_capacity(size);
        write(&mut buffer);
        return Ok(buffer.freeze());
    }
    // Without a chunk, as when the thread comes to its end, there is a new one.
    let mut chunk = CHUNK_IN_USE.try_with(Cell::take).unwrap_or_default();
    if chunk.capacity() < size {
        // Takes the chunk back from its beginning if none of its messages is in use any more.
        chunk.reserve(CHUNK);
    }
    write(&mut chunk);
    let message = chunk.split().freeze();
    let _ = CHUNK_IN_USE.try_with(|place| place.set(chunk));
    Ok(message)
}

/// Reads the one message of a response, and its trailers.
pub(crate) async fn receive<M>(body: &mut ResponseBody, limit: usize) -> Result<(M, HeaderMap), Failure>
where
    M: Message + Default,
{
    if body.is_end_stream() {
        return Err(Failure::Empty);
    }
    let mut incoming = Incoming::default();
    let trailers = loop {
        match poll_fn(|cx| body.poll_piece(cx)).await? {
            Some(Piece::Data(data)) => incoming.push(data, limit)?,
            Some(Piece::Trailers(trailers)) => break trailers,
            None => return Err(Failure::NoTrailers),
        }
    };
    match status_of(&trailers) {
        Some(code) if code.as_bytes() == b"0" => Ok((incoming.decode()?, trailers)),
        Some(_) => Err(Failure::Trailers(trailers)),
        None => Err(Failure::NoTrailers),
    }
}

fn status_of(trailers: &HeaderMap) -> Option<&HeaderValue> {
    match trailers.iter().next() {
        // Most often it is all there is, and comparing a name costs less than looking it up.
        Some((name, code)) if name == Status::GRPC_STATUS => Some(code),
        _ => trailers.get(Status::GRPC_STATUS),
    }
}

/// Why a response is no message.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The body failed, or cannot be decoded.
    Status(Status),
    /// There is no body: the headers of the response tell the status (Trailers-Only).
    Empty,
    /// The trailers tell another status than OK.
    Trailers(HeaderMap),
    /// The stream ended without a status: there is no OK without one.
    NoTrailers,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// A message as it comes in. Most come in one DATA frame, and are decoded from there.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    first: Bytes,
    joined: BytesMut,
}

impl Incoming {
    /// Refuses a message that says that it is over the limit, and whatever comes after the message, before either is
    /// kept: what a peer can pile up here is bounded by the limit.
    pub(crate) fn push(&mut self, data: Bytes, limit: usize) -> Result<(), Status> {
        if self.bytes().is_empty() {
            self.first = data;
        } else {
            if self.joined.is_empty() {
                self.joined.put(std::mem::take(&mut self.first));
            }
            self.joined.put(data);
        }
        match length(self.bytes()) {
            Some(length) if length > limit => Err(too_large("decoded", length, limit)),
            Some(length) if self.bytes().len() > PREFIX + length => Err(second_message()),
            _ => Ok(()),
        }
    }

    fn bytes(&self) -> &[u8] {
        if self.joined.is_empty() {
            &self.first
        } else {
            &self.joined
        }
    }

    pub(crate) fn decode<M: Message + Default>(self) -> Result<M, Status> {
        let Some(length) = length(self.bytes()) else {
            // A method that answers with one message and does not breaks its contract (R25).
            return Err(match self.bytes().len() {
                0 => Status::unimplemented("the response has no message"),
                _ => Status::internal("the response ends inside of a message's prefix"),
            });
        };
        let received = self.bytes().len() - PREFIX;
        if received < length {
            let problem = format!("the response ends inside of its message: {received} of {length} bytes");
            return Err(Status::internal(problem));
        }
        match self.bytes()[0] {
            0 => {}
            1 => {
                return Err(Status::internal(
                    "the message is compressed, but the response names no grpc-encoding that was asked for",
                ));
            }
            flag => {
                return Err(Status::internal(format!(
                    "the message's compression flag is {flag}, not 0 or 1"
                )));
            }
        }
        let mut message = if self.joined.is_empty() {
            self.first
        } else {
            self.joined.freeze()
        };
        message.advance(PREFIX);
        M::decode(message).map_err(|error| Status::internal(error.to_string()))
    }
}

/// The length in a message's prefix, once the prefix is there.
fn length(message: &[u8]) -> Option<usize> {
    let length = message.get(1..PREFIX)?.first_chunk()?;
    usize::try_from(u32::from_be_bytes(*length)).ok()
}

/// A method that answers with one message has answered with more.
pub(crate) fn second_message() -> Status {
    Status::unimplemented("the response has more than one message")
}

/// RESOURCE_EXHAUSTED, as gRPC's status documents say (R25); tonic says OUT_OF_RANGE.
fn too_large(what: &str, length: usize, limit: usize) -> Status {
    Status::resource_exhausted(format!("{what} message of {length} bytes is over the limit of {limit}"))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    const LIMIT: usize = 100;

    /// What comes of a response whose body arrives in these pieces; `String` is a message with one field.
    fn received(pieces: &[&[u8]]) -> Result<String, Status> {
        let mut incoming = Incoming::default();
        for piece in pieces {
            incoming.push(Bytes::copy_from_slice(piece), LIMIT)?;
        }
        incoming.decode()
    }

    fn framed(text: &str) -> Vec<u8> {
        encode(&text.to_owned(), None).unwrap().to_vec()
    }

    #[test]
    fn a_message_is_decoded_however_it_is_cut_into_frames() {
        let bytes = framed("hello");
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(received(&[head, tail]).unwrap(), "hello", "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(received(&single).unwrap(), "hello");
        assert_eq!(received(&[&framed("")]).unwrap(), "");
    }

    #[test]
    fn what_is_not_one_whole_message_is_refused_by_its_name() {
        let hello = framed("hello");
        let with_flag = |flag: u8| [&[flag], &hello[1..]].concat();
        let rows: [(&str, Vec<u8>, Code); 9] = [
            ("nothing", vec![], Code::Unimplemented),
            ("part of a prefix", hello[..4].to_vec(), Code::Internal),
            ("part of a message", hello[..7].to_vec(), Code::Internal),
            ("two messages", [&hello[..], &hello[..]].concat(), Code::Unimplemented),
            (
                "something after the message",
                [&hello[..], &[0]].concat(),
                Code::Unimplemented,
            ),
            ("compressed, of which nothing was said", with_flag(1), Code::Internal),
            ("a flag that does not exist", with_flag(2), Code::Internal),
            ("over the limit", vec![0, 0, 0, 0, 101], Code::ResourceExhausted),
            ("not protobuf", vec![0, 0, 0, 0, 1, 0xff], Code::Internal),
        ];
        for (what, body, code) in rows {
            assert_eq!(received(&[&body]).unwrap_err().code(), code, "{what}");
        }
    }

    #[test]
    fn a_message_over_the_senders_limit_is_not_encoded() {
        let text = "x".repeat(98);
        assert!(encode(&text, Some(100)).is_ok());
        let status = encode(&text, Some(99)).unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
    }
}

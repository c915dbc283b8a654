//! Frames, and the writing of those that the fault server sends.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::Reason;

use crate::wire::{HEAD_LEN, Head, flag, kind};

/// A frame as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its type, flags and stream.
    pub head: Head,
    /// Its payload, padding included.
    pub payload: Bytes,
}

impl Frame {
    /// Takes a frame off the start of `input`, once all of it is there.
    pub(super) fn take(input: &mut BytesMut) -> Option<Self> {
        let head = Head::parse(input.first_chunk()?);
        if input.len() < HEAD_LEN + head.len {
            return None;
        }
        input.advance(HEAD_LEN);
        Some(Self {
            head,
            payload: input.split_to(head.len).freeze(),
        })
    }

    /// Whether this is a frame of `kind` other than an acknowledgement.
    pub fn is(&self, kind: u8) -> bool {
        let acknowledges = matches!(kind, kind::SETTINGS | kind::PING) && self.head.has(flag::ACK);
        self.head.kind == kind && !acknowledges
    }

    /// Whether this acknowledges a SETTINGS or PING.
    pub fn acknowledges(&self, kind: u8) -> bool {
        self.head.kind == kind && self.head.has(flag::ACK)
    }

    /// The error code of RST_STREAM or GOAWAY.
    pub fn reason(&self) -> Option<Reason> {
        let offset = match self.head.kind {
            kind::RST_STREAM => 0,
            kind::GOAWAY => 4,
            _ => return None,
        };
        let code = self.payload.get(offset..)?.first_chunk()?;
        Some(u32::from_be_bytes(*code).into())
    }

    /// The settings of a SETTINGS frame, in order.
    pub fn settings(&self) -> impl Iterator<Item = (u16, u32)> {
        let settings = if self.head.kind == kind::SETTINGS {
            &self.payload[..]
        } else {
            &[]
        };
        settings.chunks_exact(6).map(|setting| {
            let mut setting = setting;
            (setting.get_u16(), setting.get_u32())
        })
    }

    /// The increment of a WINDOW_UPDATE.
    pub(super) fn increment(&self) -> Option<u32> {
        let increment = self.payload.first_chunk()?;
        (self.head.kind == kind::WINDOW_UPDATE).then(|| u32::from_be_bytes(*increment) & 0x7fff_ffff)
    }

    /// The payload of DATA or HEADERS without padding and priority. `None` where the frame claims
    /// more of them than it has bytes.
    pub(super) fn content(&self) -> Option<Bytes> {
        let mut content = self.payload.clone();
        let mut padding = 0;
        if self.head.has(flag::PADDED) {
            padding = usize::from(content.try_get_u8().ok()?);
        }
        if self.head.kind == kind::HEADERS && self.head.has(flag::PRIORITY) {
            content.try_get_u32().ok()?;
            content.try_get_u8().ok()?;
        }
        content.truncate(content.len().checked_sub(padding)?);
        Some(content)
    }
}

/// Appends a frame to `output`.
pub(super) fn put(output: &mut BytesMut, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let head = Head {
        len: payload.len(),
        kind,
        flags,
        stream,
    };
    output.put_slice(&head.bytes());
    output.put_slice(payload);
}

/// The payload of a SETTINGS frame.
pub(super) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(settings.len() * 6);
    for &(id, value) in settings {
        payload.put_u16(id);
        payload.put_u32(value);
    }
    payload
}

/// The payload of a GOAWAY frame.
pub(super) fn goaway(last: u32, reason: Reason, debug_data: &str) -> Vec<u8> {
    let mut payload = Vec::with_capacity(8 + debug_data.len());
    payload.put_u32(last);
    payload.put_u32(reason.into());
    payload.put_slice(debug_data.as_bytes());
    payload
}

/// The payload of a padded DATA frame.
pub(super) fn padded(data: &[u8], padding: u8) -> Vec<u8> {
    let mut payload = Vec::with_capacity(1 + data.len() + usize::from(padding));
    payload.put_u8(padding);
    payload.put_slice(data);
    payload.put_bytes(0, padding.into());
    payload
}

/// A header block in which nothing is indexed and nothing compressed (RFC 7541, section 6.2.2):
/// it leaves no trace in the receiver's table, whatever happens to the stream.
pub(super) fn header_block(headers: &[(&str, impl AsRef<[u8]>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.put_u8(0);
        put_string(&mut block, name);
        put_string(&mut block, value);
    }
    block
}

/// A string literal: its length with a prefix of seven bits, then its bytes.
fn put_string(block: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    const PREFIX: usize = 0x7f;
    let text = text.as_ref();
    if text.len() < PREFIX {
        block.put_u8(text.len() as u8);
    } else {
        block.put_u8(PREFIX as u8);
        let mut rest = text.len() - PREFIX;
        while rest >= 0x80 {
            block.put_u8((rest % 0x80) as u8 | 0x80);
            rest /= 0x80;
        }
        block.put_u8(rest as u8);
    }
    block.put_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_blocks_of_any_length_are_decoded_as_they_were_written() {
        for len in [0, 1, 126, 127, 128, 254, 255, 256, 16_384, 100_000] {
            let value = "v".repeat(len);
            let block = header_block(&[(":status", "200"), ("x-name", &value)]);
            let decoded = loona_hpack::Decoder::new().decode(&block).unwrap();
            let expected = [(":status", "200"), ("x-name", value.as_str())]
                .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            assert_eq!(decoded, expected, "a value of {len} bytes");
        }
    }

    #[test]
    fn a_padded_frame_gives_its_content_back_and_a_lying_one_nothing() {
        let mut bytes = BytesMut::new();
        put(&mut bytes, kind::DATA, flag::PADDED, 1, &padded(b"content", 255));
        put(&mut bytes, kind::DATA, flag::PADDED, 1, &[200, 1, 2]);
        assert_eq!(Frame::take(&mut bytes).unwrap().content().unwrap(), b"content"[..]);
        assert_eq!(Frame::take(&mut bytes).unwrap().content(), None);
    }
}

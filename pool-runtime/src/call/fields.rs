//! The header blocks of a response: their size, and the gRPC fields in them.
//!
//! h2 cuts trailers over its limit and does not report it, and tonic fails or panics on fields that gRPC allows or that a
//! client has to bear. So a block is checked here, once, on its way to whoever reads the status.

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use super::outcome;
use crate::error::Kind;

/// How many names a `HeaderMap` holds. h2 drops those above that.
pub(crate) const MAP_CAPACITY: usize = 24_576;

/// How many names a header block may have, a response's or a request's: the headers and trailers of a unary call become
/// one map.
pub(crate) const MOST_NAMES: usize = 12_000;

/// The size of a field beside its name and value (RFC 9113, 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// The size of `:status` and its value, which are not among the fields.
pub(crate) const STATUS_FIELD: usize = 7 + 3 + FIELD_OVERHEAD;

/// The fields that are the status.
const STATUS_FIELDS: [HeaderName; 3] = [Status::GRPC_STATUS, Status::GRPC_MESSAGE, Status::GRPC_STATUS_DETAILS];

/// The characters that `grpc-message` escapes (gRPC PROTOCOL-HTTP2, "Responses"); characters beyond ASCII are escaped anyway.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// Checks the size of a block, whose pseudo-header fields count `pseudo` bytes. Returns whether fields of a status are
/// among the others.
pub(crate) fn check_size(fields: &HeaderMap, pseudo: usize, limit: u32) -> Result<bool, Box<Kind>> {
    let mut size = pseudo;
    let mut has_status = false;
    for (name, value) in fields {
        let name = name.as_str();
        size += name.len() + value.len() + FIELD_OVERHEAD;
        has_status |= is_of_status(name);
    }
    if size > limit as usize {
        return Err(Box::new(Kind::HeaderList {
            size: Some(size),
            limit,
        }));
    }
    match fields.keys_len() {
        names if names > MOST_NAMES => Err(Box::new(Kind::HeaderNames { names: Some(names) })),
        _ => Ok(has_status),
    }
}

/// Why h2 has refused a block of this size on the wire, if it was for its size.
pub(crate) fn refused(wire: usize, limit: u32) -> Option<Kind> {
    // The least that names in such a number count.
    const LIST: usize = (MAP_CAPACITY + 1) * (FIELD_OVERHEAD + 1);
    match limit as usize {
        bytes if wire > bytes => Some(Kind::HeaderList { size: None, limit }),
        bytes if bytes >= LIST && wire > MAP_CAPACITY => Some(Kind::HeaderNames { names: None }),
        _ => None,
    }
}

fn is_of_status(name: &str) -> bool {
    // Few names go past the first comparison.
    name.starts_with("grpc-") && matches!(name, "grpc-status" | "grpc-message" | "grpc-status-details-bin")
}

/// The size of a block's fields (RFC 9113, 6.5.2).
pub(crate) fn size(fields: &HeaderMap) -> usize {
    let sizes = fields.iter().map(|(name, value)| name.as_str().len() + value.len());
    sizes.sum::<usize>() + fields.len() * FIELD_OVERHEAD
}

/// Takes a status out of headers that do not end the stream: it counts only in the last block (PROTOCOL-HTTP2).
pub(crate) fn remove_status(headers: &mut HeaderMap) {
    for name in &STATUS_FIELDS {
        headers.remove(name);
    }
}

/// Makes the status of a last block one that tonic can read. `place` names the method and the server.
pub(crate) fn mend_status(fields: &mut HeaderMap, place: impl FnOnce() -> Option<String>) -> Result<(), Box<Kind>> {
    if fields.get_all(Status::GRPC_STATUS).iter().nth(1).is_some() {
        return Err(Box::new(Kind::TwoStatuses));
    }
    mend_message(fields);
    drop_unreadable_details(fields);
    let is_silent = |fields: &HeaderMap| fields.get(Status::GRPC_MESSAGE).is_none_or(HeaderValue::is_empty);
    if outcome::code(fields) == Code::Unimplemented
        && is_silent(fields)
        && let Some(text) = place()
    {
        set_message(fields, &text);
    }
    Ok(())
}

/// tonic turns a message that is not UTF-8 into the code UNKNOWN. "Implementations MUST NOT error or throw away the
/// message" (PROTOCOL-HTTP2, "Responses"), so it is shown as far as it can be read.
fn mend_message(fields: &mut HeaderMap) {
    let Some(message) = fields.get(Status::GRPC_MESSAGE) else {
        return;
    };
    let decoded: Vec<u8> = percent_decode(message.as_bytes()).collect();
    if let Err(error) = String::from_utf8(decoded) {
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        set_message(fields, &text);
    }
}

fn set_message(fields: &mut HeaderMap, text: &str) {
    if let Ok(value) = HeaderValue::try_from(utf8_percent_encode(text, ESCAPED).to_string()) {
        fields.insert(Status::GRPC_MESSAGE, value);
    }
}

/// Takes `grpc-status-details-bin` out if it is not the base64 that it has to be: tonic panics when it reads a status with
/// such details. The code and the message count all the same.
fn drop_unreadable_details(fields: &mut HeaderMap) {
    const NAME: HeaderName = Status::GRPC_STATUS_DETAILS;
    let Some(details) = fields.get(NAME) else { return };
    // tonic's own decoder judges, as it is tonic that will read them.
    let alone = MetadataMap::from_headers(HeaderMap::from_iter([(NAME, details.clone())]));
    let is_readable = alone
        .get_bin(NAME.as_str())
        .is_some_and(|value| value.to_bytes().is_ok());
    if !is_readable {
        fields.remove(NAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in rows {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn a_block_at_the_limit_passes() {
        let fields = map(&[("content-type", "application/grpc"), ("x", "1"), ("x", "2")]);
        let exact = 60 + 34 + 34;
        assert_eq!(size(&fields), exact);
        let limit = u32::try_from(exact + STATUS_FIELD).unwrap();
        assert!(!check_size(&fields, STATUS_FIELD, limit).unwrap());
        let kind = check_size(&fields, STATUS_FIELD, limit - 1).unwrap_err();
        assert!(matches!(*kind, Kind::HeaderList { size: Some(size), .. } if size == exact + STATUS_FIELD));
    }

    #[test]
    fn a_block_of_too_many_names_is_refused() {
        let many = |names| {
            let fields: HeaderMap = (0..names)
                .map(|n| {
                    let name = HeaderName::try_from(format!("x{n}")).unwrap();
                    (name, HeaderValue::from_static("1"))
                })
                .collect();
            check_size(&fields, 0, u32::MAX).is_ok()
        };
        assert_eq!((many(MOST_NAMES), many(MOST_NAMES + 1)), (true, false));
    }

    #[test]
    fn only_a_silent_unimplemented_gets_a_hint() {
        let rows = [
            ("12", "", "a hint: \u{e9}%"),
            ("12", "mine", "mine"),
            ("5", "", ""),
            ("0", "", ""),
        ];
        for (code, message, expected) in rows {
            let mut fields = map(&[("grpc-status", code), ("grpc-message", message)]);
            mend_status(&mut fields, || Some("a hint: \u{e9}%".to_owned())).unwrap();
            let status = Status::from_header_map(&fields).unwrap();
            assert_eq!(status.message(), expected, "{code} {message}");
        }
    }
}

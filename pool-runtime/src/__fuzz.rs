//! What parses a peer's bytes or a user's input, for the fuzz targets in `tests/fuzz`: each function feeds one parser,
//! and panics where its answer is wrong. There for tests and under `cargo fuzz` only.

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::Target;
use crate::call::deadline::{Deadline, GRPC_TIMEOUT, requested};
use crate::call::fields::mend_status;
use crate::call::head::not_grpc;
use crate::call::outcome::{Pushback, pushback};
use crate::conn::pace::Scan;
use crate::conn::protocol;
use crate::pool::config::LONGEST;
use crate::unary::Incoming;

/// What a response may hold here.
const LIMIT: usize = 1_000;

/// The input in two parts: a number from the first byte, and the rest.
fn number_and_rest(data: &[u8]) -> (usize, &[u8]) {
    match data.split_first() {
        Some((&first, rest)) => (usize::from(first), rest),
        None => (0, data),
    }
}

/// The body of a unary response, cut into frames of a size that the first byte tells.
pub fn body(data: &[u8]) {
    let (size, data) = number_and_rest(data);
    let received = |pieces: &mut dyn Iterator<Item = &[u8]>| -> Result<Vec<u8>, Code> {
        let mut incoming = Incoming::default();
        for piece in pieces {
            incoming
                .push(Bytes::copy_from_slice(piece), LIMIT)
                .map_err(|status| status.code())?;
        }
        incoming.decode::<Vec<u8>>().map_err(|status| status.code())
    };
    let whole = received(&mut std::iter::once(data));
    let cut = received(&mut data.chunks(size + 1));
    assert_eq!(whole, cut, "a message does not depend on how it is cut");
    if let Ok(message) = whole {
        assert!(message.len() <= LIMIT);
    }
}

/// Headers, or trailers: lines of `name: value` behind a line with the HTTP status.
pub fn head(data: &[u8]) {
    let mut lines = data.split(|&byte| byte == b'\n');
    let status = lines.next().and_then(|line| StatusCode::from_bytes(line).ok());
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let value = line[colon + 1..].trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let refused = not_grpc(status.unwrap_or(StatusCode::OK), &headers);
    let has_status = headers.contains_key(Status::GRPC_STATUS);
    assert!(
        refused.is_none() || !has_status,
        "a gRPC status counts whatever else is said"
    );
    if mend_status(&mut headers, || None).is_ok() {
        let read = Status::from_header_map(&headers).map(|status| status.code());
        let code = headers
            .get(Status::GRPC_STATUS)
            .map(|code| Code::from_bytes(code.as_bytes()));
        assert_eq!(read, code, "a status keeps its code");
    }
    if let Some(Pushback::After(delay)) = pushback(&headers) {
        assert!(delay <= LONGEST, "nobody waits longer");
    }
    if let Some(timeout) = requested(&headers) {
        check_timeout(timeout);
    }
}

/// What was read as a timeout is written again as one that is no shorter, and hardly longer.
fn check_timeout(timeout: Duration) {
    let now = Instant::now();
    let deadline = Deadline::after(now, timeout);
    let left = deadline.at - now;
    let mut headers = HeaderMap::new();
    headers.insert(GRPC_TIMEOUT, deadline.header(now));
    let again = requested(&headers).expect("what is written can be read");
    // The longest that eight digits of seconds can say.
    let longest = Duration::from_secs(99_999_999);
    assert!(again >= left.min(longest), "{timeout:?} comes out as {again:?}");
    assert!(
        again <= left + left / 99 + Duration::from_nanos(1),
        "{timeout:?} comes out as {again:?}"
    );
}

/// What a peer sends first, cut into reads of a size that the first byte tells: are its SETTINGS there?
pub fn settings(data: &[u8]) {
    let (size, data) = number_and_rest(data);
    let mut scan = Scan::new();
    let found = data.chunks(size + 1).any(|read| {
        scan.read(read);
        scan.has_settings
    });
    assert_eq!(found, has_settings(data));
    // It may be any other protocol as well.
    let explanation = protocol::explain(data).unwrap_or_default();
    assert!(explanation.len() < 500, "{explanation}");
    assert!(!explanation.contains(char::is_control), "{explanation}");
}

/// The same, frame by frame, of what is there as a whole.
fn has_settings(mut data: &[u8]) -> bool {
    while let Some((&[a, b, c, kind, flags, ..], _)) = data.split_first_chunk::<9>() {
        let length = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
        if data.len() < length {
            return false;
        }
        if kind == 4 && flags & 1 == 0 {
            return true;
        }
        data = &data[length..];
    }
    false
}

/// A target, as a user writes it.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Target>() {
        Ok(target) => {
            let again: Target = target.to_string().parse().expect("what is printed can be read");
            assert_eq!(again.to_string(), target.to_string());
            assert_eq!(
                (again.host(), again.port(), again.unix_path(), again.is_https()),
                (target.host(), target.port(), target.unix_path(), target.is_https())
            );
        }
        Err(error) => check_secret(text, &error.to_string()),
    }
}

/// Credentials end up in no error.
fn check_secret(text: &str, error: &str) {
    const SECRET: &str = "hunter2";
    if let Some((before, after)) = text.rsplit_once('@')
        && !text.starts_with("unix:")
        && before.contains(SECRET)
        && !before.split("://").next().is_some_and(|scheme| scheme.contains(SECRET))
        && !after.contains(SECRET)
    {
        assert!(!error.contains(SECRET), "{error}");
    }
}

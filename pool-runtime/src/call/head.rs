//! The head of a request, and whether the head of an answer is gRPC.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::uri::{self, PathAndQuery, Uri};
use http::{HeaderMap, Method, StatusCode};
use tokio::time::Instant;
use tonic::Status;

use super::deadline::{self, Deadline, GRPC_TIMEOUT};
use super::fields::MOST_NAMES;
use crate::Error;
use crate::error::Kind;
use crate::pool::shared::Shared;

/// The headers that the unary calls of a client have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Common {
    pub(crate) headers: HeaderMap,
    /// The deadline that their `grpc-timeout` says, which is that of most calls when they are sent.
    pub(crate) timeout: Option<Duration>,
}

/// The head of a request, from which each attempt makes its own.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(super) uri: Uri,
    common: Option<&'a Common>,
    /// This call's own; they count where both have one.
    own: HeaderMap,
    /// The timeout that the call's own headers state.
    pub(super) requested: Option<Duration>,
}

impl<'a> Head<'a> {
    /// The head of a call with what all calls of a client have, and metadata of its own.
    pub(crate) fn new(
        shared: &Shared,
        path: PathAndQuery,
        common: &'a Common,
        mut own: HeaderMap,
    ) -> Result<Self, Status> {
        check_names(&own, shared)?;
        let mut uri = uri::Parts::default();
        uri.path_and_query = Some(path);
        Ok(Self {
            uri: absolute(uri, shared)?,
            common: Some(common),
            requested: take_in(&mut own),
            own,
        })
    }

    /// The head of a call that a plain tonic client makes.
    pub(crate) fn of_request(shared: &Shared, uri: Uri, mut headers: HeaderMap) -> Result<Self, Status> {
        check_names(&headers, shared)?;
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.entry(USER_AGENT).or_insert_with(|| shared.user_agent.clone());
        Ok(Self {
            uri: absolute(uri.into_parts(), shared)?,
            common: None,
            requested: take_in(&mut headers),
            own: headers,
        })
    }

    pub(super) fn request(&self, deadline: Option<Deadline>, now: Instant) -> http::Request<()> {
        let mut headers = match self.common {
            Some(common) => {
                let mut headers = common.headers.clone();
                overlay(&mut headers, &self.own);
                headers
            }
            None => self.own.clone(),
        };
        if !self.says(deadline, now) {
            match deadline {
                Some(deadline) => headers.insert(GRPC_TIMEOUT, deadline.header(now)),
                None => headers.remove(GRPC_TIMEOUT),
            };
        }
        let mut request = http::Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = http::Version::HTTP_2;
        *request.headers_mut() = headers;
        request
    }
}

impl Head<'_> {
    /// Whether the request accepts responses in this encoding.
    pub(crate) fn accepts(&self, encoding: &HeaderValue) -> bool {
        let accepted = self.own.get("grpc-accept-encoding").map(HeaderValue::as_bytes);
        let mut names = accepted.unwrap_or_default().split(|&byte| byte == b',');
        names.any(|name| name.trim_ascii() == encoding.as_bytes())
    }

    /// Whether the headers as they were stated are right about the deadline, as they are of most calls.
    fn says(&self, deadline: Option<Deadline>, now: Instant) -> bool {
        let said = self.requested.or_else(|| self.common?.timeout);
        match deadline {
            Some(deadline) => said == Some(deadline.after) && deadline.is_whole(now),
            None => said.is_none(),
        }
    }
}

/// The timeout that a call's own headers state. One that is none is taken out.
fn take_in(own: &mut HeaderMap) -> Option<Duration> {
    if own.is_empty() {
        return None;
    }
    let requested = deadline::requested(own);
    if requested.is_none() {
        own.remove(GRPC_TIMEOUT);
    }
    requested
}

/// Refuses more names than a header map can hold beside those that every request has: one name too many panics there.
pub(crate) fn check_names(own: &HeaderMap, shared: &Shared) -> Result<(), Status> {
    match own.keys_len() {
        names if names > MOST_NAMES => {
            let problem = format!("its metadata has {names} names, over the limit of {MOST_NAMES}");
            Err(Error::new(Kind::Request { problem }, &shared.endpoint).into())
        }
        _ => Ok(()),
    }
}

/// Puts `own` over `headers`: its names replace theirs, with as many values as they have.
fn overlay(headers: &mut HeaderMap, own: &HeaderMap) {
    let mut last = None;
    for (name, value) in own {
        if last == Some(name) {
            headers.append(name, value.clone());
        } else {
            headers.insert(name, value.clone());
        }
        last = Some(name);
    }
}

/// The URI with the target's scheme and, where it has none of its own (tonic's `with_origin`), authority.
fn absolute(mut parts: uri::Parts, shared: &Shared) -> Result<Uri, Status> {
    let (scheme, authority) = shared.dialer.target().origin();
    parts.scheme = Some(scheme.clone());
    parts.authority.get_or_insert_with(|| authority.clone());
    parts
        .path_and_query
        .get_or_insert_with(|| PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|error| {
        let problem = error.to_string();
        Error::new(Kind::Request { problem }, &shared.endpoint).into()
    })
}

/// Whether an answer is something else than gRPC: a proxy's error page, say. Such a body is never parsed (R24).
pub(crate) fn not_grpc(status: StatusCode, headers: &HeaderMap) -> Option<Kind> {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_grpc = content_type.is_some_and(is_grpc);
    if (is_grpc && status == StatusCode::OK) || headers.contains_key(Status::GRPC_STATUS) {
        return None;
    }
    Some(Kind::NotGrpc {
        http_status: status,
        content_type: content_type.map(|value| String::from_utf8_lossy(value).into_owned()),
    })
}

/// Whether a media type is `application/grpc`, with a suffix or parameters or without. The type is case-insensitive
/// (RFC 9110, 8.3.1). `application/grpc-web` is another type.
fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    match content_type.split_at_checked(GRPC.len()) {
        Some((start, rest)) => {
            start.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';' | b' ' | b'\t'))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_names_replace_the_common_ones_with_all_their_values() {
        let map = |rows: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for &(name, value) in rows {
                map.append(name, HeaderValue::from_static(value));
            }
            map
        };
        let mut headers = map(&[("te", "trailers"), ("user-agent", "pool")]);
        overlay(
            &mut headers,
            &map(&[("user-agent", "mine"), ("x", "1"), ("y", "2"), ("x", "3")]),
        );
        let expected = map(&[
            ("te", "trailers"),
            ("user-agent", "mine"),
            ("x", "1"),
            ("x", "3"),
            ("y", "2"),
        ]);
        assert_eq!(headers, expected);
    }
}

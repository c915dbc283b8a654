//! Answers at the edge of gRPC's protocol: each of the four shapes, through each way to call, comes to the same end.

use std::sync::Arc;

use h2::Reason;
use pool_runtime::Pool;
use tests::fault::{Conn, FaultServer, cases};
use tests::within;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Code, Status, Streaming};

use super::check_clean;
use crate::calls::{Caller, Client, echo};

/// A part of an answer.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A header block, which ends the stream or does not.
    Fields(Vec<(&'static str, Vec<u8>)>, bool),
    /// A DATA frame.
    Data(&'static [u8]),
    /// RST_STREAM.
    Reset(Reason),
}

use Step::{Data, Reset};

pub(super) const STATUS: (&str, &str) = (":status", "200");
pub(super) const GRPC: (&str, &str) = ("content-type", "application/grpc");
/// An empty message.
pub(super) const MESSAGE: Step = Data(&[0; 5]);

/// A header block that does not end the stream.
pub(super) fn head<V: AsRef<[u8]>>(fields: &[(&'static str, V)]) -> Step {
    Step::Fields(owned(fields), false)
}

/// A header block that ends the stream.
pub(super) fn last<V: AsRef<[u8]>>(fields: &[(&'static str, V)]) -> Step {
    Step::Fields(owned(fields), true)
}

fn owned<V: AsRef<[u8]>>(fields: &[(&'static str, V)]) -> Vec<(&'static str, Vec<u8>)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.as_ref().to_vec()))
        .collect()
}

/// Usual headers and one message, then this.
pub(super) fn message_then(end: Step) -> Vec<Step> {
    vec![head(&[STATUS, GRPC]), MESSAGE, end]
}

fn ok() -> Step {
    last(&[("grpc-status", "0")])
}

/// A server that gives this answer to each call but `Read`.
pub(super) async fn answering(steps: Vec<Step>) -> FaultServer {
    let steps = Arc::new(steps);
    FaultServer::start(move |mut conn: Conn| {
        let steps = steps.clone();
        async move {
            conn.handshake(&[]).await?;
            loop {
                let request = cases::next_victim(&mut conn).await?;
                for step in &*steps {
                    match step {
                        Step::Fields(fields, end) => conn.send_headers(request.stream, fields, *end).await?,
                        Step::Data(data) => conn.send_data(request.stream, data, false).await?,
                        Step::Reset(reason) => conn.rst(request.stream, *reason).await?,
                    }
                }
            }
        }
    })
    .await
}

/// The shapes of a call by their answers: of one message, or of any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Unary,
    ClientStream,
    ServerStream,
    Bidi,
}

impl Shape {
    pub(super) const ALL: [Self; 4] = [Self::Unary, Self::ClientStream, Self::ServerStream, Self::Bidi];

    fn has_one_answer(self) -> bool {
        matches!(self, Self::Unary | Self::ClientStream)
    }

    /// Makes a call and reads it to its end: how many messages came.
    pub(super) async fn call(self, caller: &mut Caller) -> Result<usize, Status> {
        let requests = tokio_stream::iter([echo()]);
        match self {
            Self::Unary => caller.unary(echo()).await.map(|_| 1),
            Self::ClientStream => caller.client_stream(requests).await.map(|_| 1),
            Self::ServerStream => count(caller.server_stream(echo()).await?.into_inner()).await,
            Self::Bidi => count(caller.bidi(requests).await?.into_inner()).await,
        }
    }
}

async fn count<T>(mut messages: Streaming<T>) -> Result<usize, Status> {
    let mut count = 0;
    while messages.message().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// How a call is to end.
#[derive(Debug, Clone, Copy)]
enum End {
    /// With so many messages.
    Well(usize),
    With(Code),
    /// With so many messages, where the method answers with a stream, else with the code.
    Streamed(usize, Code),
}

impl End {
    fn of(self, shape: Shape) -> Result<usize, Code> {
        match self {
            Self::Well(messages) => Ok(messages),
            Self::With(code) => Err(code),
            Self::Streamed(_, code) if shape.has_one_answer() => Err(code),
            Self::Streamed(messages, _) => Ok(messages),
        }
    }
}

use End::{Streamed, Well, With};

/// Plays the answer to every shape. `is_ours` is false where tonic's own code judges for plain clients, behind the pool.
async fn check(what: &str, steps: Vec<Step>, end: End, is_ours: bool) {
    let server = answering(steps).await;
    let client = super::proven(&server).await;
    for mut caller in Caller::all(client.pool()).await {
        let is_plain = !matches!(caller, Caller::Annotated(_));
        for shape in Shape::ALL {
            let came = within(what, shape.call(&mut caller)).await;
            let code = came.as_ref().map(|count| *count).map_err(Status::code);
            if is_ours || !is_plain {
                assert_eq!(code, end.of(shape), "{what}, {shape:?}, plain {is_plain}: {came:?}");
            } else {
                assert_eq!(code.is_ok(), end.of(shape).is_ok(), "{what}, {shape:?}: {came:?}");
            }
        }
    }
    check_clean(&client, server).await;
}

#[tokio::test]
async fn content_types_are_matched_as_media_types() {
    let rows = [
        ("application/grpc", Well(1)),
        ("application/grpc+proto", Well(1)),
        ("Application/gRPC+Proto", Well(1)),
        ("application/grpc;charset=utf-8", Well(1)),
        ("application/grpc ; charset=utf-8", Well(1)),
        ("application/grpc+json", Well(1)),
        ("application/grpc-web", With(Code::Unknown)),
        ("application/grpc-web+proto", With(Code::Unknown)),
        ("application/grpcx", With(Code::Unknown)),
        ("application/grp", With(Code::Unknown)),
        ("text/plain", With(Code::Unknown)),
    ];
    for (value, end) in rows {
        let answer = vec![head(&[STATUS, ("content-type", value)]), MESSAGE, ok()];
        check(value, answer, end, true).await;
    }
}

#[tokio::test]
async fn the_status_is_in_the_last_block() {
    let early = [
        STATUS,
        GRPC,
        ("grpc-status", "13"),
        ("grpc-message", "in head"),
        ("grpc-status-details-bin", "&no base64&"),
    ];
    check("early", vec![head(&early), MESSAGE, ok()], Well(1), true).await;
    let early_ok = [STATUS, GRPC, ("grpc-status", "0")];
    let failing = vec![head(&early_ok), MESSAGE, last(&[("grpc-status", "5")])];
    check("early OK", failing, With(Code::NotFound), true).await;
    let gone = [(":status", "503"), ("content-type", "text/html"), ("grpc-status", "0")];
    let page = vec![head(&gone), Data(b"<html>"), last(&[("x", "y")])];
    check("a page", page, With(Code::Unavailable), true).await;
    let none = message_then(last(&[("x", "y")]));
    check("none", none, With(Code::Unknown), true).await;
}

#[tokio::test]
async fn two_statuses_are_an_error() {
    for (first, second) in [("0", "0"), ("0", "5"), ("5", "0")] {
        let fields = [("grpc-status", first), ("grpc-status", second)];
        check("trailers", message_then(last(&fields)), With(Code::Unknown), true).await;
        let headers = [&[STATUS, GRPC], &fields[..]].concat();
        check("headers", vec![last(&headers)], With(Code::Unknown), true).await;
    }
}

#[tokio::test]
async fn the_number_of_messages_is_checked() {
    let two = vec![head(&[STATUS, GRPC]), MESSAGE, MESSAGE, ok()];
    let none = vec![head(&[STATUS, GRPC]), ok()];
    let none_at_all = vec![last(&[STATUS, GRPC, ("grpc-status", "0")])];
    let unimplemented = Code::Unimplemented;
    check("none", none, Streamed(0, unimplemented), false).await;
    check("none at all", none_at_all, Streamed(0, unimplemented), false).await;
    // tonic's own client drops the second message in silence, so this is for annotated clients.
    let server = answering(two).await;
    let mut caller = Caller::Annotated(super::proven(&server).await);
    for shape in Shape::ALL {
        let came = within("a call", shape.call(&mut caller)).await;
        let code = came.as_ref().map(|count| *count).map_err(Status::code);
        assert_eq!(code, Streamed(2, unimplemented).of(shape), "{shape:?}: {came:?}");
    }
}

#[tokio::test]
async fn an_encoding_counts_for_compressed_messages() {
    for encoding in ["gzip", "identity", "lzma", "GZIP"] {
        let named = head(&[STATUS, GRPC, ("grpc-encoding", encoding)]);
        check(encoding, vec![named.clone(), MESSAGE, ok()], Well(1), true).await;
        check(
            encoding,
            vec![named.clone(), Data(&[1, 0, 0, 0, 1, 0]), ok()],
            With(Code::Internal),
            true,
        )
        .await;
    }
    // The same where the client accepts another one.
    let named = head(&[STATUS, GRPC, ("grpc-encoding", "lzma")]);
    for (message, end) in [(MESSAGE, Ok(1)), (Data(&[1, 0, 0, 0, 1, 0]), Err(Code::Internal))] {
        let server = answering(vec![named.clone(), message, ok()]).await;
        let mut caller = Caller::Annotated(super::proven(&server).await.accept_compressed(Gzip));
        for shape in Shape::ALL {
            let came = within("a call", shape.call(&mut caller)).await;
            let code = came.as_ref().map(|count| *count).map_err(Status::code);
            assert_eq!(code, end, "{shape:?}: {came:?}");
            if let Err(status) = came {
                assert!(status.message().contains("lzma"), "{status:?}");
            }
        }
    }
}

#[tokio::test]
async fn messages_over_the_limit_are_exhausted() {
    // 4 MiB and one byte are announced.
    let answer = vec![head(&[STATUS, GRPC]), Data(&[0, 0, 0x40, 0, 1, 7])];
    check("the default", answer.clone(), With(Code::ResourceExhausted), false).await;
    let server = answering(vec![head(&[STATUS, GRPC]), Data(&[0, 0, 0, 0, 9, 7])]).await;
    for client in [
        super::proven(&server).await.max_decoding_message_size(8),
        super::proven(&server)
            .await
            .max_decoding_message_size(8)
            .accept_compressed(Gzip),
    ] {
        let mut caller = Caller::Annotated(client);
        for shape in Shape::ALL {
            let status = within("a call", shape.call(&mut caller)).await.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{shape:?}: {status:?}");
        }
    }
}

#[tokio::test]
async fn a_reset_without_a_status_is_no_end() {
    let rows = [
        ("headers", vec![head(&[STATUS, GRPC]), Reset(Reason::NO_ERROR)]),
        ("a message", message_then(Reset(Reason::NO_ERROR))),
        (
            "half a message",
            vec![head(&[STATUS, GRPC]), Data(&[0; 3]), Reset(Reason::NO_ERROR)],
        ),
    ];
    for (what, answer) in rows {
        check(what, answer, With(Code::Internal), true).await;
    }
    // After the status it asks the client to send no more (RFC 9113, 8.1).
    let mut answer = message_then(ok());
    answer.push(Reset(Reason::NO_ERROR));
    check("a status", answer, Well(1), true).await;
}

#[tokio::test]
async fn a_message_that_is_not_utf8_keeps_its_code() {
    let rows: [(&[u8], &str); 8] = [
        (b"caf%E9", "caf\u{fffd}"),
        (b"caf\xe9", "caf\u{fffd}"),
        (b"50%", "50%"),
        (b"%", "%"),
        (b"%zz", "%zz"),
        (b"%F0%9F", "\u{fffd}"),
        ("na\u{ef}ve".as_bytes(), "na\u{ef}ve"),
        (b"ok%20then", "ok then"),
    ];
    for (message, text) in rows {
        let failure = [("grpc-status", &b"5"[..]), ("grpc-message", message)];
        let headers = [(":status", &b"200"[..]), ("content-type", b"application/grpc")];
        let at_once = vec![last(&[&headers[..], &failure].concat())];
        for answer in [message_then(last(&failure)), at_once] {
            let server = answering(answer).await;
            let client = super::proven(&server).await;
            for mut caller in Caller::all(client.pool()).await {
                for shape in Shape::ALL {
                    let status = within("a call", shape.call(&mut caller)).await.unwrap_err();
                    assert_eq!((status.code(), status.message()), (Code::NotFound, text), "{shape:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn unreadable_details_are_left_out() {
    let failure = [
        ("grpc-status", "5"),
        ("grpc-message", "gone"),
        ("grpc-status-details-bin", "&no base64&"),
    ];
    let at_once = vec![last(&[&[STATUS, GRPC], &failure[..]].concat())];
    let at_the_head = vec![head(&[STATUS, GRPC, failure[2]]), MESSAGE, last(&failure)];
    for answer in [message_then(last(&failure)), at_once, at_the_head] {
        check("details", answer, With(Code::NotFound), true).await;
    }
    let fine = message_then(last(&[("grpc-status", "0"), failure[2]]));
    check("details of OK", fine, Well(1), true).await;
}

#[tokio::test]
async fn unimplemented_names_the_method() {
    for (message, is_silent) in [("", true), ("not here", false)] {
        let failure = [STATUS, GRPC, ("grpc-status", "12"), ("grpc-message", message)];
        let fields = if message.is_empty() { 3 } else { 4 };
        let server = answering(vec![last(&failure[..fields])]).await;
        let pool = Pool::builder(server.uri()).build().unwrap();
        for mut caller in Caller::all(&pool).await {
            for (shape, method) in Shape::ALL
                .into_iter()
                .zip(["Unary", "ClientStream", "ServerStream", "Bidi"])
            {
                let status = within("a call", shape.call(&mut caller)).await.unwrap_err();
                assert_eq!(status.code(), Code::Unimplemented);
                let path = format!("/pooltest.TestService/{method}");
                let names = status.message().contains(&path) && status.message().contains(&server.uri());
                assert_eq!(names, is_silent, "{status:?}");
                assert!(is_silent || status.message() == message, "{status:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_empty_request_stream_ends_with_data() {
    use tests::wire::kind;

    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        conn.serve().await
    })
    .await;
    let client: Client = super::proven(&server).await;
    for mut caller in Caller::all(client.pool()).await {
        let none = tokio_stream::empty;
        within("a client stream", caller.client_stream(none())).await.unwrap();
        let replies = within("a bidi stream", caller.bidi(none())).await.unwrap();
        within("its end", count(replies.into_inner())).await.unwrap();
    }
    let frames = server.stats().connections[0].frames.clone();
    let headers: Vec<_> = frames.iter().filter(|frame| frame.is(kind::HEADERS)).collect();
    assert_eq!(headers.len(), 7);
    for frame in headers {
        assert!(!frame.head.ends_stream(), "{frame:?}");
    }
    let empty = frames
        .iter()
        .filter(|frame| frame.is(kind::DATA) && frame.payload.is_empty());
    assert_eq!(empty.filter(|frame| frame.head.ends_stream()).count(), 6);
}

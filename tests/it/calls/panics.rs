//! Code of the caller's that panics inside of a call: its own call fails, or its own task unwinds, and nothing is kept.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pool_runtime::__private::{Client as Calls, Deadline, Method, Shape};
use pool_runtime::Pool;
use prost::Message;
use prost::bytes::Buf;
use tests::pb::{TestReply, TestRequest};
use tests::server::TestServer;
use tests::within;
use tokio::task::JoinHandle;
use tokio_stream::{Stream, StreamExt};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Request, Status};

use super::{echo, idle, no_more_tasks_than, tasks};

/// Where the panic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The request stream, before it yields anything.
    StreamAtOnce,
    /// The request stream, after it has yielded and waited.
    StreamLater,
    /// The request stream, when it is dropped.
    StreamDropped,
    /// The encoder, at the first message.
    Encoder,
    /// The encoder, at a message behind a wait.
    EncoderLater,
    Decoder,
    Interceptor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The call fails with INTERNAL, which has the text of the panic.
    Internal,
    /// The task that polls the call, which is the caller's own, unwinds.
    Unwinds,
}

/// A prost codec that panics where it is told to.
#[derive(Debug, Clone, Copy)]
struct Panicking(Place);

impl Codec for Panicking {
    type Encode = TestRequest;
    type Decode = TestReply;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Panicking {
    type Item = TestRequest;
    type Error = Status;

    fn encode(&mut self, item: TestRequest, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let is_now = match self.0 {
            Place::Encoder => true,
            Place::EncoderLater => item.payload == b"later",
            _ => false,
        };
        assert!(!is_now, "out of order");
        item.encode(buf).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Panicking {
    type Item = TestReply;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<TestReply>, Status> {
        assert_ne!(self.0, Place::Decoder, "out of order");
        let reply = TestReply::decode(buf.copy_to_bytes(buf.remaining()));
        reply.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "out of order");
    }
}

fn requests(place: Place) -> Pin<Box<dyn Stream<Item = TestRequest> + Send>> {
    let first = tokio_stream::once(echo());
    match place {
        Place::StreamAtOnce => Box::pin(first.map(|_| panic!("out of order"))),
        Place::StreamLater => Box::pin(first.chain(later()).map(|request: TestRequest| {
            assert_ne!(request.payload, b"later", "out of order");
            request
        })),
        Place::StreamDropped => {
            let guard = PanicsInDrop;
            Box::pin(first.chain(later()).map(move |request| {
                let _ = &guard;
                request
            }))
        }
        Place::EncoderLater => Box::pin(first.chain(later())),
        _ => Box::pin(first),
    }
}

/// A message that comes when other tasks have had their turns.
fn later() -> impl Stream<Item = TestRequest> + Send {
    let message = TestRequest {
        payload: b"later".to_vec(),
        script: None,
    };
    tokio_stream::once(message).then(|message| async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        message
    })
}

static METHODS: [Method; 4] = [
    Method::new(
        "pooltest.TestService",
        "Unary",
        "/pooltest.TestService/Unary",
        Shape::Unary,
    ),
    Method::new(
        "pooltest.TestService",
        "ServerStream",
        "/pooltest.TestService/ServerStream",
        Shape::ServerStreaming,
    ),
    Method::new(
        "pooltest.TestService",
        "ClientStream",
        "/pooltest.TestService/ClientStream",
        Shape::ClientStreaming,
    ),
    Method::new(
        "pooltest.TestService",
        "Bidi",
        "/pooltest.TestService/Bidi",
        Shape::BidiStreaming,
    ),
];

fn calling(calls: Calls, shape: usize, place: Place) -> JoinHandle<Result<(), Status>> {
    let method = &METHODS[shape];
    let codec = Panicking(place);
    tokio::spawn(async move {
        let mut one = echo();
        one.script.get_or_insert_default().replies = 1;
        let mut replies = match shape {
            0 => return calls.unary(method, codec, Request::new(one)).await.map(drop),
            1 => calls.server_streaming(method, codec, Request::new(one)).await?,
            2 => {
                let requests = Request::new(requests(place));
                return calls.client_streaming(method, codec, requests).await.map(drop);
            }
            _ => {
                calls
                    .bidi_streaming(method, codec, Request::new(requests(place)))
                    .await?
            }
        }
        .into_inner();
        while replies.message().await?.is_some() {}
        Ok(())
    })
}

#[tokio::test]
async fn a_panic_ends_its_own_call_and_no_other() {
    use End::{Internal, Unwinds};

    let rows: [(Place, &[usize], End); 7] = [
        (Place::StreamAtOnce, &[2, 3], Internal),
        (Place::StreamLater, &[2, 3], Internal),
        (Place::StreamDropped, &[2, 3], Internal),
        (Place::Encoder, &[0, 1, 2, 3], Internal),
        (Place::EncoderLater, &[2, 3], Internal),
        (Place::Decoder, &[0, 1, 2, 3], Unwinds),
        (Place::Interceptor, &[0, 1, 2, 3], Unwinds),
    ];
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .max_connections(1)
        .max_concurrent_streams(2)
        .build()
        .unwrap();
    let calls = Calls::new(pool.clone(), Deadline::None);
    let fine = async || {
        within(
            "a call beside",
            calls.unary(&METHODS[0], Panicking(Place::Interceptor), Request::new(echo())),
        )
        .await
    };
    fine().await.unwrap();
    let before = tasks();
    for (place, shapes, end) in rows {
        for &shape in shapes {
            let calls = match place {
                Place::Interceptor => calls
                    .clone()
                    .with_interceptor(|_: Request<()>| -> Result<Request<()>, Status> { panic!("out of order") }),
                _ => calls.clone(),
            };
            // More than there are slots.
            let calls: Vec<_> = (0..5).map(|_| calling(calls.clone(), shape, place)).collect();
            for call in calls {
                match within("a call that panics", call).await {
                    Ok(result) => {
                        let status = result.unwrap_err();
                        assert_eq!(status.code(), Code::Internal, "{place:?} {shape}: {status:?}");
                        assert!(
                            status.message().contains("out of order"),
                            "{place:?} {shape}: {status:?}"
                        );
                        assert_eq!(end, Internal, "{place:?} {shape}");
                    }
                    Err(panic) => assert!(panic.is_panic() && end == Unwinds, "{place:?} {shape}: {panic:?}"),
                }
            }
            idle(&pool).await;
            server.until(|stats| stats.streams_now == 0).await;
            fine()
                .await
                .unwrap_or_else(|status| panic!("{place:?} {shape}: {status:?}"));
        }
    }
    no_more_tasks_than(before).await;
    assert_eq!(server.stats().connections_total, 1);
}

#[tokio::test]
async fn an_interceptor_goes_on_after_a_panic() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    let runs = AtomicUsize::new(0);
    let calls = Calls::new(pool.clone(), Deadline::None).with_interceptor(move |request: Request<()>| {
        assert_ne!(runs.fetch_add(1, Relaxed), 0, "the first");
        Ok(request)
    });
    let call = || calling(calls.clone(), 0, Place::StreamLater);
    assert!(call().await.unwrap_err().is_panic());
    for _ in 0..3 {
        call().await.unwrap().unwrap();
    }
}

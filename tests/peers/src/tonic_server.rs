//! tonic's own server, with the limits that users of it can set.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tests::pb::test_service_server::{TestService, TestServiceServer};
use tests::pb::{TestReply, TestRequest};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::Failure;
use crate::peer::Report;

type Replies = Pin<Box<dyn Stream<Item = Result<TestReply, Status>> + Send>>;

/// A running server; ends when it is dropped.
pub(crate) struct TonicServer {
    port: u16,
    seen: Arc<Seen>,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl TonicServer {
    /// Starts it with at most so many streams to a connection, and a connection's age.
    pub(crate) async fn start(streams: Option<u32>, age: Option<Duration>) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Seen::default());
        let mut server = Server::builder().max_concurrent_streams(streams);
        if let Some(age) = age {
            server = server.max_connection_age(age);
        }
        let service = TestServiceServer::new(Scripted(Arc::clone(&seen)));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let task = tokio::spawn(server.add_service(service).serve_with_incoming(incoming));
        Ok(Self { port, seen, task })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn report(&self) -> Report {
        let ledger = self.seen.ledger();
        Report {
            connections: ledger.open.len() as u64,
            ..ledger.report.clone()
        }
    }
}

impl Drop for TonicServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct Seen(Mutex<Ledger>);

#[derive(Default)]
struct Ledger {
    report: Report,
    /// Calls in progress by the client's address, which is what a connection is known by.
    open: HashMap<Option<SocketAddr>, u64>,
}

impl Seen {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, client: Option<SocketAddr>) -> InProgress {
        let mut ledger = self.ledger();
        let open = ledger.open.entry(client).or_default();
        *open += 1;
        let open = *open;
        ledger.report.calls += 1;
        ledger.report.most_streams = ledger.report.most_streams.max(open);
        drop(ledger);
        InProgress {
            seen: Arc::clone(self),
            client,
            finished: false,
        }
    }
}

/// A call in progress; dropped before it is finished, it was cancelled.
struct InProgress {
    seen: Arc<Seen>,
    client: Option<SocketAddr>,
    finished: bool,
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut ledger = self.seen.ledger();
        if let Some(open) = ledger.open.get_mut(&self.client) {
            *open -= 1;
        }
        ledger.report.cancelled += u64::from(!self.finished);
    }
}

/// `pooltest.TestService`, as far as the scenarios need it.
struct Scripted(Arc<Seen>);

#[tonic::async_trait]
impl TestService for Scripted {
    type ServerStreamStream = Replies;
    type BidiStream = Replies;

    async fn unary(&self, request: Request<TestRequest>) -> Result<Response<TestReply>, Status> {
        let mut call = self.0.begin(request.remote_addr());
        let request = request.into_inner();
        let delay = request.script.map_or(0, |script| script.delay_ms);
        sleep(Duration::from_millis(delay.into())).await;
        call.finished = true;
        Ok(Response::new(TestReply {
            payload: request.payload,
            ..TestReply::default()
        }))
    }

    async fn bidi(&self, request: Request<Streaming<TestRequest>>) -> Result<Response<Replies>, Status> {
        let call = self.0.begin(request.remote_addr());
        let replies = request.into_inner().map(move |request| {
            // Held until the replies are dropped. No scenario lets the requests end, so that is a cancellation.
            let _held = &call;
            Ok(TestReply {
                payload: request?.payload,
                ..TestReply::default()
            })
        });
        Ok(Response::new(Box::pin(replies)))
    }

    async fn read(&self, request: Request<TestRequest>) -> Result<Response<TestReply>, Status> {
        self.unary(request).await
    }

    async fn client_stream(&self, _: Request<Streaming<TestRequest>>) -> Result<Response<TestReply>, Status> {
        Err(Status::unimplemented("no scenario needs it"))
    }

    async fn server_stream(&self, _: Request<TestRequest>) -> Result<Response<Replies>, Status> {
        Err(Status::unimplemented("no scenario needs it"))
    }
}

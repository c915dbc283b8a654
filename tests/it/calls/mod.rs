//! Calls through the public API against a working server: what the caller gets, what the peer sees, what is left.

mod cancel;
mod deadline;
mod errors;
mod flow;
mod inherit;
mod panics;
mod shapes;
mod spans;
mod wire;

use std::time::Duration;

use pool_runtime::{Connector, Error, Lease, Phase, Pool, Target, pooled_client};
use tests::fault::Entrance;
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Script, TestReply, TestRequest};
use tests::server::TestServer;
use tests::within;
use tokio_stream::Stream;
use tonic::{IntoRequest, IntoStreamingRequest, Response, Status, Streaming};

/// The annotated client that states nothing: all that holds are the pool's defaults.
#[pooled_client(tests::pb::test_service_client::TestServiceClient)]
pub(crate) struct Client;

/// The three ways to call through a pool, for what must hold in all of them.
pub(crate) enum Caller {
    Annotated(Client),
    Pool(TestServiceClient<Pool>),
    Lease(TestServiceClient<Lease>),
}

macro_rules! each {
    ($caller:expr, $client:ident => $call:expr) => {
        match $caller {
            Caller::Annotated($client) => $call.await,
            Caller::Pool($client) => $call.await,
            Caller::Lease($client) => $call.await,
        }
    };
}

impl Caller {
    /// All three over one pool.
    pub(crate) async fn all(pool: &Pool) -> [Self; 3] {
        [
            Self::Annotated(Client::new(pool.clone())),
            Self::Pool(TestServiceClient::new(pool.clone())),
            Self::Lease(TestServiceClient::new(pool.acquire().await.unwrap())),
        ]
    }

    pub(crate) async fn unary(&mut self, request: impl IntoRequest<TestRequest>) -> Answer {
        each!(self, client => client.unary(request))
    }

    pub(crate) async fn server_stream(&mut self, request: impl IntoRequest<TestRequest>) -> Answers {
        each!(self, client => client.server_stream(request))
    }

    pub(crate) async fn client_stream(&mut self, requests: impl IntoStreamingRequest<Message = TestRequest>) -> Answer {
        each!(self, client => client.client_stream(requests))
    }

    pub(crate) async fn bidi(&mut self, requests: impl IntoStreamingRequest<Message = TestRequest>) -> Answers {
        each!(self, client => client.bidi(requests))
    }
}

pub(crate) type Answer = Result<Response<TestReply>, Status>;
pub(crate) type Answers = Result<Response<Streaming<TestReply>>, Status>;

/// A pool of at most one connection.
pub(crate) fn pool(uri: String) -> Pool {
    Pool::builder(uri).max_connections(1).build().unwrap()
}

/// Connects to a server in memory, by pipes that hold so many bytes. For tests on a paused clock, which would run ahead
/// of what a socket has yet to deliver.
pub(crate) fn in_memory(entrance: Entrance, bytes: usize) -> impl Connector {
    move |_: Target| std::future::ready(std::io::Result::Ok(entrance.pipe(bytes)))
}

/// A pool with one slot in all.
pub(crate) fn one_slot(server: &TestServer) -> Pool {
    Pool::builder(server.uri())
        .max_connections(1)
        .max_concurrent_streams(1)
        .build()
        .unwrap()
}

pub(crate) fn client(uri: String) -> Client {
    Client::new(pool(uri))
}

/// A client whose pool has its connection.
pub(crate) async fn connected(uri: String) -> Client {
    let client = client(uri);
    client.pool().ready(1).await.unwrap();
    client
}

pub(crate) fn echo() -> TestRequest {
    scripted(Script::default())
}

pub(crate) fn scripted(script: Script) -> TestRequest {
    TestRequest {
        payload: b"payload".to_vec(),
        script: Some(script),
    }
}

/// A call that the server never ends, after `replies` of it where it streams.
pub(crate) fn hanging(replies: u32) -> TestRequest {
    scripted(Script {
        replies,
        hang: true,
        ..Script::default()
    })
}

/// A request stream that has begun and never ends.
pub(crate) fn endless() -> impl Stream<Item = TestRequest> + Send + 'static {
    use tokio_stream::StreamExt;
    tokio_stream::once(echo()).chain(tokio_stream::pending())
}

/// Polls until `condition` holds: for what nothing reports by itself.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Waits until no slot of the pool is taken and nobody waits for one.
pub(crate) async fn idle(pool: &Pool) {
    eventually("the pool's slots to be free", || {
        let stats = pool.stats();
        (stats.in_flight, stats.waiting) == (0, 0)
    })
    .await;
}

/// The tasks alive on this test's runtime, the server's included.
pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Waits until there are no more tasks than there were.
pub(crate) async fn no_more_tasks_than(before: usize) {
    eventually("tasks to end", || tasks() <= before).await;
}

/// What an [`Error`] says about a call.
pub(crate) type Facts = (Option<Phase>, bool, u32);

/// The phase, whether the request was sent, and the attempts, of an error that must be in `status`.
#[track_caller]
pub(crate) fn facts(status: &Status) -> Facts {
    let error = Error::of(status).unwrap_or_else(|| panic!("no error of the pool in {status:?}"));
    (error.phase(), error.was_sent(), error.attempts())
}

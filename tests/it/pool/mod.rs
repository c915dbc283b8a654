//! What a pool does, seen from its public API at one end and by the server at the other.
//!
//! Tests wait for conditions: the server's (`server.until`) or the pool's ([`until`]). Where a duration is the
//! subject, it is bounded from below by what was asked for, and from above only so far that a loaded machine passes.

mod bounds;
mod config;
mod dialing;
mod ending;
mod growth;
mod handles;
mod lease;
mod lifetime;
mod mistakes;
mod runtimes;
mod seen;
mod storm;
mod waiting;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pool_runtime::{Event, Observer, Pool, PoolStats, pooled_client};
use tests::pb::{Script, TestReply, TestRequest};
use tests::server::{Builder as ServerBuilder, TestServer};
use tests::within;
use tokio::net::TcpSocket;
use tokio::runtime::{Builder as RuntimeBuilder, Handle};
use tokio::task::JoinSet;
use tonic::Status;

/// The annotated client that most tests call through.
#[pooled_client(tests::pb::test_service_client::TestServiceClient)]
struct Client;

/// A call that is answered after `ms` milliseconds.
fn lasting(ms: u32) -> TestRequest {
    scripted(Script {
        delay_ms: ms,
        ..Script::default()
    })
}

/// A call that is never answered.
fn hanging() -> TestRequest {
    scripted(Script {
        hang: true,
        ..Script::default()
    })
}

fn scripted(script: Script) -> TestRequest {
    TestRequest {
        payload: b"payload".to_vec(),
        script: Some(script),
    }
}

/// Makes `calls` unary calls at once, and waits for all of them.
async fn burst(pool: &Pool, calls: usize, request: TestRequest) -> Vec<Result<TestReply, Status>> {
    let client = Client::new(pool.clone());
    let mut tasks = JoinSet::new();
    for _ in 0..calls {
        let (client, request) = (client.clone(), request.clone());
        tasks.spawn(async move { client.unary(request).await.map(tonic::Response::into_inner) });
    }
    within("a burst of calls", tasks.join_all()).await
}

/// Starts calls that are never answered, one after the other, until the server has `calls` more of them than before.
async fn hang(server: &TestServer, pool: &Pool, calls: usize) -> JoinSet<Result<TestReply, Status>> {
    let client = Client::new(pool.clone());
    let before = server.stats().streams_now;
    let mut tasks = JoinSet::new();
    for started in 1..=calls {
        let client = client.clone();
        tasks.spawn(async move { client.unary(hanging()).await.map(tonic::Response::into_inner) });
        server.until(|stats| stats.streams_now == before + started).await;
    }
    tasks
}

/// Waits until the pool meets `condition`. A pool does not announce every change, so this looks again and again.
async fn until(pool: &Pool, condition: impl Fn(&PoolStats) -> bool) -> PoolStats {
    let looking = async {
        loop {
            let stats = pool.stats();
            if condition(&stats) {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    match tokio::time::timeout(tests::PATIENCE, looking).await {
        Ok(stats) => stats,
        Err(_) => panic!("the pool's condition was not met:\n{}", pool.stats()),
    }
}

/// Polls a future once, for the orders of events that tasks cannot be brought into.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A target that refuses connections for as long as the socket is kept: its port is taken, and nobody listens.
fn refusing() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let uri = format!("http://{}", socket.local_addr().unwrap());
    (socket, uri)
}

/// Runs a test with the server on a runtime of its own, so that the tasks on the test's runtime are the client's.
fn apart<T: AsyncFnOnce(&TestServer)>(server: ServerBuilder, test: T) {
    apart_on(RuntimeBuilder::new_current_thread(), server, test);
}

/// The same with the test's own kind of runtime.
fn apart_on<T: AsyncFnOnce(&TestServer)>(mut here: RuntimeBuilder, server: ServerBuilder, test: T) {
    let elsewhere = RuntimeBuilder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = elsewhere.block_on(server.start());
    let here = here.enable_all().build().unwrap();
    here.block_on(test(&server));
}

/// A runtime of two threads, for what goes wrong between threads.
fn two_threads() -> RuntimeBuilder {
    let mut builder = RuntimeBuilder::new_multi_thread();
    builder.worker_threads(2);
    builder
}

/// Waits until no task is left on the current runtime.
async fn no_task_is_left() {
    let metrics = Handle::current().metrics();
    let gone = async {
        while metrics.num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within("the end of the last task", gone).await;
}

/// Writes down the events of a pool.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, start: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(start)).count()
    }

    /// Where the first line is that starts so.
    fn position(&self, start: &str) -> Option<usize> {
        self.lines().iter().position(|line| line.starts_with(start))
    }
}

impl Observer for Log {
    fn on_event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Opening => "opening".into(),
            Event::Opened { connection, .. } => format!("opened {connection}"),
            Event::Failed { error, .. } => format!("failed: {error:?}"),
            Event::Draining { connection, reason } => format!("draining {connection}: {reason}"),
            Event::Closed {
                connection,
                reason,
                cut,
            } => format!("closed {connection}: {reason}, {cut} cut"),
            Event::CheckedOut { connection, waited } if waited.is_zero() => format!("checked out {connection}"),
            Event::CheckedOut { connection, .. } => format!("checked out {connection} after a wait"),
            Event::Waiting => "waiting".into(),
            Event::GaveUp { .. } => "gave up".into(),
            Event::Returned { connection } => format!("returned {connection}"),
            Event::Replayed { connection } => format!("replayed {connection}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

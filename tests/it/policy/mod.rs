//! Attempts beyond the first: retries, hedges, and the budget for both (gRFC A6).
//!
//! What the server sees of a call is read off a server of steps: the n-th request over all its connections gets the
//! n-th step.

mod config;
mod hedging;
mod precedence;
mod retry;
mod throttling;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use h2::Reason;
use pool_runtime::__private::{Attempts, Client as Calls, Codes, Deadline, HedgingPolicy, Method, RetryPolicy, Shape};
use pool_runtime::{Builder, Event, Pool};
use tests::fault::{Conn, FaultServer, Request as Seen};
use tests::pb::{Failure, Script, TestReply, TestRequest};
use tests::server::TestServer;
use tonic::{Code, IntoRequest, IntoStreamingRequest};
use tonic_prost::ProstCodec;

use crate::calls::{Answer, Answers, echo, in_memory, scripted};

/// A client of the test service all of whose methods have the same policy.
#[derive(Clone)]
struct Client {
    calls: Calls,
    attempts: Attempts,
}

impl Client {
    fn new(pool: &Pool, attempts: Attempts) -> Self {
        Self {
            calls: Calls::new(pool.clone(), Deadline::Unset),
            attempts,
        }
    }

    fn with_deadline(mut self, deadline: Duration) -> Self {
        self.calls = self.calls.with_deadline(deadline);
        self
    }

    /// Generated code has these in `static`s.
    fn method(&self, path: &'static str, shape: Shape) -> &'static Method {
        let method = Method::new("pooltest.TestService", "", path, shape).attempts(self.attempts);
        Box::leak(Box::new(method))
    }

    async fn unary(&self, request: impl IntoRequest<TestRequest>) -> Answer {
        let method = self.method("/pooltest.TestService/Unary", Shape::Unary);
        self.calls.unary_prost(method, codec(), request.into_request()).await
    }

    /// The way of codecs other than prost's.
    async fn unary_by_tonic(&self, request: impl IntoRequest<TestRequest>) -> Answer {
        let method = self.method("/pooltest.TestService/Unary", Shape::Unary);
        self.calls.unary(method, codec(), request.into_request()).await
    }

    async fn server_stream(&self, request: impl IntoRequest<TestRequest>) -> Answers {
        let method = self.method("/pooltest.TestService/ServerStream", Shape::ServerStreaming);
        self.calls
            .server_streaming(method, codec(), request.into_request())
            .await
    }

    async fn client_stream(&self, requests: impl IntoStreamingRequest<Message = TestRequest>) -> Answer {
        let method = self.method("/pooltest.TestService/ClientStream", Shape::ClientStreaming);
        let requests = requests.into_streaming_request();
        self.calls.client_streaming(method, codec(), requests).await
    }

    async fn bidi(&self, requests: impl IntoStreamingRequest<Message = TestRequest>) -> Answers {
        let method = self.method("/pooltest.TestService/Bidi", Shape::BidiStreaming);
        let requests = requests.into_streaming_request();
        self.calls.bidi_streaming(method, codec(), requests).await
    }
}

fn codec() -> ProstCodec<TestRequest, TestReply> {
    ProstCodec::default()
}

/// Longer than any test: what has such a delay comes at once, or not at all.
const NEVER: Duration = Duration::from_secs(3_600);

/// So many attempts where the server says UNAVAILABLE, with delays that are hardly any.
fn retry(max_attempts: u32) -> Attempts {
    retry_after(max_attempts, Duration::from_millis(1))
}

fn retry_after(max_attempts: u32, delay: Duration) -> Attempts {
    Attempts::Retry(RetryPolicy::unchecked(
        max_attempts,
        delay,
        delay,
        1.0,
        Codes::UNAVAILABLE,
    ))
}

/// So many attempts, to which UNAVAILABLE is not fatal.
fn hedge(max_attempts: u32, delay: Duration) -> Attempts {
    Attempts::Hedge(HedgingPolicy::unchecked(max_attempts, delay, Codes::UNAVAILABLE))
}

/// A request whose first attempts fail with `code`, in the headers.
fn failing_first(attempts: u32, code: Code) -> TestRequest {
    scripted(failing(attempts, code))
}

fn failing(attempts: u32, code: Code) -> Script {
    Script {
        key: "one call".to_owned(),
        fail_first: attempts,
        failure: Some(Failure {
            code: code.into(),
            message: "as told".to_owned(),
            after: 0,
        }),
        ..Script::default()
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Step {
    Reply,
    /// Trailers-Only.
    Fail(Code),
    /// The same with a pushback.
    PushBack(&'static str),
    /// ABORTED, and the word that another attempt would be of no use.
    Dismiss,
    /// Response headers, then the failure.
    FailLate(Code),
    /// A proxy's answer.
    Http(&'static str),
    Reset(Reason),
    /// The connection ends.
    Cut,
    Hang,
}

/// The requests that a server of steps has seen.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The header that tells of the attempts before each.
    fn previous(&self) -> Vec<Option<String>> {
        let seen = self.0.lock().unwrap();
        let header = |request: &Seen| request.header("grpc-previous-rpc-attempts").map(str::to_owned);
        seen.iter().map(header).collect()
    }
}

/// `None` for the first attempt, then numbers.
fn previous(attempts: impl IntoIterator<Item = u32>) -> Vec<Option<String>> {
    let header = |n: u32| (n > 0).then(|| n.to_string());
    attempts.into_iter().map(header).collect()
}

/// A server that does with the n-th request, counted over all connections, what the n-th step says; it answers those
/// beyond.
async fn steps<const N: usize>(steps: [Step; N]) -> (FaultServer, Log) {
    let log = Log::default();
    let seen = log.clone();
    let server = FaultServer::start(move |mut conn: Conn| {
        let log = log.clone();
        async move {
            conn.handshake(&[]).await?;
            loop {
                let request = conn.next_request().await?;
                let index = {
                    let mut seen = log.0.lock().unwrap();
                    seen.push(request.clone());
                    seen.len() - 1
                };
                match steps.get(index).copied().unwrap_or(Step::Reply) {
                    Step::Cut => return conn.abort(),
                    step => take(&mut conn, &request, step).await?,
                }
            }
        }
    });
    (server.await, seen)
}

async fn take(conn: &mut Conn, request: &Seen, step: Step) -> std::io::Result<()> {
    let stream = request.stream;
    let grpc = [(":status", "200"), ("content-type", "application/grpc")];
    match step {
        Step::Reply => conn.reply(request).await,
        Step::Fail(code) => conn.fail(stream, code, "as told").await,
        Step::PushBack(value) => {
            let more = [("grpc-status", "14"), ("grpc-retry-pushback-ms", value)];
            conn.send_headers(stream, &[grpc, more].concat(), true).await
        }
        Step::Dismiss => {
            let more = [("grpc-status", "10"), ("grpc-retry-pushback-ms", "-1")];
            conn.send_headers(stream, &[grpc, more].concat(), true).await
        }
        Step::FailLate(code) => {
            conn.respond(stream).await?;
            conn.trailers(stream, code, "as told").await
        }
        Step::Http(status) => {
            let headers = [(":status", status), ("content-type", "text/html")];
            conn.send_headers(stream, &headers, false).await?;
            conn.send_data(stream, b"<html>", true).await
        }
        Step::Reset(reason) => conn.rst(stream, reason).await,
        Step::Cut | Step::Hang => Ok(()),
    }
}

/// The extra attempts of a pool, as its observer was told: the attempt's number and the delay.
#[derive(Clone, Default)]
struct Extra(Arc<Mutex<Vec<(u32, Duration)>>>);

impl Extra {
    fn watch(&self, builder: Builder) -> Builder {
        let Self(seen) = self.clone();
        builder.observer(move |event: &Event<'_>| {
            if let Event::Retried { attempt, delay, .. } | Event::Hedged { attempt, delay } = event {
                seen.lock().unwrap().push((*attempt, *delay));
            }
        })
    }

    fn seen(&self) -> Vec<(u32, Duration)> {
        self.0.lock().unwrap().clone()
    }
}

/// A pool of two connections.
fn pool(uri: String) -> Pool {
    Pool::builder(uri).max_connections(2).build().unwrap()
}

/// The same to a server in memory, for a paused clock.
fn pool_in_memory(server: &FaultServer) -> Builder {
    let connector = in_memory(server.entrance(), 16 << 10);
    Pool::builder("http://peer.test")
        .max_connections(2)
        .connector(connector)
}

fn pool_of(server: &TestServer) -> Pool {
    pool(server.uri())
}

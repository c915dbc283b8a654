//! `pooltest.TestService`: does what its requests say.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::sleep;
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::{Code, Extensions, Request, Response, Status, Streaming};

use super::connection::{ExtraTrailers, Origin};
use crate::pb::test_service_server::TestService;
use crate::pb::{Script, TestReply, TestRequest};

/// The service; it keeps count of the attempts of each scripted key.
#[derive(Debug, Default)]
pub(super) struct Scripted {
    attempts: Mutex<HashMap<String, u32>>,
}

type Replies = Pin<Box<dyn Stream<Item = Result<TestReply, Status>> + Send>>;

#[tonic::async_trait]
impl TestService for Scripted {
    type ServerStreamStream = Replies;
    type BidiStream = Replies;

    async fn unary(&self, request: Request<TestRequest>) -> Result<Response<TestReply>, Status> {
        let (metadata, extensions, request) = request.into_parts();
        let call = self.call(&metadata, &extensions, request.script);
        call.begin().await?;
        call.end_of_unary().await?;
        call.response(call.reply(request.payload, 0, 1))
    }

    async fn read(&self, request: Request<TestRequest>) -> Result<Response<TestReply>, Status> {
        self.unary(request).await
    }

    async fn client_stream(&self, request: Request<Streaming<TestRequest>>) -> Result<Response<TestReply>, Status> {
        let (metadata, extensions, mut requests) = request.into_parts();
        let first = requests.message().await?.unwrap_or_default();
        let call = self.call(&metadata, &extensions, first.script);
        call.begin().await?;
        let (mut payload, mut received) = (first.payload, 1);
        while let Some(request) = requests.message().await? {
            payload.extend(request.payload);
            received += 1;
        }
        call.end_of_unary().await?;
        call.response(call.reply(payload, 0, received))
    }

    async fn server_stream(&self, request: Request<TestRequest>) -> Result<Response<Replies>, Status> {
        let (metadata, extensions, request) = request.into_parts();
        let call = self.call(&metadata, &extensions, request.script);
        call.begin().await?;
        let replies = (0..call.script.replies).map({
            let call = Arc::clone(&call);
            move |index| Ok(call.reply(request.payload.clone(), index, 1))
        });
        call.response(call.stream(tokio_stream::iter(replies)))
    }

    async fn bidi(&self, request: Request<Streaming<TestRequest>>) -> Result<Response<Replies>, Status> {
        let (metadata, extensions, mut requests) = request.into_parts();
        let first = requests.message().await?;
        let script = first.as_ref().and_then(|request| request.script.clone());
        let call = self.call(&metadata, &extensions, script);
        call.begin().await?;
        let mut index = 0;
        let replies = tokio_stream::iter(first.map(Ok)).chain(requests).map({
            let call = Arc::clone(&call);
            move |request| {
                let reply = call.reply(request?.payload, index, index + 1);
                index += 1;
                Ok(reply)
            }
        });
        call.response(call.stream(replies))
    }
}

impl Scripted {
    fn call(&self, metadata: &MetadataMap, extensions: &Extensions, script: Option<Script>) -> Arc<Call> {
        let script = script.unwrap_or_default();
        let attempt = self.attempt(&script.key);
        let (connection, client, authority) = match extensions.get::<Origin>().cloned() {
            Some(origin) => (origin.connection as u64, origin.client, origin.authority),
            None => Default::default(),
        };
        let reply = TestReply {
            connection,
            client,
            authority,
            attempt,
            previous_attempts: text(metadata, "grpc-previous-rpc-attempts").and_then(|n| n.parse().ok()),
            timeout_ms: text(metadata, "grpc-timeout").and_then(timeout_ms),
            metadata: if script.list_metadata {
                list(metadata)
            } else {
                HashMap::new()
            },
            ..TestReply::default()
        };
        let is_spared = script.fail_first > 0 && attempt > script.fail_first;
        Arc::new(Call {
            script,
            is_spared,
            reply,
        })
    }

    fn attempt(&self, key: &str) -> u32 {
        if key.is_empty() {
            return 0;
        }
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(key.to_owned()).or_default();
        *attempt += 1;
        *attempt
    }
}

/// One call and what is to become of it.
struct Call {
    script: Script,
    /// The script fails or hangs only the first attempts, and this is a later one.
    is_spared: bool,
    /// What all replies of the call have in common.
    reply: TestReply,
}

impl Call {
    /// What comes before the response headers: the delay, and a failure that is to have none.
    async fn begin(&self) -> Result<(), Status> {
        if self.script.delay_ms > 0 {
            sleep(Duration::from_millis(self.script.delay_ms.into())).await;
        }
        match self.failure() {
            Some((0, status)) => Err(status),
            _ => Ok(()),
        }
    }

    /// What comes before the only reply. There is no "after the reply" for it to fail at.
    async fn end_of_unary(&self) -> Result<(), Status> {
        if let Some((_, status)) = self.failure() {
            return Err(status);
        }
        if self.hangs() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    fn reply(&self, payload: Vec<u8>, index: u32, received: u32) -> TestReply {
        let payload = match self.script.reply_size {
            0 => payload,
            size => vec![0; size as usize],
        };
        TestReply {
            payload,
            index,
            received,
            ..self.reply.clone()
        }
    }

    /// `replies` at their pace, and the end that the script wants.
    fn stream(self: &Arc<Self>, replies: impl Stream<Item = Result<TestReply, Status>> + Send + 'static) -> Replies {
        let interval = Duration::from_millis(self.script.interval_ms.into());
        let paced = replies.then(move |reply| async move {
            let is_first = reply.as_ref().is_ok_and(|reply| reply.index == 0);
            if !is_first && !interval.is_zero() {
                sleep(interval).await;
            }
            reply
        });
        if let Some((after, status)) = self.failure() {
            return Box::pin(paced.take(after).chain(tokio_stream::once(Err(status))));
        }
        if self.hangs() {
            return Box::pin(paced.chain(tokio_stream::pending()));
        }
        Box::pin(paced)
    }

    fn response<T>(&self, message: T) -> Result<Response<T>, Status> {
        let mut response = Response::new(message);
        *response.metadata_mut() = MetadataMap::from_headers(headers(&self.script.headers)?);
        if !self.script.trailers.is_empty() {
            response
                .extensions_mut()
                .insert(ExtraTrailers(headers(&self.script.trailers)?));
        }
        Ok(response)
    }

    /// The failure, and after how many replies it comes.
    fn failure(&self) -> Option<(usize, Status)> {
        let failure = self.script.failure.as_ref().filter(|_| !self.is_spared)?;
        let trailers = match headers(&self.script.trailers) {
            Ok(trailers) => MetadataMap::from_headers(trailers),
            Err(status) => return Some((0, status)),
        };
        let status = Status::with_metadata(Code::from(failure.code), &failure.message, trailers);
        Some((failure.after as usize, status))
    }

    fn hangs(&self) -> bool {
        self.script.hang && !self.is_spared
    }
}

fn headers(named: &HashMap<String, String>) -> Result<HeaderMap, Status> {
    let parse = |(name, value): (&String, &String)| {
        Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
    };
    let parsed: Option<HeaderMap> = named.iter().map(parse).collect();
    parsed.ok_or_else(|| Status::invalid_argument(format!("no headers: {named:?}")))
}

fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name)?.to_str().ok()
}

fn list(metadata: &MetadataMap) -> HashMap<String, String> {
    let ascii = metadata.iter().filter_map(|entry| match entry {
        KeyAndValueRef::Ascii(name, value) => Some((name.to_string(), value.to_str().ok()?.to_owned())),
        KeyAndValueRef::Binary(..) => None,
    });
    ascii.collect()
}

/// A `grpc-timeout` in whole milliseconds, rounded down.
fn timeout_ms(value: &str) -> Option<u64> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(amount * 3_600_000),
        "M" => Some(amount * 60_000),
        "S" => Some(amount * 1_000),
        "m" => Some(amount),
        "u" => Some(amount / 1_000),
        "n" => Some(amount / 1_000_000),
        _ => None,
    }
}

//! A tonic server whose handlers ask another server, through a pool, in the way that the request names.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use pool_runtime::{CallOptions, Codes, HedgingPolicy, InheritLayer, Inherited, Pool, RetryPolicy};
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::test_service_server::{TestService, TestServiceServer};
use tests::pb::{TestReply, TestRequest};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};
use tonic::service::InterceptorLayer;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{IntoRequest, Request, Response, Status, Streaming};

use super::super::{Answer, Client};

/// Between attempts, where the server says nothing else.
const MOMENT: Duration = Duration::from_millis(1);

/// What became of a call to the back.
pub(super) type Outcome = Result<TestReply, Status>;

/// The handlers: a request's payload says how they call the back, and its script goes there.
pub(super) struct Front {
    back: Pool,
    outcomes: mpsc::UnboundedSender<Outcome>,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
type Replies = Pin<Box<dyn Stream<Item = Outcome> + Send>>;

impl Front {
    /// Starts the server, with an [`InheritLayer`] or without. Returns the outcomes of calls to the back too, also of
    /// those whose handler is gone.
    pub(super) async fn start(back: Pool, inherits: bool) -> (String, mpsc::UnboundedReceiver<Outcome>) {
        let (outcomes, receiver) = mpsc::unbounded_channel();
        let service = TestServiceServer::new(Self { back, outcomes });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let mut server = Server::builder().layer(InterceptorLayer::new(told_by_the_server));
        match inherits {
            true => tokio::spawn(
                server
                    .layer(InheritLayer::new())
                    .add_service(service)
                    .serve_with_incoming(incoming),
            ),
            false => tokio::spawn(server.add_service(service).serve_with_incoming(incoming)),
        };
        (format!("http://{address}"), receiver)
    }

    /// Asks the back in the way that is named, and gives its reply.
    async fn ask(&self, how: &str, request: TestRequest) -> Outcome {
        let client = Client::new(self.back.clone());
        let bare = TestRequest::default();
        match how {
            "annotated" => unary(client, request).await,
            "with a second of its own" => unary(client.with_deadline(Duration::from_secs(1)), request).await,
            "plain" => reply(TestServiceClient::new(self.back.clone()).unary(bare).await),
            "lease" => reply(TestServiceClient::new(self.back.acquire().await?).unary(bare).await),
            "detached" => Inherited::detached(unary(client, request)).await,
            "in the request's stream" => {
                let asking = self.tell(unary(client.clone(), bare));
                reply(client.client_stream(after_a_while(asking)).await)
            }
            "spawned" => self.spawn(None, unary(client, request)).await,
            "spawned in scope" => self.spawn(Inherited::current(), unary(client, request)).await,
            "retried in scope" => {
                let policy = RetryPolicy::new(2, MOMENT, MOMENT, 1.0, Codes::UNAVAILABLE).unwrap();
                let call = unary(client, with(CallOptions::new().retry(policy), request));
                self.spawn(Inherited::current(), call).await
            }
            "hedged in scope" => {
                // No second attempt but what the first one's failure brings on.
                let policy = HedgingPolicy::new(2, Duration::from_secs(3_600), Codes::UNAVAILABLE).unwrap();
                let call = unary(client, with(CallOptions::new().hedge(policy), request));
                self.spawn(Inherited::current(), call).await
            }
            "streamed in scope" => self.spawn(Inherited::current(), last_of_stream(client, request)).await,
            "left behind in scope" => {
                drop(self.spawn(Inherited::current(), unary(client, request)));
                Ok(TestReply::default())
            }
            other => Err(Status::unimplemented(other)),
        }
    }

    /// Tells how a call to the back ends.
    fn tell(&self, call: impl Future<Output = Outcome> + Send + 'static) -> Work {
        let outcomes = self.outcomes.clone();
        Box::pin(async move {
            // Nobody listens once the test is over.
            let _ = outcomes.send(call.await);
        })
    }

    /// Calls the back from a task of its own, and never returns.
    fn spawn(
        &self,
        scope: Option<Inherited>,
        call: impl Future<Output = Outcome> + Send + 'static,
    ) -> impl Future<Output = Outcome> {
        let work = self.tell(call);
        match scope {
            Some(inherited) => tokio::spawn(inherited.scope(work)),
            None => tokio::spawn(work),
        };
        std::future::pending()
    }
}

/// A request stream that does some work between its two requests. It has to wait before, so that it is polled by a task
/// of the pool's then.
fn after_a_while(work: Work) -> impl Stream<Item = TestRequest> + Send + 'static {
    let second = tokio_stream::once(work).then(async |work: Work| {
        tokio::time::sleep(Duration::from_millis(1)).await;
        work.await;
        TestRequest::default()
    });
    tokio_stream::once(TestRequest::default()).chain(second)
}

fn reply(answer: Answer) -> Outcome {
    answer.map(Response::into_inner)
}

fn with(options: CallOptions, request: TestRequest) -> Request<TestRequest> {
    let mut request = Request::new(request);
    request.extensions_mut().insert(options);
    request
}

async fn unary(client: Client, request: impl IntoRequest<TestRequest>) -> Outcome {
    reply(client.unary(request).await)
}

async fn last_of_stream(client: Client, request: TestRequest) -> Outcome {
    let mut replies = client.server_stream(request).await?.into_inner();
    let mut last = TestReply::default();
    while let Some(reply) = replies.message().await? {
        last = reply;
    }
    Ok(last)
}

/// A timeout that only the server's side knows: the caller neither keeps to it nor cancels because of it.
fn told_by_the_server(mut request: Request<()>) -> Result<Request<()>, Status> {
    if let Some(timeout) = request.metadata().get("x-timeout").cloned() {
        request.metadata_mut().insert("grpc-timeout", timeout);
    }
    Ok(request)
}

#[tonic::async_trait]
impl TestService for Front {
    type ServerStreamStream = Replies;
    type BidiStream = Replies;

    async fn unary(&self, request: Request<TestRequest>) -> Result<Response<TestReply>, Status> {
        let mut request = request.into_inner();
        let how = std::mem::take(&mut request.payload);
        self.ask(&String::from_utf8_lossy(&how), request)
            .await
            .map(Response::new)
    }

    async fn read(&self, request: Request<TestRequest>) -> Result<Response<TestReply>, Status> {
        self.unary(request).await
    }

    /// Calls to the back, made as the server polls the response; the second goes by the script.
    async fn server_stream(&self, request: Request<TestRequest>) -> Result<Response<Replies>, Status> {
        let client = Client::new(self.back.clone());
        let requests = tokio_stream::iter([TestRequest::default(), request.into_inner(), TestRequest::default()]);
        Ok(Response::new(Box::pin(
            requests.then(move |request| unary(client.clone(), request)),
        )))
    }

    async fn client_stream(&self, _: Request<Streaming<TestRequest>>) -> Result<Response<TestReply>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn bidi(&self, _: Request<Streaming<TestRequest>>) -> Result<Response<Replies>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}
